//! `mortise.toml`.

mod sinks;

pub use sinks::{Sink, SinkHttp, SinkTo, sink_path_spans};

use super::complaints::Complaints;
use super::files::SETTINGS;
use super::retention::{self, RawRetention, RawStorage, Retention};
use crate::names::is_canonical;
use crate::toml_diagnostics;
use proof::CosignatureVerifier;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use toml::Spanned;
use vocab::Diagnostic;
use vocab::id::{Tenant, UserId};

/// Where `mortise up` listens when nothing is said: loopback, so that nobody else can reach it.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7410);

/// What `max_message_bytes` may be: below 1 KiB no tool answers, above 64 MiB one message could exhaust the gateway.
pub const MESSAGE_BYTES: RangeInclusive<u64> = 1024..=64 * 1024 * 1024;

/// What a number of seconds or minutes may be. A day: longer waits outlive the facts a decision was made on.
pub const SECONDS: RangeInclusive<u64> = 1..=86_400;

/// What `segment_bytes` may be: 1 MiB to 1 GiB.
pub const SEGMENT_BYTES: RangeInclusive<u64> = 1024 * 1024..=1024 * 1024 * 1024;

/// How many seconds may lie between two cosignatures of a witness. What lies after the last one could be cut off unseen.
pub const WITNESS_SECONDS: RangeInclusive<u64> = 1..=3_600;

/// What `max_open_per_session` and `max_per_hour` may be. More asks than this nobody reads.
pub const ASKS: RangeInclusive<u64> = 1..=1_000;

/// The settings of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The project's name.
    pub name: String,
    /// Whose data it is.
    pub tenant: Tenant,
    /// The gateway process.
    pub gateway: Gateway,
    /// Minutes without a call after which a session without a run token ends.
    pub idle_minutes: u32,
    /// Asking people.
    pub ask: Ask,
    /// The log.
    pub log: Log,
    /// How long what the log holds is kept.
    pub retention: Retention,
    /// Bytes of everything the log keeps. Beyond them no text is kept any more, and then no call is answered.
    pub max_bytes: Option<u64>,
    /// Stated confidence, in percent, under which an agent counts as uncertain.
    pub uncertain_below: u8,
    /// Who may answer, with the groups each is in.
    pub approvers: BTreeMap<UserId, BTreeSet<String>>,
    /// Where the log is sent while it grows, by name.
    pub sinks: BTreeMap<String, Sink>,
}

/// `[gateway]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Where it listens for Streamable HTTP.
    pub listen: SocketAddr,
    /// Whether `listen` may be other than loopback.
    pub allow_remote: bool,
    /// Further accepted values of `Host`.
    pub allowed_hosts: BTreeSet<String>,
    /// Further accepted values of `Origin`.
    pub allowed_origins: BTreeSet<String>,
    /// What becomes of methods Mortise does not know.
    pub unknown_methods: UnknownMethods,
    /// How tools of several servers are named together.
    pub naming: Naming,
    /// Whether every tool gets a required `purpose` argument.
    pub purpose_argument: bool,
    /// Whether every tool gets an optional `confidence` argument.
    pub confidence_argument: bool,
    /// Seconds without a connection after which a gateway started on demand ends.
    pub idle_exit_s: u64,
    /// Longest accepted message, in bytes.
    pub max_message_bytes: usize,
}

/// What becomes of methods Mortise does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownMethods {
    /// They are refused.
    #[default]
    Refuse,
    /// They are passed on and recorded.
    Pass,
}

/// How tools of several servers are named together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Naming {
    /// `server__tool` only where names would collide.
    #[default]
    Auto,
    /// `server__tool` for every tool.
    Always,
}

/// `[ask]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Seconds a caller is held before it gets a ticket.
    pub hold_s: u64,
    /// Seconds an ask waits for an answer.
    pub ttl_s: u64,
    /// Open asks of one session.
    pub max_open_per_session: usize,
    /// Asks of one agent within an hour.
    pub max_per_hour: usize,
}

impl Default for Ask {
    fn default() -> Self {
        Self { hold_s: 20, ttl_s: 900, max_open_per_session: 3, max_per_hour: 20 }
    }
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The log's name in checkpoints.
    pub origin: String,
    /// Seconds between checkpoints.
    pub checkpoint_s: u64,
    /// Bytes of one segment.
    pub segment_bytes: u64,
    /// Who cosigns the log's checkpoints, by name.
    pub witnesses: BTreeMap<String, Witness>,
}

/// `[log.witnesses.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Where it is reached, without `/add-checkpoint`.
    pub url: String,
    /// The key it cosigns with.
    pub key: CosignatureVerifier,
    /// Seconds between two cosignatures.
    pub every_s: u64,
}

