use super::*;
use crate::event::Kind;
use crate::event::random::{own, shared, whole};
use proptest::prelude::*;

fn as_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

proptest! {
    #[test]
    fn the_bytes_are_those_of_the_serialiser(shared in shared(), own in own()) {
        let event = whole(&shared, &own);
        let written = as_text(event.to_bytes().unwrap());
        prop_assert_eq!(&written, &serde_json::to_string(&event).unwrap());
        prop_assert_eq!(Event::from_bytes(written.as_bytes()).unwrap(), event);
    }

    #[test]
    fn members_written_before_are_the_same_members(shared in shared(), own in own(), other in own()) {
        let prepared = Shared::of(&whole(&shared, &other));
        let written = as_text(own.to_bytes_with(&prepared).unwrap());
        prop_assert_eq!(&written, &as_text(whole(&shared, &own).to_bytes().unwrap()));
    }
}

#[test]
fn nothing_but_the_envelope() {
    let event = Event::new(Kind::GatewayStarted, "0", -1, "default");
    assert_eq!(as_text(event.to_bytes().unwrap()), serde_json::to_string(&event).unwrap());
}

#[test]
fn the_limit_holds_for_records_of_either_way() {
    let mut event = Event::new(Kind::ToolIntent, "0", 0, "default");
    event.text = Some("".into());
    let room = MAX_RECORD_BYTES - event.to_bytes().unwrap().len();
    event.text = Some("x".repeat(room).into());
    assert_eq!(event.to_bytes_with(&Shared::of(&event)).unwrap().len(), MAX_RECORD_BYTES);
    event.text = Some("x".repeat(room + 1).into());
    assert!(matches!(event.to_bytes_with(&Shared::of(&event)), Err(RecordError::TooLong(_))));
}
