//! A pipeline over a log in a folder, with one agent and one tool.

use enforce::{Alive, Pipeline, Recorder, Route, Sessions, Snapshot, Submission};
use govern::approval::{Approvals, SealedApprovals};
use govern::lock::{Listing, Lock, pin};
use govern::project::{Files, Project};
use govern::protected::Protected;
use serde_json::json;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use store::{Clock, Keys, Log, LogOptions, StateDir};
use vocab::id::{AgentId, CallId, Digest, ServerId, SessionId, Tenant, ToolName};
use vocab::{Authn, Call, CallParts, Operation, Principal, Target, Untrusted};

pub type Outcome<T> = Result<T, Box<dyn Error>>;

const ORIGIN: &str = "bench.mortise/log";
const HALF_HOUR_US: u64 = 30 * 60_000_000;

const AGENT: &str = r#"
owner = "load@example.com"
purpose = "Say the same thing again and again"
tier = "medium"
classes = ["support"]
team = "support-platform"
tools = ["echo/echo"]
[limits]
calls_per_minute = 1000000
"#;

const SERVER: &str = r#"
[start]
command = "echo-server"
[tools.echo]
effect = "read"
label = { integrity = "third_party", confidentiality = "private" }
[tools.echo.arguments]
message = { class = "content" }
"#;

const POLICIES: &str = r#"
@id("roles/support/echo")
permit (principal in AgentClass::"support", action == Action::"echo/echo", resource == Server::"echo");
@id("guards/pace") @reason("more calls in this minute than declared")
forbid (principal, action in Action::"tools/call", resource)
when { context.session.calls_1m > context.session.agent_limit_1m };
"#;

/// What a call needs.
pub struct Setting {
    pub pipeline: Arc<Pipeline>,
    /// What the tool's definition is pinned to.
    pub definition: Digest,
    clock: Clock,
}

impl Setting {
    pub fn open(dir: &Path) -> Outcome<Self> {
        let state = Arc::new(StateDir::open(&dir.join("state"))?);
        let keys = Keys::open(&state.keys(), ORIGIN)?;
        let (log, _) = Log::open(&state.log(), &LogOptions::new(ORIGIN), keys.signer()?, &mut |_, _| {})?;
        let clock = Clock::system();
        let recorder = Recorder::new(Arc::new(log), Arc::new(keys.hasher()), clock.clone(), Tenant::default());
        let (project, definition) = project()?;
        let compilation = policy::compile(&project.policies, &project.shapes());
        let bundle = Arc::new(compilation.bundle.ok_or_else(|| format!("{:?}", compilation.diagnostics))?);
        let protected = Protected::new("/srv/shop", "/var/state", Some("/home/ada"))?;
        let ask = project.settings.ask.into();
        let snapshot = Snapshot::new(project, bundle, protected, false);
        let files = SealedApprovals::new(Arc::clone(&state), keys.sealer("approvals"));
        let (approvals, _) = Approvals::open(files, ask)?;
        let pseudonyms = detect::PseudonymKey::new([0; 32]);
        let pipeline = Pipeline::new(snapshot, Sessions::new(HALF_HOUR_US), recorder, approvals, pseudonyms);
        Ok(Self { pipeline: Arc::new(pipeline), definition, clock })
    }

    /// The same call again, on its way to this tool.
    pub fn submission(&self, route: &Arc<dyn Route>) -> Submission {
        let principal =
            Principal { agent: AgentId::new("loader"), parents: Vec::new(), user: None, authn: Authn::AgentKey };
        let call = Call::new(CallParts {
            id: CallId::new(store::id::new_uuid7(&self.clock)),
            tenant: Tenant::default(),
            principal,
            session: SessionId::new("0197f0a0-0000-7000-8000-000000000000"),
            run: None,
            target: Target { server: ServerId::new("echo"), operation: Operation::Tool(ToolName::new("echo")) },
            arguments: Untrusted::new(json!({"message": "hello there, this is a message 17"})),
            purpose: None,
            confidence: None,
            received_us: self.clock.now(),
        });
        Submission { call, route: Arc::clone(route), alive: Alive::default() }
    }
}

fn project() -> Outcome<(Arc<Project>, Digest)> {
    let text = json!({"type": "string", "minLength": 1, "maxLength": 4096});
    let schema = json!({
        "type": "object", "properties": {"message": text}, "required": ["message"], "additionalProperties": false
    });
    let listing = Listing {
        protocol_version: "2025-11-25".to_owned(),
        server_info: json!({"name": "echo"}),
        tools: vec![json!({"name": "echo", "description": "Says it again.", "inputSchema": schema})],
    };
    let lock = Lock { servers: [(ServerId::new("echo"), pin(&listing)?)].into() }.render();
    let texts = [
        ("mortise.toml", ""),
        ("mortise.lock", &lock),
        ("mortise/agents/loader.toml", AGENT),
        ("mortise/tools/echo.toml", SERVER),
        ("mortise/policies/own.cedar", POLICIES),
    ];
    let texts = texts.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
    let files = Files { folder: "shop".to_owned(), texts, ignored: Vec::new() };
    let project = Project::parse(&files).map_err(|found| format!("{found:?}"))?;
    let definition = project.tools().into_iter().map(|tool| tool.definition.clone()).next().ok_or("no tool")?;
    Ok((Arc::new(project), definition))
}
