//! Numbers: RFC 8259 section 6, refused where a 64-bit reader would have to change them.
//!
//! | text | what happens |
//! |---|---|
//! | `-9223372036854775808` to `18446744073709551615` | exact integer |
//! | any integer beyond | refused: most readers silently round it to a double |
//! | `1.0`, `1e3` | a double; its canonical text is `1`, `1000`, equal to the integer's |
//! | `-0`, `-0.0` | a double; its canonical text is `0` |
//! | `1e400` | refused |
//! | `1e-400` | accepted, and is zero for every reader |

use super::cursor::Cursor;
use super::error::{JsonError, JsonErrorKind};

/// A text this short without an exponent is below 10^300, far from the largest double (1.8 * 10^308).
const SURELY_FINITE: usize = 300;

/// A number of this many bytes is below 10^18, inside both 64-bit ranges.
const SURELY_64_BIT: usize = 18;

/// Reads a number that starts with `-` or a digit.
#[inline]
pub(super) fn number(cursor: &mut Cursor<'_>) -> Result<(), JsonError> {
    let start = cursor.at;
    let negative = cursor.eat(b'-');
    // No other digit may follow a leading zero: the reader of what comes next refuses it.
    if !cursor.eat(b'0') {
        digits(cursor)?;
    }
    let fraction = cursor.eat(b'.');
    if fraction {
        digits(cursor)?;
    }
    let exponent = matches!(cursor.peek(), Some(b'e' | b'E'));
    if exponent {
        cursor.at += 1;
        if !cursor.eat(b'-') {
            cursor.eat(b'+');
        }
        digits(cursor)?;
    }
    let length = cursor.at - start;
    if !fraction && !exponent {
        let fits = length <= SURELY_64_BIT || {
            let text = cursor.between(start, cursor.at)?;
            if negative { text.parse::<i64>().is_ok() } else { text.parse::<u64>().is_ok() }
        };
        return if fits { Ok(()) } else { Err(JsonError::new(JsonErrorKind::IntegerRange, start)) };
    }
    let finite = (!exponent && length <= SURELY_FINITE)
        || cursor.between(start, cursor.at)?.parse::<f64>().is_ok_and(f64::is_finite);
    if finite { Ok(()) } else { Err(JsonError::new(JsonErrorKind::FloatRange, start)) }
}

/// One digit or more.
#[inline]
fn digits(cursor: &mut Cursor<'_>) -> Result<(), JsonError> {
    let Some(b'0'..=b'9') = cursor.peek() else {
        return Err(cursor.unexpected());
    };
    while let Some(b'0'..=b'9') = cursor.peek() {
        cursor.at += 1;
    }
    Ok(())
}
