//! Pairing two sequences: a longest common subsequence in which equal arguments weigh more, in linear memory.
//!
//! Algorithm: D. S. Hirschberg, "A linear space algorithm for computing maximal common subsequences" (1975), with a weight
//! of two for a pair with equal arguments and one for any other of the same tool. Equal beginnings and ends are paired
//! before it runs.

/// Most pairs of calls that are held against each other, what is equal at both ends left out: a product of lengths, such
/// as 20,000 by 20,000, which takes seconds. Beyond it, calls are paired in order.
pub const MAX_COMPARISONS: usize = 400_000_000;

/// A pair, or a call that has no other.
#[derive(Debug, PartialEq, Eq)]
pub enum Pair<'a, T> {
    /// The same step on both sides.
    Both(&'a T, &'a T),
    /// Only on the first.
    Left(&'a T),
    /// Only on the second.
    Right(&'a T),
}

impl<T> Clone for Pair<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Pair<'_, T> {}

/// Two sequences, paired.
pub struct Aligned<'a, T> {
    /// In order.
    pub pairs: Vec<Pair<'a, T>>,
    /// Whether no other pairing is better.
    pub is_best: bool,
}

/// Pairs two sequences. Only what is `alike` is paired; what is also `equal` is preferred.
pub fn align<'a, T>(
    a: &'a [T],
    b: &'a [T],
    alike: &dyn Fn(&T, &T) -> bool,
    equal: &dyn Fn(&T, &T) -> bool,
) -> Aligned<'a, T> {
    aligned_within(a, b, &Weights { alike, equal }, MAX_COMPARISONS)
}

struct Weights<'f, T> {
    alike: &'f dyn Fn(&T, &T) -> bool,
    equal: &'f dyn Fn(&T, &T) -> bool,
}

impl<T> Weights<'_, T> {
    fn of(&self, a: &T, b: &T) -> u32 {
        match (self.alike)(a, b) {
            true if (self.equal)(a, b) => 2,
            true => 1,
            false => 0,
        }
    }
}

fn aligned_within<'a, T>(a: &'a [T], b: &'a [T], weights: &Weights<'_, T>, most: usize) -> Aligned<'a, T> {
    let whole = |(a, b): &(&T, &T)| weights.of(a, b) == 2;
    let begin = a.iter().zip(b).take_while(whole).count();
    let (head, rest_a) = a.split_at(begin);
    let (head_b, rest_b) = b.split_at(begin);
    let end = rest_a.iter().rev().zip(rest_b.iter().rev()).take_while(whole).count();
    let (middle_a, tail) = rest_a.split_at(rest_a.len() - end);
    let (middle_b, tail_b) = rest_b.split_at(rest_b.len() - end);
    let mut pairs: Vec<Pair<'a, T>> = both(head, head_b).collect();
    let is_best = middle_a.len().saturating_mul(middle_b.len()) <= most;
    match is_best {
        true => divide(middle_a, middle_b, weights, &mut pairs),
        false => in_order(middle_a, middle_b, weights, &mut pairs),
    }
    pairs.extend(both(tail, tail_b));
    Aligned { pairs, is_best }
}

fn both<'a, T>(a: &'a [T], b: &'a [T]) -> impl Iterator<Item = Pair<'a, T>> {
    a.iter().zip(b).map(|(a, b)| Pair::Both(a, b))
}

/// Halves the first sequence, and divides the second where both halves together weigh most.
fn divide<'a, T>(a: &'a [T], b: &'a [T], weights: &Weights<'_, T>, pairs: &mut Vec<Pair<'a, T>>) {
    match a {
        [] => pairs.extend(b.iter().map(Pair::Right)),
        [only] => {
            let best = b.iter().enumerate().max_by_key(|(at, b)| (weights.of(only, b), std::cmp::Reverse(*at)));
            let best = best.filter(|(_, b)| weights.of(only, b) > 0).map(|(at, _)| at);
            if best.is_none() {
                pairs.push(Pair::Left(only));
            }
            pairs.extend(b.iter().enumerate().map(|(at, b)| match best == Some(at) {
                true => Pair::Both(only, b),
                false => Pair::Right(b),
            }));
        }
        _ => {
            let (first, second) = a.split_at(a.len() / 2);
            let forward = last_row(first.iter(), &b.iter(), weights);
            let backward = last_row(second.iter().rev(), &b.iter().rev(), weights);
            let sums = forward.iter().zip(backward.iter().rev()).map(|(before, after)| before + after);
            let at = sums.enumerate().max_by_key(|(at, sum)| (*sum, std::cmp::Reverse(*at))).map_or(0, |(at, _)| at);
            let (before, after) = b.split_at(at.min(b.len()));
            divide(first, before, weights, pairs);
            divide(second, after, weights, pairs);
        }
    }
}

