//! `[sinks.NAME]`: where the log is sent while it grows.

use super::{Complaints, is_canonical, number};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use toml::Spanned;

/// Seconds between two looks for what is new.
pub const EVERY_SECONDS: RangeInclusive<u64> = 1..=3_600;
/// Records of one batch.
pub const BATCH: RangeInclusive<u64> = 1..=10_000;
/// Seconds a request may take.
pub const TIMEOUT_SECONDS: RangeInclusive<u64> = 1..=300;

/// `[sinks.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sink {
    /// Where to.
    pub to: SinkTo,
    /// Seconds between two looks for what is new.
    pub every_s: u64,
    /// Records of one batch at most.
    pub batch: u64,
}

/// Where a sink's records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkTo {
    /// To an OpenTelemetry collector, as spans.
    Otlp(SinkHttp),
    /// To an address that takes JSON.
    Webhook(SinkHttp),
    /// To the end of a file, relative to the project.
    File(String),
}

/// An address that takes requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkHttp {
    /// The address, exactly.
    pub url: String,
    /// Headers, and the variables that hold their values.
    pub headers: BTreeMap<String, String>,
    /// Seconds a request may take.
    pub timeout_s: u64,
}

impl SinkTo {
    /// The word in `kind`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Otlp(_) => "otlp",
            Self::Webhook(_) => "webhook",
            Self::File(_) => "file",
        }
    }
}

/// Where the paths of sinks are written in the settings, as byte ranges, by the sinks' names; what cannot be read has none.
#[must_use]
pub fn sink_path_spans(text: &str) -> BTreeMap<String, (usize, usize)> {
    #[derive(Default, Deserialize)]
    struct Written {
        #[serde(default)]
        sinks: BTreeMap<String, WrittenSink>,
    }
    #[derive(Deserialize)]
    struct WrittenSink {
        path: Option<Spanned<String>>,
    }
    let written = toml::from_str::<Written>(text).unwrap_or_default();
    let spans = written.sinks.into_iter().filter_map(|(name, sink)| Some((name, sink.path?.span())));
    spans.map(|(name, span)| (name, (span.start, span.end))).collect()
}

pub(super) fn sinks(
    raw: BTreeMap<Spanned<String>, RawSink>,
    complaints: &mut Complaints<'_>,
) -> BTreeMap<String, Sink> {
    raw.into_iter().filter_map(|(name, raw)| sink(name, raw, complaints)).collect()
}

fn sink(name: Spanned<String>, raw: RawSink, complaints: &mut Complaints<'_>) -> Option<(String, Sink)> {
    if !is_canonical(name.as_ref()) {
        let message = format!("`{}` is not a name of a sink", name.as_ref());
        complaints.error_help("config/name", name.span(), message, "use lower-case letters, digits, `-` and `_`");
    }
    let every_s = number(raw.every_s.clone(), 5, EVERY_SECONDS, complaints);
    let batch = number(raw.batch.clone(), 500, BATCH, complaints);
    let to = match raw.kind {
        RawKind::Otlp => SinkTo::Otlp(http(&name, raw, complaints)?),
        RawKind::Webhook => SinkTo::Webhook(http(&name, raw, complaints)?),
        RawKind::File => SinkTo::File(file(&name, raw, complaints)?),
    };
    Some((name.into_inner(), Sink { to, every_s, batch }))
}

fn http(name: &Spanned<String>, raw: RawSink, complaints: &mut Complaints<'_>) -> Option<SinkHttp> {
    if let Some(path) = &raw.path {
        let message = "`path` is for a sink of kind `file`".to_owned();
        complaints.error_help("config/value", path.span(), message, "write `url`");
    }
    let Some(url) = raw.url else {
        complaints.error("config/missing-key", name.span(), "the key `url` is missing");
        return None;
    };
    if !(url.as_ref().starts_with("https://") || url.as_ref().starts_with("http://")) {
        let message = format!("`{}` is not an http or https address", url.as_ref());
        complaints.error_help(
            "config/value",
            url.span(),
            message,
            "write it as `https://collector.example.com/v1/traces`",
        );
    }
    let timeout_s = number(raw.timeout_s, 10, TIMEOUT_SECONDS, complaints);
    let headers = raw.headers.into_iter().filter_map(|(name, value)| header(name, &value, complaints)).collect();
    Some(SinkHttp { url: url.into_inner(), headers, timeout_s })
}

/// Only the name of a variable: what lets somebody in does not stand in a file that is shared.
fn header(name: Spanned<String>, value: &Spanned<String>, complaints: &mut Complaints<'_>) -> Option<(String, String)> {
    if name.as_ref().is_empty() || !name.as_ref().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        complaints.error("config/value", name.span(), format!("`{}` is no name of a header", name.as_ref()));
    }
    let variable = value.as_ref().strip_prefix("env:").filter(|variable| is_variable(variable));
    if variable.is_none() {
        let help = "write `env:NAME`, and set the variable `NAME` for the gateway";
        complaints.error_help("config/value", value.span(), "a header's value is not written here".to_owned(), help);
    }
    Some((name.into_inner(), variable?.to_owned()))
}

