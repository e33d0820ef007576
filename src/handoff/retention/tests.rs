use proptest::prelude::*;

use super::super::deliver::deliver;
use super::super::scene::{Scene, named};
use super::*;
use crate::clock::utc_now;
use crate::name::Actor;

fn name(n: u16) -> EnvelopeName {
    EnvelopeName { id: format!("01JD0Q7M3ZJ4V5W6X7Y8Z{n:05}").parse().unwrap(), from: Actor::Owner }
}

#[test]
fn the_oldest_go_and_those_with_a_live_claim_stay() {
    let check = |names: &[u16], live: &[u16], keep: usize, expected: &[u16]| {
        let names: Vec<EnvelopeName> = names.iter().copied().map(name).collect();
        let live = live.iter().map(|n| name(*n).id).collect();
        let expected: Vec<EnvelopeName> = expected.iter().copied().map(name).collect();
        assert_eq!(to_prune(&names, &live, keep), expected);
    };
    check(&[], &[], 0, &[]);
    check(&[3, 1, 2], &[], 2, &[1]);
    check(&[1, 2, 3], &[1], 1, &[2]);
    check(&[1, 2, 3], &[], 0, &[1, 2, 3]);
    check(&[1, 2, 3], &[], 9, &[]);
}

proptest! {
    #[test]
    fn pruning_keeps_the_newest_and_the_live_and_nothing_is_left_to_prune(
        names in prop::collection::btree_set(0u16..200, 0..60),
        live in prop::collection::btree_set(0u16..200, 0..20),
        keep in 0usize..70,
    ) {
        let all: Vec<EnvelopeName> = names.iter().copied().map(name).collect();
        let live: BTreeSet<EnvelopeId> = live.iter().map(|n| name(*n).id).collect();
        let gone: BTreeSet<EnvelopeName> = to_prune(&all, &live, keep).into_iter().collect();
        let left: Vec<EnvelopeName> = all.iter().copied().filter(|name| !gone.contains(name)).collect();
        prop_assert!(all.iter().rev().take(keep).all(|name| left.contains(name)));
        prop_assert!(gone.iter().all(|name| !live.contains(&name.id)));
        prop_assert!(left.len() >= keep.min(all.len()));
        prop_assert!(to_prune(&left, &live, keep).is_empty());
    }
}

#[test]
fn what_is_not_taken_or_not_ours_is_never_pruned() {
    let scene = Scene::new();
    let inbox = scene.inbox();
    let ids: Vec<EnvelopeId> = (0..5)
        .map(|n| {
            let claim = scene.claimed(format!("{n}").as_bytes());
            deliver(&scene.home, &claim).unwrap();
            claim.id()
        })
        .collect();
    inbox.mark_shown(named(ids[0]), None, utc_now()).unwrap();
    for id in &ids[2..] {
        inbox.mark_taken(*id).unwrap();
    }
    let claim = scene.claimed(b"waits");
    let foreign = scene.home.archive().join("000-notes.json");
    persist::replace(&foreign, b"x").unwrap();

    let planned = plan(&scene.home, 2).unwrap();
    let pruned = prune(&scene.home, 2).unwrap();
    assert_eq!(planned, pruned);
    assert_eq!(pruned.archive.iter().map(|name| name.id).collect::<Vec<_>>(), ids[..3]);
    assert_eq!(pruned.taken.iter().map(|(_, name)| name.id).collect::<Vec<_>>(), ids[2..3]);
    assert!(foreign.exists());
    assert_eq!(claim::find(&scene.home, claim.id()).unwrap(), Some(claim));
    assert_eq!(inbox.place_of(ids[0]).unwrap(), Some(Place::Shown));
    assert_eq!(inbox.place_of(ids[1]).unwrap(), Some(Place::Delivered));
    assert_eq!(prune(&scene.home, 2).unwrap(), Pruned::default());
}

#[test]
fn an_archived_envelope_whose_claim_lives_stays() {
    let scene = Scene::new();
    let claim = scene.claimed(b"x");
    persist::replace(&scene.home.archive().join(claim.name().file()), b"{}").unwrap();
    assert_eq!(prune(&scene.home, 0).unwrap(), Pruned::default());
}

#[test]
fn what_is_known_of_showing_goes_with_the_envelope() {
    let scene = Scene::new();
    let claim = scene.claimed(b"x");
    deliver(&scene.home, &claim).unwrap();
    let agent = AgentName::ROOT;
    scene.inbox().mark_shown(named(claim.id()), None, utc_now()).unwrap();
    prune(&scene.home, 9).unwrap();
    assert_eq!(shown::list(&scene.home, agent).unwrap(), [claim.id()]);
    scene.inbox().mark_taken(claim.id()).unwrap();
    assert!(shown::list(&scene.home, agent).unwrap().is_empty());
    let all = shown::Progress { printed: 1, of: 1 };
    let shown = shown::Shown::after(None, None, all, utc_now());
    shown::store(&scene.home, agent, claim.id(), &shown).unwrap();
    prune(&scene.home, 9).unwrap();
    assert!(shown::list(&scene.home, agent).unwrap().is_empty());
}
