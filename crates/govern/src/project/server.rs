//! `mortise/tools/<server>.toml`.

use super::agent::rate;
use super::complaints::{Complaints, NOWHERE};
use super::files::stem;
use super::settings::{SECONDS, number};
use crate::names::{is_canonical, is_tool_name};
use crate::toml_diagnostics;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use toml::Spanned;
use vocab::id::{ServerId, ToolName};
use vocab::{Argument, ArgumentClass, ArgumentKind, Confidentiality, Diagnostic, Effect, Integrity, Label};

/// A tool server of the inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name, from the file's name.
    pub id: ServerId,
    /// How far the operator trusts it, 0 to 100.
    pub trust: u8,
    /// The network zone it is in.
    pub zone: Option<String>,
    /// Whether one child may serve several sessions.
    pub stateless: bool,
    /// Seconds it may take to start.
    pub start_timeout_s: u64,
    /// Seconds one call may take.
    pub call_timeout_s: u64,
    /// How Mortise gets to it.
    pub access: Access,
    /// Label of its resources.
    pub resources: Label,
    /// Label of its prompts.
    pub prompts: Label,
    /// What is declared about its tools.
    pub tools: BTreeMap<ToolName, DeclaredTool>,
}

/// How Mortise gets to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// It is started as a child and spoken to over standard input and output.
    Start(Start),
    /// It is reached over HTTP.
    Reach(Reach),
}

/// `[start]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The program. The word `mortise` alone is the running binary itself.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its working directory, relative to the project.
    pub cwd: String,
    /// Names of variables passed on.
    pub pass_env: BTreeSet<String>,
    /// Variables set for it.
    pub env: BTreeMap<String, Text>,
}

/// `[reach]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The MCP endpoint.
    pub url: String,
    /// Headers sent with every request.
    pub headers: BTreeMap<String, Text>,
}

/// A value written out, or the name of the variable that holds it, so that secrets stay out of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// As written.
    Literal(String),
    /// `env:NAME`.
    Variable(String),
}

/// `[tools.<tool>]`. What is left out is the strictest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredTool {
    /// What it does.
    pub effect: Effect,
    /// Label of what it returns.
    pub label: Label,
    /// The tool of the same server that does the same without effect.
    pub dry_run: Option<ToolName>,
    /// Calls per minute over all agents of the session.
    pub calls_per_minute: Option<u32>,
    /// What is declared about its arguments.
    pub arguments: BTreeMap<String, Argument>,
}

/// Where in its file a server names what the lock must hold.
#[derive(Debug, Default)]
pub(crate) struct Places {
    pub(crate) tools: Vec<(ToolName, Range<usize>)>,
    pub(crate) dry_runs: Vec<(ToolName, Range<usize>)>,
    pub(crate) arguments: Vec<(ToolName, String, Range<usize>)>,
}

/// Reads a server's file.
pub(crate) fn parse(file: &str, text: &str) -> Result<(Server, Places), Vec<Diagnostic>> {
    let raw: Raw = toml_diagnostics::parse(file, text).map_err(|complaint| vec![*complaint])?;
    let mut complaints = Complaints::about(file, text);
    let mut places = Places::default();
    let server = server(stem(file), raw, &mut complaints, &mut places);
    match (server, complaints.into_found()) {
        (Some(server), found) if found.is_empty() => Ok((server, places)),
        (_, found) => Err(found),
    }
}

fn server(name: &str, raw: Raw, complaints: &mut Complaints<'_>, places: &mut Places) -> Option<Server> {
    if !is_canonical(name) {
        let help = "name the file with lower-case letters, digits, `-` and `_`";
        complaints.error_help("server/name", NOWHERE, format!("`{name}` is not a server name"), help);
    }
    let trust = u8::try_from(number(raw.trust, 0, 0..=100, complaints)).unwrap_or(0);
    let start_timeout_s = number(raw.start_timeout_s, 30, SECONDS, complaints);
    let call_timeout_s = number(raw.call_timeout_s, 60, SECONDS, complaints);
    let tools = raw.tools.into_iter().filter_map(|(name, tool)| declared(&name, tool, complaints, places)).collect();
    Some(Server {
        id: ServerId::new(name),
        trust,
        zone: raw.zone,
        stateless: raw.stateless,
        start_timeout_s,
        call_timeout_s,
        access: access(raw.start, raw.reach, complaints)?,
        resources: raw.resources.label.into(),
        prompts: raw.prompts.label.into(),
        tools,
    })
}

fn access(
    start: Option<Spanned<RawStart>>,
    reach: Option<Spanned<RawReach>>,
    complaints: &mut Complaints<'_>,
) -> Option<Access> {
    match (start, reach) {
        (Some(start), None) => self::start(start.into_inner(), complaints).map(Access::Start),
        (None, Some(reach)) => self::reach(reach.into_inner(), complaints).map(Access::Reach),
        (Some(_), Some(reach)) => {
            let help = "keep `[start]` for a command or `[reach]` for a URL";
            complaints.error_help("server/start-or-reach", reach.span(), "both `[start]` and `[reach]`".into(), help);
            None
        }
        (None, None) => {
            let help = "write `[start]` with `command`, or `[reach]` with `url`";
            complaints.error_help("server/start-or-reach", NOWHERE, "neither `[start]` nor `[reach]`".into(), help);
            None
        }
    }
}

