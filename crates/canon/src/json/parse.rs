//! From bytes to a value, by way of the scan.

use serde_json::Value;

use super::error::{JsonError, JsonErrorKind};
use super::limits::{Limits, PARSE_DEPTH};
use super::scan::scan;

/// Reads one strict JSON text as a value. Members keep their order.
///
/// # Errors
/// As [`scan`]; nesting beyond [`PARSE_DEPTH`] is refused whatever `limits` allows.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, JsonError> {
    let limits = Limits { depth: limits.depth.min(PARSE_DEPTH), ..*limits };
    let text = scan(bytes, &limits)?.text();
    serde_json::from_str(text).map_err(|_| JsonError::new(JsonErrorKind::Disagreement, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_keep_order_and_exact_integers() {
        let value = parse(br#"{"z":18446744073709551615,"a":[1.0,-0]}"#, &Limits::default()).unwrap();
        assert_eq!(value.to_string(), r#"{"z":18446744073709551615,"a":[1.0,-0.0]}"#);
    }

    #[test]
    fn what_the_scan_refuses_is_not_parsed() {
        let error = parse(br#"{"name":"a","name":"b"}"#, &Limits::default()).unwrap_err();
        assert_eq!(error.kind, JsonErrorKind::DuplicateKey);
    }

    #[test]
    fn a_string_is_never_parsed_as_json() {
        let text = r#"{"$serde_json::private::RawValue":"{\"name\":\"a\",\"name\":\"b\"}"}"#;
        // What the value builder alone makes of it: the string's content, unchecked.
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), json!({"name": "b"}));
        assert_eq!(parse(text.as_bytes(), &Limits::default()).unwrap_err().kind, JsonErrorKind::ReservedKey);
    }

    #[test]
    fn depth_stops_before_the_value_builder_does() {
        let limits = Limits { depth: usize::MAX, ..Limits::default() };
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(PARSE_DEPTH).as_bytes(), &limits).is_ok());
        let error = parse(nested(PARSE_DEPTH + 1).as_bytes(), &limits).unwrap_err();
        assert_eq!(error.kind, JsonErrorKind::TooDeep { limit: PARSE_DEPTH });
    }

    #[test]
    fn floats_are_read_to_the_last_bit() {
        // One unit in the last place off without correct rounding.
        for text in ["30078505129381147446200", "1.4e-45", "6.631236846766476e-316", "0.3"] {
            let exact: f64 = text.parse().unwrap();
            let text = if text.contains('.') { text.to_owned() } else { format!("{text}.0") };
            assert_eq!(parse(text.as_bytes(), &Limits::default()).unwrap(), json!(exact), "{text}");
        }
    }
}
