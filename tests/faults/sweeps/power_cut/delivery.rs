//! A hand-over that is delivered and read, and the power goes.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Cut, Powered, TEXT, unexpected_end};
use crate::loop_disk::{Disk, Image};
use crate::recovery;
use crate::strace::Point;
use crate::support::World;
use crate::support::world::files;
use crate::sweep::{Finding, Harm, Run, Tally};

/// Where the text lies that is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    OnTheDisk,
    OnAnother,
    /// On the disk, and nobody synced it before netsky came.
    JustWritten,
    /// In a claim: an earlier netsky was killed, and this one recovers.
    Claimed,
}

pub fn run(run: &Run) -> Tally {
    let from_the_disk = deliveries(run, Source::OnTheDisk);
    if run.is_broken() {
        return from_the_disk;
    }
    from_the_disk
        .and(deliveries(run, Source::OnAnother))
        .and(deliveries(run, Source::JustWritten))
        .and(deliveries(run, Source::Claimed))
        .and(readings(run, &["inbox", "next"]))
        .and(readings(run, &["inbox", "done", "0"]))
}

/// The home's disk and the other one, as they are before the delivery.
struct Templates {
    source: Source,
    home: Image,
    other: Option<Image>,
}

/// Both, mounted.
struct Scene {
    source: Source,
    powered: Powered,
    other: Option<Disk>,
    note: PathBuf,
}

impl Templates {
    fn new(run: &Run, source: Source) -> Self {
        let home = Powered::template(run, |powered| match source {
            Source::OnTheDisk => written(&powered.disk.at),
            Source::Claimed => claimed(run, powered),
            Source::OnAnother | Source::JustWritten => {}
        });
        let other = (source == Source::OnAnother).then(|| {
            let disk = Disk::blank();
            written(&disk.at);
            disk.template()
        });
        Self { source, home, other }
    }

    fn scene(&self, run: &Run) -> Scene {
        let powered = Powered::of(run, &self.home);
        let other = self.other.as_ref().map(Disk::of);
        let note = other.as_ref().unwrap_or(&powered.disk).at.join("note.md");
        if self.source == Source::JustWritten {
            written(&powered.disk.at);
        }
        Scene { source: self.source, powered, other, note }
    }
}

/// A delivery that was killed before it got to the archive.
fn claimed(run: &Run, powered: &Powered) {
    written(&powered.disk.at);
    let note = powered.disk.at.join("note.md");
    let before = Point { call: "linkat".to_owned(), nth: 2 };
    let mut command = powered.kill_at(&before, run.netsky());
    command.args(["handoff", "deliver"]).arg(&note);
    powered.world.call(command).run().expect(137);
    let archived = files(&powered.world.home.join("handoff/archive"));
    let is_envelope = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    assert!(!note.exists() && !archived.iter().any(is_envelope), "{archived:?}");
}

impl Scene {
    fn verb(&self) -> Vec<OsString> {
        let note = self.note.clone().into();
        match self.source {
            Source::Claimed => vec!["handoff".into(), "prune".into()],
            Source::OnTheDisk | Source::OnAnother | Source::JustWritten => {
                vec!["handoff".into(), "deliver".into(), note]
            }
        }
    }
}

fn written(dir: &Path) {
    fs::write(dir.join("note.md"), TEXT).unwrap();
}

fn deliveries(run: &Run, source: Source) -> Tally {
    let templates = Templates::new(run, source);
    let scene = templates.scene(run);
    let mut counting = scene.powered.counting(run.netsky());
    counting.args(scene.verb());
    scene.powered.world.call(counting).run().expect(0);
    let points = scene.powered.points();
    assert!(points.len() > 10, "hardly any call was seen: {points:?}");
    // In a broken build the last ones are the first to show it.
    let points: Vec<Point> = if run.is_broken() { points.into_iter().rev().collect() } else { points };
    let tally = run.points(&points, 10, 3, |point| delivered(run, &templates, point));
    tally.note(format!("{} points of a delivery, {source:?}", points.len()))
}

