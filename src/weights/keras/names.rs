//! Canonical parameter names out of all that Keras has called them.

use crate::weights::order;

/// What files call a parameter, and its canonical name.
const KNOWN: [(&str, &str); 13] = [
    ("kernel", "kernel"),
    ("bias", "bias"),
    ("gamma", "gamma"),
    ("beta", "beta"),
    ("moving_mean", "moving_mean"),
    ("moving_variance", "moving_variance"),
    ("running_mean", "moving_mean"),
    ("running_std", "moving_variance"),
    ("running_variance", "moving_variance"),
    ("depthwise_kernel", "depthwise_kernel"),
    ("pointwise_kernel", "pointwise_kernel"),
    ("W", "kernel"),
    ("b", "bias"),
];

/// `iter` of `Adam/iter:0`.
pub(super) fn last(stored: &str) -> &str {
    let last = stored.rsplit('/').next().unwrap_or(stored);
    last.split(':').next().unwrap_or(last)
}

/// `kernel` out of `block1_conv1_W_1:0`, `sequential/dense/kernel`, `bn/running_std:0`; `None` when unknown.
pub(super) fn parameter(weight_name: &str) -> Option<&'static str> {
    let last = last(weight_name);
    // Keras 1 appended the parameter to the layer's name, and a counter where a name was used twice: `_W_1`.
    let trimmed = match last.rsplit_once('_') {
        Some((front, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => front,
        _ => last,
    };
    let exact = KNOWN.iter().find(|(stored, _)| last == *stored || trimmed == *stored);
    let ends = |stored: &str| trimmed.strip_suffix(stored).is_some_and(|front| front.ends_with('_'));
    exact.or_else(|| KNOWN.iter().rev().find(|(stored, _)| ends(stored))).map(|(_, canonical)| *canonical)
}

/// Names for a layer whose file gives only numbers, from its class and how many arrays it has.
/// Keras' order: trainable first, so (gamma, beta, moving mean, moving variance); `scale=False` drops gamma.
pub(super) fn by_position(class: &str, count: usize) -> Vec<String> {
    let names: &[&str] = match (class.trim_end_matches(|c: char| c == '_' || c.is_ascii_digit()), count) {
        ("batch_normalization", 4) => &["gamma", "beta", "moving_mean", "moving_variance"],
        ("batch_normalization", 3) => &["beta", "moving_mean", "moving_variance"],
        ("batch_normalization", 2) => &["moving_mean", "moving_variance"],
        ("layer_normalization", 2) => &["gamma", "beta"],
        (_, 1 | 2) => &["kernel", "bias"],
        _ => &[],
    };
    (0..count).map(|i| names.get(i).map_or_else(|| format!("var_{i}"), |name| (*name).to_string())).collect()
}

/// The parameters of one layer in Keras' order, whatever the order in the file.
pub(super) fn sort_parameters<T>(parameters: &mut [(String, T)]) {
    parameters.sort_by_key(|(name, _)| order::rank(name));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_generations_of_names() {
        for (stored, canonical) in [
            ("block1_conv1_W_1:0", "kernel"),
            ("block1_conv1_b_1:0", "bias"),
            ("block1_conv1/kernel:0", "kernel"),
            ("sequential/dense_1/bias", "bias"),
            ("bn_running_std:0", "moving_variance"),
            ("bn/moving_mean:0", "moving_mean"),
            ("bn_gamma_1:0", "gamma"),
            ("sep/depthwise_kernel:0", "depthwise_kernel"),
            ("dense_1_W", "kernel"),
        ] {
            assert_eq!(parameter(stored), Some(canonical), "{stored}");
        }
        assert_eq!(parameter("embedding/table:0"), None);
        assert_eq!(parameter(""), None);
    }

    #[test]
    fn batch_normalisation_without_scale_has_three() {
        assert_eq!(by_position("batch_normalization_12", 3), ["beta", "moving_mean", "moving_variance"]);
        assert_eq!(by_position("conv2d", 1), ["kernel"]);
        assert_eq!(by_position("einsum", 3), ["var_0", "var_1", "var_2"]);
    }
}
