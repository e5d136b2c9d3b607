//! The dip statistic: the distance of a sample from the nearest distribution with a single mode.

/// The dip statistic of the sorted values: the least distance `sup |F_n − F|` between their
/// distribution function and that of a distribution F with one mode. It is between `1 / (2n)` and ¼.
///
/// The nearest F is convex before its modal interval and concave after it. Starting from the whole
/// range, the interval shrinks to where the greatest convex minorant and the least concave majorant
/// of `F_n` are furthest apart, as long as this distance exceeds those outside. Time about `O(n)` for
/// each of a few rounds.
///
/// Source: Hartigan and Hartigan 1985.
pub(super) fn dip(sorted: &[f64]) -> f64 {
    let n = sorted.len();
    let lowest = 0.5 / n.max(1) as f64;
    if n < 4 || sorted[n - 1] <= sorted[0] {
        return lowest;
    }
    let (mut lo, mut hi, mut most) = (0, n - 1, 1.0_f64);
    loop {
        let minorant = hull(sorted, lo, hi, 1.0);
        let majorant = hull(sorted, lo, hi, -1.0);
        // Counts of the majorant are one higher, since F_n jumps at each value.
        let from_above = |&i: &usize| i as f64 + 1.0 - height(sorted, &minorant, i);
        let from_below = |&i: &usize| height(sorted, &majorant, i) + 1.0 - i as f64;
        let (above, at_above) = furthest(&majorant, from_above);
        let (below, at_below) = furthest(&minorant, from_below);
        if above.max(below) <= most {
            break;
        }
        let (left, right) = if below >= above {
            let right = majorant.iter().copied().find(|&i| i >= at_below).unwrap_or(hi);
            (at_below, right)
        } else {
            let left = minorant.iter().copied().rev().find(|&i| i <= at_above).unwrap_or(lo);
            (left, at_above)
        };
        let before = (lo..=left).map(|i| i as f64 + 1.0 - height(sorted, &minorant, i));
        let after = (right..=hi).map(|i| height(sorted, &majorant, i) + 1.0 - i as f64);
        most = before.chain(after).fold(most, f64::max);
        if (left, right) == (lo, hi) || above.max(below) <= most {
            break;
        }
        (lo, hi) = (left, right);
    }
    most * lowest
}

/// Indices of the corners of the hull of the points `(sorted[i], i)` for i from `lo` to `hi`: the
/// greatest convex minorant for `sign = 1`, the least concave majorant for `sign = −1`.
fn hull(sorted: &[f64], lo: usize, hi: usize, sign: f64) -> Vec<usize> {
    let mut corners: Vec<usize> = Vec::new();
    for i in lo..=hi {
        while let [.., first, second] = corners[..] {
            let before = (second - first) as f64 * (sorted[i] - sorted[second]);
            let after = (i - second) as f64 * (sorted[second] - sorted[first]);
            if sign * (after - before) < 0.0 {
                corners.pop();
            } else {
                break;
            }
        }
        corners.push(i);
    }
    corners
}

/// The count at value `i` of the hull with `corners`.
fn height(sorted: &[f64], corners: &[usize], i: usize) -> f64 {
    let after = corners.partition_point(|&corner| corner <= i);
    if after == 0 || after == corners.len() {
        return corners.get(after.saturating_sub(1)).map_or(0.0, |&corner| corner as f64);
    }
    let (a, b) = (corners[after - 1], corners[after]);
    let width = sorted[b] - sorted[a];
    let share = if width > 0.0 { (sorted[i] - sorted[a]) / width } else { 0.0 };
    a as f64 + share * (b - a) as f64
}

/// The largest distance over `corners`, and the corner where it is.
fn furthest(corners: &[usize], distance: impl Fn(&usize) -> f64) -> (f64, usize) {
    let better = |best: (f64, usize), &i: &usize| {
        let own = distance(&i);
        if own > best.0 { (own, i) } else { best }
    };
    corners.iter().fold((f64::NEG_INFINITY, corners.first().copied().unwrap_or(0)), better)
}

/// Upper tail of `√n · dip` for n values with an even distribution, which has the largest dip of all
/// with one mode: probabilities and the values that exceed them. From 20 000 samples of 400 values.
const TAIL: [(f64, f64); 10] = [
    (0.9, 0.2836),
    (0.5, 0.3672),
    (0.2, 0.4421),
    (0.1, 0.4875),
    (0.05, 0.5298),
    (0.02, 0.5776),
    (0.01, 0.6120),
    (0.005, 0.6478),
    (0.002, 0.6889),
    (0.001, 0.7141),
];

/// The probability of at least this `√n · dip` for an even distribution; 1 below and 0.001 above the
/// range of the table. For other distributions with one mode it is smaller.
pub(super) fn tail(scaled_dip: f64) -> f64 {
    let after = TAIL.partition_point(|&(_, value)| value <= scaled_dip);
    match (after.checked_sub(1).map(|k| TAIL[k]), TAIL.get(after)) {
        (None, _) => 1.0,
        (Some((p, _)), None) => p,
        (Some((p, value)), Some(&(next_p, next))) => {
            let share = (scaled_dip - value) / (next - value);
            (p.ln() + share * (next_p / p).ln()).exp()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        dip(&sorted)
    }

    #[test]
    fn even_values_have_the_smallest_dip_and_two_points_the_largest() {
        let even: Vec<f64> = (0..50).map(f64::from).collect();
        assert!((of(&even) - 0.01).abs() < 1e-12);
        let two: Vec<f64> =
            (0..400).map(|i| f64::from(i % 2) * 100.0 + f64::from(i) * 1e-6).collect();
        assert!((of(&two) - 0.25).abs() < 0.005, "{}", of(&two));
        assert!((of(&[1.0; 20]) - 0.025).abs() < 1e-12);
    }

    #[test]
    fn dips_are_those_of_another_implementation() {
        // Of `diptest` 0.12 for Python, for (i·a mod b) / b + c for every third i < n.
        let cases = [
            ((9, 7, 11, 0.0), 0.083_333_333_333_333_33),
            ((40, 17, 41, 0.0), 0.023_529_411_764_705_85),
            ((40, 17, 41, 1.5), 0.072_965_116_279_069_75),
            ((101, 29, 103, 0.8), 0.014_014_781_759_866_137),
            ((60, 13, 7, 1.0), 0.050_000_000_000_000_02),
            ((120, 31, 127, 0.4), 0.012_583_333_333_333_39),
        ];
        for ((n, a, b, c), expected) in cases {
            let value = |i: u32| {
                let more = if i.is_multiple_of(3) { c } else { 0.0 };
                f64::from((i * a) % b) / f64::from(b) + more
            };
            let found = of(&(0..n).map(value).collect::<Vec<_>>());
            assert!((found - expected).abs() < 1e-9, "{n} {a} {b} {c}: {found} {expected}");
        }
    }

    #[test]
    fn the_tail_falls_and_meets_the_table() {
        let values: Vec<f64> = (0..90).map(|k| tail(f64::from(k) * 0.01)).collect();
        assert!(values.windows(2).all(|pair| pair[1] <= pair[0]));
        assert!((tail(0.5298) - 0.05).abs() < 1e-12);
        assert!((tail(0.1) - 1.0).abs() < 1e-12 && (tail(2.0) - 0.001).abs() < 1e-12);
    }
}
