//! What a long verb shows while it works: on a terminal one live line an agent, elsewhere one line a phase.
//!
//! Everything goes to standard error; standard output stays for data.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::clock::{self, Instant};
use crate::constellation::means::Progress;
use crate::name::AgentName;
use crate::text;

use super::output;

/// The lines of a verb at work.
#[derive(Debug)]
pub(super) struct Lines {
    is_live: bool,
    width: usize,
    height: usize,
    begun: Instant,
    agents: BTreeMap<AgentName, Line>,
    phase: String,
    drawn: usize,
}

#[derive(Debug)]
struct Line {
    word: String,
    since: Instant,
    ended: Option<Instant>,
}

impl Lines {
    /// Live where standard error is a terminal of `width` columns and `height` rows.
    pub(super) fn new(is_live: bool, (width, height): (usize, usize)) -> Self {
        Self {
            is_live,
            width,
            height,
            begun: clock::monotonic_now(),
            agents: BTreeMap::new(),
            phase: String::new(),
            drawn: 0,
        }
    }

    /// Shows what happened.
    pub(super) fn show(&mut self, progress: Progress) {
        match progress {
            Progress::Phase(phase) => {
                phase.as_str().clone_into(&mut self.phase);
                if !self.is_live {
                    self.say(phase.as_str());
                }
            }
            Progress::Note(note) => self.note(&note),
            Progress::Agent { name, word, is_final } => {
                if is_final && !self.is_live {
                    self.say(&format!("{name} {word}"));
                }
                self.move_agent(name, word, is_final);
            }
        }
        if self.is_live {
            self.redraw();
        }
    }

    /// Leaves the live lines where they are.
    pub(super) fn end(&mut self) {
        if self.is_live {
            self.redraw();
            self.drawn = 0;
        }
    }

    fn say(&self, what: &str) {
        let elapsed = clock::monotonic_now().saturating_duration_since(self.begun);
        output::talk(&text::one_line(&format!("{:>6.1}s {what}", elapsed.as_secs_f64())));
    }

    fn note(&mut self, note: &str) {
        self.erase();
        output::talk(&text::one_line(&format!("netsky: {note}")));
    }

    fn move_agent(&mut self, name: AgentName, word: String, is_final: bool) {
        let now = clock::monotonic_now();
        let begun = self.begun;
        let line = self.agents.entry(name).or_insert_with(|| Line {
            word: String::new(),
            since: begun,
            ended: None,
        });
        line.word = word;
        line.ended = is_final.then_some(now);
    }

    fn erase(&mut self) {
        if self.drawn > 0 {
            output::draw(&format!("\u{1b}[{}A\u{1b}[J", self.drawn));
            self.drawn = 0;
        }
    }

    fn redraw(&mut self) {
        let lines = self.lines(clock::monotonic_now());
        let mut frame = String::new();
        if self.drawn > 0 {
            write!(frame, "\u{1b}[{}A\u{1b}[J", self.drawn).unwrap_or_default();
        }
        for line in &lines {
            writeln!(frame, "{line}").unwrap_or_default();
        }
        self.drawn = lines.len();
        output::draw(&frame);
    }

    /// The phase, then those that are not done, then the others as far as the screen is high.
    fn lines(&self, now: Instant) -> Vec<String> {
        let mut lines = vec![format!(
            "{:<18} {:>6.1}s",
            self.phase,
            now.saturating_duration_since(self.begun).as_secs_f64()
        )];
        let room = self.height.saturating_sub(3).max(1);
        let (done, waiting): (Vec<_>, Vec<_>) =
            self.agents.iter().partition(|(_, line)| line.ended.is_some());
        let total = done.len() + waiting.len();
        for (name, line) in waiting.into_iter().chain(done).take(room) {
            let seconds = line.ended.unwrap_or(now).saturating_duration_since(line.since).as_secs_f64();
            let line = format!("  {name:<14} {seconds:>6.1}s  {}", text::one_line(&line.word));
            lines.push(text::clipped(&line, self.width).into_owned());
        }
        if total > room {
            lines.push(format!("  and {} more", total - room));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_lines_fit_the_screen_and_show_those_that_are_awaited_first() {
        let mut lines = Lines::new(false, (40, 8));
        for number in 0..20 {
            lines.move_agent(AgentName::Numbered(number), "up (hook)".into(), number != 7);
        }
        lines.move_agent(AgentName::Numbered(7), "a very long word that does not fit in here".into(), false);
        let shown = lines.lines(clock::monotonic_now());
        assert!(shown.len() <= 7 && shown.iter().all(|line| line.chars().count() <= 40), "{shown:#?}");
        assert!(shown[1].contains("agent7") && shown.last().unwrap().contains("15 more"), "{shown:#?}");
    }
}
