//! `mortise proxy -- COMMAND`: the line of a client's configuration, with the server's own command after it.

use super::{BOT, is_done, text};
use harness::Project;
use harness::StdioClient;
use serde_json::{Value, json};

const DESK: [&str; 4] = ["--", "mortise", "example-server", "desk"];

fn started(project: &Project, args: &[&str]) -> StdioClient {
    let mut client = StdioClient::start(&mut project.command(&[&["proxy"], args].concat()));
    client.initialize();
    client
}

#[test]
fn a_declared_servers_command_is_recognised() {
    let project = Project::example("support-desk");
    let search = json!({"query": "cached", "status": "open"});
    for named in [["--agent", BOT].as_slice(), &["--agent", BOT, "--server", "desk"]] {
        let mut client = started(&project, &[named, &DESK].concat());
        let answer = client.call("search_tickets", search.clone());
        assert!(is_done(&answer) && !text(&answer).is_empty(), "{answer}");
    }
    let calls = project.events_of("tool.result");
    let column = |name: &str| calls.iter().map(|event| event[name].clone()).collect::<Vec<Value>>();
    assert_eq!(column("server"), ["desk", "desk"]);
    assert_eq!(column("tool_name"), ["search_tickets", "search_tickets"]);
    assert_eq!((column("agent"), column("outcome")), (vec![json!(BOT); 2], vec![json!("ok"); 2]));
    let servers = project.events_of("server.started");
    assert!(servers.len() == 2 && servers.iter().all(|event| event["server"] == "desk"), "{servers:#?}");
    project.ok(&["trace", "verify"]);
}

#[test]
fn another_servers_command_is_another_server() {
    let project = Project::example("support-desk");
    let mut client = started(&project, &["--agent", BOT, "--", "mortise", "example-server", "mailer"]);
    assert!(is_done(&client.call("send_mail", super::mail("lin@fabrikam.example", "hello"))));
    // A name and a command that do not belong together are neither.
    let mixed = project.run(&[["proxy", "--agent", BOT, "--server", "mailer"].as_slice(), &DESK].concat());
    assert_eq!((mixed.code, mixed.stdout.as_str()), (12, ""), "{mixed:?}");
    assert!(mixed.stderr.contains("no declared server has this start command"), "{mixed:?}");
    let servers = project.events_of("server.started");
    assert!(servers.len() == 1 && servers[0]["server"] == "mailer", "{servers:#?}");
}
