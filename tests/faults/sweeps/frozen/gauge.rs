//! How late verbs are, and what was carried out late.

use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::sweep::{Finding, Harm};

/// A verb is back within its limit and this.
const GRACE: Duration = Duration::from_millis(250);

/// So often a limit that seems missed is measured again.
const AGAIN: usize = 3;

/// What all points of the sweep came to.
#[derive(Debug, Default)]
pub struct Gauge {
    /// Held for writing by who has to be alone.
    alone: RwLock<()>,
    figures: Mutex<Figures>,
}

#[derive(Debug, Default)]
struct Figures {
    tries: usize,
    before_it_spoke: usize,
    late: usize,
    largest_group: usize,
    worst: Duration,
}

/// What one try came to.
#[derive(Debug, Default)]
pub struct Try {
    pub findings: Vec<Finding>,
    /// By how much the limit was passed, where there was one.
    pub overrun: Option<Duration>,
    /// Whether the server stood still before the client had said anything.
    pub before_it_spoke: bool,
    /// How many commands were carried out after the thaw that may have been, and that may not.
    pub group: usize,
    pub late: usize,
}

impl Gauge {
    /// Counts a try; `None`: its moment did not come. A limit that is missed while others work is measured again alone: what counts is the least, because
    /// a busy machine makes everything late.
    pub fn measure(&self, what: &str, attempt: impl Fn() -> Option<Try>) -> Option<Vec<Finding>> {
        let mut findings = Vec::new();
        let mut least: Option<Duration> = None;
        for number in 0..=AGAIN {
            let (mut _shared, mut _own) = (None, None);
            match number {
                // One that panicked says so itself.
                0 => _shared = Some(self.alone.read().unwrap_or_else(PoisonError::into_inner)),
                _ => _own = Some(self.alone.write().unwrap_or_else(PoisonError::into_inner)),
            }
            let Some(done) = attempt() else { return (number > 0).then_some(findings) };
            let overrun = done.overrun;
            findings.extend(self.count(done));
            let Some(overrun) = overrun else { return Some(findings) };
            let so_far = least.map_or(overrun, |least| least.min(overrun));
            least = Some(so_far);
            if so_far <= GRACE {
                break;
            }
        }
        let overrun = least.unwrap_or_default();
        let mut figures = self.figures.lock().unwrap();
        figures.worst = figures.worst.max(overrun);
        if overrun > GRACE {
            findings.push((Harm::Other, format!("{what}: back only {overrun:.0?} after its limit")));
        }
        Some(findings)
    }

    fn count(&self, done: Try) -> Vec<Finding> {
        let mut figures = self.figures.lock().unwrap();
        figures.tries += 1;
        figures.before_it_spoke += usize::from(done.before_it_spoke);
        figures.late += done.late;
        figures.largest_group = figures.largest_group.max(done.group);
        done.findings
    }

    pub fn summary(&self) -> String {
        let Figures { tries, before_it_spoke, late, largest_group, worst } = &*self.figures.lock().unwrap();
        format!(
            "{tries} tries, {before_it_spoke} of them with the server stopped before the client spoke: {late} late \
             executions; the largest group under way had {largest_group} commands; worst overrun {worst:.0?}"
        )
    }
}
