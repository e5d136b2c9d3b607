//! The couplings of a whole course, along which masses of cells are carried forward and back.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis};

use crate::bridge::Link;
use crate::error::{Error, Result};

/// The couplings of a course: a chain with one for each interval, or couplings that go straight from
/// each time to the last one.
///
/// A time is addressed by its place k = 0, 1, … in the course. Along a chain, masses between distant
/// times are carried from coupling to coupling, as in a Markov chain. This assumes that the future of a
/// cell does not depend on its past, given its measured state; measurement noise at every time in
/// between blurs it (`docs/decisions/0031`). Straight couplings ([`Lineage::straight`]) depend on the
/// cells of two times only.
///
/// ```
/// use ndarray::array;
/// use sbcell::{Epsilon, bridge::Link, data::Snapshot, lineage::Lineage};
/// # fn main() -> sbcell::Result<()> {
/// let cells = Snapshot::new(array![[0.0], [4.0]])?;
/// let link = Link::entropic(&cells, &cells, Epsilon::new(0.1)?)?;
/// let lineage = Lineage::new(vec![0.0, 1.0], vec![link])?;
/// // The descendants of the first cell are near the first cell.
/// let descendants = lineage.descend(0, array![[1.0], [0.0]].view())?;
/// assert!(descendants[[0, 0]] > 0.99);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Lineage {
    times: Vec<f64>,
    links: Vec<Link>,
    /// Whether every coupling leads to the last time.
    is_straight: bool,
}

impl Lineage {
    /// The course of the couplings `links`: `links[k]` leads from the cells at `times[k]` to the cells
    /// at `times[k + 1]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not one coupling fewer than times, or if neighbouring couplings
    /// differ in the number of cells of the time between them; [`Error::Parameter`] if there is no
    /// coupling.
    pub fn new(times: Vec<f64>, links: Vec<Link>) -> Result<Self> {
        check_number(&times, &links)?;
        for pair in links.windows(2) {
            let (expected, got) = (pair[0].shape().1, pair[1].shape().0);
            if expected != got {
                return Err(Error::Shape { what: "a plan", unit: "source cells", expected, got });
            }
        }
        Ok(Self { times, links, is_straight: false })
    }

    /// The couplings `links` that go straight to the last time: `links[k]` leads from the cells at
    /// `times[k]` to the cells at the last of `times`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not one coupling fewer than times, or if they differ in the number
    /// of cells of the last time; [`Error::Parameter`] if there is no coupling.
    ///
    /// ```
    /// use ndarray::array;
    /// use sbcell::{Epsilon, bridge::Link, data::Snapshot, lineage::Lineage};
    /// # fn main() -> sbcell::Result<()> {
    /// let [a, b, c] = [array![[0.0]], array![[1.0], [2.0]], array![[3.0]]].map(Snapshot::new);
    /// let (a, b, c, epsilon) = (a?, b?, c?, Epsilon::new(0.1)?);
    /// let links = vec![Link::entropic(&a, &c, epsilon)?, Link::entropic(&b, &c, epsilon)?];
    /// let lineage = Lineage::straight(vec![0.0, 1.0, 2.0], links)?;
    /// assert_eq!((lineage.n_cells(1), lineage.end_of(0)), (2, 2));
    /// # Ok(())
    /// # }
    /// ```
    pub fn straight(times: Vec<f64>, links: Vec<Link>) -> Result<Self> {
        check_number(&times, &links)?;
        for link in &links[1..] {
            let (expected, got) = (links[0].shape().1, link.shape().1);
            if expected != got {
                return Err(Error::Shape { what: "a plan", unit: "target cells", expected, got });
            }
        }
        Ok(Self { times, links, is_straight: true })
    }

    /// Whether every coupling leads to the last time.
    pub fn is_straight(&self) -> bool {
        self.is_straight
    }

    /// Place of the time to which coupling `k` leads.
    pub fn end_of(&self, k: usize) -> usize {
        if self.is_straight { self.links.len() } else { k + 1 }
    }

    /// The couplings on the way from the time of place `from` to that of place `to`, in the order of
    /// time.
    ///
    /// # Errors
    /// [`Error::Parameter`] if couplings go straight to another time.
    pub fn route(&self, from: usize, to: usize) -> Result<Range<usize>> {
        if !self.is_straight || from == to {
            return Ok(from..to);
        }
        if from < to && to == self.links.len() {
            return Ok(from..from + 1);
        }
        let (name, must) = ("to", "the last time, to which the couplings go");
        Err(Error::Parameter { name, must, got: format!("the time of place {to}") })
    }

