//! Another signing key for the log.

use super::protocol::Response;
use crate::process::{Gateway, RotationError};
use serde_json::json;
use store::{MAX_OVERLAP, Overlap};

pub(super) async fn rotate(gateway: &Gateway, reason: &str, overlap: Overlap) -> Response {
    if reason.trim().is_empty() {
        return Response::refused("keys/reason", "a rotation needs a reason", "give it with `--why`");
    }
    if overlap.entries > MAX_OVERLAP.entries || overlap.seconds > MAX_OVERLAP.seconds {
        return Response::refused("keys/overlap", "the overlap is longer than a year or 10^12 events", "");
    }
    match gateway.rotate_key(reason, overlap).await {
        Ok(rotated) => Response::Ok(json!({
            "index": rotated.index,
            "old": rotated.old.to_vkey(),
            "new": rotated.new.to_vkey(),
            "overlap_entries": overlap.entries,
            "overlap_s": overlap.seconds,
        })),
        Err(error @ RotationError::UnderWay(_)) => {
            let help = "`mortise keys ls` says until when both sign; the next rotation can begin then";
            Response::refused("keys/under-way", error.to_string(), help)
        }
        Err(error) => {
            let help = "run `mortise trace verify` and `mortise keys ls`: the log says whether the key was changed";
            Response::refused("keys/rotate", error.to_string(), help)
        }
    }
}
