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
    marginals: (Array1<f64>, Array1<f64>),
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
    pub fn all(plan: AllPairs) -> Result<Self> {
        let (n, m) = plan.shape();
        let source = plan.times(Array2::ones((m, 1)).view()).column(0).to_owned();
        let target = plan.transposed_times(Array2::ones((n, 1)).view()).column(0).to_owned();
        Self::new(Pairs::All(plan), (source, target))
    }

    /// Of pairs.
    ///
    /// # Errors
    /// As [`Link::all`].
    pub fn pairs(coupling: Coupling) -> Result<Self> {
        let marginals = coupling.marginals();
        Self::new(Pairs::Few(coupling), marginals)
    }

    fn new(pairs: Pairs, marginals: (Array1<f64>, Array1<f64>)) -> Result<Self> {
        let total = marginals.0.sum();
        if 0.0 < total && total < f64::INFINITY {
            return Ok(Self { pairs, marginals });
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
        Self::pairs(Coupling::from_exact((n, m), &plan)?)
    }

    /// Numbers of source and target cells.
    pub fn shape(&self) -> (usize, usize) {
        (self.marginals.0.len(), self.marginals.1.len())
    }

    /// The masses that leave each source cell, and those that arrive at each target cell.
    pub fn marginals(&self) -> (ArrayView1<'_, f64>, ArrayView1<'_, f64>) {
        (self.marginals.0.view(), self.marginals.1.view())
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
        Zip::from(&mut partners).and(&self.marginals.0).for_each(|moment, &mass| {
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
        let total = self.marginals.0.sum();
        let (source, target) = (own(&self.marginals.0), own(&self.marginals.1));
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
        (source, target): (&Snapshot, &Snapshot),
        reach: f64,
    ) -> Result<Array1<f64>> {
        check("the source snapshot", self.shape().0, source.n_cells())?;
        check("the target snapshot", self.shape().1, target.n_cells())?;
        let (x, y) = (source.points(), target.points());
        let far = match &self.pairs {
            Pairs::All(plan) => plan.mass_beyond(reach, (x, y)),
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
        Ok(shares(far, &self.marginals.0))
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
                Pairs::Few(Coupling::new((m, n), pairs)?)
            }
        };
        let (source, target) = &self.marginals;
        let back = Self { pairs, marginals: (target.clone(), source.clone()) };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::SinkhornBridge;
    use ndarray::array;

    fn waves(n: usize, f: f64, shift: f64) -> Snapshot {
        let points = Array2::from_shape_fn((n, 3), |(i, d)| {
            (f * (1 + i * 3 + d) as f64).sin() * 1.5 + shift * d as f64
        });
        let weights = (0..n).map(|i| 1.0 + (i % 3) as f64).collect();
        Snapshot::weighted(points, weights).unwrap()
    }

    /// An entropic plan, written out, and the link of it.
    fn example() -> (Snapshot, Snapshot, Array2<f64>, Link) {
        // More than one chunk of rows and block of columns.
        let (source, target) = (waves(150, 0.37, 0.0), waves(530, 0.71, 2.0));
        let epsilon = Epsilon::new(0.4).unwrap();
        let problem = BridgeProblem::new(source.clone(), target.clone(), epsilon).unwrap();
        let solver = SinkhornSolver { tolerance: 1e-9, ..SinkhornSolver::default() };
        let bridge: SinkhornBridge = solver.fit(&problem, &mut Silent).unwrap().0;
        let (f, g) = bridge.potentials();
        let centres = [&source, &target].map(|s| s.marginal().dot(&s.points()));
        let plan = Array2::from_shape_fn((150, 530), |(i, j)| {
            let x = &source.points().row(i) - &centres[0];
            let y = &target.points().row(j) - &centres[1];
            let off = x - y;
            let exponent = (f[i] + g[j] - 0.5 * off.dot(&off)) / 0.4;
            source.marginal()[i] * target.marginal()[j] * exponent.exp()
        });
        (source, target, plan, Link::all(bridge.plan()).unwrap())
    }

    fn close(a: &Array2<f64>, b: &Array2<f64>) {
        let off = (a - b).iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        assert!(off < 1e-12, "{off:e}");
    }

    #[test]
    fn products_are_those_of_the_plan_written_out_however_it_is_held() {
        let (_, _, plan, link) = example();
        let v = Array2::from_shape_fn((530, 2), |(j, c)| (j as f64 * 0.3 + c as f64).cos());
        let u = Array2::from_shape_fn((150, 2), |(i, c)| (i as f64 * 0.2 + c as f64).sin());
        close(&link.pull(v.view()).unwrap(), &plan.dot(&v));
        close(&link.push(u.view()).unwrap(), &plan.t().dot(&u));
        let pairs = plan.indexed_iter().filter(|entry| *entry.1 > 0.0);
        let pairs = pairs.map(|((i, j), mass)| (i, j, *mass));
        let few = Link::pairs(Coupling::new((150, 530), pairs).unwrap()).unwrap();
        close(&few.pull(v.view()).unwrap(), &plan.dot(&v));
        close(&few.push(u.view()).unwrap(), &plan.t().dot(&u));
        assert!((link.information() - few.information()).abs() < 1e-9);
        let off = link.effective_partners() - few.effective_partners();
        assert!(off.iter().all(|off| off.abs() < 1e-6));
        assert!(link.pull(u.view()).is_err() && link.push(v.view()).is_err());
    }

    #[test]
    fn information_and_partners_are_as_defined() {
        let (_, _, plan, link) = example();
        let (r, c) = (plan.sum_axis(Axis(1)), plan.sum_axis(Axis(0)));
        let direct: f64 = plan.indexed_iter().map(|((i, j), t)| t * (t / (r[i] * c[j])).ln()).sum();
        assert!((link.information() - direct).abs() < 1e-9);
        let entropy: f64 = plan.row(7).iter().map(|t| -(t / r[7]) * (t / r[7]).ln()).sum();
        assert!((link.effective_partners()[7] - entropy.exp()).abs() < 1e-9);
        let matching = Coupling::new((4, 4), (0..4).map(|i| (i, i, 0.25))).unwrap();
        let matching = Link::pairs(matching).unwrap();
        assert!((matching.information() - 4.0_f64.ln()).abs() < 1e-12);
        assert!(matching.effective_partners().iter().all(|k| (k - 1.0).abs() < 1e-12));
        let even = (0..4).flat_map(|i| (0..4).map(move |j| (i, j, 0.125)));
        let even = Link::pairs(Coupling::new((4, 4), even).unwrap()).unwrap();
        // Mass two, and nothing is known.
        assert!(even.information().abs() < 1e-12);
    }

    #[test]
    fn mass_beyond_a_reach_is_counted_between_the_cells_themselves() {
        let (source, target, plan, link) = example();
        for reach in [2.0, 4.5] {
            let far = link.share_beyond((&source, &target), reach).unwrap();
            for i in [0, 77, 149] {
                let beyond: f64 = (0..530)
                    .filter(|&j| {
                        let off = &source.points().row(i) - &target.points().row(j);
                        off.dot(&off).sqrt() > reach
                    })
                    .map(|j| plan[[i, j]])
                    .sum();
                assert!((far[i] - beyond / plan.row(i).sum()).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn targets_are_drawn_by_mass_times_weight() {
        let (_, _, plan, link) = example();
        let weights = Array1::from_shape_fn(530, |j| f64::from(u8::from(j % 5 == 0)));
        let n = 20_000;
        let drawn = link.draw(&vec![3; n], weights.view(), Seed(1)).unwrap();
        let total: f64 = (0..530).step_by(5).map(|j| plan[[3, j]]).sum();
        assert!(drawn.iter().all(|j| j % 5 == 0));
        for j in (0..530).step_by(5) {
            let share = drawn.iter().filter(|k| **k == j).count() as f64 / n as f64;
            let wanted = plan[[3, j]] / total;
            assert!((share - wanted).abs() < 5.0 * (wanted / n as f64).sqrt() + 1e-4);
        }
    }

    #[test]
    fn plans_for_other_weights_are_those_that_a_solver_finds() {
        let (source, target, plan, link) = example();
        let p = Array1::from_shape_fn(150, |i| source.marginal()[i] * (i % 4) as f64);
        let q = Array1::from_shape_fn(530, |j| target.marginal()[j] * (j % 3) as f64);
        let (p, q) = (&p / p.sum(), &q / q.sum());
        let columns = (p.view().insert_axis(Axis(1)), q.view().insert_axis(Axis(1)));
        let (alpha, beta) = link.scaled_to(columns.0, columns.1).unwrap();
        let scaled =
            Array2::from_shape_fn((150, 530), |(i, j)| alpha[[i, 0]] * plan[[i, j]] * beta[[j, 0]]);
        let weighted = |s: &Snapshot, w: &Array1<f64>| {
            Snapshot::weighted(s.points().to_owned(), w.clone()).unwrap()
        };
        let again = Link::entropic(
            &weighted(&source, &p),
            &weighted(&target, &q),
            Epsilon::new(0.4).unwrap(),
        );
        let v = Array2::from_shape_fn((530, 1), |(j, _)| (j as f64 * 0.3).cos());
        let off = scaled.dot(&v) - again.unwrap().pull(v.view()).unwrap();
        assert!(off.iter().map(|off| off.abs()).sum::<f64>() < 3e-4);
    }

    #[test]
    fn drawn_ends_are_taken_to_their_cells() {
        let target = Snapshot::new(array![[0.0], [10.0], [20.0]]).unwrap();
        let ends = array![[19.0], [1.0], [9.0]];
        let link = Link::of_ends(ends, Array1::from_elem(3, 1.0 / 3.0).view(), &target).unwrap();
        let went = link.pull(target.points()).unwrap() * 3.0;
        close(&went, &array![[20.0], [0.0], [10.0]]);
    }
}
