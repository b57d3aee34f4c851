//! A disk whose flush fails, and a clock that is set back: what a gateway does, seen from outside.
//!
//! A small library stands between the gateway and the system; `tests/fixtures/faults.c` says what it does.

use crate::faulty;
use crate::session::end_gateway;
use harness::project::finish;
use harness::{Project, wait_for, workspace};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library, built into the project's folder with the compiler that links Rust programs.
fn library(project: &Project) -> PathBuf {
    let library = project.root().join("faults.so");
    let source = workspace().join("tests/fixtures/faults.c");
    let output = finish(Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source));
    assert_eq!(output.code, 0, "{output:?}");
    library
}

/// The folder whose files say what fails.
fn faults(project: &Project) -> PathBuf {
    let faults = project.root().join("faults");
    fs::create_dir_all(&faults).expect("a folder");
    faults
}

fn up(project: &Project, library: &Path, faults: &Path) -> harness::Gateway {
    let (library, faults) = (library.display().to_string(), faults.display().to_string());
    project.up_with(&[], &[("LD_PRELOAD", &library), ("MORTISE_FAULTS", &faults)])
}

#[test]
fn after_a_failed_flush_nothing_is_done_and_nothing_is_tried_again() {
    let project = faulty::project();
    let (library, faults) = (library(&project), faults(&project));
    let mut gateway = up(&project, &library, &faults);
    let mut client = project.proxy("tester", "faulty");
    assert_eq!(faulty::text(&client.call("echo", json!({"n": 1}))), r#"{"n": 1}"#);
    fs::write(faults.join("eio"), "").expect("a fault");
    let answer = client.call("echo", json!({"n": 2}));
    assert_eq!(answer["result"]["_meta"]["mortise"]["rule"], "fault/log", "{answer}");
    let attempts = fs::read(faults.join("attempts")).expect("attempts").len();
    assert_eq!(attempts, 1, "a flush that failed is not tried again");
    // The disk is well again, as it would say of data that it has dropped.
    fs::remove_file(faults.join("eio")).expect("no fault");
    for number in 3..5 {
        let answer = client.call("echo", json!({"n": number}));
        assert_eq!(answer["result"]["_meta"]["mortise"]["rule"], "fault/log", "{answer}");
    }
    assert_eq!(faulty::calls(&project, "echo"), 1);
    let status = project.control(&json!("status")).expect("a gateway");
    let failure = status["ok"]["log_failure"].as_str().expect("a failure");
    assert!(failure.contains("a record cannot be made durable: Input/output error"), "{failure}");
    drop(client);
    gateway.kill();
    wait_for("the gateway's end", || project.control(&json!("status")).is_none().then_some(()));

    // The next one reads what is there.
    let _gateway = project.up(&[]);
    let answer = project.proxy("tester", "faulty").call("echo", json!({"n": 6}));
    assert_eq!(faulty::text(&answer), r#"{"n": 6}"#);
    assert_eq!(project.run(&["trace", "verify"]).code, 0);
}

#[test]
fn a_clock_set_back_over_a_restart_is_recorded_and_counted() {
    let project = faulty::project();
    let (library, faults) = (library(&project), faults(&project));
    let hour = 3_600;
    fs::write(faults.join("clock"), format!("{hour}")).expect("a clock");
    let gateway = up(&project, &library, &faults);
    // Set back under a gateway, its clock stands still: its events keep their order.
    fs::write(faults.join("clock"), "0").expect("a clock");
    assert_eq!(faulty::text(&project.proxy("tester", "faulty").call("echo", json!({"n": 1}))), r#"{"n": 1}"#);
    let stamps: Vec<i64> = project.events().iter().map(|event| event["t"].as_i64().expect("a time")).collect();
    assert!(stamps.is_sorted(), "{stamps:?}");
    end_gateway(&project);
    drop(gateway);

    let gateway = up(&project, &library, &faults);
    let started = project.events_of("gateway.started");
    assert!(started[0]["detail"].get("clock_back_us").is_none(), "{started:?}");
    let back = started[1]["detail"]["clock_back_us"].as_i64().expect("how far back") / 1_000_000;
    assert!((hour - 600..=hour).contains(&back), "{back}");
    end_gateway(&project);
    drop(gateway);
    let verified = project.run(&["trace", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
    assert!(
        verified.stdout.contains("stamped more than a minute before an earlier one: a clock was set back"),
        "{verified:?}"
    );
}

const DAY: i64 = 86_400;

/// Seconds since the epoch, as this machine has them: the time of a file.
fn now(folder: &Path) -> i64 {
    fs::write(folder.join("now"), "").expect("a file");
    let written = fs::metadata(folder.join("now")).and_then(|found| found.modified()).expect("a time");
    let since = written.duration_since(std::time::UNIX_EPOCH).expect("a time after 1970");
    i64::try_from(since.as_secs()).expect("seconds")
}

fn newest(project: &Project) -> i64 {
    project.events().last().expect("an event")["t"].as_i64().expect("a time") / 1_000_000
}

fn prune(project: &Project) -> usize {
    let pruned = project.typing(&["retention", "prune"], &[]);
    assert_eq!(pruned.code, 0, "{pruned:#?}");
    project.events_of("store.pruned").len()
}

fn payloads(project: &Project) -> serde_json::Value {
    let output = project.run(&["--format", "ndjson", "trace", "verify"]);
    assert_eq!(output.code, 0, "{output:?}");
    serde_json::from_str::<serde_json::Value>(output.stdout.lines().last().expect("a report")).expect("JSON")["payloads"].clone()
}

#[test]
fn a_clock_set_back_by_a_day_or_a_year_loses_nothing_and_removes_nothing_early() {
    let project = faulty::project();
    let path = "mortise/agents/tester.toml";
    project.write(path, &project.read(path).replace("tier = \"low\"", "tier = \"high\""));
    let (library, faults) = (library(&project), faults(&project));
    let call = |number: u64| {
        let answer = project.hosted("tester", "faulty").call("echo", json!({"n": number}));
        assert_eq!(faulty::text(&answer), format!("{{\"n\": {number}}}"));
    };
    fs::write(faults.join("clock"), "0").expect("a clock");
    let gateway = up(&project, &library, &faults);
    call(1);
    // Under a gateway, time goes on as before.
    for (number, back) in [(2, DAY), (3, 365 * DAY)] {
        fs::write(faults.join("clock"), format!("-{back}")).expect("a clock");
        call(number);
        let (now, newest) = (now(&faults), newest(&project));
        assert!((now - newest).abs() < 600, "{now} and {newest}");
        assert_eq!(prune(&project), 0);
    }
    end_gateway(&project);
    drop(gateway);
    // Between two starts, it is what the system says, and the start says how far that is back.
    for (number, back) in [(4, DAY), (5, 365 * DAY)] {
        fs::write(faults.join("clock"), format!("-{back}")).expect("a clock");
        let gateway = up(&project, &library, &faults);
        let started = project.events_of("gateway.started").pop().expect("a start");
        let told = started["detail"]["clock_back_us"].as_i64().expect("how far back") / 1_000_000;
        assert!(told > back / 2 - 600 && told <= back, "{told} of {back}");
        call(number);
        assert_eq!(prune(&project), 0);
        end_gateway(&project);
        drop(gateway);
    }
    let found = payloads(&project);
    assert_eq!((&found["ok"], &found["missing"], &found["altered"]), (&json!(15), &json!(0), &json!(0)), "{found}");
    // Put right again, what is stamped a year ago is past its time by its stamp, and goes with a record that says so.
    fs::write(faults.join("clock"), "0").expect("a clock");
    let gateway = up(&project, &library, &faults);
    assert!(prune(&project) > 0);
    end_gateway(&project);
    drop(gateway);
    let found = payloads(&project);
    assert_eq!((&found["ok"], &found["pruned"], &found["missing"]), (&json!(12), &json!(3), &json!(0)), "{found}");
}