/// Reads `mortise.toml`. `folder` is the project's folder name, the default for its name.
pub(crate) fn parse(text: &str, folder: &str) -> Result<Settings, Vec<Diagnostic>> {
    let raw: Raw = toml_diagnostics::parse(SETTINGS, text).map_err(|complaint| vec![*complaint])?;
    let mut complaints = Complaints::about(SETTINGS, text);
    let settings = settings(raw, folder, &mut complaints);
    let found = complaints.into_found();
    if found.is_empty() { Ok(settings) } else { Err(found) }
}

fn settings(raw: Raw, folder: &str, complaints: &mut Complaints<'_>) -> Settings {
    let name = word(raw.project.name, if folder.is_empty() { "project" } else { folder }, complaints);
    let tenant = word(raw.project.tenant, "default", complaints);
    let origin = word(raw.log.origin, &format!("mortise.local/{name}"), complaints);
    Settings {
        gateway: gateway(raw.gateway, complaints),
        idle_minutes: u32::try_from(number(raw.session.idle_minutes, 30, 1..=1_440, complaints)).unwrap_or(30),
        ask: ask(raw.ask, complaints),
        log: Log {
            origin,
            checkpoint_s: number(raw.log.checkpoint_s, 1, SECONDS, complaints),
            segment_bytes: number(raw.log.segment_bytes, 64 * 1024 * 1024, SEGMENT_BYTES, complaints),
            witnesses: raw.log.witnesses.into_iter().filter_map(|(name, raw)| witness(name, raw, complaints)).collect(),
        },
        retention: retention::retention(raw.retention, complaints),
        max_bytes: retention::max_bytes(raw.storage, complaints),
        uncertain_below: u8::try_from(number(raw.uncertain.below, 50, 0..=100, complaints)).unwrap_or(50),
        approvers: approvers(raw.approvers, complaints),
        sinks: sinks::sinks(raw.sinks, complaints),
        name,
        tenant: Tenant::new(tenant),
    }
}

fn gateway(raw: RawGateway, complaints: &mut Complaints<'_>) -> Gateway {
    let listen = match raw.listen {
        None => DEFAULT_LISTEN,
        Some(text) => listen(&text, raw.allow_remote, complaints),
    };
    let bytes = number(raw.max_message_bytes, 16 * 1024 * 1024, MESSAGE_BYTES, complaints);
    Gateway {
        listen,
        allow_remote: raw.allow_remote,
        allowed_hosts: raw.allowed_hosts,
        allowed_origins: raw.allowed_origins,
        unknown_methods: raw.unknown_methods,
        naming: raw.naming,
        purpose_argument: raw.purpose_argument,
        confidence_argument: raw.confidence_argument,
        idle_exit_s: number(raw.idle_exit_s, 900, SECONDS, complaints),
        max_message_bytes: usize::try_from(bytes).unwrap_or(16 * 1024 * 1024),
    }
}

fn listen(text: &Spanned<String>, allow_remote: bool, complaints: &mut Complaints<'_>) -> SocketAddr {
    let Ok(address) = text.as_ref().parse::<SocketAddr>() else {
        let message = format!("`{}` is not an address with a port", text.as_ref());
        complaints.error_help("config/value", text.span(), message, "write `127.0.0.1:7410` or `[::1]:7410`");
        return DEFAULT_LISTEN;
    };
    if !address.ip().is_loopback() && !allow_remote {
        let message = format!("`{}` can be reached from other machines", text.as_ref());
        let help = "listen on `127.0.0.1`, or say `allow_remote = true` and put TLS in front";
        complaints.error_help("config/remote-listener", text.span(), message, help);
    }
    address
}

fn ask(raw: RawAsk, complaints: &mut Complaints<'_>) -> Ask {
    let default = Ask::default();
    let count = |given, default: usize, complaints: &mut Complaints<'_>| {
        usize::try_from(number(given, default as u64, ASKS, complaints)).unwrap_or(default)
    };
    Ask {
        hold_s: number(raw.hold_s, default.hold_s, 0..=3_600, complaints),
        ttl_s: number(raw.ttl_s, default.ttl_s, SECONDS, complaints),
        max_open_per_session: count(raw.max_open_per_session, default.max_open_per_session, complaints),
        max_per_hour: count(raw.max_per_hour, default.max_per_hour, complaints),
    }
}

fn approvers(
    raw: BTreeMap<Spanned<String>, RawApprover>,
    complaints: &mut Complaints<'_>,
) -> BTreeMap<UserId, BTreeSet<String>> {
    let mut approvers = BTreeMap::new();
    for (name, approver) in raw {
        if !is_canonical(name.as_ref()) {
            let message = format!("`{}` is not a name of a person", name.as_ref());
            complaints.error_help("config/name", name.span(), message, "use lower-case letters, digits, `-` and `_`");
        }
        approvers.insert(UserId::new(name.into_inner()), approver.groups);
    }
    approvers
}

