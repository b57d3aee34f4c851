//! `mortise lock`: pins what the servers offer now.

use crate::args;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use gateway::connections::Pool;
use gateway::guardian::Guardian;
use govern::lock::{Drift, Listing, PinnedServer, pin};
use govern::project::{LOCK, Project, Server};
use serde_json::{Value, json};
use vocab::Exit;
use vocab::id::ServerId;
use vocab::shown::{line, name};

/// Starts or reaches the servers, lists their tools, compares and writes.
pub fn run(output: &Output, place: &Place, args: &args::Lock) -> Outcome {
    // A lock that is missing or behind must not keep the project from being read: that is what this command mends.
    let mut files = place.files()?;
    let old = files.text(LOCK).and_then(|text| govern::lock::Lock::parse(text).ok()).unwrap_or_default();
    files.texts.remove(LOCK);
    let project = Project::parse(&files).map_err(Failure::diagnostics)?;
    let chosen: Vec<&Server> = if args.servers.is_empty() {
        project.servers.values().collect()
    } else {
        let find = |name: &String| {
            project.servers.get(&ServerId::new(name.as_str())).ok_or_else(|| {
                Failure::new(Exit::Usage, format!("there is no server `{name}`")).with_help("see `mortise/tools/`")
            })
        };
        args.servers.iter().map(find).collect::<Result<_, _>>()?
    };
    if chosen.is_empty() {
        return Err(
            Failure::new(Exit::Nothing, "no server is declared").with_help("describe one in `mortise/tools/NAME.toml`")
        );
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let options = place.options();
    let max = project.settings.gateway.max_message_bytes;
    let pool = Pool::new(Guardian::new()?, place.root.clone(), options.environment, max);
    let mut new = old.clone();
    // What is no longer declared is no longer pinned.
    new.servers.retain(|server, _| project.servers.contains_key(server));
    let mut changes = Vec::new();
    for server in chosen {
        let pinned = runtime.block_on(list(&pool, server))?;
        let empty = PinnedServer { tools: std::collections::BTreeMap::new(), ..pinned.clone() };
        let drift = Drift::between(old.servers.get(&server.id).unwrap_or(&empty), &pinned);
        report(output, &server.id, &pinned, &drift, old.servers.contains_key(&server.id));
        if !drift.is_none() || !old.servers.contains_key(&server.id) {
            changes.push(server.id.clone());
        }
        new.servers.insert(server.id.clone(), pinned);
    }
    let text = new.render();
    let changed = place.files()?.text(LOCK) != Some(text.as_str());
    if !output.is_human() {
        output.json(&json!({ "changed": changed, "servers": changes }));
    }
    if args.check {
        return Ok(if changed { Exit::Blocking } else { Exit::Ok });
    }
    if changed {
        let path = place.root.join(LOCK);
        let temporary = place.root.join(format!("{LOCK}.new"));
        std::fs::write(&temporary, &text)?;
        std::fs::rename(&temporary, &path)?;
        output.message(format!(
            "wrote `{LOCK}`: review it as a diff; a gateway that runs waits for `mortise policy accept`"
        ));
    } else {
        output.message(format!("`{LOCK}` is up to date"));
    }
    Ok(Exit::Ok)
}

async fn list(pool: &Pool, server: &Server) -> Result<PinnedServer, Failure> {
    let link = pool.connect(server, Pool::own_hello()).await.map_err(|error| {
        Failure::new(Exit::Environment, format!("server `{}`: {error}", server.id))
            .with_help(format!("see `mortise/tools/{}.toml`: how it is started or reached", server.id))
    })?;
    let tools = link.list_tools().await.map_err(|error| {
        Failure::new(Exit::Environment, format!("server `{}` does not list its tools: {error}", server.id))
    })?;
    let said: Value = serde_json::from_slice(&link.initialized.result).unwrap_or(Value::Null);
    let listing = Listing {
        protocol_version: link.initialized.version.as_str().to_owned(),
        server_info: said.get("serverInfo").cloned().unwrap_or(Value::Null),
        tools,
    };
    link.upstream.close().await;
    pin(&listing).map_err(|error| Failure::new(Exit::Configuration, format!("server `{}`: {error}", server.id)))
}

fn report(output: &Output, server: &ServerId, pinned: &PinnedServer, drift: &Drift, was_known: bool) {
    if !output.is_human() {
        return;
    }
    let tools = pinned.tools.len();
    let state = match (was_known, drift.is_none()) {
        (false, _) => "new",
        (true, true) => "unchanged",
        (true, false) => "changed",
    };
    output.line(format!("{}  {tools} tools, {state}", output.bold(server.as_str())));
    if !was_known {
        for tool in pinned.tools.keys() {
            output.line(format!("  + {}", name(tool.as_str())));
        }
        return;
    }
    for tool in &drift.added {
        output.line(format!("  + {}", name(tool.as_str())));
    }
    for tool in &drift.removed {
        output.line(format!("  - {}", name(tool.as_str())));
    }
    for changed in &drift.changed {
        output.line(format!("  ~ {}: {}", name(changed.tool.as_str()), line(&changed.what.join(", "))));
    }
}
