//! The Rust library as a client. Its build takes about a minute, so that it has a feature of its own: `rust-client`.

use harness::real::{AGENT, RealServer, govern};
use harness::{Project, mortise};
use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::TokioChildProcess;
use serde_json::json;

#[test]
fn rust_library_over_stdio() {
    let project = Project::empty();
    govern(&project, &[RealServer::everything("all")]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut command = tokio::process::Command::new(mortise());
        command.args(["proxy", "--agent", AGENT, "--server", "all"]).current_dir(project.root());
        command.env("MORTISE_STATE_DIR", project.state_base());
        let transport = TokioChildProcess::new(command).expect("a started shim");
        let client = ().serve(transport).await.expect("a handshake");
        let tools = client.list_all_tools().await.expect("a list");
        assert!(tools.iter().any(|tool| tool.name == "echo"), "{tools:?}");
        let arguments = json!({"message": "from Rust"}).as_object().cloned().expect("an object");
        let called = client.call_tool(CallToolRequestParams::new("echo").with_arguments(arguments)).await;
        let called = serde_json::to_value(called.expect("a result")).expect("JSON");
        assert_eq!(called["content"][0]["text"], "Echo: from Rust", "{called}");
        let refused = client.call_tool(CallToolRequestParams::new("no_such_tool")).await;
        let refused = serde_json::to_value(refused.expect("a result")).expect("JSON");
        assert_eq!(refused["isError"], true, "{refused}");
        client.cancel().await.expect("an end");
    });
}
