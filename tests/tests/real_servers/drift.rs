//! A tool whose definition changes while it is used: gone from the list, not callable, recorded, until it is pinned anew
//! and a person has accepted that.

use harness::real::{AGENT, RealServer, govern};
use harness::{Project, StdioClient, wait_for};
use serde_json::{Value, json};

const SECRET: &str = "correct horse battery";

fn listed(client: &mut StdioClient) -> Vec<String> {
    let answer = client.request("tools/list", json!({}));
    let tools = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("{answer}"));
    tools.iter().filter_map(|tool| tool["name"].as_str().map(ToOwned::to_owned)).collect()
}

fn project(more: &[&str]) -> Project {
    let project = Project::empty();
    let count = project.root().join("count").display().to_string();
    let server = RealServer::fixture("drifting", "drifting_server.py").arg(&count);
    let server = more.iter().fold(server, |server, arg| server.arg(arg));
    govern(&project, &[server]);
    project
}

fn assert_quarantined(project: &Project, answer: &Value) {
    let result = &answer["result"];
    assert_eq!(result["isError"], true, "{answer}");
    assert_eq!(result["_meta"]["mortise"]["rule"], "pin/drifting/drifting", "{answer}");
    assert!(!answer.to_string().contains("eve@example.com"), "the changed text reached the agent: {answer}");
    let call = result["_meta"]["mortise"]["call"].clone();
    let of_call = |kind: &str| project.events_of(kind).into_iter().filter(|event| event["call"] == call).count();
    assert_eq!((of_call("policy.decision"), of_call("tool.dispatch")), (1, 0), "of {call}");
    let decisions = project.events_of("policy.decision");
    let decision = decisions.iter().find(|event| event["call"] == call).expect("a decision");
    assert!(decision.to_string().contains("pin/drifting/drifting"), "{decision}");
}

#[test]
fn a_definition_that_changes_is_quarantined_until_it_is_accepted() {
    let project = project(&[]);
    let mut client = project.hosted(AGENT, "drifting");
    let enroll = [("present secret of", ""), ("new secret", SECRET), ("once more:", SECRET)];
    let enrolled = project.typing(&["approvals", "enroll", "ada"], &enroll);
    assert_eq!(enrolled.code, 0, "{enrolled:#?}");
    assert_eq!(listed(&mut client), ["steady", "drifting"]);
    let first = client.call("drifting", json!({}));
    assert_eq!(first["result"]["content"][0]["text"], "done", "{first}");

    assert_eq!(listed(&mut client), ["steady"], "a changed tool is shown");
    assert_quarantined(&project, &client.call("drifting", json!({})));
    assert_eq!(client.call("steady", json!({}))["result"]["content"][0]["text"], "done");
    let heard = client.others.iter().filter(|frame| frame["method"] == "notifications/tools/list_changed").count();
    assert_eq!(heard, 1, "{:?}", client.others);

    assert_eq!(project.run(&["lock", "--check"]).code, 10);
    project.ok(&["lock"]);
    assert_eq!(listed(&mut client), ["steady"], "pinned anew is not accepted");
    assert_quarantined(&project, &client.call("drifting", json!({})));
    let accept = ["policy", "accept", "--as", "ada", "--reason", "read the new text"];
    let accepted = project.typing(&accept, &[("secret of", SECRET)]);
    assert_eq!(accepted.code, 0, "{accepted:#?}");
    wait_for("the tool in the list", || (listed(&mut client) == ["steady", "drifting"]).then_some(()));
    let again = client.call("drifting", json!({}));
    assert_eq!(again["result"]["content"][0]["text"], "done", "{again}");
}

/// A server that says nothing is found out when its tools are listed next.
#[test]
fn a_silent_change_shows_when_tools_are_listed() {
    let project = project(&["--silent"]);
    let mut client = project.proxy(AGENT, "drifting");
    assert_eq!(client.call("drifting", json!({}))["result"]["content"][0]["text"], "done");
    assert_eq!(listed(&mut client), ["steady"]);
    assert_quarantined(&project, &client.call("drifting", json!({})));
    // A server that is started anew is looked at before anything is called.
    let mut client = project.proxy(AGENT, "drifting");
    assert_quarantined(&project, &client.call("drifting", json!({})));
}

/// However often it is looked at and called.
#[test]
fn a_quarantine_is_recorded_once() {
    let project = project(&[]);
    let mut client = project.proxy(AGENT, "drifting");
    assert_eq!(client.call("drifting", json!({}))["result"]["content"][0]["text"], "done");
    assert!(project.events_of("server.quarantined").is_empty());
    for _ in 0..3 {
        assert_eq!(listed(&mut client), ["steady"]);
        assert_quarantined(&project, &client.call("drifting", json!({})));
    }
    assert_eq!(client.call("steady", json!({}))["result"]["content"][0]["text"], "done");
    let recorded = wait_for("the quarantine in the log", || {
        Some(project.events_of("server.quarantined")).filter(|events| !events.is_empty())
    });
    assert_eq!(recorded.len(), 1, "{recorded:#?}");
    let event = &recorded[0];
    assert_eq!((&event["server"], &event["tool_name"]), (&json!("drifting"), &json!("drifting")));
    assert_eq!(
        (&event["agent"], &event["text"]),
        (&json!(AGENT), &json!("the live definition differs from the pinned one"))
    );
    assert!(event.get("call").is_none(), "{event}");
    assert!(!project.ok(&["trace", "ls", "--events", "--format", "ndjson"]).contains("eve@example.com"));
    project.ok(&["trace", "verify"]);
}

/// An operator who looks for it finds it, though no agent listed the tools since.
#[test]
fn a_quarantine_that_only_calls_meet_is_recorded_once_too() {
    let project = project(&[]);
    let mut client = project.proxy(AGENT, "drifting");
    assert_eq!(client.call("drifting", json!({}))["result"]["content"][0]["text"], "done");
    assert!(project.events_of("server.quarantined").is_empty(), "it was as pinned");
    for _ in 0..3 {
        assert_quarantined(&project, &client.call("drifting", json!({})));
    }
    let recorded = wait_for("the quarantine in the log", || {
        Some(project.events_of("server.quarantined")).filter(|events| !events.is_empty())
    });
    assert_eq!(recorded.len(), 1, "{recorded:#?}");
}
