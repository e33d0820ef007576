//! Whether figures stay flat from the first rounds to the last.

use super::measure::Measure;
use crate::sweep::{Finding, Harm};

/// A figure round by round, and how much more it may become.
#[derive(Debug, Clone)]
pub struct Series {
    pub name: &'static str,
    pub unit: &'static str,
    pub values: Vec<u64>,
    /// Besides a tenth.
    pub slack: u64,
}

/// What came of comparing.
#[derive(Debug, Clone)]
pub struct Verdict {
    pub early: u64,
    pub late: u64,
    pub worst: u64,
    pub is_flat: bool,
}

impl Series {
    /// Compares the median of the first `window` values after `warm` with that of the last ones.
    pub fn verdict(&self, warm: usize, window: usize) -> Option<Verdict> {
        let settled = self.values.get(warm..)?;
        if settled.len() < window * 2 {
            return None;
        }
        let (early, late) = (median(&settled[..window]), median(&settled[settled.len() - window..]));
        let worst = self.values.iter().copied().max().unwrap_or_default();
        Some(Verdict { early, late, worst, is_flat: late <= early + early / 10 + self.slack })
    }
}

fn median(values: &[u64]) -> u64 {
    let mut values = values.to_vec();
    values.sort_unstable();
    values[values.len() / 2]
}

/// Everything that is to be flat, in a world of so many `agents`.
pub fn series(measures: &[Measure], agents: usize) -> Vec<Series> {
    let of = |name, unit, slack, value: fn(&Measure) -> Option<u64>| Series {
        name,
        unit,
        values: measures.iter().filter_map(value).collect(),
        slack,
    };
    vec![
        of("memory of the tmux server", "KiB", 1_024, |measure| Some(measure.server_memory)),
        of("open files of the tmux server", "", 4, |measure| Some(measure.server_files)),
        of("processes", "", 4, |measure| Some(measure.processes)),
        of("files in the home", "", 24, |measure| Some(measure.home_files)),
        of("bytes in the home", "bytes", 128 << 10, |measure| Some(measure.home_bytes)),
        of("sockets in the home", "", 3, |measure| Some(measure.sockets)),
        of("peak memory of restart", "KiB", 1_024, |measure| measure.peak),
        // How many it has depends on the moment in which it is looked at: a few for each agent that is looked after.
        of("open files of restart at most", "", agents as u64, |measure| measure.open),
    ]
}

/// The figures of the server that lived longest, from its own start.
pub fn longest_life(measures: &[Measure]) -> Vec<Measure> {
    let lives = measures.chunk_by(|before, after| before.server == after.server);
    lives.max_by_key(|life| life.len()).unwrap_or_default().to_vec()
}

/// What is not flat, and a line for the table.
///
/// Not every round has every figure: one of which there are few is compared over a third as many.
pub fn judge(series: &[Series], warm: usize, window: usize) -> (Vec<Finding>, Vec<String>) {
    let (mut found, mut lines) = (Vec::new(), Vec::new());
    for figure in series {
        let Series { name, unit, values, .. } = figure;
        let verdict = figure.verdict(warm, window).or_else(|| figure.verdict(warm / 3, (window / 3).max(1)));
        let Some(Verdict { early, late, worst, is_flat }) = verdict else {
            found.push((Harm::Other, format!("{name}: too few to compare: {values:?}")));
            continue;
        };
        let line = format!("{name}: {early} → {late} {unit}").trim_end().to_owned();
        if !is_flat {
            found.push((Harm::Other, format!("{line} (worst {worst}) grows: {values:?}")));
        }
        lines.push(format!("{line} (worst {worst})"));
    }
    (found, lines)
}
