//! "Did you mean": the known names nearest to one that is not known.

/// How alike two names must be, by Jaro-Winkler, to be worth naming.
const ALIKE: f64 = 0.75;
/// How many names are worth naming.
const MOST: usize = 3;

/// The nearest known names, best first.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(MOST).map(|(_, candidate)| candidate.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_names_come_best_first_and_far_ones_not_at_all() {
        assert_eq!(nearest("suport-bot", ["support-bot", "support-box", "billing"]), ["support-bot", "support-box"]);
        assert!(nearest("suport-bot", ["x"]).is_empty());
    }
}