fn start(raw: RawStart, complaints: &mut Complaints<'_>) -> Option<Start> {
    if raw.command.as_ref().trim().is_empty() {
        complaints.error("config/value", raw.command.span(), "the key `command` is empty");
        return None;
    }
    let env = texts(raw.env, "[start.env]", is_variable, complaints);
    for name in &raw.pass_env {
        if !is_variable(name.as_ref()) {
            complaints.error("config/value", name.span(), format!("`{}` is not a variable's name", name.as_ref()));
        }
    }
    Some(Start {
        command: raw.command.into_inner(),
        args: raw.args,
        cwd: raw.cwd.unwrap_or_else(|| ".".to_owned()),
        pass_env: raw.pass_env.into_iter().map(Spanned::into_inner).collect(),
        env,
    })
}

fn reach(raw: RawReach, complaints: &mut Complaints<'_>) -> Option<Reach> {
    let url = raw.url.as_ref();
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if rest.is_none_or(|rest| rest.is_empty() || rest.contains(char::is_whitespace)) {
        let help = "write `https://host/mcp` or `http://127.0.0.1:3001/mcp`";
        complaints.error_help("config/value", raw.url.span(), format!("`{url}` is not an HTTP URL"), help);
        return None;
    }
    let is_header = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let headers = texts(raw.headers, "[reach.headers]", is_header, complaints);
    Some(Reach { url: raw.url.into_inner(), headers })
}

fn texts(
    raw: BTreeMap<Spanned<String>, Spanned<String>>,
    table: &str,
    is_name: impl Fn(&str) -> bool,
    complaints: &mut Complaints<'_>,
) -> BTreeMap<String, Text> {
    let mut texts = BTreeMap::new();
    for (name, value) in raw {
        if !is_name(name.as_ref()) {
            complaints.error("config/value", name.span(), format!("`{}` is no name for `{table}`", name.as_ref()));
        }
        let text = match value.as_ref().strip_prefix("env:") {
            Some(variable) if is_variable(variable) => Text::Variable(variable.to_owned()),
            Some(variable) => {
                complaints.error("config/value", value.span(), format!("`{variable}` is not a variable's name"));
                continue;
            }
            None if value.as_ref().contains(['\0', '\n', '\r']) => {
                complaints.error("config/value", value.span(), "a line break or zero in a value");
                continue;
            }
            None => Text::Literal(value.into_inner()),
        };
        texts.insert(name.into_inner(), text);
    }
    texts
}

fn declared(
    name: &Spanned<String>,
    raw: RawTool,
    complaints: &mut Complaints<'_>,
    places: &mut Places,
) -> Option<(ToolName, DeclaredTool)> {
    if !is_tool_name(name.as_ref()) {
        let message = format!("`{}` is not a tool name", name.as_ref().escape_debug());
        complaints.error("server/tool-name", name.span(), message);
        return None;
    }
    let tool = ToolName::new(name.as_ref().as_str());
    places.tools.push((tool.clone(), name.span()));
    let dry_run = raw.dry_run.map(|twin| {
        let name = ToolName::new(twin.as_ref().as_str());
        if name == tool {
            complaints.error("tool/dry-run", twin.span(), format!("`{name}` is its own dry run"));
        }
        places.dry_runs.push((name.clone(), twin.span()));
        name
    });
    let mut arguments = BTreeMap::new();
    for (argument, declared) in raw.arguments {
        places.arguments.push((tool.clone(), argument.as_ref().clone(), argument.span()));
        arguments.insert(argument.into_inner(), Argument { class: declared.class, kind: declared.kind });
    }
    let declared = DeclaredTool {
        effect: raw.effect,
        label: raw.label.into(),
        dry_run,
        calls_per_minute: rate(raw.calls_per_minute, complaints),
        arguments,
    };
    Some((tool, declared))
}

