//! The words somebody searches with, parsed.
//!
//! ```text
//! filter = { ["-"] ( key ":" value { "," value } | word ) }      all of them have to hold, a "-" turns one round
//! value  = characters without space, comma and quote, ["*"]  |  '"' anything but a quote '"'
//! word   = the same as a value; it is looked for in our own words about an event
//! ```
//!
//! A comma is *or*, a trailing `*` stands for any end. What a filter says becomes values that statements are bound to,
//! never text of a statement. `docs/guides/search.md` is the reference.

mod key;
mod scan;
mod time;

pub(super) use key::Key;

use key::{NOT_RECORDED, Word};
use scan::{Item, Scanner, Value};
use vocab::Diagnostic;

/// Longest filter, in bytes.
pub const MAX_FILTER_BYTES: usize = 4096;

/// Most terms of a filter.
const MAX_TERMS: usize = 64;

/// What has to hold of what is found. The empty filter finds everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub(super) terms: Vec<Term>,
    /// Microseconds since the epoch: not before.
    pub(super) since: Option<i64>,
    /// Before.
    pub(super) until: Option<i64>,
}

/// One term of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) negated: bool,
    pub(super) test: Test,
    /// As it was written, without its minus.
    pub(super) text: String,
}

/// What a term asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// Is one of the values that of the key?
    Is(Key, Vec<Pattern>),
    /// Do our words about it contain this, in this order?
    Says(Pattern),
}

/// A value, or the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) text: String,
    pub(super) is_prefix: bool,
}

impl Filter {
    /// Parses a filter. `now` is what `since:7d` counts back from, microseconds since the epoch.
    ///
    /// # Errors
    /// Complaints, each with its place in `text`.
    pub fn parse(text: &str, now: i64) -> Result<Self, Vec<Diagnostic>> {
        if text.len() > MAX_FILTER_BYTES {
            let message = format!("the filter is longer than {MAX_FILTER_BYTES} bytes");
            return Err(vec![complaint("search/syntax", message)]);
        }
        let mut reader = Reader { source: text, now, filter: Self::default(), complaints: Vec::new() };
        for item in Scanner::new(text) {
            match item {
                Ok(item) => reader.take(&item),
                Err(scan::Wrong { span, what, help }) => {
                    let found = complaint("search/syntax", what).at(text, span);
                    reader.complaints.push(match help {
                        Some(help) => found.with_help(help),
                        None => found,
                    });
                }
            }
        }
        if reader.filter.terms.len() > MAX_TERMS {
            reader.complaints.push(complaint("search/syntax", format!("the filter has more than {MAX_TERMS} terms")));
        }
        if reader.complaints.is_empty() { Ok(reader.filter) } else { Err(reader.complaints) }
    }
}

struct Reader<'a> {
    source: &'a str,
    now: i64,
    filter: Filter,
    complaints: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn take(&mut self, item: &Item<'_>) {
        match item.key {
            None => self.words(item),
            Some((name, span)) => match Word::find(name) {
                Some(Word::Key(key)) => self.values(item, key),
                Some(Word::Since | Word::Until) => self.moment(item, name),
                None => self.unknown(name, span),
            },
        }
    }

    fn words(&mut self, item: &Item<'_>) {
        for value in &item.values {
            if !value.text.chars().any(char::is_alphanumeric) {
                let message = format!("`{}` has no letter or digit to look for", value.text);
                self.complain(complaint("search/syntax", message), value.span);
                continue;
            }
            let pattern = Pattern { text: value.text.to_owned(), is_prefix: value.is_prefix };
            self.push(item, Test::Says(pattern));
        }
    }

    fn values(&mut self, item: &Item<'_>, key: Key) {
        for value in &item.values {
            self.check_word(key, value);
        }
        let patterns = item
            .values
            .iter()
            .map(|value| Pattern { text: super::terms::clip(value.text).to_owned(), is_prefix: value.is_prefix });
        self.push(item, Test::Is(key, patterns.collect()));
    }

    /// A closed vocabulary has no other words.
    fn check_word(&mut self, key: Key, value: &Value<'_>) {
        let words = key.words();
        let fits = |word: &&&str| if value.is_prefix { word.starts_with(value.text) } else { **word == value.text };
        if words.is_empty() || words.iter().any(|word| fits(&word)) {
            return;
        }
        let found = complaint("search/unknown-word", format!("`{}` has no value `{}`", key.name(), value.text));
        let near = near(value.text, words.iter().copied());
        let found = if near.is_empty() { found.with_help(one_of(&words)) } else { found.with_candidates(near) };
        self.complain(found, value.span);
    }

    fn moment(&mut self, item: &Item<'_>, name: &str) {
        let [value] = item.values.as_slice() else {
            return self.complain(complaint("search/time", format!("`{name}` takes one time")), item.span);
        };
        if item.negated || value.is_prefix {
            let found = complaint("search/time", format!("`{name}` cannot be turned round or cut short"));
            return self.complain(found.with_help("`since` is from a time on, `until` is before it"), item.span);
        }
        let Some(time) = time::parse(value.text, self.now) else {
            let found = complaint("search/time", format!("`{}` is no time", value.text));
            return self.complain(found.with_help(time::HELP), value.span);
        };
        let is_since = name == "since";
        let place = if is_since { &mut self.filter.since } else { &mut self.filter.until };
        if place.replace(time).is_some() {
            self.complain(complaint("search/time", format!("`{name}` stands twice")), item.span);
        }
    }

    fn unknown(&mut self, name: &str, span: (usize, usize)) {
        if let Some((_, why)) = NOT_RECORDED.iter().find(|(word, _)| *word == name) {
            let found = complaint("search/not-recorded", format!("`{name}` cannot be searched: {why}"));
            return self.complain(found, span);
        }
        let found = complaint("search/unknown-key", format!("there is no key `{name}`"));
        let near = near(name, Word::names());
        let found = match near.is_empty() {
            true => {
                let names: Vec<&str> = Word::names().collect();
                found.with_help(format!("{}; a word with a colon in it stands in double quotes", one_of(&names)))
            }
            false => found.with_candidates(near),
        };
        self.complain(found, span);
    }

    fn push(&mut self, item: &Item<'_>, test: Test) {
        let text = self.source.get(item.span.0..item.span.1).unwrap_or_default();
        let text = text.strip_prefix('-').unwrap_or(text).to_owned();
        self.filter.terms.push(Term { negated: item.negated, test, text });
    }

    fn complain(&mut self, found: Diagnostic, span: (usize, usize)) {
        self.complaints.push(found.at(self.source, span));
    }
}

fn complaint(code: &'static str, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code, "filter", message)
}

fn one_of(words: &[&str]) -> String {
    format!("one of {}", words.join(", "))
}

/// The known words nearest to a wrong one, best first, at most three.
pub(super) fn near<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let allowed = (wrong.chars().count() / 3).max(1);
    let distance = |word: &'a str| (strsim::damerau_levenshtein(wrong, word), word);
    let mut near: Vec<(usize, &str)> = known.into_iter().map(distance).filter(|(far, _)| *far <= allowed).collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(3).map(|(_, word)| word.to_owned()).collect()
}

#[cfg(test)]
mod tests;
