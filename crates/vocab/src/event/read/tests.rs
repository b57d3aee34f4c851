use super::*;
use crate::event::random::{own, shared, whole};
use proptest::prelude::*;
use proptest::sample::Index;

/// What a record may be changed by: what JSON is made of, and what it is not.
const PIECES: [&str; 20] = [
    "",
    ",",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ":",
    "0",
    "-1",
    "1.0",
    "1e2",
    " ",
    "\\",
    "\n",
    "null",
    "true",
    "\"v\":1,",
    "\"id\":\"x\",",
    ",\"zz\":0",
];

fn without_escapes(event: &Event<'_>) -> bool {
    !String::from_utf8(event.to_bytes().unwrap()).unwrap().contains('\\')
}

proptest! {
    #[test]
    fn what_was_written_is_read(shared in shared(), own in own()) {
        let event = whole(&shared, &own);
        let written = String::from_utf8(event.to_bytes().unwrap()).unwrap();
        let read = written_form(&written);
        // The clock of a record may stand before 1970, which is not worth a thought.
        prop_assert_eq!(read.is_some(), without_escapes(&event) && event.t >= 0);
        prop_assert_eq!(read.unwrap_or_else(|| general_form(&written).unwrap()), event);
    }

    #[test]
    fn nothing_is_read_that_the_general_parser_does_not_read_alike(
        shared in shared(), own in own(), changes in prop::collection::vec((any::<Index>(), 0..4usize, 0..PIECES.len()), 1..3),
    ) {
        let mut text = String::from_utf8(whole(&shared, &own).to_bytes().unwrap()).unwrap();
        for (at, length, piece) in changes {
            let places: Vec<usize> = text.char_indices().map(|(place, _)| place).chain([text.len()]).collect();
            let start = at.index(places.len());
            let end = places[(start + length).min(places.len() - 1)];
            text.replace_range(places[start]..end, PIECES[piece]);
        }
        if let Some(read) = written_form(&text) {
            prop_assert_eq!(Some(read), general_form(&text).ok(), "{}", text);
        }
    }
}

#[test]
fn the_form_that_is_written_is_the_one_that_is_read_at_once() {
    let event = Event::new(Kind::GatewayStarted, "0", 0, "default");
    let bytes = event.to_bytes().unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    assert_eq!(written_form(text), Some(event));
    for (from, to) in [
        ("{", "{ "),
        ("}", "} "),
        ("}", ",}"),
        ("}", ""),
        ("\"t\":0", "\"t\":00"),
        ("\"t\":0", "\"t\":+0"),
        ("\"t\":0", "\"t\":0.0"),
        ("\"t\":0", "\"t\":"),
        ("\"t\":0", "\"t\":9223372036854775808"),
        ("\"v\":1", "\"v\":1,\"v\":1"),
        ("\"v\":1", "\"v\":4294967296"),
        ("\"v\":1", "\"v\":1,\"what\":1"),
        ("\"v\":1}", "\"v\":1}}"),
        ("\"t\":0,", ""),
        ("\"tenant\":\"default\",", ""),
        ("gateway.started", "gateway.startled"),
        ("\"id\":\"0\",", "\"agent\":null,\"id\":\"0\","),
        ("\"id\":\"0\",", "\"id\":\"0\",\"agent\":\"a\","),
    ] {
        assert!(text.contains(from));
        assert_eq!(written_form(&text.replacen(from, to, 1)), None, "{from} -> {to}");
    }
}

#[test]
fn depth_ends_where_the_general_parser_ends() {
    let mut event = Event::new(Kind::GatewayStarted, "0", 0, "default");
    for depth in [1, 62, 63, 64, 125, 126, 127, 128] {
        let nested = (0..depth).fold(serde_json::Value::from(1), |inner, _| serde_json::Value::from(vec![inner]));
        event.detail = [("deep".to_owned(), nested)].into();
        let bytes = event.to_bytes().unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        let general = general_form(text).ok();
        assert_eq!(general.is_some(), depth < 126, "{depth}");
        if let Some(read) = written_form(text) {
            assert_eq!(Some(read), general, "{depth}");
        }
        assert_eq!(Event::from_bytes(&bytes).ok(), general_form(text).ok(), "{depth}");
    }
}
