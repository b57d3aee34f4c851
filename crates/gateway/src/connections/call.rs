//! One call's way through a connection.

use super::link::Link;
use crate::jsonrpc::Outcome;
use bytes::Bytes;
use enforce::{Boxed, Live, Lost, Reply, Route};
use serde::ser::{Serialize, SerializeMap, Serializer};
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

/// The params that leave: written anew from what was evaluated, so that no second parser can read another call.
struct Params<'a> {
    extra: &'a Map<String, Value>,
    call: &'a Call,
}

impl Params<'_> {
    fn method(&self) -> &'static str {
        match &self.call.target.operation {
            Operation::Tool(_) => "tools/call",
            Operation::GetPrompt => "prompts/get",
            _ => "resources/read",
        }
    }
}

impl Serialize for Params<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // INVARIANT: the decided members were taken out of `extra`, so that none is written twice.
        let mut params = serializer.serialize_map(None)?;
        for (name, value) in self.extra {
            params.serialize_entry(name, value)?;
        }
        let arguments = self.call.arguments.examine();
        match (&self.call.target.operation, arguments) {
            (Operation::Tool(name), _) => {
                params.serialize_entry("name", name.as_str())?;
                params.serialize_entry("arguments", arguments)?;
            }
            (_, Value::Object(arguments)) => {
                for (name, value) in arguments {
                    params.serialize_entry(name, value)?;
                }
            }
            _ => {}
        }
        params.end()
    }
}

impl Route for CallRoute {
    fn live(&self, target: &Target) -> Live {
        self.link.of(target)
    }

    fn send<'a>(&'a self, effective: &'a Call) -> Boxed<'a, Result<Reply, Lost>> {
        Box::pin(async move {
            let params = Params { extra: &self.extra, call: effective };
            let method = params.method();
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

/// The way to a server that has ended and cannot be had again. Its tools are what they last were, so that a call is
/// decided as any other; then it is not sent, and that, not a change of the tool, is what its caller is told.
pub struct Ended {
    /// The connection as it was.
    pub link: Arc<Link>,
    /// Why there is no other.
    pub reason: String,
}

impl Route for Ended {
    fn live(&self, target: &Target) -> Live {
        self.link.of(target)
    }

    fn send<'a>(&'a self, _effective: &'a Call) -> Boxed<'a, Result<Reply, Lost>> {
        Box::pin(async { Err(Lost::NotSent(self.reason.clone())) })
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
