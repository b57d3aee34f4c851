//! One bit flipped in every file that lies in a state directory: it is said with the file's name, or the file follows from
//! others and is made again. A kind of file that the table does not have fails the test.

use crate::kept::{decide, enroll};
use crate::session::end_gateway;
use harness::{Output, Project, wait_for};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Stdio;

const BOT: &str = "support-bot";

/// Who notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noticed {
    /// `trace verify`, which ends with 20 and says what it found where.
    Verify(&'static str),
    /// A start of the gateway: it is refused with the file's name, says it, or makes the file again.
    Start,
    /// `replay`, which decides by it.
    Replay,
    /// A start, or then this command: its name is said, whatever else becomes of it.
    Running(&'static [&'static str]),
    /// It can be made again at any time: without it the same is found.
    Derived,
    /// Nothing is in it: it is there to be locked.
    Lock,
}

/// Every kind of file, by how its name begins; the first that fits.
const KINDS: &[(&str, Noticed)] = &[
    ("accepted.json", Noticed::Start),
    ("agent-keys.json", Noticed::Running(&["doctor"])),
    ("approvals/", Noticed::Start),
    ("approvers.json", Noticed::Running(&["doctor"])),
    ("calendar.json", Noticed::Running(&["retention", "show"])),
    ("configurations/", Noticed::Replay),
    ("holds.json", Noticed::Running(&["retention", "show"])),
    ("keys/", Noticed::Start),
    ("log/checkpoint", Noticed::Verify("checkpoint")),
    ("log/keys", Noticed::Start),
    ("log/lock", Noticed::Start),
    ("log/origin", Noticed::Verify("origin")),
    ("log/pay/decision_input/", Noticed::Verify("decision_input")),
    ("log/pay/keys/", Noticed::Verify("pay/keys/")),
    ("log/pay/trace_text/", Noticed::Verify("trace_text")),
    ("log/seg/", Noticed::Verify("record")),
    ("log/tile/", Noticed::Verify("tile/")),
    ("log/vkey", Noticed::Verify("vkey")),
    ("search/index.sqlite", Noticed::Derived),
    ("search/lock", Noticed::Lock),
    ("sinks/", Noticed::Running(&["doctor"])),
    ("sound.json", Noticed::Start),
    ("up.lock", Noticed::Lock),
];

/// A project of which everything was used: calls that were kept and asked about, an erasure, a hold, a sink, a search, a
/// rotation of the key.
fn used() -> Project {
    let project = Project::example("support-desk");
    let sink = "\n[sinks.disk]\nkind = \"file\"\npath = \"out.jsonl\"\nevery_s = 1\n";
    let settings = project.read("mortise.toml").replace("hold_s = 20", "hold_s = 1");
    let agent = project.read("mortise/agents/support-bot.toml");
    project.write("mortise.toml", &settings);
    project.write("mortise/agents/support-bot.toml", &format!("user = \"bo\"\n{agent}"));
    let _gateway = project.up(&["--dev"]);
    enroll(&project);
    let mut desk = project.hosted(BOT, "desk");
    desk.call("search_tickets", json!({"query": "refund"}));
    let issued = project.typing(&["agents", "key", BOT], &[]);
    assert_eq!(issued.code, 0, "{issued:#?}");
    // From here on under another configuration.
    project.write("mortise.toml", &(settings + sink));
    wait_for("a sink", || project.control(&json!("status"))?["ok"]["sinks"].get(0).map(|_| ()));
    for what in [&["retention", "erase", "--user", "bo"][..], &["retention", "hold", "case-7"]] {
        let output = decide(&project, what);
        assert_eq!(output.code, 0, "{output:#?}");
    }
    let rotated = project.typing(&["keys", "rotate", "--why", "on schedule"], &[]);
    assert_eq!(rotated.code, 0, "{rotated:#?}");
    desk.call("search_tickets", json!({"query": "refund"}));
    desk.call("run_script", json!({"script_name": "restart_worker", "namespace": "production", "args": []}));
    drop(desk);
    search(&project);
    wait_for("a sink that has come to the end", || {
        let sink = project.control(&json!("status"))?["ok"]["sinks"][0].clone();
        (sink["behind"] == 0).then_some(())
    });
    end_gateway(&project);
    project
}

fn search(project: &Project) -> String {
    project.ok(&["trace", "search", "agent:support-bot"])
}

/// Names and bytes of the files below a directory.
fn all(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    fn look(dir: &Path, below: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for path in fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                look(&path, below, found);
            } else if path.is_file() {
                let name = path.strip_prefix(below).expect("a file below").display().to_string();
                found.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    let mut found = BTreeMap::new();
    look(dir, dir, &mut found);
    found
}

/// Puts a directory back as it was. What is there is written to, so that it keeps its mode.
fn restore(dir: &Path, before: &BTreeMap<String, Vec<u8>>) {
    use std::os::unix::fs::PermissionsExt;
    let now = all(dir);
    for name in now.keys().filter(|name| !before.contains_key(*name)) {
        fs::remove_file(dir.join(name)).expect("a removed file");
    }
    for (name, bytes) in before.iter().filter(|(name, bytes)| now.get(*name) != Some(bytes)) {
        fs::write(dir.join(name), bytes).expect("a written file");
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o600)).expect("a mode");
    }
}

