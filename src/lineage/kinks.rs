//! Kinks: the change of the population's direction between the intervals before and after a snapshot.

use ndarray::{Array1, Array2, ArrayView1, Axis};

use crate::data::Snapshot;
use crate::error::Result;
use crate::lineage::Lineage;

/// Change of direction at an inner snapshot. See [`kinks()`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Kink {
    /// Place of the snapshot in the course.
    pub place: usize,
    /// Cosine between the mean incoming velocity and the mean outgoing velocity: 1 if the population
    /// moves straight on, −1 if it turns back.
    pub mean_cosine: f64,
    /// Mean outgoing speed divided by mean incoming speed.
    pub speed_ratio: f64,
    /// Cosine between the incoming and the outgoing velocity of each cell, `n_cells`; NaN for a cell
    /// without ancestors or descendants.
    pub cosines: Array1<f64>,
}

/// Computes the kinks at all inner snapshots. `snapshots` are those of all times of the course.
///
/// The incoming velocity of cell j is `(y_j − mean of its ancestors) / Δt` over the interval before,
/// the outgoing velocity `(mean of its descendants − y_j) / Δt` over the interval after. Entropic
/// couplings pull ancestors and descendants of every cell towards the mean, so that single cells turn
/// back even where the population moves straight on. Interpret the mean; compare single cells only
/// with each other.
///
/// # Errors
/// [`crate::Error::Shape`] if the snapshots are not those of the couplings.
///
/// ```
/// use ndarray::array;
/// use sbcell::{Epsilon, bridge::Link, data::Snapshot};
/// use sbcell::lineage::{Lineage, kinks};
/// # fn main() -> sbcell::Result<()> {
/// // One cell that moves up and turns back at the middle time.
/// let cell = |x: f64| Snapshot::new(array![[x]]);
/// let snapshots = [cell(0.0)?, cell(1.0)?, cell(0.5)?];
/// let epsilon = Epsilon::new(0.1)?;
/// let links = vec![
///     Link::entropic(&snapshots[0], &snapshots[1], epsilon)?,
///     Link::entropic(&snapshots[1], &snapshots[2], epsilon)?,
/// ];
/// let found = kinks(&Lineage::new(vec![0.0, 1.0, 2.0], links)?, &snapshots)?;
/// assert!(found[0].mean_cosine < -0.99);
/// assert!((found[0].speed_ratio - 0.5).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
pub fn kinks(lineage: &Lineage, snapshots: &[Snapshot]) -> Result<Vec<Kink>> {
    let times = lineage.times();
    let mut found = Vec::new();
    for place in 1..lineage.links().len() {
        let (before, after) = (&lineage.links()[place - 1], &lineage.links()[place]);
        let own = snapshots[place].points();
        let ancestors = means(before.push(snapshots[place - 1].points())?, before.marginals().1);
        let descendants = means(after.pull(snapshots[place + 1].points())?, after.marginals().0);
        let come = (&own - &ancestors) / (times[place] - times[place - 1]);
        let go = (&descendants - &own) / (times[place + 1] - times[place]);
        let centre = |velocity: &Array2<f64>, masses: ArrayView1<'_, f64>| {
            masses.dot(velocity) / masses.sum()
        };
        let (arrive, leave) =
            (centre(&come, before.marginals().1), centre(&go, after.marginals().0));
        let cosines = come.rows().into_iter().zip(go.rows()).map(|(a, b)| cosine(a, b)).collect();
        found.push(Kink {
            place,
            mean_cosine: cosine(arrive.view(), leave.view()),
            speed_ratio: (leave.dot(&leave) / arrive.dot(&arrive)).sqrt(),
            cosines,
        });
    }
    Ok(found)
}

/// Sums over partners divided by the mass of each cell; NaN for a cell without mass.
fn means(mut sums: Array2<f64>, masses: ArrayView1<'_, f64>) -> Array2<f64> {
    sums /= &masses.insert_axis(Axis(1));
    sums
}

/// Cosine of the angle between two vectors; NaN if one is zero.
fn cosine(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    a.dot(&b) / (a.dot(&a) * b.dot(&b)).sqrt()
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::bridge::{Coupling, Link};

    fn kink_of(last: [f64; 2]) -> Kink {
        let at = |shift: [f64; 2]| {
            let points = Array2::from_shape_fn((3, 2), |(i, d)| shift[d] + (i + d) as f64 * 0.1);
            Snapshot::new(points).unwrap()
        };
        let snapshots = [at([0.0, 0.0]), at([1.0, 0.0]), at(last)];
        let link = || {
            Link::pairs(Coupling::new(3, 3, (0..3).map(|i| (i, i, 1.0 / 3.0))).unwrap()).unwrap()
        };
        let lineage = Lineage::new(vec![0.0, 1.0, 3.0], vec![link(), link()]).unwrap();
        kinks(&lineage, &snapshots).unwrap().remove(0)
    }

    #[test]
    fn straight_on_is_one_a_right_angle_none_and_speed_heeds_the_length_of_intervals() {
        let straight = kink_of([5.0, 0.0]);
        assert!((straight.mean_cosine - 1.0).abs() < 1e-12);
        // One in one unit of time, then four in two.
        assert!((straight.speed_ratio - 2.0).abs() < 1e-12);
        assert!(straight.cosines.iter().all(|cosine| (cosine - 1.0).abs() < 1e-12));
        assert!(kink_of([1.0, 3.0]).mean_cosine.abs() < 1e-12);
        assert!((kink_of([-1.0, 0.0]).mean_cosine + 1.0).abs() < 1e-12);
        assert_eq!(kink_of([1.0, 3.0]).place, 1);
    }
}
