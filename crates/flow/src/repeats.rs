//! Who keeps trying is told no more: refusals explain a rule a few times per session, then only that it is one.
//!
//! Every explained refusal answers a question about the policy. A person needs a few; a search needs many.

use std::collections::BTreeMap;

/// Refusals of one rule that are explained in a session.
pub const EXPLANATIONS: u8 = 3;

/// Rules counted apart. Refusals of any further rule are not explained.
pub const MAX_RULES: usize = 256;

/// Bytes of a rule's name that is remembered. Refusals of a rule with a longer one are not explained.
pub const MAX_RULE_BYTES: usize = 256;

/// The refusals of one session that were explained.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repeats {
    explained: BTreeMap<Box<str>, u8>,
}

impl Repeats {
    /// Notes a refusal by `rule` and says whether it may be explained.
    pub fn explain(&mut self, rule: &str) -> bool {
        if let Some(count) = self.explained.get_mut(rule) {
            let may = *count < EXPLANATIONS;
            *count = count.saturating_add(u8::from(may));
            return may;
        }
        if self.explained.len() >= MAX_RULES || rule.len() > MAX_RULE_BYTES {
            return false;
        }
        self.explained.insert(rule.into(), 1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_times_per_rule() {
        let mut repeats = Repeats::default();
        let told: Vec<bool> = (0..300).map(|_| repeats.explain("no-mail")).collect();
        assert_eq!(told.iter().filter(|told| **told).count(), usize::from(EXPLANATIONS));
        assert!(told.iter().take(3).all(|told| *told));
        assert!(repeats.explain("other"));
    }

    #[test]
    fn beyond_the_bound_nothing_is_explained() {
        let mut repeats = Repeats::default();
        assert!((0..MAX_RULES).all(|n| repeats.explain(&format!("rule-{n}"))));
        assert!(!repeats.explain("one-more"));
        assert!(repeats.explain("rule-0"));
        assert_eq!(repeats.explained.len(), MAX_RULES);
    }

    #[test]
    fn long_names_are_not_remembered() {
        let mut repeats = Repeats::default();
        assert!(repeats.explain(&"r".repeat(MAX_RULE_BYTES)));
        assert!(!repeats.explain(&"r".repeat(MAX_RULE_BYTES + 1)));
        assert_eq!(repeats.explained.len(), 1);
    }
}
