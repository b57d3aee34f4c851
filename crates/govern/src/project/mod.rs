//! A project: what the operator wrote, read strictly and checked against itself.
//!
//! [`Files`] is the text, [`Project`] what it means. A project is accepted whole or not at all; what is odd but safe is
//! a warning.

pub(crate) mod agent;
mod complaints;
mod cross_check;
pub(crate) mod files;
mod reference;
pub(crate) mod retention;
pub(crate) mod server;
pub(crate) mod settings;
mod shapes;

pub(crate) use shapes::sources;

pub use agent::{Agent, CALLS_PER_MINUTE, Limits, Privileges};
pub use files::{Files, LOCK, MAX_DEPTH, MAX_FILE_BYTES, MAX_FILES, ReadError, SETTINGS};
pub use reference::{ClientRequest, ReferenceError, ToolPattern, ToolRef};
pub use retention::{Preset, Retention};
pub use server::{Access, DeclaredTool, Reach, Server, Start, Text};
pub use settings::{
    Ask, Gateway, Log, Naming, Settings, Sink, SinkHttp, SinkTo, UnknownMethods, Witness, sink_path_spans,
};

use crate::lock::Lock;
use files::Part;
use std::collections::BTreeMap;
use vocab::id::{AgentId, Digest, ServerId};
use vocab::{Diagnostic, Severity};

/// A consistent project.
#[derive(Clone, Debug)]
pub struct Project {
    /// `mortise.toml`.
    pub settings: Settings,
    /// Every agent.
    pub agents: BTreeMap<AgentId, Agent>,
    /// Every server.
    pub servers: BTreeMap<ServerId, Server>,
    /// Pinned definitions; empty when nothing is pinned yet.
    pub lock: Lock,
    /// The policy files, not yet compiled.
    pub policies: Vec<policy::Source>,
    /// Paths of the test suites.
    pub tests: Vec<String>,
    /// Digest over the files in force.
    pub revision: Digest,
    /// What is odd but safe.
    pub warnings: Vec<Diagnostic>,
}

impl Project {
    /// Reads a project's files.
    ///
    /// # Errors
    /// Every complaint found, warnings among them, when at least one is an error.
    pub fn parse(files: &Files) -> Result<Self, Vec<Diagnostic>> {
        Self::read(files, || files.revision())
    }

    /// As [`Self::parse`], for files whose [`Files::revision`] was computed already: accepted ones are held against it.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_revision(files: &Files, revision: &Digest) -> Result<Self, Vec<Diagnostic>> {
        Self::read(files, || revision.clone())
    }

    fn read(files: &Files, revision: impl FnOnce() -> Digest) -> Result<Self, Vec<Diagnostic>> {
        let mut found = Vec::new();
        let settings = parse_settings(files, &mut found);
        let lock = parse_lock(files, &mut found);
        let mut agents = BTreeMap::new();
        for (file, text) in files.of(Part::Agent) {
            match agent::parse(file, text) {
                Ok((agent, places)) => {
                    drop(agents.insert(agent.id.clone(), cross_check::Read { file, text, value: agent, places }))
                }
                Err(complaints) => found.extend(complaints),
            }
        }
        let mut servers = BTreeMap::new();
        for (file, text) in files.of(Part::Server) {
            match server::parse(file, text) {
                Ok((server, places)) => {
                    drop(servers.insert(server.id.clone(), cross_check::Read { file, text, value: server, places }))
                }
                Err(complaints) => found.extend(complaints),
            }
        }
        cross_check::check(files, &agents, &servers, lock.as_ref(), &mut found);
        let failed = found.iter().any(|complaint| complaint.severity == Severity::Error);
        match (settings, lock) {
            (Some(settings), Some(lock)) if !failed => Ok(Self {
                settings,
                agents: agents.into_iter().map(|(id, read)| (id, read.value)).collect(),
                servers: servers.into_iter().map(|(id, read)| (id, read.value)).collect(),
                lock,
                policies: shapes::sources(files),
                tests: files.of(Part::Test).map(|(file, _)| file.to_owned()).collect(),
                revision: revision(),
                warnings: found,
            }),
            _ => Err(found),
        }
    }
}

fn parse_settings(files: &Files, found: &mut Vec<Diagnostic>) -> Option<Settings> {
    let Some(text) = files.text(SETTINGS) else {
        let complaint = Diagnostic::error("project/no-settings", SETTINGS, "there is no `mortise.toml`");
        found.push(complaint.with_help("run `mortise init`, or name the project's folder with `--project`"));
        return None;
    };
    settings::parse(text, &files.folder).map_err(|complaints| found.extend(complaints)).ok()
}

