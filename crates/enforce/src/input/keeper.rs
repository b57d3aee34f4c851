//! Where documents go, and where they are found again: crate `enforce` keeps none itself.

use crate::route::Boxed;
use store::LogError;
use vocab::Call;
use vocab::event::Payload;

/// A document that is kept, or on its way.
#[derive(Default)]
pub struct Keeping {
    /// The references that go into the decision's record. Empty: it is not kept, and the call goes on all the same.
    pub payloads: Vec<Payload<'static>>,
    /// Resolves when it is durable. Nothing leaves, and nothing is answered, before that; an error refuses the call, as one
    /// of the log does. `None`: it is durable already, or not kept.
    pub writing: Option<Boxed<'static, Result<(), LogError>>>,
}

/// Keeps what decisions are made on. Called once for each decision that is recorded, before its record is written.
pub trait InputKeeper: Send + Sync {
    /// Keeps the document, which is built when it is asked for. It is called on the way of a call: what has to wait for a
    /// disk waits in what is given back.
    fn keep(&self, call: &Call, input: &dyn Fn() -> Vec<u8>) -> Keeping;
}

/// Finds what was kept.
pub trait Inputs {
    /// The document that a record of this time, microseconds since the epoch, refers to.
    fn input(&self, payload: &Payload<'_>, t_us: i64) -> Kept;
}

/// What became of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The bytes that the record's digest is of. Whoever answers this has compared them.
    Whole(Vec<u8>),
    /// It expired, its key was destroyed, or it was never here.
    Gone,
    /// There is something in its place with another digest.
    Altered,
}

/// No document at all.
impl Inputs for () {
    fn input(&self, _payload: &Payload<'_>, _t_us: i64) -> Kept {
        Kept::Gone
    }
}
