//! Standard output is data, standard error is messages.

use crate::args::{Colour, Format, Global};
use crate::failure::Failure;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::io::{IsTerminal, Write};
use vocab::shown::{json, name, page};
use vocab::{Severity, Verdict};

/// Where a command writes, and how.
pub struct Output {
    /// Format of standard output.
    pub format: Format,
    colour_out: bool,
    colour_err: bool,
}

impl Output {
    /// Decides on colours once.
    pub fn new(global: &Global) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let wants = |terminal: bool| match global.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && !plain,
        };
        Self {
            format: global.format,
            colour_out: wants(std::io::stdout().is_terminal()),
            colour_err: wants(std::io::stderr().is_terminal()),
        }
    }

    /// Whether people read standard output.
    pub fn is_human(&self) -> bool {
        self.format == Format::Human
    }

    /// A line of data, in which nothing but our own styles steers a terminal. A reader that went away is not an error of ours.
    pub fn line(&self, text: impl AsRef<str>) {
        let text = if self.is_human() { page(text.as_ref(), self.colour_out) } else { json(text.as_ref()) };
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }

    /// Lines of data, as [`line`](Self::line) writes one.
    pub fn page(&self, text: impl AsRef<str>) {
        self.raw(page(text.as_ref(), self.colour_out));
    }

    /// Data of ours as it is.
    pub fn raw(&self, text: impl AsRef<str>) {
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(text.as_ref().as_bytes());
        let _ = stdout.flush();
    }

    /// A JSON document: pretty for `json`, one line for `ndjson`.
    pub fn json(&self, value: &impl Serialize) {
        let text = match self.format {
            Format::Ndjson => serde_json::to_string(value),
            _ => serde_json::to_string_pretty(value),
        };
        self.line(text.unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}")));
    }

    /// Documents of one kind: one array for `json`, one line each for `ndjson`.
    pub fn rows(&self, values: &[impl Serialize]) {
        match self.format {
            Format::Ndjson => values.iter().for_each(|value| self.json(value)),
            _ => self.json(&values),
        }
    }

    /// A message.
    pub fn message(&self, text: impl AsRef<str>) {
        let _ = writeln!(std::io::stderr().lock(), "{}", page(text.as_ref(), self.colour_err));
    }

    /// A failure: complaints first, then the sentence, then what to do.
    pub fn failure(&self, failure: &Failure) {
        for found in &failure.diagnostics {
            self.message(found.to_string().trim_end());
        }
        if !failure.message.is_empty() {
            let label = self.paint_err("error", AnsiColor::Red.on_default().bold());
            let code = failure.code.as_ref().map(|code| format!("[{}]", name(code))).unwrap_or_default();
            self.message(format!("{label}{code}: {}", failure.message));
        }
        if let Some(help) = &failure.help {
            self.message(format!("  help: {help}"));
        }
    }

    /// A complaint about a file, as a message.
    pub fn diagnostic(&self, found: &vocab::Diagnostic) {
        let style = match found.severity {
            Severity::Error => AnsiColor::Red.on_default().bold(),
            Severity::Warning => AnsiColor::Yellow.on_default().bold(),
            Severity::Info => AnsiColor::Cyan.on_default(),
        };
        let text = found.to_string();
        let (label, rest) = text.split_once(':').unwrap_or((&text, ""));
        self.message(format!("{}:{}", self.paint_err(label, style), rest.trim_end()));
    }

    /// Text for standard output in a style.
    pub fn paint(&self, text: &str, style: Style) -> String {
        if self.colour_out { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn paint_err(&self, text: &str, style: Style) -> String {
        if self.colour_err { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// A verdict, padded, in its colour.
    pub fn verdict(&self, verdict: Verdict) -> String {
        self.paint(&format!("{verdict:<8}"), verdict_style(verdict))
    }

    /// Quiet text.
    pub fn dim(&self, text: &str) -> String {
        self.paint(text, Style::new().dimmed())
    }

    /// Loud text.
    pub fn bold(&self, text: &str) -> String {
        self.paint(text, Style::new().bold())
    }
}

/// `1 day`, `2 days`.
pub fn counted(count: impl Into<u64>, what: &str) -> String {
    match count.into() {
        1 => format!("1 {what}"),
        many => format!("{many} {what}s"),
    }
}

/// A number of bytes for people, in powers of 1024.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut shown = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        unit = next;
        if shown < 1024.0 {
            break;
        }
        if next != "PiB" {
            shown /= 1024.0;
        }
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{shown:.1} {unit}") }
}

/// Green may go, red may not, and what lies between is in between; each verdict is also a word.
fn verdict_style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Allow => AnsiColor::Green.on_default().bold(),
        Verdict::Sandbox => AnsiColor::Cyan.on_default().bold(),
        Verdict::Sanitize => AnsiColor::Blue.on_default().bold(),
        Verdict::Ask => AnsiColor::Yellow.on_default().bold(),
        Verdict::Deny => AnsiColor::Red.on_default().bold(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_said_as_one() {
        let said: Vec<String> = [0_u64, 1, 2].into_iter().map(|count| counted(count, "day")).collect();
        assert_eq!(said, ["0 days", "1 day", "2 days"]);
    }

    #[test]
    fn sizes_are_said_in_powers_of_1024() {
        let said: Vec<String> = [0, 1023, 1024, 1536, 1 << 20, 5 << 30].into_iter().map(size).collect();
        assert_eq!(said, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "5.0 GiB"]);
    }
}
