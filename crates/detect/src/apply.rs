//! Applying redactions to one half of a call.
//!
//! Properties, each with a test: the order in which redactions are listed does not matter; applying them again changes
//! nothing; what the path cannot follow is redacted whole, so a value in an unexpected shape does not slip past.

use canon::pointer::{Edit, Place};
use serde_json::Value;
use vocab::redaction::Root;

use crate::key::PseudonymKey;
use crate::redaction::Redaction;
use crate::redactors::{is_redacted, redactor};

/// What one redaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The redaction.
    pub redaction: Redaction,
    /// Values changed or taken out. Zero: there was nothing at the path, or nothing left to hide.
    pub count: u64,
}

/// Applies those redactions that are about `root`, whose value is `value`. One entry per such redaction, strictest
/// method first.
pub fn apply(root: Root, value: &mut Value, redactions: &[Redaction], key: &PseudonymKey) -> Vec<Applied> {
    let mut ordered: Vec<_> = redactions.iter().filter(|redaction| redaction.root == root).collect();
    // INVARIANT: `Method` is ordered remove < mask < pseudonymise. Where two name the same field, the stricter comes
    // first, and the weaker leaves alone what it made.
    ordered.sort_by(|a, b| a.method.cmp(&b.method).then_with(|| a.path.cmp(&b.path)));
    ordered.dedup();
    ordered
        .into_iter()
        .map(|redaction| Applied { redaction: redaction.clone(), count: redact(value, redaction, key) })
        .collect()
}

fn redact(value: &mut Value, redaction: &Redaction, key: &PseudonymKey) -> u64 {
    let redactor = redactor(redaction.method);
    redaction.path.edit(value, |place, found| match place {
        // A shape that another redaction made is not an unexpected one.
        Place::Blocked if is_redacted(found, key) => Edit::Keep,
        Place::Blocked | Place::End => (redactor.redact)(found, key),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redaction::parse_redactions;
    use proptest::prelude::*;
    use serde_json::json;

    fn key() -> PseudonymKey {
        PseudonymKey::new([1; 32])
    }

    fn applied(mut value: Value, terms: &str) -> (Value, Vec<u64>) {
        let redactions = parse_redactions(terms).unwrap();
        let counts = apply(Root::Args, &mut value, &redactions, &key()).iter().map(|applied| applied.count).collect();
        (value, counts)
    }

    #[test]
    fn only_the_named_half_is_touched() {
        let (value, counts) = applied(json!({"a": "x", "b": "y"}), "result.a,args.b");
        assert_eq!((value, counts), (json!({"a": "x", "b": "[redacted]"}), vec![1]));
    }

    #[test]
    fn the_stricter_method_wins_in_either_order() {
        for terms in ["args.a:pseudonymise,args.a:mask", "args.a:mask,args.a:pseudonymise"] {
            assert_eq!(applied(json!({"a": "x"}), terms), (json!({"a": "[redacted]"}), vec![1, 0]));
        }
        assert_eq!(applied(json!({"a": "x"}), "args.a,args.a:remove").0, json!({}));
        assert_eq!(
            applied(json!({"a": {"b": "x", "c": "y"}}), "args.a.b:pseudonymise,args.a").0,
            json!({"a": "[redacted]"})
        );
    }

    #[test]
    fn an_unexpected_shape_is_redacted_whole() {
        assert_eq!(applied(json!({"a": "secret"}), "args.a.b"), (json!({"a": "[redacted]"}), vec![1]));
        assert_eq!(applied(json!({"a": {"b": "secret"}}), "args.a[].b:remove"), (json!({}), vec![1]));
        assert_eq!(
            applied(json!({"a": ["secret", {"b": "s", "c": 1}]}), "args.a[].b:remove").0,
            json!({"a": [{"c": 1}]})
        );
        assert_eq!(applied(json!("secret"), "args.a").0, json!("[redacted]"));
    }

    #[test]
    fn the_same_term_twice_is_one() {
        assert_eq!(applied(json!({"a": "x"}), "args.a,args.a").1, [1]);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-9_i64..9).prop_map(Value::from),
            "[a-c]{0,3}".prop_map(Value::from),
            Just(json!("[redacted]")),
            Just(json!("pseudo_0123456789abcdef")),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec(("[a-c]", inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn redactions() -> impl Strategy<Value = Vec<Redaction>> {
        let term = r"args\.[a-c](\[\]){0,2}(\.[a-c](\[\])?){0,2}:(remove|mask|pseudonymise)";
        proptest::collection::vec(term, 1..5).prop_map(|terms| parse_redactions(&terms.join(",")).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn twice_is_once(value in value(), redactions in redactions()) {
            let mut once = value;
            apply(Root::Args, &mut once, &redactions, &key());
            let mut twice = once.clone();
            let again = apply(Root::Args, &mut twice, &redactions, &key());
            prop_assert_eq!(twice, once);
            prop_assert!(again.iter().all(|applied| applied.count == 0), "{again:?}");
        }

        #[test]
        fn listed_order_does_not_matter(value in value(), mut redactions in redactions()) {
            let (mut one, mut other) = (value.clone(), value);
            let first = apply(Root::Args, &mut one, &redactions, &key());
            redactions.reverse();
            prop_assert_eq!(apply(Root::Args, &mut other, &redactions, &key()), first);
            prop_assert_eq!(one, other);
        }

        #[test]
        fn a_count_of_zero_is_no_change(value in value(), redactions in redactions()) {
            let mut after = value.clone();
            let applied = apply(Root::Args, &mut after, &redactions, &key());
            prop_assert_eq!(applied.iter().all(|applied| applied.count == 0), after == value);
        }
    }
}
