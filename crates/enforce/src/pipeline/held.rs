//! Results of approved calls whose callers had gone, and the identical retry that they answer.

use super::case::Case;
use super::{Answer, Failure, Pipeline};
use crate::route::Reply;
use crate::session::lock;

impl Pipeline {
    /// The result of the same call that was approved while its caller was away, once.
    pub(super) fn take_held(&self, case: &Case, now_us: i64) -> Option<Vec<u8>> {
        let Case { call, columns, .. } = case;
        lock(&self.approvals).take_result(&call.session, call.action(), &columns.args_hash, now_us)
    }

    /// Answers with such a result; `None` when it cannot be read.
    pub(super) async fn answer_with_held(&self, case: &Case, held: Vec<u8>) -> Option<Answer> {
        let mut intent = self.recorder.intent(&mut self.recorder.stamp(), &case.call, &case.columns);
        intent.event.text = Some("answered with the held result of an approved call".into());
        let record = intent.encode();
        drop(intent);
        if let Err(error) = self.recorder.record(record).await {
            tracing::error!(%error, "held result withheld: the log cannot be written");
            let text = "the log cannot be written; the call ran and its result is withheld".to_owned();
            return Some(Answer::Failed(Failure { call: case.call.id.clone(), text, may_have_run: true }));
        }
        decode(&held)
    }
}

/// An answer as it is held: a letter that says what it is, then its bytes.
pub(super) fn encode(answer: &Answer) -> Option<Vec<u8>> {
    let (letter, body) = match answer {
        Answer::Reply(Reply::Result(bytes)) => (b'R', bytes.clone()),
        Answer::Reply(Reply::Error(bytes)) => (b'E', bytes.clone()),
        Answer::Refused(refusal) => (b'X', serde_json::to_vec(refusal).ok()?),
        Answer::Failed(failure) => (b'F', serde_json::to_vec(failure).ok()?),
    };
    let mut held = vec![letter];
    held.extend(body);
    Some(held)
}

pub(super) fn decode(held: &[u8]) -> Option<Answer> {
    let (letter, body) = held.split_first()?;
    match letter {
        b'R' => Some(Answer::Reply(Reply::Result(body.to_vec()))),
        b'E' => Some(Answer::Reply(Reply::Error(body.to_vec()))),
        b'X' => Some(Answer::Refused(serde_json::from_slice(body).ok()?)),
        b'F' => Some(Answer::Failed(serde_json::from_slice(body).ok()?)),
        _ => None,
    }
}
