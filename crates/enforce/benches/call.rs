//! What one allowed call allocates on the thread that takes it through the pipeline, with a tool that answers at once. Its
//! own binary, because the counter replaces the allocator.
//!
//! `cargo bench -p mortise-enforce --bench call [-- <calls>]`. For the instructions, under callgrind:
//! `--toggle-collect='*many_calls*'`; divide by the calls.
#![expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]

use enforce::{Alive, Boxed, Live, Lost, Pipeline, Recorder, Reply, Route, Sessions, Snapshot, Submission};
use govern::approval::{Approvals, SealedApprovals};
use govern::lock::{Listing, Lock, pin};
use govern::project::{Files, Project};
use govern::protected::Protected;
use serde_json::json;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use store::{Clock, Keys, Log, LogOptions, StateDir};
use tokio::runtime::Runtime;
use vocab::id::{AgentId, CallId, Digest, ServerId, SessionId, Tenant, ToolName};
use vocab::{Authn, Call, CallParts, Operation, Principal, Target, Untrusted};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ORIGIN: &str = "bench.mortise/log";
const HALF_HOUR_US: u64 = 30 * 60_000_000;
const REPLY: &[u8] = br#"{"content":[{"type":"text","text":"hello there, this is a message"}],"isError":false}"#;

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

fn main() -> Outcome<()> {
    let calls = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(200);
    let dir = std::env::temp_dir().join(format!("mortise-call-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let done = run(&dir, calls);
    std::fs::remove_dir_all(&dir)?;
    done
}

fn run(dir: &Path, calls: usize) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bench = Bench::open(dir)?;
    // The session begins, the schema is compiled, the rules of agent and tool are put together.
    many_calls(&runtime, (0..20).map(|_| bench.submission()).collect(), &bench.pipeline)?;
    let submissions = (0..calls).map(|_| bench.submission()).collect();
    let mut outcome = Ok(());
    let used = allocation_counter::measure(|| outcome = many_calls(&runtime, submissions, &bench.pipeline));
    outcome?;
    let per_call = |total: u64| total / u64::try_from(calls).unwrap_or(1).max(1);
    println!("{} allocations, {} bytes a call", per_call(used.count_total), per_call(used.bytes_total));
    Ok(())
}

#[inline(never)]
fn many_calls(runtime: &Runtime, submissions: Vec<Submission>, pipeline: &Arc<Pipeline>) -> Outcome<()> {
    for submission in submissions {
        match runtime.block_on(pipeline.submit(submission)) {
            enforce::Answer::Reply(_) => {}
            other => return Err(format!("not allowed: {other:?}").into()),
        }
    }
    Ok(())
}

struct Bench {
    pipeline: Arc<Pipeline>,
    route: Arc<dyn Route>,
    clock: Clock,
}

impl Bench {
    fn open(dir: &Path) -> Outcome<Self> {
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
        Ok(Self { pipeline: Arc::new(pipeline), route: Arc::new(Echo { definition }), clock })
    }

    fn submission(&self) -> Submission {
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
        Submission { call, route: Arc::clone(&self.route), alive: Alive::default() }
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

/// A tool that answers at once.
struct Echo {
    definition: Digest,
}

impl Route for Echo {
    fn live(&self, _target: &Target) -> Live {
        Live::Definition(self.definition.clone())
    }

    fn send<'a>(&'a self, _effective: &'a Call) -> Boxed<'a, Result<Reply, Lost>> {
        Box::pin(std::future::ready(Ok(Reply::Result(REPLY.to_vec()))))
    }

    fn working_directory(&self) -> String {
        "/srv/shop".to_owned()
    }
}
