//! Where documents go, and where they are found again: crate `enforce` keeps none itself.

use vocab::Call;
use vocab::event::Payload;

/// Keeps what decisions are made on. Called once for each decision that is recorded, before its record is written.
pub trait InputKeeper: Send + Sync {
    /// Keeps the document, which is built when it is asked for, and gives the references that go into the decision's
    /// record. Nothing is kept where nothing is given back; the call goes on all the same.
    ///
    /// It is called on the way of a call: what has to wait for a disk waits elsewhere, and is durable with the record's
    /// own commit at the latest.
    fn keep(&self, call: &Call, input: &dyn Fn() -> Vec<u8>) -> Vec<Payload<'static>>;
}

/// Finds what was kept.
pub trait Inputs {
    /// The document that a record refers to.
    fn input(&self, payload: &Payload<'_>) -> Kept;
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
    fn input(&self, _payload: &Payload<'_>) -> Kept {
        Kept::Gone
    }
}
