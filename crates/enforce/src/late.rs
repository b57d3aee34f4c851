//! A decision that took too long.

use vocab::{Decision, Fault, FaultKind, Reason, Verdict};

/// A decision that takes longer is not used. Far above the slowest measured one: it is there for what nobody foresaw.
pub(crate) const DEADLINE_US: u64 = 250_000;

/// The refusal that takes the place of a decision after this many microseconds.
pub(crate) fn refused(decision: Decision, latency_us: u64) -> Decision {
    let reason = Reason {
        rule: vocab::id::RuleId::new("fault/deadline"),
        verdict: Verdict::Deny,
        text: Some("deciding took too long".into()),
        place: None,
        discharged_by: None,
    };
    let fault = Fault { kind: FaultKind::Deadline, rule: None, text: format!("decided after {latency_us} us") };
    let mut reasons = vec![reason];
    reasons.extend(decision.reasons);
    let mut faults = decision.faults;
    faults.push(fault);
    Decision { verdict: Verdict::Deny, reasons, faults, ..decision }
}
