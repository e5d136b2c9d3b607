//! The coupling between the observed cells of two snapshots: products, draws and summaries.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Zip};
use rand_distr::{Distribution, StandardUniform};

use crate::bridge::rescale::{Ratios, Wanted, rescale};
use crate::bridge::{AllPairs, BridgeProblem, Coupling, SingleRatios, SinkhornSolver};
use crate::data::Snapshot;
use crate::error::{Error, Result, shape};
use crate::geometry::Epsilon;
use crate::linalg::exact_plan;
use crate::progress::{Event, Progress, Silent, report};
use crate::rng::{Seed, weighted_index};

/// Marginal error of the entropic couplings that are computed here.
const TOLERANCE: f64 = 1e-6;

/// Largest number of pairs for which drawn ends are assigned by exact transport. Above it the
/// assignment is an entropic coupling.
const MOST_EXACT: usize = 4_000_000;

/// ε of that entropic coupling, as a fraction of the mean cost.
const SHARP: f64 = 0.01;

/// A coupling `T` between the cells of two snapshots. `T_ij` is the mass that moves from source
/// cell i to target cell j.
///
/// The masses sum to one, or to the mass of an unbalanced coupling. The coupling is stored in one
/// of two forms: as potentials, from which each pass computes all n × m masses again, or as a list
/// of pairs. Both have the same methods.
///
/// ```
/// use ndarray::array;
/// use sbcell::Epsilon;
/// use sbcell::bridge::Link;
/// use sbcell::data::Snapshot;
///
/// # fn main() -> sbcell::Result<()> {
/// let source = Snapshot::new(array![[0.0], [10.0]])?;
/// let target = Snapshot::new(array![[1.0], [11.0]])?;
/// let link = Link::entropic(&source, &target, Epsilon::new(0.1)?)?;
/// // Each cell moves to its neighbour and carries half of the mass.
/// let ends = link.pull(target.points())?;
/// assert!((ends[[0, 0]] - 0.5).abs() < 1e-4);
/// assert!((link.effective_partners()[0] - 1.0).abs() < 1e-4);
/// assert!((link.information() - 2.0_f64.ln()).abs() < 1e-4);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The masses.
    pairs: Pairs,
    /// Mass that leaves each source cell.
    source: Array1<f64>,
    /// Mass that arrives at each target cell.
    target: Array1<f64>,
}

/// How the masses are stored.
#[derive(Debug, Clone, PartialEq)]
enum Pairs {
    /// As potentials.
    All(AllPairs),
    /// As pairs.
    Few(Coupling),
}

impl Link {
    /// From an entropic coupling. Takes two passes over all pairs.
    ///
    /// # Errors
    /// [`Error::Numerical`] if the coupling has no mass or its masses are not finite;
    /// [`Error::Cancelled`].
    pub(in crate::bridge) fn all(plan: AllPairs, progress: &mut dyn Progress) -> Result<Self> {
        let (n, m) = plan.shape();
        let what = "masses of the cells".to_string();
        report(progress, Event::Begin { what, total: 2 })?;
        let source = plan.times(Array2::ones((m, 1)).view()).column(0).to_owned();
        report(progress, Event::Step { done: 1 })?;
        let target = plan.transposed_times(Array2::ones((n, 1)).view()).column(0).to_owned();
        report(progress, Event::End)?;
        Self::new(Pairs::All(plan), source, target)
    }

    /// From pairs.
    ///
    /// # Errors
    /// [`Error::Numerical`] if the coupling has no mass or its masses are not finite.
    pub fn pairs(coupling: Coupling) -> Result<Self> {
        let (source, target) = coupling.marginals();
        Self::new(Pairs::Few(coupling), source, target)
    }

    /// Checks the total mass. `source` and `target` are the marginals of `pairs`.
    fn new(pairs: Pairs, source: Array1<f64>, target: Array1<f64>) -> Result<Self> {
        let total = source.sum();
        if 0.0 < total && total < f64::INFINITY {
            return Ok(Self { pairs, source, target });
        }
        let why = format!("its mass is {total}");
        Err(Error::Numerical { what: "the coupling between two snapshots", why })
    }

