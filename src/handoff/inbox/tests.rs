use super::super::deliver::deliver;
use super::super::fence::{Nonce, fenced_part};
use super::super::scene::{Scene, kind, named};
use super::*;
use crate::clock::utc_now;
use crate::name::Actor;

fn sent(scene: &Scene, bytes: &[u8]) -> EnvelopeId {
    let claim = scene.claimed(bytes);
    deliver(&scene.home, &claim).unwrap();
    claim.id()
}

fn ids(waiting: &Waiting) -> Vec<EnvelopeId> {
    waiting.names.iter().map(|(name, _)| name.id).collect()
}

fn a_generation() -> Option<Generation> {
    Some(Generation::fresh())
}

#[test]
fn an_envelope_moves_from_delivered_to_shown_to_taken() {
    let scene = Scene::new();
    let inbox = scene.inbox();
    let id = sent(&scene, b"x");
    let reader = a_generation();
    assert_eq!(inbox.place_of(id).unwrap(), Some(Place::Delivered));
    inbox.mark_shown(named(id), reader, utc_now()).unwrap();
    assert_eq!(inbox.place_of(id).unwrap(), Some(Place::Shown));
    assert_eq!(inbox.take_shown(reader).unwrap().len(), 1);
    assert_eq!(inbox.place_of(id).unwrap(), Some(Place::Taken));
    inbox.mark_taken(id).unwrap();
    inbox.mark_shown(named(id), reader, utc_now()).unwrap();
    assert_eq!(inbox.place_of(id).unwrap(), Some(Place::Taken), "it never moves back");
    assert_eq!(inbox.read(id).unwrap().id, id);
    assert_eq!(scene.settled(), [b"x"]);
}

#[test]
fn places_have_the_names_that_status_prints() {
    assert_eq!(Place::ALL.map(|place| place.to_string()), ["delivered", "shown", "taken"]);
}

#[test]
fn an_unknown_id_is_an_error() {
    let scene = Scene::new();
    let id = EnvelopeId::fresh();
    assert_eq!(scene.inbox().place_of(id).unwrap(), None);
    assert_eq!(kind(&scene.inbox().mark_shown(named(id), None, utc_now())), "NotInInbox");
    assert_eq!(kind(&scene.inbox().mark_taken(id)), "NotInInbox");
    assert_eq!(kind(&scene.inbox().read(id)), "NotInInbox");
}

#[test]
fn a_new_generation_is_shown_again_what_was_not_taken_and_is_told_so() {
    let scene = Scene::new();
    let inbox = scene.inbox();
    let (first, second) = (sent(&scene, b"1"), sent(&scene, b"2"));
    let (old, new) = (a_generation(), a_generation());
    inbox.mark_shown(named(first), old, utc_now()).unwrap();
    assert_eq!(ids(&inbox.not_shown_to(old).unwrap()), [second]);
    assert_eq!(ids(&inbox.not_taken().unwrap()), [first, second], "a cleared context sees all");
    let due = inbox.not_shown_to(new).unwrap();
    assert_eq!(ids(&due), [first, second]);
    let batch = inbox.open(due, 10).unwrap();
    assert_eq!(batch.pending.iter().map(|pending| pending.shown_before).collect::<Vec<_>>(), [true, false]);
    // The old generation's turn ends late: what it was shown and the new one was not is taken by that.
    inbox.mark_shown(named(first), new, utc_now()).unwrap();
    assert!(inbox.take_shown(old).unwrap().is_empty());
    assert_eq!(inbox.take_shown(new).unwrap().len(), 1);
    assert_eq!(ids(&inbox.not_taken().unwrap()), [second]);
}

#[test]
fn a_long_text_is_read_in_parts_and_shown_with_the_last() {
    let scene = Scene::new();
    let inbox = scene.inbox();
    let id = sent(&scene, b"abcdefg");
    let reader = a_generation();
    let mut read = String::new();
    for number in 1..=4 {
        let reading = inbox.next(reader, 2).unwrap().reading.unwrap();
        assert_eq!((reading.part.number, reading.part.of), (number, 4));
        assert_eq!(inbox.place_of(id).unwrap(), Some(Place::Delivered));
        // Printed and killed before it was remembered: the same part again.
        assert_eq!(inbox.next(reader, 2).unwrap().reading.unwrap().part, reading.part);
        assert!(fenced_part(&reading.pending, &reading.part, &Nonce::fresh(), "c").contains("part"));
        read.push_str(&reading.part.text);
        inbox.printed(&reading, reader, utc_now()).unwrap();
    }
    assert_eq!(read, "abcdefg");
    assert_eq!(inbox.place_of(id).unwrap(), Some(Place::Shown));
    assert!(inbox.next(reader, 2).unwrap().reading.is_none());
}

