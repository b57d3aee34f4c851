//! A witness, and asking one.
//!
//! It cosigns the checkpoints of logs that only grow (C2SP tlog-witness), and nothing else.
//!
//! It knows no gateway, no event and no agent: what reaches it is an origin, a size and a root. It is of use where those
//! who run the log do not run it.
//!
//! | route | |
//! |---|---|
//! | `POST /add-checkpoint` | a checkpoint and a proof of growth; the answer is a cosignature |
//! | `GET /healthz` | 200 while the process serves |

mod client;

pub use client::{Answer, Client};

use crate::listener::{AnswerBody, not_allowed, serve_with, status_only, text, whole};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use proof::{AddCheckpoint, Checkpoint, MAX_REQUEST_BYTES, Refusal, Verifier};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Clock, NotCosigned, Witness};
use tokio::net::TcpListener;

/// What a witness is told at its start.
pub struct Settings {
    /// Its key and what it remembers.
    pub witness: Witness,
    /// The keys of the logs it cosigns. A log is known by its origin, which is the name of its key; one whose key is rotated
    /// has several.
    pub logs: Vec<Verifier>,
    /// What the time of a cosignature is taken from.
    pub clock: Clock,
}

/// Why a witness cannot serve these logs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogsError {
    /// There is nothing to cosign.
    #[error("no log is given")]
    None,
}

/// A witness at work.
struct Serving {
    witness: Witness,
    logs: BTreeMap<String, Vec<Verifier>>,
    clock: Clock,
}

/// Serves until `shutdown` completes.
///
/// # Errors
/// No log is given.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), LogsError> {
    let mut logs: BTreeMap<String, Vec<Verifier>> = BTreeMap::new();
    for log in settings.logs {
        logs.entry(log.name().to_string()).or_default().push(log);
    }
    if logs.is_empty() {
        return Err(LogsError::None);
    }
    let serving = Arc::new(Serving { witness: settings.witness, logs, clock: settings.clock });
    let respond = move |_, request| {
        let serving = Arc::clone(&serving);
        async move { route(serving, request).await }
    };
    serve_with(listener, respond, shutdown).await;
    Ok(())
}

async fn route(serving: Arc<Serving>, request: Request<Incoming>) -> Response<AnswerBody> {
    match (request.uri().path(), request.method()) {
        ("/add-checkpoint", &Method::POST) => {}
        ("/add-checkpoint", _) => return not_allowed("POST"),
        ("/healthz", &Method::GET) => return status_only(StatusCode::OK),
        ("/healthz", _) => return not_allowed("GET"),
        _ => return status_only(StatusCode::NOT_FOUND),
    }
    let body = match whole(request.into_body(), MAX_REQUEST_BYTES).await {
        Ok(body) => body,
        Err(status) => return status_only(status),
    };
    // Signatures are checked and a file is made durable: not on a thread that others wait for.
    let answer = tokio::task::spawn_blocking(move || serving.add_checkpoint(&body)).await;
    answer.unwrap_or_else(|_| status_only(StatusCode::INTERNAL_SERVER_ERROR))
}

impl Serving {
    fn add_checkpoint(&self, body: &[u8]) -> Response<AnswerBody> {
        let request = match AddCheckpoint::parse(body) {
            Ok(request) => request,
            Err(error) => return said(StatusCode::BAD_REQUEST, &error),
        };
        let checkpoint = match Checkpoint::parse(request.note.text()) {
            Ok(checkpoint) => checkpoint,
            Err(error) => return said(StatusCode::BAD_REQUEST, &error),
        };
        let origin = checkpoint.origin();
        let Some(log) = self.logs.get(origin) else {
            return text(StatusCode::NOT_FOUND, PLAIN, format!("log `{origin}` is not cosigned here\n"));
        };
        let time = u64::try_from(self.clock.now() / 1_000_000).unwrap_or_default();
        match self.witness.cosign(&request, log, time) {
            Ok(signature) => {
                tracing::info!(origin, size = checkpoint.size(), "cosigned");
                text(StatusCode::OK, PLAIN, format!("{}\n", signature.line()))
            }
            Err(NotCosigned::Refused(refusal)) => {
                tracing::warn!(origin, size = checkpoint.size(), old = request.old, %refusal, "not cosigned");
                refused(&refusal)
            }
            Err(error) => {
                tracing::error!(origin, %error, "not cosigned");
                text(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    PLAIN,
                    "the witness cannot remember what it cosigns\n".to_owned(),
                )
            }
        }
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";

/// The statuses of tlog-witness, "add-checkpoint".
fn refused(refusal: &Refusal) -> Response<AnswerBody> {
    match refusal {
        Refusal::NotTheLogs(_) => said(StatusCode::FORBIDDEN, refusal),
        Refusal::OldBeyondNew => said(StatusCode::BAD_REQUEST, refusal),
        Refusal::OtherSize(size) | Refusal::OtherRoot(size) => {
            text(StatusCode::CONFLICT, "text/x.tlog.size", format!("{size}\n"))
        }
        Refusal::NotGrown => said(StatusCode::UNPROCESSABLE_ENTITY, refusal),
    }
}

fn said(status: StatusCode, what: &impl ToString) -> Response<AnswerBody> {
    text(status, PLAIN, format!("{}\n", what.to_string()))
}
