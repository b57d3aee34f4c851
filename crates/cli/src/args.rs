//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
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
    /// Decide the recorded calls again: under the policies that decided, or under others.
    Replay(Replay),
    /// Explain, compare and accept policies.
    #[command(subcommand)]
    Policy(Policy),
    /// Read, verify and prove the log.
    #[command(subcommand)]
    Trace(Trace),
    /// See how long things are kept, place legal holds, erase what is kept of a person.
    #[command(subcommand)]
    Retention(Retention),
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

/// `mortise replay`
#[derive(Args, Debug)]
pub struct Replay {
    /// What other policies would have answered: a folder of `.cedar` files, or another project.
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,
    /// Only decisions of this long ago or less, such as `7d`, `12h` or `30m`.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only this agent.
    #[arg(long)]
    pub agent: Option<String>,
    /// At most this many examples of each difference.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub examples: usize,
    /// Write a page for a browser here as well.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Another log directory.
    #[arg(long, value_name = "DIR")]
    pub log: Option<PathBuf>,
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
    /// Find calls, newest first: `mortise trace search agent:support-bot verdict:deny since:7d refund`.
    Search(TraceSearch),
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
        /// An audit bundle, instead of a log.
        #[arg(long, value_name = "DIR", conflicts_with = "log")]
        bundle: Option<PathBuf>,
    },
    /// Write part of the log, with proofs, for an auditor who need not have Mortise.
    Bundle(TraceBundle),
    /// Show what an event, or all events of a call, commit to. That it is read, and why, is recorded first.
    Reveal {
        /// Index, or call id.
        subject: String,
        /// Why it is read.
        #[arg(long)]
        reason: String,
    },
    /// Say how many bytes a day each agent's traces take, and how much that comes to.
    Usage {
        /// Days to look ahead.
        #[arg(long, default_value_t = 365)]
        days: u16,
    },
    /// Print a tlog-proof of one event, for somebody else's verifier.
    Prove {
        /// Index of the event.
        index: u64,
        /// Write the event's exact bytes to this file.
        #[arg(long, value_name = "FILE")]
        leaf: Option<PathBuf>,
    },
    /// Compare the calls of two sessions or runs, or of two logs; exit 10 if they differ.
    Diff(TraceDiff),
    /// Write the log for others: as a tlog-tiles directory (checkpoint, tiles, entries), or to a file in a format of theirs.
    Export(TraceExport),
}

/// `mortise trace export`
#[derive(Args, Debug, Clone)]
pub struct TraceExport {
    /// An empty directory, or one to make; with `--as`, a file that is not there yet.
    #[arg(value_name = "DIR|FILE")]
    pub to: PathBuf,
    /// The format of a file: `jsonl`, `csv`, `otlp`, `otlp-proto` or `ocsf` (and `parquet`, in a build that has it).
    #[arg(long = "as", value_name = "FORMAT")]
    pub as_format: Option<String>,
    /// Only what this agent did.
    #[arg(long, requires = "as_format")]
    pub agent: Option<String>,
    /// From this time on: `2026-11-28` (UTC) or `2026-11-28T08:00:00Z`.
    #[arg(long, value_name = "TIME", requires = "as_format")]
    pub since: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME", requires = "as_format")]
    pub until: Option<String>,
    /// Wrap each record with its index (`jsonl`).
    #[arg(long, requires = "as_format")]
    pub with_index: bool,
    /// Go on with what an interrupted export left.
    #[arg(long, requires = "as_format")]
    pub resume: bool,
    /// Another log directory.
    #[arg(long, value_name = "DIR")]
    pub log: Option<PathBuf>,
}

/// `mortise trace bundle`
#[derive(Args, Debug)]
pub struct TraceBundle {
    /// An empty directory, or one to make.
    #[arg(value_name = "DIR")]
    pub to: PathBuf,
    /// Only what this agent did.
    #[arg(long)]
    pub agent: Option<String>,
    /// From this time on: `2026-11-28` (UTC) or `2026-11-28T08:00:00Z`.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Disclose payloads, too: to whom and why, which is recorded.
    #[arg(long, value_name = "REASON")]
    pub disclose: Option<String>,
}

/// `mortise retention`
#[derive(Subcommand, Debug)]
pub enum Retention {
    /// How long what is kept, what is there, and which holds stand.
    Show,
    /// Remove what is past its time now, instead of within ten minutes.
    Prune,
    /// Place a legal hold: nothing is removed or erased while it stands.
    Hold {
        /// Its name.
        name: String,
        #[command(flatten)]
        decision: Decision,
    },
    /// End a legal hold.
    Release {
        /// Its name.
        name: String,
        #[command(flatten)]
        decision: Decision,
    },
    /// Destroy the data keys of one person: what is kept of this person becomes unreadable, for good.
    Erase {
        /// The person, as `user` of an agent's file or of a run says.
        #[arg(long)]
        user: String,
        #[command(flatten)]
        decision: Decision,
    },
}

/// Who decides, and why.
#[derive(Args, Debug)]
pub struct Decision {
    /// The approver.
    #[arg(long = "as", value_name = "APPROVER")]
    pub approver: String,
    /// The reason, recorded.
    #[arg(long)]
    pub reason: String,
}