#[test]
fn another_reader_or_another_size_of_parts_begins_at_the_first() {
    let scene = Scene::new();
    let inbox = scene.inbox();
    let id = sent(&scene, b"abcdefg");
    let (old, new) = (a_generation(), a_generation());
    let part = |reader, chars| inbox.next(reader, chars).unwrap().reading.unwrap().part.number;
    let reading = inbox.next(old, 2).unwrap().reading.unwrap();
    inbox.printed(&reading, old, utc_now()).unwrap();
    assert_eq!((part(old, 2), part(old, 3), part(new, 2)), (2, 1, 1));
    // A part of what the predecessor was shown whole does not make it taken.
    inbox.mark_shown(named(id), old, utc_now()).unwrap();
    let reading = inbox.next(new, 2).unwrap().reading.unwrap();
    assert!(reading.pending.shown_before);
    inbox.printed(&reading, new, utc_now()).unwrap();
    assert!(inbox.take_shown(new).unwrap().is_empty());
    assert_eq!(part(new, 2), 2);
}

#[test]
fn killed_between_the_record_and_the_move_it_is_shown_again() {
    let scene = Scene::new();
    let inbox = scene.inbox();
    let id = sent(&scene, b"x");
    let reader = a_generation();
    shown::store(
        &scene.home,
        AgentName::ROOT,
        id,
        &Shown::after(None, reader, Progress { printed: 1, of: 1 }, utc_now()),
    )
    .unwrap();
    assert_eq!(ids(&inbox.not_shown_to(reader).unwrap()), [id]);
    assert_eq!(inbox.next(reader, 100).unwrap().reading.unwrap().part.number, 1);
    // In `cur` without a record: shown, but to whom is not known.
    inbox.mark_shown(named(id), reader, utc_now()).unwrap();
    shown::forget(&scene.home, AgentName::ROOT, id).unwrap();
    assert_eq!(ids(&inbox.not_shown_to(reader).unwrap()), [id]);
}

#[test]
fn odd_things_are_skipped_and_counted_and_hold_nothing_up() {
    let scene = Scene::new();
    let inbox = scene.inbox();
    let at = |name: &str| scene.home.inbox(AgentName::ROOT).join(name);
    let name = || EnvelopeName { id: EnvelopeId::fresh(), from: Actor::Owner };
    let (corrupt, huge, dir) = (name(), name(), name());
    persist::make_dir(&at(&dir.file())).unwrap();
    persist::replace(&at(&corrupt.file()), b"{").unwrap();
    std::fs::File::create(at(&huge.file())).unwrap().set_len(1 << 30).unwrap();
    persist::replace(&at("notes.txt"), b"x").unwrap();
    let good = sent(&scene, b"x");
    let batch = inbox.open(inbox.not_taken().unwrap(), 10).unwrap();
    assert_eq!(batch.pending.iter().map(|pending| pending.envelope.id).collect::<Vec<_>>(), [good]);
    assert_eq!((batch.skipped, std::fs::read_dir(at("corrupt")).unwrap().count()), (2, 2));
    assert!(batch.unreadable.is_empty(), "{:?}", batch.unreadable);
    assert!(!at(&corrupt.file()).exists() && at(&dir.file()).exists());
    assert_eq!(inbox.next(None, 100).unwrap().reading.unwrap().pending.envelope.id, good);
}

#[test]
fn of_ten_thousand_only_those_that_are_asked_for_are_read() {
    let scene = Scene::new();
    let inbox = scene.inbox();
    let oldest = sent(&scene, b"oldest");
    for _ in 0..10_000 {
        // Empty, so reading one would be noticed.
        let name = EnvelopeName { id: EnvelopeId::fresh(), from: Actor::Owner };
        std::fs::File::create(scene.home.inbox(AgentName::ROOT).join(name.file())).unwrap();
    }
    let batch = inbox.open(inbox.not_shown_to(None).unwrap(), 1).unwrap();
    assert_eq!(batch.pending[0].envelope.id, oldest);
    assert_eq!(batch.more, 10_000);
    assert!(!scene.home.inbox(AgentName::ROOT).join("corrupt").exists());
}

#[test]
fn agents_with_an_inbox_are_listed_in_order() {
    let scene = Scene::new();
    for name in ["agent10", "agent2", "agent02", "stranger"] {
        persist::make_dir(&scene.home.inboxes().join(name)).unwrap();
    }
    assert_eq!(
        Inbox::agents(&scene.home).unwrap(),
        (vec![AgentName::Numbered(2), AgentName::Numbered(10)], 2)
    );
}