/// How much the best pairing of all of `a` with the first 0, 1, 2, ... of `b` weighs.
fn last_row<'a, T: 'a>(
    a: impl Iterator<Item = &'a T>,
    b: &(impl ExactSizeIterator<Item = &'a T> + Clone),
    weights: &Weights<'_, T>,
) -> Vec<u32> {
    let mut row = vec![0_u32; b.len() + 1];
    for a in a {
        // The value up and to the left, and the one to the left.
        let (mut diagonal, mut left) = (0, 0);
        for (b, above) in b.clone().zip(row.iter_mut().skip(1)) {
            let weight = weights.of(a, b);
            let paired = if weight > 0 { diagonal + weight } else { 0 };
            diagonal = *above;
            left = paired.max(left).max(*above);
            *above = left;
        }
    }
    row
}

/// Without looking for the best: the first with the first, as far as they are alike.
fn in_order<'a, T>(a: &'a [T], b: &'a [T], weights: &Weights<'_, T>, pairs: &mut Vec<Pair<'a, T>>) {
    for (a, b) in a.iter().zip(b) {
        match weights.of(a, b) > 0 {
            true => pairs.push(Pair::Both(a, b)),
            false => pairs.extend([Pair::Left(a), Pair::Right(b)]),
        }
    }
    pairs.extend(a.iter().skip(b.len()).map(Pair::Left));
    pairs.extend(b.iter().skip(a.len()).map(Pair::Right));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A tool and its arguments.
    type Call = (u8, u8);

    fn alike(a: &Call, b: &Call) -> bool {
        a.0 == b.0
    }

    fn equal(a: &Call, b: &Call) -> bool {
        a == b
    }

    fn weight(pairs: &[Pair<'_, Call>]) -> u32 {
        let weights = Weights { alike: &alike, equal: &equal };
        pairs.iter().map(|pair| if let Pair::Both(a, b) = pair { weights.of(a, b) } else { 0 }).sum()
    }

    /// The best weight, by trying everything.
    fn best(a: &[Call], b: &[Call]) -> u32 {
        let (Some((first, rest_a)), Some((other, rest_b))) = (a.split_first(), b.split_first()) else { return 0 };
        let weights = Weights { alike: &alike, equal: &equal };
        let paired = match weights.of(first, other) {
            0 => 0,
            weight => weight + best(rest_a, rest_b),
        };
        paired.max(best(rest_a, b)).max(best(a, rest_b))
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_pairing_is_better(
            a in prop::collection::vec((0_u8..3, 0_u8..3), 0..8), b in prop::collection::vec((0_u8..3, 0_u8..3), 0..8),
            most in prop::sample::select(vec![MAX_COMPARISONS, 0]),
        ) {
            let aligned = aligned_within(&a, &b, &Weights { alike: &alike, equal: &equal }, most);
            let left = aligned.pairs.iter().filter_map(|pair| match pair {
                Pair::Both(a, _) | Pair::Left(a) => Some(**a),
                Pair::Right(_) => None,
            });
            let right = aligned.pairs.iter().filter_map(|pair| match pair {
                Pair::Both(_, b) | Pair::Right(b) => Some(**b),
                Pair::Left(_) => None,
            });
            prop_assert_eq!(left.collect::<Vec<_>>(), a.clone());
            prop_assert_eq!(right.collect::<Vec<_>>(), b.clone());
            prop_assert!(aligned.pairs.iter().all(|pair| !matches!(pair, Pair::Both(a, b) if !alike(a, b))));
            if aligned.is_best {
                prop_assert_eq!(weight(&aligned.pairs), best(&a, &b));
            }
        }
    }
}