    /// The entropic coupling of the cells for the cost ½‖x−y‖²: the Schrödinger bridge between the
    /// observed cells. [`SinkhornSolver`] computes it with a marginal error of 1e-6.
    ///
    /// # Errors
    /// As [`SinkhornSolver::fit`].
    pub fn entropic(source: &Snapshot, target: &Snapshot, epsilon: Epsilon) -> Result<Self> {
        Self::entropic_with(source, target, epsilon, &mut Silent)
    }

    /// As [`Link::entropic`], with reports to `progress`.
    ///
    /// # Errors
    /// As there; [`Error::Cancelled`].
    pub(crate) fn entropic_with(
        source: &Snapshot,
        target: &Snapshot,
        epsilon: Epsilon,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let problem = BridgeProblem::new(source.clone(), target.clone(), epsilon)?;
        let solver = SinkhornSolver { tolerance: TOLERANCE, ..SinkhornSolver::default() };
        Self::all(solver.fit(&problem, progress)?.0.plan(), progress)
    }

    /// As [`Link::entropic`], with marginal errors up to `tolerance`.
    ///
    /// # Errors
    /// As [`SinkhornSolver::fit`].
    pub(crate) fn entropic_within(
        source: &Snapshot,
        target: &Snapshot,
        epsilon: Epsilon,
        tolerance: f64,
    ) -> Result<Self> {
        let problem = BridgeProblem::new(source.clone(), target.clone(), epsilon)?;
        let solver = SinkhornSolver { tolerance, ..SinkhornSolver::default() };
        Self::all(solver.fit(&problem, &mut Silent)?.0.plan(), &mut Silent)
    }

    /// The coupling that assigns drawn ends of the source cells to the cells of `target` at the
    /// lowest mean cost ½‖·‖².
    ///
    /// `ends` is n × d, one drawn end for each source cell, and `masses` are the weights of the
    /// source cells. The assignment is exact up to four million pairs. Above that it is the
    /// entropic coupling with a hundredth of the mean cost as ε, because the time of exact
    /// transport grows faster than the number of pairs.
    ///
    /// # Errors
    /// [`Error::Shape`] if numbers or dimensions do not fit; [`Error::Cancelled`].
    pub fn of_ends(
        ends: Array2<f64>,
        masses: ArrayView1<'_, f64>,
        target: &Snapshot,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let ends = Snapshot::weighted(ends, masses.to_owned())?;
        let (n, m) = (ends.n_cells(), target.n_cells());
        let squares = |points: ArrayView2<'_, f64>| points.map_axis(Axis(1), |row| row.dot(&row));
        let (x2, y2) = (squares(ends.points()), squares(target.points()));
        if n * m > MOST_EXACT {
            let centre = ends.marginal().dot(&ends.points());
            let to = target.marginal().dot(&target.points());
            let spread = ends.marginal().dot(&x2) - centre.dot(&centre)
                + target.marginal().dot(&y2)
                - to.dot(&to);
            let epsilon = Epsilon::new((SHARP * 0.5 * spread).max(f64::MIN_POSITIVE))?;
            return Self::entropic_with(&ends, target, epsilon, progress);
        }
        let mut cost = ends.points().dot(&target.points().t());
        for ((i, j), value) in cost.indexed_iter_mut() {
            *value = (0.5 * (x2[i] + y2[j]) - *value).max(0.0);
        }
        let plan = exact_plan(cost.view(), ends.marginal(), target.marginal(), progress)?;
        Self::pairs(Coupling::from_exact(n, m, &plan)?)
    }

    /// Number of source cells and number of target cells.
    pub fn shape(&self) -> (usize, usize) {
        (self.source.len(), self.target.len())
    }

