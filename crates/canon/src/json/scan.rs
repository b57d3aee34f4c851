//! The strict scan: one pass over the bytes, no recursion, nothing built but the list of top-level members.
//!
//! Source of the grammar: RFC 8259. Stricter where that leaves room: duplicate keys, lone surrogates, numbers that a
//! reader would have to change, and a byte order mark are all refused. `\u0000` inside a string is JSON and accepted.

use smallvec::SmallVec;
use std::borrow::Cow;
use std::ops::Range;

use super::cursor::Cursor;
use super::error::{JsonError, JsonErrorKind};
use super::keys::{Keys, Mark};
use super::limits::Limits;
use super::{number, text};

/// Validates `bytes` as one strict JSON text.
///
/// # Errors
/// The first thing that is wrong, with its offset. Invalid UTF-8 is reported before anything else.
pub fn scan<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Scan<'a>, JsonError> {
    if bytes.len() > limits.bytes {
        return Err(JsonError::new(JsonErrorKind::TooLarge { limit: limits.bytes }, limits.bytes));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| JsonError::new(JsonErrorKind::NotUtf8, e.valid_up_to()))?;
    Walk::new(text, limits.depth).run()
}

/// A text that passed the scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan<'a> {
    text: &'a str,
    kind: Kind,
    members: Vec<Member<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Member<'a> {
    key: Cow<'a, str>,
    value: Range<usize>,
}

impl<'a> Scan<'a> {
    /// What the text is at its top.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The whole text as it was given, white space included.
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// The bytes of one member's value, if the text is an object that has it. `key` is compared unescaped.
    pub fn member(&self, key: &str) -> Option<&'a [u8]> {
        let member = self.members.iter().find(|member| member.key == key)?;
        self.text.as_bytes().get(member.value.clone())
    }

    /// The members of a top-level object in their order: unescaped key, bytes of the value. Empty for all other kinds.
    pub fn members(&self) -> impl Iterator<Item = (&str, &'a [u8])> {
        let bytes = self.text.as_bytes();
        self.members.iter().map(move |m| (m.key.as_ref(), bytes.get(m.value.clone()).unwrap_or_default()))
    }
}

/// The kinds of JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// The kind of a value that passed the scan, such as [`Scan::member`] returns.
    pub const fn of(value: &[u8]) -> Option<Self> {
        Some(match value.first() {
            Some(b'{') => Self::Object,
            Some(b'[') => Self::Array,
            Some(b'"') => Self::String,
            Some(b't' | b'f') => Self::Bool,
            Some(b'n') => Self::Null,
            Some(b'-' | b'0'..=b'9') => Self::Number,
            _ => return None,
        })
    }
}

#[derive(Clone, Copy)]
enum Frame {
    Array,
    Object(Mark),
}

/// Where reading stands after a value began.
#[derive(PartialEq, Eq)]
enum Step {
    /// A scalar or an empty container: read whole.
    Whole,
    /// Inside a container, before its first value.
    Inside,
}

struct Walk<'a> {
    cursor: Cursor<'a>,
    depth: usize,
    /// Deeper ones are allocated.
    stack: SmallVec<[Frame; 16]>,
    keys: Keys<'a>,
    members: Vec<Member<'a>>,
    /// Key and value start of the top-level member being read.
    open_member: Option<(Cow<'a, str>, usize)>,
}

impl<'a> Walk<'a> {
    fn new(text: &'a str, depth: usize) -> Self {
        Self {
            cursor: Cursor::new(text),
            depth,
            stack: SmallVec::new(),
            keys: Keys::default(),
            members: Vec::new(),
            open_member: None,
        }
    }

