//! Who may answer, and when answers are enough.

use super::files::ApprovalFileError;
use super::record::{Answer, Approval, Say, State};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;
use vocab::Tier;
use vocab::id::UserId;

/// Longest reason, in characters.
pub const MAX_REASON_CHARS: usize = 1_000;

/// Why an answer does not count.
#[derive(Debug, Error)]
pub enum AnswerError {
    /// There is no such approval.
    #[error("there is no such approval")]
    Unknown,
    /// It is settled, or too old.
    #[error("the approval is not pending any more")]
    NotPending(State),
    /// The settings know no such approver.
    #[error("`{0}` is not an approver of this project")]
    NotAnApprover(UserId),
    /// An approver, but not of those asked.
    #[error("`{0}` is not among those who are asked")]
    NotAsked(UserId),
    /// The call is made on the answerer's own behalf, and the tier needs another pair of eyes.
    #[error("`{0}` cannot answer a call made on the same person's behalf")]
    OwnCall(UserId),
    /// One person counts once.
    #[error("`{0}` has answered already")]
    Twice(UserId),
    /// A refusal says why.
    #[error("a refusal needs a reason")]
    NoReason,
    /// Longer than [`MAX_REASON_CHARS`].
    #[error("the reason has more than {MAX_REASON_CHARS} characters")]
    LongReason,
    /// It could not be kept, so it does not count.
    #[error(transparent)]
    File(#[from] ApprovalFileError),
}

/// The approvers of the settings, with their groups.
pub(super) type Approvers = BTreeMap<UserId, BTreeSet<String>>;

/// The approval with one more answer, or why that answer does not count.
pub(super) fn answered(approval: &Approval, answer: Answer, known: &Approvers) -> Result<Approval, AnswerError> {
    if approval.state != State::Pending || !approval.is_in_time(answer.at_us) {
        return Err(AnswerError::NotPending(approval.state));
    }
    let asked = &approval.asked;
    let groups = known.get(&answer.approver).ok_or_else(|| AnswerError::NotAnApprover(answer.approver.clone()))?;
    if !asked.approvers.is_empty() && !asked.approvers.iter().any(|name| stands_for(name, &answer.approver, groups)) {
        return Err(AnswerError::NotAsked(answer.approver));
    }
    let own = asked.user.as_ref().is_some_and(|user| user.as_str().eq_ignore_ascii_case(answer.approver.as_str()));
    if own && asked.tier >= Tier::High {
        return Err(AnswerError::OwnCall(answer.approver));
    }
    if approval.answers.iter().any(|before| before.approver == answer.approver) {
        return Err(AnswerError::Twice(answer.approver));
    }
    if answer.say == Say::Refuse && answer.reason.trim().is_empty() {
        return Err(AnswerError::NoReason);
    }
    if answer.reason.chars().count() > MAX_REASON_CHARS {
        return Err(AnswerError::LongReason);
    }
    let mut approval = approval.clone();
    let refused = answer.say == Say::Refuse;
    approval.answers.push(answer);
    if refused {
        approval.state = State::Denied;
    } else if is_enough(&approval, known) {
        approval.state = State::Approved;
    }
    Ok(approval)
}

/// Enough different people, and somebody for every group or person asked. Who is no approver any more does not count.
fn is_enough(approval: &Approval, known: &Approvers) -> bool {
    let said: Vec<_> = approval.answers.iter().filter_map(|answer| known.get_key_value(&answer.approver)).collect();
    let quorum = usize::try_from(approval.asked.quorum.max(1)).unwrap_or(usize::MAX);
    let everybody = |name: &String| said.iter().any(|(person, groups)| stands_for(name, person, groups));
    said.len() >= quorum && approval.asked.approvers.iter().all(everybody)
}

/// Whether a name in `@approvers` means this person, by name or by group.
fn stands_for(name: &str, person: &UserId, groups: &BTreeSet<String>) -> bool {
    person.as_str() == name || groups.contains(name)
}
