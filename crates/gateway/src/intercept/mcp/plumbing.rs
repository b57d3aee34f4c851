//! What passes without a decision: byte for byte where one server is behind the conversation, merged where several are.

use super::conversation::{Conversation, Opened};
use super::encode::FAILED;
use crate::connections::Link;
use crate::jsonrpc::{self, Id, Outcome, ProtocolVersion, Request};
use crate::upstream::UpstreamError;
use bytes::Bytes;
use canon::json::parse;
use enforce::{Live, Snapshot};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use vocab::id::{ServerId, ToolName};

/// How long plumbing may take.
const WAIT: Duration = Duration::from_secs(60);

/// Answers a plumbing request.
pub(super) async fn request(conversation: &Arc<Conversation>, opened: &Opened, request: Request) -> Bytes {
    match request.method.as_str() {
        "ping" => jsonrpc::response(&request.id, b"{}"),
        "tools/list" => list_tools(conversation, opened, &request).await,
        _ if opened.links.len() == 1 => pass(conversation, opened, &request).await,
        "resources/list" => merged(conversation, opened, &request, "resources").await,
        "resources/templates/list" => merged(conversation, opened, &request, "resourceTemplates").await,
        "prompts/list" => merged(conversation, opened, &request, "prompts").await,
        "logging/setLevel" => to_all(opened, &request).await,
        _ => to_one(conversation, opened, &request).await,
    }
}

/// Passes a request on to the one server, and its answer back, byte for byte.
pub(super) async fn pass(conversation: &Arc<Conversation>, opened: &Opened, request: &Request) -> Bytes {
    let server = opened.links.keys().next().cloned();
    match server {
        Some(server) => to_server(conversation, &server, request).await,
        None => jsonrpc::error(&request.id, FAILED, "no server is connected", None),
    }
}

/// What several servers say of themselves, as one.
pub(super) fn merged_handshake(version: ProtocolVersion, links: &BTreeMap<ServerId, Arc<Link>>) -> Bytes {
    let mut capabilities = json!({ "tools": { "listChanged": true } });
    for link in links.values() {
        let Ok(result) = serde_json::from_slice::<Value>(&link.initialized.result) else { continue };
        for name in ["resources", "prompts", "logging", "completions"] {
            let Some(offered) = result.pointer(&format!("/capabilities/{name}")) else { continue };
            let Some(merged) = capabilities.as_object_mut() else { continue };
            let known = merged.entry(name).or_insert_with(|| json!({}));
            if let (Some(known), Some(offered)) = (known.as_object_mut(), offered.as_object()) {
                known.extend(offered.clone());
            }
        }
    }
    let result = json!({
        "protocolVersion": version.as_str(),
        "capabilities": capabilities,
        "serverInfo": { "name": "mortise", "version": vocab::MORTISE_VERSION },
    });
    result.to_string().into_bytes().into()
}

/// `tools/list`: what the agent's inventory declares and the pins confirm, under the names it sees.
async fn list_tools(conversation: &Arc<Conversation>, opened: &Opened, request: &Request) -> Bytes {
    let snapshot = conversation.snapshot();
    if opened.links.len() == 1 {
        return list_one(conversation, opened, request, &snapshot).await;
    }
    let mut tools = Vec::new();
    for server in opened.links.keys() {
        let listed = match conversation.link(server).await {
            Ok(link) => link.list_tools().await.map_err(|error| error.to_string()),
            Err(error) => Err(error),
        };
        match listed {
            Ok(listed) => tools.extend(visible(conversation, &snapshot, server, listed)),
            Err(error) => tracing::warn!(%server, error, "tools left out"),
        }
    }
    jsonrpc::response(&request.id, json!({ "tools": tools }).to_string().as_bytes())
}

