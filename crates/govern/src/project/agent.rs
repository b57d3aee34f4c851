//! `mortise/agents/<agent>.toml`.

use super::complaints::Complaints;
use super::files::stem;
use super::reference::{ClientRequest, ReferenceError, ToolPattern, ToolRef};
use super::settings::number;
use crate::names::is_canonical;
use crate::toml_diagnostics;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};
use toml::Spanned;
use vocab::id::{AgentId, ServerId, UserId};
use vocab::{Capture, Diagnostic, Mode, Tier};

/// What a rate may be, in calls per minute. None is said by leaving the key out, no calls by leaving the tool out.
pub const CALLS_PER_MINUTE: RangeInclusive<u64> = 1..=1_000_000;

/// An agent of the inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its name, from the file's name.
    pub id: AgentId,
    /// Who answers for it.
    pub owner: String,
    /// What it is for.
    pub purpose: String,
    /// How much there is to lose.
    pub tier: Tier,
    /// How far its rules bind.
    pub mode: Mode,
    /// What of its calls is kept; by its tier unless said.
    pub capture: Capture,
    /// Where it runs: `production` unless said.
    pub env: String,
    /// The model it uses.
    pub model: Option<String>,
    /// That model's version.
    pub model_version: Option<String>,
    /// The classes it is in.
    pub classes: BTreeSet<String>,
    /// The team it is in.
    pub team: Option<String>,
    /// The person at the end of the chain for local runs.
    pub user: Option<UserId>,
    /// What it may use, privilege by privilege.
    pub privileges: Privileges,
    /// Privileges it may ask for.
    pub may_request: BTreeSet<ToolRef>,
    /// Agents that may start it.
    pub parents: BTreeSet<AgentId>,
    /// Its rates.
    pub limits: Limits,
}

/// What an agent may use. What is not listed is denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Privileges {
    /// Tools.
    pub tools: BTreeSet<ToolPattern>,
    /// Servers whose resources may be read.
    pub resources: BTreeSet<ServerId>,
    /// Prompts, `server/prompt`.
    pub prompts: BTreeSet<ToolRef>,
    /// What servers may ask of its client.
    pub client_requests: BTreeSet<(ServerId, ClientRequest)>,
    /// Models.
    pub models: BTreeSet<String>,
}

/// Rates of one agent, in calls per minute. `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Over all tools.
    pub calls_per_minute: Option<u32>,
    /// By tool.
    pub tools: BTreeMap<ToolRef, u32>,
}

/// Where in its file an agent names something of another file, for the checks across files.
#[derive(Debug, Default)]
pub(crate) struct Places {
    pub(crate) tools: Vec<(ToolPattern, Range<usize>)>,
    pub(crate) servers: Vec<(ServerId, Range<usize>)>,
    pub(crate) parents: Vec<(AgentId, Range<usize>)>,
}

/// Reads an agent's file.
pub(crate) fn parse(file: &str, text: &str) -> Result<(Agent, Places), Vec<Diagnostic>> {
    let raw: Raw = toml_diagnostics::parse(file, text).map_err(|complaint| vec![*complaint])?;
    let mut reading = Reading { complaints: Complaints::about(file, text), places: Places::default() };
    let agent = reading.agent(stem(file), raw);
    let found = reading.complaints.into_found();
    if found.is_empty() { Ok((agent, reading.places)) } else { Err(found) }
}

struct Reading<'a> {
    complaints: Complaints<'a>,
    places: Places,
}

