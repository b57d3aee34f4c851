//! Canonical text: RFC 8785 (JCS), the bytes that digests and signatures are taken over.
//!
//! Members are sorted by the UTF-16 code units of their keys, strings are escaped only where they must be, numbers are
//! written as ECMAScript writes them. Two deviations, both only for numbers of 2^53 (9007199254740992) and more, where
//! JCS would make different values equal and a digest over them worthless:
//!
//! - integers keep all their digits; JCS would round them to a double, so that 9007199254740993 becomes ...992;
//! - doubles below 10^21 are written with an exponent (`1e+20`, not `100000000000000000000`), so that none reads as an
//!   integer: 2^63 as a double would be `9223372036854776000`, which is another integer.
//!
//! Equal text therefore means equal number, and canonical text always passes [`scan`](super::scan). `1.0` and `1` are
//! one number and have one text, `1`; so have `-0.0` and `0`.

use serde_json::{Map, Number, Value};
use std::cmp::Ordering;

use super::text::plain_run;

/// The canonical text of a value.
pub fn canonical(value: &Value) -> Vec<u8> {
    /// Most values are shorter: one allocation instead of several ever larger ones.
    const USUAL_BYTES: usize = 256;
    let mut out = Vec::with_capacity(USUAL_BYTES);
    write_canonical(value, &mut out);
    out
}

/// Appends the canonical text of a value to `out`.
///
/// Recursive: the stack it needs grows with the depth of the value, at most [`PARSE_DEPTH`](super::PARSE_DEPTH) for
/// any that came through [`parse`](super::parse).
pub fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_canonical(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => write_object(members, out),
    }
}

fn write_object(members: &Map<String, Value>, out: &mut Vec<u8>) {
    if members.keys().is_sorted_by(|a, b| in_order(a, b) != Ordering::Greater) {
        return write_members(members.iter(), out);
    }
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_unstable_by(|(a, _), (b, _)| in_order(a, b));
    write_members(sorted.into_iter(), out);
}

/// By UTF-16 code units, which is by bytes for what is ASCII.
fn in_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

fn write_members<'v>(members: impl Iterator<Item = (&'v String, &'v Value)>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (key, value)) in members.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(key, out);
        out.push(b':');
        write_canonical(value, out);
    }
    out.push(b'}');
}

/// RFC 8785 section 3.2.2.2.
fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, more) = rest.split_at_checked(plain_run(rest)).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let Some((special, more)) = more.split_first() else {
            break;
        };
        write_escape(*special, out);
        rest = more;
    }
    out.push(b'"');
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        _ => return out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// RFC 8785 section 3.2.2.3, with the deviations of the module text.
fn write_number(number: &Number, out: &mut Vec<u8>) {
    let text = if let Some(integer) = number.as_u64() {
        integer.to_string()
    } else if let Some(integer) = number.as_i64() {
        integer.to_string()
    } else if let Some(double) = number.as_f64() {
        double_text(double)
    } else {
        number.to_string()
    };
    out.extend_from_slice(text.as_bytes());
}

/// From here on doubles are further apart than integers.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// ECMA-262 `Number::toString`: the shortest digits that read back as the same double, in one of four shapes.
fn double_text(double: f64) -> String {
    if double == 0.0 {
        return "0".to_owned();
    }
    // Rust's exponent form has exactly those digits: `-1.25e-7`.
    let scientific = format!("{:e}", double.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = mantissa.replace('.', "");
    // The decimal point stands after this many digits (`n` in ECMA-262).
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let sign = if double < 0.0 { "-" } else { "" };

    let plain = double.abs() < EXACT;
    if plain && point >= count {
        format!("{sign}{digits}{}", zeros(point - count))
    } else if plain && point > 0 {
        let (whole, fraction) = split(&digits, point);
        format!("{sign}{whole}.{fraction}")
    } else if plain && point > -6 {
        format!("{sign}0.{}{digits}", zeros(-point))
    } else {
        let (first, more) = split(&digits, 1);
        let dot = if more.is_empty() { "" } else { "." };
        format!("{sign}{first}{dot}{more}e{:+}", point - 1)
    }
}

fn zeros(count: i32) -> String {
    "0".repeat(usize::try_from(count).unwrap_or(0))
}

fn split(digits: &str, at: i32) -> (&str, &str) {
    usize::try_from(at).ok().and_then(|at| digits.split_at_checked(at)).unwrap_or((digits, ""))
}

#[cfg(test)]
mod tests {
    use super::super::arbitrary;
    use super::super::{Limits, parse};
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn text(value: &Value) -> String {
        String::from_utf8(canonical(value)).unwrap()
    }

    #[test]
    fn the_example_of_rfc_8785() {
        let input = br#"{
            "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]
        }"#;
        let value = parse(input, &Limits::default()).unwrap();
        assert_eq!(
            text(&value),
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#
        );
    }

    #[test]
    fn keys_are_sorted_by_utf16_code_units() {
        // RFC 8785 section 3.2.3. The emoji's first unit is 0xD83D, below 0xFB33; by code point it would be last.
        let value = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
        assert_eq!(
            text(&value),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}"
        );
    }

    #[test]
    fn doubles_of_rfc_8785_appendix_b() {
        for (bits, expected) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        ] {
            assert_eq!(text(&json!(f64::from_bits(bits))), expected, "{bits:#x}");
        }
    }

    #[test]
    fn deviations_begin_at_two_to_the_53() {
        assert_eq!(text(&json!(9_007_199_254_740_991.0)), "9007199254740991");
        assert_eq!(text(&json!(9_007_199_254_740_992.0)), "9.007199254740992e+15");
        assert_eq!(text(&json!(-1e20)), "-1e+20");
        assert_eq!(text(&json!(9_007_199_254_740_993_u64)), "9007199254740993");
        assert_eq!(text(&json!(u64::MAX)), "18446744073709551615");
        assert_eq!(text(&json!(i64::MIN)), "-9223372036854775808");
        assert_ne!(canonical(&json!(9_223_372_036_854_775_808.0)), canonical(&json!(9_223_372_036_854_776_000_u64)));
    }

    #[test]
    fn one_number_has_one_text() {
        assert_eq!(canonical(&json!([1.0, -0.0, 1e3, 1.5e-3])), b"[1,0,1000,0.0015]");
    }

    #[test]
    fn control_characters_are_escaped_and_nothing_else() {
        assert_eq!(
            text(&json!("\u{8}\t\n\u{c}\r\u{0}\u{1f}\u{7f}\u{2028}</\"\\")),
            "\"\\b\\t\\n\\f\\r\\u0000\\u001f\u{7f}\u{2028}</\\\"\\\\\""
        );
    }

    proptest! {
        #[test]
        fn read_back_it_is_the_same_value(value in arbitrary::value()) {
            let read = parse(&canonical(&value), &Limits::default()).unwrap();
            prop_assert_eq!(read, arbitrary::with_integral_doubles_as_integers(&value));
        }

        #[test]
        fn idempotent(value in arbitrary::value()) {
            let once = canonical(&value);
            let read = parse(&once, &Limits::default()).unwrap();
            prop_assert_eq!(canonical(&read), once);
        }

        #[test]
        fn the_order_of_members_does_not_matter(value in arbitrary::value()) {
            prop_assert_eq!(canonical(&arbitrary::reversed(&value)), canonical(&value));
        }

        #[test]
        fn every_double_is_kept(bits in any::<u64>()) {
            let double = f64::from_bits(bits);
            prop_assume!(double.is_finite());
            let back: f64 = double_text(double).parse().unwrap();
            prop_assert!(back == double, "{double:e} became {back:e}");
        }
    }
}
