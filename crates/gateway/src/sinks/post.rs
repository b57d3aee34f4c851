//! A request, and whether it was taken.

use super::Sent;
use crate::upstream::http::{Endpoint, connector};
use bytes::Bytes;
use govern::project::SinkHttp;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is read of an answer: nobody needs more of it.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(60);

/// The way to one address.
pub(super) struct Post {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    endpoint: Endpoint,
    content_type: HeaderValue,
    wait: Duration,
}

impl Post {
    /// # Errors
    /// It is no address, a variable is not set, or no connection can be made secure.
    pub(super) fn new(
        http: &SinkHttp,
        environment: &BTreeMap<String, String>,
        content_type: &'static str,
    ) -> Result<Self, String> {
        let value = |(name, variable): (&'_ String, &String)| match environment.get(variable) {
            Some(value) => Ok((name.clone(), value.clone())),
            None => Err(format!(
                "the variable `{variable}` is not set for the gateway: set it, and start the gateway again"
            )),
        };
        let headers = http.headers.iter().map(value).collect::<Result<Vec<_>, String>>()?;
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let endpoint = Endpoint::new(&http.url, headers).map_err(|error| error.to_string())?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector(&endpoint)?);
        let wait = Duration::from_secs(http.timeout_s);
        Ok(Self { client, endpoint, content_type: HeaderValue::from_static(content_type), wait })
    }

    /// Sends. `rejected` reads from the body of a good answer how much was not wanted.
    pub(super) async fn send(&self, body: Vec<u8>, rejected: impl FnOnce(&[u8]) -> u64) -> Sent {
        let failed = |why: String| Sent::Failed { why, after: None };
        match tokio::time::timeout(self.wait, self.exchange(body)).await {
            Err(_) => failed("no answer in time".to_owned()),
            Ok(Err(why)) => failed(why),
            Ok(Ok((status, _, body))) if status.is_success() => Sent::Taken { rejected: rejected(&body) },
            Ok(Ok((StatusCode::PAYLOAD_TOO_LARGE, ..))) => Sent::TooLarge,
            Ok(Ok((status, headers, _))) => {
                let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                Sent::Failed { why: format!("the answer is {status}"), after: seconds.map(Duration::from_secs) }
            }
        }
    }

    async fn exchange(&self, body: Vec<u8>) -> Result<(StatusCode, HeaderMap, Bytes), String> {
        let mut post = Request::new(Full::new(Bytes::from(body)));
        *post.method_mut() = Method::POST;
        *post.uri_mut() = self.endpoint.url().clone();
        *post.headers_mut() = self.endpoint.headers().clone();
        post.headers_mut().insert(CONTENT_TYPE, self.content_type.clone());
        let response = self.client.request(post).await.map_err(|error| said(&error))?;
        let (head, body) = response.into_parts();
        // An answer that is too long is still an answer.
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        Ok((head.status, head.headers, body))
    }
}

/// What the client says, and why: the first alone is only that there is no connection.
fn said(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(error) = inner {
        text = format!("{text}: {error}");
        inner = error.source();
    }
    text
}