impl Reading<'_> {
    fn agent(&mut self, name: &str, raw: Raw) -> Agent {
        if !is_canonical(name) {
            let message = format!("`{name}` is not an agent name");
            let help = "name the file with lower-case letters, digits, `-` and `_`";
            self.complaints.error_help("agent/name", super::complaints::NOWHERE, message, help);
        }
        for (key, text) in [("owner", &raw.owner), ("purpose", &raw.purpose)] {
            if text.as_ref().trim().is_empty() {
                self.complaints.error("config/value", text.span(), format!("the key `{key}` is empty"));
            }
        }
        Agent {
            id: AgentId::new(name),
            privileges: Privileges {
                tools: self.tools(raw.tools, raw.tier),
                resources: self.servers(raw.resources),
                prompts: self.prompts(raw.prompts),
                client_requests: self.client_requests(raw.client_requests),
                models: raw.models,
            },
            may_request: raw.may_request.iter().filter_map(|text| self.tool(text)).collect(),
            parents: self.parents(raw.parents),
            limits: self.limits(raw.limits),
            owner: raw.owner.into_inner(),
            purpose: raw.purpose.into_inner(),
            tier: raw.tier,
            mode: raw.mode,
            capture: raw.capture.unwrap_or_else(|| Capture::of(raw.tier)),
            env: raw.env.unwrap_or_else(|| "production".to_owned()),
            model: raw.model,
            model_version: raw.model_version,
            classes: raw.classes,
            team: raw.team,
            user: raw.user.map(UserId::new),
        }
    }

    fn tools(&mut self, raw: Vec<Spanned<String>>, tier: Tier) -> BTreeSet<ToolPattern> {
        let mut tools = BTreeSet::new();
        for text in raw {
            let Some(pattern) = self.reference(ToolPattern::parse(text.as_ref()), &text) else {
                continue;
            };
            if matches!(pattern, ToolPattern::All(_)) && tier != Tier::Low {
                let message = format!("`{pattern}` in tier {}", tier.as_str());
                let help = "name each tool; a wildcard would also allow what the server adds later";
                self.complaints.error_help("agent/wildcard", text.span(), message, help);
            }
            self.places.tools.push((pattern.clone(), text.span()));
            tools.insert(pattern);
        }
        tools
    }

    fn tool(&mut self, text: &Spanned<String>) -> Option<ToolRef> {
        let tool = self.reference(ToolRef::parse(text.as_ref()), text)?;
        self.places.tools.push((ToolPattern::One(tool.clone()), text.span()));
        Some(tool)
    }

    fn servers(&mut self, raw: Vec<Spanned<String>>) -> BTreeSet<ServerId> {
        let mut servers = BTreeSet::new();
        for text in raw {
            let server = ServerId::new(text.as_ref().as_str());
            self.places.servers.push((server.clone(), text.span()));
            servers.insert(server);
        }
        servers
    }

    fn prompts(&mut self, raw: Vec<Spanned<String>>) -> BTreeSet<ToolRef> {
        let mut prompts = BTreeSet::new();
        for text in raw {
            let Some(prompt) = self.reference(ToolRef::parse(text.as_ref()), &text) else {
                continue;
            };
            self.places.servers.push((prompt.server.clone(), text.span()));
            prompts.insert(prompt);
        }
        prompts
    }

    fn client_requests(&mut self, raw: Vec<Spanned<String>>) -> BTreeSet<(ServerId, ClientRequest)> {
        let mut requests = BTreeSet::new();
        for text in raw {
            let Some(request) = self.reference(ClientRequest::parse(text.as_ref()), &text) else {
                continue;
            };
            self.places.servers.push((request.0.clone(), text.span()));
            requests.insert(request);
        }
        requests
    }

    fn parents(&mut self, raw: Vec<Spanned<String>>) -> BTreeSet<AgentId> {
        let mut parents = BTreeSet::new();
        for text in raw {
            let parent = AgentId::new(text.as_ref().as_str());
            self.places.parents.push((parent.clone(), text.span()));
            parents.insert(parent);
        }
        parents
    }

    fn limits(&mut self, raw: RawLimits) -> Limits {
        let mut limits =
            Limits { calls_per_minute: rate(raw.calls_per_minute, &mut self.complaints), ..Limits::default() };
        for (text, calls) in raw.tools {
            let Some(tool) = self.tool(&text) else { continue };
            if let Some(calls) = rate(Some(calls), &mut self.complaints) {
                limits.tools.insert(tool, calls);
            }
        }
        limits
    }

    fn reference<T>(&mut self, read: Result<T, ReferenceError>, text: &Spanned<String>) -> Option<T> {
        read.map_err(|error| self.complaints.error("config/reference", text.span(), error.to_string())).ok()
    }
}

