use super::{ALL, Done, Failure, Job, Selection, named};
use crate::fixture::{append, open};
use crate::{LogReader, ReadError, atomic};
use std::path::{Path, PathBuf};
use vocab::event::{Kind, Outcome};
use vocab::{Event, Verdict};

const DAY: i64 = 86_400_000_000;
const T: i64 = 1_795_000_000_000_000;

fn event(kind: Kind, number: u64, call: &str, agent: &str) -> Event<'static> {
    let t = T + i64::try_from(number).unwrap() * 1_000_000;
    let mut event = Event::new(kind, format!("event-{number}"), t, "default");
    if !call.is_empty() {
        event.call = Some(call.to_owned().into());
        event.agent = Some(agent.to_owned().into());
        event.session = Some("s-1".into());
        event.server = Some("desk".into());
        event.tool_name = Some(if call.ends_with('0') { "resources/read".into() } else { "close".into() });
    }
    event
}

/// A log of many calls, interleaved: each is under way while the next two begin, and every seventh has no end.
fn log(dir: &Path, calls: u64) -> Vec<Vec<u8>> {
    let mut events = vec![event(Kind::GatewayStarted, 0, "", "")];
    for number in 0..calls + 2 {
        let agent = |number: u64| if number.is_multiple_of(3) { "ada" } else { "bot" };
        if number < calls {
            let name = format!("call-{number}");
            let mut intent = event(Kind::ToolIntent, number, &name, agent(number));
            intent.text = Some("words of a person".repeat(20).into());
            let mut decision = event(Kind::PolicyDecision, number, &name, agent(number));
            decision.decision = Some(if number % 5 == 4 { Verdict::Deny } else { Verdict::Allow });
            events.extend([intent, decision]);
        }
        if let Some(number) = number.checked_sub(2).filter(|number| number % 5 != 4 && number % 7 != 6) {
            let mut result = event(Kind::ToolResult, number + 2, &format!("call-{number}"), agent(number));
            result.outcome = Some(if number % 4 == 3 { Outcome::ToolError } else { Outcome::Ok });
            events.push(result);
        }
    }
    let (log, _) = open(dir);
    let records: Vec<Vec<u8>> = events.iter().map(|event| event.to_bytes().unwrap()).collect();
    append(&log, records.clone()).unwrap();
    log.close().unwrap();
    records
}

fn job(log: &Path, file: &Path, format: &str) -> Job {
    let (log, file) = (log.to_owned(), file.to_owned());
    Job { log, file, format: named(format).unwrap(), selection: Selection::default(), with_index: false }
}

fn run(job: &Job) -> (Done, Vec<u8>) {
    let done = job.run(false, |_| Ok(())).unwrap();
    (done, std::fs::read(&job.file).unwrap())
}

fn partial(file: &Path) -> (PathBuf, PathBuf) {
    let with = |suffix: &str| PathBuf::from(format!("{}{suffix}", file.display()));
    (with(".partial"), with(".partial.state"))
}

#[test]
fn every_format_has_a_name_of_its_own_and_is_documented() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides/export.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    for format in ALL {
        assert_eq!(named(format.name).unwrap().name, format.name);
        assert!(guide.contains(&format!("| `{}` |", format.name)), "`{}` is not in the guide", format.name);
    }
    // Every folder and file of a format is in the list.
    let known = ["calls", "columns", "file", "mod", "selection", "tests", "time"];
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/formats")).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
        let listed = ALL.iter().any(|format| format.name.split('-').next() == Some(name.as_str()));
        let off = name == "parquet" && !cfg!(feature = "parquet");
        assert!(known.contains(&name.as_str()) || listed || off, "`{name}` is no format");
    }
    for column in super::columns::COLUMNS {
        assert!(guide.contains(&format!("`{}`", column.name)), "column `{}` is not in the guide", column.name);
    }
    for (column, attribute) in super::otlp::mapping::NAMES {
        assert!(guide.contains(&format!("| `{column}` | `{attribute}` |")), "`{attribute}` is not in the guide");
    }
}

