//! The gateway's end of a connection.

use super::evidence::{self, Deed};
use super::protocol::{Hello, MAX_LINE_BYTES, PROTOCOL, Request, Response};
use super::{configuration, exports, keys, people};
use crate::intercept::mcp_stdio;
use crate::process::Gateway;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use vocab::Secret;
use vocab::event::Kind;
use vocab::id::{Digest, RunId, ServerId, UserId};

/// What a gateway knows of the process at the other end.
#[derive(Clone, Copy)]
struct Peer {
    pid: Option<u32>,
    uid: u32,
}

/// Serves one connection until it ends.
pub async fn serve_connection(gateway: Arc<Gateway>, stream: UnixStream) {
    let Ok(credentials) = stream.peer_cred() else { return };
    let peer = Peer { pid: credentials.pid().and_then(|pid| u32::try_from(pid).ok()), uid: credentials.uid() };
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let Some(line) = read_line(&mut reader).await else { return };
    match serde_json::from_str::<Hello>(&line) {
        Ok(Hello::Control { protocol }) if protocol == PROTOCOL => {
            while let Some(line) = read_line(&mut reader).await {
                let response = match serde_json::from_str::<Request>(&line) {
                    Ok(request) => answer(&gateway, peer, request).await,
                    Err(_) => Response::refused("control/request", "the request is not understood", ""),
                };
                let Ok(mut line) = serde_json::to_vec(&response) else { return };
                line.push(b'\n');
                if writer.write_all(&line).await.is_err() {
                    return;
                }
            }
        }
        Ok(Hello::Proxy { protocol, agent, run_token, server, command }) if protocol == PROTOCOL => {
            let welcome = welcome(&gateway, peer, agent.as_deref(), run_token.as_deref(), server.as_deref(), &command);
            let (response, admitted) = match welcome {
                Ok(admitted) => (Response::Ok(json!({ "server": admitted.1.as_str() })), Some(admitted)),
                Err(refusal) => (*refusal, None),
            };
            let Ok(mut line) = serde_json::to_vec(&response) else { return };
            line.push(b'\n');
            if writer.write_all(&line).await.is_err() {
                return;
            }
            if let Some((caller, server)) = admitted {
                gateway.busy.fetch_add(1, Ordering::Relaxed);
                if let Some(pid) = peer.pid {
                    gateway.callers.govern_host_of(pid);
                }
                mcp_stdio::serve(Arc::clone(&gateway.shared), caller, server, reader, writer).await;
                gateway.busy.fetch_sub(1, Ordering::Relaxed);
            }
        }
        _ => {
            let refused = Response::refused(
                "control/version",
                "the gateway that runs is of another version of Mortise",
                "end it with the old version, or wait until it ends by itself",
            );
            if let Ok(mut line) = serde_json::to_vec(&refused) {
                line.push(b'\n');
                let _ = writer.write_all(&line).await;
            }
        }
    }
}

/// Reads one line; `None` at the end, or when it is longer than anything that is said here.
async fn read_line(reader: &mut (impl AsyncBufRead + Unpin)) -> Option<String> {
    let mut line = Vec::new();
    let limit = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX);
    let read = reader.take(limit).read_until(b'\n', &mut line).await.ok()?;
    if read == 0 || line.last() != Some(&b'\n') {
        return None;
    }
    String::from_utf8(line).ok()
}

/// Who a shim stands for, and which server it stands in front of.
fn welcome(
    gateway: &Gateway,
    peer: Peer,
    agent: Option<&str>,
    run_token: Option<&str>,
    server: Option<&str>,
    command: &[String],
) -> Result<(crate::intercept::mcp::Caller, ServerId), Box<Response>> {
    let snapshot = gateway.shared.pipeline.snapshot();
    let now_us = gateway.shared.pipeline.recorder().clock().now();
    let caller = match (run_token, agent) {
        (Some(token), _) => gateway.callers.run(token, &snapshot, now_us),
        (None, Some(agent)) => gateway.callers.local(agent, peer.uid, &snapshot),
        (None, None) => Err(crate::process::CallerError::Nobody),
    };
    let caller = caller.map_err(|error| {
        let help = "start it with `--agent NAME`, an agent of `mortise/agents/`, or under `mortise run`";
        Box::new(Response::refused("caller/nobody", error.to_string(), help))
    })?;
    let servers = &snapshot.project.servers;
    let found = match server {
        Some(name) => servers.get(&ServerId::new(name)).filter(|server| command.is_empty() || starts(server, command)),
        None => servers.values().find(|server| starts(server, command)),
    };
    let server = found.ok_or_else(|| {
        let help = "declare it in `mortise/tools/<server>.toml` with exactly this command, then run `mortise lock`";
        Box::new(Response::refused("server/undeclared", "no declared server has this start command", help))
    })?;
    Ok((caller, server.id.clone()))
}

