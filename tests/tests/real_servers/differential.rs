//! The same scripted session with a server directly and through Mortise: every `result` and `error` is compared as the
//! bytes of the frame.
//!
//! What the scripts leave out, because two runs *without* Mortise differ as well:
//! - filesystem `get_file_info`: file times;
//! - everything `get-resource-reference`, `resource-prompt` and the dynamic resources: the time of day in their text;
//! - everything `get-env`: its own test, because what it shows is what Mortise is to limit;
//! - everything `trigger-*` and `get-roots-list`: offered only to clients that can be asked; their own tests;
//! - everything prompts with arguments: `prompts_with_arguments`;
//! - time `get_current_time` with a valid zone: the time of day. `convert_time` says today's date: the server is asked
//!   directly before and after, and all is done again should midnight have passed in between.
//!
//! What has to differ is asserted apart: a tool nobody has and arguments against the schema never reach the server.

use harness::real::{AGENT, RealServer, Step, fixture, git_env, govern, outcome, play};
use harness::{HttpClient, Project};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const OLDER: &str = "2025-06-18";
const NEWER: &str = "2025-11-25";

/// The folder a server works on: made anew, and the same, for each session.
fn world(project: &Project) -> PathBuf {
    let world = project.root().join("world");
    if world.exists() {
        fs::remove_dir_all(&world).expect("a removable world");
    }
    fs::create_dir_all(world.join("sub")).expect("a world");
    fs::write(world.join("a.txt"), "one\ntwo\nthree\n").expect("a file");
    fs::write(world.join("sub/b.txt"), "grüße \u{1f600} \"quoted\" \\ \u{7f}\n").expect("a file");
    fs::copy(fixture("dot.png"), world.join("dot.png")).expect("a picture");
    world
}

fn tool(name: &str, arguments: Value) -> Step {
    ("tools/call", json!({ "name": name, "arguments": arguments }))
}

/// What every server is asked beside its tools.
fn around(tools: Vec<Step>) -> Vec<Step> {
    let mut script =
        vec![("ping", json!({})), ("tools/list", json!({})), ("logging/setLevel", json!({"level": "error"}))];
    script.extend(tools);
    script.extend([
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("resources/read", json!({"uri": "nothing://here"})),
        ("prompts/list", json!({})),
        ("prompts/get", json!({"name": "no-such-prompt"})),
        (
            "completion/complete",
            json!({
                "ref": {"type": "ref/prompt", "name": "no-such-prompt"}, "argument": {"name": "a", "value": "b"}
            }),
        ),
        ("ping", json!({})),
    ]);
    script
}

/// Plays the script directly and through Mortise under both versions, and compares.
fn compare(project: &Project, server: &RealServer, prepare: &dyn Fn(), script: &[Step]) {
    prepare();
    govern(project, std::slice::from_ref(server));
    for version in [OLDER, NEWER] {
        let direct = || {
            prepare();
            play(&mut server.direct(project), version, script)
        };
        let mut before = direct();
        let through = loop {
            prepare();
            let through = play(&mut project.proxy_raw(AGENT, &server.name), version, script);
            let after = direct();
            if before == after {
                break through;
            }
            let moved = |outcomes: &[String]| outcomes.iter().any(|outcome| outcome.contains("datetime"));
            assert!(moved(&after), "the server alone does not repeat itself: {before:#?} {after:#?}");
            before = after;
        };
        assert_eq!(through.len(), script.len() + 1);
        let asked = std::iter::once("initialize".to_owned())
            .chain(script.iter().map(|(method, params)| format!("{method} {params}")));
        for (asked, (direct, through)) in asked.zip(before.iter().zip(&through)) {
            assert_eq!(direct, through, "{} {version}: {asked}", server.name);
        }
    }
}

/// What must differ: Mortise answers for the server, and all unknown tools alike.
fn refused(project: &Project, server: &RealServer, invalid: &Step) {
    let mut client = project.proxy_raw(AGENT, &server.name);
    let mut direct = server.direct(project);
    let (_, invalid) = invalid;
    let unknown = json!({"name": "no_such_tool", "arguments": {}});
    for (params, rule) in [(&unknown, "inventory/"), (invalid, "schema/")] {
        let script = [("tools/call", params.clone())];
        let through = play(&mut client, NEWER, &script).pop().expect("an outcome");
        let refusal: Value = serde_json::from_str(through.trim_start_matches("result ")).expect("a result");
        assert_eq!(refusal["isError"], true, "{through}");
        assert!(refusal.to_string().contains(rule), "`{rule}` is not why: {through}");
        assert_ne!(through, play(&mut direct, NEWER, &script).pop().expect("an outcome"));
        (client, direct) = (project.proxy_raw(AGENT, &server.name), server.direct(project));
    }
    let dispatched = project.events_of("tool.dispatch");
    let named = |event: &Value| event["tool_name"] == "no_such_tool";
    assert!(!dispatched.iter().any(named), "an unknown tool was dispatched: {dispatched:?}");
}