#[test]
fn lines_are_the_records_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let records = log(&dir.path().join("log"), 40);
    let (done, bytes) = run(&job(&dir.path().join("log"), &dir.path().join("a"), "jsonl"));
    let lines: Vec<Vec<u8>> =
        bytes.split_inclusive(|byte| *byte == b'\n').map(|line| line[..line.len() - 1].to_vec()).collect();
    assert_eq!(lines, records);
    assert_eq!((done.rows, done.records), (records.len() as u64, records.len() as u64));
    let wrapped = Job { with_index: true, ..job(&dir.path().join("log"), &dir.path().join("b"), "jsonl") };
    let (_, bytes) = run(&wrapped);
    for ((index, line), record) in (0..).zip(String::from_utf8(bytes).unwrap().lines()).zip(&records) {
        let record = std::str::from_utf8(record).unwrap();
        assert_eq!(line, format!("{{\"index\":{index},\"leaf\":{record}}}"));
    }
    assert!(!dir.path().join("a.partial").exists() && !dir.path().join("a.partial.state").exists());
}

#[test]
fn a_selection_is_by_agent_and_time_and_a_call_belongs_to_its_intent() {
    let dir = tempfile::tempdir().unwrap();
    log(&dir.path().join("log"), 40);
    let with = |name: &str, format: &str, selection: Selection| {
        run(&Job { selection, ..job(&dir.path().join("log"), &dir.path().join(name), format) })
    };
    let ada = Selection { agent: Some("ada".to_owned()), ..Selection::default() };
    let (done, bytes) = with("a", "jsonl", ada.clone());
    assert!(done.rows > 0 && String::from_utf8(bytes).unwrap().lines().all(|line| line.contains("\"agent\":\"ada\"")));
    assert_eq!(with("b", "otlp", ada).0.rows, 14);
    // Ten seconds of intents; results that came after them belong to them.
    let early = Selection { until: Some(T + 10_000_000), ..Selection::default() };
    let (done, bytes) = with("c", "ocsf", early);
    assert_eq!(done.rows, 10);
    let text = String::from_utf8(bytes).unwrap();
    let nine = text.lines().find(|line| line.contains("\"uid\":\"call-8\"")).unwrap();
    assert!(nine.contains("\"status\":\"Success\""), "{nine}");
    let late = Selection { since: Some(T + DAY), ..Selection::default() };
    assert_eq!(with("d", "csv", late).0.rows, 0);
}

#[test]
fn no_format_but_the_records_holds_what_people_wrote() {
    let dir = tempfile::tempdir().unwrap();
    log(&dir.path().join("log"), 8);
    for format in ALL.iter().filter(|format| !matches!(format.name, "jsonl" | "parquet")) {
        let (_, bytes) = run(&job(&dir.path().join("log"), &dir.path().join(format.name), format.name));
        let found = bytes.windows(17).any(|window| window == b"words of a person");
        assert!(!found, "{}", format.name);
    }
}

/// Interrupted at any of its saved places, and at none: the file is the same.
#[test]
fn an_interrupted_file_is_gone_on_with_and_comes_out_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let log_dir = dir.path().join("log");
    log(&log_dir, 1_200);
    for format in ALL {
        let whole = run(&job(&log_dir, &dir.path().join(format!("{}-whole", format.name)), format.name));
        let mut rounds = 0;
        for budget in [0_u64, 1_300_000] {
            let file = dir.path().join(format!("{}-{budget}", format.name));
            let (unfinished, state) = partial(&file);
            let stopped = job(&log_dir, &file, format.name).run_until(budget);
            if !stopped {
                continue;
            }
            rounds += 1;
            assert!(unfinished.exists() && !file.exists());
            if budget > 0 && format.appends {
                assert!(state.exists(), "{} has saved nothing", format.name);
            }
            // What the system wrote beyond the saved place is cut off.
            let mut bytes = std::fs::read(&unfinished).unwrap();
            bytes.extend_from_slice(b"torn");
            std::fs::write(&unfinished, bytes).unwrap();
            let again = job(&log_dir, &file, format.name);
            assert!(matches!(again.run(false, |_| Ok(())), Err(Failure::Unfinished(_))));
            let done = again.run(true, |_| Ok(())).unwrap();
            assert!(std::fs::read(&file).unwrap() == whole.1, "{} after {budget} bytes", format.name);
            assert_eq!(done, whole.0);
            assert!(!unfinished.exists() && !state.exists());
        }
        assert!(rounds > 0);
    }
}

