//! Documents in the payload store beside the log.

use super::{InputKeeper, Inputs, Keeping, Kept};
use crate::owner::owner;
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use store::LogError;
use store::payload::{Content, DataKeys, Found, PayloadReader, PayloadStore, PutError};
use vocab::Call;
use vocab::event::{Payload, PayloadClass};

/// What a document is called in a record.
const NAME: &str = "input";

/// Keeps documents, encrypted, for as long as retention says.
pub struct StoreKeeper(Arc<PayloadStore>);

impl StoreKeeper {
    /// In this store.
    #[must_use]
    pub const fn new(store: Arc<PayloadStore>) -> Self {
        Self(store)
    }
}

impl InputKeeper for StoreKeeper {
    fn keep(&self, call: &Call, input: &dyn Fn() -> Vec<u8>) -> Keeping {
        let bytes = input();
        let contents = [Content { name: NAME, bytes: &bytes }];
        let failed =
            |error: LogError| Keeping { payloads: Vec::new(), writing: Some(Box::pin(std::future::ready(Err(error)))) };
        match self.0.seal(&owner(call), PayloadClass::DecisionInput, &contents) {
            Ok(kept) => Keeping { payloads: kept.payloads.clone(), writing: Some(Box::pin(self.0.write(kept))) },
            // A decision on two million bytes can be proved, not made again.
            Err(PutError::TooLong { .. }) => Keeping::default(),
            Err(PutError::Log(error)) => failed(error),
            Err(error) => failed(LogError::Dead(Arc::from(error.to_string()))),
        }
    }
}

/// Finds the documents of a log again.
pub struct StoredInputs {
    reader: RefCell<PayloadReader>,
    keys: DataKeys,
}

impl StoredInputs {
    /// Those beside the log in this directory.
    #[must_use]
    pub fn new(log: &Path, keys: DataKeys) -> Self {
        Self { reader: RefCell::new(PayloadReader::new(log)), keys }
    }
}

impl Inputs for StoredInputs {
    fn input(&self, payload: &Payload<'_>, t_us: i64) -> Kept {
        match self.reader.borrow_mut().read(payload, t_us, &self.keys) {
            Ok(Found::Text(text)) => Kept::Whole(text.to_vec()),
            Ok(Found::Altered) => Kept::Altered,
            Ok(Found::Absent | Found::Shredded) | Err(_) => Kept::Gone,
        }
    }
}
