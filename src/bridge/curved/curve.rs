//! The curve of an interval: the distance of a smooth course from the straight line.

use ndarray::{Array1, ArrayView1};

use crate::error::{Result, shape};

/// The displacement `c(t) = t(1−t)² a − t²(1−t) b` of an interval's population from the straight
/// line between the means of its snapshots. It is zero at both ends, with the derivatives a and b
/// there.
///
/// ```
/// use ndarray::array;
/// use sbcell::bridge::Curve;
///
/// # fn main() -> sbcell::Result<()> {
/// // The means turn from right to up: the curve of the first interval bulges outwards.
/// let means = [array![0.0, 0.0], array![1.0, 0.0], array![1.0, 1.0]];
/// let curves = Curve::through(&means)?;
/// assert!(curves[0].at(0.5)[1] < 0.0 && curves[1].at(0.5)[0] > 0.0);
/// assert!(curves[0].at(1.0).iter().all(|value| value.abs() < 1e-12));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Derivative at the start, per unit of local time, d numbers.
    leave: Array1<f64>,
    /// Derivative at the end.
    arrive: Array1<f64>,
}

/// Smallest length of a chord, relative to the longest, in the choice of tangents.
const SHORTEST: f64 = 1e-9;

impl Curve {
    /// A curve with these derivatives at its ends.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if they differ in dimension.
    pub fn new(leave: Array1<f64>, arrive: Array1<f64>) -> Result<Self> {
        shape::same("the curve of a course", "dimensions", leave.len(), arrive.len())?;
        Ok(Self { leave, arrive })
    }

    /// The curves of all intervals between `means`, one less than means: the centripetal
    /// Catmull-Rom spline through them.
    ///
    /// The parameter of the spline advances by the root of the distance between two means, so that
    /// short intervals beside long ones get no loops. At inner means the tangent is that of the
    /// parabola through three means; at the first and the last it is the chord. Source: Catmull and
    /// Rom 1974; Yuksel, Schaefer and Keyser 2011 (centripetal).
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the means differ in dimension.
    pub fn through(means: &[Array1<f64>]) -> Result<Vec<Self>> {
        for mean in means {
            shape::same("the means of a course", "dimensions", means[0].len(), mean.len())?;
        }
        let chords: Vec<Array1<f64>> = means.windows(2).map(|pair| &pair[1] - &pair[0]).collect();
        let lengths: Vec<f64> = chords.iter().map(|chord| chord.dot(chord).sqrt()).collect();
        let longest = lengths.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let knots: Vec<f64> = lengths.iter().map(|l| l.max(SHORTEST * longest).sqrt()).collect();
        let slope = |k: usize| &chords[k] / knots[k];
        let last = chords.len();
        let tangent = |k: usize| match k {
            0 => slope(0),
            k if k == last => slope(last - 1),
            k => {
                let (before, after) = (knots[k - 1], knots[k]);
                (slope(k - 1) * after + slope(k) * before) / (before + after)
            }
        };
        let curve = |k: usize| {
            let beside = |k_mean: usize| (tangent(k_mean) - slope(k)) * knots[k];
            Self { leave: beside(k), arrive: beside(k + 1) }
        };
        Ok((0..last).map(curve).collect())
    }

    /// Number of dimensions.
    pub fn dim(&self) -> usize {
        self.leave.len()
    }

    /// The derivatives at the start and at the end, per unit of local time.
    pub fn ends(&self) -> [ArrayView1<'_, f64>; 2] {
        [self.leave.view(), self.arrive.view()]
    }

    /// Whether the displacement is zero at all times.
    pub fn is_straight(&self) -> bool {
        self.leave.iter().chain(&self.arrive).all(|value| value.abs() < f64::MIN_POSITIVE)
    }

    /// The displacement c at local time `t`.
    pub fn at(&self, t: f64) -> Array1<f64> {
        let left = 1.0 - t;
        &self.leave * (t * left * left) - &self.arrive * (t * t * left)
    }