/// What a gateway says that starts, and what a command says while it runs; whether it ran.
fn started(project: &Project, command: Option<&[&str]>) -> (bool, String) {
    let out = project.root().join("start.txt");
    let _ = fs::remove_file(project.state().join("gateway.sock"));
    let file = fs::File::create(&out).expect("a file");
    let mut child = project
        .command(&["up", "--dev", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(file.try_clone().expect("a file"))
        .stderr(file)
        .spawn()
        .expect("a started gateway");
    let ran = wait_for("a gateway that runs, or says why not", || match child.try_wait().expect("a child") {
        Some(_) => Some(false),
        None => project.control(&json!("status")).map(|_| true),
    });
    let mut said = String::new();
    if ran {
        if let Some(command) = command {
            said = text(&project.run(command));
        }
        end_gateway(project);
        child.wait().expect("an end");
    }
    (ran, said + &fs::read_to_string(out).expect("what was said"))
}

fn text(output: &Output) -> String {
    format!("{}{}", output.stdout, output.stderr)
}

fn names(said: &str, name: &str) -> bool {
    let file = name.rsplit('/').next().expect("a last part");
    ["`", " ", "\"", "\n"].iter().any(|end| said.contains(&format!("{file}{end}")))
}

/// Flips one bit, and says what was wrong with how that was noticed.
fn flip(project: &Project, name: &str, bytes: &[u8], at: usize, noticed: Noticed) -> Result<(), String> {
    let path = project.state().join(name);
    let mut flipped = bytes.to_vec();
    flipped[at] ^= 1;
    fs::write(&path, &flipped).expect("a flipped bit");
    let by_start = |command| {
        let (ran, said) = started(project, command);
        let made_again = ran && fs::read(&path).ok().as_ref() != Some(&flipped);
        // A place of a sink is written again by and by, right or wrong.
        if names(&said, name) || made_again && command.is_none() { Ok(()) } else { Err(format!("ran {ran}: {said}")) }
    };
    match noticed {
        Noticed::Verify(place) => {
            let output = project.run(&["trace", "verify"]);
            if output.code == 20 && text(&output).contains(place) { Ok(()) } else { Err(format!("{output:?}")) }
        }
        Noticed::Start => by_start(None),
        Noticed::Replay => {
            // What is in force is also in `accepted.json`, and read there.
            let in_force = name.rsplit(['-', '.']).nth(1).expect("a digest");
            let is_needed =
                !fs::read_to_string(project.state().join("accepted.json")).expect("text").contains(in_force);
            let said = text(&project.run(&["replay"]));
            if said.contains("`configurations` is damaged") == is_needed { Ok(()) } else { Err(said) }
        }
        Noticed::Running(command) => by_start(Some(command)),
        Noticed::Derived => {
            fs::write(&path, bytes).expect("the file as it was");
            let found = search(project);
            fs::remove_file(&path).expect("a removed file");
            if search(project) == found { Ok(()) } else { Err("something else is found without it".to_owned()) }
        }
        Noticed::Lock => Err("there is something in it".to_owned()),
    }
}

#[test]
fn a_flipped_bit_in_any_file_is_said_with_its_name_or_made_good() {
    let project = used();
    let state = project.state();
    let before = all(&state);
    let mut found = BTreeSet::new();
    let mut silent = Vec::new();
    for (name, bytes) in &before {
        let Some((kind, noticed)) = KINDS.iter().find(|(kind, _)| name.starts_with(kind)) else {
            silent.push(format!("`{name}`: no such kind of file is known here"));
            continue;
        };
        found.insert(*kind);
        let Some(last) = bytes.iter().rposition(|byte| *byte != 0) else { continue };
        let places = match noticed {
            // What was erased comes first. Nobody can read it, and it is not looked at any more.
            Noticed::Verify(_) if name.starts_with("log/pay/") && name.contains("/seg/") => {
                BTreeSet::from([last / 4 * 3, last])
            }
            Noticed::Verify(_) => BTreeSet::from([0, last / 2, last]),
            Noticed::Running(_) => BTreeSet::from([last / 8, last / 4, last]),
            _ => BTreeSet::from([last / 2]),
        };
        for at in places {
            if let Err(why) = flip(&project, name, bytes, at, *noticed) {
                silent.push(format!("`{name}`, byte {at} of {}: {why}", bytes.len()));
            }
            restore(&state, &before);
        }
    }
    let missing: Vec<_> = KINDS.iter().map(|(kind, _)| *kind).filter(|kind| !found.contains(kind)).collect();
    assert!(silent.is_empty(), "{}\nnot there: {missing:?}", silent.join("\n"));
    assert_eq!(missing, Vec::<&str>::new(), "a kind of the table is not there");
    assert_eq!(project.run(&["trace", "verify"]).code, 0);
}