    /// The times of the snapshots, one more than couplings.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// The couplings, one for each interval or each time before the last.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Number of cells at the time of place `k`.
    pub fn n_cells(&self, k: usize) -> usize {
        self.links.get(k).map_or_else(|| self.links[k - 1].shape().1, |link| link.shape().0)
    }

    /// Place of the observed time `time`.
    ///
    /// # Errors
    /// [`Error::NotObserved`] if the course has no such time.
    pub fn place(&self, time: f64) -> Result<usize> {
        self.times.iter().position(|other| other.total_cmp(&time).is_eq()).ok_or_else(|| {
            let times = self.times.clone();
            Error::NotObserved { time, times }
        })
    }

    /// Descendants of source cells over coupling `k`: `n Σ_i T_ij u_i`, `(m, c)`, for c columns of
    /// numbers of cells `u` `(n, c)`. One source cell has `n Σ_j T_ij` descendants, which is one if
    /// growth is even.
    ///
    /// # Errors
    /// As [`Link::push`].
    pub fn descend(&self, k: usize, u: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        Ok(self.links[k].push(u)? * self.n_cells(k) as f64)
    }

    /// Ancestors of target cells over coupling `k`: `Σ_j (T_ij / Σ_i T_ij) v_j`, `(n, c)`, for c
    /// columns of mass `v` `(m, c)`. The total of a column is preserved, except for the mass of
    /// target cells to which no mass leads.
    ///
    /// # Errors
    /// As [`Link::pull`].
    pub fn ascend(&self, k: usize, v: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        let mut shares = v.to_owned();
        let arrived = self.links[k].marginals().1;
        for (mut row, &mass) in shares.rows_mut().into_iter().zip(arrived) {
            row *= if mass > 0.0 { 1.0 / mass } else { 0.0 };
        }
        self.links[k].pull(shares.view())
    }

    /// Sum of values over the descendants of each source cell over coupling `k`: `n Σ_j T_ij v_j`,
    /// `(n, c)`, for values `v` `(m, c)` of the target cells. A value can be the number of a target
    /// cell's own descendants of some kind at a later time.
    ///
    /// # Errors
    /// As [`Link::pull`].
    pub fn expect(&self, k: usize, v: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        Ok(self.links[k].pull(v)? * self.n_cells(k) as f64)
    }

    /// Number of descendants of each source cell over coupling `k`, relative to the mean cell, `n`.
    pub fn growth(&self, k: usize) -> ndarray::Array1<f64> {
        let own = self.links[k].marginals().0;
        &own * (own.len() as f64 / own.sum())
    }
}

/// Refuses other than one coupling fewer than times.
fn check_number(times: &[f64], links: &[Link]) -> Result<()> {
    if links.is_empty() {
        let (name, must) = ("plans", "at least one");
        return Err(Error::Parameter { name, must, got: "none".into() });
    }
    let (expected, got) = (links.len() + 1, times.len());
    if expected != got {
        return Err(Error::Shape { what: "a lineage", unit: "times", expected, got });
    }
    Ok(())
}

/// Columns scaled to a sum of one; a column of zeros stays.
pub(super) fn normalised(mut columns: Array2<f64>) -> Array2<f64> {
    for mut column in columns.axis_iter_mut(Axis(1)) {
        let total = column.sum();
        if total > 0.0 {
            column /= total;
        }
    }
    columns
}

#[cfg(test)]
pub(super) mod tests {
    use ndarray::array;

    use super::*;
    use crate::bridge::Coupling;

    /// Two, three, two cells; masses with growth in the first interval.
    pub(in crate::lineage) fn example() -> Lineage {
        let first = [(0, 0, 0.4), (0, 1, 0.2), (1, 1, 0.1), (1, 2, 0.3)];
        let second = [(0, 0, 0.25), (1, 0, 0.25), (1, 1, 0.1), (2, 1, 0.4)];
        let link = |shape: (usize, usize), pairs: [_; 4]| {
            Link::pairs(Coupling::new(shape.0, shape.1, pairs).unwrap()).unwrap()
        };
        Lineage::new(vec![0.0, 1.0, 3.0], vec![link((2, 3), first), link((3, 2), second)]).unwrap()
    }

