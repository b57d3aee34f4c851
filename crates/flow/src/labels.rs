//! Labels of what a session has seen. They only get worse: what was read cannot be unread.
//!
//! [`Labels::join`] is the join of a semilattice (commutative, associative, idempotent, never below either side), so
//! the order in which results arrive does not matter and absorbing one twice is harmless.

use std::collections::BTreeSet;

use vocab::id::ServerId;
use vocab::{Confidentiality, Integrity, Label};

/// Servers remembered by name. A session that saw more counts as having seen any.
pub const MAX_SOURCES: usize = 64;

/// Bytes of a server's name that is remembered. A longer one counts as any.
pub const MAX_SOURCE_BYTES: usize = 128;

/// What was seen, all together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// The worst integrity seen; `System` when nothing was.
    pub integrity: Integrity,
    /// All confidentialities seen.
    pub confidentiality: BTreeSet<Confidentiality>,
    /// Where it came from.
    pub sources: Sources,
}

/// The servers whose output was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sources {
    /// These and no others.
    Known(BTreeSet<ServerId>),
    /// Too many to remember: any server may be among them.
    Any,
}

impl Labels {
    /// The labels of a session that has seen nothing.
    #[must_use]
    pub const fn nothing_seen() -> Self {
        Self {
            integrity: Integrity::System,
            confidentiality: BTreeSet::new(),
            sources: Sources::Known(BTreeSet::new()),
        }
    }

    /// The labels of one output of one server.
    #[must_use]
    pub fn of(label: Label, source: ServerId) -> Self {
        Self {
            integrity: label.integrity,
            confidentiality: BTreeSet::from([label.confidentiality]),
            sources: Sources::of(source),
        }
    }

    /// Takes on what another has seen.
    pub fn join(&mut self, other: &Self) {
        self.integrity = self.integrity.max(other.integrity);
        self.confidentiality.extend(&other.confidentiality);
        self.sources.join(&other.sources);
    }

    /// Takes on one output of one server: as joining [`Labels::of`] it, and mostly nothing to do.
    pub fn add(&mut self, label: Label, source: &ServerId) {
        self.integrity = self.integrity.max(label.integrity);
        self.confidentiality.insert(label.confidentiality);
        let is_known = matches!(&self.sources, Sources::Known(known) if known.contains(source));
        if !is_known {
            self.sources.join(&Sources::of(source.clone()));
        }
    }

    /// Whether this has seen all that the other has: `a.covers(b)` says that joining `b` changes nothing.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.integrity >= other.integrity
            && self.confidentiality.is_superset(&other.confidentiality)
            && self.sources.covers(&other.sources)
    }
}

impl Sources {
    fn of(source: ServerId) -> Self {
        if source.as_str().len() > MAX_SOURCE_BYTES { Self::Any } else { Self::Known(BTreeSet::from([source])) }
    }

    /// Whether output of this server may have been seen.
    #[must_use]
    pub fn may_contain(&self, source: &ServerId) -> bool {
        match self {
            Self::Known(known) => known.contains(source),
            Self::Any => true,
        }
    }

    fn join(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::Known(known), Self::Known(more)) => {
                known.extend(more.iter().cloned());
                if known.len() > MAX_SOURCES {
                    *self = Self::Any;
                }
            }
            (_, Self::Any) => *self = Self::Any,
            (Self::Any, _) => {}
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Known(_), Self::Any) => false,
            (Self::Known(known), Self::Known(others)) => known.is_superset(others),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn servers(range: std::ops::Range<usize>) -> Sources {
        Sources::Known(range.map(|n| ServerId::new(format!("s{n}"))).collect())
    }

    fn joined(a: &Labels, b: &Labels) -> Labels {
        let mut joined = a.clone();
        joined.join(b);
        joined
    }

    #[test]
    fn the_worst_is_kept() {
        let mut labels = Labels::nothing_seen();
        let label = |integrity, confidentiality| Label { integrity, confidentiality };
        labels.join(&Labels::of(label(Integrity::ThirdParty, Confidentiality::Public), ServerId::new("web")));
        labels.join(&Labels::of(label(Integrity::System, Confidentiality::Secret), ServerId::new("vault")));
        assert_eq!(labels.integrity, Integrity::ThirdParty);
        assert_eq!(labels.confidentiality, BTreeSet::from([Confidentiality::Public, Confidentiality::Secret]));
        assert!(labels.sources.may_contain(&ServerId::new("web")));
        assert!(!labels.sources.may_contain(&ServerId::new("mail")));
    }

    #[test]
    fn one_source_too_many_is_any() {
        let mut sources = servers(0..MAX_SOURCES - 1);
        sources.join(&servers(0..MAX_SOURCES));
        assert_eq!(sources, servers(0..MAX_SOURCES));
        sources.join(&servers(MAX_SOURCES..MAX_SOURCES + 1));
        assert_eq!(sources, Sources::Any);
        sources.join(&servers(0..1));
        assert_eq!(sources, Sources::Any);
    }

    #[test]
    fn a_name_too_long_is_any() {
        let name = |bytes: usize| Sources::of(ServerId::new("s".repeat(bytes)));
        assert!(matches!(name(MAX_SOURCE_BYTES), Sources::Known(_)));
        assert_eq!(name(MAX_SOURCE_BYTES + 1), Sources::Any);
    }

    fn labels() -> impl Strategy<Value = Labels> {
        let sources = prop_oneof![
            // Ranges that overlap and whose unions straddle the bound.
            8 => (0..80_usize, 0..50_usize).prop_map(|(from, count)| servers(from..from + count)),
            1 => Just(Sources::Any),
        ];
        let confidentiality = proptest::sample::subsequence(Confidentiality::ALL.to_vec(), 0..=3);
        (proptest::sample::select(Integrity::ALL.to_vec()), confidentiality, sources).prop_map(
            |(integrity, confidentiality, sources)| Labels {
                integrity,
                confidentiality: confidentiality.into_iter().collect(),
                sources,
            },
        )
    }

    proptest! {
        #[test]
        fn adding_an_output_is_joining_its_labels(
            seen in labels(),
            integrity in proptest::sample::select(Integrity::ALL.to_vec()),
            confidentiality in proptest::sample::select(Confidentiality::ALL.to_vec()),
            source in prop_oneof![(0..130_usize).prop_map(|n| format!("s{n}")), Just("s".repeat(MAX_SOURCE_BYTES + 1))],
        ) {
            let (label, source) = (Label { integrity, confidentiality }, ServerId::new(source));
            let mut added = seen.clone();
            added.add(label, &source);
            prop_assert_eq!(added, joined(&seen, &Labels::of(label, source)));
        }

        #[test]
        fn commutative(a in labels(), b in labels()) {
            prop_assert_eq!(joined(&a, &b), joined(&b, &a));
        }

        #[test]
        fn associative(a in labels(), b in labels(), c in labels()) {
            prop_assert_eq!(joined(&joined(&a, &b), &c), joined(&a, &joined(&b, &c)));
        }

        #[test]
        fn idempotent_and_nothing_is_neutral(a in labels()) {
            prop_assert_eq!(joined(&a, &a), a.clone());
            prop_assert_eq!(joined(&a, &Labels::nothing_seen()), a);
        }

        #[test]
        fn never_lower(a in labels(), b in labels()) {
            let both = joined(&a, &b);
            prop_assert!(both.covers(&a) && both.covers(&b));
            prop_assert_eq!(a.covers(&b), both == a);
        }
    }
}
