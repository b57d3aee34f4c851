//! The gateway's end of a connection.

use super::protocol::{Hello, MAX_LINE_BYTES, PROTOCOL, Request, Response};
use crate::intercept::mcp_stdio;
use crate::process::{ConfigurationError, Edit, Gateway, Waiting};
use govern::approval::{Approval, Say, State};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use vocab::event::Kind;
use vocab::id::{ApprovalId, Digest, RunId, ServerId, UserId};
use vocab::{Diagnostic, Secret};

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
        Request::Reload => reload(gateway).await,
        Request::Shutdown => {
            gateway.stop();
            Response::Ok(json!({}))
        }
        Request::Listen { address } => listen(gateway, address).await,
        Request::RunBegin { agent, parent } => run_begin(gateway, peer, &agent, parent.as_deref()).await,
        Request::Approvals => Response::Ok(approvals(gateway)),
        Request::ApprovalShow { id } => show(gateway, &id),
        Request::ApprovalAnswer { id, approver, secret, approve, reason } => {
            let (approver, secret) = (UserId::new(approver), Secret::new(secret));
            answer_approval(gateway, &id, &approver, secret, approve, &reason).await
        }
        Request::Enroll { approver, secret, present } => enroll(gateway, approver, secret, present).await,
        Request::PolicyPending => Response::Ok(pending(gateway.configuration.waiting())),
        Request::PolicyAccept { approver, secret, reason, candidate } => {
            let (approver, secret) = (UserId::new(approver), Secret::new(secret));
            accept(gateway, &approver, secret, &reason, &Digest::new(candidate)).await
        }
        Request::AgentKey { agent } => agent_key(gateway, &agent),
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
        "state": gateway.state.path(),
    })
}

async fn reload(gateway: &Gateway) -> Response {
    match gateway.look().await {
        Ok(edit) => Response::Ok(match edit {
            // Seen before, and as wrong as then: the files are not what is in force.
            Edit::None if !gateway.configuration.refused().is_empty() => {
                json!({ "edit": "refused", "diagnostics": gateway.configuration.refused() })
            }
            Edit::None => json!({ "edit": "none" }),
            Edit::Applied { change, .. } => {
                json!({ "edit": "applied", "tightens": change.tightens, "loosens": change.loosens })
            }
            Edit::Waits(change) => json!({ "edit": "waits", "tightens": change.tightens, "loosens": change.loosens }),
            Edit::Refused(diagnostics) => json!({ "edit": "refused", "diagnostics": diagnostics }),
        }),
        Err(error) => Response::refused("config/read", error.to_string(), "run `mortise check`"),
    }
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

fn approvals(gateway: &Gateway) -> Value {
    gateway.shared.pipeline.approvals(|all| all.map(summary).collect())
}

fn summary(approval: &Approval) -> Value {
    json!({
        "id": approval.id,
        "state": approval.state,
        "agent": approval.asked.agent,
        "action": approval.asked.action,
        "session": approval.asked.session,
        "user": approval.asked.user,
        "tier": approval.asked.tier,
        "rules": approval.asked.guards.iter().map(|guard| guard.rule.as_str()).collect::<Vec<_>>(),
        "approvers": approval.asked.approvers,
        "quorum": approval.asked.quorum,
        "requested_us": approval.requested_us,
        "expires_us": approval.expires_us,
        "answers": approval.answers.iter().map(|answer| json!({
            "approver": answer.approver, "say": answer.say, "reason": answer.reason, "at_us": answer.at_us,
        })).collect::<Vec<_>>(),
    })
}

fn show(gateway: &Gateway, id: &str) -> Response {
    let id = match find(gateway, id) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    let pipeline = &gateway.shared.pipeline;
    let summary = pipeline.approvals(|mut all| Iterator::find(&mut all, |approval| approval.id == id).map(summary));
    let call = pipeline.stored_call(&id);
    let Some(mut shown) = summary else {
        return Response::refused("approval/unknown", "there is no such approval", "");
    };
    if let (Some(call), Some(shown)) = (call, shown.as_object_mut()) {
        shown.insert("arguments".to_owned(), call.arguments.examine().clone());
        let purpose = call.purpose.as_ref().map(|purpose| purpose.examine().clone());
        shown.insert("purpose_claimed".to_owned(), purpose.into());
        shown.insert("call".to_owned(), call.id.as_str().into());
    }
    Response::Ok(shown)
}

/// The approval an id, or the unique beginning of one, names.
fn find(gateway: &Gateway, id: &str) -> Result<ApprovalId, Box<Response>> {
    let found: Vec<ApprovalId> = gateway.shared.pipeline.approvals(|all| {
        let all: Vec<&Approval> = all.collect();
        match all.iter().find(|approval| approval.id.as_str() == id) {
            Some(exact) => vec![exact.id.clone()],
            None => all.iter().filter(|a| a.id.as_str().starts_with(id)).map(|a| a.id.clone()).collect(),
        }
    });
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Box::new(Response::refused(
            "approval/unknown",
            "there is no such approval",
            "see `mortise approvals ls`",
        ))),
        _ => Err(Box::new(Response::refused(
            "approval/ambiguous",
            "several approvals begin like that",
            "give more of the id",
        ))),
    }
}