    fn run(mut self) -> Result<Scan<'a>, JsonError> {
        self.cursor.skip_space();
        let Some(kind) = Kind::of(self.cursor.rest()) else {
            return Err(self.cursor.unexpected());
        };
        loop {
            if self.begin()? == Step::Whole && self.finish()? {
                break;
            }
        }
        self.cursor.skip_space();
        match self.cursor.peek() {
            None => Ok(Scan { text: self.cursor.text, kind, members: self.members }),
            Some(_) => Err(self.cursor.error(JsonErrorKind::TrailingText)),
        }
    }

    fn begin(&mut self) -> Result<Step, JsonError> {
        self.cursor.skip_space();
        match self.cursor.peek() {
            Some(b'"') => text::string(&mut self.cursor).map(drop)?,
            Some(b'{') => return self.begin_object(),
            Some(b'[') => return self.begin_array(),
            Some(b'-' | b'0'..=b'9') => number::number(&mut self.cursor)?,
            Some(b't') => self.cursor.literal("true")?,
            Some(b'f') => self.cursor.literal("false")?,
            Some(b'n') => self.cursor.literal("null")?,
            _ => return Err(self.cursor.unexpected()),
        }
        Ok(Step::Whole)
    }

    fn begin_object(&mut self) -> Result<Step, JsonError> {
        let mark = self.keys.open();
        self.push(Frame::Object(mark))?;
        self.cursor.skip_space();
        if self.cursor.eat(b'}') {
            self.stack.pop();
            return Ok(Step::Whole);
        }
        self.key(mark)?;
        Ok(Step::Inside)
    }

    fn begin_array(&mut self) -> Result<Step, JsonError> {
        self.push(Frame::Array)?;
        self.cursor.skip_space();
        if self.cursor.eat(b']') {
            self.stack.pop();
            return Ok(Step::Whole);
        }
        Ok(Step::Inside)
    }

    /// Enters a container whose opening bracket is next.
    fn push(&mut self, frame: Frame) -> Result<(), JsonError> {
        if self.stack.len() >= self.depth {
            return Err(self.cursor.error(JsonErrorKind::TooDeep { limit: self.depth }));
        }
        self.cursor.at += 1;
        self.stack.push(frame);
        Ok(())
    }

    /// Reads a key and its colon.
    fn key(&mut self, mark: Mark) -> Result<(), JsonError> {
        self.cursor.skip_space();
        let offset = self.cursor.at;
        let key = text::string(&mut self.cursor)?.unescape(&self.cursor)?;
        self.cursor.skip_space();
        self.cursor.expect(b':')?;
        self.cursor.skip_space();
        if self.stack.len() == 1 {
            self.open_member = Some((key.clone(), self.cursor.at));
        }
        self.keys.push(mark, key, offset)
    }

    /// After a complete value: closes containers until one goes on. True when the outermost value is complete.
    fn finish(&mut self) -> Result<bool, JsonError> {
        loop {
            self.note_member();
            let Some(frame) = self.stack.last().copied() else {
                return Ok(true);
            };
            self.cursor.skip_space();
            match (frame, self.cursor.peek()) {
                (Frame::Array, Some(b',')) => {
                    self.cursor.at += 1;
                    return Ok(false);
                }
                (Frame::Object(mark), Some(b',')) => {
                    self.cursor.at += 1;
                    self.key(mark)?;
                    return Ok(false);
                }
                (Frame::Array, Some(b']')) => {}
                (Frame::Object(mark), Some(b'}')) => self.keys.close(mark)?,
                _ => return Err(self.cursor.unexpected()),
            }
            self.cursor.at += 1;
            self.stack.pop();
        }
    }

    fn note_member(&mut self) {
        if self.stack.len() == 1
            && let Some((key, start)) = self.open_member.take()
        {
            self.members.push(Member { key, value: start..self.cursor.at });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use JsonErrorKind as K;
    use proptest::prelude::*;

    fn refusal(text: &str) -> (K, usize) {
        let error = scan(text.as_bytes(), &Limits::default()).expect_err(text);
        (error.kind, error.offset)
    }

    fn accepts(text: &str) {
        scan(text.as_bytes(), &Limits::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
    }

    #[test]
    fn members_are_ranges_of_the_input() {
        let text = r#" { "method" : "tools/call", "p\u0061rams":{"a":[1, {}]} ,"id":7 } "#;
        let scan = scan(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(scan.kind(), Kind::Object);
        assert_eq!(scan.member("method"), Some(br#""tools/call""#.as_slice()));
        assert_eq!(scan.member("params"), Some(br#"{"a":[1, {}]}"#.as_slice()));
        assert_eq!(scan.member("id"), Some(b"7".as_slice()));
        assert_eq!(scan.member("a"), None);
        assert_eq!(scan.members().map(|(key, _)| key).collect::<Vec<_>>(), ["method", "params", "id"]);
        assert_eq!(scan.member("params").and_then(Kind::of), Some(Kind::Object));
    }

    #[test]
    fn other_kinds_have_no_members() {
        for (text, kind) in [
            ("null", Kind::Null),
            (" true", Kind::Bool),
            ("-1", Kind::Number),
            ("\"x\"", Kind::String),
            (r#"[{"a":1}]"#, Kind::Array),
        ] {
            let scan = scan(text.as_bytes(), &Limits::default()).unwrap();
            assert_eq!((scan.kind(), scan.members().count()), (kind, 0), "{text}");
        }
    }

    #[test]
    fn grammar() {
        for text in [
            "[]",
            "{}",
            "[ ]",
            "{ }",
            "[1,2]",
            "[[],{}]",
            "0",
            "-0",
            "1.0",
            "1e3",
            "1E+3",
            "1.5e-3",
            "\"\"",
            "\"\\u0000\"",
        ] {
            accepts(text);
        }
        for (text, kind, offset) in [
            ("", K::UnexpectedEnd, 0),
            ("  ", K::UnexpectedEnd, 2),
            ("[", K::UnexpectedEnd, 1),
            ("[1,]", K::Unexpected(']'), 3),
            ("[,1]", K::Unexpected(','), 1),
            ("[1 2]", K::Unexpected('2'), 3),
            ("[1}", K::Unexpected('}'), 2),
            ("{\"a\":1]", K::Unexpected(']'), 6),
            ("{\"a\":1,}", K::Unexpected('}'), 7),
            ("{a:1}", K::Unexpected('a'), 1),
            ("{\"a\" 1}", K::Unexpected('1'), 5),
            ("{\"a\":}", K::Unexpected('}'), 5),
            ("tru", K::UnexpectedEnd, 3),
            ("nulL", K::Unexpected('L'), 3),
            ("NaN", K::Unexpected('N'), 0),
            ("'a'", K::Unexpected('\''), 0),
            ("/**/1", K::Unexpected('/'), 0),
            ("01", K::TrailingText, 1),
            ("[01]", K::Unexpected('1'), 2),
            ("-", K::UnexpectedEnd, 1),
            ("+1", K::Unexpected('+'), 0),
            ("1.", K::UnexpectedEnd, 2),
            (".5", K::Unexpected('.'), 0),
            ("1e", K::UnexpectedEnd, 2),
            ("1e-+2", K::Unexpected('+'), 3),
            ("1 2", K::TrailingText, 2),
            ("{}{}", K::TrailingText, 2),
            ("\u{feff}1", K::Unexpected('\u{feff}'), 0),
            ("[\u{a0}1]", K::Unexpected('\u{a0}'), 1),
            ("\"a", K::UnexpectedEnd, 2),
            ("\"a\nb\"", K::ControlCharacter, 2),
            ("\"a\\x41\"", K::InvalidEscape, 2),
            ("\"\\u12g4\"", K::InvalidEscape, 1),
            ("\"\\u00é\"", K::InvalidEscape, 1),
        ] {
            assert_eq!(refusal(text), (kind, offset), "{text}");
        }
    }

    #[test]
    fn surrogates_come_in_pairs() {
        accepts(r#""\ud83d\ude00""#);
        accepts(r#""\uD83D\uDE00""#);
        for text in
            [r#""\ud83d""#, r#""\ude00""#, r#""\ud83dx""#, r#""\ud83d\n""#, r#""\ud83d\ud83d""#, r#""\ud83d\u0041""#]
        {
            assert_eq!(refusal(text), (K::LoneSurrogate, 1), "{text}");
        }
    }

    #[test]
    fn numbers_that_would_change_are_refused() {
        for text in [
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "1.7976931348623157e308",
            "1e-400",
            "0e999999999",
        ] {
            accepts(text);
        }
        for text in ["18446744073709551616", "-9223372036854775809", "12345678901234567890123"] {
            assert_eq!(refusal(text), (K::IntegerRange, 0), "{text}");
        }
        for text in ["1e309", "-1e309", "1.0e400", "1e99999999999999999999"] {
            assert_eq!(refusal(text), (K::FloatRange, 0), "{text}");
        }
        let long = format!("{}.0", "9".repeat(310));
        assert_eq!(refusal(&long), (K::FloatRange, 0));
        accepts(&format!("{}.0", "9".repeat(305)));
    }

    #[test]
    fn duplicate_keys_are_refused_at_every_level_and_unescaped() {
        assert_eq!(refusal(r#"{"a":1,"a":2}"#), (K::DuplicateKey, 7));
        assert_eq!(refusal(r#"{"a":1,"\u0061":2}"#), (K::DuplicateKey, 7));
        assert_eq!(refusal(r#"[{"x":{"a":1,"b":{},"a":2}}]"#), (K::DuplicateKey, 20));
        assert_eq!(refusal(r#"{"":1,"":2}"#), (K::DuplicateKey, 6));
        accepts(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}],"A":1}"#);
    }

    #[test]
    fn large_objects_are_checked_as_strictly_as_small_ones() {
        for count in [15, 16, 17, 18, 40, 100_000] {
            let keys = (0..count).map(|n| format!("\"k{n}\":{{\"k\":1}}")).collect::<Vec<_>>().join(",");
            accepts(&format!("{{{keys}}}"));
            for again in [0, count / 2, count - 1] {
                let text = format!(
                    "{{{keys},\"k\\u003{}{}\":1}}",
                    again.to_string().remove(0),
                    again.to_string().get(1..).unwrap()
                );
                assert_eq!(refusal(&text), (K::DuplicateKey, keys.len() + 2), "{count} keys, `k{again}` twice");
            }
        }
    }

    #[test]
    fn keys_the_value_builder_would_obey_are_refused() {
        assert_eq!(refusal(r#"{"$serde_json::private::RawValue":"{}"}"#), (K::ReservedKey, 1));
        assert_eq!(refusal(r#"[{"a":1,"\u0024serde_json::private::Number":"1"}]"#), (K::ReservedKey, 8));
        accepts(r#"{"$ref":1,"$serde_json":2}"#);
    }

    #[test]
    fn limits_are_inclusive() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        accepts(&nested(64));
        assert_eq!(refusal(&nested(65)), (K::TooDeep { limit: 64 }, 64));
        assert_eq!(refusal(&"{\"a\":".repeat(65)), (K::TooDeep { limit: 64 }, 64 * 5));
        // Depth is what is open at once, not what was ever opened.
        accepts(&format!("[{}]", vec![nested(63); 50].join(",")));

        let limits = Limits { bytes: 8, ..Limits::default() };
        assert!(scan(b"[1,2,3 ]", &limits).is_ok());
        let error = scan(b"[1,2,3  ]", &limits).unwrap_err();
        assert_eq!(error, JsonError::new(K::TooLarge { limit: 8 }, 8));
        assert!(scan(b"1", &Limits { depth: 0, bytes: 1 }).is_ok());
        assert!(scan(b"[]", &Limits { depth: 0, bytes: 2 }).is_err());
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        let limits = Limits { depth: usize::MAX, ..Limits::default() };
        let text = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert!(scan(text.as_bytes(), &limits).is_ok());
    }

    #[test]
    fn invalid_utf8_is_refused_where_it_stands() {
        let error = scan(b"[\"a\xff\"]", &Limits::default()).unwrap_err();
        assert_eq!(error, JsonError::new(K::NotUtf8, 3));
        // An overlong slash and a surrogate in UTF-8.
        assert!(scan(b"\"\xc0\xaf\"", &Limits::default()).is_err());
        assert!(scan(b"\"\xed\xa0\x80\"", &Limits::default()).is_err());
    }

    #[test]
    fn errors_read_as_fragments() {
        let text = scan(b"[1,]", &Limits::default()).unwrap_err().to_string();
        assert_eq!(text, "unexpected `]` at byte 3");
    }

    proptest! {
        /// Nothing passes the scan that the value builder would refuse, and the reverse only for our own reasons.
        #[test]
        fn never_looser_than_serde_json(text in r#"[\[\]{}",:\\u0-9a-fD8.eE+\- trnl]{0,24}"#) {
            let ours = scan(text.as_bytes(), &Limits::default());
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            match (ours, theirs) {
                (Ok(_), Err(error)) => prop_assert!(false, "accepted `{text}`: {error}"),
                (Err(error), Ok(_)) => prop_assert!(
                    matches!(error.kind, K::DuplicateKey | K::IntegerRange | K::LoneSurrogate),
                    "refused `{}`: {}", text, error
                ),
                _ => {}
            }
        }

        #[test]
        fn never_panics_on_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = scan(&bytes, &Limits { depth: 4, bytes: 48 });
        }

        #[test]
        fn members_are_what_serde_json_sees(value in super::super::arbitrary::value()) {
            let object = serde_json::json!({ "a": value.clone(), "b\n": [value] });
            let text = serde_json::to_string_pretty(&object).unwrap();
            let scan = scan(text.as_bytes(), &Limits::default()).unwrap();
            for (key, bytes) in scan.members() {
                let read: serde_json::Value = serde_json::from_slice(bytes).unwrap();
                prop_assert_eq!(&read, &object[key]);
            }
            prop_assert_eq!(scan.members().count(), 2);
        }
    }
}
