//! One bit flipped in every kind of file that lies in a state directory: it is said with the file's name, or the file follows
//! from others and is made again.

use crate::people;
use crate::session::end_gateway;
use harness::{Project, wait_for};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const BOT: &str = "support-bot";

/// A bit that decides nothing for what is recorded and what is told, and why.
const NOTHING_IN_THEM: [(&str, &str); 3] = [
    ("lock", "whoever has it open is told by the system, not by its text"),
    ("log/lock", "whoever has it open is told by the system, not by its text"),
    ("log/pay/keys/*.gone", "zeros in the place of a key that was destroyed"),
];

/// What a project's state has when everything was used: calls that were kept, refused and asked about, an erasure, a hold, a
/// sink, a search, a rotation of the key.
fn used() -> Project {
    let project = Project::example("support-desk");
    let settings =
        project.read("mortise.toml") + "\n[sinks.disk]\nkind = \"file\"\npath = \"out.jsonl\"\nevery_s = 1\n";
    project.write("mortise.toml", &settings.replace("hold_s = 20", "hold_s = 1"));
    let agent = project.read("mortise/agents/support-bot.toml");
    project.write("mortise/agents/support-bot.toml", &format!("user = \"bo\"\n{agent}"));
    let _gateway = project.up(&["--dev"]);
    people::enroll(&project, "ada");
    let mut desk = project.hosted(BOT, "desk");
    desk.call("search_tickets", json!({"query": "refund"}));
    let decide = |args: &[&str]| {
        let args = [args, &["--as", "ada", "--reason", "asked for"]].concat();
        let output = project.typing(&args, &[("secret of ada", people::SECRET)]);
        assert_eq!(output.code, 0, "{output:#?}");
    };
    decide(&["retention", "erase", "--user", "bo"]);
    decide(&["retention", "hold", "case-7"]);
    decide(&["keys", "rotate"]);
    desk.call("search_tickets", json!({"query": "refund"}));
    let script = json!({"script_name": "restart_worker", "namespace": "production", "args": []});
    desk.call("run_script", script);
    people::waiting(&project);
    project.ok(&["trace", "search", "refund"]);
    drop(desk);
    wait_for("a sink that has come to the end", || {
        let sink = project.control(&json!("status"))?["ok"]["sinks"][0].clone();
        (sink["behind"] == 0).then_some(())
    });
    end_gateway(&project);
    project
}

fn files(dir: &Path, below: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for path in fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            files(&path, below, found);
        } else if path.is_file() {
            let name = path.strip_prefix(below).expect("a file below").display().to_string();
            found.insert(name, fs::read(&path).expect("a file"));
        }
    }
}

fn all(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    files(dir, dir, &mut found);
    found
}

/// Puts a directory back as it was.
fn restore(dir: &Path, before: &BTreeMap<String, Vec<u8>>) {
    for name in all(dir).keys().filter(|name| !before.contains_key(*name)) {
        fs::remove_file(dir.join(name)).expect("a removed file");
    }
    for (name, bytes) in before {
        if fs::read(dir.join(name)).ok().as_ref() != Some(bytes) {
            fs::create_dir_all(dir.join(name).parent().expect("a parent")).expect("a folder");
            fs::write(dir.join(name), bytes).expect("a written file");
        }
    }
}

/// Everything that is said by commands that look at what is at rest.
fn said_at_rest(project: &Project) -> String {
    let mut said = String::new();
    for args in [&["trace", "verify"][..], &["doctor"], &["retention", "show"], &["approvals", "ls"], &["keys", "ls"]] {
        let output = project.run(args);
        said += &format!("{args:?} {}\n{}{}", output.code, output.stdout, output.stderr);
    }
    said
}

/// What a gateway says that starts, and what is said while it runs; ended in good order if it came that far.
fn said_by_a_start(project: &Project) -> (bool, String) {
    let (out, path) = (project.root().join("start.txt"), project.state().join("gateway.sock"));
    let _ = fs::remove_file(path);
    let file = fs::File::create(&out).expect("a file");
    let mut child = project
        .command(&["up", "--dev", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(file.try_clone().expect("a file"))
        .stderr(file)
        .spawn()
        .expect("a started gateway");
    let ended = wait_for("a gateway that runs, or says why not", || match child.try_wait().expect("a child") {
        Some(_) => Some(true),
        None => project.control(&json!("status")).map(|_| false),
    });
    let mut said = String::new();
    if !ended {
        for args in [&["doctor"][..], &["retention", "show"], &["approvals", "ls"], &["keys", "ls"]] {
            let output = project.run(args);
            said += &format!("{args:?} {}\n{}{}", output.code, output.stdout, output.stderr);
        }
        end_gateway(project);
        child.wait().expect("an end");
    }
    (!ended, said + &fs::read_to_string(out).expect("what was said"))
}

/// What differs between two states is what names the file.
fn names(said: &str, name: &str) -> bool {
    let file = Path::new(name).file_name().expect("a name").to_string_lossy().into_owned();
    said.contains(name) || said.contains(&format!("{file}`")) || said.contains(name.trim_start_matches("log/"))
}

#[test]
fn a_flipped_bit_in_any_file_is_said_with_its_name_or_made_good() {
    let project = used();
    let state: PathBuf = project.state();
    let before = all(&state);
    let kinds: BTreeSet<&str> = before.keys().map(|name| name.split('/').next().expect("a part")).collect();
    for kind in ["accepted.json", "approvals", "approvers", "holds.json", "keys", "log", "sinks"] {
        assert!(kinds.contains(kind), "no `{kind}` among {kinds:?}");
    }
    let (good, _) = (said_at_rest(&project), restore(&state, &before));
    let mut silent = Vec::new();
    for (name, bytes) in before.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1;
        for at in BTreeSet::from([used / 7, used / 2, used - 1]) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            fs::write(state.join(name), &flipped).expect("a flipped bit");
            let at_rest = said_at_rest(&project);
            let told = at_rest != good && names(&at_rest, name);
            if !told {
                let (ran, said) = said_by_a_start(&project);
                let now = fs::read(state.join(name)).ok();
                let made_good = ran && now.as_ref() != Some(&flipped);
                if !names(&said, name) && !made_good {
                    silent.push(format!("{name} byte {at}"));
                }
            }
            restore(&state, &before);
        }
    }
    assert_eq!(silent, Vec::<String>::new());
}
