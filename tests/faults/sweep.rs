//! One sweep: what it promises, where it is red, and how its points are gone through.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use crate::binaries;
use crate::support::World;
use crate::table::{Ledger, Row, Verdict};

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Every point: `scripts/faults all`.
    Full,
    /// As [`Form::Full`], where a sweep is named: with what takes too long beside all others.
    Alone,
    /// Points spread over all: `cargo test`.
    Short,
}

impl Form {
    /// As the environment has it; `is_named`: not all sweeps are wanted.
    pub fn asked(is_named: bool) -> Self {
        match std::env::var_os("NETSKY_FAULTS_FULL") {
            None => Self::Short,
            Some(_) if is_named => Self::Alone,
            Some(_) => Self::Full,
        }
    }
}

/// What went wrong at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// A text, a record or an agent that should be there is not.
    Lost,
    /// A text arrived twice, two live at once, something happened that was taken back.
    Doubled,
    /// Something half written was read, shown or carried out.
    Torn,
    /// It said that it was done, and it was not.
    FalseSuccess,
    /// Anything else that was promised: too late, a panic, no recovery, somebody else's thing touched.
    Other,
}

/// A harm and where: enough to try it again.
pub type Finding = (Harm, String);

/// What came of trying a point.
pub struct Trial {
    /// Whether its moment came: else it is no point.
    pub came: bool,
    pub findings: Vec<Finding>,
}

impl From<Vec<Finding>> for Trial {
    fn from(findings: Vec<Finding>) -> Self {
        Self { came: true, findings }
    }
}

/// `None`: its moment did not come.
impl From<Option<Vec<Finding>>> for Trial {
    fn from(findings: Option<Vec<Finding>>) -> Self {
        Self { came: findings.is_some(), findings: findings.unwrap_or_default() }
    }
}

/// How a build is broken on purpose.
#[derive(Debug, Clone, Copy)]
pub struct Flaw {
    /// The step that it leaves out (see `src/failpoint.rs`).
    pub without: &'static str,
    /// The harm that has to be seen then.
    pub does: Harm,
}

/// A sweep.
pub struct Sweep {
    /// As typed after `scripts/faults`.
    pub name: &'static str,
    /// What holds at every point, as a sentence for docs/reliability.md.
    pub promise: &'static str,
    /// On which build it has to go red.
    pub flaw: Flaw,
    /// So many points the full form tries at least.
    pub floor: usize,
    /// Why it cannot run here, if it cannot.
    pub obstacle: fn() -> Option<String>,
    /// Goes through the points.
    pub run: fn(&Run) -> Tally,
}

/// Nothing in the way.
pub fn no_obstacle() -> Option<String> {
    None
}

/// One pass over a sweep.
pub struct Run {
    pub form: Form,
    /// What is wrong with the build.
    pub flaw: Option<Flaw>,
}

/// What a pass found.
#[derive(Debug, Default)]
pub struct Tally {
    pub points: usize,
    /// Points whose moment did not come: not counted.
    pub missed: usize,
    pub findings: Vec<Finding>,
    /// Figures worth a line under the table.
    pub notes: Vec<String>,
}

impl Tally {
    pub fn count(&self, harm: Harm) -> usize {
        self.findings.iter().filter(|(found, _)| *found == harm).count()
    }

    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.points += other.points;
        self.missed += other.missed;
        self.findings.extend(other.findings);
        self.notes.extend(other.notes);
        self
    }

    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

