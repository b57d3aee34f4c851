use super::*;
use proptest::prelude::*;

/// The example of Go's `note` package.
const SKEY: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const LINE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";

fn peter() -> Signer {
    Signer::from_skey(SKEY).unwrap()
}

fn signer(name: &str, seed: u8) -> Signer {
    Signer::from_seed(KeyName::parse(name).unwrap(), &[seed; 32])
}

fn parse(note: &str) -> Result<Note, NoteError> {
    Note::parse(note.as_bytes())
}

#[test]
fn the_note_of_go_is_signed_and_verified_alike() {
    let note = Note::sign(TEXT, &[&peter()]).unwrap();
    assert_eq!(note.format(), format!("{TEXT}\n{LINE}\n"));
    let known = [peter().verifier()];
    let verified = note.verify(&known).unwrap();
    assert_eq!(verified.signed_by, [&known[0]]);
    assert_eq!(verified.unknown, [] as [&NoteSignature; 0]);
}

#[test]
fn unknown_keys_are_set_aside_and_alone_not_enough() {
    let note = Note::sign(TEXT, &[&signer("a", 1), &signer("b", 2)]).unwrap();
    let known = [signer("a", 1).verifier()];
    let verified = note.verify(&known).unwrap();
    assert_eq!(verified.signed_by.len(), 1);
    assert_eq!(verified.unknown[0].name().as_str(), "b");
    // The same name with another id, and another name with the same key, are unknown keys too.
    for stranger in [signer("a", 3), signer("c", 1)] {
        assert_eq!(note.verify(&[stranger.verifier()]), Err(VerifyNoteError::NoKnownKey));
    }
    assert_eq!(note.verify(&[]), Err(VerifyNoteError::NoKnownKey));
}

#[test]
fn one_wrong_signature_of_a_known_key_refuses_the_note() {
    let (a, b) = (signer("a", 1), signer("b", 2));
    let other = Note::sign("other\n", &[&b]).unwrap();
    let note = Note::sign(TEXT, &[&a]).unwrap().with_signature(other.signatures()[0].clone()).unwrap();
    let (name, id) = (b.name().clone(), b.verifier().id());
    let both = [a.verifier(), b.verifier()];
    assert_eq!(note.verify(&both), Err(VerifyNoteError::BadSignature { name, id }));
    assert!(note.verify(&both[..1]).is_ok());

    let mut short = Note::sign(TEXT, &[&a]).unwrap();
    short.signatures[0].signature.pop();
    assert!(matches!(short.verify(&both), Err(VerifyNoteError::BadSignature { .. })));
    // A second line by the same key must hold as well.
    let good = Note::sign(TEXT, &[&a]).unwrap().format();
    let doubled = parse(&format!("{good}{}\n", short.signatures[0].line())).unwrap();
    assert!(matches!(doubled.verify(&both), Err(VerifyNoteError::BadSignature { .. })));
}

#[test]
fn two_known_keys_under_one_name_and_id_refuse_the_note() {
    let (a, mut impostor) = (signer("a", 1), signer("a", 2).verifier());
    // Finding a real collision of 32 bits takes a while; the effect is this.
    let line = Note::sign(TEXT, &[&a]).unwrap().signatures()[0].clone();
    impostor.id = a.verifier().id();
    let note = Note::sign(TEXT, &[&a]).unwrap().with_signature(line).unwrap();
    assert!(matches!(note.verify(&[a.verifier(), impostor]), Err(VerifyNoteError::Ambiguous { .. })));
    assert!(note.verify(&[a.verifier(), a.verifier()]).is_ok());
}

#[test]
fn the_last_blank_line_separates() {
    let text = format!("{TEXT}\n{LINE}\n");
    let note = Note::sign(&text, &[&signer("a", 1)]).unwrap();
    let read = parse(&note.format()).unwrap();
    assert_eq!(read.text(), text);
    assert_eq!(read.verify(&[peter().verifier()]), Err(VerifyNoteError::NoKnownKey));
}

