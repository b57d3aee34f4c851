//! Days that are over are packed, and everything that reads what is kept reads it as before.

use crate::kept::{call, decide, enroll, files, project, unit, verified};
use crate::session::end_gateway;
use harness::{Project, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// The day before one, as units are named.
fn day_before(day: &str) -> String {
    let parts: Vec<u32> = day.split('-').map(|part| part.parse().expect("a number")).collect();
    let (year, month, day) = (parts[0], parts[1], parts[2]);
    let leap = u32::from(year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)));
    let lengths = [31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let (year, month, day) = match (month, day) {
        (1, 1) => (year - 1, 12, 31),
        (_, 1) => (year, month - 1, lengths[month as usize - 2]),
        _ => (year, month, day - 1),
    };
    format!("{year:04}-{month:02}-{day:02}")
}

#[test]
fn a_day_that_is_over_is_packed_and_everything_reads_as_before() {
    let project = project("tier = \"high\"");
    let mut agent = project.hosted("tester", "faulty");
    let long = "words that come back, as they do. ".repeat(600);
    for number in 0..8 {
        agent.call("echo", json!({"n": number, "text": long}));
    }
    drop(agent);
    end_gateway(&project);
    let before = verified(&project).1;
    assert_eq!(before["missing"], 0, "{before}");
    let today = unit(&project, "trace_text");
    let day = today.file_name().and_then(|name| name.to_str()).expect("a day").to_owned();
    let yesterday = today.with_file_name(day_before(&day));
    fs::rename(&today, &yesterday).expect("a renamed day");
    // An old month's keys, which nothing needs any more.
    let old = project.log().join("pay/keys/2024-02");
    fs::create_dir_all(&old).expect("an old month");
    let living = files(&project.log().join("pay/keys")).into_iter().next().expect("a key");
    fs::copy(&living, old.join("0123456789abcdef0123456789abcdef")).expect("an old key");
    fs::write(old.join("fedcba9876543210fedcba9876543210.gone"), [0; 60]).expect("what is left of another");

    call(&project);
    let segment = yesterday.join("packed/0/seg/00000000000000000000.log");
    let is_packed = || segment.exists() && !yesterday.join("packed/0/replaces").exists();
    wait_for("a packed day", || is_packed().then_some(()));
    wait_for("a removed month", || (!old.exists()).then_some(()));
    let told = project.events_of("store.pruned");
    assert_eq!((told.len(), &told[0]["detail"]["key_months"]), (1, &json!(["2024-02"])));
    assert!(living.exists(), "this month's keys are needed");
    assert!(!yesterday.join("seg/00000000000000000000.log").exists());
    let sum: u64 = files(&yesterday).iter().map(|path| fs::metadata(path).expect("a file").len()).sum();
    assert!(sum < 8 * long.len() as u64 / 4, "{sum} bytes");
    let (code, report) = verified(&project);
    let ok = |report: &Value| report["ok"].as_u64().expect("a number");
    assert_eq!((code, ok(&report), &report["missing"], &report["altered"]), (0, ok(&before) + 3, &json!(0), &json!(0)));
    let dispatch = project.events_of("tool.dispatch")[0]["call"].as_str().expect("a call").to_owned();
    let shown = project.typing(&["trace", "reveal", &dispatch, "--reason", "ticket 7"], &[]);
    assert!(shown.code == 0 && shown.stdout.contains("words that come back"), "{shown:#?}");
    let usage = project.run(&["trace", "usage"]);
    assert!(usage.stdout.contains("trace_text: 2 days kept"), "{usage:?}");

    // What is packed and then changed is altered, with its place.
    end_gateway(&project);
    let mut altered = fs::read(&segment).expect("a segment");
    altered[200] ^= 1;
    fs::write(&segment, altered).expect("an altered segment");
    let output = project.run(&["trace", "verify"]);
    assert_eq!(output.code, 20, "{output:?}");
    assert!(output.stdout.contains("packed/0/seg/00000000000000000000.log` cannot be read at byte 0"), "{output:?}");
}

/// What was kept of a class today is as of yesterday; its directory.
fn as_of_yesterday(project: &Project, class: &str) -> PathBuf {
    let today = unit(project, class);
    let day = today.file_name().and_then(|name| name.to_str()).expect("a day").to_owned();
    let yesterday = today.with_file_name(day_before(&day));
    fs::rename(&today, &yesterday).expect("a renamed day");
    yesterday
}

fn is_packed(day: &Path) -> bool {
    day.join("packed/0/seg/00000000000000000000.log").exists() && !day.join("packed/0/replaces").exists()
}

