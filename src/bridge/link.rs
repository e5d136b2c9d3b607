//! Which observed cells go to which: a plan between two snapshots, to push and to pull along.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Zip};
use rand_distr::{Distribution, StandardUniform};

use crate::bridge::{AllPairs, BridgeProblem, Coupling, SinkhornSolver};
use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::geometry::Epsilon;
use crate::linalg::exact_plan;
use crate::progress::Silent;
use crate::rng::Seed;

/// Marginals of entropic plans found here are off by at most this, as a sum.
const TOLERANCE: f64 = 1e-6;

/// Up to so many pairs drawn ends are assigned exactly, otherwise by an entropic plan.
const MOST_EXACT: usize = 4_000_000;

/// ε of that entropic plan, as a part of the mean cost.
const SHARP: f64 = 0.01;

/// A plan `T` between the cells of two snapshots: `T_ij` is the mass that goes from source cell `i`
/// to target cell `j`; all masses sum to one, or to the mass of an unbalanced plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    pairs: Pairs,
    source: Array1<f64>,
    target: Array1<f64>,
}

#[derive(Debug, Clone, PartialEq)]
enum Pairs {
    All(AllPairs),
    Few(Coupling),
}

impl Link {
    /// Of an entropic plan. Time of two passes over all pairs.
    ///
    /// # Errors
    /// [`Error::Numerical`] if the plan has no mass or its masses are not finite.
    pub(in crate::bridge) fn all(plan: AllPairs) -> Result<Self> {
        let (n, m) = plan.shape();
        let source = plan.times(Array2::ones((m, 1)).view()).column(0).to_owned();
        let target = plan.transposed_times(Array2::ones((n, 1)).view()).column(0).to_owned();
        Self::new(Pairs::All(plan), source, target)
    }

    /// Of pairs.
    ///
    /// # Errors
    /// As [`Link::all`].
    pub fn pairs(coupling: Coupling) -> Result<Self> {
        let (source, target) = coupling.marginals();
        Self::new(Pairs::Few(coupling), source, target)
    }

    fn new(pairs: Pairs, source: Array1<f64>, target: Array1<f64>) -> Result<Self> {
        let total = source.sum();
        if 0.0 < total && total < f64::INFINITY {
            return Ok(Self { pairs, source, target });
        }
        let why = format!("its mass is {total}");
        Err(Error::Numerical { what: "the plan between two snapshots", why })
    }

    /// The entropic plan for half the squared distance: the Schrödinger bridge between the cells.
    ///
    /// # Errors
    /// As [`SinkhornSolver::fit`].
    pub fn entropic(source: &Snapshot, target: &Snapshot, epsilon: Epsilon) -> Result<Self> {
        let problem = BridgeProblem::new(source.clone(), target.clone(), epsilon)?;
        let solver = SinkhornSolver { tolerance: TOLERANCE, ..SinkhornSolver::default() };
        Self::all(solver.fit(&problem, &mut Silent)?.0.plan())
    }