fn is_variable(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    trust: Option<Spanned<u64>>,
    #[serde(default)]
    zone: Option<String>,
    #[serde(default)]
    stateless: bool,
    #[serde(default)]
    start_timeout_s: Option<Spanned<u64>>,
    #[serde(default)]
    call_timeout_s: Option<Spanned<u64>>,
    #[serde(default)]
    start: Option<Spanned<RawStart>>,
    #[serde(default)]
    reach: Option<Spanned<RawReach>>,
    #[serde(default)]
    resources: RawLabelled,
    #[serde(default)]
    prompts: RawLabelled,
    #[serde(default)]
    tools: BTreeMap<Spanned<String>, RawTool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStart {
    command: Spanned<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    cwd: Option<String>,
    #[serde(default)]
    pass_env: Vec<Spanned<String>>,
    #[serde(default)]
    env: BTreeMap<Spanned<String>, Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReach {
    url: Spanned<String>,
    #[serde(default)]
    headers: BTreeMap<Spanned<String>, Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLabelled {
    label: RawLabel,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLabel {
    integrity: Option<Integrity>,
    confidentiality: Option<Confidentiality>,
}

impl From<RawLabel> for Label {
    fn from(raw: RawLabel) -> Self {
        let strict = Self::default();
        Self {
            integrity: raw.integrity.unwrap_or(strict.integrity),
            confidentiality: raw.confidentiality.unwrap_or(strict.confidentiality),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawTool {
    effect: Effect,
    label: RawLabel,
    dry_run: Option<Spanned<String>>,
    calls_per_minute: Option<Spanned<u64>>,
    arguments: BTreeMap<Spanned<String>, RawArgument>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawArgument {
    class: ArgumentClass,
    kind: ArgumentKind,
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "[start]\ncommand = \"mortise\"\n";

    fn complaint(text: &str) -> Diagnostic {
        let found = parse("mortise/tools/desk.toml", text).unwrap_err();
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        found.into_iter().next().unwrap()
    }

    #[test]
    fn undeclared_is_strictest() {
        let (server, _) =
            parse("mortise/tools/desk.toml", &format!("{START}[tools.x]\n[tools.x.arguments.a]\n")).unwrap();
        assert_eq!((server.trust, server.stateless, server.start_timeout_s, server.call_timeout_s), (0, false, 30, 60));
        let tool = &server.tools[&ToolName::new("x")];
        assert_eq!((tool.effect, tool.label), (Effect::IrreversibleWrite, Label::default()));
        assert_eq!(tool.arguments["a"], Argument::default());
        let Access::Start(start) = server.access else { panic!("not started") };
        assert_eq!((start.cwd.as_str(), start.pass_env.len(), start.env.len()), (".", 0, 0));
    }

    #[test]
    fn what_is_written_is_read() {
        let text = "trust = 50\nzone = \"internal\"\n[reach]\nurl = \"http://127.0.0.1:3001/mcp\"\n[reach.headers]\nauthorization \
                    = \"env:DESK_TOKEN\"\n[resources]\nlabel = { integrity = \"own\" }\n[tools.run]\neffect = \
                    \"exec\"\nlabel = { integrity = \"system\", confidentiality = \"public\" }\ndry_run = \
                    \"try\"\ncalls_per_minute = 10\n[tools.run.arguments.name]\nclass = \"object\"\nkind = \"path\"\n";
        let (server, places) = parse("mortise/tools/desk.toml", text).unwrap();
        let Access::Reach(reach) = &server.access else { panic!("not reached") };
        assert_eq!(reach.headers["authorization"], Text::Variable("DESK_TOKEN".to_owned()));
        assert_eq!(server.resources, Label { integrity: Integrity::Own, confidentiality: Confidentiality::Private });
        let tool = &server.tools[&ToolName::new("run")];
        assert_eq!((tool.effect, tool.calls_per_minute), (Effect::Exec, Some(10)));
        assert_eq!(tool.arguments["name"].kind, ArgumentKind::Path);
        assert_eq!(places.dry_runs[0].0.as_str(), "try");
    }

    #[test]
    fn exactly_one_of_start_and_reach() {
        assert_eq!(complaint("trust = 1").code, "server/start-or-reach");
        let both = complaint("[start]\ncommand = \"x\"\n[reach]\nurl = \"http://x\"\n");
        assert_eq!((both.code, both.line), ("server/start-or-reach", 3));
    }

    #[test]
    fn trust_and_timeouts_have_edges() {
        for (key, value, fine) in [
            ("trust", 0, true),
            ("trust", 100, true),
            ("trust", 101, false),
            ("call_timeout_s", 0, false),
            ("call_timeout_s", 86_400, true),
            ("call_timeout_s", 86_401, false),
            ("start_timeout_s", 0, false),
            ("start_timeout_s", 1, true),
        ] {
            let text = format!("{key} = {value}\n{START}");
            assert_eq!(parse("mortise/tools/desk.toml", &text).is_ok(), fine, "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(complaint("[start]\ncommand = \"\"").code, "config/value");
        assert_eq!(complaint("[start]\ncomand = \"x\"").candidates, ["command"]);
        assert_eq!(complaint("[reach]\nurl = \"ftp://x\"").code, "config/value");
        assert_eq!(complaint(&format!("{START}pass_env = [\"A B\"]")).code, "config/value");
        assert_eq!(complaint(&format!("{START}[start.env]\nA = \"env:\"")).code, "config/value");
        assert_eq!(complaint(&format!("{START}[tools.\"a b\"]")).code, "server/tool-name");
        assert_eq!(complaint(&format!("{START}[tools.a]\ndry_run = \"a\"")).code, "tool/dry-run");
        assert_eq!(complaint(&format!("{START}[tools.a]\neffect = \"reed\"")).candidates, ["read"]);
        assert_eq!(complaint(&format!("{START}[tools.a.arguments.x]\nkind = \"pth\"")).candidates, ["path"]);
        assert_eq!(parse("mortise/tools/De sk.toml", START).unwrap_err()[0].code, "server/name");
    }
}