fn witness(name: Spanned<String>, raw: RawWitness, complaints: &mut Complaints<'_>) -> Option<(String, Witness)> {
    if !is_canonical(name.as_ref()) {
        let message = format!("`{}` is not a name of a witness", name.as_ref());
        complaints.error_help("config/name", name.span(), message, "use lower-case letters, digits, `-` and `_`");
    }
    let every_s = number(raw.every_s, 30, WITNESS_SECONDS, complaints);
    let url = raw.url.as_ref().trim_end_matches('/').to_owned();
    if !(url.starts_with("https://") || url.starts_with("http://")) {
        let message = format!("`{}` is not an http or https address", raw.url.as_ref());
        complaints.error_help("config/value", raw.url.span(), message, "write it as `https://witness.example.com`");
    }
    match CosignatureVerifier::from_vkey(raw.key.as_ref()) {
        Ok(key) => Some((name.into_inner(), Witness { url, key, every_s })),
        Err(error) => {
            let help = "it is the line that `mortise witness` prints: name, hash and base64, joined by `+`";
            complaints.error_help("config/value", raw.key.span(), error.to_string(), help);
            None
        }
    }
}

/// A number in its range, or its default. Outside: a complaint at the number.
pub(crate) fn number(
    given: Option<Spanned<u64>>,
    default: u64,
    range: RangeInclusive<u64>,
    complaints: &mut Complaints<'_>,
) -> u64 {
    let Some(given) = given else { return default };
    if range.contains(given.as_ref()) {
        return given.into_inner();
    }
    let message = format!("`{}` is out of range", given.as_ref());
    let help = format!("write a number from {} to {}", range.start(), range.end());
    complaints.error_help("config/value", given.span(), message, &help);
    default
}

