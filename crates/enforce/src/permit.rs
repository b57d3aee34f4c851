//! The right to forward one call, once.

use crate::route::Route;
use std::sync::Arc;
use vocab::Call;
use vocab::id::{ApprovalId, Digest};

/// The only thing that can be forwarded.
///
/// It owns the effective call, has no public constructor, cannot be cloned, and is used up by [`forward`]. It binds
/// the definition of the tool, the policy bundle, the kill epoch and an expiry, all re-checked at the last moment.
///
/// [`forward`]: crate::Pipeline::forward
///
/// A call alone cannot be forwarded:
/// ```compile_fail,E0308
/// async fn straight(pipeline: &enforce::Pipeline, call: vocab::Call) {
///     let _ = pipeline.forward(call).await;
/// }
/// ```
/// and a permit is good once:
/// ```compile_fail,E0382
/// async fn twice(pipeline: &enforce::Pipeline, permit: enforce::Permit) {
///     let _ = pipeline.forward(permit).await;
///     let _ = pipeline.forward(permit).await;
/// }
/// ```
pub struct Permit {
    pub(crate) effective: Call,
    pub(crate) definition: Option<Digest>,
    pub(crate) bundle: Digest,
    pub(crate) kill_epoch: u64,
    pub(crate) expires_us: i64,
    pub(crate) redact_result: Vec<detect::Redaction>,
    pub(crate) confinement: Confinement,
    pub(crate) approval: Option<ApprovalId>,
    pub(crate) route: Arc<dyn Route>,
}

/// How far the tool is kept from the world while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confinement {
    /// It runs as it is.
    None,
    /// Its dry-run twin runs instead.
    DryRun,
}

impl Confinement {
    /// The word in events and results.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::DryRun => "dry_run",
        }
    }
}

/// A permit's lifetime: long enough for one group commit on a slow disk, microseconds.
pub(crate) const LIFETIME_US: i64 = 10_000_000;

/// Why a permit no longer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// The live tool is no longer the one decided on.
    #[error("the tool's definition changed after the decision")]
    Definition,
    /// Another policy bundle is in force.
    #[error("the policies changed after the decision")]
    Bundle,
    /// Somebody pulled the kill switch.
    #[error("the kill switch was used after the decision")]
    Killed,
    /// It took too long to be used.
    #[error("the permit expired before it was used")]
    Expired,
}
