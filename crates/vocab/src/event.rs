//! The event record: one leaf of the log.
//!
//! The bytes of [`Event::to_bytes`] are the leaf, exactly. Members stand in the order of RFC 8785 (the fields below
//! are declared and written in that order), integers stay below 2^53, so a re-serialised export gives the same bytes.
//! `docs/spec/event.md` is the reference; a field's meaning never changes within one `v`.

mod json;
mod kind;
mod payload;
#[cfg(test)]
mod random;
mod read;
mod text;
mod write;

pub use kind::{Kind, Outcome};
pub use payload::{Payload, PayloadClass};
pub use write::Shared;

use crate::decision::{Fault, Reason, Would};
use crate::id::{AgentId, RuleId};
use crate::label::{Confidentiality, Integrity};
use crate::principal::{Authn, Mode, Tier};
use crate::tool::Effect;
use crate::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The schema version this Mortise writes.
pub const VERSION: u32 = 1;

/// A record longer than this cannot be a tlog-tiles entry.
pub const MAX_RECORD_BYTES: usize = 65_535;

/// Session labels after the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLabels {
    /// Every confidentiality seen.
    pub confidentiality: Vec<Confidentiality>,
    /// Worst integrity seen.
    pub integrity: Integrity,
}

/// One record of the log. Absent members are not written.
///
/// Borrows what it is written from, and the texts it is read from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event<'a> {
    /// Agent that acts.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub agent: Option<Cow<'a, str>>,
    /// Approval concerned.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub approval: Option<Cow<'a, str>>,
    /// Person who answered an approval or accepted a configuration.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub approver: Option<Cow<'a, str>>,
    /// HMAC-SHA-256 under the log key of the canonical arguments as received.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub args_hash: Option<Cow<'a, str>>,
    /// How the agent proved who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authn: Option<Authn>,
    /// Call concerned.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub call: Option<Cow<'a, str>>,
    /// Confidence stated by the agent, percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<u8>,
    /// Revision of the configuration in force.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub config_revision: Option<Cow<'a, str>>,
    /// How the tool was confined: `none`, `dry_run`.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub confinement: Option<Cow<'a, str>>,
    /// One of the five.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Verdict>,
    /// Digest of the tool definition decided on.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub definition: Option<Cow<'a, str>>,
    /// Further facts of the event, by name; our own words and numbers, never argument text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: BTreeMap<String, serde_json::Value>,
    /// Running with `--dev`: loosening applies at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dev: bool,
    /// What the tool does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// HMAC-SHA-256 under the log key of the canonical effective arguments.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub effective_hash: Option<Cow<'a, str>>,
    /// What went wrong while deciding.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub faults: Cow<'a, [Fault]>,
    /// Identifies the event, a UUIDv7.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// Session labels after the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<SessionLabels>,
    /// Microseconds spent deciding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<u64>,
    /// How far the agent's rules bind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The model that answers for the agent, declared or seen.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub model_id: Option<Cow<'a, str>>,
    /// The Mortise that wrote this.
    #[serde(borrow)]
    pub mortise_version: Cow<'a, str>,
    /// How the call ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Agents that started this one, nearest first.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub parents: Cow<'a, [AgentId]>,
    /// What was kept apart from the record.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub payloads: Vec<Payload<'a>>,
    /// Permit rules satisfied.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub permits: Cow<'a, [RuleId]>,
    /// Digest of the policy bundle that decided.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub policy_bundle: Option<Cow<'a, str>>,
    /// Digest of the agent's prompt template.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub prompt_template: Option<Cow<'a, str>>,
    /// HMAC-SHA-256 under the log key of the purpose the agent stated.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub purpose_hash: Option<Cow<'a, str>>,
    /// Rules that spoke.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub reasons: Cow<'a, [Reason]>,
    /// Redactions made: term and count.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub redactions: BTreeMap<String, u64>,
    /// Bytes of the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_bytes: Option<u64>,
    /// HMAC-SHA-256 under the log key of the result bytes as received.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub result_hash: Option<Cow<'a, str>>,
    /// Run token's id.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub run: Option<Cow<'a, str>>,
    /// Server concerned.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub server: Option<Cow<'a, str>>,
    /// Session the event belongs to.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub session: Option<Cow<'a, str>>,
    /// When, microseconds since the epoch, UTC.
    pub t: i64,
    /// Whose data.
    #[serde(borrow)]
    pub tenant: Cow<'a, str>,
    /// In our words, what happened.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub text: Option<Cow<'a, str>>,
    /// Risk tier of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// Tool, or the method of another decided operation.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<Cow<'a, str>>,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Person at the end of the principal chain.
    #[serde(borrow, default, deserialize_with = "text::optional", skip_serializing_if = "Option::is_none")]
    pub user: Option<Cow<'a, str>>,
    /// Schema version.
    pub v: u32,
    /// What rules that do not bind would have done.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub would: Cow<'a, [Would]>,
}

