//! From a decided request to a call, and from a server's request to one.

use super::conversation::Conversation;
use super::encode::{self, Shape};
use super::listing::{Added, MAX_PURPOSE};
use crate::connections::{CallRoute, Ended, Link, NoRoute, ServerRequest};
use crate::jsonrpc::{ErrorObject, Outcome, Request, code};
use bytes::Bytes;
use canon::json::parse;
use enforce::{Alive, Answer, Boxed, Live, Lost, Reply, Route, Snapshot, Submission};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use vocab::id::{CallId, ServerId};
use vocab::{Call, CallParts, Operation, Target, Untrusted};

/// Turns a decided request into a call and takes it through the pipeline. Says how its answer is shaped, too.
///
/// # Errors
/// The params do not have the method's shape.
pub(super) async fn submit(
    conversation: &Arc<Conversation>,
    request: Request,
    alive: Alive,
) -> Result<(Shape, Answer), String> {
    let snapshot = conversation.snapshot();
    let params = request.params.as_deref().unwrap_or(b"{}");
    let params = parse(params, &conversation.limits).map_err(|error| format!("params refused: {error}"))?;
    let Value::Object(params) = params else { return Err("params are not an object".to_owned()) };
    let asked = match request.method.as_str() {
        "tools/call" => tool(conversation, &snapshot, params)?,
        "prompts/get" => prompt(conversation, params).await?,
        _ => resource(conversation, params).await?,
    };
    let Asked { target, arguments, extra, purpose, confidence } = asked;
    let shape = match &target.operation {
        Operation::Tool(_) => {
            // A tool that is not this agent's answers like one that does not exist.
            let agent = &conversation.caller.principal().agent;
            let declared = snapshot.inventory.allows(agent, &target).is_ok();
            let has_schema = declared && snapshot.tool(&target).is_some_and(|tool| tool.output.is_some());
            Shape::ToolResult { has_schema }
        }
        _ => Shape::Error,
    };
    let link = conversation.link(&target.server).await;
    let mut told = None;
    let route: Arc<dyn Route> = match link {
        Ok(link) => {
            // A list that is being read anew is waited for; one that cannot be read leaves every tool unknown.
            if let Err(error) = link.know_tools().await {
                tracing::warn!(server = %target.server, %error, "tools cannot be listed");
            }
            note_drift(conversation, &snapshot, &link, &target);
            let progress = extra.get("_meta").and_then(|meta| meta.get("progressToken")).is_some();
            let progress = progress.then(|| conversation.progress(&request.id));
            let progress = progress.map(|(sender, passed)| {
                told = Some(passed);
                sender
            });
            Arc::new(CallRoute { link, extra, progress })
        }
        Err(reason) => {
            tracing::debug!(server = %target.server, reason, "no connection");
            match conversation.opened().and_then(|opened| opened.links.get(&target.server)) {
                Some(link) => Arc::new(Ended { link: Arc::clone(link), reason }),
                None => Arc::new(NoRoute),
            }
        }
    };
    let call = call(conversation, target, arguments, purpose, confidence);
    let answer = conversation.shared.pipeline.submit(Submission { call, route, alive }).await;
    if let Some(told) = told {
        told.all().await;
    }
    Ok((shape, answer))
}

/// A definition that differs from the pinned one is said where it is met, whether or not the agent ever lists tools.
fn note_drift(conversation: &Conversation, snapshot: &Snapshot, link: &Link, target: &Target) {
    if let Operation::Tool(tool) = &target.operation
        && let (Live::Definition(live), Some(pinned)) = (link.live(tool), snapshot.tool(target))
        && live != pinned.description.definition
    {
        conversation.quarantine(&target.server, tool);
    }
}

/// A server's request: decided like any other call, with the client as the tool.
pub(super) async fn server_request(conversation: &Arc<Conversation>, asked: ServerRequest) -> Outcome {
    let operation = match asked.request.method.as_str() {
        "sampling/createMessage" => Operation::Sampling,
        "elicitation/create" => Operation::Elicitation,
        "roots/list" => Operation::Roots,
        _ => return Outcome::Error(ErrorObject::encode(code::METHOD_NOT_FOUND, "method not found", None)),
    };
    let params = asked.request.params.clone().unwrap_or_else(|| Bytes::from_static(b"{}"));
    let Ok(arguments) = parse(&params, &conversation.limits) else {
        return Outcome::Error(ErrorObject::encode(code::INVALID_PARAMS, "params are not strict JSON", None));
    };
    let target = Target { server: asked.server, operation };
    let call = call(conversation, target, arguments, None, None);
    let route = Arc::new(ClientRoute { conversation: Arc::clone(conversation), method: asked.request.method });
    let submission = Submission { call, route, alive: Alive::default() };
    encode::outcome(conversation.shared.pipeline.submit(submission).await)
}