/// Whether a server's declared start command is this one.
fn starts(server: &govern::project::Server, command: &[String]) -> bool {
    match &server.access {
        govern::project::Access::Start(start) => command
            .split_first()
            .is_some_and(|(program, args)| *program == start.command && args == start.args.as_slice()),
        govern::project::Access::Reach(_) => false,
    }
}

async fn answer(gateway: &Arc<Gateway>, peer: Peer, request: Request) -> Response {
    if peer.uid != rustix::process::geteuid().as_raw() {
        return Response::refused("control/peer", "you are another user than the gateway", "");
    }
    if !request.is_open_to_governed() && gateway.callers.is_governed(peer.pid) {
        record_rejected(gateway, peer, &request).await;
        let help = "answer from a terminal that no agent was started from";
        return Response::refused("control/governed", "this process is under an agent's control", help);
    }
    match request {
        Request::Status => Response::Ok(status(gateway)),
        Request::Reload => configuration::reload(gateway).await,
        Request::Shutdown => {
            gateway.stop();
            Response::Ok(json!({}))
        }
        Request::Listen { address } => listen(gateway, address).await,
        Request::RunBegin { agent, parent } => run_begin(gateway, peer, &agent, parent.as_deref()).await,
        Request::Approvals => Response::Ok(people::approvals(gateway)),
        Request::ApprovalShow { id } => people::show(gateway, &id),
        Request::ApprovalAnswer { id, approver, secret, approve, reason } => {
            let (approver, secret) = (UserId::new(approver), Secret::new(secret));
            people::answer_approval(gateway, &id, &approver, secret, approve, &reason).await
        }
        Request::Enroll { approver, secret, present } => people::enroll(gateway, approver, secret, present).await,
        Request::PolicyPending => Response::Ok(configuration::pending(gateway.configuration.waiting())),
        Request::PolicyAccept { approver, secret, reason, candidate } => {
            let (approver, secret) = (UserId::new(approver), Secret::new(secret));
            configuration::accept(gateway, &approver, secret, &reason, &Digest::new(candidate)).await
        }
        Request::AccessRead { subject, payloads, reason } => {
            evidence::access_read(gateway, peer.uid, &subject, payloads, &reason).await
        }
        Request::Prune => evidence::prune(gateway).await,
        Request::Erase { user, approver, secret, reason } => {
            let (approver, secret) = (UserId::new(approver), Secret::new(secret));
            evidence::decide(gateway, &approver, secret, &reason, Deed::Erase { user }).await
        }
        Request::Hold { name, release, approver, secret, reason } => {
            let (approver, secret) = (UserId::new(approver), Secret::new(secret));
            let deed = if release { Deed::Release { name } } else { Deed::Hold { name } };
            evidence::decide(gateway, &approver, secret, &reason, deed).await
        }
        Request::KeysRotate { reason, overlap_entries, overlap_s } => {
            let overlap = store::Overlap { entries: overlap_entries, seconds: overlap_s };
            keys::rotate(gateway, &reason, overlap).await
        }
        Request::AgentKey { agent } => agent_key(gateway, &agent),
        Request::Exported(exported) => exports::record(gateway, &exported).await,
    }
}

fn status(gateway: &Gateway) -> Value {
    let snapshot = gateway.shared.pipeline.snapshot();
    json!({
        "version": vocab::MORTISE_VERSION,
        "pid": std::process::id(),
        "project": snapshot.project.settings.name,
        "revision": snapshot.revision(),
        "policy_bundle": snapshot.bundle.digest(),
        "dev": snapshot.dev,
        "on_demand": gateway.options.on_demand,
        "listening": gateway.listening().map(|address| format!("http://{address}/mcp")),
        "log_size": gateway.log.size(),
        "log_failure": gateway.log.failure().map(|failure| failure.to_string()),
        "sessions": gateway.shared.pipeline.sessions().len(),
        "servers": gateway.shared.pool.len(),
        "waiting_configuration": gateway.configuration.waiting().is_some(),
        "witnesses": witnesses(gateway),
        "retention": evidence::retention(gateway),
        "sinks": gateway.sinks.describe(gateway.log.size()),
        "state": gateway.state.path(),
    })
}

