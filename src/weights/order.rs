//! Topological order for files that do not say theirs.

use std::cmp::Ordering;

use super::Entry;

/// Keras' order within a layer. Unknown parameters come last, in natural order.
const PARAMETERS: [&str; 6] = ["kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"];

/// Where `parameter` stands in its layer.
pub(super) fn rank(parameter: &str) -> usize {
    PARAMETERS.iter().position(|p| *p == parameter).unwrap_or(PARAMETERS.len())
}

/// Layers in natural order, which is topological for Keras' own names (`block2_conv1`, `dense_10`).
/// A file that states its order does not come here.
pub(super) fn by_name(a: &Entry, b: &Entry) -> Ordering {
    natural(a.layer(), b.layer())
        .then_with(|| rank(a.parameter()).cmp(&rank(b.parameter())))
        .then_with(|| natural(&a.name, &b.name))
}

/// Compares runs of digits as numbers: `conv2d_2` before `conv2d_10`, and `conv2d` before both.
pub(super) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    loop {
        match (left.first(), right.first()) {
            (Some(l), Some(r)) if l.is_ascii_digit() && r.is_ascii_digit() => {
                let (x, rest_l) = digits(left);
                let (y, rest_r) = digits(right);
                // Without leading zeros the longer run is the larger number, however long it is.
                match x.len().cmp(&y.len()).then_with(|| x.cmp(y)) {
                    Ordering::Equal => (left, right) = (rest_l, rest_r),
                    other => return other,
                }
            }
            (Some(l), Some(r)) if l == r => (left, right) = (&left[1..], &right[1..]),
            (l, r) => return l.cmp(&r).then_with(|| a.cmp(b)),
        }
        if left.is_empty() && right.is_empty() {
            return a.cmp(b);
        }
    }
}

/// The run of digits at the start of `text` without leading zeros, and what follows it.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let zeros = text[..end].iter().take_while(|b| **b == b'0').count();
    (&text[zeros..end], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_as_people_do() {
        let mut names = ["conv2d_10", "conv2d_2", "conv2d", "block1_conv1", "conv2d_1", "dense"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["block1_conv1", "conv2d", "conv2d_1", "conv2d_2", "conv2d_10", "dense"]);
    }

    #[test]
    fn is_a_total_order_with_leading_zeros_and_huge_numbers() {
        assert_eq!(natural("a01", "a1"), Ordering::Less);
        assert_eq!(natural("a1", "a01"), Ordering::Greater);
        assert_eq!(natural("a99999999999999999999999", "a100000000000000000000000"), Ordering::Less);
        assert_eq!(natural("", ""), Ordering::Equal);
    }
}