/// The list of the one server, in its own bytes if the agent may see all of it as it is.
async fn list_one(conversation: &Arc<Conversation>, opened: &Opened, request: &Request, snapshot: &Snapshot) -> Bytes {
    let Some(server) = opened.links.keys().next() else {
        return jsonrpc::error(&request.id, FAILED, "no server is connected", None);
    };
    let link = match conversation.link(server).await {
        Ok(link) => link,
        Err(error) => return jsonrpc::error(&request.id, FAILED, &error, None),
    };
    let listing = link.listing_begins();
    let answer = link.upstream.request("tools/list", request.params.as_deref(), Instant::now() + WAIT, None).await;
    let result = match answer {
        Ok(Outcome::Result(result)) => result,
        other => return outcome(&request.id, other),
    };
    let Ok(mut page) = parse(&result, &conversation.limits) else {
        return jsonrpc::error(&request.id, FAILED, "the server's list is not strict JSON", None);
    };
    let Some(listed) = page.get("tools").and_then(Value::as_array).cloned() else {
        return jsonrpc::error(&request.id, FAILED, "the server's list has no tools", None);
    };
    // What the agent is shown now is what is live now: a definition that changed in silence shows here.
    let whole = page.get("nextCursor").is_none() && request.params.as_deref().is_none_or(is_first_page);
    if whole {
        link.learn(listing, &listed);
    }
    let shown = visible(conversation, snapshot, server, listed.clone());
    if shown == listed {
        return jsonrpc::response(&request.id, &result);
    }
    if let Some(tools) = page.get_mut("tools") {
        *tools = Value::Array(shown);
    }
    jsonrpc::response(&request.id, page.to_string().as_bytes())
}

fn is_first_page(params: &[u8]) -> bool {
    serde_json::from_slice::<Value>(params).is_ok_and(|params| params.get("cursor").is_none())
}

/// The tools of a listing that the agent may see, renamed and extended as it sees them.
fn visible(conversation: &Conversation, snapshot: &Snapshot, server: &ServerId, listed: Vec<Value>) -> Vec<Value> {
    let names = conversation.names(snapshot);
    let added = Conversation::added(snapshot);
    let shown = listed.into_iter().filter_map(|mut tool| {
        let name = ToolName::new(tool.get("name")?.as_str()?);
        let exposed = names.exposed(server, &name)?;
        let pinned = snapshot.tool(&super::listing::target(server, &name))?;
        let live = Live::Definition(super::listing::definition(&tool));
        if live != Live::Definition(pinned.description.definition.clone()) {
            conversation.quarantine(server, &name);
            return None;
        }
        if exposed != name.as_str()
            && let Some(member) = tool.get_mut("name")
        {
            *member = Value::from(exposed);
        }
        if added.any() {
            added.extend(&mut tool);
        }
        Some(tool)
    });
    shown.collect()
}

/// The lists of all servers, one after the other.
async fn merged(conversation: &Arc<Conversation>, opened: &Opened, request: &Request, key: &str) -> Bytes {
    let mut items = Vec::new();
    for (_, listed) in lists(conversation, opened, &request.method, key).await {
        items.extend(listed);
    }
    let mut result = serde_json::Map::new();
    result.insert(key.to_owned(), Value::Array(items));
    jsonrpc::response(&request.id, Value::Object(result).to_string().as_bytes())
}

async fn lists(conversation: &Conversation, opened: &Opened, method: &str, key: &str) -> Vec<(ServerId, Vec<Value>)> {
    let capability = if key == "prompts" { "prompts" } else { "resources" };
    let mut lists = Vec::new();
    for server in opened.links.keys() {
        let Ok(link) = conversation.link(server).await else { continue };
        if !link.offers(capability) {
            continue;
        }
        match link.upstream.list_all(method, key, Instant::now() + WAIT).await {
            Ok(items) => {
                let items = items.iter().filter_map(|item| parse(item, &conversation.limits).ok());
                lists.push((server.clone(), items.collect()));
            }
            Err(error) => tracing::debug!(%server, %error, method, "list left out"),
        }
    }
    lists
}

