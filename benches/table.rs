//! What was measured, one line a row.

use std::time::Duration;

use unicode_width::UnicodeWidthStr;

/// One row of the table.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) measured: String,
    pub(crate) floor: String,
    pub(crate) ratio: Option<f64>,
    pub(crate) target: String,
    pub(crate) verdict: String,
}

impl Row {
    /// A row that is held against a limit.
    pub(crate) fn judged(
        what: impl Into<String>,
        measured: impl Into<String>,
        target: &str,
        over: f64,
    ) -> Self {
        let verdict = match over {
            over if over <= 1.0 => "meets".to_owned(),
            over => format!("misses by {over:.2} ×"),
        };
        Self {
            what: what.into(),
            measured: measured.into(),
            floor: String::new(),
            ratio: None,
            target: target.to_owned(),
            verdict,
        }
    }

    /// A row that is only told.
    pub(crate) fn told(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self { verdict: String::new(), ..Self::judged(what, measured, "", 0.0) }
    }

    pub(crate) fn with_floor(mut self, floor: impl Into<String>, ratio: f64) -> Self {
        self.floor = floor.into();
        self.ratio = Some(ratio);
        self
    }
}

/// Samples of one quantity, in its own unit.
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        assert!(!values.is_empty(), "nothing was measured");
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    pub(crate) fn of_durations(durations: impl IntoIterator<Item = Duration>) -> Self {
        Self::of(durations.into_iter().map(|duration| duration.as_secs_f64() * 1000.0).collect())
    }

    pub(crate) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len() % 2 == 1 { self.0[middle] } else { f64::midpoint(self.0[middle - 1], self.0[middle]) }
    }

    pub(crate) fn worst(&self) -> f64 {
        self.0[self.0.len() - 1]
    }

    /// `412 ms of 7 (401–460)`.
    pub(crate) fn words(&self, unit: &str) -> String {
        let number = |value: f64| match value.abs() {
            size if size >= 100.0 => format!("{value:.0}"),
            size if size >= 10.0 => format!("{value:.1}"),
            _ => format!("{value:.2}"),
        };
        let (median, count) = (number(self.median()), self.0.len());
        format!("{median} {unit} of {count} ({}–{})", number(self.0[0]), number(self.worst()))
    }
}

/// Prints the table.
pub(crate) fn print(rows: &[Row]) {
    let heads = ["row", "measured", "floor", "ratio", "target", "verdict"].map(str::to_owned);
    let mut lines = vec![heads];
    lines.extend(rows.iter().map(|row| {
        let ratio = row.ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let texts = [&row.what, &row.measured, &row.floor, &ratio, &row.target, &row.verdict];
        texts.map(Clone::clone)
    }));
    let widths: Vec<usize> =
        (0..6).map(|column| lines.iter().map(|line| line[column].width()).max().unwrap_or(0)).collect();
    for line in &lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| {
            let padding = " ".repeat(width - cell.width());
            format!("{cell}{padding}")
        });
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}
