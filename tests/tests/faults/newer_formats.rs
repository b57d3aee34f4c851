//! Formats of a later Mortise are refused and never guessed at.

use crate::session::{place, recorded, segment};
use std::fs;

#[test]
fn what_is_there_is_said_and_nothing_has_to_change() {
    let project = recorded(1);
    for args in [&["migrate", "--dry-run"][..], &["migrate"]] {
        let output = project.run(args);
        assert_eq!(output.code, 0, "{output:?}");
        for what in ["project", "state", "log"] {
            let line = output.stdout.lines().find(|line| line.starts_with(what)).expect("a line");
            assert!(line.ends_with("version 1, written as version 1"), "{line}");
        }
    }
}

#[test]
fn a_lock_file_of_a_later_version_is_refused_with_a_remedy() {
    let project = recorded(1);
    project.write("mortise.lock", r#"{"version": 9, "servers": {}}"#);
    let output = project.run(&["migrate", "--dry-run"]);
    assert_eq!(output.code, 30, "{output:?}");
    assert!(output.stderr.contains("the project is of a version"), "{output:?}");
    assert!(output.stderr.contains("help: use the Mortise that wrote it, or a newer one"), "{output:?}");
}

/// The newest record says that it is of a later version, in a frame whose checksum is right.
#[test]
fn a_log_of_a_later_version_is_refused_with_a_remedy_and_not_changed() {
    let project = recorded(1);
    let last = project.events().len() as u64 - 1;
    let (from, to) = place(&project, last);
    let path = segment(&project);
    let mut bytes = fs::read(&path).expect("a segment");
    let mark = b"\"v\":1}";
    let at = to - mark.len();
    assert_eq!(&bytes[at..to], mark);
    bytes[at + 4] = b'9';
    let sum = crc32(&[&bytes[from - 24..from - 4], &bytes[from..to]].concat());
    bytes[from - 4..from].copy_from_slice(&sum.to_le_bytes());
    fs::write(&path, &bytes).expect("a newer log");
    for args in [&["migrate", "--dry-run"][..], &["migrate"]] {
        let output = project.run(args);
        assert_eq!(output.code, 30, "{output:?}");
        assert!(output.stdout.contains("log      version 9, written as version 1"), "{output:?}");
        assert!(output.stderr.contains("the log is of a version that this Mortise"), "{output:?}");
        assert!(output.stderr.contains("help: use the Mortise that wrote it, or a newer one"), "{output:?}");
    }
    assert!(fs::read(&path).expect("the log") == bytes, "the log was changed");
}

/// CRC-32 as in gzip.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(sum & 1)))
    };
    !bytes.iter().fold(!0, step)
}