/// How far each witness has cosigned the log, when, and how much came since: what could be missing unseen.
fn witnesses(gateway: &Gateway) -> Vec<Value> {
    let snapshot = gateway.shared.pipeline.snapshot();
    let (dir, size) = (gateway.state.log(), gateway.log.size());
    let uncosigned = gateway.uncosigned().clone();
    let describe = |(name, witness): (&String, &govern::project::Witness)| {
        let found = store::cosigned(&dir, &witness.key).ok().flatten();
        json!({
            "name": name,
            "every_s": witness.every_s,
            "cosigned": found.map(|found| found.size),
            "time_s": found.map(|found| found.time),
            "since": found.map_or(size, |found| size.saturating_sub(found.size)),
            "failure": uncosigned.get(name),
        })
    };
    snapshot.project.settings.log.witnesses.iter().map(describe).collect()
}

async fn listen(gateway: &Arc<Gateway>, address: Option<String>) -> Response {
    let parsed = match address.as_deref().map(str::parse).transpose() {
        Ok(parsed) => parsed,
        Err(_) => return Response::refused("listen/address", "not an `address:port`", ""),
    };
    match gateway.listen(parsed).await {
        Ok(bound) => Response::Ok(json!({ "url": format!("http://{bound}/mcp") })),
        Err(error) => Response::refused("listen/bind", error.to_string(), "choose another address with `--listen`"),
    }
}

async fn run_begin(gateway: &Arc<Gateway>, peer: Peer, agent: &str, parent: Option<&str>) -> Response {
    let url = match gateway.listen(None).await {
        Ok(bound) => format!("http://{bound}/mcp"),
        Err(error) => return Response::refused("listen/bind", error.to_string(), ""),
    };
    let pipeline = &gateway.shared.pipeline;
    let clock = pipeline.recorder().clock();
    let run = RunId::new(store::id::new_uuid7(clock));
    match gateway.callers.begin_run(agent, parent, &pipeline.snapshot(), run, clock.now()) {
        Ok(started) => {
            // What descends from the process that asked is the agent.
            if let Some(pid) = peer.pid {
                gateway.callers.govern_pid(pid);
            }
            Response::Ok(json!({ "token": started.token.expose(), "run": started.run, "url": url }))
        }
        Err(error) => {
            Response::refused("run/refused", error.to_string(), "agents are declared in `mortise/agents/NAME.toml`")
        }
    }
}

fn agent_key(gateway: &Gateway, agent: &str) -> Response {
    let pipeline = &gateway.shared.pipeline;
    let now_us = pipeline.recorder().clock().now();
    match gateway.callers.issue_key(agent, &pipeline.snapshot(), now_us) {
        Ok(key) => Response::Ok(json!({ "agent": agent, "key": key.expose() })),
        Err(error) => Response::refused("agent/key", error.to_string(), "agents are declared in `mortise/agents/`"),
    }
}

/// An attempt by somebody who may not is worth an event.
async fn record_rejected(gateway: &Gateway, peer: Peer, request: &Request) {
    let what = match request {
        Request::ApprovalAnswer { .. } => "answer an approval",
        Request::Enroll { .. } => "set an approver's secret",
        Request::PolicyAccept { .. } => "accept a configuration",
        Request::Shutdown => "end the gateway",
        Request::AgentKey { .. } => "make an agent key",
        Request::Exported(_) => "export the log",
        Request::KeysRotate { .. } => "rotate the log's key",
        _ => "use the control socket",
    };
    let pid = peer.pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string());
    record_text(gateway, Kind::ApprovalRejected, &format!("governed process {pid} tried to {what}")).await;
}

pub(super) async fn record_text(gateway: &Gateway, kind: Kind, text: &str) {
    let recorder = gateway.shared.pipeline.recorder();
    let mut event = recorder.event(kind);
    event.text = Some(text.chars().take(500).collect());
    if let Err(error) = recorder.durable(&[event]).await {
        tracing::error!(%error, "attempt could not be recorded");
    }
}