fn word(given: Option<Spanned<String>>, default: &str, complaints: &mut Complaints<'_>) -> String {
    let Some(given) = given else { return default.to_owned() };
    let text = given.as_ref();
    if text.is_empty() || text.len() > 128 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        let message = format!("`{}` is not a name", text.escape_debug());
        complaints.error_help("config/name", given.span(), message, "write 1 to 128 characters without spaces");
    }
    given.into_inner()
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    project: RawProject,
    gateway: RawGateway,
    session: RawSession,
    ask: RawAsk,
    log: RawLog,
    retention: RawRetention,
    storage: RawStorage,
    uncertain: RawUncertain,
    approvers: BTreeMap<Spanned<String>, RawApprover>,
    sinks: BTreeMap<Spanned<String>, sinks::RawSink>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawProject {
    name: Option<Spanned<String>>,
    tenant: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawGateway {
    listen: Option<Spanned<String>>,
    allow_remote: bool,
    allowed_hosts: BTreeSet<String>,
    allowed_origins: BTreeSet<String>,
    unknown_methods: UnknownMethods,
    naming: Naming,
    purpose_argument: bool,
    confidence_argument: bool,
    idle_exit_s: Option<Spanned<u64>>,
    max_message_bytes: Option<Spanned<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSession {
    idle_minutes: Option<Spanned<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawAsk {
    hold_s: Option<Spanned<u64>>,
    ttl_s: Option<Spanned<u64>>,
    max_open_per_session: Option<Spanned<u64>>,
    max_per_hour: Option<Spanned<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLog {
    origin: Option<Spanned<String>>,
    checkpoint_s: Option<Spanned<u64>>,
    segment_bytes: Option<Spanned<u64>>,
    witnesses: BTreeMap<Spanned<String>, RawWitness>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWitness {
    url: Spanned<String>,
    key: Spanned<String>,
    every_s: Option<Spanned<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawUncertain {
    below: Option<Spanned<u64>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawApprover {
    groups: BTreeSet<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_has_an_address_and_a_key_of_its_own_kind() {
        let witness = proof::Cosigner::from_seed(proof::KeyName::parse("w.example/team").unwrap(), &[3; 32]).verifier();
        let log = proof::Signer::from_seed(proof::KeyName::parse("w.example/team").unwrap(), &[3; 32]).verifier();
        let text = |name: &str, url: &str, key: &str, more: &str| {
            format!("[log.witnesses.{name}]\nurl = \"{url}\"\nkey = \"{key}\"\n{more}")
        };
        let good = parse(&text("team", "https://w.example/", &witness.to_vkey(), ""), "shop").unwrap();
        let found = &good.log.witnesses["team"];
        assert_eq!((found.url.as_str(), &found.key, found.every_s), ("https://w.example", &witness, 30));
        for (bad, code) in [
            (text("Team", "https://w.example", &witness.to_vkey(), ""), "config/name"),
            (text("team", "w.example", &witness.to_vkey(), ""), "config/value"),
            (text("team", "https://w.example", &log.to_vkey(), ""), "config/value"),
            (text("team", "https://w.example", "x", ""), "config/value"),
            (text("team", "https://w.example", &witness.to_vkey(), "every_s = 0"), "config/value"),
            ("[log.witnesses.team]\nurl = \"https://w.example\"\n".to_owned(), "config/missing-key"),
        ] {
            assert_eq!(only_complaint(&bad).code, code, "{bad}");
        }
    }

    fn only_complaint(text: &str) -> Diagnostic {
        let found = parse(text, "shop").unwrap_err();
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        found.into_iter().next().unwrap()
    }

    #[test]
    fn everything_has_a_default() {
        let settings = parse("", "shop").unwrap();
        assert_eq!((settings.name.as_str(), settings.log.origin.as_str()), ("shop", "mortise.local/shop"));
        assert_eq!(settings.gateway.listen.to_string(), "127.0.0.1:7410");
        assert_eq!((settings.gateway.max_message_bytes, settings.gateway.idle_exit_s), (16_777_216, 900));
        assert_eq!((settings.ask.hold_s, settings.ask.ttl_s), (20, 900));
        assert_eq!((settings.ask.max_open_per_session, settings.ask.max_per_hour), (3, 20));
        assert_eq!((settings.idle_minutes, settings.uncertain_below), (30, 50));
        assert_eq!((settings.log.checkpoint_s, settings.log.segment_bytes), (1, 67_108_864));
        assert_eq!(settings.tenant, Tenant::default());
    }

    #[test]
    fn what_is_written_is_read() {
        let text = "[project]\nname = \"desk\"\n[gateway]\nlisten = \"[::1]:9\"\nunknown_methods = \"pass\"\nnaming = \
                    \"always\"\n[approvers.ada]\ngroups = [\"secops\"]\n";
        let settings = parse(text, "shop").unwrap();
        assert_eq!(settings.gateway.unknown_methods, UnknownMethods::Pass);
        assert_eq!(settings.gateway.naming, Naming::Always);
        assert!(settings.approvers[&UserId::new("ada")].contains("secops"));
        assert_eq!(settings.log.origin, "mortise.local/desk");
    }

    #[test]
    fn remote_listener_must_be_meant() {
        assert_eq!(only_complaint("[gateway]\nlisten = \"0.0.0.0:1\"").code, "config/remote-listener");
        assert!(parse("[gateway]\nlisten = \"0.0.0.0:1\"\nallow_remote = true", "x").is_ok());
        assert_eq!(only_complaint("[gateway]\nlisten = \"localhost\"").code, "config/value");
    }

    #[test]
    fn numbers_are_held_to_their_ranges() {
        for (section, key, range) in [
            ("gateway", "max_message_bytes", MESSAGE_BYTES),
            ("gateway", "idle_exit_s", SECONDS),
            ("session", "idle_minutes", 1..=1_440),
            ("ask", "hold_s", 0..=3_600),
            ("ask", "ttl_s", SECONDS),
            ("ask", "max_open_per_session", ASKS),
            ("ask", "max_per_hour", ASKS),
            ("log", "checkpoint_s", SECONDS),
            ("log", "segment_bytes", SEGMENT_BYTES),
            ("uncertain", "below", 0..=100),
        ] {
            let with = |n: u64| format!("[{section}]\n{key} = {n}\n");
            assert!(parse(&with(*range.start()), "x").is_ok() && parse(&with(*range.end()), "x").is_ok(), "{key}");
            let complaint = only_complaint(&with(range.end() + 1));
            assert_eq!((complaint.code, complaint.line), ("config/value", 2), "{key}");
            if *range.start() > 0 {
                assert_eq!(only_complaint(&with(range.start() - 1)).code, "config/value", "{key}");
            }
        }
    }

    #[test]
    fn names_are_names() {
        assert_eq!(only_complaint("[project]\nname = \"a b\"").code, "config/name");
        assert_eq!(only_complaint("[approvers.Ada]\ngroups = []").code, "config/name");
    }

    #[test]
    fn unknown_keys_are_refused_at_any_level() {
        assert_eq!(only_complaint("[gatway]\n").candidates, ["gateway"]);
        assert_eq!(only_complaint("[gateway]\nlisen = 1\n").candidates, ["listen"]);
        assert_eq!(only_complaint("[approvers.ada]\ngroup = []\n").candidates, ["groups"]);
    }
}
