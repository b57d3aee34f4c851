//! What a server sees of the environment: what its file names, and nothing else.

use harness::Project;
use harness::real::{AGENT, RealServer, govern};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn a_server_sees_declared_variables_only() {
    let project = Project::empty();
    govern(&project, &[RealServer::everything("all").env("DECLARED", "yes")]);
    let proxy = ["proxy", "--agent", AGENT, "--server", "all"];
    let mut command = project.command(&proxy);
    // The gateway is started by this shim, and inherits its environment.
    command.env("HOME", "/somewhere").env("UNDECLARED_SECRET", "s3cret").env("NODE_OPTIONS", "--no-warnings");
    let mut client = harness::StdioClient::start(&mut command);
    client.initialize();
    let answer = client.call("get-env", json!({}));
    let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"));
    let seen: Value = serde_json::from_str(text).expect("a JSON object");
    let names: BTreeSet<&str> = seen.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["DECLARED", "HOME", "PATH"]), "{text}");
    assert_eq!((&seen["DECLARED"], &seen["HOME"]), (&json!("yes"), &json!("/somewhere")));
    assert!(!text.contains("s3cret"));
}
