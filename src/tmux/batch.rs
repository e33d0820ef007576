//! Requests that create, type or destroy, laid out in groups so that killing the client takes back every group that
//! is not under way.
//!
//! The client reads from its standard input only the names of the groups' files, and the server asks the client for
//! each file in its turn: no client, no further group. Seen with tmux 3.2a, 3.3a and 3.7c frozen before and in the
//! midst of a batch. Names are of one length, so that a line cut short names no file.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tmux_interface::SourceFile;

use crate::clock::Deadline;
use crate::failpoint::{self, Step};
use crate::id::RestartId;
use crate::persist;
use crate::process::{self, ProcessId, Signal};

use super::bond::{self, Bond};
use super::quote::{NulInArgument, unglobbed};
use super::request::Request;

/// What may finish late is one group.
pub(super) const LARGEST_GROUP: usize = 8;

/// What begins the name of a batch's directory; when and by which process it was made follows.
const PREFIX: &str = "batch-";

/// A client that was killed is gone in so long.
const KILL_TAKES: Duration = Duration::from_secs(1);

/// Requests in groups, and the files they name.
#[derive(Debug, Default)]
pub(super) struct Batch {
    groups: Vec<Vec<Request>>,
    files: Vec<(&'static str, Vec<u8>)>,
}

impl Batch {
    /// Groups of at most eight requests; those of one bundle stay together (a bundle is never larger).
    pub(super) fn of(bundles: impl IntoIterator<Item = Vec<Request>>) -> Self {
        let mut groups: Vec<Vec<Request>> = Vec::new();
        for bundle in bundles {
            match groups.last_mut() {
                Some(group) if group.len() + bundle.len() <= LARGEST_GROUP => group.extend(bundle),
                _ => groups.push(bundle),
            }
        }
        Self { groups, files: Vec::new() }
    }

    /// Adds a file that a request names; the client's directory is where it lies.
    #[must_use]
    pub(super) fn with_file(mut self, name: &'static str, bytes: Vec<u8>) -> Self {
        self.files.push((name, bytes));
        self
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// What each group's file holds; its last line says that it was reached. Another server reads over all of it.
    fn contents(&self, nonce: &str, bond: &Bond) -> Result<Vec<Vec<u8>>, NulInArgument> {
        let mut contents = Vec::new();
        for (number, group) in self.groups.iter().enumerate() {
            let mut content = Vec::new();
            for request in group {
                content.extend(request.source()?);
            }
            content.extend(Request::milestone(&format!("{nonce} {number}")).source()?);
            contents.push(bond.guarded(content)?);
        }
        Ok(contents)
    }
}

/// A batch on disk, gone when dropped.
#[derive(Debug)]
pub(super) struct LaidOut {
    dir: tempfile::TempDir,
    /// What the client reads.
    pub(super) input: Vec<u8>,
}

/// Why a batch could not be laid out.
#[derive(Debug)]
pub(super) enum LayError {
    Argument(NulInArgument),
    Io(io::Error),
}

impl LaidOut {
    /// Writes the groups into a directory of their own below `run_dir`.
    pub(super) fn lay(batch: &Batch, run_dir: &Path, nonce: &str, bond: &Bond) -> Result<Self, LayError> {
        let contents = batch.contents(nonce, bond).map_err(LayError::Argument)?;
        failpoint::reach("tmux.lay");
        let dir = tempfile::Builder::new()
            .prefix(&persist::momentary_name(PREFIX))
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(run_dir)
            .map_err(LayError::Io)?;
        let mut input = bond::question(nonce).source().map_err(LayError::Argument)?;
        for (number, content) in contents.iter().enumerate() {
            let name = format!("g{number:05}");
            write_private(&dir.path().join(&name), content).map_err(LayError::Io)?;
            // By its whole path: of a relative one tmux (3.2a to 3.5) takes the client's directory for a pattern, and finds
            // nothing where that holds a `#`, a bracket, a control character or bytes that are no UTF-8.
            let whole = unglobbed(&dir.path().join(&name));
            let source = Request::from(SourceFile::new().build()).arguments([whole]);
            match failpoint::leaves_out(Step::Fence) {
                true => input.extend(content),
                false => input.extend(source.source().map_err(LayError::Argument)?),
            }
        }
        for (name, bytes) in &batch.files {
            write_private(&dir.path().join(name), bytes).map_err(LayError::Io)?;
        }
        input.extend(Request::milestone(&format!("{nonce} end")).source().map_err(LayError::Argument)?);
        Ok(Self { dir, input })
    }