    /// The mass that leaves each source cell, and the mass that arrives at each target cell.
    pub fn marginals(&self) -> (ArrayView1<'_, f64>, ArrayView1<'_, f64>) {
        (self.source.view(), self.target.view())
    }

    /// `T V` for `values` V (n_target × k): sums over target cells, n_source × k.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one row for each target cell.
    pub fn pull(&self, values: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        shape::rows("values at the target", self.shape().1, values.nrows())?;
        Ok(match &self.pairs {
            Pairs::All(plan) => plan.times(values),
            Pairs::Few(coupling) => coupling.times(values),
        })
    }

    /// `Tᵀ U` for `values` U (n_source × k): sums over source cells, n_target × k.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one row for each source cell.
    pub fn push(&self, values: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        shape::rows("values at the source", self.shape().0, values.nrows())?;
        Ok(match &self.pairs {
            Pairs::All(plan) => plan.transposed_times(values),
            Pairs::Few(coupling) => coupling.transposed_times(values),
        })
    }

    /// The effective number of partners of each source cell: `exp` of the entropy of `T_ij / Σ_j
    /// T_ij`.
    ///
    /// It is 1 for a cell with one partner, k for a cell with k partners of equal mass, and 0 for a
    /// cell without mass.
    pub fn effective_partners(&self) -> Array1<f64> {
        let mut partners = self.log_moments();
        Zip::from(&mut partners).and(&self.source).for_each(|moment, &mass| {
            *moment = if mass > 0.0 { (mass.ln() - *moment / mass).exp() } else { 0.0 };
        });
        partners
    }

    /// Mutual information of the two ends in nats, `Σ T ln(T/(r c))` with the marginals r and c,
    /// for the coupling scaled to mass one.
    ///
    /// It is 0 if the end of a cell is independent of its start, and at most the logarithm of the
    /// number of cells.
    pub fn information(&self) -> f64 {
        let own = |masses: &Array1<f64>| -> f64 {
            masses.iter().filter(|mass| **mass > 0.0).map(|mass| mass * mass.ln()).sum()
        };
        let total = self.source.sum();
        let (source, target) = (own(&self.source), own(&self.target));
        // With T = M t: Σ t ln(t / (ρ κ)) = (Σ T ln T − Σ r ln r − Σ c ln c) / M + ln M.
        (self.log_moments().sum() - source - target) / total + total.ln()
    }

    /// `Σ_j T_ij²` of each source cell over the `marked` target cells. Time of one pass over all pairs.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one mark for each target cell.
    pub(crate) fn squares(&self, marked: &[bool]) -> Result<Array1<f64>> {
        shape::rows("marks of the target", self.shape().1, marked.len())?;
        Ok(match &self.pairs {
            Pairs::All(plan) => plan.squares(marked),
            Pairs::Few(coupling) => {
                let mut squares = Array1::zeros(self.shape().0);
                for (i, _, mass) in coupling.pairs().filter(|pair| marked[pair.1]) {
                    squares[i] += mass * mass;
                }
                squares
            }
        })
    }

    /// `Σ_j T_ij ln T_ij` of each source cell.
    fn log_moments(&self) -> Array1<f64> {
        match &self.pairs {
            Pairs::All(plan) => plan.log_moments(),
            Pairs::Few(coupling) => {
                let mut moments = Array1::zeros(self.shape().0);
                for (i, _, mass) in coupling.pairs() {
                    moments[i] += mass * mass.ln();
                }
                moments
            }
        }
    }

