//! The five verdicts, as an agent behind `mortise proxy` meets them.

use super::{BOT, bench, edit, is_done, mail, notes, refusal, rule, script, text};
use harness::Project;
use serde_json::{Value, json};

#[test]
fn allow_gives_the_servers_own_bytes() {
    let project = Project::example("support-desk");
    let mut direct = harness::StdioClient::start(&mut project.command(&["example-server", "desk"]));
    direct.initialize();
    let mut proxied = project.proxy(BOT, "desk");
    let arguments = json!({"query": "cached", "status": "open"});
    let params = json!({"name": "search_tickets", "arguments": arguments});
    let (plain, guarded) = (direct.send("tools/call", params.clone()), proxied.send("tools/call", params));
    assert_eq!(plain, guarded);
    assert_eq!(direct.answer_text(plain), proxied.answer_text(guarded));
}

#[test]
fn deny_says_rule_reason_and_how_to_ask_and_repeats_no_argument() {
    let project = Project::example("support-desk");
    let mut desk = project.proxy(BOT, "desk");
    let mut reasons = Vec::new();
    for _ in 0..4 {
        let answer = desk.call("run_script", script("drop_namespace", "payments-zanzibar"));
        let said = refusal(&answer).clone();
        let mut members: Vec<&str> = said.as_object().expect("an object").keys().map(String::as_str).collect();
        members.retain(|member| *member != "reason");
        members.sort_unstable();
        assert_eq!(members, ["allowed", "call", "how_to_ask", "rule", "verdict"]);
        assert_eq!((said["verdict"].as_str(), rule(&answer)), (Some("deny"), "guards/protected-namespaces"));
        assert!(!answer.to_string().contains("zanzibar"), "{answer}");
        reasons.push(said["reason"].as_str().map(ToOwned::to_owned));
    }
    assert!(reasons[..3].iter().all(|reason| reason.as_deref().is_some_and(|reason| reason.contains("protected"))));
    assert_eq!(reasons[3], None, "after three refusals of a guard it is no longer explained");
}

#[test]
fn a_schema_refusal_repeats_no_argument() {
    let project = Project::example("support-desk");
    let mut desk = project.proxy(BOT, "desk");
    let answer = desk.call("run_script", json!({"script_name": "zanzibar", "namespace": 7, "args": ["--kilwa"]}));
    assert_eq!(rule(&answer), "schema/desk/run_script");
    assert!(!refusal(&answer)["schema"].as_array().expect("complaints").is_empty());
    assert!(!answer.to_string().contains("zanzibar") && !answer.to_string().contains("kilwa"), "{answer}");
}

#[test]
fn undeclared_and_unknown_tools_answer_alike() {
    let project = bench();
    edit(&project, "mortise/agents/support-bot.toml", "    \"bench/fork\",\n", "");
    let mut bench = project.proxy(BOT, "bench");
    let mut answers = ["fork", "does_not_exist"].map(|tool| {
        let mut answer = bench.call(tool, json!({"text": "x"}));
        answer["id"] = Value::Null;
        answer["result"]["_meta"]["mortise"]["call"] = Value::Null;
        answer["result"]["structuredContent"]["mortise"]["call"] = Value::Null;
        answer
    });
    assert_eq!(answers[0], answers[1]);
    assert_eq!(rule(&answers[0]), "inventory/support-bot");
    // Nor does it matter whether the arguments would have been good ones.
    answers[1] = bench.call("fork", json!({"nonsense": 1}));
    assert_eq!(rule(&answers[1]), "inventory/support-bot");
    assert!(!project.root().join("pids.txt").exists());
    let listed = bench.request("tools/list", json!({}));
    assert!(!listed.to_string().contains("fork"), "{listed}");
}

#[test]
fn sanitize_takes_the_note_out_of_what_is_sent_and_the_address_out_of_what_is_found() {
    let project = Project::example("support-desk");
    // So that the mailer's own memory can be looked at: what the tool was given, not what we say it was given.
    edit(&project, "mortise/agents/support-bot.toml", "resources = [\"desk\"]", "resources = [\"desk\", \"mailer\"]");
    let role = "@id(\"roles/outbox\")\npermit (principal, action == Action::\"mailer#resources/read\", resource);\n";
    project.write("mortise/policies/roles/outbox.cedar", role);
    let mut mailer = project.proxy(BOT, "mailer");
    let mut with_note = mail("lin@fabrikam.example", "Fixed.");
    with_note["internal_note"] = json!("worker three leaks");
    let answer = mailer.call("send_mail", with_note);
    assert!(is_done(&answer), "{answer}");
    let outbox = mailer.request("resources/read", json!({"uri": "mailer://outbox"}));
    let kept: Value = serde_json::from_str(outbox["result"]["contents"][0]["text"].as_str().expect("a text")).unwrap();
    assert_eq!(kept, json!([mail("lin@fabrikam.example", "Fixed.")]));

    let mut desk = project.proxy(BOT, "desk");
    let found = desk.call("search_tickets", json!({"query": "invoice", "status": "closed"}));
    let tickets = found["result"]["structuredContent"]["tickets"].as_array().expect("tickets").clone();
    assert!(is_done(&found) && !tickets.is_empty(), "{found}");
    assert!(!found.to_string().contains('@'), "an address is left: {found}");
    let again = desk.call("search_tickets", json!({"query": "invoice", "status": "closed"}));
    assert_eq!(again["result"]["structuredContent"]["tickets"], json!(tickets), "pseudonyms are stable");
}

#[test]
fn sandbox_runs_the_dry_run_twin_and_says_so() {
    let project = Project::example("support-desk");
    let mut desk = project.proxy(BOT, "desk");
    let answer = desk.call("run_script", script("purge_cache", "staging"));
    assert!(is_done(&answer), "{answer}");
    assert_eq!(answer["result"]["structuredContent"]["dry_run"], true);
    assert_eq!(answer["result"]["_meta"]["mortise/confinement"], "dry_run");
    assert_eq!(text(&answer), "Mortise ran this as a dry run: nothing was changed.");
    let dispatch = project.events_of("tool.dispatch").pop().expect("a dispatch");
    assert_eq!((&dispatch["tool_name"], &dispatch["confinement"]), (&json!("run_script_dry_run"), &json!("dry_run")));
}

#[test]
fn every_event_of_a_refused_call_is_recorded_and_none_is_a_dispatch() {
    let project = bench();
    let guard =
        "@id(\"guards/never\")\n@reason(\"never\")\nforbid (principal, action, resource == Server::\"bench\");\n";
    project.write("mortise/policies/guards/never.cedar", guard);
    let mut bench = project.proxy(BOT, "bench");
    let answer = bench.call("note", json!({"text": "x"}));
    let call = refusal(&answer)["call"].clone();
    let events = project.events();
    let kinds: Vec<&str> =
        events.iter().filter(|event| event["call"] == call).map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["session.start", "tool.intent", "policy.decision"]);
    assert!(notes(&project).is_empty());
}
