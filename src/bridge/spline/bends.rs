//! The bend of the paths of an interval by the neighbouring intervals.

use ndarray::Array2;

use crate::bridge::Bend;

/// The mean partners of the cells of an interval, and its length.
#[derive(Debug)]
pub(super) struct Stretch<'a> {
    /// Mean partner of each source cell, n_source × d.
    pub(super) of_source: &'a Array2<f64>,
    /// Mean partner of each target cell, n_target × d.
    pub(super) of_target: &'a Array2<f64>,
    /// Length in real time.
    pub(super) length: f64,
}

/// The bend of an interval with the cells `x` and `y` by the interval before and the interval
/// after, where they exist.
///
/// Cell i arrives with the mean velocity `u = (x_i − E[x before])/h'` and, on a straight line,
/// leaves with `v = (E[x after] − x_i)/h`. Its path leaves with `v + (u − v) h'/(h + h')`: the
/// velocity of a longer interval is more certain and gets more weight. The bend is `a_i = h (u − v)
/// h'/(h + h')`, and `b_j` at the end is the same with the interval after. For equal intervals this
/// is half the change of velocity, as in a Catmull-Rom spline. Takes `O((n + m) d)` time.
pub(super) fn bend(
    x: &Array2<f64>,
    y: &Array2<f64>,
    here: &Stretch<'_>,
    before: Option<&Stretch<'_>>,
    after: Option<&Stretch<'_>>,
) -> Bend {
    let h = here.length;
    let source = before.map_or_else(
        || Array2::zeros(x.dim()),
        |before| {
            let arriving = (x - before.of_target) / before.length;
            let leaving = (here.of_source - x) / h;
            (arriving - leaving) * (h * before.length / (h + before.length))
        },
    );
    let target = after.map_or_else(
        || Array2::zeros(y.dim()),
        |after| {
            let arriving = (y - here.of_target) / h;
            let leaving = (after.of_source - y) / after.length;
            (leaving - arriving) * (h * after.length / (h + after.length))
        },
    );
    Bend { source, target }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    /// One cell on a parabola `t²/2`, seen at times −1, 0, 1, 2: its path between 0 and 1 leaves
    /// with velocity 0 and reaches with velocity 1, as the parabola does.
    #[test]
    fn a_parabola_at_equal_times_is_bent_as_a_parabola() {
        let at = |time: f64| array![[0.5 * time * time]];
        let (x, y) = (at(0.0), at(1.0));
        let stretch = |of_source, of_target| Stretch { of_source, of_target, length: 1.0 };
        let (first, last) = (at(-1.0), at(2.0));
        let before = stretch(&x, &first);
        let here = stretch(&y, &x);
        let after = stretch(&last, &y);
        let bent = bend(&x, &y, &here, Some(&before), Some(&after));
        // The straight line has velocity ½.
        assert!((bent.source[[0, 0]] + 0.5).abs() < 1e-15, "{bent:?}");
        assert!((bent.target[[0, 0]] - 0.5).abs() < 1e-15, "{bent:?}");
        let alone = bend(&x, &y, &here, None, None);
        assert!(alone.source[[0, 0]].abs() + alone.target[[0, 0]].abs() < 1e-15);
    }

    #[test]
    fn constant_velocity_bends_nothing_whatever_the_lengths() {
        let at = |time: f64| array![[3.0 * time, -time]];
        let (first, x, y, last) = (at(-0.5), at(0.0), at(2.0), at(9.0));
        let before = Stretch { of_source: &x, of_target: &first, length: 0.5 };
        let here = Stretch { of_source: &y, of_target: &x, length: 2.0 };
        let after = Stretch { of_source: &last, of_target: &y, length: 7.0 };
        let bent = bend(&x, &y, &here, Some(&before), Some(&after));
        assert!(bent.source.iter().chain(&bent.target).all(|value| value.abs() < 1e-14));
    }

    #[test]
    fn a_longer_interval_before_counts_more() {
        let (x, y) = (array![[0.0]], array![[0.0]]);
        let bent = |length: f64| {
            // Arrives with velocity 1 from whatever distance.
            let from = array![[-length]];
            let before = Stretch { of_source: &x, of_target: &from, length };
            let here = Stretch { of_source: &y, of_target: &x, length: 2.0 };
            bend(&x, &y, &here, Some(&before), None).source[[0, 0]]
        };
        assert!((bent(2.0) - 1.0).abs() < 1e-15);
        assert!((bent(0.5) - 0.4).abs() < 1e-15 && (bent(6.0) - 1.5).abs() < 1e-15);
    }
}