    /// Where the client has to run.
    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }
}

/// The file lives for one conversation: it needs no name of its own, no rename and no sync.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

/// What a process that was killed had begun to ask is still being asked by its client: ends that one, so that no further
/// group is read. Returns how many batches were taken back.
pub(super) fn take_back(run_dir: &Path) -> io::Result<usize> {
    let mut taken = 0;
    for entry in persist::everything_in(run_dir).map_err(|error| error.source)? {
        let name = entry.file_name();
        let owner = name.to_str().filter(|_| is_dir(&entry)).and_then(owner_of);
        if owner.is_some_and(|owner| !owner.is_alive()) {
            let dir = run_dir.join(name);
            process::poll(Duration::from_millis(5), Deadline::after(KILL_TAKES), || {
                let clients = process::working_in(&dir);
                for client in &clients {
                    // One that may not be signalled is no client of ours.
                    client.signal(Signal::Kill).unwrap_or_default();
                }
                clients.is_empty().then_some(())
            });
            fs::remove_dir_all(dir)?;
            taken += 1;
        }
    }
    Ok(taken)
}

/// A link of a batch's name leads to where somebody else works.
fn is_dir(entry: &fs::DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_dir()) || failpoint::leaves_out(Step::OwnKind)
}

fn owner_of(name: &str) -> Option<ProcessId> {
    let mut parts = name.strip_prefix(PREFIX)?.split('-');
    parts.next()?.parse::<RestartId>().ok()?;
    parts.next()?.parse().ok()
}