/// What a request asks for.
struct Asked {
    target: Target,
    arguments: Value,
    extra: Map<String, Value>,
    purpose: Option<String>,
    confidence: Option<u8>,
}

fn tool(conversation: &Conversation, snapshot: &Snapshot, mut params: Map<String, Value>) -> Result<Asked, String> {
    let Some(Value::String(name)) = params.shift_remove("name") else {
        return Err("`name` is not a string".to_owned());
    };
    let mut arguments = params.shift_remove("arguments").unwrap_or_else(|| json!({}));
    if !arguments.is_object() {
        return Err("`arguments` is not an object".to_owned());
    }
    let (server, tool) = conversation.resolve(snapshot, &name);
    let target = Target { server, operation: Operation::Tool(tool) };
    let added = Added::of(snapshot);
    let (mut purpose, mut confidence) = (None, None);
    if added.any() {
        let entry = snapshot.tool(&target);
        let schema = entry.as_ref().map(|entry| &*entry.description.input_schema);
        (purpose, confidence) = added.strip(&mut arguments, schema);
        if schema.is_some() {
            check_stated(added, purpose.as_deref(), &arguments, schema)?;
        }
    }
    Ok(Asked { target, arguments, extra: params, purpose, confidence })
}

/// What Mortise added to the schema is held to it as the tool's own arguments are; nothing of it may be left over.
fn check_stated(added: Added, purpose: Option<&str>, left: &Value, schema: Option<&Value>) -> Result<(), String> {
    let wrong = if added.lacks_purpose(purpose, schema) {
        "`purpose` is missing: say in one sentence why you make this call"
    } else if purpose.is_some_and(|purpose| purpose.chars().count() > MAX_PURPOSE) {
        "`purpose` is longer than 500 characters: say in one sentence why you make this call"
    } else if added.leaves_confidence(left, schema) {
        "`confidence` is not a whole number from 0 to 100"
    } else {
        return Ok(());
    };
    Err(format!("the argument {wrong}"))
}

async fn prompt(conversation: &Conversation, mut params: Map<String, Value>) -> Result<Asked, String> {
    let name = params.get("name").and_then(Value::as_str).ok_or("`name` is not a string")?.to_owned();
    let server = super::plumbing::server_of_prompt(conversation, &name).await;
    asked(server, Operation::GetPrompt, &mut params, &["name", "arguments"])
}

async fn resource(conversation: &Conversation, mut params: Map<String, Value>) -> Result<Asked, String> {
    let uri = params.get("uri").and_then(Value::as_str).ok_or("`uri` is not a string")?.to_owned();
    let server = super::plumbing::server_of_resource(conversation, &uri).await;
    asked(server, Operation::ReadResource, &mut params, &["uri"])
}

/// Splits params into the arguments that are decided on and the rest.
fn asked(
    server: Option<ServerId>,
    operation: Operation,
    params: &mut Map<String, Value>,
    decided: &[&str],
) -> Result<Asked, String> {
    let server = server.unwrap_or_else(|| ServerId::new("-"));
    let taken = decided.iter().filter_map(|name| Some(((*name).to_owned(), params.shift_remove(*name)?)));
    let arguments = Value::Object(taken.collect());
    let target = Target { server, operation };
    Ok(Asked { target, arguments, extra: std::mem::take(params), purpose: None, confidence: None })
}

fn call(
    conversation: &Conversation,
    target: Target,
    arguments: Value,
    purpose: Option<String>,
    confidence: Option<u8>,
) -> Call {
    let clock = conversation.shared.pipeline.recorder().clock();
    Call::new(CallParts {
        id: CallId::new(store::id::new_uuid7(clock)),
        tenant: conversation.caller.tenant().clone(),
        principal: conversation.caller.principal().clone(),
        session: conversation.caller.session().clone(),
        run: conversation.caller.run().cloned(),
        target,
        arguments: Untrusted::new(arguments),
        purpose: purpose.map(Untrusted::new),
        confidence,
        received_us: clock.now(),
    })
}

/// The way back to the agent's client, for what a server asks of it.
struct ClientRoute {
    conversation: Arc<Conversation>,
    method: String,
}

impl Route for ClientRoute {
    fn live(&self, _target: &Target) -> Live {
        Live::Unpinned
    }

    fn send<'a>(&'a self, effective: &'a Call) -> Boxed<'a, Result<Reply, Lost>> {
        Box::pin(async move {
            let params = effective.arguments.examine();
            let params = serde_json::to_vec(params).map_err(|error| Lost::NotSent(error.to_string()))?;
            match self.conversation.ask_client(&self.method, Some(&params)).await {
                Ok(Outcome::Result(result)) => Ok(Reply::Result(result.to_vec())),
                Ok(Outcome::Error(error)) => Ok(Reply::Error(error.to_vec())),
                Err(reason) => Err(Lost::Unknown(reason)),
            }
        })
    }
}
