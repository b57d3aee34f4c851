//! `mortise agents`.

use crate::args::Agents;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use crate::reach;
use gateway::control::protocol::Request;
use govern::project::Project;
use serde_json::{Value, json};
use vocab::Exit;
use vocab::shown::{line, name};

/// Lists agents, makes keys.
pub fn run(output: &Output, place: &Place, args: &Agents) -> Outcome {
    match args {
        Agents::Ls => list(output, place),
        Agents::Key { agent } => {
            let made = reach::ask(place, &Request::AgentKey { agent: agent.clone() })?;
            if output.is_human() {
                output.line(made.get("key").and_then(Value::as_str).unwrap_or_default());
                output.message(
                    "this key is shown once; only its hash is kept. The agent sends it as `Authorization: Bearer KEY`",
                );
            } else {
                output.json(&made);
            }
            Ok(Exit::Ok)
        }
    }
}

fn list(output: &Output, place: &Place) -> Outcome {
    let project = Project::parse(&place.files()?).map_err(Failure::diagnostics)?;
    let agents: Vec<Value> = project
        .agents
        .values()
        .map(|agent| {
            let tools: Vec<String> = agent.privileges.tools.iter().map(ToString::to_string).collect();
            json!({
                "agent": agent.id, "tier": agent.tier, "mode": agent.mode, "owner": agent.owner,
                "purpose": agent.purpose, "model": agent.model, "tools": tools,
            })
        })
        .collect();
    if !output.is_human() {
        output.rows(&agents);
        return Ok(Exit::Ok);
    }
    for agent in project.agents.values() {
        output.line(format!(
            "{}  {} tier, {} mode, owner {}",
            output.bold(agent.id.as_str()),
            agent.tier.as_str(),
            agent.mode.as_str(),
            line(&agent.owner)
        ));
        output.line(format!("  {}", line(&agent.purpose)));
        for tool in &agent.privileges.tools {
            output.line(format!("  - {}", name(&tool.to_string())));
        }
    }
    Ok(Exit::Ok)
}