fn long_calls(project: &Project, text: &str) {
    let mut agent = project.hosted("tester", "faulty");
    for number in 0..8 {
        agent.call("echo", json!({"n": number, "text": text}));
    }
    drop(agent);
    end_gateway(project);
}

#[test]
fn packed_decisions_are_replayed_exactly_and_a_person_is_erased_from_packed_days() {
    let project = project("tier = \"high\"\nuser = \"bo\"");
    enroll(&project);
    long_calls(&project, &"words that come back, as they do. ".repeat(600));
    let days = ["trace_text", "decision_input"].map(|class| as_of_yesterday(&project, class));
    call(&project);
    for day in &days {
        wait_for("a packed day", || is_packed(day).then_some(()));
    }
    let replayed = || {
        let output = project.run(&["replay", "--format", "json"]);
        let found: Value = serde_json::from_str(&output.stdout).expect("a JSON document");
        ["decisions", "exact", "not_replayable", "differences", "altered"].map(|part| found["summary"][part].clone())
    };
    let all = json!(project.events_of("policy.decision").len());
    assert_eq!(replayed(), [all.clone(), all, json!(0), json!(0), json!(0)]);

    let bundle = project.root().join("bundle").display().to_string();
    let written = project.typing(&["trace", "bundle", &bundle, "--disclose", "case 9"], &[]);
    assert_eq!(written.code, 0, "{written:#?}");
    let checked = project.run(&["trace", "verify", "--bundle", &bundle]);
    assert_eq!(checked.code, 0, "{checked:#?}");
    let disclosed = files(&project.root().join("bundle/payloads"));
    let has_words = |path: &PathBuf| {
        let bytes = fs::read(path).expect("a file");
        bytes.windows(10).any(|window| window == b"words that")
    };
    assert!(disclosed.iter().filter(|path| has_words(path)).count() >= 8, "{disclosed:?}");

    let (_, before) = verified(&project);
    let erased = decide(&project, &["retention", "erase", "--user", "bo"]);
    assert_eq!(erased.code, 0, "{erased:#?}");
    let (code, report) = verified(&project);
    assert_eq!((code, &report["erased"], &report["ok"]), (0, &before["ok"], &json!(0)));
    let first = project.events_of("tool.dispatch")[0]["call"].as_str().expect("a call").to_owned();
    let shown = project.typing(&["trace", "reveal", &first, "--reason", "ticket 7"], &[]);
    assert!(!shown.stdout.contains("words that come back") && shown.stdout.contains("erased"), "{shown:#?}");
    let [_, exact, _, differences, altered] = replayed();
    assert_eq!((exact, differences, altered), (json!(0), json!(0), json!(0)), "nothing is left to replay exactly");
}

#[test]
fn a_packed_day_counts_for_the_room_it_takes_and_goes_when_its_time_is_over() {
    let project = project("tier = \"high\"");
    let settings = project.read("mortise.toml");
    project.write("mortise.toml", &format!("{settings}\n[storage]\nmax_bytes = 67108864\n"));
    // Digits in no order: packed, they take half.
    let digits =
        (0..4_000_u64).map(|n| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ (n * n)));
    long_calls(&project, &digits.collect::<String>());
    let day = as_of_yesterday(&project, "trace_text");
    call(&project);
    wait_for("a packed day", || is_packed(&day).then_some(()));
    end_gateway(&project);
    // What a start makes anew is no part of what stays.
    let stays = files(&project.log()).into_iter().filter(|path| !path.ends_with("spare"));
    let rest: u64 = stays.map(|path| fs::metadata(path).expect("a file").len()).sum();
    let filler = project.log().join("filler");
    // Above the limit by half of what the packed day takes, which therefore counts.
    let packed: u64 = files(&day).iter().map(|path| fs::metadata(path).expect("a file").len()).sum();
    assert!(packed > 200_000, "{packed}");
    fs::File::create(&filler).and_then(|file| file.set_len(67_108_864 - rest + packed / 2)).expect("a large file");
    let answer = project.hosted("tester", "faulty").call("echo", json!({"n": 1})).to_string();
    assert!(answer.contains("fault/log"), "{answer}");
    end_gateway(&project);
    fs::remove_file(&filler).expect("room");

    let old = day.with_file_name("2024-02-29");
    fs::rename(&day, &old).expect("a renamed day");
    call(&project);
    let pruned = project.typing(&["retention", "prune"], &[]);
    assert!(pruned.code == 0 && !old.exists(), "{pruned:#?}");
    let told = project.events_of("store.pruned");
    let of_class: Vec<_> = told.iter().filter(|event| event["detail"]["class"] == "trace_text").collect();
    assert_eq!((of_class.len(), &of_class[0]["detail"]["payloads"]), (1, &json!(16)), "{told:?}");
}
