//! What a run found, as a table for the terminal and for docs/reliability.md.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::sweep::{Form, Harm, Tally};
use crate::sweeps;

const HEADINGS: [&str; 7] = ["sweep", "points", "lost", "doubled", "torn", "false success", "other"];
const HARMS: [Harm; 5] = [Harm::Lost, Harm::Doubled, Harm::Torn, Harm::FalseSuccess, Harm::Other];

/// Between these lines of docs/reliability.md stands the table of the last whole run.
const BEGIN: &str = "<!-- the table of scripts/faults all: begin -->";
const END: &str = "<!-- the table of scripts/faults all: end -->";

/// The rows of a run, in the order in which they were tried.
pub struct Ledger {
    rows: Vec<Row>,
    begun: Instant,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { rows: Vec::new(), begun: Instant::now() }
    }
}

/// One pass over a sweep.
pub struct Row {
    pub sweep: &'static str,
    pub name: String,
    pub took: Duration,
    pub verdict: Verdict,
}

pub enum Verdict {
    Skipped(String),
    /// With the reason for which it failed, if it did.
    Tried {
        tally: Tally,
        why: Option<String>,
    },
}

impl Row {
    fn cells(&self) -> [String; 7] {
        match &self.verdict {
            Verdict::Tried { tally, .. } => {
                let [lost, doubled, torn, false_success, other] =
                    HARMS.map(|harm| tally.count(harm).to_string());
                [self.name.clone(), tally.points.to_string(), lost, doubled, torn, false_success, other]
            }
            Verdict::Skipped(why) => {
                let none = String::new;
                [self.name.clone(), format!("skipped: {why}"), none(), none(), none(), none(), none()]
            }
        }
    }
}

impl Ledger {
    /// Says at once how a pass went.
    pub fn add(&mut self, row: Row) {
        let seconds = row.took.as_secs_f64();
        match &row.verdict {
            Verdict::Skipped(why) => println!("test {} ... skipped: {why}", row.name),
            Verdict::Tried { why: None, .. } => println!("test {} ... ok ({seconds:.1} s)", row.name),
            Verdict::Tried { why: Some(why), .. } => {
                println!("test {} ... FAILED ({seconds:.1} s)\n{why}", row.name)
            }
        }
        self.rows.push(row);
    }

    /// Prints the table and the summary; the table also goes into the file that `NETSKY_FAULTS_DOCUMENT` names.
    pub fn close(&self, form: Form) -> ExitCode {
        if !self.rows.is_empty() {
            println!("{}\n", for_terminal(&self.rows));
        }
        let mut counts = [0, 0, 0];
        for row in &self.rows {
            match &row.verdict {
                Verdict::Skipped(_) => counts[2] += 1,
                Verdict::Tried { tally, why } => {
                    tally.notes.iter().for_each(|note| println!("{}: {note}", row.name));
                    if tally.missed > 0 {
                        let missed = tally.missed;
                        println!(
                            "{}: the moment of {missed} more points did not come: not counted",
                            row.name
                        );
                    }
                    counts[usize::from(why.is_some())] += 1;
                }
            }
        }
        // What is published is what was seen to hold.
        let document = std::env::var_os("NETSKY_FAULTS_DOCUMENT").filter(|_| counts[1..] == [0, 0]);
        if let Some(path) = document {
            let seconds = self.begun.elapsed().as_secs();
            let table = format!("{form:?} form, {seconds} s.\n\n{}", for_document(&self.rows));
            write_into(Path::new(&path), &table);
        }
        let [passed, failed, skipped] = counts;
        let verdict = if failed == 0 { "ok" } else { "FAILED" };
        let seconds = self.begun.elapsed().as_secs_f64();
        println!(
            "fault sweeps ({form:?} form): {verdict}. {passed} passed; {failed} failed; {skipped} skipped; in {seconds:.1} s"
        );
        ExitCode::from(u8::from(failed > 0))
    }
}

fn for_terminal(rows: &[Row]) -> String {
    let cells: Vec<[String; 7]> =
        std::iter::once(HEADINGS.map(str::to_owned)).chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].len()).max().unwrap_or_default();
    // A reason not to run stands in the second column and may stick out.
    let widths: [usize; 7] = std::array::from_fn(|column| if column == 1 { 6 } else { width(column) });
    let mut text = String::new();
    for row in &cells {
        let [name, rest @ ..] = row;
        write!(text, "\n{name:<0$}", widths[0]).unwrap();
        for (cell, width) in rest.iter().zip(&widths[1..]) {
            write!(text, "  {cell:>width$}").unwrap();
        }
    }
    text
}

fn for_document(rows: &[Row]) -> String {
    let mut text = String::new();
    writeln!(text, "| {} | what holds |\n|---|{}---|", HEADINGS.join(" | "), "--:|".repeat(6)).unwrap();
    for row in rows {
        let promise = sweeps::ALL
            .iter()
            .find(|sweep| sweep.name == row.sweep && sweep.name == row.name)
            .map_or("", |sweep| sweep.promise);
        writeln!(text, "| {} | {promise} |", row.cells().join(" | ")).unwrap();
    }
    text
}

fn write_into(path: &Path, table: &str) {
    let document = std::fs::read_to_string(path).unwrap();
    let (before, rest) = document.split_once(BEGIN).expect("the document has no place for the table");
    let (_, after) = rest.split_once(END).expect("the place for the table has no end");
    std::fs::write(path, format!("{before}{BEGIN}\n{table}{END}{after}")).unwrap();
}