async fn answer_approval(
    gateway: &Arc<Gateway>,
    id: &str,
    approver: &UserId,
    secret: Secret<String>,
    approve: bool,
    reason: &str,
) -> Response {
    let id = match find(gateway, id) {
        Ok(id) => id,
        Err(refused) => return *refused,
    };
    if let Err(refused) = verify(gateway, approver, secret).await {
        return *refused;
    }
    let say = if approve { Say::Approve } else { Say::Refuse };
    match gateway.shared.pipeline.answer(&id, approver, say, reason).await {
        Ok(answered) => Response::Ok(json!({
            "id": id,
            "state": answered.state,
            "complete": answered.state != State::Pending,
        })),
        Err(error) => Response::refused("approval/answer", error.to_string(), "see `mortise approvals show`"),
    }
}

/// Checking a secret is slow on purpose: it must not hold up a worker thread that calls wait for.
async fn verify(gateway: &Arc<Gateway>, approver: &UserId, secret: Secret<String>) -> Result<(), Box<Response>> {
    let now_us = gateway.shared.pipeline.recorder().clock().now();
    let (checking, who) = (Arc::clone(gateway), approver.clone());
    let verified = tokio::task::spawn_blocking(move || checking.callers.verify(&who, &secret, now_us)).await;
    match verified {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            record_text(gateway, Kind::ApprovalRejected, &format!("secret of `{approver}` not accepted")).await;
            let help = "set a secret once with `mortise approvals enroll NAME`";
            Err(Box::new(Response::refused("approver/secret", error.to_string(), help)))
        }
        Err(_) => Err(Box::new(Response::refused("approver/secret", "the secret could not be checked", ""))),
    }
}

async fn enroll(gateway: &Arc<Gateway>, approver: String, secret: String, present: Option<String>) -> Response {
    let approver = UserId::new(approver);
    if !gateway.shared.pipeline.snapshot().project.settings.approvers.contains_key(&approver) {
        let help = "add `[approvers.NAME]` to `mortise.toml` first";
        return Response::refused("approver/unknown", "this project has no such approver", help);
    }
    let now_us = gateway.shared.pipeline.recorder().clock().now();
    let enrolling = Arc::clone(gateway);
    let (secret, present) = (Secret::new(secret), present.map(Secret::new));
    let enrolled =
        tokio::task::spawn_blocking(move || enrolling.callers.enroll(&approver, &secret, present.as_ref(), now_us));
    match enrolled.await {
        Ok(Ok(())) => Response::Ok(json!({})),
        Ok(Err(error)) => Response::refused("approver/enroll", error.to_string(), ""),
        Err(_) => Response::refused("approver/enroll", "the secret could not be stored", ""),
    }
}

fn pending(waiting: Option<Waiting>) -> Value {
    match waiting {
        None => json!({ "waiting": false }),
        Some(Waiting { digest, change, .. }) => json!({
            "waiting": true, "candidate": digest, "loosens": change.loosens, "tightens": change.tightens,
        }),
    }
}

async fn accept(
    gateway: &Arc<Gateway>,
    approver: &UserId,
    secret: Secret<String>,
    reason: &str,
    candidate: &Digest,
) -> Response {
    let pipeline = &gateway.shared.pipeline;
    if !pipeline.snapshot().project.settings.approvers.contains_key(approver) {
        return Response::refused("approver/unknown", "this project has no such approver", "");
    }
    if reason.trim().is_empty() {
        return Response::refused("policy/reason", "a loosening needs a reason", "give it with `--reason`");
    }
    if let Err(refused) = verify(gateway, approver, secret).await {
        return *refused;
    }
    let accepted = gateway.configuration.accept(candidate, approver, reason, pipeline.recorder().clock().now());
    match accepted {
        Ok((change, snapshot)) => {
            let mut event = pipeline.recorder().event(Kind::ConfigChanged);
            event.approver = Some(approver.to_string());
            event.text = Some(reason.chars().take(500).collect());
            event.config_revision = Some(snapshot.revision().to_string());
            event.policy_bundle = Some(snapshot.bundle.digest().to_string());
            event.detail.insert("loosens".to_owned(), change.loosens.len().into());
            pipeline.install(snapshot);
            if let Err(error) = pipeline.recorder().durable(&[event]).await {
                return Response::refused("log/write", error.to_string(), "the log must be repaired first");
            }
            Response::Ok(json!({ "loosens": change.loosens, "tightens": change.tightens }))
        }
        Err(ConfigurationError::Invalid(diagnostics)) => {
            let first = diagnostics.first().map(Diagnostic::to_string).unwrap_or_default();
            Response::refused("policy/invalid", first, "run `mortise check`")
        }
        Err(error) => Response::refused("policy/accept", error.to_string(), "look again with `mortise policy diff`"),
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
        _ => "use the control socket",
    };
    let pid = peer.pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string());
    record_text(gateway, Kind::ApprovalRejected, &format!("governed process {pid} tried to {what}")).await;
}

async fn record_text(gateway: &Gateway, kind: Kind, text: &str) {
    let recorder = gateway.shared.pipeline.recorder();
    let mut event = recorder.event(kind);
    event.text = Some(text.chars().take(500).collect());
    if let Err(error) = recorder.durable(&[event]).await {
        tracing::error!(%error, "attempt could not be recorded");
    }
}
