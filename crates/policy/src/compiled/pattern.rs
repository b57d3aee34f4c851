//! The right side of `like`.

use cedar_policy_core::ast::PatternElem;

/// The texts between the wildcards: one more than there are wildcards, any of them empty.
///
/// Characters are compared as their UTF-8, in which no character is a part of another.
#[derive(Debug)]
pub(super) struct Pattern {
    first: Box<str>,
    /// Those between two wildcards; without a wildcard `last` is `None`.
    middle: Box<[Box<str>]>,
    last: Option<Box<str>>,
}

impl Pattern {
    /// Takes a pattern apart.
    pub(super) fn of(elements: &[PatternElem]) -> Self {
        let mut texts = elements.split(|element| matches!(element, PatternElem::Wildcard)).map(|text| {
            let characters = text.iter().filter_map(|element| match element {
                PatternElem::Char(character) => Some(character),
                PatternElem::Wildcard => None,
            });
            characters.collect::<String>().into_boxed_str()
        });
        let first = texts.next().unwrap_or_default();
        let mut middle: Vec<_> = texts.collect();
        let last = middle.pop();
        middle.retain(|text| !text.is_empty());
        Self { first, middle: middle.into(), last }
    }

    /// Whether a text is of this pattern. The leftmost place of every middle part is as good as any other, so that one
    /// way through the text is enough.
    pub(super) fn matches(&self, text: &str) -> bool {
        let Some(last) = &self.last else {
            return *text == *self.first;
        };
        let rest = text.strip_prefix(&*self.first).and_then(|rest| rest.strip_suffix(&**last));
        let Some(mut rest) = rest else {
            return false;
        };
        for part in &self.middle {
            match after(rest, part) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        true
    }
}

/// What follows the first place of a part. In a short text it is tried at every place: the searcher for long ones takes
/// longer to set up.
fn after<'a>(text: &'a str, part: &str) -> Option<&'a str> {
    const SHORT: usize = 64;
    if text.len() > SHORT {
        return text.split_once(part).map(|(_, after)| after);
    }
    let at = text.as_bytes().windows(part.len()).position(|place| place == part.as_bytes())?;
    text.get(at + part.len()..)
}
