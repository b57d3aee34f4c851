//! Which keys of a TOML file are other ones: whoever accepts an edit sees what becomes of each.

use std::collections::BTreeMap;
use toml::{Table, Value};

/// Keys of one file that are told one by one; more are counted.
const MAX_TOLD: usize = 40;
/// Characters of a value that are shown.
const MAX_SHOWN: usize = 120;

/// Whether values are shown, or only which keys are other ones: a server's file may say what lets somebody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    Shown,
    Hidden,
}

/// A sentence for each key that is another one; none where the files mean the same, or one of them is no TOML.
pub(super) fn compare(path: &str, before: &str, after: &str, values: Values) -> Option<Vec<String>> {
    let (old, new) = (before.parse::<Table>().ok()?, after.parse::<Table>().ok()?);
    let (before, after) = (leaves(&old), leaves(&new));
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let different = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    let mut told: Vec<String> = different
        .map(|key| match (before.get(key), after.get(key), values) {
            (None, Some(value), Values::Shown) => format!("`{path}`: `{key}` is new: {}", shown(value)),
            (Some(value), None, Values::Shown) => format!("`{path}`: `{key}` is gone: it was {}", shown(value)),
            (Some(old), Some(new), Values::Shown) => {
                format!("`{path}`: `{key}` was {} and becomes {}", shown(old), shown(new))
            }
            (None, _, Values::Hidden) => format!("`{path}`: `{key}` is new"),
            (_, None, Values::Hidden) => format!("`{path}`: `{key}` is gone"),
            (Some(_), Some(_), Values::Hidden) | (None, None, Values::Shown) => format!("`{path}`: `{key}` differs"),
        })
        .collect();
    // INVARIANT: what differs is told. Two ways can be written alike only where a name has a dot or quotes in it.
    if told.is_empty() && old != new {
        told.push(format!("`{path}` differs"));
    }
    let more = told.len().saturating_sub(MAX_TOLD);
    if more > 0 {
        told.truncate(MAX_TOLD);
        told.push(format!("`{path}`: {more} more keys differ"));
    }
    Some(told)
}

/// Each value that is no table with the way to it. A table without any is one, too: that it is there can mean something.
fn leaves(table: &Table) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut open: Vec<(String, &Table)> = vec![(String::new(), table)];
    while let Some((above, table)) = open.pop() {
        for (name, value) in table {
            let way = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
            match value {
                Value::Table(below) if !below.is_empty() => open.push((way, below)),
                value => {
                    found.insert(way, value.clone());
                }
            }
        }
    }
    found
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: &str, after: &str) -> Vec<String> {
        compare("m.toml", before, after, Values::Shown).unwrap()
    }

    #[test]
    fn each_key_is_told_with_what_becomes_of_it() {
        let before = "[retention]\ntrace_text_days = 30\n[witnesses.team]\nurl = \"https://w\"\n";
        let after = "[retention]\ntrace_text_days = 1\n[sinks.soc]\nkind = \"webhook\"\nurl = \"https://c.example/\"\n";
        assert_eq!(
            told(before, after),
            [
                "`m.toml`: `retention.trace_text_days` was 30 and becomes 1",
                "`m.toml`: `sinks.soc.kind` is new: \"webhook\"",
                "`m.toml`: `sinks.soc.url` is new: \"https://c.example/\"",
                "`m.toml`: `witnesses.team.url` is gone: it was \"https://w\"",
            ]
        );
        assert!(told("a = 1 # why\n", "\na=1").is_empty());
        assert_eq!(told("", "[gateway]\n"), ["`m.toml`: `gateway` is new: {}"]);
        assert_eq!(told("\"a.b\" = 1\n", "[a]\nb = 1\n"), ["`m.toml` differs"]);
        assert_eq!(compare("m.toml", "not toml", "", Values::Shown), None);
    }

    #[test]
    fn values_of_a_server_are_not_told() {
        let told = compare("s.toml", "a = \"x\"\nb = 1", "a = \"secret\"\nc = 1", Values::Hidden).unwrap();
        assert_eq!(told, ["`s.toml`: `a` differs", "`s.toml`: `b` is gone", "`s.toml`: `c` is new"]);
    }

    #[test]
    fn many_keys_and_long_values_are_cut() {
        let keys = |count: usize| (0..count).map(|key| format!("k{key:03} = 1\n")).collect::<String>();
        assert_eq!(told("", &keys(MAX_TOLD)).len(), MAX_TOLD);
        let many = told("", &keys(MAX_TOLD + 2));
        assert_eq!((many.len(), many.last().unwrap().as_str()), (MAX_TOLD + 1, "`m.toml`: 2 more keys differ"));
        let long = format!("a = \"{}\"", "é".repeat(MAX_SHOWN));
        assert_eq!(told("", &long)[0], format!("`m.toml`: `a` is new: \"{}...", "é".repeat(MAX_SHOWN - 1)));
    }
}
