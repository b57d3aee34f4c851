//! How long ago, as it is typed: `7d`, `12h`, `30m`, `90s`.

use crate::failure::Failure;
use vocab::Exit;

/// The time that long before now, microseconds since the epoch.
pub fn parse(text: &str, now_us: i64) -> Result<i64, Failure> {
    let span = seconds(text).and_then(|seconds| seconds.checked_mul(1_000_000));
    let since = span.and_then(|span| now_us.checked_sub(span));
    since.ok_or_else(|| {
        Failure::new(Exit::Usage, format!("`{text}` is no span of time"))
            .with_help("a whole number and `d`, `h`, `m` or `s`: `--since 7d`")
    })
}

fn seconds(text: &str) -> Option<i64> {
    let unit = match text.chars().next_back()? {
        'd' => 86_400,
        'h' => 3_600,
        'm' => 60,
        's' => 1,
        _ => return None,
    };
    let number = text.strip_suffix(['d', 'h', 'm', 's'])?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<i64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn spans_have_a_number_and_a_unit() {
        let now = 1_000_000_000_000;
        assert_eq!(parse("7d", now).unwrap(), now - 7 * 86_400_000_000);
        assert_eq!(parse("90s", now).unwrap(), now - 90_000_000);
        for wrong in ["", "d", "7", "-7d", "7 d", "1.5h", "7w", "99999999999999999d", "+7d", "7ä"] {
            assert_eq!(parse(wrong, now).unwrap_err().exit, vocab::Exit::Usage, "{wrong}");
        }
    }
}