    /// As [`example`] with every cell `copies` times, its mass shared among them.
    pub(in crate::lineage) fn example_of(copies: usize) -> Lineage {
        let first = [(0, 0, 0.4), (0, 1, 0.2), (1, 1, 0.1), (1, 2, 0.3)];
        let second = [(0, 0, 0.25), (1, 0, 0.25), (1, 1, 0.1), (2, 1, 0.4)];
        let link = |(n, m): (usize, usize), pairs: [(usize, usize, f64); 4]| {
            let share = (copies * copies) as f64;
            let pairs = pairs.into_iter().flat_map(|(i, j, mass)| {
                (0..copies * copies)
                    .map(move |c| (i * copies + c / copies, j * copies + c % copies, mass / share))
            });
            let mut all: Vec<(usize, usize, f64)> = pairs.collect();
            all.sort_by_key(|pair| (pair.0, pair.1));
            Link::pairs(Coupling::new(n * copies, m * copies, all).unwrap()).unwrap()
        };
        Lineage::new(vec![0.0, 1.0, 3.0], vec![link((2, 3), first), link((3, 2), second)]).unwrap()
    }

    fn close(a: &Array2<f64>, b: &Array2<f64>) {
        assert!((a - b).iter().all(|off| off.abs() < 1e-12), "{a} {b}");
    }

    #[test]
    fn mass_goes_forward_with_growth_and_back_without_loss() {
        let lineage = example();
        // Cell 0 has 0.6 of the mass, so 1.2 descendants; cell 1 has 0.8.
        close(
            &lineage.descend(0, array![[1.0], [0.0]].view()).unwrap(),
            &array![[0.8], [0.4], [0.0]],
        );
        assert!((lineage.growth(0) - array![1.2, 0.8]).iter().all(|off| off.abs() < 1e-12));
        let back = lineage.ascend(0, array![[0.0], [1.0], [0.0]].view()).unwrap();
        close(&back, &array![[2.0 / 3.0], [1.0 / 3.0]]);
        // What is expected of a cell is what its descendants carry.
        let values = array![[1.0], [10.0], [100.0]];
        let expected = lineage.expect(0, values.view()).unwrap();
        close(&expected, &array![[0.8 + 4.0], [2.0 + 60.0]]);
        assert_eq!([0, 1, 2].map(|k| lineage.n_cells(k)), [2, 3, 2]);
    }

    /// Couplings of two and three cells straight to the two cells of the last time.
    pub(in crate::lineage) fn example_straight() -> Lineage {
        let [first, second] = [
            vec![(0, 0, 0.4), (0, 1, 0.1), (1, 1, 0.5)],
            vec![(0, 0, 0.25), (1, 0, 0.25), (1, 1, 0.1), (2, 1, 0.4)],
        ];
        let link = |n: usize, pairs: Vec<_>| Link::pairs(Coupling::new(n, 2, pairs).unwrap());
        Lineage::straight(
            vec![0.0, 1.0, 3.0],
            vec![link(2, first).unwrap(), link(3, second).unwrap()],
        )
        .unwrap()
    }

    #[test]
    fn straight_couplings_lead_to_the_last_time() {
        let lineage = example_straight();
        assert_eq!([0, 1, 2].map(|k| lineage.n_cells(k)), [2, 3, 2]);
        assert_eq!([0, 1].map(|k| lineage.end_of(k)), [2, 2]);
        assert_eq!((lineage.route(0, 2).unwrap(), lineage.route(1, 2).unwrap()), (0..1, 1..2));
        assert!(lineage.route(0, 1).is_err());
        assert_eq!(example().route(0, 2).unwrap(), 0..2);
        // The second early cell goes to the second late one alone.
        let found = lineage.descend(0, array![[0.0], [1.0]].view()).unwrap();
        close(&found, &array![[0.0], [1.0]]);
        let links = example().links().to_vec();
        assert!(Lineage::straight(vec![0.0, 1.0, 3.0], links).is_err());
    }

    #[test]
    fn plans_must_fit_together_and_times_must_be_observed() {
        let lineage = example();
        assert_eq!(lineage.place(3.0).unwrap(), 2);
        assert!(lineage.place(2.0).unwrap_err().to_string().contains("0, 1, 3"));
        let links = lineage.links().to_vec();
        assert!(Lineage::new(vec![0.0, 1.0], links.clone()).is_err());
        let turned = vec![links[1].clone(), links[1].clone()];
        assert!(Lineage::new(vec![0.0, 1.0, 2.0], turned).is_err());
        assert!(Lineage::new(vec![0.0], Vec::new()).is_err());
    }
}
