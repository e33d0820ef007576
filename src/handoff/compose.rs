//! What a hook prints when messages wait: as many whole ones as fit, the rest announced or counted. Pure.
//!
//! Oldest first; what waits is at least counted, where the budget has room for that line. The answer never exceeds its
//! budget, for the agent CLIs cut what is longer.

use super::envelope::EnvelopeName;
use super::fence::{Nonce, Pending, announcement, fenced};
use super::parts::{visible, weight};

/// What an answer may hold.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The length of the whole, by [`weight`].
    pub budget: usize,
    /// How much of the beginning of a long message is printed.
    pub head_bytes: usize,
    /// How long its parts will be.
    pub part_bytes: usize,
    /// What prints the next part, as it is to be typed.
    pub command: &'a str,
}

/// What is to be printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Composition {
    /// The text; empty where nothing waits.
    pub text: String,
    /// Printed whole: these are shown.
    pub whole: Vec<EnvelopeName>,
    /// Only announced: these still wait.
    pub announced: Vec<EnvelopeName>,
    /// How many are only counted.
    pub counted: usize,
}

/// Composes the answer for `pending` (oldest first) and `more` that were not even read. `fresh` makes nonces.
pub fn compose(
    pending: &[Pending],
    more: usize,
    terms: &Terms<'_>,
    fresh: &mut dyn FnMut() -> Nonce,
) -> Composition {
    let mut composed = Composition { counted: pending.len() + more, ..Composition::default() };
    for waiting in pending {
        let left = composed.counted - 1;
        let reserve = if left > 0 { weight(&count(left, terms.command)) } else { 0 };
        let room = terms.budget.saturating_sub(weight(&composed.text) + reserve);
        let whole =
            fits(waiting, room).then(|| fenced(waiting, &fresh())).filter(|text| weight(text) <= room);
        let (text, printed) = match whole {
            Some(text) => (text, &mut composed.whole),
            None => {
                let Terms { head_bytes, part_bytes, command, .. } = *terms;
                let text = announcement(waiting, &fresh(), head_bytes, part_bytes, command);
                if weight(&text) > room {
                    break;
                }
                (text, &mut composed.announced)
            }
        };
        printed.push(waiting.envelope.name());
        composed.text.push_str(&text);
        composed.counted = left;
    }
    if composed.counted > 0 {
        let line = count(composed.counted, terms.command);
        if weight(&composed.text) + weight(&line) <= terms.budget {
            composed.text.push_str(&line);
        }
    }
    composed
}

/// A look that spares formatting a megabyte.
fn fits(waiting: &Pending, room: usize) -> bool {
    weight(&visible(&waiting.envelope)) <= room
}

fn count(left: usize, command: &str) -> String {
    match left {
        1 => format!("One more message waits: run `{command}`.\n"),
        _ => format!("{left} more messages wait: run `{command}`.\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handoff::fence::tests::pending;
    use proptest::prelude::*;

    const TERMS: Terms<'_> =
        Terms { budget: 8000, head_bytes: 600, part_bytes: 6000, command: "netsky inbox next" };

    fn waiting(sizes: &[usize]) -> Vec<Pending> {
        let id = |n: usize| format!("01JD0Q7M3ZJ4V5W6X7Y8Z9A{n:03}");
        sizes.iter().enumerate().map(|(n, size)| pending(&id(n), "x".repeat(*size).as_bytes())).collect()
    }

    /// Sizes that wait, how many unread; whole, announced, counted.
    fn check(sizes: &[usize], more: usize, expected: (usize, usize, usize)) {
        let composed = compose(&waiting(sizes), more, &TERMS, &mut Nonce::fresh);
        let found = (composed.whole.len(), composed.announced.len(), composed.counted);
        assert_eq!(found, expected, "{sizes:?} and {more}");
        assert!(weight(&composed.text) <= TERMS.budget);
        assert_eq!(composed.text.contains("more message"), composed.counted > 0);
    }

    #[test]
    fn what_fits_is_whole_and_the_rest_is_announced_or_counted() {
        check(&[], 0, (0, 0, 0));
        check(&[10, 20], 0, (2, 0, 0));
        check(&[7000], 0, (1, 0, 0));
        check(&[8000], 0, (0, 1, 0));
        check(&[1 << 20, 10], 0, (1, 1, 0));
        check(&[10], 7, (1, 0, 7));
        check(&[], 7, (0, 0, 7));
        check(&[9000; 12], 3, (0, 7, 8));
    }

    #[test]
    fn with_no_room_at_all_it_says_nothing() {
        let terms = Terms { budget: 10, ..TERMS };
        let composed = compose(&waiting(&[5]), 0, &terms, &mut Nonce::fresh);
        assert_eq!((composed.text.as_str(), composed.counted), ("", 1));
    }

    proptest! {
        #[test]
        fn the_budget_holds_and_everything_is_accounted_for(
            sizes in prop::collection::vec(0usize..4000, 0..12), more in 0usize..5, budget in 0usize..9000,
        ) {
            let terms = Terms { budget, ..TERMS };
            let composed = compose(&waiting(&sizes), more, &terms, &mut Nonce::fresh);
            prop_assert!(weight(&composed.text) <= budget);
            let all = composed.whole.len() + composed.announced.len() + composed.counted;
            prop_assert_eq!(all, sizes.len() + more);
        }
    }
}
