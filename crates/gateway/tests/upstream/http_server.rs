//! The scripted server over HTTP, on Mortise's own listener.

use super::script::{Script, Step};
use bytes::Bytes;
use gateway::listener::{Answer, Handler, RequestHead, Settings, serve};
use gateway::upstream::http::Endpoint;
use http::{HeaderMap, HeaderValue, StatusCode};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// What has to come with every message but the first.
const SESSION: &str = "session-1";

/// The server, running until it is dropped.
pub struct HttpServer {
    pub url: String,
    pub state: Arc<State>,
    _stop: oneshot::Sender<()>,
}

#[derive(Default)]
pub struct State {
    script: Mutex<Script>,
    /// Open answer streams, by request.
    streams: Mutex<HashMap<u64, mpsc::UnboundedSender<Bytes>>>,
    /// Everything asked for, as `METHOD authorization session version`.
    pub seen: Mutex<Vec<String>>,
    /// What `GET` sends; `None` is 405.
    pub unasked: Mutex<Option<Vec<Bytes>>>,
    /// Whether the session is forgotten.
    pub lost: std::sync::atomic::AtomicBool,
    /// Answers every `POST` with this.
    pub broken: Mutex<Option<StatusCode>>,
}

impl HttpServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let state = Arc::new(State::default());
        let settings = Settings { max_message_bytes: 1 << 20, ..Settings::default() };
        let shutdown = async { drop(stopped.await) };
        tokio::spawn(serve(listener, Arc::clone(&state), settings, shutdown));
        Self { url, state, _stop: stop }
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::new(&self.url, [("authorization", "Bearer t")]).unwrap()
    }
}

impl State {
    fn note(&self, method: &str, headers: &HeaderMap) {
        let value = |name| headers.get(name).map_or("-", |value: &HeaderValue| value.to_str().unwrap());
        let names = ["authorization", "mcp-session-id", "mcp-protocol-version"].map(value);
        self.seen.lock().unwrap().push(format!("{method} {}", names.join(" ")));
    }
}

impl Handler for State {
    async fn post(&self, head: RequestHead, body: Bytes) -> Answer {
        self.note("POST", &head.headers);
        let text = String::from_utf8_lossy(&body).into_owned();
        let first = text.contains(r#""method":"initialize""#);
        let session = head.headers.get("mcp-session-id").is_some_and(|session| session == SESSION);
        if let Some(status) = *self.broken.lock().unwrap() {
            return Answer::Status(status);
        }
        if !first && (!session || self.lost.load(std::sync::atomic::Ordering::SeqCst)) {
            return Answer::Status(StatusCode::NOT_FOUND);
        }
        let frame: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let steps = self.script.lock().unwrap().take(&body);
        let mut headers = HeaderMap::new();
        if first {
            headers.insert("mcp-session-id", HeaderValue::from_static(SESSION));
        }
        let Some(id) = frame["method"].is_string().then(|| frame["id"].as_u64()).flatten() else {
            self.emit(steps);
            return Answer::Status(StatusCode::ACCEPTED);
        };
        if let [Step::Send { of, text, last: true }] = steps.as_slice() {
            assert_eq!(*of, id);
            return Answer::Json { status: StatusCode::OK, headers, body: Bytes::from(text.clone()) };
        }
        let (sender, mut receiver) = mpsc::unbounded_channel();
        self.streams.lock().unwrap().insert(id, sender);
        self.emit(steps);
        let (events, bounded) = mpsc::channel(4);
        tokio::spawn(async move {
            while let Some(event) = receiver.recv().await {
                if events.send(event).await.is_err() {
                    break;
                }
            }
        });
        Answer::Sse { headers, events: bounded }
    }

    async fn get(&self, head: RequestHead) -> Answer {
        self.note("GET", &head.headers);
        let Some(unasked) = self.unasked.lock().unwrap().take() else {
            return Answer::Status(StatusCode::METHOD_NOT_ALLOWED);
        };
        let (sender, events) = mpsc::channel(8);
        for message in unasked {
            sender.try_send(message).unwrap();
        }
        Answer::Sse { headers: HeaderMap::new(), events }
    }

    async fn delete(&self, head: RequestHead) -> Answer {
        self.note("DELETE", &head.headers);
        Answer::Status(StatusCode::METHOD_NOT_ALLOWED)
    }
}

impl State {
    /// Sends each step to the stream of its request.
    fn emit(&self, steps: Vec<Step>) {
        let mut streams = self.streams.lock().unwrap();
        for step in steps {
            match step {
                Step::Send { of, text, last } => {
                    let _ = streams.get(&of).unwrap().send(Bytes::from(text));
                    if last {
                        streams.remove(&of);
                    }
                }
                Step::Die => streams.clear(),
            }
        }
    }
}
