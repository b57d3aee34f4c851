//! Text that somebody else wrote, made fit to be shown: what could steer a terminal, break a line, turn its direction or
//! not be seen at all becomes an escape that can be read.
//!
//! Whatever prints a name, a reason or any other text of a record, a server, an agent or a file goes through here.

/// Longest name that is shown, in characters: a server's of 64, a slash and a tool's of 128.
pub const MAX_NAME: usize = 193;

/// Longest text that is shown in one line, in characters: twice what a purpose or a reason may have.
pub const MAX_LINE: usize = 1_000;

/// What stands for the rest of a text that is longer than it may be.
const CUT: &str = "…";

/// A text of several lines. Line breaks stay, everything else that is not seen is escaped.
#[must_use]
pub fn visible(text: &str) -> String {
    escaped(text, |c| c != '\n' && is_hidden(c))
}

/// A text in one line of at most [`MAX_LINE`] characters.
#[must_use]
pub fn line(text: &str) -> String {
    escaped(&cut(text, MAX_LINE), is_hidden)
}

/// A name: one word of at most [`MAX_NAME`] characters, which cannot look like two columns of a listing.
#[must_use]
pub fn name(text: &str) -> String {
    escaped(&cut(text, MAX_NAME), |c| c.is_whitespace() || is_hidden(c))
}

/// A JSON document, with the same content, in which nothing hides. Characters outside ASCII stand in strings only.
#[must_use]
pub fn json(document: &str) -> String {
    if !document.chars().any(|c| c >= '\u{7f}' && is_hidden(c)) {
        return document.to_owned();
    }
    let mut out = String::with_capacity(document.len() + 64);
    for c in document.chars() {
        if c >= '\u{7f}' && is_hidden(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// A whole page of ours: lines and tabs stay, and styles (`ESC [ … m`) where they are `styled`. The last resort before a
/// terminal, for texts that nobody thought of.
#[must_use]
pub fn page(text: &str, styled: bool) -> String {
    let hides = |c: char| !matches!(c, '\n' | '\t') && is_hidden(c);
    if !text.chars().any(hides) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(hides) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let style = if styled { style(from) } else { 0 };
        let (taken, after) =
            from.split_at(if style > 0 { style } else { from.chars().next().map_or(1, char::len_utf8) });
        match style {
            0 => taken.chars().for_each(|c| push_escape(&mut out, c)),
            _ => out.push_str(taken),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Length of the style that a text begins with; 0 if it begins with none.
fn style(text: &str) -> usize {
    let Some(rest) = text.strip_prefix("\u{1b}[") else { return 0 };
    let numbers = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
    if rest.as_bytes().get(numbers) == Some(&b'm') { numbers + 3 } else { 0 }
}

fn cut(text: &str, most: usize) -> std::borrow::Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}{CUT}", text.get(..at).unwrap_or_default()).into(),
        None => text.into(),
    }
}

fn escaped(text: &str, hides: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if hides(c) { push_escape(&mut out, c) } else { out.push(c) }
    }
    out
}

fn push_escape(out: &mut String, c: char) {
    match c {
        '\n' | '\r' | '\t' => out.extend(c.escape_default()),
        c => out.extend(c.escape_unicode()),
    }
}

/// Whether a character is not seen as itself: controls, line separators, and what Unicode calls format characters or
/// ignorable by default (directions, joiners, fillers, variation selectors, tags, annotations).
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal_or_hides() {
        assert_eq!(visible("a\u{1b}[2Jb\u{202e}c\n"), "a\\u{1b}[2Jb\\u{202e}c\n");
        assert_eq!(line("a\r\nb\tc\u{85}d"), "a\\r\\nb\\tc\\u{85}d");
        assert_eq!(name("x  allow\u{a0}y\u{3000}z"), "x\\u{20}\\u{20}allow\\u{a0}y\\u{3000}z");
        let named = ['\u{200e}', '\u{200f}', '\u{61c}', '\u{feff}', '\u{ad}', '\u{2028}', '\u{7f}', '\u{9b}'];
        let ranges = ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}').chain('\u{e0020}'..='\u{e007f}');
        for hidden in ranges.chain(named) {
            for shown in [visible, line, name, |text: &str| page(text, true), json] {
                let text = shown(&format!("a{hidden}b"));
                assert!(!text.chars().any(is_hidden), "{text:?}");
            }
        }
        assert_eq!(line("für 日本 ✓ 😀"), "für 日本 ✓ 😀");
    }

    #[test]
    fn length_is_bounded_at_its_edge() {
        for (shown, most) in [(line as fn(&str) -> String, MAX_LINE), (name, MAX_NAME)] {
            assert_eq!(shown(&"ä".repeat(most)), "ä".repeat(most));
            assert_eq!(shown(&"ä".repeat(most + 1)), format!("{}…", "ä".repeat(most)));
        }
    }

    #[test]
    fn a_document_stays_the_same_document() {
        let value = serde_json::json!({ "a\u{202e}": "b\u{e0041}\u{7f}\n😀", "c": [1, "\u{2028}"] });
        let text = json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(text.contains("\\u202e") && text.contains("\\udb40\\udc41") && text.contains("\\u007f"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn of_escapes_only_styles_pass_and_only_where_there_are_some() {
        let text = "\u{1b}[1;31mred\u{1b}[0m\t\u{1b}[2K\u{1b}[1A\u{1b}[";
        assert_eq!(page(text, true), "\u{1b}[1;31mred\u{1b}[0m\t\\u{1b}[2K\\u{1b}[1A\\u{1b}[");
        assert_eq!(page("\u{1b}[1mx\ny", false), "\\u{1b}[1mx\ny");
    }
}
