//! An address that takes JSON: `{"origin": ..., "records": [...]}`, a row of columns for each record.
//!
//! A receiver tells what it has already by `origin` and `index`.

use super::Sent;
use super::post::Post;
use super::reading::Batch;
use govern::project::SinkHttp;
use serde_json::json;
use std::collections::BTreeMap;

pub(super) struct Hook(Post);

impl Hook {
    pub(super) fn new(http: &SinkHttp, environment: &BTreeMap<String, String>) -> Result<Self, String> {
        Post::new(http, environment, "application/json").map(Self)
    }

    pub(super) async fn send(&self, origin: &str, batch: &Batch) -> Sent {
        let body = json!({ "origin": origin, "records": batch.rows });
        self.0.send(body.to_string().into_bytes(), |_| 0).await
    }
}
