//! Progress tokens. The caller's token is replaced by the number of our request on the way out and put back on the way
//! in, so that two callers of one server may use the same token, and a server cannot report on a call it was not given.

use bytes::{BufMut, Bytes, BytesMut};
use canon::json::{Kind, Limits, scan};
use memchr::memmem;

/// Params with the caller's token replaced by `number`, and the token; `None` when they carry none.
pub(super) fn stamp(params: &[u8], number: u64, limits: &Limits) -> Option<(Bytes, Bytes)> {
    if !may_carry(params) {
        return None;
    }
    let outer = scan(params, limits).ok()?;
    let inner = scan(outer.member("_meta")?, limits).ok()?;
    let token = inner.member("progressToken")?;
    let stamped = splice(params, token, number.to_string().as_bytes())?;
    Some((stamped, Bytes::copy_from_slice(token)))
}

/// Whether there can be a token at all. The letters of its name are themselves, or escaped, which takes a `\\u` each.
fn may_carry(params: &[u8]) -> bool {
    memmem::find(params, b"progressToken").is_some() || memmem::find(params, b"\\u").is_some()
}

/// The number in the params of a progress notification.
pub(super) fn number(params: &[u8], limits: &Limits) -> Option<u64> {
    let scan = scan(params, limits).ok()?;
    let token = scan.member("progressToken")?;
    if Kind::of(token) != Some(Kind::Number) {
        return None;
    }
    std::str::from_utf8(token).ok()?.parse().ok()
}

/// The params of a progress notification with the caller's token back in its place.
pub(super) fn restore(params: &[u8], token: &[u8], limits: &Limits) -> Option<Bytes> {
    let scan = scan(params, limits).ok()?;
    splice(params, scan.member("progressToken")?, token)
}

/// `whole` with its sub-slice `part` replaced.
fn splice(whole: &[u8], part: &[u8], with: &[u8]) -> Option<Bytes> {
    // The scan returns slices of what it was given; were `part` another's, the ranges below would not exist.
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let (before, after) = (whole.get(..start)?, whole.get(start + part.len()..)?);
    let mut spliced = BytesMut::with_capacity(before.len() + with.len() + after.len());
    spliced.put_slice(before);
    spliced.put_slice(with);
    spliced.put_slice(after);
    Some(spliced.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { depth: 64, bytes: 1024 };

    #[test]
    fn only_the_token_changes() {
        let params =
            br#"{"name":"x", "_m\u0065ta":{"a":1,"progressToken" : "t\u0031" },"arguments":{"progressToken":5}}"#;
        let (stamped, token) = stamp(params, 42, &LIMITS).unwrap();
        assert_eq!(
            stamped,
            r#"{"name":"x", "_m\u0065ta":{"a":1,"progressToken" : 42 },"arguments":{"progressToken":5}}"#
        );
        let told = br#"{"progress":0.5,"progressToken":42,"message":"m"}"#;
        assert_eq!(number(told, &LIMITS), Some(42));
        assert_eq!(
            restore(told, &token, &LIMITS).unwrap(),
            r#"{"progress":0.5,"progressToken":"t\u0031","message":"m"}"#
        );
    }

    #[test]
    fn a_token_whose_name_is_escaped_is_found() {
        let params = br#"{"_meta":{"progres\u0073Token":1}}"#;
        assert_eq!(stamp(params, 42, &LIMITS).unwrap().0, r#"{"_meta":{"progres\u0073Token":42}}"#);
    }

    #[test]
    fn without_a_token_nothing_is_touched() {
        for params in [r#"{}"#, r#"{"_meta":{}}"#, r#"{"_meta":7}"#, r#"{"progressToken":1}"#] {
            assert!(stamp(params.as_bytes(), 1, &LIMITS).is_none(), "{params}");
        }
        for told in [r#"{}"#, r#"{"progressToken":"1"}"#, r#"{"progressToken":-1}"#, r#"{"progressToken":1.0}"#] {
            assert_eq!(number(told.as_bytes(), &LIMITS), None, "{told}");
        }
    }
}