    /// The plan that takes drawn `ends` `(n, dim)` of source cells of mass `masses` to the cells of
    /// `target` at the least cost: exact up to four million pairs, entropic with a hundredth of the
    /// mean cost above.
    ///
    /// # Errors
    /// [`Error::Shape`] if numbers or dimensions do not fit.
    pub fn of_ends(
        ends: Array2<f64>,
        masses: ArrayView1<'_, f64>,
        target: &Snapshot,
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
            return Self::entropic(&ends, target, epsilon);
        }
        let mut cost = ends.points().dot(&target.points().t());
        for ((i, j), value) in cost.indexed_iter_mut() {
            *value = (0.5 * (x2[i] + y2[j]) - *value).max(0.0);
        }
        let plan = exact_plan(cost.view(), ends.marginal(), target.marginal(), &mut Silent)?;
        Self::pairs(Coupling::from_exact(n, m, &plan)?)
    }

    /// Numbers of source and target cells.
    pub fn shape(&self) -> (usize, usize) {
        (self.source.len(), self.target.len())
    }

    /// The masses that leave each source cell, and those that arrive at each target cell.
    pub fn marginals(&self) -> (ArrayView1<'_, f64>, ArrayView1<'_, f64>) {
        (self.source.view(), self.target.view())
    }

    /// `T V` for `values` `(n_target, k)`: sums over target cells, `(n_source, k)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not one row for each target cell.
    pub fn pull(&self, values: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        check("values at the target", self.shape().1, values.nrows())?;
        Ok(match &self.pairs {
            Pairs::All(plan) => plan.times(values),
            Pairs::Few(coupling) => {
                let mut sums = Array2::zeros((self.shape().0, values.ncols()));
                for (i, j, mass) in coupling.pairs() {
                    sums.row_mut(i).scaled_add(mass, &values.row(j));
                }
                sums
            }
        })
    }

    /// `Tᵀ U` for `values` `(n_source, k)`: sums over source cells, `(n_target, k)`.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not one row for each source cell.
    pub fn push(&self, values: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        check("values at the source", self.shape().0, values.nrows())?;
        Ok(match &self.pairs {
            Pairs::All(plan) => plan.transposed_times(values),
            Pairs::Few(coupling) => {
                let mut sums = Array2::zeros((self.shape().1, values.ncols()));
                for (i, j, mass) in coupling.pairs() {
                    sums.row_mut(j).scaled_add(mass, &values.row(i));
                }
                sums
            }
        })
    }

    /// The number of partners of each source cell: `exp` of the entropy of `T_ij / Σ_j T_ij`. One
    /// for a cell with one partner, `k` for one with `k` of equal mass; zero for a cell without.
    pub fn effective_partners(&self) -> Array1<f64> {
        let mut partners = self.log_moments();
        Zip::from(&mut partners).and(&self.source).for_each(|moment, &mass| {
            *moment = if mass > 0.0 { (mass.ln() - *moment / mass).exp() } else { 0.0 };
        });
        partners
    }

    /// Mutual information of the two ends in nats: `Σ T ln (T / (r c))` with the marginals r and c,
    /// of the plan scaled to mass one. Zero if a cell's end says nothing of its start; at most the
    /// logarithm of the number of cells.
    pub fn information(&self) -> f64 {
        let own = |masses: &Array1<f64>| -> f64 {
            masses.iter().filter(|mass| **mass > 0.0).map(|mass| mass * mass.ln()).sum()
        };
        let total = self.source.sum();
        let (source, target) = (own(&self.source), own(&self.target));
        // With T = M t: Σ t ln(t / (ρ κ)) = (Σ T ln T − Σ r ln r − Σ c ln c) / M + ln M.
        (self.log_moments().sum() - source - target) / total + total.ln()
    }

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

    /// For each source cell the share of its mass that goes further than `reach`. `source` and
    /// `target` are the snapshots of the plan.
    ///
    /// # Errors
    /// [`Error::Shape`] if they are others.
    pub fn share_beyond(
        &self,
        source: &Snapshot,
        target: &Snapshot,
        reach: f64,
    ) -> Result<Array1<f64>> {
        check("the source snapshot", self.shape().0, source.n_cells())?;
        check("the target snapshot", self.shape().1, target.n_cells())?;
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

    /// The pairs with at least `least` of the mass of an even row, `1/n_source`; all pairs of a plan that
    /// is held as pairs.
    ///
    /// # Errors
    /// [`Error::Parameter`] if no pair has that mass.
    pub fn coupling(&self, least: f64) -> Result<Coupling> {
        match &self.pairs {
            Pairs::All(plan) => plan.coupling(least),
            Pairs::Few(coupling) => Ok(coupling.clone()),
        }
    }

    /// For each of `rows` (source cells, in any order, as often as wanted) a target cell, drawn by
    /// `T_ij weights_j`; `weights` `n_target`, not negative.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not one weight for each target cell.
    pub fn draw(
        &self,
        rows: &[usize],
        weights: ArrayView1<'_, f64>,
        seed: Seed,
    ) -> Result<Vec<usize>> {
        check("weights", self.shape().1, weights.len())?;
        let coupling = match &self.pairs {
            Pairs::All(plan) => return Ok(plan.draw(rows, weights, seed)),
            Pairs::Few(coupling) => coupling,
        };
        let mut stream = seed.stream("link/draw", 0);
        let one = |&i: &usize| {
            let (targets, masses) = coupling.row(i);
            let level: f64 = StandardUniform.sample(&mut stream);
            let mass = |(j, mass): (&u32, &f64)| mass * weights[*j as usize];
            let total: f64 = targets.iter().zip(masses).map(mass).sum();
            let mut left = level * total;
            let passed = targets.iter().zip(masses).find(|pair| {
                left -= mass(*pair);
                left < 0.0
            });
            passed.map(|pair| *pair.0 as usize).or(targets.last().map(|j| *j as usize)).unwrap_or(0)
        };
        Ok(rows.iter().map(one).collect())
    }

    /// For each of `rows` (target cells, in any order, as often as wanted) a source cell, drawn by `T_ij`.
    ///
    /// # Errors
    /// [`Error::Shape`] if a source cell is not in the plan.
    pub fn draw_back(&self, rows: &[usize], seed: Seed) -> Result<Vec<usize>> {
        let ones = Array1::ones(self.shape().0);
        let pairs = match &self.pairs {
            Pairs::All(plan) => Pairs::All(plan.transposed()),
            Pairs::Few(coupling) => {
                let (n, m) = coupling.shape();
                let pairs = coupling.pairs().map(|(i, j, mass)| (j, i, mass));
                Pairs::Few(Coupling::new(m, n, pairs)?)
            }
        };
        let back = Self { pairs, source: self.target.clone(), target: self.source.clone() };
        back.draw(rows, ones.view(), seed)
    }

    /// `(α, β)`, `(n_source, b)` and `(n_target, b)`, with which each plan `α_i T_ij β_j` has the
    /// marginals of a column of `source` and `target` (not negative, each of sum one): the entropic
    /// plans for other weights of the same cells, found from this one.
    ///
    /// Columns are met exactly, rows to `10⁻⁴` as a sum or as well as 100 scalings do; pairs that are
    /// not there cannot come. Time of two passes over all pairs for each scaling.
    ///
    /// # Errors
    /// [`Error::Shape`] if numbers of cells or columns do not fit.
    pub fn scaled_to(
        &self,
        source: ArrayView2<'_, f64>,
        target: ArrayView2<'_, f64>,
    ) -> Result<(Array2<f64>, Array2<f64>)> {
        check("weights of the source", self.shape().0, source.nrows())?;
        check("weights of the target", self.shape().1, target.nrows())?;
        check("weights of the target", source.ncols(), target.ncols())?;
        let mut beta: Array2<f64> = Array2::ones(target.dim());
        let mut alpha: Array2<f64> = Array2::ones(source.dim());
        for round in 0..MOST_SCALINGS {
            let rows = self.pull(beta.view())?;
            let off = (&alpha * &rows - source).iter().map(|off| off.abs()).sum::<f64>();
            if round > 0 && off <= ROWS_OFF * source.ncols() as f64 {
                break;
            }
            alpha = ratios(source, &rows);
            beta = ratios(target, &self.push(alpha.view())?);
        }
        Ok((alpha, beta))
    }
}

/// Most scalings of both sides, and how far rows may be off.
const MOST_SCALINGS: usize = 100;
const ROWS_OFF: f64 = 1e-4;

fn ratios(wanted: ArrayView2<'_, f64>, sums: &Array2<f64>) -> Array2<f64> {
    Zip::from(wanted)
        .and(sums)
        .map_collect(|wanted, sum| if *sum > 0.0 && *wanted > 0.0 { wanted / sum } else { 0.0 })
}

fn shares(mut parts: Array1<f64>, totals: &Array1<f64>) -> Array1<f64> {
    Zip::from(&mut parts).and(totals).for_each(|part, &total| {
        *part = if total > 0.0 { *part / total } else { 0.0 };
    });
    parts
}

fn check(what: &'static str, expected: usize, got: usize) -> Result<()> {
    if expected == got {
        return Ok(());
    }
    Err(Error::Shape { what, unit: "rows", expected, got })
}
