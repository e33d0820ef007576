//! Real material, damaged: what tests feed to everything that parses foreign bytes.
//!
//! The material is what is checked in: screens as captured, reports as the CLIs sent them, files of the first format.
//! A mutant is some of it after a few blows, each of them one that bytes take in life: a bit flips, the end is missing,
//! a piece is gone or comes twice, something stands where it does not belong, a run or a number has no end. The fault
//! campaign includes this file by its path, so it uses nothing of netsky's.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// So many cases unless `PROPTEST_CASES` asks for others. What a law finds is kept as a plain test, not in a file.
pub(crate) fn tries(usual: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(usual), failure_persistence: None, ..ProptestConfig::default() }
}

/// The screens of all CLIs.
pub(crate) fn screens() -> Vec<Vec<u8>> {
    below("tests/screens", "txt")
}

/// What CLIs told their hooks.
pub(crate) fn reports() -> Vec<Vec<u8>> {
    below("tests/hooks", "json")
}

/// One file of the first format, by its name.
pub(crate) fn format(name: &str) -> Vec<u8> {
    fs::read(checked_in("tests/formats/v1").join(name)).unwrap()
}

/// The material after up to four blows.
pub(crate) fn mutants(material: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (select(material), prop::collection::vec(blow(), 0..5))
        .prop_map(|(bytes, blows)| blows.iter().fold(bytes, |bytes, blow| blow.on(bytes)))
}

/// [`mutants`] as text: what is no UTF-8 is replaced, as every reader of screens does.
pub(crate) fn texts(material: Vec<Vec<u8>>) -> impl Strategy<Value = String> {
    mutants(material).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn checked_in(dir: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(dir)
}

/// All files of that ending, in the order of their paths: a seed means the same everywhere.
fn below(dir: &str, extension: &str) -> Vec<Vec<u8>> {
    let dirs = fs::read_dir(checked_in(dir)).unwrap().map(|entry| entry.unwrap().path());
    let files = dirs.flat_map(|dir| fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()));
    let mut paths: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// What happens to bytes.
#[derive(Debug, Clone)]
enum Blow {
    Flip(Index, u8),
    /// What follows is missing.
    Cut(Index),
    /// A piece is missing.
    Drop(Index, Index),
    /// A piece comes twice.
    Double(Index, Index),
    /// Something stands there that does not belong.
    Put(Index, Vec<u8>),
    /// It takes the place of a word or a number.
    Swap(Index, Vec<u8>),
}

fn blow() -> impl Strategy<Value = Blow> {
    prop_oneof![
        (any::<Index>(), 0u8..8).prop_map(|(at, bit)| Blow::Flip(at, bit)),
        any::<Index>().prop_map(Blow::Cut),
        any::<(Index, Index)>().prop_map(|(one, other)| Blow::Drop(one, other)),
        any::<(Index, Index)>().prop_map(|(one, other)| Blow::Double(one, other)),
        (any::<Index>(), alien()).prop_map(|(at, bytes)| Blow::Put(at, bytes)),
        (any::<Index>(), alien()).prop_map(|(at, bytes)| Blow::Swap(at, bytes)),
    ]
}

/// What does not belong: signs that mean something, numbers out of every range, runs, nesting.
fn alien() -> impl Strategy<Value = Vec<u8>> {
    const SIGNS: &[&[u8]] = &[
        b"\0",
        b"\r",
        b"\n",
        b"\t",
        b"\x1b",
        b"\x1b[2J",
        b"\x1b]0;x\x07",
        b"\x9b",
        b"\xff",
        b"\xe2\x82",
        "\u{202e}".as_bytes(),
        "\u{9b}31m".as_bytes(),
        "\u{2028}".as_bytes(),
        "\u{a0}".as_bytes(),
        b"\"",
        b"\\",
        b"\\u0000",
        b"\\ud800",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"=",
        b"#",
        b"null",
        b"true",
        b"{}",
        "\n❯ 1. ".as_bytes(),
        "\n❯ ".as_bytes(),
        "\n● ".as_bytes(),
        "────".as_bytes(),
        b"%end 1 1 1\n",
        b"\n%begin 1 1 1\n",
        b"%exit ",
    ];
    const NUMBERS: &[&[u8]] = &[
        b"0",
        b"-1",
        b"+1",
        b"1.5",
        b"1e999",
        b"-1e-999",
        b"255",
        b"65536",
        b"2147483648",
        b"4294967296",
        b"9223372036854775808",
        b"18446744073709551615",
        b"18446744073709551616",
        b"99999999999999999999999999999999999999999",
    ];
    let run = (select(vec![b'x', b' ', b'\n', b'9', b'[', b'{', b'"', b'\\', 0, 0x1b]), 100usize..6_000);
    prop_oneof![
        4 => select(SIGNS).prop_map(<[u8]>::to_vec),
        3 => select(NUMBERS).prop_map(<[u8]>::to_vec),
        1 => run.prop_map(|(byte, times)| vec![byte; times]),
        1 => (10usize..2_000).prop_map(|times| b"{\"a\":[".repeat(times)),
        1 => prop::collection::vec(any::<u8>(), 1..20),
    ]
}

impl Blow {
    fn on(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let place = |at: &Index, bytes: &[u8]| at.index(bytes.len() + 1);
        let piece = |one: &Index, other: &Index, bytes: &[u8]| {
            let (one, other) = (place(one, bytes), place(other, bytes));
            one.min(other)..one.max(other)
        };
        match self {
            Self::Flip(at, bit) => {
                let at = place(at, &bytes);
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << bit);
            }
            Self::Cut(at) => bytes.truncate(place(at, &bytes)),
            Self::Drop(one, other) => {
                bytes.drain(piece(one, other, &bytes));
            }
            Self::Double(one, other) => {
                let piece = piece(one, other, &bytes);
                let again = bytes[piece.clone()].to_vec();
                bytes.splice(piece.end..piece.end, again);
            }
            Self::Put(at, alien) => {
                let at = place(at, &bytes);
                bytes.splice(at..at, alien.iter().copied());
            }
            Self::Swap(at, alien) => {
                let at = place(at, &bytes);
                let is_word = |byte: &&u8| byte.is_ascii_alphanumeric();
                let begin = at - bytes[..at].iter().rev().take_while(is_word).count();
                let end = at + bytes[at..].iter().take_while(is_word).count();
                bytes.splice(begin..end, alien.iter().copied());
            }
        }
        bytes
    }
}
