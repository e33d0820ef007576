//! Whether the process of a record is gone. Pure: who holds the lock and who is alive come in as facts.

use super::Record;
use crate::lock::Holder;
use crate::process::ProcessId;

/// Whether a restart that has not ended never will.
///
/// `holder` is what the lock file says (a pid with its start time, so that a reused pid is seen through). A restart
/// names itself there before it has a record, so whoever else is named came later, and it has let go. The record itself
/// has only a pid, which decides where the lock file says nothing; another process may have got that pid since, so it
/// is asked whether it `has_lock` open. No clock is asked: it may have been set. The lock is never asked for here: a
/// reader that held it for a moment would turn a restart away.
pub fn is_gone(
    record: &Record,
    holder: Option<&Holder>,
    is_alive: impl Fn(ProcessId) -> bool,
    has_lock: impl Fn(i32) -> bool,
) -> bool {
    if record.phase().is_terminal() {
        return false;
    }
    match holder {
        Some(holder) if holder.id == record.id.to_string() => !is_alive(holder.process),
        Some(_) => true,
        None => !has_lock(record.pid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::record::tests::{begun, complete};

    #[test]
    fn the_lock_decides_and_then_the_pid() {
        let record = begun();
        let holder = |id: String, pid, seconds| Holder {
            id,
            verb: "restart".to_owned(),
            process: ProcessId { pid, started: 7 },
            since: record.started_at() + chrono::Duration::seconds(seconds),
        };
        let own = |pid| Some(holder(record.id.to_string(), pid, 0));
        let other = |seconds| Some(holder("01".to_owned(), 1, seconds));
        // Process 1 lives with start time 7, pid 4242 of the record has the lock open or not.
        let check = |holder: Option<Holder>, has_lock: bool, expected: bool| {
            let gone = is_gone(&record, holder.as_ref(), |process| process.pid == 1, |_| has_lock);
            assert_eq!(gone, expected, "{holder:?} {has_lock}");
        };
        check(own(1), true, false);
        check(own(1), false, false);
        check(own(2), true, true);
        check(other(5), true, true);
        // Whatever its clock says.
        check(other(-5), true, true);
        check(None, true, false);
        check(None, false, true);
    }

    #[test]
    fn what_has_ended_is_never_gone() {
        assert!(!is_gone(&complete(), None, |_| false, |_| false));
    }
}
