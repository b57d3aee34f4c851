//! Whole lists, cursor by cursor.

use super::error::UpstreamError;
use super::handle::Upstream;
use crate::jsonrpc::{ErrorObject, Outcome};
use bytes::Bytes;
use canon::json::{Kind, scan};
use serde_json::value::RawValue;
use tokio::time::Instant;

/// Pages that are read of one list. Also what ends a server that goes in circles.
pub const MAX_LIST_PAGES: usize = 100;
/// Items of one list. The largest server seen has some hundred tools.
pub const MAX_LIST_ITEMS: usize = 10_000;
/// Bytes of all items of one list.
pub const MAX_LIST_BYTES: usize = 64 * 1024 * 1024;

impl Upstream {
    /// Reads a whole list, such as the `tools` of `tools/list`: the raw objects as listed.
    ///
    /// # Errors
    /// When a page fails, has another shape, or the list goes beyond a limit. There are no half lists.
    pub async fn list_all(&self, method: &str, key: &str, deadline: Instant) -> Result<Vec<Bytes>, UpstreamError> {
        let mut items = Vec::new();
        let mut bytes = 0;
        let mut params: Option<Vec<u8>> = None;
        for _ in 0..MAX_LIST_PAGES {
            let page = match self.request(method, params.as_deref(), deadline, None).await? {
                Outcome::Result(page) => page,
                Outcome::Error(error) => {
                    return Err(UpstreamError::Answered { code: ErrorObject::decode(&error).map_or(0, |e| e.code) });
                }
            };
            let scan = scan(&page, self.limits()).map_err(|error| UpstreamError::garbage(&error))?;
            let list = scan.member(key).ok_or_else(|| malformed(format!("no member `{key}`")))?;
            for item in objects(list).ok_or_else(|| malformed(format!("`{key}` is not a list of objects")))? {
                bytes += item.len();
                if items.len() >= MAX_LIST_ITEMS || bytes > MAX_LIST_BYTES {
                    return Err(malformed(format!("more than {MAX_LIST_ITEMS} items or {MAX_LIST_BYTES} bytes")));
                }
                items.push(page.slice_ref(item));
            }
            params = match scan.member("nextCursor") {
                None | Some(b"null") => return Ok(items),
                Some(cursor) if Kind::of(cursor) == Some(Kind::String) => {
                    Some([b"{\"cursor\":", cursor, b"}"].concat())
                }
                Some(_) => return Err(malformed("`nextCursor` is not a string".to_owned())),
            };
        }
        Err(malformed(format!("more than {MAX_LIST_PAGES} pages")))
    }
}

/// The elements of a raw array of objects.
fn objects(list: &[u8]) -> Option<Vec<&[u8]>> {
    let items: Vec<&RawValue> = serde_json::from_slice(list).ok()?;
    let items = items.into_iter().map(|item| item.get().as_bytes());
    items.map(|item| (Kind::of(item) == Some(Kind::Object)).then_some(item)).collect()
}

const fn malformed(reason: String) -> UpstreamError {
    UpstreamError::Malformed { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_keep_their_bytes() {
        let list = br#"[ {"a" : 1} , {"b":[{}]}]"#;
        assert_eq!(objects(list).unwrap(), [br#"{"a" : 1}"#.as_slice(), br#"{"b":[{}]}"#]);
        for list in [r#"{"a":1}"#, "[1]", "[null]", "7"] {
            assert!(objects(list.as_bytes()).is_none(), "{list}");
        }
    }
}