#[test]
fn only_the_same_export_is_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let (log_dir, file) = (dir.path().join("log"), dir.path().join("f"));
    log(&log_dir, 4_000);
    assert!(job(&log_dir, &file, "jsonl").run_until(2_000_000));
    let resumed = |job: Job| job.run(true, |_| Ok(()));
    let other = Selection { agent: Some("ada".to_owned()), ..Selection::default() };
    assert!(matches!(resumed(job(&log_dir, &file, "csv")), Err(Failure::Other(_))));
    assert!(matches!(resumed(Job { selection: other, ..job(&log_dir, &file, "jsonl") }), Err(Failure::Other(_))));
    std::fs::write(partial(&file).0, b"short").unwrap();
    assert!(matches!(resumed(job(&log_dir, &file, "jsonl")), Err(Failure::Other(_))));
    std::fs::remove_file(partial(&file).1).unwrap();
    resumed(job(&log_dir, &file, "jsonl")).unwrap();
    assert!(matches!(resumed(job(&log_dir, &file, "jsonl")), Err(Failure::Exists(_))));
}

#[test]
fn what_grows_meanwhile_is_not_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let (log_dir, file) = (dir.path().join("log"), dir.path().join("f"));
    let records = log(&log_dir, 4_000);
    assert!(job(&log_dir, &file, "jsonl").run_until(2_000_000));
    let (log, _) = open(&log_dir);
    append(&log, vec![event(Kind::GatewayStarted, 9_000, "", "").to_bytes().unwrap()]).unwrap();
    let done = job(&log_dir, &file, "jsonl").run(true, |_| Ok(())).unwrap();
    assert_eq!(
        (done.records, LogReader::open(&log_dir).unwrap().len().unwrap()),
        (records.len() as u64, done.records + 1)
    );
}

#[test]
fn a_log_that_is_not_all_there_is_not_exported() {
    let dir = tempfile::tempdir().unwrap();
    let (log_dir, file) = (dir.path().join("log"), dir.path().join("f"));
    log(&log_dir, 20);
    let segment = log_dir.join("seg/00000000000000000000.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[2_000] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let refused = job(&log_dir, &file, "jsonl").run(false, |_| Ok(()));
    assert!(matches!(refused, Err(Failure::Read(ReadError::Short { sealed: 55, .. }))), "{refused:?}");
    assert!(!file.exists());
}

#[test]
fn what_is_refused_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let (log_dir, file) = (dir.path().join("log"), dir.path().join("f"));
    log(&log_dir, 20);
    let refused = job(&log_dir, &file, "csv").run(false, |_| Err(Failure::Refused("no".to_owned())));
    assert!(matches!(refused, Err(Failure::Refused(_))));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "only the log");
    // Nor is a link followed to where something else lies.
    std::fs::write(dir.path().join("mine"), b"mine").unwrap();
    std::os::unix::fs::symlink(dir.path().join("mine"), partial(&file).0).unwrap();
    assert!(job(&log_dir, &file, "csv").run(true, |_| Ok(())).is_err());
    assert_eq!(std::fs::read(dir.path().join("mine")).unwrap(), b"mine");
    drop(atomic::create(&file).unwrap());
    assert!(matches!(job(&log_dir, &file, "csv").run(true, |_| Ok(())), Err(Failure::Exists(_))));
}
