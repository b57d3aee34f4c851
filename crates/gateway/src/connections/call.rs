//! One call's way through a connection.

use super::link::Link;
use crate::jsonrpc::Outcome;
use bytes::Bytes;
use enforce::{Boxed, Live, Lost, Reply, Route};
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::Instant;
use vocab::{Call, Operation, Target};

/// The way to a server for one call.
pub struct CallRoute {
    /// The connection.
    pub link: Arc<Link>,
    /// Members of the request's params beside the name and the arguments, as parsed: `_meta`, and what nobody knows.
    pub extra: Map<String, Value>,
    /// Where progress of the call goes.
    pub progress: Option<mpsc::Sender<Bytes>>,
}

impl CallRoute {
    /// The params that leave: written anew from what was evaluated, so that no second parser can read another call.
    fn params(&self, call: &Call) -> (&'static str, Value) {
        let mut params = self.extra.clone();
        let arguments = call.arguments.examine().clone();
        match &call.target.operation {
            Operation::Tool(name) => {
                params.insert("name".to_owned(), Value::from(name.as_str()));
                params.insert("arguments".to_owned(), arguments);
                ("tools/call", Value::Object(params))
            }
            other => {
                if let Value::Object(arguments) = arguments {
                    params.extend(arguments);
                }
                let method = if *other == Operation::GetPrompt { "prompts/get" } else { "resources/read" };
                (method, Value::Object(params))
            }
        }
    }
}

impl Route for CallRoute {
    fn live(&self, target: &Target) -> Live {
        match &target.operation {
            Operation::Tool(name) => self.link.live(name),
            _ => Live::Unpinned,
        }
    }

    fn send<'a>(&'a self, effective: &'a Call) -> Boxed<'a, Result<Reply, Lost>> {
        Box::pin(async move {
            let (method, params) = self.params(effective);
            let params = serde_json::to_vec(&params).map_err(|error| Lost::NotSent(error.to_string()))?;
            let deadline = Instant::now() + self.link.call_timeout;
            let sent = self.link.upstream.request(method, Some(&params), deadline, self.progress.clone());
            match sent.await {
                Ok(Outcome::Result(result)) => Ok(Reply::Result(result.to_vec())),
                Ok(Outcome::Error(error)) => Ok(Reply::Error(error.to_vec())),
                Err(error) if error.dispatched() => Err(Lost::Unknown(error.to_string())),
                Err(error) => Err(Lost::NotSent(error.to_string())),
            }
        })
    }

    fn working_directory(&self) -> String {
        self.link.working_directory.clone()
    }
}

/// The way to nowhere, for calls that name nothing that exists: they are refused before they would use it.
pub struct NoRoute;

impl Route for NoRoute {
    fn live(&self, _target: &Target) -> Live {
        Live::Absent
    }

    fn send<'a>(&'a self, _effective: &'a Call) -> Boxed<'a, Result<Reply, Lost>> {
        Box::pin(async { Err(Lost::NotSent("there is no such server".to_owned())) })
    }
}
