//! What can be asked for, and in which words.

use crate::search::terms::Field;
use vocab::event::{Kind, Outcome};
use vocab::{Confidentiality, Effect, Integrity, Mode, Tier, Verdict};

/// What a value is looked for in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Kind,
    Agent,
    User,
    Session,
    Run,
    Call,
    Tenant,
    Server,
    Tool,
    Verdict,
    Outcome,
    Rule,
    Model,
    Label,
    Tier,
    Effect,
    Mode,
    Approver,
    Approval,
}

/// A word before a colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Key(Key),
    Since,
    Until,
}

/// Every word before a colon. Where the record names a member otherwise, that name does as well: it stands behind.
const WORDS: [(&str, Word); 26] = [
    ("agent", Word::Key(Key::Agent)),
    ("user", Word::Key(Key::User)),
    ("session", Word::Key(Key::Session)),
    ("run", Word::Key(Key::Run)),
    ("call", Word::Key(Key::Call)),
    ("tenant", Word::Key(Key::Tenant)),
    ("server", Word::Key(Key::Server)),
    ("tool", Word::Key(Key::Tool)),
    ("verdict", Word::Key(Key::Verdict)),
    ("outcome", Word::Key(Key::Outcome)),
    ("rule", Word::Key(Key::Rule)),
    ("kind", Word::Key(Key::Kind)),
    ("label", Word::Key(Key::Label)),
    ("tier", Word::Key(Key::Tier)),
    ("effect", Word::Key(Key::Effect)),
    ("mode", Word::Key(Key::Mode)),
    ("model", Word::Key(Key::Model)),
    ("approver", Word::Key(Key::Approver)),
    ("approval", Word::Key(Key::Approval)),
    ("since", Word::Since),
    ("until", Word::Until),
    ("decision", Word::Key(Key::Verdict)),
    ("tool_name", Word::Key(Key::Tool)),
    ("type", Word::Key(Key::Kind)),
    ("labels", Word::Key(Key::Label)),
    ("model_id", Word::Key(Key::Model)),
];

/// The words of [`WORDS`] that are not second names.
const FIRST_NAMES: usize = 21;

/// What people may want to look for, and why it cannot be found. Saying so is better than finding nothing.
pub(super) const NOT_RECORDED: [(&str, &str); 10] = [
    ("finding", "events do not carry findings yet"),
    ("findings", "events do not carry findings yet"),
    ("cost", "events do not carry costs yet"),
    ("price", "events do not carry costs yet"),
    ("tokens", "events do not carry costs yet"),
    ("args", "arguments are not in the log, only keyed hashes of them"),
    ("arguments", "arguments are not in the log, only keyed hashes of them"),
    ("result", "results are not in the log, only keyed hashes of them"),
    ("purpose", "purposes are not in the log, only keyed hashes of them"),
    ("prompt", "prompts are not in the log"),
];

impl Word {
    pub(super) fn find(name: &str) -> Option<Self> {
        WORDS.iter().find(|(word, _)| *word == name).map(|(_, found)| *found)
    }

    /// The words that are offered.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        WORDS.iter().take(FIRST_NAMES).map(|(name, _)| *name)
    }
}

impl Key {
    pub(in crate::search) fn name(self) -> &'static str {
        WORDS.iter().find(|(_, word)| *word == Word::Key(self)).map_or("", |(name, _)| name)
    }

    /// Where its values are kept; a call has a table of its own.
    pub(in crate::search) fn fields(self) -> &'static [Field] {
        match self {
            Self::Call => &[],
            Self::Kind => &[Field::Kind],
            Self::Agent => &[Field::Agent],
            Self::User => &[Field::User],
            Self::Session => &[Field::Session],
            Self::Run => &[Field::Run],
            Self::Tenant => &[Field::Tenant],
            Self::Server => &[Field::Server],
            // `close_ticket`, or `desk/close_ticket` as listings show it.
            Self::Tool => &[Field::Tool, Field::Action],
            Self::Verdict => &[Field::Verdict],
            Self::Outcome => &[Field::Outcome],
            Self::Rule => &[Field::Rule],
            Self::Model => &[Field::Model],
            Self::Label => &[Field::Label],
            Self::Tier => &[Field::Tier],
            Self::Effect => &[Field::Effect],
            Self::Mode => &[Field::Mode],
            Self::Approver => &[Field::Approver],
            Self::Approval => &[Field::Approval],
        }
    }

    /// The words of a closed vocabulary; none where any text may be a value.
    pub(super) fn words(self) -> Vec<&'static str> {
        fn of<T: Copy>(all: &[T], word: impl Fn(T) -> &'static str) -> Vec<&'static str> {
            all.iter().map(|one| word(*one)).collect()
        }
        match self {
            Self::Kind => of(&Kind::ALL, Kind::as_str),
            Self::Verdict => of(&Verdict::ALL, Verdict::as_str),
            Self::Outcome => of(&Outcome::ALL, Outcome::as_str),
            Self::Tier => of(Tier::ALL, Tier::as_str),
            Self::Effect => of(Effect::ALL, Effect::as_str),
            Self::Mode => of(Mode::ALL, Mode::as_str),
            Self::Label => {
                let mut words = of(Confidentiality::ALL, Confidentiality::as_str);
                words.extend(of(Integrity::ALL, Integrity::as_str));
                words
            }
            _ => Vec::new(),
        }
    }
}
