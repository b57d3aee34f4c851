//! A call that waits for a person.

use super::people::{self, SECRET, answer, approve, deny, enroll, state, waiting, waiting_id};
use super::{BOT, bench, edit, is_done, notes, refusal, rule, script, text};
use harness::project::kill;
use harness::{Project, StdioClient, wait_for};
use serde_json::{Value, json};

/// A bench whose asks give a ticket after a second.
fn ticketing() -> Project {
    let project = bench();
    edit(&project, "mortise.toml", "hold_s = 20", "hold_s = 1");
    project
}

fn ask(bench: &mut StdioClient, what: &str) -> Value {
    bench.call("note", json!({"text": what}))
}

/// Asks and gives the ticket.
fn ticket(bench: &mut StdioClient, what: &str) -> String {
    let answer = ask(bench, what);
    let said = refusal(&answer);
    assert_eq!((&said["verdict"], &said["approval"]), (&json!("ask"), &json!("pending")), "{answer}");
    said["ticket"].as_str().expect("a ticket").to_owned()
}

#[test]
fn a_held_call_is_shown_approved_and_answered() {
    let project = Project::example("support-desk");
    let mut desk = project.hosted(BOT, "desk");
    enroll(&project, "ada");
    let call =
        desk.send("tools/call", json!({"name": "run_script", "arguments": script("restart_worker", "production")}));
    let found = waiting(&project);
    let id = found["id"].as_str().expect("an id");
    assert_eq!((&found["action"], &found["state"]), (&json!("desk/run_script"), &json!("pending")));
    assert_eq!(found["rules"], json!(["guards/production-needs-a-person"]));
    let shown = project.ok(&["approvals", "show", id]);
    for said in ["waiting\n", "on behalf of  nobody who is known\n", "1 must approve", "expires       20", "in 14 min"]
    {
        assert!(shown.contains(said), "no `{said}`: {shown}");
    }
    assert!(shown.contains("\"restart_worker\"") && shown.contains("\"production\""), "{shown}");
    assert!(project.ok(&["approvals", "ls"]).contains(id));

    let output = approve(&project, id, "ada");
    assert_eq!(output.code, 0, "{output:#?}");
    assert!(output.stdout.contains("approved: the stored call runs now"), "{output:#?}");
    let result = desk.answer(call);
    assert!(is_done(&result) && result["result"]["structuredContent"]["dry_run"] == false, "{result}");
    assert!(!project.ok(&["approvals", "ls"]).contains(id), "settled ones are not waiting");
    let granted = project.events_of("approval.granted").pop().expect("an event");
    assert_eq!((&granted["approver"], &granted["approval"]), (&json!("ada"), &json!(id)));
    let log = project.ok(&["trace", "ls", "--events", "--format", "ndjson"]);
    assert!(!log.contains(SECRET));
}

#[test]
fn a_ticket_is_good_for_one_result_and_the_call_runs_once() {
    let project = ticketing();
    let mut bench = project.hosted(BOT, "bench");
    enroll(&project, "ada");
    let id = ticket(&mut bench, "ask once");
    assert_eq!(ticket(&mut bench, "ask once"), id, "the same question is one question");
    assert_eq!(notes(&project), [""; 0]);
    assert_eq!(approve(&project, &id, "ada").code, 0);
    wait_for("the stored call's run", || (state(&project, &id) == "consumed").then_some(()));
    wait_for("its result", || (!project.events_of("tool.result").is_empty()).then_some(()));

    let result = wait_for("the held result", || Some(ask(&mut bench, "ask once")).filter(is_done));
    assert_eq!(text(&result), "done: ask once");
    let next = ticket(&mut bench, "ask once");
    assert_ne!(next, id, "another identical call is another question");
    assert_eq!(notes(&project), ["note ask once"]);
}

#[test]
fn a_refusal_ends_the_call_for_the_session() {
    let project = ticketing();
    let mut bench = project.hosted(BOT, "bench");
    enroll(&project, "ada");
    let id = ticket(&mut bench, "ask no");
    assert_eq!(deny(&project, &id, "ada").code, 0);
    let again = ask(&mut bench, "ask no");
    assert_eq!((rule(&again), &refusal(&again)["verdict"]), ("approval/refused-before", &json!("deny")));
    assert_ne!(approve(&project, &id, "ada").code, 0, "a refusal cannot be taken back");
    assert_eq!(notes(&project), [""; 0]);
}

#[test]
fn a_held_caller_is_told_of_the_refusal() {
    let project = bench();
    let mut bench = project.hosted(BOT, "bench");
    enroll(&project, "ada");
    let call = bench.send("tools/call", json!({"name": "note", "arguments": {"text": "ask no"}}));
    let output = deny(&project, &waiting_id(&project), "ada");
    assert_eq!(output.code, 0, "{output:#?}");
    let said = bench.answer(call);
    assert_eq!((&refusal(&said)["verdict"], &refusal(&said)["approval"]), (&json!("deny"), &json!("denied")));
    assert!(text(&said).contains("refused") && !text(&said).contains("looked at it"), "{said}");
}

#[test]
fn what_nobody_answers_expires_and_is_not_run() {
    let project = bench();
    edit(&project, "mortise.toml", "ttl_s = 900", "ttl_s = 1");
    edit(&project, "mortise/policies/guards/bench.cedar", "@reason", "@ttl(\"2s\")\n@reason");
    let mut bench = project.hosted(BOT, "bench");
    enroll(&project, "ada");
    // The guard's own time is what counts, and it ends while the caller is held.
    let said = ask(&mut bench, "ask late");
    assert_eq!((&refusal(&said)["verdict"], &refusal(&said)["approval"]), (&json!("deny"), &json!("expired")));
    let id = refusal(&said)["ticket"].as_str().expect("a ticket").to_owned();
    assert_eq!(state(&project, &id), "expired");
    let late = approve(&project, &id, "ada");
    assert_eq!(late.code, 4, "{late:#?}");
    assert_eq!(project.events_of("approval.expired").len(), 1);
    assert_eq!(notes(&project), [""; 0]);
}