/// The server that offers a prompt.
pub(super) async fn server_of_prompt(conversation: &Conversation, name: &str) -> Option<ServerId> {
    let opened = conversation.opened()?;
    if opened.links.len() == 1 {
        return opened.links.keys().next().cloned();
    }
    let lists = lists(conversation, opened, "prompts/list", "prompts").await;
    let offers = |items: &[Value]| items.iter().any(|item| item.get("name").and_then(Value::as_str) == Some(name));
    lists.into_iter().find(|(_, items)| offers(items)).map(|(server, _)| server)
}

/// The server that offers a resource: by its list, else by the fixed beginning of one of its templates.
pub(super) async fn server_of_resource(conversation: &Conversation, uri: &str) -> Option<ServerId> {
    let opened = conversation.opened()?;
    if opened.links.len() == 1 {
        return opened.links.keys().next().cloned();
    }
    let listed = lists(conversation, opened, "resources/list", "resources").await;
    let offers = |items: &[Value]| items.iter().any(|item| item.get("uri").and_then(Value::as_str) == Some(uri));
    if let Some((server, _)) = listed.into_iter().find(|(_, items)| offers(items)) {
        return Some(server);
    }
    let templates = lists(conversation, opened, "resources/templates/list", "resourceTemplates").await;
    let fits = |items: &[Value]| {
        let templates = items.iter().filter_map(|item| item.get("uriTemplate").and_then(Value::as_str));
        templates
            .filter_map(|template| template.split('{').next())
            .any(|head| !head.is_empty() && uri.starts_with(head))
    };
    templates.into_iter().find(|(_, items)| fits(items)).map(|(server, _)| server)
}

async fn to_all(opened: &Opened, request: &Request) -> Bytes {
    for link in opened.links.values() {
        let deadline = Instant::now() + WAIT;
        if link.offers("logging")
            && let Err(error) = link.upstream.request(&request.method, request.params.as_deref(), deadline, None).await
        {
            tracing::debug!(server = %link.server, %error, "not passed on");
        }
    }
    jsonrpc::response(&request.id, b"{}")
}

/// A request that names a prompt or a resource goes to the server that offers it.
async fn to_one(conversation: &Arc<Conversation>, opened: &Opened, request: &Request) -> Bytes {
    let params = request.params.as_deref().unwrap_or(b"{}");
    let params = parse(params, &conversation.limits).unwrap_or(Value::Null);
    let text = |pointer: &str| params.pointer(pointer).and_then(Value::as_str);
    let server = match (text("/uri").or_else(|| text("/ref/uri")), text("/ref/name")) {
        (Some(uri), _) => server_of_resource(conversation, uri).await,
        (None, Some(name)) => server_of_prompt(conversation, name).await,
        (None, None) => opened.links.keys().next().cloned(),
    };
    match server {
        Some(server) => to_server(conversation, &server, request).await,
        None => jsonrpc::error(&request.id, jsonrpc::code::INVALID_PARAMS, "no server offers that", None),
    }
}

async fn to_server(conversation: &Arc<Conversation>, server: &ServerId, request: &Request) -> Bytes {
    match conversation.link(server).await {
        Ok(link) => {
            let (progress, told) = conversation.progress(&request.id);
            let deadline = Instant::now() + WAIT;
            let params = request.params.as_deref();
            let answer = link.upstream.request(&request.method, params, deadline, Some(progress)).await;
            told.all().await;
            outcome(&request.id, answer)
        }
        Err(error) => jsonrpc::error(&request.id, FAILED, &error, None),
    }
}

fn outcome(id: &Id, outcome: Result<Outcome, UpstreamError>) -> Bytes {
    match outcome {
        Ok(Outcome::Result(result)) => jsonrpc::response(id, &result),
        Ok(Outcome::Error(error)) => jsonrpc::error_raw(id, &error),
        Err(error) => jsonrpc::error(id, FAILED, &format!("Mortise: {error}"), None),
    }
}