    /// The derivative of the displacement, per unit of local time.
    pub fn speed(&self, t: f64) -> Array1<f64> {
        &self.leave * ((1.0 - t) * (1.0 - 3.0 * t)) + &self.arrive * (t * (3.0 * t - 2.0))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn close(a: &Array1<f64>, b: &Array1<f64>) -> bool {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9)
    }

    /// A point of the spline by the pyramid of Barry and Goldman (1988), an independent
    /// construction.
    fn pyramid(points: &[Array1<f64>; 4], share: f64) -> Array1<f64> {
        let length = |a: &Array1<f64>, b: &Array1<f64>| (b - a).dot(&(b - a)).sqrt().sqrt();
        let mut knots = [0.0; 4];
        for k in 1..4 {
            knots[k] = knots[k - 1] + length(&points[k - 1], &points[k]);
        }
        let t = knots[1] + share * (knots[2] - knots[1]);
        let mix = |a: &Array1<f64>, b: &Array1<f64>, from: f64, to: f64| {
            a * ((to - t) / (to - from)) + b * ((t - from) / (to - from))
        };
        let a: Vec<_> =
            (0..3).map(|k| mix(&points[k], &points[k + 1], knots[k], knots[k + 1])).collect();
        let b: Vec<_> = (0..2).map(|k| mix(&a[k], &a[k + 1], knots[k], knots[k + 2])).collect();
        mix(&b[0], &b[1], knots[1], knots[2])
    }

    #[test]
    fn inner_intervals_are_the_centripetal_spline_of_barry_and_goldman() {
        let points = [array![0.0, 0.0], array![1.0, 0.5], array![1.5, 3.0], array![-1.0, 4.0]];
        let curve = &Curve::through(&points).unwrap()[1];
        for share in [0.1, 0.35, 0.5, 0.8] {
            let line = &points[1] * (1.0 - share) + &points[2] * share;
            let found = line + curve.at(share);
            assert!(close(&found, &pyramid(&points, share)), "{share}: {found}");
        }
    }

    #[test]
    fn neighbouring_intervals_have_one_direction_and_the_ends_are_chords() {
        let means = [array![0.0, 0.0], array![1.0, 0.0], array![1.0, 4.0], array![2.0, 4.0]];
        let curves = Curve::through(&means).unwrap();
        for k in 0..2 {
            let before = &means[k + 1] - &means[k] + curves[k].speed(1.0);
            let after = &means[k + 2] - &means[k + 1] + curves[k + 1].speed(0.0);
            let cosine = before.dot(&after) / (before.dot(&before) * after.dot(&after)).sqrt();
            assert!((cosine - 1.0).abs() < 1e-9, "{cosine}");
        }
        assert!(close(&curves[0].speed(0.0), &array![0.0, 0.0]));
        assert!(close(&curves[2].speed(1.0), &array![0.0, 0.0]));
        // The speed is the derivative of the displacement.
        let h = 1e-6;
        let slope = (curves[1].at(0.3 + h) - curves[1].at(0.3 - h)) / (2.0 * h);
        assert!((slope - curves[1].speed(0.3)).iter().all(|error| error.abs() < 1e-8));
    }

    #[test]
    fn straight_courses_single_intervals_and_equal_means_have_no_curve() {
        let line = [array![0.0, 0.0], array![1.0, 2.0], array![2.0, 4.0]];
        assert!(
            Curve::through(&line)
                .unwrap()
                .iter()
                .all(|curve| { curve.at(0.5).iter().all(|value| value.abs() < 1e-12) })
        );
        let single = Curve::through(&[array![0.0], array![3.0]]).unwrap();
        assert!(single.len() == 1 && single[0].is_straight());
        let still = [array![1.0], array![1.0], array![1.0]];
        let still = Curve::through(&still).unwrap();
        assert!(still.iter().all(|curve| curve.at(0.5)[0].abs() < 1e-12));
        assert!(Curve::through(&[array![0.0], array![0.0, 1.0]]).is_err());
    }
}