#[test]
fn filesystem() {
    let project = Project::empty();
    let root = project.root().join("world");
    let server = RealServer::filesystem("files", &root);
    let at = |name: &str| root.join(name).display().to_string();
    let script = around(vec![
        tool("list_allowed_directories", json!({})),
        tool("read_file", json!({"path": at("a.txt")})),
        tool("read_text_file", json!({"path": at("sub/b.txt")})),
        tool("read_text_file", json!({"path": at("a.txt"), "head": 1})),
        tool("read_text_file", json!({"path": at("a.txt"), "tail": 1})),
        tool("read_media_file", json!({"path": at("dot.png")})),
        tool("read_multiple_files", json!({"paths": [at("a.txt"), at("none.txt")]})),
        tool("write_file", json!({"path": at("new.txt"), "content": "line\n\u{2028}\u{0}end \u{1f600}"})),
        tool("read_text_file", json!({"path": at("new.txt")})),
        tool("edit_file", json!({"path": at("a.txt"), "edits": [{"oldText": "two", "newText": "2"}], "dryRun": true})),
        tool("edit_file", json!({"path": at("a.txt"), "edits": [{"oldText": "two", "newText": "2"}]})),
        tool("edit_file", json!({"path": at("a.txt"), "edits": [{"oldText": "absent", "newText": ""}]})),
        tool("create_directory", json!({"path": at("more/deep")})),
        tool("list_directory", json!({"path": at("sub")})),
        tool("list_directory_with_sizes", json!({"path": at("sub"), "sortBy": "size"})),
        tool("directory_tree", json!({"path": at("more")})),
        tool("move_file", json!({"source": at("new.txt"), "destination": at("sub/moved.txt")})),
        tool("search_files", json!({"path": at("sub"), "pattern": "moved*"})),
        tool("read_file", json!({"path": "/etc/passwd"})),
    ]);
    let prepare = || drop(world(&project));
    compare(&project, &server, &prepare, &script);
    refused(&project, &server, &tool("read_file", json!({"path": 7})));
}

#[test]
fn everything() {
    let project = Project::empty();
    let server = RealServer::everything("all");
    let complete = |reference: Value, name: &str, value: &str| {
        ("completion/complete", json!({"ref": reference, "argument": {"name": name, "value": value}}))
    };
    let prompt = json!({"type": "ref/prompt", "name": "completable-prompt"});
    let template = json!({"type": "ref/resource", "uri": "demo://resource/dynamic/text/{resourceId}"});
    let document = json!({"uri": "demo://resource/static/document/architecture.md"});
    let mut tools = vec![
        tool("echo", json!({"message": "grüße \u{1f600} \u{0} </script> \\u0041"})),
        tool("get-annotated-message", json!({"messageType": "error", "includeImage": true})),
        tool("get-annotated-message", json!({"messageType": "success"})),
        tool("get-annotated-message", json!({"messageType": "debug"})),
        tool("get-resource-links", json!({"count": 2})),
        tool("get-structured-content", json!({"location": "Chicago"})),
        tool("get-sum", json!({"a": 2, "b": 40})),
        tool("get-tiny-image", json!({})),
        tool(
            "gzip-file-as-resource",
            json!({"name": "a.gz", "data": "data:text/plain,hello", "outputType": "resource"}),
        ),
        tool("gzip-file-as-resource", json!({"name": "b.gz", "data": "data:text/plain,hello"})),
        tool("toggle-simulated-logging", json!({})),
        tool("toggle-simulated-logging", json!({})),
        tool("toggle-subscriber-updates", json!({})),
        tool("toggle-subscriber-updates", json!({})),
        tool("trigger-long-running-operation", json!({"duration": 1, "steps": 2})),
        tool("simulate-research-query", json!({"topic": "keys"})),
    ];
    tools.extend([
        ("resources/read", document.clone()),
        ("resources/subscribe", document.clone()),
        ("resources/unsubscribe", document),
        ("prompts/get", json!({"name": "simple-prompt"})),
        complete(prompt, "department", "S"),
        complete(template, "resourceId", "1"),
    ]);
    compare(&project, &server, &|| (), &around(tools));
    refused(&project, &server, &tool("get-sum", json!({"a": "two"})));
}

/// Apart, until policy can tell "an argument nobody can look at" from "the arguments of a prompt".
#[test]
fn prompts_with_arguments() {
    let project = Project::empty();
    let script = [
        ("prompts/get", json!({"name": "args-prompt", "arguments": {"city": "Ulm", "state": "BW"}})),
        ("prompts/get", json!({"name": "args-prompt", "arguments": {}})),
        ("prompts/get", json!({"name": "completable-prompt", "arguments": {"department": "Sales", "name": "x"}})),
    ];
    compare(&project, &RealServer::everything("all"), &|| (), &script);
}

