//! What a case states beside the arguments, laid over what the project declares.

use super::format::FactsEntry;
use policy::{Facts, Findings, Targets};
use vocab::Authn;
use vocab::id::UserId;

/// What a case states of its call. Whatever it leaves out is a fresh session of an agent that behaves.
#[derive(Debug)]
pub struct Stated {
    entry: Entry,
    /// How the agent proved who it is.
    pub authn: Authn,
}

/// The entry with its vocabulary checked.
#[derive(Debug)]
struct Entry {
    set: Facts,
    confidence: Option<u8>,
    uncertain: Option<bool>,
    on_behalf_of: Option<UserId>,
    agent_limit_1m: Option<i64>,
    tool_limit_1m: Option<i64>,
    mode: Option<vocab::Mode>,
}

impl Stated {
    pub(super) fn of(entry: FactsEntry, confidence: Option<u8>) -> Self {
        let FactsEntry { labels, session, targets, .. } = entry;
        let count = |count: Option<u32>| count.map_or(0, i64::from);
        let set = Facts {
            now_s: entry.now.map_or(0, |now| i64::try_from(now).unwrap_or(i64::MAX)),
            purpose: entry.purpose,
            confidence,
            chain_depth: count(entry.chain_depth),
            destination: entry.destination,
            request_attested: entry.request_attested.unwrap_or(false),
            calls: count(session.calls),
            denials: count(session.denials),
            cost_microusd: count(session.cost_microusd),
            in_flight: count(session.in_flight),
            calls_1m: count(session.calls_1m),
            tool_calls_1m: count(session.tool_calls_1m),
            integrity: labels.integrity.unwrap_or(vocab::Integrity::System),
            confidentiality: labels.confidentiality,
            sources: labels.sources,
            origins: entry.origins,
            targets: Targets {
                hosts: targets.hosts,
                paths: targets.paths,
                sql_classes: targets.sql_classes,
                commands: targets.commands,
            },
            findings: entry.findings.map_or_else(Findings::default, |findings| Findings {
                worst: findings.worst.value,
                kinds: findings.kinds.into_iter().map(|kind| kind.value).collect(),
            }),
            ..Facts::default()
        };
        Self {
            entry: Entry {
                set,
                confidence,
                uncertain: entry.uncertain,
                on_behalf_of: entry.on_behalf_of.map(UserId::new),
                agent_limit_1m: session.agent_limit_1m.map(i64::from),
                tool_limit_1m: session.tool_limit_1m.map(i64::from),
                mode: session.mode,
            },
            authn: entry.authn.unwrap_or(Authn::Local),
        }
    }

    /// The facts of the call: what is stated, else what the project declares.
    #[must_use]
    pub fn over(&self, declared: &Facts, uncertain_below: u8) -> Facts {
        let entry = &self.entry;
        let unsure = entry.confidence.is_some_and(|confidence| confidence < uncertain_below);
        Facts {
            uncertain: entry.uncertain.unwrap_or(unsure),
            on_behalf_of: entry.on_behalf_of.clone().or_else(|| declared.on_behalf_of.clone()),
            agent_limit_1m: entry.agent_limit_1m.unwrap_or(declared.agent_limit_1m),
            tool_limit_1m: entry.tool_limit_1m.unwrap_or(declared.tool_limit_1m),
            // Only ever stricter than the agent's own mode: a case must not pass because it looked away.
            mode: entry.mode.map_or(declared.mode, |mode| mode.max(declared.mode)),
            ..entry.set.clone()
        }
    }
}
