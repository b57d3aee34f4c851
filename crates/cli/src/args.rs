//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Security built into AI agents: every tool call validated, decided, enforced and proved.
#[derive(Parser, Debug)]
#[command(name = "mortise", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Start with `mortise demo`, then `mortise init` in a repository of yours.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
}

/// What every command takes.
#[derive(Args, Debug, Clone)]
pub struct Global {
    /// The project's folder; by default the nearest one above with a `mortise.toml`.
    #[arg(long, global = true, value_name = "DIR")]
    pub project: Option<PathBuf>,
    /// How results are written to standard output.
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// Colours: by default only on a terminal, and never with NO_COLOR set.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub color: Colour,
}

/// Output formats. Machine formats are a documented interface, human text is not.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Human,
    /// One JSON document.
    Json,
    /// One JSON document a line.
    Ndjson,
    /// JUnit XML (tests).
    Junit,
}

/// When to use colours.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The verbs.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Watch the five verdicts happen on real tool servers, then see the log verified. Needs nothing.
    Demo(Demo),
    /// Write a commented configuration for this repository.
    Init(Init),
    /// Validate configuration, policies and pins without starting anything.
    Check,
    /// Pin the tool definitions that the servers offer now into `mortise.lock`.
    Lock(Lock),
    /// Serve every declared tool server behind one MCP endpoint.
    Up(Up),
    /// Stand in for one stdio server in a client's configuration.
    Proxy(Proxy),
    /// Start an agent with its MCP endpoint and run token set (model endpoints and hooks are not wired yet).
    Run(Run),
    /// Run the project's policy cases.
    Test(Test),
    /// Explain, compare and accept policies.
    #[command(subcommand)]
    Policy(Policy),
    /// Read, verify and prove the log.
    #[command(subcommand)]
    Trace(Trace),
    /// Cosign the checkpoints of other gateways' logs, so that none of them can be cut short or rewritten unseen.
    Witness(Witness),
    /// See and rotate the keys that sign the log.
    #[command(subcommand)]
    Keys(Keys),
    /// See and answer calls that wait for a person.
    #[command(subcommand)]
    Approvals(Approvals),
    /// List agents and make keys for them.
    #[command(subcommand)]
    Agents(Agents),
    /// Stop agents, servers or everything at once (not wired yet).
    Kill,
    /// See which formats project, state and log are in, and bring them into those of this Mortise.
    Migrate(Migrate),
    /// See whether this machine has what Mortise needs, and how to get it.
    Doctor,
    /// Explain a diagnostic code.
    Explain {
        /// A code such as `policy/unknown-annotation`.
        code: String,
    },
    /// Write shell completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Serve one of the example worlds as a stdio MCP server.
    ExampleServer {
        /// `desk`, `mailer` or `hr`.
        world: String,
    },
    /// The gateway process, started on demand.
    #[command(name = "__gateway", hide = true)]
    Gateway(Gateway),
    /// The demo's scripted agent.
    #[command(name = "__demo-agent", hide = true)]
    DemoAgent,
}

/// `mortise demo`
#[derive(Args, Debug)]
pub struct Demo {
    /// Use this copy of the example instead of a fresh one.
    #[arg(long, value_name = "DIR")]
    pub example: Option<PathBuf>,
    /// Keep the folder, and say where it is.
    #[arg(long)]
    pub keep: bool,
}

/// `mortise witness`
#[derive(Args, Debug)]
pub struct Witness {
    /// Where it keeps its key and what it cosigned. One witness at a time.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// The name of its key: a web address without scheme, such as `witness.example.com/team`.
    #[arg(long)]
    pub name: String,
    /// Where it listens. Behind a proxy that speaks TLS where others are to reach it.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:7677")]
    pub listen: std::net::SocketAddr,
    /// The verifying key of a log it cosigns (the file `vkey` in the log's directory); may be given many times, also for one
    /// log: while its key is rotated, the old one and the new.
    #[arg(long = "log", value_name = "VKEY", required = true)]
    pub logs: Vec<String>,
}

/// `mortise init`
#[derive(Args, Debug)]
pub struct Init {
    /// The agent's name.
    #[arg(long, default_value = "my-agent")]
    pub agent: String,
}

/// `mortise lock`
#[derive(Args, Debug)]
pub struct Lock {
    /// Only say what would change; exit 10 if anything would.
    #[arg(long)]
    pub check: bool,
    /// Only these servers.
    pub servers: Vec<String>,
}

/// `mortise up`
#[derive(Args, Debug)]
pub struct Up {
    /// Listen here instead of the address in `mortise.toml`.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Loosening edits apply at once, and every event says so.
    #[arg(long)]
    pub dev: bool,
}

