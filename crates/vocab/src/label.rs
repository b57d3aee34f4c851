//! Integrity and confidentiality labels of values seen, and where an argument's value comes from.

use serde::{Deserialize, Serialize};

/// How far a value may be trusted to be what its author meant; the worst is the greatest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Integrity {
    /// Made by the system itself (an identifier, a date, an amount).
    System,
    /// Made by the agent under calls that were allowed.
    Own,
    /// Written by anybody. What nobody labelled is this.
    #[default]
    ThirdParty,
}

/// Who may see a value; the most confidential is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidentiality {
    /// Anybody.
    Public,
    /// The user and the operator. What nobody labelled is this.
    Private,
    /// Nobody who does not hold it already.
    Secret,
}

/// A tool output's declared label. Undeclared output is third-party and private.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Label {
    /// How far the output may be trusted.
    pub integrity: Integrity,
    /// Who may see the output.
    pub confidentiality: Confidentiality,
}

impl Default for Label {
    fn default() -> Self {
        Self { integrity: Integrity::ThirdParty, confidentiality: Confidentiality::Private }
    }
}

/// A place an argument's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The attested request of the user.
    Request,
    /// Mortise or the operator's configuration.
    System,
    /// Something the agent itself made under allowed calls.
    Own,
    /// A tool result that anybody may have written.
    ThirdParty,
    /// Not known. Every present argument has at least this.
    Nowhere,
}

macro_rules! words {
    ($type:ty { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $type {
            /// All values, best first.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word used in configuration, policies and events.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}
pub(crate) use words;

words!(Integrity { System => "system", Own => "own", ThirdParty => "third_party" });
words!(Confidentiality { Public => "public", Private => "private", Secret => "secret" });
words!(Origin { Request => "request", System => "system", Own => "own", ThirdParty => "third_party", Nowhere => "nowhere" });
