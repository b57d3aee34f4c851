//! Where approvals are kept: one sealed file each.

use std::sync::Arc;
use store::{SealError, Sealer, StateDir, StateError};
use thiserror::Error;
use vocab::id::ApprovalId;

/// The folder in the state directory.
pub const FOLDER: &str = "approvals";

/// Keeps approvals by id. A name is one id's text and nothing else.
pub trait ApprovalFiles {
    /// The ids that are kept.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn list(&self) -> Result<Vec<ApprovalId>, ApprovalFileError>;

    /// Reads one.
    ///
    /// # Errors
    /// When it is gone, damaged or another one's.
    fn read(&self, id: &ApprovalId) -> Result<Vec<u8>, ApprovalFileError>;

    /// Writes one; durable when this returns.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn write(&self, id: &ApprovalId, bytes: &[u8]) -> Result<(), ApprovalFileError>;

    /// Removes one.
    ///
    /// # Errors
    /// When it cannot be removed.
    fn remove(&self, id: &ApprovalId) -> Result<(), ApprovalFileError>;
}

/// Why an approval cannot be kept or read.
#[derive(Debug, Error)]
pub enum ApprovalFileError {
    /// The state directory cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// It cannot be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// It is gone, or opened and still is none.
    #[error("the approval's file is gone or damaged")]
    Damaged,
}

/// Approvals in the state directory, sealed to their ids.
pub struct SealedApprovals {
    state: Arc<StateDir>,
    sealer: Sealer,
}

impl SealedApprovals {
    /// Keeps approvals in this directory under this key.
    #[must_use]
    pub const fn new(state: Arc<StateDir>, sealer: Sealer) -> Self {
        Self { state, sealer }
    }
}

impl ApprovalFiles for SealedApprovals {
    fn list(&self) -> Result<Vec<ApprovalId>, ApprovalFileError> {
        Ok(self.state.list(FOLDER)?.into_iter().map(ApprovalId::new).collect())
    }

    fn read(&self, id: &ApprovalId) -> Result<Vec<u8>, ApprovalFileError> {
        let sealed = self.state.read(&format!("{FOLDER}/{id}"))?.ok_or(ApprovalFileError::Damaged)?;
        Ok(self.sealer.open(&sealed, id.as_str().as_bytes())?.to_vec())
    }

    fn write(&self, id: &ApprovalId, bytes: &[u8]) -> Result<(), ApprovalFileError> {
        let sealed = self.sealer.seal(bytes, id.as_str().as_bytes())?;
        Ok(self.state.write(&format!("{FOLDER}/{id}"), &sealed)?)
    }

    fn remove(&self, id: &ApprovalId) -> Result<(), ApprovalFileError> {
        Ok(self.state.remove(&format!("{FOLDER}/{id}"))?)
    }
}
