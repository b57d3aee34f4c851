//! Random events, for tests.

use super::{Event, Kind, Outcome, Payload, PayloadClass, SessionLabels};
use crate::decision::{Fault, FaultKind, Place, Reason, Would};
use crate::id::{AgentId, ApprovalId, RuleId};
use crate::label::{Confidentiality, Integrity};
use crate::principal::{Authn, Mode, Tier};
use crate::tool::Effect;
use crate::verdict::Verdict;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::borrow::Cow;

const FAULTS: [FaultKind; 8] = [
    FaultKind::GuardError,
    FaultKind::PermitError,
    FaultKind::Deadline,
    FaultKind::Panic,
    FaultKind::NoPolicy,
    FaultKind::Request,
    FaultKind::Detector,
    FaultKind::Log,
];

/// Plain, to be escaped, and from all planes.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[ -~]{0,40}", "[\"\\\\\u{0}-\u{1f}\u{7f}a\u{e000}\u{2028}\u{1f600}]{0,20}"]
}

fn cow() -> impl Strategy<Value = Option<Cow<'static, str>>> {
    option::of(text().prop_map(Cow::Owned))
}

fn verdict() -> impl Strategy<Value = Verdict> {
    select(Verdict::ALL.to_vec())
}

fn reason() -> impl Strategy<Value = Reason> {
    let place = option::of((text(), any::<u32>()).prop_map(|(file, line)| Place { file: file.into(), line }));
    (text(), verdict(), option::of(text()), place, option::of(text())).prop_map(|(rule, verdict, text, place, by)| {
        Reason {
            rule: RuleId::new(rule),
            verdict,
            text: text.map(Into::into),
            place,
            discharged_by: by.map(ApprovalId::new),
        }
    })
}

fn fault() -> impl Strategy<Value = Fault> {
    (select(FAULTS.to_vec()), option::of(text()), text()).prop_map(|(kind, rule, text)| Fault {
        kind,
        rule: rule.map(RuleId::new),
        text,
    })
}

fn labels() -> impl Strategy<Value = SessionLabels> {
    (vec(select(Confidentiality::ALL.to_vec()), 0..4), select(Integrity::ALL.to_vec()))
        .prop_map(|(confidentiality, integrity)| SessionLabels { confidentiality, integrity })
}

/// With members that all events of a call share.
pub(super) fn shared() -> impl Strategy<Value = Event<'static>> {
    let texts = (cow(), cow(), cow(), cow(), cow(), cow(), cow(), cow(), cow(), cow());
    let more = (cow(), text(), text(), vec(text(), 0..3), any::<bool>(), any::<u32>());
    let words = (
        option::of(select(Authn::ALL.to_vec())),
        option::of(select(Effect::ALL.to_vec())),
        option::of(select(Mode::ALL.to_vec())),
        option::of(select(Tier::ALL.to_vec())),
    );
    (texts, more, words).prop_map(|(texts, (user, version, tenant, parents, dev, v), (authn, effect, mode, tier))| {
        let mut event = Event::new(Kind::ToolIntent, "", 0, tenant);
        (event.agent, event.args_hash, event.call, event.config_revision, event.definition) =
            (texts.0, texts.1, texts.2, texts.3, texts.4);
        (event.model_id, event.policy_bundle, event.run, event.server, event.session) =
            (texts.5, texts.6, texts.7, texts.8, texts.9);
        event.user = user;
        event.mortise_version = version.into();
        event.parents = parents.into_iter().map(AgentId::new).collect();
        (event.dev, event.v) = (dev, v);
        (event.authn, event.effect, event.mode, event.tier) = (authn, effect, mode, tier);
        event.tool_name = event.server.clone();
        event
    })
}

fn payload() -> impl Strategy<Value = Payload<'static>> {
    let class = select(PayloadClass::ALL.to_vec());
    (any::<u64>(), class, text(), text(), text()).prop_map(|(bytes, class, digest, key, name)| Payload {
        bytes,
        class,
        digest: digest.into(),
        key: key.into(),
        name: name.into(),
    })
}

/// With members of an event's own.
pub(super) fn own() -> impl Strategy<Value = Event<'static>> {
    let texts = (cow(), cow(), cow(), cow(), cow(), cow(), cow(), cow(), text());
    let numbers = (option::of(any::<u8>()), option::of(any::<u64>()), option::of(any::<u64>()), any::<i64>());
    let words = (option::of(verdict()), option::of(select(Outcome::ALL.to_vec())), select(Kind::ALL.to_vec()));
    let lists = (
        vec(fault(), 0..3),
        vec(text(), 0..3),
        vec(reason(), 0..3),
        vec((text(), verdict()), 0..3),
        btree_map(text(), any::<u64>(), 0..3),
        btree_map(text(), text(), 0..3),
        option::of(labels()),
        vec(payload(), 0..3),
    );
    (texts, numbers, words, lists).prop_map(|(texts, numbers, words, lists)| {
        let mut event = Event::new(words.2, texts.8, numbers.3, "");
        (event.approval, event.approver, event.confinement, event.effective_hash) =
            (texts.0, texts.1, texts.2, texts.3);
        (event.prompt_template, event.purpose_hash, event.result_hash, event.text) =
            (texts.4, texts.5, texts.6, texts.7);
        (event.confidence, event.latency_us, event.result_bytes) = (numbers.0, numbers.1, numbers.2);
        (event.decision, event.outcome) = (words.0, words.1);
        event.faults = lists.0.into();
        event.permits = lists.1.into_iter().map(RuleId::new).collect();
        event.reasons = lists.2.into();
        event.would = lists.3.into_iter().map(|(rule, verdict)| Would { rule: RuleId::new(rule), verdict }).collect();
        event.redactions = lists.4;
        event.detail = lists.5.into_iter().map(|(name, text)| (name, text.into())).collect();
        event.labels = lists.6;
        event.payloads = lists.7;
        event
    })
}

/// The members of both.
pub(super) fn whole(shared: &Event<'static>, own: &Event<'static>) -> Event<'static> {
    let own = own.clone();
    Event {
        approval: own.approval,
        approver: own.approver,
        confidence: own.confidence,
        confinement: own.confinement,
        decision: own.decision,
        detail: own.detail,
        effective_hash: own.effective_hash,
        faults: own.faults,
        id: own.id,
        labels: own.labels,
        latency_us: own.latency_us,
        outcome: own.outcome,
        payloads: own.payloads,
        permits: own.permits,
        prompt_template: own.prompt_template,
        purpose_hash: own.purpose_hash,
        reasons: own.reasons,
        redactions: own.redactions,
        result_bytes: own.result_bytes,
        result_hash: own.result_hash,
        t: own.t,
        text: own.text,
        kind: own.kind,
        would: own.would,
        ..shared.clone()
    }
}
