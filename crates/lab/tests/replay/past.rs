//! Some hundred calls that were taken through the pipeline, and the log of them.

use crate::fixture;
use crate::kept::Folder;
use enforce::{
    Alive, Answer, Boxed, Live, Lost, Pipeline, Recorder, Reply, Route, Routes, Sessions, Snapshot, Submission,
};
use govern::approval::{Approvals, Say, SealedApprovals};
use govern::project::Files;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use store::{Clock, Keys, Log, LogHasher, LogOptions, LogReader, StateDir};
use vocab::event::{Event, Kind};
use vocab::id::{AgentId, ApprovalId, CallId, Digest, ServerId, SessionId, Tenant, ToolName, UserId};
use vocab::{Authn, Call, CallParts, Operation, Principal, Target, Untrusted};

const ORIGIN: &str = "test.mortise/log";
const HALF_HOUR_US: u64 = 30 * 60_000_000;

/// A project that served, and what it left.
pub struct Past {
    pub files: Files,
    pub pipeline: Arc<Pipeline>,
    pub folder: Arc<Folder>,
    pub hasher: LogHasher,
    clock: store::clock::ManualClock,
    log: std::path::PathBuf,
    snapshot: Arc<Snapshot>,
}

impl Past {
    /// A project that serves, with a keeper or without.
    pub fn begin(dir: &Path, keeps: bool) -> Self {
        Self::begin_with(dir, keeps, fixture::files())
    }

    /// The same with other files.
    pub fn begin_with(dir: &Path, keeps: bool, files: Files) -> Self {
        let state = Arc::new(StateDir::open(&dir.join("state")).unwrap());
        let keys = Keys::open(&state.keys(), ORIGIN).unwrap();
        let options = LogOptions::new(ORIGIN);
        let (log, _) = Log::open(&state.log(), &options, keys.signer().unwrap(), &mut |_, _| {}).unwrap();
        let (clock, hands) = Clock::manual(1_795_000_000_000_000);
        let recorder = Recorder::new(Arc::new(log), Arc::new(keys.hasher()), clock, Tenant::default());
        let snapshot = fixture::snapshot_of(&files);
        let ask = snapshot.project.settings.ask.into();
        let sealed = SealedApprovals::new(Arc::clone(&state), keys.sealer("approvals"));
        let (approvals, _) = Approvals::open(sealed, ask).unwrap();
        let pseudonyms = detect::PseudonymKey::new([7; 32]);
        let pipeline = Pipeline::new(snapshot, Sessions::new(HALF_HOUR_US), recorder, approvals, pseudonyms);
        let folder = Arc::new(Folder::at(&dir.join("inputs")));
        if keeps {
            pipeline.set_keeper(folder.clone());
        }
        let pipeline = Arc::new(pipeline);
        let snapshot = pipeline.snapshot();
        pipeline.set_routes(Arc::new(Tools(Arc::clone(&snapshot))));
        Self { files, pipeline, folder, hasher: keys.hasher(), clock: hands, log: state.log(), snapshot }
    }

    /// One call. Nobody waits for its answer, so nobody is held.
    pub async fn call(
        &self,
        number: usize,
        session: usize,
        agent: &str,
        tool: &str,
        arguments: Value,
        confidence: Option<u8>,
    ) -> Answer {
        // Now and then faster than the agent may.
        self.clock.advance(if number / 50 % 4 == 3 { 700_000 } else { 2_300_000 });
        let operation = match tool.strip_prefix('#') {
            Some("read") => Operation::ReadResource,
            Some(_) => Operation::GetPrompt,
            None => Operation::Tool(ToolName::new(tool)),
        };
        let principal = Principal {
            agent: AgentId::new(agent),
            parents: if number.is_multiple_of(7) { vec![AgentId::new("mouse")] } else { Vec::new() },
            user: Some(UserId::new("lin")),
            authn: if number.is_multiple_of(2) { Authn::Local } else { Authn::AgentKey },
        };
        let call = Call::new(CallParts {
            id: CallId::new(format!("call-{number}")),
            tenant: Tenant::default(),
            principal,
            session: SessionId::new(format!("session-{session}")),
            run: None,
            target: Target { server: ServerId::new("desk"), operation },
            arguments: Untrusted::new(arguments),
            purpose: (number.is_multiple_of(3)).then(|| Untrusted::new("to see".to_owned())),
            confidence,
            received_us: 1_795_000_000_000_000,
        });
        let changed = number % 29 == 28;
        let alive = Alive::default();
        alive.end();
        let route: Arc<dyn Route> = Arc::new(Tool { snapshot: Arc::clone(&self.snapshot), changed });
        self.pipeline.submit(Submission { call, route, alive }).await
    }