fn delivered(run: &Run, templates: &Templates, point: &Point) -> Vec<Finding> {
    let scene = templates.scene(run);
    let world = &scene.powered.world;
    let source = templates.source;
    let mut command = scene.powered.kill_at(point, run.netsky());
    command.args(scene.verb());
    let ran = world.call(command).run();
    let mut found: Vec<Finding> =
        unexpected_end(&ran, &format!("delivering, {source:?}, cut before {point}")).into_iter().collect();
    // The id is printed when the text is delivered; a recovery says nothing of it.
    let is_reported = !ran.stdout.trim().is_empty() || ran.code == 0;
    // What a user has just written and netsky has not taken is not netsky's to keep.
    let is_ours = source != Source::JustWritten || !scene.note.exists();
    let disks = std::iter::once(&scene.powered.disk).chain(&scene.other);
    let cuts: Vec<[(Cut, Image); 2]> = disks
        .map(|disk| {
            let bare = disk.cut("bare");
            disk.commit();
            [(Cut::Bare, bare), (Cut::Committed, disk.cut("committed"))]
        })
        .collect();
    // Each disk is cut for itself: what one has committed the other may not have.
    for (of_home, home) in &cuts[0] {
        let others: Vec<Option<&(Cut, Image)>> = match cuts.get(1) {
            Some(others) => others.iter().map(Some).collect(),
            None => vec![None],
        };
        for other in others {
            scene.powered.disk.put(home);
            if let (Some(disk), Some((_, image))) = (&scene.other, other) {
                disk.put(image);
            }
            let of_other = other.map(|(cut, _)| cut);
            let what = format!("delivering, {source:?}, cut before {point}: {of_home:?} {of_other:?}");
            let harms = after_the_cut(&scene, is_reported, &what);
            found.extend(harms.into_iter().filter(|(harm, _)| is_ours || *harm != Harm::Lost));
        }
    }
    found
}

fn after_the_cut(scene: &Scene, is_reported: bool, what: &str) -> Vec<Finding> {
    let Scene { powered, note, .. } = scene;
    let mut found = powered.torn(what);
    if is_reported && (note.exists() || powered.world.envelopes()[0].len() != 1) {
        let there = powered.world.envelopes();
        found.push((Harm::FalseSuccess, format!("{what}: source {}, inbox {there:?}", note.exists())));
    }
    found.extend(recovered(&powered.world, what));
    found.extend(recovery::hand_over(&powered.world, note, TEXT, what));
    found
}

/// Any verb that writes delivers what was left.
fn recovered(world: &World, what: &str) -> Option<Finding> {
    let ran = world.netsky(["handoff", "prune"]).run();
    (ran.code != 0).then(|| (Harm::Other, format!("{what}: recovery: {} {}", ran.code, ran.stderr)))
}

/// An envelope that is there is read: shown, or taken.
fn readings(run: &Run, verb: &[&str]) -> Tally {
    let template = Powered::template(run, |powered| {
        powered.world.netsky(["handoff", "deliver", "-"]).stdin(TEXT).run().expect(0);
    });
    let powered = Powered::of(run, &template);
    let mut counting = powered.counting(run.netsky());
    counting.args(verb);
    powered.world.call(counting).run().expect(0);
    let points = powered.points();
    let tally = run.points(&points, 4, 3, |point| read(run, &template, verb, point));
    tally.note(format!("{} points of {verb:?}", points.len()))
}

fn read(run: &Run, template: &Image, verb: &[&str], point: &Point) -> Vec<Finding> {
    let powered = Powered::of(run, template);
    let world = &powered.world;
    let mut command = powered.kill_at(point, run.netsky());
    command.args(verb);
    let ran = world.call(command).run();
    let mut found: Vec<Finding> =
        unexpected_end(&ran, &format!("{verb:?}, cut before {point}")).into_iter().collect();
    let bare = powered.disk.cut("bare");
    powered.disk.commit();
    for (cut, image) in [(Cut::Bare, bare), (Cut::Committed, powered.disk.cut("committed"))] {
        let what = format!("{verb:?}, cut before {point}: {cut:?}");
        powered.disk.put(&image);
        found.extend(powered.torn(&what));
        let nowhere = world.root().join("there was no file");
        found.extend(recovery::hand_over(world, &nowhere, TEXT, &what));
        if ran.code == 0 && !world.envelopes()[0].is_empty() {
            found.push((Harm::FalseSuccess, format!("{what}: it is as if it was never read")));
        }
        // What is not taken can be read again, whatever is known of an earlier reading.
        let next = world.netsky(["inbox", "list", "--all", "--json"]).run();
        if next.code != 0 || next.json()["envelopes"].as_array().is_none_or(|rows| rows.len() != 1) {
            found.push((Harm::Lost, format!("{what}: {next:?}")));
        }
    }
    found
}
