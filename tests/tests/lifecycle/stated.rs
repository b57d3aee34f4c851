//! What an agent states of its calls: why, and how sure it is. The tool never sees it.

use super::people::{enroll, waiting_id};
use super::recording::{self, calls, received};
use super::{is_done, refusal, rule, text};
use harness::real::AGENT;
use harness::{Project, StdioClient, wait_for};
use serde_json::{Value, json};
use std::fs;

const BOTH: &str = "[gateway]\npurpose_argument = true\nconfidence_argument = true\n[ask]\nhold_s = 1\n";

/// The longest purpose that is taken, characters.
const LONGEST: usize = 500;

/// The input schema under which the agent sees a tool.
fn schema(client: &mut StdioClient, tool: &str) -> Value {
    let answer = client.request("tools/list", json!({}));
    let tools = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("{answer}"));
    tools.iter().find(|listed| listed["name"] == tool).expect("the tool")["inputSchema"].clone()
}

/// The sentence of an error.
fn sentence(answer: &Value) -> &str {
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    answer["error"]["message"].as_str().expect("a sentence")
}

/// The intent of every call, in order.
fn intents(project: &Project) -> Vec<Value> {
    project.events_of("tool.intent")
}

#[test]
fn the_added_arguments_are_shown_and_never_forwarded() {
    let project = recording::project(BOTH, "");
    let mut client = project.proxy(AGENT, "rec");
    let shown = schema(&mut client, "look");
    assert_eq!(shown["required"], json!(["purpose"]));
    assert_eq!(
        (&shown["properties"]["text"]["type"], &shown["properties"]["purpose"]["type"]),
        (&json!("string"), &json!("string"))
    );
    let confidence = &shown["properties"]["confidence"];
    assert_eq!(
        (&confidence["type"], &confidence["minimum"], &confidence["maximum"]),
        (&json!("integer"), &json!(0), &json!(100))
    );
    let own = schema(&mut client, "own");
    assert_eq!(
        own,
        json!({"type": "object", "properties": {"purpose": {"type": "integer"}, "confidence": {"type": "string"}}})
    );

    assert!(is_done(&client.call("look", json!({"purpose": "zanzibar", "confidence": 90, "text": "a"}))));
    assert!(is_done(&client.call("look", json!({"text": "b", "purpose": "zanzibar"}))));
    assert!(is_done(&client.call("look", json!({"purpose": "kilwa", "confidence": 100}))));
    // A tool that has such arguments itself keeps them.
    assert!(is_done(&client.call("own", json!({"purpose": 7, "confidence": "mine"}))));
    let look = |arguments| ("look".to_owned(), arguments);
    let own = ("own".to_owned(), json!({"purpose": 7, "confidence": "mine"}));
    assert_eq!(received(&project), [look(json!({"text": "a"})), look(json!({"text": "b"})), look(json!({})), own]);

    let intents = intents(&project);
    let confidences: Vec<&Value> = intents.iter().map(|intent| &intent["confidence"]).collect();
    assert_eq!(confidences, [&json!(90), &Value::Null, &json!(100), &Value::Null]);
    let hashes: Vec<Option<&str>> = intents.iter().map(|intent| intent["purpose_hash"].as_str()).collect();
    assert!(hashes[0].is_some_and(|hash| hash.starts_with("hmac:")), "{hashes:?}");
    assert_eq!((hashes[0], hashes[3]), (hashes[1], None), "equal purposes are recognised");
    assert!(hashes[2].is_some() && hashes[2] != hashes[0], "{hashes:?}");
    assert_eq!(intents[1]["args_hash"].as_str().map(|hash| hash.starts_with("hmac:")), Some(true));
    nowhere_in_the_state(&project, "zanzibar");
    project.ok(&["trace", "verify"]);
}

/// Neither what is shown of the log nor its files, nor anything else that is kept.
fn nowhere_in_the_state(project: &Project, word: &str) {
    assert!(!project.ok(&["trace", "ls", "--events", "--format", "ndjson"]).contains(word));
    let mut folders = vec![project.state()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
            let kind = entry.file_type().expect("a kind");
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                // A file that is gone by now is none.
                let bytes = fs::read(entry.path()).unwrap_or_default();
                let found = bytes.windows(word.len()).any(|part| part == word.as_bytes());
                assert!(!found, "`{word}` stands in {}", entry.path().display());
            }
        }
    }
}

#[test]
fn nothing_is_added_where_nobody_asked_for_it() {
    let project = recording::project("", "");
    let mut client = project.proxy(AGENT, "rec");
    assert_eq!(schema(&mut client, "look"), json!({"type": "object", "properties": {"text": {"type": "string"}}}));
    let arguments = json!({"purpose": 7, "confidence": "the tool's business"});
    assert!(is_done(&client.call("own", arguments.clone())));
    assert_eq!(received(&project), [("own".to_owned(), arguments)]);
    // The others have no such argument, and it is not taken from them in silence.
    let answer = client.call("wipe", json!({"purpose": "p", "confidence": 90}));
    assert_eq!(rule(&answer), "shipped/unrepresentable", "{answer}");
    let intent = intents(&project).pop().expect("an intent");
    assert!(intent.get("purpose_hash").is_none() && intent.get("confidence").is_none(), "{intent}");
}