#[test]
fn memory() {
    let project = Project::empty();
    let file = project.root().join("world/memory.jsonl");
    let server = RealServer::memory("memory", &file);
    let entity = |name: &str| json!({"name": name, "entityType": "part", "observations": ["brass", "grüße"]});
    let relation = json!({"from": "lock", "to": "key", "relationType": "opens with"});
    let mut tools = vec![
        tool("read_graph", json!({})),
        tool("create_entities", json!({"entities": [entity("lock"), entity("key")]})),
        tool("create_relations", json!({"relations": [relation]})),
        tool("add_observations", json!({"observations": [{"entityName": "key", "contents": ["small"]}]})),
        tool("add_observations", json!({"observations": [{"entityName": "nobody", "contents": ["x"]}]})),
        tool("search_nodes", json!({"query": "brass"})),
        tool("open_nodes", json!({"names": ["lock"]})),
        tool("delete_observations", json!({"deletions": [{"entityName": "key", "observations": ["brass"]}]})),
        tool("delete_relations", json!({"relations": [relation]})),
        tool("delete_entities", json!({"entityNames": ["lock"]})),
        tool("read_graph", json!({})),
    ];
    tools.push(("resources/read", json!({"uri": "memory://knowledge-graph"})));
    let prepare = || drop(world(&project));
    compare(&project, &server, &prepare, &around(tools));
    refused(&project, &server, &tool("open_nodes", json!({"names": "lock"})));
}

#[test]
fn git() {
    let project = Project::empty();
    let server = RealServer::git("git");
    let root = project.root().join("world");
    let prepare = || {
        let world = world(&project);
        for args in [&["init", "-q", "-b", "main"][..], &["add", "a.txt"], &["commit", "-q", "-m", "first"]] {
            run_git(&world, args);
        }
        fs::write(world.join("a.txt"), "one\n2\nthree\n").expect("a file");
    };
    let at = |extra: Value| {
        let mut arguments = json!({"repo_path": root.display().to_string()});
        arguments.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        arguments
    };
    let script = around(vec![
        tool("git_status", at(json!({}))),
        tool("git_diff_unstaged", at(json!({"context_lines": 1}))),
        tool("git_add", at(json!({"files": ["a.txt"]}))),
        tool("git_diff_staged", at(json!({}))),
        tool("git_reset", at(json!({}))),
        tool("git_add", at(json!({"files": ["sub/b.txt"]}))),
        tool("git_commit", at(json!({"message": "second \u{2013} grüße"}))),
        tool("git_log", at(json!({"max_count": 2}))),
        tool("git_show", at(json!({"revision": "HEAD"}))),
        tool("git_create_branch", at(json!({"branch_name": "side"}))),
        tool("git_create_branch", at(json!({"branch_name": "other", "base_branch": null}))),
        tool("git_branch", at(json!({"branch_type": "local"}))),
        tool("git_diff", at(json!({"target": "HEAD~1"}))),
        tool("git_checkout", at(json!({"branch_name": "side"}))),
        tool("git_checkout", at(json!({"branch_name": "nowhere"}))),
    ]);
    compare(&project, &server, &prepare, &script);
    refused(&project, &server, &tool("git_add", json!({"repo_path": root.display().to_string(), "files": []})));
}

fn run_git(folder: &Path, args: &[&str]) {
    let status = Command::new("git").args(args).current_dir(folder).envs(git_env()).status();
    assert!(status.is_ok_and(|status| status.success()), "git {args:?}");
}

#[test]
fn time() {
    let project = Project::empty();
    let server = RealServer::time("time");
    let convert = |from: &str, time: &str| {
        tool("convert_time", json!({"source_timezone": from, "time": time, "target_timezone": "Asia/Kolkata"}))
    };
    let script = around(vec![
        convert("Etc/UTC", "16:30"),
        convert("Etc/UTC", "25:99"),
        convert("Nowhere/Land", "16:30"),
        tool("get_current_time", json!({"timezone": "Nowhere/Land"})),
    ]);
    compare(&project, &server, &|| (), &script);
    refused(&project, &server, &tool("get_current_time", json!({"timezone": ["UTC"]})));
}

/// Over HTTP the same calls have the same results, in the same bytes.
#[test]
fn filesystem_over_http() {
    let project = Project::empty();
    let world = world(&project);
    let server = RealServer::filesystem("files", &world);
    govern(&project, std::slice::from_ref(&server));
    let at = |name: &str| world.join(name).display().to_string();
    let script = vec![
        ("tools/list", json!({})),
        tool("list_allowed_directories", json!({})),
        tool("read_text_file", json!({"path": at("sub/b.txt")})),
        tool("read_media_file", json!({"path": at("dot.png")})),
        tool("read_file", json!({"path": at("none.txt")})),
        tool("search_files", json!({"path": at("sub"), "pattern": "*.txt"})),
    ];
    let direct = play(&mut server.direct(&project), NEWER, &script);
    let _gateway = project.up(&[]);
    let mut client = HttpClient::new(&harness::real::url(&project), &harness::real::key(&project));
    client.initialize();
    for (id, ((method, params), direct)) in script.iter().zip(&direct[1..]).enumerate() {
        let frame = json!({"jsonrpc": "2.0", "id": id + 1, "method": method, "params": params}).to_string();
        let reply = client.post(frame.as_bytes());
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(outcome(&reply.body), *direct, "{method} {params}");
    }
}
