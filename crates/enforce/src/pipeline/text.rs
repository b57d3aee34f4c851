//! What was said and done in a call: kept apart from its records, as far as its agent's file says.

use super::Pipeline;
use super::case::Case;
use crate::owner::owner;
use crate::room::Room;
use crate::route::Reply;
use std::sync::Arc;
use store::LogError;
use store::payload::{Content, Kept, PayloadStore, PutError};
use vocab::event::{Payload, PayloadClass};
use vocab::{Call, Capture};

/// Text of the trace on its way to the store, if there is any.
#[derive(Debug, Default)]
pub(super) struct Text {
    kept: Option<Kept>,
    /// Why there is none although it was wanted: it is longer than a payload may be.
    pub(super) left_out: Option<String>,
}

impl Text {
    /// What the record says of it.
    pub(super) fn payloads(&self) -> Vec<Payload<'static>> {
        self.kept.as_ref().map(|kept| kept.payloads.clone()).unwrap_or_default()
    }
}

impl Pipeline {
    /// The arguments as they leave.
    pub(super) fn argument_text(&self, case: &Case, effective: &Call) -> Result<Text, LogError> {
        self.text(case, "arguments", || canon::json::canonical(effective.arguments.examine()))
    }

    /// The result as the agent gets it.
    pub(super) fn result_text(&self, case: &Case, reply: &Reply) -> Result<Text, LogError> {
        self.text(case, "result", || reply.bytes().to_vec())
    }

    fn text(&self, case: &Case, name: &'static str, bytes: impl FnOnce() -> Vec<u8>) -> Result<Text, LogError> {
        let Some(store) = self.wants(case, Capture::Full) else { return Ok(Text::default()) };
        if self.has_less_than(Room::Enough) {
            return Ok(Text { kept: None, left_out: Some("`max_bytes` of [storage] is nearly reached".to_owned()) });
        }
        let bytes = bytes();
        match store.seal(&owner(&case.call), PayloadClass::TraceText, &[Content { name, bytes: &bytes }]) {
            Ok(kept) => Ok(Text { kept: Some(kept), left_out: None }),
            // A record without its text says more than no record.
            Err(error @ PutError::TooLong { .. }) => Ok(Text { kept: None, left_out: Some(error.to_string()) }),
            Err(PutError::Log(error)) => Err(error),
            Err(error) => Err(LogError::Dead(Arc::from(error.to_string()))),
        }
    }

    /// The store, if so much is kept of the agent's calls.
    fn wants(&self, case: &Case, capture: Capture) -> Option<&PayloadStore> {
        let agent = case.snapshot.agent(&case.call.principal.agent)?;
        self.payloads.get().filter(|_| agent.capture >= capture).map(AsRef::as_ref)
    }

    /// Resolves when the text is durable.
    pub(super) fn write_text(&self, text: Text) -> impl Future<Output = Result<(), LogError>> + Send + use<> {
        let writing = self.payloads.get().zip(text.kept).map(|(store, kept)| store.write(kept));
        async move {
            match writing {
                Some(writing) => writing.await,
                None => Ok(()),
            }
        }
    }

    /// Resolves when the text has its place in the next commit.
    pub(super) fn write_text_soon(&self, text: Text) -> impl Future<Output = Result<(), LogError>> + Send + use<> {
        let writing = self.payloads.get().zip(text.kept).map(|(store, kept)| store.write_soon(kept));
        async move {
            match writing {
                Some(writing) => writing.await,
                None => Ok(()),
            }
        }
    }
}