fn parse_lock(files: &Files, found: &mut Vec<Diagnostic>) -> Option<Lock> {
    let Some(text) = files.text(LOCK) else {
        return Some(Lock::default());
    };
    let wrong = |error: crate::lock::LockError| {
        let complaint = Diagnostic::error("lock/invalid", LOCK, error.to_string())
            .with_help("run `mortise lock` to write it anew, then review the difference");
        match error {
            crate::lock::LockError::Json { error } => complaint.at(text, (error.offset, error.offset)),
            _ => complaint,
        }
    };
    Lock::parse(text).map_err(|error| found.push(wrong(error))).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::lock::{Listing, pin};
    use serde_json::{Value, json};

    pub(crate) const AGENT: &str = "owner = \"o@example.com\"\npurpose = \"p\"\ntier = \"high\"\n";
    pub(crate) const SERVER: &str = "[start]\ncommand = \"mortise\"\n";

    /// A project of one agent `bot`, one server `desk` with tools `close`, `search` and `try_close`, one policy.
    pub(crate) fn sample() -> Files {
        let mut files = Files { folder: "shop".to_owned(), ..Files::default() };
        put(&mut files, SETTINGS, "");
        put(&mut files, "mortise/agents/bot.toml", &format!("{AGENT}tools = [\"desk/close\"]\n"));
        put(&mut files, "mortise/tools/desk.toml", SERVER);
        put(&mut files, "mortise/policies/a.cedar", "@id(\"all\")\npermit (principal, action, resource);\n");
        put(&mut files, LOCK, &lock(&["close", "search", "try_close"]));
        files
    }

    pub(crate) fn put(files: &mut Files, path: &str, text: &str) {
        files.texts.insert(path.to_owned(), text.to_owned());
    }

    pub(crate) fn lock(tools: &[&str]) -> String {
        let tools: Vec<Value> = tools
            .iter()
            .map(|name| json!({"name": name, "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}}}))
            .collect();
        let listing = Listing { protocol_version: "2025-11-25".into(), server_info: json!({"name": "desk"}), tools };
        Lock { servers: [(ServerId::new("desk"), pin(&listing).unwrap())].into() }.render()
    }

    fn complaint(files: &Files) -> Diagnostic {
        let found = Project::parse(files).unwrap_err();
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().unwrap()
    }

    fn warnings(files: &Files) -> Vec<&'static str> {
        Project::parse(files).unwrap().warnings.iter().map(|warning| warning.code).collect()
    }

    #[test]
    fn sample_has_nothing_to_complain_about() {
        let project = Project::parse(&sample()).unwrap();
        assert!(project.warnings.is_empty(), "{:?}", project.warnings);
        assert_eq!((project.agents.len(), project.servers.len(), project.policies.len()), (1, 1, 1));
        assert_eq!(project.revision, sample().revision());
        let again = Project::parse_revision(&sample(), &project.revision).unwrap();
        assert_eq!((again.revision, again.lock), (project.revision, project.lock));
    }

    #[test]
    fn agents_name_what_exists() {
        for (key, value, code, candidate) in [
            ("tools", "dsek/close", "agent/unknown-server", "desk"),
            ("tools", "desk/clse", "agent/unknown-tool", "desk/close"),
            ("may_request", "desk/serch", "agent/unknown-tool", "desk/search"),
            ("resources", "dest", "agent/unknown-server", "desk"),
            ("prompts", "dask/hi", "agent/unknown-server", "desk"),
            ("client_requests", "desc#roots", "agent/unknown-server", "desk"),
            ("parents", "bit", "agent/unknown-parent", "bot"),
        ] {
            let mut files = sample();
            put(&mut files, "mortise/agents/bot.toml", &format!("{AGENT}{key} = [\"{value}\"]\n"));
            let found = complaint(&files);
            assert_eq!((found.code, found.line), (code, 4), "{key}");
            assert_eq!(found.candidates, [candidate], "{key}");
        }
        let mut files = sample();
        put(&mut files, "mortise/agents/bot.toml", &format!("{AGENT}[limits.tools]\n\"desk/clos\" = 1\n"));
        assert_eq!(complaint(&files).code, "agent/unknown-tool");
    }

    #[test]
    fn unpinned_servers_are_warned_about_and_their_tools_not_checked() {
        let mut files = sample();
        files.texts.remove(LOCK);
        put(&mut files, "mortise/agents/bot.toml", &format!("{AGENT}tools = [\"desk/anything\"]\n"));
        let project = Project::parse(&files).unwrap();
        assert_eq!(project.warnings[0].code, "lock/missing");
        assert_eq!(project.warnings[0].help.as_deref(), Some("run `mortise lock`"));
    }

    #[test]
    fn servers_name_what_is_pinned() {
        let mut files = sample();
        let with = |rest: &str| format!("{SERVER}{rest}");
        put(&mut files, "mortise/tools/desk.toml", &with("[tools.close]\ndry_run = \"try_clos\"\n"));
        assert_eq!(
            (complaint(&files).code, complaint(&files).candidates),
            ("tool/dry-run", vec!["try_close".to_owned()])
        );
        put(&mut files, "mortise/tools/desk.toml", &with("[tools.close]\ndry_run = \"try_close\"\n"));
        assert!(warnings(&files).is_empty());
        put(&mut files, "mortise/tools/desk.toml", &with("[tools.clos]\n"));
        assert_eq!(warnings(&files), ["tool/unknown"]);
        put(&mut files, "mortise/tools/desk.toml", &with("[tools.close.arguments.di]\nclass = \"free\"\n"));
        assert_eq!(warnings(&files), ["tool/unknown-argument"]);
    }

    #[test]
    fn emptiness_is_said() {
        let mut files = sample();
        files.texts.remove("mortise/policies/a.cedar");
        files.texts.remove("mortise/agents/bot.toml");
        assert_eq!(warnings(&files), ["project/no-agents", "project/no-policies"]);
        let project = Project::parse(&files).unwrap();
        assert!(project.warnings[1].message.contains("every call is denied"));
        files.texts.remove("mortise/tools/desk.toml");
        assert!(warnings(&files).contains(&"lock/unused"));
        files.texts.remove(SETTINGS);
        assert!(Project::parse(&files).unwrap_err().iter().any(|c| c.code == "project/no-settings"));
    }

    #[test]
    fn misplaced_files_are_said() {
        let mut files = sample();
        files.ignored = vec!["mortise/agent/bot.toml".to_owned(), "mortise/policies/x.ceder".to_owned()];
        let project = Project::parse(&files).unwrap();
        assert_eq!(project.warnings.len(), 2);
        assert_eq!(project.warnings[0].candidates, ["agents"]);
        assert!(project.warnings[1].help.as_deref().unwrap().contains(".cedar"));
    }

    #[test]
    fn lock_must_read() {
        let mut files = sample();
        put(&mut files, LOCK, "{\n  oops");
        let found = complaint(&files);
        assert_eq!((found.code, found.line), ("lock/invalid", 2));
    }

    #[test]
    fn all_files_are_complained_about_at_once() {
        let mut files = sample();
        put(&mut files, SETTINGS, "x = 1");
        put(&mut files, "mortise/agents/bot.toml", "x = 1");
        put(&mut files, "mortise/tools/desk.toml", "x = 1");
        assert_eq!(Project::parse(&files).unwrap_err().len(), 3);
    }

    #[test]
    fn shapes_say_what_policies_may_name() {
        let mut files = sample();
        put(&mut files, SETTINGS, "[approvers.ada]\ngroups = [\"secops\"]\n[approvers.bob]\ngroups = [\"secops\"]\n");
        put(&mut files, "mortise/agents/bot.toml", &format!("{AGENT}user = \"carl\"\nteam = \"t\"\n"));
        let project = Project::parse(&files).unwrap();
        let shapes = project.shapes();
        assert_eq!(
            (shapes.approver_groups, shapes.users),
            (vec!["secops".into()], vec!["ada".into(), "bob".into(), "carl".into()])
        );
        assert_eq!((shapes.agents[0].team.as_deref(), shapes.agents[0].eval_passed), (Some("t"), false));
        assert_eq!((shapes.servers[0].transport.as_str(), shapes.servers[0].pinned), ("stdio", true));
        let compiled = policy::compile(&project.policies, &project.shapes());
        assert!(compiled.bundle.is_some(), "{:?}", compiled.diagnostics);
    }

    #[test]
    fn tools_join_pin_and_declaration() {
        let mut files = sample();
        let declared = "[tools.close]\neffect = \"read\"\n[tools.close.arguments.id]\nclass = \"object\"\n";
        put(&mut files, "mortise/tools/desk.toml", &format!("{SERVER}{declared}"));
        let project = Project::parse(&files).unwrap();
        let tools = project.tools();
        assert_eq!(tools.len(), 3);
        let close = tools.iter().find(|tool| tool.action() == "desk/close").unwrap();
        assert_eq!((close.effect, close.argument("id").class), (vocab::Effect::Read, vocab::ArgumentClass::Object));
        assert_eq!(close.definition, project.lock.tool(&close.server, &close.name).unwrap().digest);
        assert_eq!(tools.iter().find(|tool| tool.action() == "desk/search").unwrap().effect, vocab::Effect::default());
    }
}