impl Run {
    /// The program under test.
    pub fn netsky(&self) -> &'static Path {
        match self.flaw {
            None => binaries::real(),
            Some(_) => binaries::with_failpoints(),
        }
    }

    pub fn is_broken(&self) -> bool {
        self.flaw.is_some()
    }

    /// Whether a broken build has been seen to do what it has to do.
    pub fn is_seen_red(&self, findings: &[Finding]) -> bool {
        self.flaw.is_some_and(|flaw| findings.iter().any(|(harm, _)| *harm == flaw.does))
    }

    /// A world whose netsky is the one under test.
    pub fn world(&self) -> World {
        let mut world = World::with(self.netsky());
        if let Some(flaw) = self.flaw {
            world.set("FAILPOINT_LEAVES_OUT", flaw.without);
        }
        world
    }

    /// Goes through `points` with so many workers. The short form tries about `short` of them, spread over all; a broken
    /// build is tried until it is seen to be broken. A panic is a finding, but no proof that a build is broken.
    pub fn points<P: Sync, T: Into<Trial>>(
        &self,
        points: &[P],
        short: usize,
        workers: usize,
        attempt: impl Fn(&P) -> T + Sync,
    ) -> Tally {
        let step = match self.form {
            Form::Short if !self.is_broken() => points.len().div_ceil(short.max(1)).max(1),
            _ => 1,
        };
        let chosen: Vec<&P> = points.iter().step_by(step).collect();
        let (next, seen_red) = (AtomicUsize::new(0), AtomicBool::new(false));
        let tally = Mutex::new(Tally::default());
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while let Some(point) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if self.is_broken() && seen_red.load(Ordering::Relaxed) {
                            return;
                        }
                        let tried = catch_unwind(AssertUnwindSafe(|| attempt(point).into()));
                        let mut tally = tally.lock().unwrap();
                        match tried {
                            Ok(Trial { came, findings }) => {
                                tally.points += usize::from(came);
                                tally.missed += usize::from(!came);
                                seen_red.fetch_or(self.is_seen_red(&findings), Ordering::Relaxed);
                                tally.findings.extend(findings);
                            }
                            // A broken build has to be seen to break its promise: a harness that trips over it is no proof.
                            Err(panic) if self.is_broken() => tally.notes.push(said(panic.as_ref())),
                            Err(panic) => tally.findings.push((Harm::Other, said(panic.as_ref()))),
                        }
                    }
                });
            }
        });
        tally.into_inner().unwrap()
    }
}

/// The words of a panic.
pub fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
}

/// A sweep on one build.
pub struct Pass {
    sweep: &'static Sweep,
    flaw: Option<Flaw>,
}

impl Sweep {
    /// On netsky as it ships, and on the build on which it must go red.
    pub fn passes(&'static self) -> [Pass; 2] {
        [Pass { sweep: self, flaw: None }, Pass { sweep: self, flaw: Some(self.flaw) }]
    }
}

impl Pass {
    pub fn name(&self) -> String {
        let name = self.sweep.name;
        self.flaw.map_or_else(|| name.to_owned(), |flaw| format!("{name}-without-{}", flaw.without))
    }

    /// Runs it and notes what came of it.
    pub fn run(&self, form: Form, ledger: &mut Ledger) {
        let begun = Instant::now();
        let result = match (self.sweep.obstacle)() {
            Some(why) => Verdict::Skipped(why),
            None => {
                let run = Run { form, flaw: self.flaw };
                let tally = catch_unwind(AssertUnwindSafe(|| (self.sweep.run)(&run)));
                let tally = tally.unwrap_or_else(|panic| Tally {
                    findings: vec![(Harm::Other, said(panic.as_ref()))],
                    ..Tally::default()
                });
                let why = failure(&tally, &run, self.sweep.floor);
                Verdict::Tried { tally, why }
            }
        };
        ledger.add(Row { sweep: self.sweep.name, name: self.name(), took: begun.elapsed(), verdict: result });
    }
}

/// Why a pass failed.
fn failure(tally: &Tally, run: &Run, floor: usize) -> Option<String> {
    let (found, tried) = (tally.findings.len(), tally.points);
    let told = || {
        let lines = tally.findings.iter().take(20).map(|(harm, what)| format!("\n{harm:?}: {what}"));
        lines.collect::<String>()
    };
    match run.flaw {
        Some(Flaw { without, does }) if !run.is_seen_red(&tally.findings) => Some(format!(
            "a build without {without} was not seen to do this at {tried} points: {does:?}; but {found} findings:{}",
            told()
        )),
        None if found > 0 => Some(format!("{found} findings at {tried} points:{}", told())),
        None if tried == 0 || run.form == Form::Full && tried < floor => {
            let missed = tally.missed;
            Some(format!(
                "{tried} points were tried, of {floor} at least; the moment of {missed} did not come"
            ))
        }
        _ => None,
    }
}