impl<'a> Event<'a> {
    /// An event with its envelope only.
    ///
    /// `id` is a UUIDv7, `t` microseconds since the epoch.
    #[must_use]
    pub fn new(kind: Kind, id: impl Into<Cow<'a, str>>, t: i64, tenant: impl Into<Cow<'a, str>>) -> Self {
        Self {
            agent: None,
            approval: None,
            approver: None,
            args_hash: None,
            authn: None,
            call: None,
            confidence: None,
            config_revision: None,
            confinement: None,
            decision: None,
            definition: None,
            detail: BTreeMap::new(),
            dev: false,
            effect: None,
            effective_hash: None,
            faults: Cow::Borrowed(&[]),
            id: id.into(),
            labels: None,
            latency_us: None,
            mode: None,
            model_id: None,
            mortise_version: Cow::Borrowed(crate::MORTISE_VERSION),
            outcome: None,
            parents: Cow::Borrowed(&[]),
            payloads: Vec::new(),
            permits: Cow::Borrowed(&[]),
            policy_bundle: None,
            prompt_template: None,
            purpose_hash: None,
            reasons: Cow::Borrowed(&[]),
            redactions: BTreeMap::new(),
            result_bytes: None,
            result_hash: None,
            run: None,
            server: None,
            session: None,
            t,
            tenant: tenant.into(),
            text: None,
            tier: None,
            tool_name: None,
            kind,
            user: None,
            v: VERSION,
            would: Cow::Borrowed(&[]),
        }
    }
}

/// For members that are left out when there is nothing in them.
fn is_empty<T>(list: &[T]) -> bool {
    list.is_empty()
}

/// Why a record could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Over the limit of a tlog-tiles entry.
    #[error("record of {0} bytes is longer than 65535")]
    TooLong(usize),
    /// Not writable.
    #[error("record cannot be written: {0}")]
    Unwritable(String),
    /// Not an event.
    #[error("record cannot be read: {0}")]
    Unreadable(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Event<'static> {
        let mut event = Event::new(Kind::PolicyDecision, "0", 1_795_000_000_000_000, "default");
        event.agent = Some("support-bot".into());
        event.args_hash = Some("hmac:00".into());
        event.authn = Some(Authn::Local);
        event.decision = Some(Verdict::Ask);
        event.dev = true;
        event.labels =
            Some(SessionLabels { confidentiality: vec![Confidentiality::Private], integrity: Integrity::ThirdParty });
        event.outcome = Some(Outcome::Unknown);
        event.tool_name = Some("run_script".into());
        event.user = Some("ada".into());
        event
    }

    #[test]
    fn members_stand_in_canonical_order() {
        let text = String::from_utf8(full().to_bytes().unwrap()).unwrap();
        let value: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
        let keys: Vec<&String> = value.keys().collect();
        assert!(keys.is_sorted(), "{keys:?}");
        assert_eq!(Event::from_bytes(text.as_bytes()).unwrap(), full());
    }

    #[test]
    fn records_end_at_the_limit_of_a_tile_entry() {
        let mut event = full();
        event.text = Some(Cow::default());
        let room = MAX_RECORD_BYTES - event.to_bytes().unwrap().len();
        event.text = Some("x".repeat(room).into());
        assert_eq!(event.to_bytes().unwrap().len(), MAX_RECORD_BYTES);
        event.text = Some("x".repeat(room + 1).into());
        assert!(matches!(event.to_bytes(), Err(RecordError::TooLong(_))));
    }
}