    /// For each source cell the fraction of its mass that moves further than `reach`. `source` and
    /// `target` are the snapshots of the coupling.
    ///
    /// # Errors
    /// [`Error::Shape`] if the snapshots have other numbers of cells.
    pub(crate) fn share_beyond(
        &self,
        source: &Snapshot,
        target: &Snapshot,
        reach: f64,
    ) -> Result<Array1<f64>> {
        shape::rows("the source snapshot", self.shape().0, source.n_cells())?;
        shape::rows("the target snapshot", self.shape().1, target.n_cells())?;
        let (x, y) = (source.points(), target.points());
        let far = match &self.pairs {
            Pairs::All(plan) => plan.mass_beyond(reach, x, y),
            Pairs::Few(coupling) => {
                let mut far = Array1::zeros(source.n_cells());
                for (i, j, mass) in coupling.pairs() {
                    let off = &x.row(i) - &y.row(j);
                    if off.dot(&off) > reach * reach {
                        far[i] += mass;
                    }
                }
                far
            }
        };
        Ok(shares(far, &self.source))
    }

    /// The pairs whose mass is at least `least` times `1/n_source`, the mass of an average source
    /// cell. A coupling that is stored as pairs returns all of them.
    ///
    /// # Errors
    /// [`Error::Parameter`] if no pair has this mass.
    pub fn coupling(&self, least: f64) -> Result<Coupling> {
        match &self.pairs {
            Pairs::All(plan) => plan.coupling(least),
            Pairs::Few(coupling) => Ok(coupling.clone()),
        }
    }

    /// Draws a target cell for each entry of `rows` (source cells, in any order, with repetitions),
    /// with probabilities proportional to `T_ij weights_j`. `weights` are n_target numbers that are
    /// not negative.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one weight for each target cell.
    pub fn draw(
        &self,
        rows: &[usize],
        weights: ArrayView1<'_, f64>,
        seed: Seed,
    ) -> Result<Vec<usize>> {
        shape::rows("weights", self.shape().1, weights.len())?;
        let coupling = match &self.pairs {
            Pairs::All(plan) => return Ok(plan.draw(rows, weights, seed)),
            Pairs::Few(coupling) => coupling,
        };
        let mut stream = seed.stream("link/draw", 0);
        let one = |&i: &usize| {
            let (targets, masses) = coupling.row(i);
            let level: f64 = StandardUniform.sample(&mut stream);
            let mass = |(j, mass): (&u32, &f64)| mass * weights[*j as usize];
            let own = targets.iter().zip(masses).map(mass);
            let total: f64 = own.clone().sum();
            // A cell whose partners all have weight zero goes to the last of them.
            let last = targets.len().saturating_sub(1);
            let pair = weighted_index(own, level * total).unwrap_or(last);
            targets.get(pair).map_or(0, |&j| j as usize)
        };
        Ok(rows.iter().map(one).collect())
    }

    /// Draws a source cell for each entry of `rows` (target cells, in any order, with repetitions),
    /// with probabilities proportional to `T_ij`.
    ///
    /// # Errors
    /// None for target cells of this coupling.
    pub(crate) fn draw_back(&self, rows: &[usize], seed: Seed) -> Result<Vec<usize>> {
        let ones = Array1::ones(self.shape().0);
        let pairs = match &self.pairs {
            Pairs::All(plan) => Pairs::All(plan.transposed()),
            Pairs::Few(coupling) => {
                let (n, m) = coupling.shape();
                let mut pairs: Vec<_> = coupling.pairs().map(|(i, j, mass)| (j, i, mass)).collect();
                pairs.sort_by_key(|pair| (pair.0, pair.1));
                Pairs::Few(Coupling::new(m, n, pairs)?)
            }
        };
        let back = Self { pairs, source: self.target.clone(), target: self.source.clone() };
        back.draw(rows, ones.view(), seed)
    }