/// `mortise proxy`
#[derive(Args, Debug)]
pub struct Proxy {
    /// The agent the calls are made for. A run token in `MORTISE_RUN_TOKEN` says it too.
    #[arg(long)]
    pub agent: Option<String>,
    /// The server's name in `mortise/tools/`; by default the one with the same start command.
    #[arg(long)]
    pub server: Option<String>,
    /// The server's own command, as it stood in the client's configuration.
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// `mortise run`
#[derive(Args, Debug)]
pub struct Run {
    /// The agent.
    #[arg(long)]
    pub agent: String,
    /// The agent's command.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// `mortise test`
#[derive(Args, Debug)]
pub struct Test {
    /// Only cases whose suite or name contains this.
    pub filter: Option<String>,
    /// Write JUnit XML here as well.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Advisory findings fail too (exit 11).
    #[arg(long)]
    pub strict: bool,
}

/// `mortise policy`
#[derive(Subcommand, Debug)]
pub enum Policy {
    /// What the rules say about one tool: who may use it, and which guards stand before it.
    Explain {
        /// `server/tool`, or a rule's id.
        subject: String,
    },
    /// What waits to be accepted, compared with what is in force.
    Diff,
    /// Put the waiting configuration in force.
    Accept {
        /// Who accepts.
        #[arg(long = "as", value_name = "APPROVER")]
        approver: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Print the generated Cedar schema.
    Schema,
}

/// `mortise trace`
#[derive(Subcommand, Debug)]
pub enum Trace {
    /// List calls, newest last.
    Ls(TraceList),
    /// Show an event by index, or every event of a call by its id.
    Show {
        /// Index, or call id.
        subject: String,
    },
    /// Follow the log.
    Tail(TraceList),
    /// Verify the whole log offline.
    Verify {
        /// Another log directory.
        #[arg(long, value_name = "DIR")]
        log: Option<PathBuf>,
        /// The key it must be signed with, the first or any later one of the log; by default the one in its directory.
        #[arg(long, value_name = "VKEY")]
        key: Option<String>,
        /// The key of a witness that must have cosigned it; may be given many times.
        #[arg(long = "witness", value_name = "VKEY")]
        witnesses: Vec<String>,
    },
    /// Print a tlog-proof of one event, for somebody else's verifier.
    Prove {
        /// Index of the event.
        index: u64,
        /// Write the event's exact bytes to this file.
        #[arg(long, value_name = "FILE")]
        leaf: Option<PathBuf>,
    },
    /// Write the sealed events as a tlog-tiles directory: checkpoint, tiles, entries.
    Export {
        /// An empty directory, or one to make.
        directory: PathBuf,
        /// Another log directory.
        #[arg(long, value_name = "DIR")]
        log: Option<PathBuf>,
    },
}

/// What a listing shows.
#[derive(Args, Debug, Clone)]
pub struct TraceList {
    /// At most this many lines.
    #[arg(long, short = 'n', default_value_t = 50)]
    pub limit: usize,
    /// Only calls with this verdict.
    #[arg(long)]
    pub verdict: Option<String>,
    /// Only this agent.
    #[arg(long)]
    pub agent: Option<String>,
    /// Every event, not one line a call.
    #[arg(long)]
    pub events: bool,
    /// Another log directory.
    #[arg(long, value_name = "DIR")]
    pub log: Option<PathBuf>,
}

/// `mortise migrate`
#[derive(Args, Debug)]
pub struct Migrate {
    /// Only say what would change.
    #[arg(long)]
    pub dry_run: bool,
}

/// `mortise keys`
#[derive(Subcommand, Debug)]
pub enum Keys {
    /// The keys of the log: which signs which sizes, since when, and why.
    Ls {
        /// Another log directory.
        #[arg(long, value_name = "DIR")]
        log: Option<PathBuf>,
    },
    /// Let a new key sign the log, and the present one as well until the overlap is over. Needs a running gateway.
    Rotate(KeysRotate),
}

/// `mortise keys rotate`
#[derive(Args, Debug)]
pub struct KeysRotate {
    /// Why. It is recorded.
    #[arg(long, value_name = "TEXT")]
    pub why: String,
    /// Both keys sign for this many further events at most.
    #[arg(long, value_name = "EVENTS", default_value_t = store::DEFAULT_OVERLAP.entries, value_parser = clap::value_parser!(u64).range(..=store::MAX_OVERLAP.entries))]
    pub overlap_entries: u64,
    /// And for this many seconds at most; 604800 is a week.
    #[arg(long, value_name = "SECONDS", default_value_t = store::DEFAULT_OVERLAP.seconds, value_parser = clap::value_parser!(u64).range(..=store::MAX_OVERLAP.seconds))]
    pub overlap_s: u64,
}

/// `mortise approvals`
#[derive(Subcommand, Debug)]
pub enum Approvals {
    /// Calls that wait.
    Ls {
        /// Answered ones too.
        #[arg(long)]
        all: bool,
    },
    /// One call with its arguments.
    Show {
        /// Approval id.
        id: String,
    },
    /// Let the stored call run. Asks for your secret.
    Approve(ApprovalAnswer),
    /// Refuse it. Asks for your secret.
    Deny(ApprovalAnswer),
    /// Set your secret.
    Enroll {
        /// Your name in `mortise.toml`.
        approver: String,
    },
}

/// An answer.
#[derive(Args, Debug)]
pub struct ApprovalAnswer {
    /// Approval id; a unique beginning is enough.
    pub id: String,
    /// Who answers: a name in `[approvers]` of `mortise.toml`.
    #[arg(long = "as", value_name = "APPROVER")]
    pub approver: String,
    /// Why.
    #[arg(long, default_value = "")]
    pub reason: String,
}

/// `mortise agents`
#[derive(Subcommand, Debug)]
pub enum Agents {
    /// The inventory: agents with tier, mode and privileges.
    Ls,
    /// Make a key with which the agent authenticates over HTTP. It is shown once.
    Key {
        /// The agent.
        agent: String,
    },
}

/// `mortise __gateway`
#[derive(Args, Debug)]
pub struct Gateway {
    /// The project.
    #[arg(long)]
    pub root: PathBuf,
    /// Exit when idle.
    #[arg(long)]
    pub on_demand: bool,
}
