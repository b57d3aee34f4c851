//! A complaint with the line it is about, the place marked below.

use vocab::shown::{line, name, visible};
use vocab::{Diagnostic, Severity};

/// Longest part of a line that is shown, in characters: it fits beside its number in a wide terminal.
const MAX_SHOWN: usize = 120;

/// The complaint as text. `source` is the file it is about, when there is one.
pub fn render(found: &Diagnostic, source: Option<&str>) -> String {
    let level = match found.severity {
        Severity::Info => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let mut out = format!("{level}[{}]: {}\n", found.code, visible(&found.message));
    if !found.file.is_empty() {
        let place = if found.line > 0 { format!(":{}:{}", found.line, found.column) } else { String::new() };
        out.push_str(&format!("  --> {}{place}\n", line(&found.file)));
    }
    if let Some(excerpt) = source.and_then(|source| excerpt(found, source)) {
        out.push_str(&excerpt);
    }
    if !found.candidates.is_empty() {
        let names: Vec<String> = found.candidates.iter().map(|candidate| format!("`{}`", name(candidate))).collect();
        out.push_str(&format!("  did you mean {}?\n", names.join(" or ")));
    }
    if let Some(help) = &found.help {
        out.push_str(&format!("  help: {}\n", visible(help)));
    }
    out
}

/// The line with its number, and carets below what is meant; a span over several lines is marked on its first.
fn excerpt(found: &Diagnostic, source: &str) -> Option<String> {
    let number = usize::try_from(found.line).ok().filter(|line| *line > 0)?;
    let line: Vec<char> = source.lines().nth(number - 1)?.chars().collect();
    let start = usize::try_from(found.column).ok()?.saturating_sub(1).min(line.len());
    let length = found
        .span
        .and_then(|(from, to)| source.get(from..to))
        .map_or(1, |text| text.lines().next().map_or(1, |first| first.chars().count()).max(1));
    let end = (start + length).min(line.len()).max(start);
    // A minified line is shown around the place only.
    let (from, to) = window(start, line.len());
    let part = |from: usize, to: usize| -> String {
        let chars: String = line.get(from..to).unwrap_or_default().iter().collect();
        visible(&chars.replace('\t', "    "))
    };
    let (before, marked, after) = (part(from, start), part(start, end.min(to)), part(end.min(to), to));
    let margin = " ".repeat(number.to_string().len());
    let carets = "^".repeat(marked.chars().count().max(1));
    let indent = " ".repeat(before.chars().count());
    Some(format!(
        " {margin} |\n {number} | {}\n {margin} | {indent}{carets}\n",
        format!("{before}{marked}{after}").trim_end()
    ))
}

/// Which characters of a line are shown, for a place that begins at `start`.
fn window(start: usize, length: usize) -> (usize, usize) {
    if length <= MAX_SHOWN {
        return (0, length);
    }
    let from = start.saturating_sub(MAX_SHOWN / 3);
    (from, (from + MAX_SHOWN).min(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(source: &str, word: &str) -> Diagnostic {
        let start = source.find(word).unwrap();
        Diagnostic::error("config/x", "a.toml", "no such word").at(source, (start, start + word.len()))
    }

    #[test]
    fn the_place_is_marked() {
        let source = "a = 1\n\tbé = \"wrong\"\n";
        let found = at(source, "\"wrong\"").with_help("write another").with_candidates(vec!["right".to_owned()]);
        let expected = "error[config/x]: no such word\n  --> a.toml:2:7\n   |\n 2 |     bé = \"wrong\"\n   |          ^^^^^^^\n  \
                        did you mean `right`?\n  help: write another\n";
        assert_eq!(render(&found, Some(source)), expected);
    }

    #[test]
    fn a_span_over_lines_is_marked_on_its_first() {
        let source = "forbid (\n  principal\n);";
        let found = Diagnostic::error("x/y", "p.cedar", "m").at(source, (0, source.len()));
        assert!(render(&found, Some(source)).contains(" 1 | forbid (\n   | ^^^^^^^^\n"));
    }

    #[test]
    fn text_cannot_steer_the_terminal_nor_move_the_mark() {
        let source = "x = \u{202e}\"bad\"";
        let shown = render(&at(source, "bad"), Some(source));
        assert!(shown.contains("x = \\u{202e}\"bad\"\n"), "{shown}");
        let mark = shown.lines().find(|line| line.contains("^^^")).unwrap();
        let line = shown.lines().find(|line| line.contains("bad")).unwrap();
        assert_eq!(mark.find('^'), line.find("bad"));
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        for (before, after) in [(0, 5_000), (5_000, 0), (5_000, 5_000), (0, 0)] {
            let source = format!("{}MARK{}", "a".repeat(before), "b".repeat(after));
            let shown = render(&at(&source, "MARK"), Some(&source));
            let longest = shown.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(shown.contains("MARK") && shown.contains("^^^^") && longest < MAX_SHOWN + 20, "{longest}");
        }
        let wide = "w".repeat(10_000);
        assert!(render(&at(&wide, &wide), Some(&wide)).len() < 1_000);
    }

    #[test]
    fn places_outside_the_file_show_nothing() {
        let mut found = Diagnostic::error("x/y", "a", "m");
        assert!(!render(&found, Some("text")).contains('|'));
        (found.line, found.column) = (9, 9);
        assert!(!render(&found, Some("text")).contains('|'));
        (found.line, found.column) = (1, 99);
        assert!(render(&found, Some("text")).contains("    ^"));
        assert!(!render(&found, None).contains('|'));
    }
}
