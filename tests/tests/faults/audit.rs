//! An auditor's way, with other people's programs: `docs/guides/audit.md`.

use crate::faulty;
use crate::foreign::checker;
use crate::session::end_gateway;
use harness::project::finish;
use harness::{Project, wait_for};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A project with an agent whose calls are kept whole, and its gateway ended.
fn recorded() -> Project {
    let project = faulty::project();
    let path = "mortise/agents/tester.toml";
    project.write(path, &project.read(path).replace("tier = \"low\"", "tier = \"high\""));
    let mut client = project.hosted("tester", "faulty");
    for number in 0..3 {
        client.call("echo", json!({"n": number}));
    }
    client.call("strict", json!({"unknown": true}));
    drop(client);
    wait_for("the last record", || (project.events_of("tool.result").len() >= 3).then_some(()));
    project
}

fn line_of(dir: &Path, file: &str, line: usize) -> String {
    let text = fs::read_to_string(dir.join(file)).expect("a file");
    text.lines().nth(line).expect("a line").to_owned()
}

#[test]
fn a_bundle_is_verified_without_mortise_and_a_changed_byte_is_named() {
    let (project, checker) = (recorded(), checker());
    let dir = project.root().join("bundle");
    let at = dir.display().to_string();
    // What was recorded last has to be sealed first: a second at most.
    wait_for("a sealed log", || {
        let report = project.json(&["--format", "json", "trace", "verify"]);
        (report["unsealed"] == 0).then_some(())
    });
    let args = ["trace", "bundle", &at, "--agent", "tester", "--since", "2026-01-01", "--disclose", "audit 2026"];
    let written = project.typing(&args, &[]);
    assert_eq!(written.code, 0, "{written:#?}");
    assert_eq!(project.events_of("access.read")[0]["text"], "audit 2026");
    end_gateway(&project);
    let verified = project.run(&["trace", "verify", "--bundle", &at]);
    assert!(verified.code == 0 && verified.stdout.starts_with("ok"), "{verified:?}");

    // Go's code takes every record with its proof, and none that was changed.
    let count = fs::read_to_string(dir.join("records.jsonl")).expect("records").lines().count();
    assert!(count > 12, "{count}");
    let leaf = project.root().join("leaf");
    for line in 0..count {
        let record = line_of(&dir, "records.jsonl", line);
        let index = line_of(&dir, "records.index", line).split('\t').next().expect("an index").to_owned();
        let proof = dir.join(format!("proofs/{index}.tlog-proof"));
        let check = |bytes: &[u8]| {
            fs::write(&leaf, bytes).expect("a leaf");
            finish(Command::new(&checker).arg(dir.join("vkey")).arg(&leaf).arg(&proof))
        };
        let good = check(record.as_bytes());
        assert!(good.code == 0 && good.stdout.starts_with(&format!("OK: entry {index} of ")), "{good:?}");
        let mut altered = record.into_bytes();
        altered[40] ^= 1;
        assert_eq!(check(&altered).code, 1);
    }

    // What was disclosed has the digests that are in the records.
    let records = fs::read_to_string(dir.join("records.jsonl")).expect("records");
    let disclosed: Vec<_> =
        fs::read_dir(dir.join("payloads")).expect("payloads").map(|entry| entry.expect("one").path()).collect();
    assert_eq!(disclosed.len(), 10, "what four decisions were made on, arguments and results of three calls");
    for path in &disclosed {
        let sum = finish(Command::new("sha256sum").arg(path)).stdout;
        let digest = format!("\"sha256:{}\"", sum.split(' ').next().expect("a digest"));
        assert!(records.contains(&digest), "{}", path.display());
    }
    let text: Vec<u8> = fs::read(&disclosed[0]).expect("a payload");
    assert!(text.starts_with(b"mortise/payload/v1\n"));

    // One changed byte is found where it is.
    let mut altered = records.clone().into_bytes();
    altered[records.len() / 2] ^= 1;
    fs::write(dir.join("records.jsonl"), &altered).expect("an altered file");
    let line = records[..records.len() / 2].lines().count();
    let found = project.run(&["trace", "verify", "--bundle", &at]);
    assert_eq!(found.code, 20, "{found:?}");
    assert!(found.stdout.contains(&format!("records.jsonl line {line} (event #")), "{found:?}");
    assert!(found.stdout.contains("altered: it is not what `proofs/"), "{found:?}");
    fs::write(dir.join("records.jsonl"), &records).expect("the file");
    fs::remove_file(&disclosed[0]).expect("a removed payload");
    let found = project.run(&["--format", "json", "trace", "verify", "--bundle", &at]);
    let report: Value = serde_json::from_str(&found.stdout).expect("JSON");
    let name = format!("payloads/{}", disclosed[0].file_name().expect("a name").to_string_lossy());
    assert_eq!(
        (found.code, &report["named"][0]["place"], &report["named"][0]["what"]),
        (20, &json!(name), &json!("missing"))
    );
}
