//! What the hiring system holds and is told.

use serde::{Deserialize, Serialize};

use super::super::argument::Text;

/// `C-` and three digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct CandidateId(pub(super) String);

impl TryFrom<String> for CandidateId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix("C-").unwrap_or_default();
        let sound = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
        if sound { Ok(Self(text)) } else { Err("not a candidate id such as C-101".to_owned()) }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Role {
    BackendEngineer,
    SupportLead,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stage {
    Applied,
    Screened,
    Interviewed,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Candidate {
    pub(super) candidate_id: CandidateId,
    pub(super) role: Role,
    pub(super) stage: Stage,
    pub(super) name: Text<100>,
    pub(super) email: Text<254>,
    pub(super) phone: Text<100>,
    pub(super) birth_date: Text<100>,
    pub(super) notes: Text<4000>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    pub(super) role: Role,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Read {
    pub(super) candidate_id: CandidateId,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Channel {
    HiringPanel,
    AllHands,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Summary {
    pub(super) channel: Channel,
    pub(super) candidate_id: CandidateId,
    pub(super) text: Text<2000>,
}

#[derive(Serialize, Deserialize)]
pub(super) enum Message {
    #[serde(rename = "candidate_read")]
    Read,
    #[serde(rename = "candidate_summarised")]
    Summarised,
    #[serde(rename = "candidate_skipped")]
    Skipped,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Event {
    pub(super) message: Message,
    pub(super) fields: Fields,
}

/// What an event may say. Contact data is *possible*, as in most logging calls: keeping it in is a rule's business.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    pub(super) candidate_id: CandidateId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stage: Option<Stage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Text<100>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<Text<254>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) phone: Option<Text<100>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) birth_date: Option<Text<100>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) notes: Option<Text<4000>>,
}