/// `mortise trace diff`
#[derive(Args, Debug, Clone)]
pub struct TraceDiff {
    /// A session or a run.
    #[arg(required_unless_present = "logs")]
    pub a: Option<String>,
    /// Another one.
    #[arg(required_unless_present = "logs")]
    pub b: Option<String>,
    /// Another log directory; given twice, the first is compared with the second.
    #[arg(long = "log", value_name = "DIR")]
    pub logs: Vec<PathBuf>,
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

/// `mortise trace search`
#[derive(Args, Debug, Clone)]
#[command(after_help = SEARCH_HELP)]
pub struct TraceSearch {
    /// What has to hold; without any, everything is found.
    #[arg(value_name = "FILTER")]
    pub filter: Vec<String>,
    /// At most this many.
    #[arg(long, short = 'n', default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Go on behind this one: the number that the page before ended with.
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<u64>,
    /// Events that fit by themselves, not calls whose events fit together.
    #[arg(long)]
    pub events: bool,
    /// Only how many there are, by this.
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with_all = ["after", "limit"])]
    pub count_by: Option<CountBy>,
    /// Another log directory. Its index is made for this search, and removed.
    #[arg(long, value_name = "DIR")]
    pub log: Option<PathBuf>,
}

const SEARCH_HELP: &str = "\
A filter is KEY:VALUE or a word. VALUE,VALUE is either, VALUE* is any end, a dash before it turns it round.
Keys: agent, user, session, run, call, tenant, server, tool, verdict, outcome, rule, kind, label, tier,
effect, mode, model, approver, approval; since and until take `7d` or `2026-11-28T10:00`.
A word is looked for in names of agents, servers, tools and rules, in reasons and in what events say.
Arguments and results are not in the log, so they cannot be found. More: docs/guides/search.md";

/// What is counted.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountBy {
    /// The five answers.
    Verdict,
    /// Agents.
    Agent,
    /// Tools.
    Tool,
    /// Rules that spoke, permitted or would have spoken.
    Rule,
    /// How calls ended.
    Outcome,
}

/// `-verdict:deny` looks like options. Behind `trace search`, what cannot be any is handed on with another mark, which
/// the command knows: clap's own way of taking such values would take the options behind them as well.
pub fn with_negations(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    const MORE: [&str; 3] = ["--project", "--format", "--color"];
    let mut path = ["trace", "search"].into_iter().peekable();
    let (mut is_value, mut is_over) = (true, false);
    let negate = |word: OsString| match word.to_str().and_then(|text| text.strip_prefix('-')) {
        Some(rest) if is_negation(rest) => OsString::from(format!("{NEGATED}{rest}")),
        _ => word,
    };
    words
        .map(|word| {
            if is_over {
                return word;
            }
            if path.peek().is_none() {
                is_over = word == "--";
                return negate(word);
            }
            let text = word.to_str().unwrap_or_default();
            let skip =
                std::mem::replace(&mut is_value, MORE.contains(&text)) || text.starts_with("--") && text.len() > 2;
            if !skip {
                is_over = path.next() != Some(text);
            }
            word
        })
        .collect()
}

/// What stands for the dash of a negated term on its way through clap.
pub const NEGATED: char = '!';

/// What stands behind a dash: not the options of `trace search`, and not another dash.
fn is_negation(rest: &str) -> bool {
    let is_option = match rest.strip_prefix('n') {
        Some(number) => number.trim_start_matches('=').bytes().all(|byte| byte.is_ascii_digit()),
        None => rest == "h",
    };
    !rest.is_empty() && !rest.starts_with('-') && !is_option
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negated_terms_are_no_options_and_options_stay_what_they_are() {
        let rewritten = |line: &str| {
            let words = with_negations(line.split(' ').map(OsString::from));
            words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        for (line, expected) in [
            ("mortise trace search -verdict:deny -n 5", "mortise trace search !verdict:deny -n 5"),
            ("mortise --format json trace search -note -n5 -h", "mortise --format json trace search !note -n5 -h"),
            ("mortise --project trace trace search -x --events", "mortise --project trace trace search !x --events"),
            ("mortise trace --format=json search -x -- -y", "mortise trace --format=json search !x -- -y"),
            ("mortise trace search -", "mortise trace search -"),
        ] {
            assert_eq!(rewritten(line), expected);
        }
        for line in
            ["mortise trace ls -x", "mortise run --agent trace -- search -x", "mortise search trace -x", "mortise"]
        {
            assert_eq!(rewritten(line), line);
        }
    }

    #[test]
    fn a_search_is_parsed_with_terms_and_options_in_any_order() {
        let line = "mortise trace search agent:a -verdict:deny -n 7 -refund --events";
        let words = with_negations(line.split(' ').map(OsString::from));
        let Command::Trace(Trace::Search(search)) = Cli::try_parse_from(words).unwrap().command else { panic!() };
        assert_eq!(search.filter, ["agent:a", "!verdict:deny", "!refund"]);
        assert_eq!((search.limit, search.events), (7, true));
    }
}
