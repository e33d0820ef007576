//! The ways in which a file is made useless.

use serde_json::{Value, json};

/// One way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Empty,
    Half,
    Zeros,
    Nul,
    Deep,
    DuplicateKeys,
    HugeNumber,
    ByteOrderMark,
    OtherVersion,
    Array,
    Text,
    Null,
    WrongTypes,
    Trailing,
    NotUtf8,
    Blanks,
}

use Kind::*;

impl Kind {
    pub const ALL: &[Self] = &[
        Empty,
        Half,
        Zeros,
        Nul,
        Deep,
        DuplicateKeys,
        HugeNumber,
        ByteOrderMark,
        OtherVersion,
        Array,
        Text,
        Null,
        WrongTypes,
        Trailing,
        NotUtf8,
        Blanks,
    ];

    /// Where no version is in the file.
    pub const WITHOUT_VERSION: &[Self] =
        &[Empty, Half, Zeros, Nul, Deep, ByteOrderMark, Array, Text, Null, Trailing, NotUtf8, Blanks];

    /// What differs where bytes have no form.
    pub const OF_BYTES: &[Self] = &[Empty, Zeros, Deep, NotUtf8, Blanks];

    /// Some of each sort, for courses that take long: a file that lies aside lies aside, whatever was wrong with it.
    pub const FEW: &[Self] = &[Half, Deep, OtherVersion];

    /// `whole`, which is a state file where the kind speaks of one, made useless.
    pub fn of(self, whole: &[u8]) -> Vec<u8> {
        let in_the_middle = |byte: u8| {
            let mut bytes = whole.to_owned();
            let middle = bytes.len() / 2;
            bytes.splice(middle..=middle.min(bytes.len().saturating_sub(1)), [byte]);
            bytes
        };
        let version = |with: &str| {
            let text = String::from_utf8_lossy(whole);
            assert!(text.contains("\"version\":1"), "{text}");
            text.replacen("\"version\":1", with, 1).into_bytes()
        };
        match self {
            Empty => Vec::new(),
            Half => whole[..whole.len() / 2].to_owned(),
            Zeros => vec![0; whole.len()],
            Nul => in_the_middle(0),
            Deep => vec![b'['; 100_000],
            DuplicateKeys => version("\"version\":1,\"version\":1"),
            HugeNumber => version("\"version\":1e999"),
            ByteOrderMark => [b"\xef\xbb\xbf", whole].concat(),
            OtherVersion => version("\"version\":2"),
            Array => b"[]".to_vec(),
            Text => b"\"x\"".to_vec(),
            Null => b"null".to_vec(),
            WrongTypes => wrong_types(whole),
            Trailing => [whole, b"}garbage"].concat(),
            NotUtf8 => in_the_middle(0xff),
            Blanks => vec![b' '; 20 << 20],
        }
    }
}

/// Every field but the version is something that no field is; where there is no other, the version is.
fn wrong_types(whole: &[u8]) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(whole).unwrap();
    let fields = value.as_object_mut().unwrap();
    let is_bare = fields.len() == 1;
    for (name, field) in fields {
        if is_bare || name != "version" {
            *field = json!([[{"no": "such"}]]);
        }
    }
    value.to_string().into_bytes()
}
