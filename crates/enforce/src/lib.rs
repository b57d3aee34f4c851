//! The pipeline from call to permit to outcome, free of any transport.
//!
//! Knows no socket, no process and no protocol: transports hand in a [`Submission`] with a [`Route`] and get an
//! [`Answer`]. What is tested here is what runs in production, because suites submit to the same [`Pipeline`].
//!
//! | module | station of a call |
//! |---|---|
//! | `snapshot` | the configuration in force |
//! | `session` | labels and counters of a run |
//! | `validate` | arguments against the pinned schema |
//! | `pipeline` | screen, judge, fulfil, ask, forward, inspect |
//! | `permit` | the right to forward one call, once |
//! | `route` | the way to a tool |
//! | `record` | events of a call |
//! | `columns` | what they say alike |
//! | `refusal` | what an agent is told |
//! | `recovery` | what the log says after a restart |
//! | `input` | everything one decision read, as a document |
//! | `trial` | a call decided on stated facts: `preview` of one to come, `replay` of one that was |

mod built_in;
mod columns;
pub mod input;
mod inspect;
mod late;
mod owner;
mod permit;
mod pipeline;
pub mod preview;
mod record;
mod recovery;
mod refusal;
pub mod replay;
mod room;
mod route;
mod sanitizing;
mod screening;
mod session;
mod snapshot;
mod stored;
mod trial;
mod validate;

pub use columns::Columns;
pub use input::{DecisionInput, InputKeeper, Inputs, Keeping, Kept, StoreKeeper, StoredInputs};
pub use inspect::META_CONFINEMENT;
pub use permit::{Confinement, Permit, Stale};
pub use pipeline::{Alive, Answer, AnswerError, Answered, Failure, ForwardError, Pipeline, Submission};
pub use record::Recorder;
pub use recovery::Recovery;
pub use refusal::{Refusal, Standing};
pub use room::Room;
pub use route::{Boxed, Live, Lost, Reply, Route, Routes};
pub use session::{MAX_SESSIONS, Session, Sessions, TooManySessions};
pub use snapshot::{Snapshot, ToolEntry};
pub use validate::{Complaint, Schema};