    /// Scales the coupling to other weights of the same cells: `(α, β)`, n_source × b and n_target
    /// × b, such that for each column the coupling `α_i T_ij β_j` has this column of `source` and
    /// `target` as marginals.
    ///
    /// Columns of `source` and `target` are not negative and sum to one. The results are the
    /// entropic couplings for these weights, obtained from this one by accelerated Sinkhorn
    /// iterations. Target marginals are exact to the rounding of the products; source marginals are
    /// within 1e-4 (sum of absolute differences), or as close as 100 iterations come. Pairs without
    /// mass stay without mass. Each iteration takes two products with b columns. `progress` is told
    /// the done share, from 0 to 1.
    ///
    /// A coupling stored as potentials is written out in single precision if it takes at most 512
    /// MB. Columns in which a cell needs partners of too little mass for that are computed again in
    /// double precision.
    ///
    /// # Errors
    /// [`Error::Shape`] if numbers of cells or columns do not fit; those of `progress`.
    pub(crate) fn scaled_to(
        &self,
        source: ArrayView2<'_, f64>,
        target: ArrayView2<'_, f64>,
        progress: &mut dyn FnMut(f64) -> Result<()>,
    ) -> Result<(Array2<f64>, Array2<f64>)> {
        self.scaled_within(MOST_STORED, source, target, progress)
    }

    /// As [`Link::scaled_to`] with at most `most_stored` masses in single precision.
    pub(super) fn scaled_within(
        &self,
        most_stored: usize,
        source: ArrayView2<'_, f64>,
        target: ArrayView2<'_, f64>,
        progress: &mut dyn FnMut(f64) -> Result<()>,
    ) -> Result<(Array2<f64>, Array2<f64>)> {
        let (n, m) = self.shape();
        shape::rows("weights of the source", n, source.nrows())?;
        shape::rows("weights of the target", m, target.nrows())?;
        shape::rows("weights of the target", source.ncols(), target.ncols())?;
        let wanted = Wanted { source: source.t(), target: target.t() };
        let mut factors = match &self.pairs {
            Pairs::All(plan) if n * m <= most_stored => {
                let ratios = SingleRatios::new(plan, self.source.view(), self.target.view());
                rescale(&ratios, wanted, progress)?
            }
            _ => rescale(self, wanted, progress)?,
        };
        let lost: Vec<usize> = (0..source.ncols()).filter(|&c| factors.lost[c]).collect();
        if !lost.is_empty() {
            let (source, target) = (source.select(Axis(1), &lost), target.select(Axis(1), &lost));
            let wanted = Wanted { source: source.t(), target: target.t() };
            let again = rescale(self, wanted, progress)?;
            for (row, &column) in lost.iter().enumerate() {
                factors.source.row_mut(column).assign(&again.source.row(row));
                factors.target.row_mut(column).assign(&again.target.row(row));
            }
        }
        let alpha = over(factors.source.t(), &self.source);
        Ok((alpha, over(factors.target.t(), &self.target)))
    }
}

/// Most masses that [`Link::scaled_to`] writes out, of 4 bytes each.
const MOST_STORED: usize = 1 << 27;

impl Ratios for Link {
    fn pull(&self, b: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        let sums = Link::pull(self, over(b.t(), &self.target).view())?;
        Ok(over(sums.view(), &self.source).reversed_axes())
    }

    fn push(&self, a: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        let sums = Link::push(self, over(a.t(), &self.source).view())?;
        Ok(over(sums.view(), &self.target).reversed_axes())
    }

    fn least(&self) -> f64 {
        0.0
    }

    fn is_complete(&self) -> bool {
        matches!(self.pairs, Pairs::All(_))
    }
}

/// `values / masses` row by row, and zero where the mass is zero; in rows.
fn over(values: ArrayView2<'_, f64>, masses: &Array1<f64>) -> Array2<f64> {
    let mut divided = Array2::zeros(values.dim());
    for ((mut row, values), mass) in divided.rows_mut().into_iter().zip(values.rows()).zip(masses) {
        if *mass > 0.0 {
            row.assign(&values);
            row /= *mass;
        }
    }
    divided
}

/// `parts / totals`, and zero where the total is zero.
fn shares(mut parts: Array1<f64>, totals: &Array1<f64>) -> Array1<f64> {
    Zip::from(&mut parts).and(totals).for_each(|part, &total| {
        *part = if total > 0.0 { *part / total } else { 0.0 };
    });
    parts
}