/// Removes what killed processes left; returns how many.
pub(super) fn sweep(run_dir: &Path, now: DateTime<Utc>) -> io::Result<usize> {
    let mut removed = 0;
    for entry in persist::everything_in(run_dir).map_err(|error| error.source)? {
        let name = entry.file_name();
        if is_dir(&entry)
            && name.to_str().is_some_and(|name| persist::is_debris(name, PREFIX, now, ProcessId::is_alive))
        {
            fs::remove_dir_all(run_dir.join(name))?;
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bundle(size: usize) -> Vec<Request> {
        vec![Request::milestone("x"); size]
    }

    proptest! {
        #[test]
        fn groups_hold_at_most_eight_and_keep_bundles_whole(sizes in prop::collection::vec(1usize..=8, 0..60)) {
            let batch = Batch::of(sizes.iter().map(|size| bundle(*size)));
            prop_assert!(batch.groups.iter().all(|group| (1..=LARGEST_GROUP).contains(&group.len())));
            prop_assert_eq!(batch.groups.iter().map(Vec::len).sum::<usize>(), sizes.iter().sum::<usize>());
            // Every border of a group is a border of a bundle.
            let borders = |parts: Vec<usize>| -> Vec<usize> {
                parts.iter().scan(0, |sum, size| { *sum += size; Some(*sum) }).collect()
            };
            let of_bundles = borders(sizes);
            for border in borders(batch.groups.iter().map(Vec::len).collect()) {
                prop_assert!(of_bundles.contains(&border));
            }
        }
    }

    #[test]
    fn what_is_laid_out_is_private_and_gone_when_dropped() {
        let run = tempfile::tempdir().unwrap();
        let batch = Batch::of((0..9).map(|_| bundle(1))).with_file("text", b"hello".to_vec());
        let laid = LaidOut::lay(&batch, run.path(), "N", &Bond::default()).unwrap();
        let input = String::from_utf8(laid.input.clone()).unwrap();
        let dir = laid.dir().display();
        let groups = format!("\n\"source-file\" \"{dir}/g00000\"\n\"source-file\" \"{dir}/g00001\"\n");
        assert!(input.contains(&groups), "{input}");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(laid.dir()), 0o700);
        assert_eq!(mode(&laid.dir().join("g00001")), 0o600);
        drop(laid);
        assert_eq!(fs::read_dir(run.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_process_had_begun_to_ask_is_taken_back() {
        use crate::process::Job;
        use crate::tmux::test_server::{LONG, TestServer, eventually};
        let server = TestServer::start();
        let run = server.dir().join("run");
        let own = LaidOut::lay(&Batch::of([bundle(1)]), &run, "N", &Bond::default()).unwrap();
        // Process 1 did not begin then.
        let dir = run.join(format!("{PREFIX}{}-1.1-abc", RestartId::fresh()));
        fs::create_dir(&dir).unwrap();
        let begun = dir.with_file_name("begun");
        let slow = format!("run-shell 'touch {}; sleep 1'\nset -s @first done\n", begun.display());
        write_private(&dir.join("g00000"), slow.as_bytes()).unwrap();
        write_private(&dir.join("g00001"), b"new-session -d -s late\n").unwrap();
        let client = Job::new(&server.tmux.program, LONG.write)
            .args(server.tmux.arguments())
            .args(["source-file", "-"])
            .environment(server.tmux.environment())
            .dir(&dir)
            .input("source-file g00000\nsource-file g00001\n");
        let client = process::beside(move || client.run()).unwrap();
        eventually("the first group", || begun.exists().then_some(()));
        assert_eq!(take_back(&run).unwrap(), 1);
        client.blocking_recv().unwrap().unwrap();
        assert!(!dir.exists() && own.dir().exists());
        assert_eq!(take_back(&run).unwrap(), 0);
        let age = || begun.metadata().unwrap().modified().unwrap().elapsed().unwrap();
        eventually("the sleep to end", || (age() > Duration::from_millis(1_500)).then_some(()));
        assert!(server.session_names().is_empty());
    }

    #[test]
    fn a_batch_says_who_laid_it_out() {
        let own = ProcessId::own().unwrap();
        assert_eq!(owner_of(&format!("{}abc", persist::momentary_name(PREFIX))), Some(own));
        for name in ["batch-", "batch-x-1.1-a", "batch-01ARZ3NDEKTSV4RRFFQ69G5FAV-abc", "tmux.sock"] {
            assert_eq!(owner_of(name), None, "{name}");
        }
    }

    #[test]
    fn only_what_a_killed_process_left_is_swept() {
        let run = tempfile::tempdir().unwrap();
        let laid = LaidOut::lay(&Batch::of([bundle(1)]), run.path(), "N", &Bond::default()).unwrap();
        for name in ["batch-01ARZ3NDEKTSV4RRFFQ69G5FAV-x", "batch-", "batch-x", "01ARZ3NDEKTSV4RRFFQ69G5FAV"]
        {
            fs::create_dir(run.path().join(name)).unwrap();
        }
        let years = chrono::Duration::days(3650);
        assert_eq!(sweep(run.path(), crate::clock::utc_now() + years).unwrap(), 1);
        assert_eq!(fs::read_dir(run.path()).unwrap().count(), 4);
        assert!(laid.dir().exists());
    }

    #[test]
    fn what_only_has_the_name_of_a_batch_is_left_alone() {
        let (run, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let name = |end| run.path().join(format!("{PREFIX}01ARZ3NDEKTSV4RRFFQ69G5FAV-2147483647.1-{end}"));
        std::os::unix::fs::symlink(theirs.path(), name("link")).unwrap();
        persist::append_line(&name("file"), "x").unwrap();
        assert_eq!(
            (take_back(run.path()).unwrap(), sweep(run.path(), crate::clock::utc_now()).unwrap()),
            (0, 0)
        );
        fs::create_dir(name("dir")).unwrap();
        assert_eq!(take_back(run.path()).unwrap(), 1);
        assert_eq!(fs::read_dir(run.path()).unwrap().count(), 2);
    }
}