    /// Some hundred calls of every kind, with approvals among them.
    pub async fn serve(&self, calls: usize) {
        self.serve_from(0, calls).await;
    }

    /// So many more of them.
    pub async fn serve_from(&self, first: usize, calls: usize) {
        for number in first..first + calls {
            let (tool, arguments) = self::arguments(number);
            let confidence = match number % 11 {
                3 => Some(10),
                4 => Some(90),
                _ => None,
            };
            let agent = if number % 13 == 12 { "mouse" } else { "bot" };
            let answer = self.call(number, number / 40, agent, tool, arguments, confidence).await;
            if let Answer::Refused(refusal) = answer
                && let Some(ticket) = refusal.ticket
                // In some sessions nobody answers, until there are too many.
                && number / 40 % 3 != 2
            {
                self.answer(&ticket, if number % 5 == 3 { Say::Refuse } else { Say::Approve }).await;
            }
        }
    }

    async fn answer(&self, ticket: &ApprovalId, say: Say) {
        // One that was answered before is the same call again.
        if self.pipeline.answer(ticket, &UserId::new("ada"), say, "looked at").await.is_ok() {
            // What was approved runs as a task of its own, and waits for the log.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Every event, with its index.
    pub fn events(&self) -> Vec<(u64, Event<'static>)> {
        let reader = LogReader::open(&self.log).unwrap();
        let records = reader.iter_from(0).map(Result::unwrap);
        records.map(|record| (record.index, Event::from_bytes(&record.bytes).unwrap().into_owned())).collect()
    }

    /// Every decision, with its index.
    pub fn decisions(&self) -> Vec<(u64, Event<'static>)> {
        self.events().into_iter().filter(|(_, event)| event.kind == Kind::PolicyDecision).collect()
    }
}

/// The arguments of a call by its number: of every tool, fitting and not.
pub fn arguments(number: usize) -> (&'static str, Value) {
    let id = format!("T-{}", number % 10);
    match number % 12 {
        0 => ("search", json!({"query": "open", "limit": 3.0})),
        1 => ("search", json!({"query": (["closed", "shadow"][number / 12 % 2])})),
        2 | 3 => ("close", json!({"id": id})),
        4 => ("run", json!({"script": (["restart", "status"][number / 12 % 2])})),
        5 => ("run", json!({"script": "purge", "force": true})),
        6 => ("run", json!({"script": "purge"})),
        7 => ("mail", json!({"to": "a@example.com", "note": "between us"})),
        8 => {
            ("mail", json!({"to": "a@example.com", "file": (["notes.txt", "/srv/shop/mortise.toml"][number / 12 % 2])}))
        }
        9 => ("close", json!({"ticket": 5})),
        10 => ("#read", json!({"uri": "desk://readme"})),
        _ => ("secret_tool", json!({})),
    }
}

/// The desk's tools, which answer at once.
struct Tool {
    snapshot: Arc<Snapshot>,
    /// Whether the live definitions are others than the pinned ones.
    changed: bool,
}

impl Route for Tool {
    fn live(&self, target: &Target) -> Live {
        match self.snapshot.tool(target) {
            _ if self.changed => Live::Definition(Digest::new("sha256:another")),
            Some(tool) => Live::Definition(tool.description.definition.clone()),
            None => Live::Unpinned,
        }
    }

    fn send<'a>(&'a self, _effective: &'a Call) -> Boxed<'a, Result<Reply, Lost>> {
        Box::pin(std::future::ready(Ok(Reply::Result(br#"{"content":[],"structuredContent":{"rows":[]}}"#.to_vec()))))
    }

    fn working_directory(&self) -> String {
        "/srv/shop".to_owned()
    }
}

struct Tools(Arc<Snapshot>);

impl Routes for Tools {
    fn route<'a>(
        &'a self,
        _session: &'a SessionId,
        _principal: &'a Principal,
        _target: &'a Target,
    ) -> Boxed<'a, Result<Arc<dyn Route>, String>> {
        let route: Arc<dyn Route> = Arc::new(Tool { snapshot: Arc::clone(&self.0), changed: false });
        Box::pin(std::future::ready(Ok(route)))
    }
}
