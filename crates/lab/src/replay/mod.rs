//! The decisions of a log, decided again.
//!
//! Under the policies that decided, every call has to come out as it is recorded. Under other policies, what comes out
//! otherwise is what they would have changed. Records come one by one and none is kept, so memory does not grow with the
//! log: what a decision read is in its document, or in its record.
//!
//! | module | what it is |
//! |---|---|
//! | `again` | one record: found, decided again, counted |
//! | `earlier` | the configurations that decided before the present one |
//! | `remains` | what a record says of a call whose document is gone |
//! | `compare` | two answers, and the rules that make the difference |
//! | `report` | counts and differences; [`human`], [`json`], [`html`] write them |

mod again;
mod compare;
mod earlier;
mod html;
mod human;
mod json;
mod remains;
mod report;

pub use again::{Aim, KeyedHash, Replay, Selection};
pub use compare::{Change, Side};
pub use earlier::Configurations;
pub use html::html;
pub use human::human;
pub use json::json;
pub use report::{Difference, Group, How, Report, Summary};