/// A rate within [`CALLS_PER_MINUTE`].
pub(crate) fn rate(given: Option<Spanned<u64>>, complaints: &mut Complaints<'_>) -> Option<u32> {
    given.and_then(|given| u32::try_from(number(Some(given), 1, CALLS_PER_MINUTE, complaints)).ok())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    owner: Spanned<String>,
    purpose: Spanned<String>,
    tier: Tier,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    capture: Option<Capture>,
    #[serde(default)]
    env: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    model_version: Option<String>,
    #[serde(default)]
    classes: BTreeSet<String>,
    #[serde(default)]
    team: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    tools: Vec<Spanned<String>>,
    #[serde(default)]
    resources: Vec<Spanned<String>>,
    #[serde(default)]
    prompts: Vec<Spanned<String>>,
    #[serde(default)]
    client_requests: Vec<Spanned<String>>,
    #[serde(default)]
    models: BTreeSet<String>,
    #[serde(default)]
    may_request: Vec<Spanned<String>>,
    #[serde(default)]
    parents: Vec<Spanned<String>>,
    #[serde(default)]
    limits: RawLimits,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLimits {
    calls_per_minute: Option<Spanned<u64>>,
    tools: BTreeMap<Spanned<String>, Spanned<u64>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "owner = \"o\"\npurpose = \"p\"\ntier = \"high\"\n";

    fn agent(rest: &str) -> Agent {
        parse("mortise/agents/bot.toml", &format!("{HEAD}{rest}")).unwrap().0
    }

    fn complaint(rest: &str) -> Diagnostic {
        let found = parse("mortise/agents/bot.toml", &format!("{HEAD}{rest}")).unwrap_err();
        assert_eq!(found.len(), 1, "{rest}: {found:?}");
        found.into_iter().next().unwrap()
    }

    #[test]
    fn defaults_are_strict() {
        let agent = agent("");
        assert_eq!((agent.id.as_str(), agent.mode, agent.env.as_str()), ("bot", Mode::Enforce, "production"));
        assert_eq!((agent.privileges, agent.limits), (Privileges::default(), Limits::default()));
    }

    #[test]
    fn what_is_written_is_read() {
        let agent = agent(
            "tools = [\"desk/close\"]\nresources = [\"desk\"]\nprompts = [\"desk/hi\"]\nclient_requests = \
             [\"desk#roots\"]\nmay_request = [\"desk/refund\"]\nparents = [\"boss\"]\nmode = \
             \"shadow\"\n[limits]\ncalls_per_minute = 120\n[limits.tools]\n\"desk/close\" = 5\n",
        );
        let close = ToolRef::parse("desk/close").unwrap();
        assert!(agent.privileges.tools.contains(&ToolPattern::One(close.clone())));
        assert_eq!((agent.limits.calls_per_minute, agent.limits.tools.get(&close)), (Some(120), Some(&5)));
        assert!(agent.privileges.client_requests.contains(&(ServerId::new("desk"), ClientRequest::Roots)));
        assert!(agent.may_request.contains(&ToolRef::parse("desk/refund").unwrap()));
    }

    #[test]
    fn wildcards_are_for_tier_low() {
        let found = complaint("tools = [\"desk/x\", \"desk/*\"]");
        assert_eq!((found.code, found.line, found.column), ("agent/wildcard", 4, 20));
        let low = "owner = \"o\"\npurpose = \"p\"\ntier = \"low\"\ntools = [\"desk/*\"]";
        assert!(parse("mortise/agents/bot.toml", low).is_ok());
        assert_eq!(complaint("may_request = [\"desk/*\"]").code, "config/reference");
    }

    #[test]
    fn rates_have_edges() {
        for (rate, fine) in [(0, false), (1, true), (1_000_000, true), (1_000_001, false)] {
            for key in ["calls_per_minute", "tools.\"desk/x\""] {
                let text = format!("{HEAD}[limits]\n{key} = {rate}\n");
                assert_eq!(parse("mortise/agents/bot.toml", &text).is_ok(), fine, "{text}");
            }
        }
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(complaint("tools = [\"desk\"]").code, "config/reference");
        assert_eq!(complaint("tolls = []").candidates, ["tools"]);
        assert_eq!(complaint("mode = \"enforced\"").candidates, ["enforce"]);
        let missing = parse("mortise/agents/bot.toml", "owner = \"o\"\npurpose = \"p\"").unwrap_err();
        assert_eq!(missing[0].message, "the key `tier` is missing");
        let empty = parse("mortise/agents/bot.toml", "owner = \" \"\npurpose = \"p\"\ntier = \"low\"").unwrap_err();
        assert_eq!((empty[0].code, empty[0].line), ("config/value", 1));
        assert_eq!(parse("mortise/agents/Bot.toml", HEAD).unwrap_err()[0].code, "agent/name");
    }
}