fn file(name: &Spanned<String>, raw: RawSink, complaints: &mut Complaints<'_>) -> Option<String> {
    if let Some(url) = &raw.url {
        let message = "a sink of kind `file` has no `url`".to_owned();
        complaints.error_help("config/value", url.span(), message, "write `path`");
    }
    if let Some(header) = raw.headers.keys().next() {
        complaints.error("config/value", header.span(), "a sink of kind `file` has no headers");
    }
    let Some(path) = raw.path else {
        complaints.error("config/missing-key", name.span(), "the key `path` is missing");
        return None;
    };
    let is_name = !path.as_ref().is_empty() && !path.as_ref().ends_with('/') && !path.as_ref().contains('\0');
    if !is_name {
        complaints.error("config/value", path.span(), format!("`{}` is not a path of a file", path.as_ref()));
    }
    Some(path.into_inner())
}

fn is_variable(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSink {
    kind: RawKind,
    url: Option<Spanned<String>>,
    path: Option<Spanned<String>>,
    every_s: Option<Spanned<u64>>,
    batch: Option<Spanned<u64>>,
    timeout_s: Option<Spanned<u64>>,
    #[serde(default)]
    headers: BTreeMap<Spanned<String>, Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawKind {
    Otlp,
    File,
    Webhook,
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;
    use vocab::Diagnostic;

    fn only_complaint(text: &str) -> Diagnostic {
        let found = parse(text, "shop").unwrap_err();
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        found.into_iter().next().unwrap()
    }

    #[test]
    fn a_sink_has_what_its_kind_needs_and_nothing_else() {
        let text = "[sinks.soc]\nkind = \"otlp\"\nurl = \"https://c.example/v1/traces\"\nevery_s = 2\nbatch = 7\n\
                    timeout_s = 3\nheaders = { authorization = \"env:SOC_TOKEN\" }\n\
                    [sinks.disk]\nkind = \"file\"\npath = \"out/events.jsonl\"\n";
        let sinks = parse(text, "shop").unwrap().sinks;
        let SinkTo::Otlp(http) = &sinks["soc"].to else { panic!("{sinks:?}") };
        assert_eq!((http.url.as_str(), http.timeout_s), ("https://c.example/v1/traces", 3));
        assert_eq!(http.headers["authorization"], "SOC_TOKEN");
        assert_eq!((sinks["soc"].every_s, sinks["soc"].batch), (2, 7));
        assert_eq!(sinks["disk"], Sink { to: SinkTo::File("out/events.jsonl".to_owned()), every_s: 5, batch: 500 });
        let with = |more: &str| format!("[sinks.soc]\nkind = \"otlp\"\nurl = \"https://c.example/\"\n{more}");
        for (bad, code) in [
            (with("path = \"x\""), "config/value"),
            (with("every_s = 0"), "config/value"),
            (with("batch = 10001"), "config/value"),
            (with("timeout_s = 301"), "config/value"),
            (with("headers = { authorization = \"Bearer secret\" }"), "config/value"),
            (with("headers = { authorization = \"env:NOT A NAME\" }"), "config/value"),
            (with("headers = { \"a b\" = \"env:X\" }"), "config/value"),
            ("[sinks.soc]\nkind = \"otlp\"\nurl = \"c.example\"\n".to_owned(), "config/value"),
            ("[sinks.soc]\nkind = \"otlp\"\n".to_owned(), "config/missing-key"),
            ("[sinks.soc]\nurl = \"https://c.example/\"\n".to_owned(), "config/missing-key"),
            ("[sinks.soc]\nkind = \"file\"\n".to_owned(), "config/missing-key"),
            ("[sinks.soc]\nkind = \"file\"\npath = \"\"\n".to_owned(), "config/value"),
            ("[sinks.soc]\nkind = \"file\"\npath = \"x\"\nurl = \"https://c.example/\"\n".to_owned(), "config/value"),
            ("[sinks.Soc]\nkind = \"file\"\npath = \"x\"\n".to_owned(), "config/name"),
        ] {
            assert_eq!(only_complaint(&bad).code, code, "{bad}");
        }
        let secret = only_complaint(&with("headers = { authorization = \"Bearer secret\" }"));
        assert!(!secret.to_string().contains("help: Bearer"), "{secret}");
        let near = only_complaint(&with("evry_s = 3"));
        assert_eq!((near.code, near.line, near.candidates), ("config/unknown-key", 4, vec!["every_s".to_owned()]));
        assert_eq!(only_complaint("[sinks.soc]\nkind = \"webhok\"\nurl = \"https://c\"").candidates, ["webhook"]);
    }
}
