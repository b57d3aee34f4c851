//! What only a started server can do.

use super::{OWN, PROBE, Transport, settings, soon};
use canon::json::Limits;
use enforce::{Live, Lost, Route};
use gateway::connections::{Ended, Link};
use gateway::guardian::{Command, Guardian};
use gateway::jsonrpc::Outcome;
use gateway::upstream::{Reach, Server, UpstreamError, connect};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vocab::id::{AgentId, CallId, ServerId, SessionId, Tenant, ToolName};
use vocab::{Authn, Call, CallParts, Operation, Principal, Target, Untrusted};

/// The probe with arguments.
pub fn command(args: &[&str]) -> Command {
    Command {
        label: "test".into(),
        program: PROBE.into(),
        args: args.iter().map(Into::into).collect(),
        env: std::iter::empty().collect(),
        cwd: None,
    }
}

fn shell(script: &str) -> Server {
    settings(Reach::Start(Command { program: "sh".into(), ..command(&["-c", script]) }))
}

async fn refused(server: &Server) -> UpstreamError {
    connect(&Guardian::at(PROBE), server, OWN).await.unwrap_err()
}

async fn gone(pid: u32) {
    let start = Instant::now();
    while std::path::Path::new(&format!("/proc/{pid}")).exists() {
        assert!(start.elapsed() < Duration::from_secs(30), "still there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_server_that_does_not_start_says_why() {
    let missing = Command { program: "no-such-server".into(), ..command(&[]) };
    let error = refused(&settings(Reach::Start(missing))).await;
    assert_eq!(error, UpstreamError::NotStarted { reason: "it ended with code 127".into() });
    let error = refused(&shell("exit 3")).await;
    assert_eq!(error, UpstreamError::NotStarted { reason: "it ended with code 3".into() });
}

#[tokio::test]
async fn a_server_that_never_shakes_hands_runs_into_the_start_timeout_and_is_gone() {
    let server = Server { start_timeout: Duration::from_millis(200), ..shell("cat >/dev/null; sleep 300") };
    assert_eq!(refused(&server).await, UpstreamError::Timeout { dispatched: true });
    // Its answer would be its pid, were anybody to wait for it.
}

#[tokio::test]
async fn a_version_nobody_knows_fails_the_handshake() {
    let answer = r#"read line; echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"1999-01-01"}}'; sleep 300"#;
    let error = refused(&shell(answer)).await;
    assert_eq!(error, UpstreamError::Handshake { reason: "the server speaks protocol version `1999-01-01`".into() });
}

#[tokio::test]
async fn a_server_that_only_talks_is_garbage() {
    let error = refused(&shell("yes | tr -d '\\n'")).await;
    assert_eq!(error, UpstreamError::Garbage { reason: "line longer than 4096 bytes".into(), dispatched: true });
    let error = refused(&shell("echo Server ready; sleep 300")).await;
    assert!(matches!(error, UpstreamError::Garbage { .. }), "{error:?}");
}

#[tokio::test]
async fn death_ends_every_open_request() {
    let peer = Transport::Stdio.connect(OWN).await;
    let silent: Vec<_> = (0..3)
        .map(|_| {
            let up = peer.up.clone();
            tokio::spawn(async move { up.request("silent", None, soon(), None).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(peer.ask("die", "{}").await.is_err());
    for call in silent {
        assert_eq!(call.await.unwrap(), Err(UpstreamError::Died { dispatched: true }));
    }
    assert_eq!(peer.ask("echo", "{}").await, Err(UpstreamError::Died { dispatched: false }));
}

#[tokio::test]
async fn the_server_ends_with_the_last_handle_and_with_garbage() {
    for method in ["echo", "garbage"] {
        let peer = Transport::Stdio.connect(OWN).await;
        let Ok(Outcome::Result(pid)) = peer.ask("pid", "{}").await else { panic!("no pid") };
        let pid = String::from_utf8_lossy(&pid).parse().unwrap();
        // After garbage the handle lives on, and the server does not.
        let kept = peer.ask(method, "{}").await.is_err().then_some(peer);
        gone(pid).await;
        drop(kept);
    }
}

#[tokio::test]
async fn a_server_that_does_not_read_times_out_its_callers_only() {
    let answer = r#"read line; echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25"}}'; sleep 300"#;
    let connected = connect(&Guardian::at(PROBE), &shell(answer), OWN).await.unwrap();
    let text = format!("{{\"x\":\"{}\"}}", "x".repeat(3000));
    let calls = (0..200).map(|_| {
        let (up, text) = (connected.upstream.clone(), text.clone());
        let deadline = tokio::time::Instant::now() + Duration::from_millis(300);
        tokio::spawn(async move { up.request("echo", Some(text.as_bytes()), deadline, None).await })
    });
    let mut undispatched = 0;
    for call in calls.collect::<Vec<_>>() {
        let error = call.await.unwrap().unwrap_err();
        assert!(matches!(error, UpstreamError::Timeout { .. }), "{error:?}");
        undispatched += usize::from(!error.dispatched());
    }
    assert!(undispatched > 0, "the queue has no bound");
}

/// A server with one tool, which ends when it is told anything after its tools were listed.
const ENDS: &str = r#"
read line; echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}}'
read line; read line; echo '{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"say"}]}}'
read line"#;

#[tokio::test]
async fn a_call_to_a_server_that_ended_is_not_sent_and_its_tools_have_not_changed() {
    let connected = connect(&Guardian::at(PROBE), &shell(ENDS), OWN).await.unwrap();
    let server = ServerId::new("files");
    let link = Link::start(server.clone(), connected, Duration::from_secs(5), "/w".into(), Limits::default(), false);
    link.know_tools().await.unwrap();
    let of = |tool: &str| Target { server: server.clone(), operation: Operation::Tool(ToolName::new(tool)) };
    let before = link.live(&ToolName::new("say"));
    assert!(matches!(before, Live::Definition(_)));
    link.upstream.notify("notifications/cancelled", None).await.unwrap();
    assert_eq!(link.upstream.closed().await, UpstreamError::Died { dispatched: true });

    let route = Ended { link: Arc::clone(&link), reason: "server `files` has ended".to_owned() };
    assert_eq!((route.live(&of("say")), route.live(&of("sing"))), (before, Live::Absent));
    assert_eq!(route.working_directory(), "/w");
    let call = Call::new(CallParts {
        id: CallId::new("1"),
        tenant: Tenant::default(),
        principal: Principal { agent: AgentId::new("bot"), parents: Vec::new(), user: None, authn: Authn::Local },
        session: SessionId::new("s"),
        run: None,
        target: of("say"),
        arguments: Untrusted::new(serde_json::json!({})),
        purpose: None,
        confidence: None,
        received_us: 1,
    });
    assert_eq!(route.send(&call).await, Err(Lost::NotSent("server `files` has ended".to_owned())));
}
