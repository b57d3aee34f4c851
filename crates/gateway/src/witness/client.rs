//! Asking a witness.

use crate::upstream::http::{Endpoint, connector};
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use proof::{AddCheckpoint, NoteSignature};
use std::time::Duration;

/// How long an answer may take.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Room for a hundred signature lines.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How long an unused connection is kept: witnesses are asked every half minute.
const IDLE: Duration = Duration::from_secs(90);

/// The way to one witness.
pub struct Client {
    client: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Uri,
}

/// What a witness said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It cosigned; whose signatures these are is for the caller to see.
    Cosigned(Vec<NoteSignature>),
    /// It cosigned this size last, or for this size another root.
    OtherSize(u64),
    /// The log did not only grow since what it cosigned last.
    NotGrown,
    /// It does not cosign, for another reason.
    Refused(StatusCode),
}

impl Client {
    /// The way to a witness at this address, which does not end with a slash.
    ///
    /// # Errors
    /// It is no address, or no connection can be made secure.
    pub fn new(url: &str) -> Result<Self, String> {
        let endpoint = Endpoint::new(&format!("{url}/add-checkpoint"), []).map_err(|error| error.to_string())?;
        let client = HttpClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector(&endpoint)?);
        Ok(Self { client, url: endpoint.url().clone() })
    }

    /// Asks for a cosignature.
    ///
    /// # Errors
    /// No answer came, or none that makes sense.
    pub async fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<Answer, String> {
        let mut post = Request::new(Full::new(Bytes::from(request.format())));
        *post.method_mut() = Method::POST;
        *post.uri_mut() = self.url.clone();
        let asked = async {
            let response = self.client.request(post).await.map_err(|error| error.to_string())?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
            Ok::<_, String>((status, body.map_err(|error| error.to_string())?.to_bytes()))
        };
        let asked = tokio::time::timeout(ANSWER_WAIT, asked).await;
        let (status, body) = asked.map_err(|_| "no answer in time".to_owned())??;
        let text = str::from_utf8(&body).map_err(|_| "the answer is not text".to_owned())?;
        match status {
            StatusCode::OK => {
                let signatures: Option<Vec<_>> = text.lines().map(NoteSignature::parse).collect();
                signatures.map(Answer::Cosigned).ok_or_else(|| "the answer holds no signature lines".to_owned())
            }
            StatusCode::CONFLICT => {
                let size = text.strip_suffix('\n').and_then(|size| size.parse().ok());
                size.map(Answer::OtherSize).ok_or_else(|| "the answer holds no size".to_owned())
            }
            StatusCode::UNPROCESSABLE_ENTITY => Ok(Answer::NotGrown),
            status => Ok(Answer::Refused(status)),
        }
    }
}