#[test]
fn an_ask_outlives_a_killed_gateway() {
    let project = ticketing();
    let mut bench = project.hosted(BOT, "bench");
    enroll(&project, "ada");
    let id = ticket(&mut bench, "ask twice");
    kill(project.gateway_pid().expect("a gateway"));
    let output = approve(&project, &id, "ada");
    assert_eq!(output.code, 0, "{output:#?}");
    wait_for("the stored call's run", || (!notes(&project).is_empty()).then_some(()));
    let result = wait_for("the held result", || Some(ask(&mut bench, "ask twice")).filter(is_done));
    assert_eq!(text(&result), "done: ask twice");
    assert_eq!(notes(&project), ["note ask twice"]);
    project.ok(&["trace", "verify"]);
}

#[test]
fn a_guard_added_meanwhile_stands_before_an_approved_call() {
    let project = ticketing();
    let mut bench = project.hosted(BOT, "bench");
    enroll(&project, "ada");
    let id = ticket(&mut bench, "ask first");
    let guard = "@id(\"guards/not-any-more\")\n@reason(\"not any more\")\nforbid (principal, action, resource == Server::\"bench\");\n";
    project.write("mortise/policies/guards/more.cedar", guard);
    wait_for("the edit", || (!project.events_of("config.changed").is_empty()).then_some(()));
    assert_eq!(approve(&project, &id, "ada").code, 0);
    wait_for("the second decision", || {
        let decisions = project.events_of("policy.decision");
        let denied = |event: &&Value| event["reasons"][0]["rule"] == "guards/not-any-more";
        decisions.iter().find(denied).map(|event| assert_eq!(event["decision"], "deny"))
    });
    let said = ask(&mut bench, "ask first");
    assert_eq!(rule(&said), "guards/not-any-more");
    assert_eq!(notes(&project), [""; 0]);
    assert!(project.events_of("tool.dispatch").is_empty());
}

#[test]
fn nobody_answers_for_himself_in_a_high_tier() {
    let project = ticketing();
    edit(&project, "mortise/agents/support-bot.toml", "mode = ", "user = \"ada\"\nmode = ");
    let mut bench = project.hosted(BOT, "bench");
    enroll(&project, "ada");
    enroll(&project, "grace");
    let id = ticket(&mut bench, "ask mine");
    let own = approve(&project, &id, "ada");
    assert_eq!(own.code, 4, "{own:#?}");
    assert!(own.stderr.contains("own behalf") || own.stderr.contains("same person"), "{own:#?}");
    assert_eq!((state(&project, &id).as_str(), notes(&project).len()), ("pending", 0));
    assert_eq!(approve(&project, &id, "grace").code, 0);
    wait_for("the run", || (notes(&project) == ["note ask mine"]).then_some(()));
}

#[test]
fn two_people_are_two_people() {
    let project = ticketing();
    edit(&project, "mortise/policies/guards/bench.cedar", "@reason", "@quorum(\"2\")\n@reason");
    let mut bench = project.hosted(BOT, "bench");
    enroll(&project, "ada");
    enroll(&project, "grace");
    let id = ticket(&mut bench, "ask both");
    let first = approve(&project, &id, "ada");
    assert!(first.code == 0 && first.stdout.contains("waits for further people"), "{first:#?}");
    assert_ne!(approve(&project, &id, "ada").code, 0, "one person counts once");
    assert_eq!((state(&project, &id).as_str(), notes(&project).len()), ("pending", 0));
    assert_eq!(approve(&project, &id, "grace").code, 0);
    wait_for("the run", || (notes(&project) == ["note ask both"]).then_some(()));
}

#[test]
fn a_wrong_secret_is_refused_and_recorded() {
    let project = ticketing();
    let mut bench = project.hosted(BOT, "bench");
    enroll(&project, "ada");
    let id = ticket(&mut bench, "ask guess");
    let wrong = answer(&project, "approve", &id, "ada", "incorrect horse");
    assert_eq!(wrong.code, 12, "{wrong:#?}");
    let stranger = answer(&project, "approve", &id, "mallory", SECRET);
    assert_eq!(stranger.code, 12, "{stranger:#?}");
    assert_eq!(state(&project, &id), "pending");
    let rejected = project.events_of("approval.rejected");
    assert_eq!(rejected.len(), 2, "{rejected:#?}");
    assert!(!format!("{rejected:?}").contains("horse"));
    let unheard = project.run(&["approvals", "approve", &id, "--as", "ada"]);
    assert_ne!(unheard.code, 0, "a secret is typed, never piped");
    let prompts = [("present secret of", "guess guess"), ("new secret", "new secret"), ("once more:", "new secret")];
    assert_ne!(project.typing(&["approvals", "enroll", "ada"], &prompts).code, 0, "the present secret is asked for");
    assert_eq!(notes(&project), [""; 0]);
}

#[test]
fn too_many_open_questions_are_not_asked() {
    let project = ticketing();
    let mut bench = project.hosted(BOT, "bench");
    let mut ids: Vec<String> = (0..3).map(|number| ticket(&mut bench, &format!("ask {number}"))).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    let fourth = ask(&mut bench, "ask 3");
    assert_eq!((rule(&fourth), &refusal(&fourth)["verdict"]), ("approval/too-many-open", &json!("deny")));
    assert_eq!(people::waiting(&project)["state"], "pending");
    assert_eq!(project.json(&["approvals", "ls"]).as_array().map(Vec::len), Some(3));
}