#[test]
fn malformed_notes_are_refused() {
    use NoteError::*;
    let good = format!("{TEXT}\n{LINE}\n");
    assert!(parse(&good).is_ok());
    for (note, error) in [
        (String::new(), NoSignatures),
        (TEXT.to_owned(), NoSignatures),
        (format!("{TEXT}\n"), NoSignatures),
        (format!("{TEXT}{LINE}\n"), NoSignatures),
        (format!("{TEXT}\n{LINE}"), NoSignatures),
        (format!("{good}\n"), NoSignatures),
        (format!("{good}x\n"), Signature { line: 2 }),
        (good.replace('\n', "\r\n"), Characters),
        (good.replace("If", "I\tf"), Characters),
        (good.replace("If", "I\0f"), Characters),
        (good.replace('\u{2014}', "-"), Signature { line: 1 }),
        (good.replace("PeterNeumann", ""), Signature { line: 1 }),
        (good.replace("PeterNeumann", "Peter+Neumann"), Signature { line: 1 }),
        (good.replace("PeterNeumann", "Peter\u{2003}Neumann"), Signature { line: 1 }),
        (good.replace("nAM=", "nAM"), Signature { line: 1 }),
        (good.replace("nAM=", "nAN="), Signature { line: 1 }),
        (good.replace("nAM=\n", "nAM= \n"), Signature { line: 1 }),
        (format!("{TEXT}\n\u{2014} a AAAAAA==\n"), Signature { line: 1 }),
    ] {
        assert_eq!(parse(&note), Err(error), "{note:?}");
    }
    assert_eq!(Note::parse(b"a\n\n\xe2\x80 a AAAAAAA=\n"), Err(Characters));
    assert!(parse(&format!("{TEXT}\n\u{2014} a AAAAAAA=\n")).is_ok(), "one byte of an unknown type of signature");
}

#[test]
fn texts_that_cannot_be_signed() {
    let a = signer("a", 1);
    assert_eq!(Note::sign("no line feed", &[&a]), Err(NoteError::Text));
    assert_eq!(Note::sign("", &[&a]), Err(NoteError::Text));
    assert_eq!(Note::sign("a\rb\n", &[&a]), Err(NoteError::Characters));
    assert_eq!(Note::sign("a\n", &[]), Err(NoteError::NoSignatures));
}

#[test]
fn limits_hold_at_their_edges() {
    let lines = |count: usize| format!("{TEXT}\n{}", format!("{LINE}\n").repeat(count));
    assert!(parse(&lines(MAX_SIGNATURES)).is_ok());
    assert_eq!(parse(&lines(MAX_SIGNATURES + 1)), Err(NoteError::TooManySignatures));

    let a = signer("a", 1);
    let overhead = Note::sign("\n", &[&a]).unwrap().format().len() - 1;
    let text = |length: usize| format!("{}\n", "x".repeat(length - overhead - 1));
    let longest = Note::sign(&text(MAX_NOTE_BYTES), &[&a]).unwrap().format();
    assert_eq!(longest.len(), MAX_NOTE_BYTES);
    assert!(parse(&longest).is_ok());
    assert_eq!(parse(&format!("x{longest}")), Err(NoteError::TooLong));
    assert_eq!(Note::sign(&text(MAX_NOTE_BYTES + 1), &[&a]), Err(NoteError::TooLong));
}

#[test]
fn a_signature_by_the_same_key_replaces_the_earlier_one() {
    let note = Note::sign(TEXT, &[&peter()]).unwrap();
    let line = note.signatures()[0].clone();
    assert_eq!(note.clone().with_signature(line), Ok(note));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn notes_read_back(text in "([a-z \u{2014}]{0,9}\n){1,5}", count in 1u8..4) {
        let signers: Vec<_> = (0..count).map(|i| signer("log.example/a", i)).collect();
        let note = Note::sign(&text, &signers.iter().collect::<Vec<_>>()).unwrap();
        let read = parse(&note.format()).unwrap();
        prop_assert_eq!(&read, &note);
        let known: Vec<_> = signers.iter().map(Signer::verifier).collect();
        prop_assert_eq!(read.verify(&known).unwrap().signed_by.len(), usize::from(count));
    }

    #[test]
    fn no_changed_byte_passes(at: prop::sample::Index, flip in 1u8..=255) {
        let mut bytes = format!("{TEXT}\n{LINE}\n").into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert!(Note::parse(&bytes).is_err() || Note::parse(&bytes).unwrap().verify(&[peter().verifier()]).is_err());
    }
}

proptest! {
    #[test]
    fn what_parses_has_this_one_spelling(text in "(a|\n){0,4}\n\n(\u{2014} [a+]{0,2} [AQgw=]{4,9}\n?){1,2}") {
        if let Ok(note) = parse(&text) {
            prop_assert_eq!(note.format(), text);
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, text in "\\PC{0,30}") {
        let _ = Note::parse(&bytes);
        let _ = parse(&format!("{text}\n\n\u{2014} {text}\n"));
    }
}
