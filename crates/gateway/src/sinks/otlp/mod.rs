//! An OpenTelemetry collector: OTLP over HTTP, in protobuf. A span for each call that has ended.
//!
//! What a collector says it rejected of a request it took is counted, and not sent again (OTLP, "partial success").

use super::Sent;
use super::post::Post;
use super::reading::Batch;
use govern::project::SinkHttp;
use std::collections::BTreeMap;
use store::formats::otlp;

pub(super) struct Collector(Post);

impl Collector {
    pub(super) fn new(http: &SinkHttp, environment: &BTreeMap<String, String>) -> Result<Self, String> {
        Post::new(http, environment, "application/x-protobuf").map(Self)
    }

    pub(super) async fn send(&self, origin: &str, batch: &Batch) -> Sent {
        self.0.send(otlp::request(origin, &batch.calls), otlp::rejected).await
    }
}
