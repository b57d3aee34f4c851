//! The scripted agent: an MCP client like any other, over HTTP with its run token.

use super::script::STORY;
use crate::failure::{Failure, Outcome};
use gateway::connections::Pool;
use gateway::guardian::Guardian;
use gateway::upstream::{Reach, Server, connect, http::Endpoint};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;
use vocab::Exit;

/// How long one call may take, a person's answer included.
const CALL_WAIT: Duration = Duration::from_secs(60);

/// Makes the calls of the story, in order, whatever becomes of them.
pub fn run() -> Outcome {
    let variable = |name: &str| {
        std::env::var(name).map_err(|_| {
            Failure::new(Exit::Usage, format!("`{name}` is not set")).with_help("this is started by `mortise demo`")
        })
    };
    let (url, token) = (variable("MORTISE_MCP_URL")?, variable("MORTISE_RUN_TOKEN")?);
    let bearer = format!("Bearer {token}");
    let endpoint = Endpoint::new(&url, [("authorization", bearer.as_str())])
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let server = Server {
        name: "mortise".to_owned(),
        reach: Reach::Http(endpoint),
        start_timeout: CALL_WAIT,
        max_message_bytes: gateway::upstream::DEFAULT_MESSAGE_BYTES,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let broken = |error: gateway::upstream::UpstreamError| Failure::new(Exit::Internal, error.to_string());
        let connected = connect(&Guardian::new()?, &server, Pool::own_hello()).await.map_err(broken)?;
        for step in STORY {
            let arguments: Value = serde_json::from_str(step.arguments)
                .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
            let params = json!({ "name": step.tool, "arguments": arguments }).to_string();
            let deadline = Instant::now() + CALL_WAIT;
            connected.upstream.request("tools/call", Some(params.as_bytes()), deadline, None).await.map_err(broken)?;
        }
        connected.upstream.close().await;
        Ok(Exit::Ok)
    })
}
