//! One run of an agent is one session, however many processes and connections it uses.

use super::{BOT, is_done, mail, rule};
use harness::{HttpClient, Project, StdioClient};
use serde_json::{Value, json};

fn read_tickets(desk: &mut StdioClient) {
    assert!(is_done(&desk.call("search_tickets", json!({"query": "cached", "status": "open"}))));
}

fn to_stranger() -> Value {
    mail("stranger@elsewhere.example", "hello")
}

/// What `mortise run` gives an agent: the address and the run token.
fn begin_run(project: &Project) -> (String, String) {
    let said = project.ok(&["run", "--agent", BOT, "--", "sh", "-c", "echo $MORTISE_MCP_URL $MORTISE_RUN_TOKEN"]);
    let (url, token) = said.trim().split_once(' ').expect("two words");
    (url.to_owned(), token.to_owned())
}

fn with_token(project: &Project, server: &str, token: &str) -> StdioClient {
    let mut shim = project.hosted_raw(&["--server", server], &[("MORTISE_RUN_TOKEN", token)]);
    shim.initialize();
    shim
}

#[test]
fn what_was_read_on_one_server_decides_on_another() {
    let project = Project::example("support-desk");
    let (mut desk, mut mailer) = (project.proxy(BOT, "desk"), project.proxy(BOT, "mailer"));
    assert!(is_done(&mailer.call("send_mail", to_stranger())));
    read_tickets(&mut desk);
    assert_eq!(rule(&mailer.call("send_mail", to_stranger())), "guards/private-data-stays");
    assert!(is_done(&mailer.call("send_mail", mail("lin@fabrikam.example", "hello"))));
    let mut sessions: Vec<String> =
        project.events_of("tool.intent").iter().map(|event| event["session"].to_string()).collect();
    sessions.dedup();
    assert_eq!((sessions.len(), project.events_of("session.start").len()), (1, 1));
}

#[test]
fn neither_a_second_handshake_nor_a_new_shim_forgets() {
    let project = Project::example("support-desk");
    let mut desk = project.proxy(BOT, "desk");
    read_tickets(&mut desk);
    drop(desk);
    let mut mailer = project.proxy(BOT, "mailer");
    assert_eq!(rule(&mailer.call("send_mail", to_stranger())), "guards/private-data-stays");
    let again = mailer.initialize();
    assert!(again.get("error").is_some(), "{again}");
    assert_eq!(rule(&mailer.call("send_mail", to_stranger())), "guards/private-data-stays");
    // Another host, another client name: still the same agent of the same user.
    let mut other = project.hosted_raw(&["--agent", BOT, "--server", "mailer"], &[("MORTISE_SESSION", "fresh")]);
    other.request(
        "initialize",
        json!({"protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "somebody else", "version": "9"}}),
    );
    assert_eq!(rule(&other.call("send_mail", to_stranger())), "guards/private-data-stays");
}

#[test]
fn runs_are_apart_and_each_is_one() {
    let project = Project::example("support-desk");
    let (url, first) = begin_run(&project);
    let (_, second) = begin_run(&project);
    read_tickets(&mut with_token(&project, "desk", &first));
    let mut http = HttpClient::new(&url, &first);
    http.initialize();
    assert_eq!(
        rule(&http.call("send_mail", to_stranger())),
        "guards/private-data-stays",
        "over HTTP it is the same run"
    );
    let mut http = HttpClient::new(&url, &first);
    http.initialize();
    assert_eq!(
        rule(&http.call("send_mail", to_stranger())),
        "guards/private-data-stays",
        "an MCP session is no session"
    );
    assert_eq!(
        rule(&with_token(&project, "mailer", &first).call("send_mail", to_stranger())),
        "guards/private-data-stays"
    );
    assert!(is_done(&with_token(&project, "mailer", &second).call("send_mail", to_stranger())));
    assert!(is_done(&project.proxy(BOT, "mailer").call("send_mail", to_stranger())));
    let runs: std::collections::BTreeSet<String> =
        project.events_of("tool.intent").iter().map(|event| event["run"].to_string()).collect();
    assert_eq!(runs.len(), 3, "{runs:?}");
}

#[test]
fn a_token_says_who_calls_and_a_forged_one_is_nobodys() {
    let project = Project::example("support-desk");
    let (url, token) = begin_run(&project);
    // The token wins over `--agent`, so that an agent cannot leave its run by naming itself.
    let mut shim = project.hosted_raw(&["--agent", BOT, "--server", "desk"], &[("MORTISE_RUN_TOKEN", &token)]);
    shim.initialize();
    read_tickets(&mut shim);
    assert_eq!(project.events_of("tool.intent")[0]["authn"], "run_token");
    let middle = token.len() / 2;
    let other = if token.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let forged = format!("{}{other}{}", &token[..middle], &token[middle + 1..]);
    let mut refused = project.hosted_raw(&["--agent", BOT, "--server", "desk"], &[("MORTISE_RUN_TOKEN", &forged)]);
    assert_eq!((refused.next_frame(), refused.wait()), (None, 12));
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}).to_string();
    assert_eq!(HttpClient::new(&url, &forged).post(body.as_bytes()).status, 401);
}