#[test]
fn a_missing_purpose_is_refused_and_recorded() {
    let project = recording::project(BOTH, "");
    let mut client = project.proxy(AGENT, "rec");
    let says = "the argument `purpose` is missing: say in one sentence why you make this call";
    for arguments in
        [json!({}), json!({"text": "a"}), json!({"purpose": ""}), json!({"purpose": " \n"}), json!({"purpose": 5})]
    {
        assert_eq!(sentence(&client.call("look", arguments.clone())), says, "{arguments}");
    }
    let long = |length: usize| json!({"purpose": "é".repeat(length)});
    let says = "the argument `purpose` is longer than 500 characters: say in one sentence why you make this call";
    assert_eq!(sentence(&client.call("look", long(LONGEST + 1))), says);
    assert!(is_done(&client.call("look", long(LONGEST))));
    assert_eq!(received(&project), [("look".to_owned(), json!({}))]);
    let refused = wait_for("the refusals in the log", || {
        let refused = project.events_of("message.refused");
        (refused.len() >= 6).then_some(refused)
    });
    assert_eq!(refused.len(), 6, "{refused:#?}");
    for event in refused {
        assert!(
            event["text"].as_str().is_some_and(|text| text.starts_with("params: the argument `purpose` is ")),
            "{event}"
        );
        assert_eq!((&event["agent"], &event["authn"]), (&json!(AGENT), &json!("local")));
    }
    // What is not declared is refused as ever, whatever comes with it.
    let unknown = client.call("no_such_tool", json!({}));
    assert_eq!(rule(&unknown), format!("inventory/{AGENT}"));
}

#[test]
fn a_confidence_that_is_none_is_refused_and_never_forwarded() {
    let project = recording::project(BOTH, "");
    let mut client = project.proxy(AGENT, "rec");
    for stated in [json!(101), json!(-1), json!(256), json!(0.5), json!("high"), json!(null), json!([1])] {
        let answer = client.call("wipe", json!({"purpose": "p", "confidence": stated}));
        assert_eq!(sentence(&answer), "the argument `confidence` is not a whole number from 0 to 100", "{stated}");
    }
    assert_eq!(received(&project), []);
    assert!(is_done(&client.call("wipe", json!({"purpose": "p", "confidence": 100}))));
    assert_eq!(received(&project), [("wipe".to_owned(), json!({}))]);
}

#[test]
fn low_confidence_asks_for_effects_and_denies_irreversible_ones() {
    let project = recording::project(BOTH, "");
    let mut client = project.proxy(AGENT, "rec");
    let mut call = |tool: &str, confidence: u64| client.call(tool, json!({"purpose": "p", "confidence": confidence}));
    assert!(is_done(&call("look", 0)), "what only reads runs");
    for confidence in [0, 49] {
        let (asked, denied) = (call("put", confidence), call("wipe", confidence));
        let said = |answer: &Value| (refusal(answer)["verdict"].clone(), rule(answer).to_owned());
        assert_eq!(said(&asked), (json!("ask"), "shipped/uncertain".to_owned()), "{asked}");
        assert_eq!(said(&denied), (json!("deny"), "shipped/uncertain".to_owned()), "{denied}");
        assert!(text(&denied).contains("the agent is uncertain about this call"), "{denied}");
    }
    assert_eq!((calls(&project, "put"), calls(&project, "wipe")), (0, 0));
    assert!(is_done(&call("put", 50)) && is_done(&call("wipe", 50)), "the edge is not below it");
    let silent = client.call("wipe", json!({"purpose": "p"}));
    assert!(is_done(&silent), "{silent}");
    let decisions = project.events_of("policy.decision");
    let uncertain = decisions.iter().filter(|event| event["reasons"][0]["rule"] == "shipped/uncertain");
    assert_eq!(uncertain.count(), 4, "{decisions:#?}");
}

#[test]
fn policies_and_approvers_see_what_was_stated() {
    let project = recording::project(BOTH, "");
    let guard = "@id(\"guards/idle-talk\")\n@reason(\"not for idle talk\")\nforbid (principal, action, resource)\nwhen { \
                 context.call has purpose && context.call.purpose like \"*curious*\" };\n";
    project.write("mortise/policies/guards.cedar", guard);
    let mut client = project.hosted(AGENT, "rec");
    enroll(&project, "ada");
    assert_eq!(rule(&client.call("look", json!({"purpose": "I am curious"}))), "guards/idle-talk");
    assert!(is_done(&client.call("look", json!({"purpose": "the user wants it"}))));

    let call = client.call("put", json!({"purpose": "the \u{1b}[31muser", "confidence": 10, "text": "a"}));
    assert_eq!(refusal(&call)["approval"], "pending", "{call}");
    let shown = project.ok(&["approvals", "show", &waiting_id(&project)]);
    let line = shown.lines().find(|line| line.contains("the agent says (unverified)"));
    assert!(line.is_some_and(|line| line.contains("user") && !line.contains('\u{1b}')), "{shown}");
    let arguments = project.json(&["approvals", "show", &waiting_id(&project)])["arguments"].clone();
    assert_eq!(arguments, json!({"text": "a"}), "what would run");
}
