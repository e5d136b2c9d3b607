//! Additive regulation by ridge regression whose penalties adapt: weak regulators are shrunk more.

use ndarray::{Array1, Array2, ArrayView1, Axis, s};
use rayon::prelude::*;

use crate::grn::moments::LaggedMoments;
use crate::linalg::product;

/// Targets that are solved side by side.
const BATCH: usize = 32;

/// Conjugate gradients stop when every residual is below this part of its right-hand side.
const TOLERANCE: f64 = 1e-9;

/// Most conjugate-gradient steps of one solve.
const MAX_STEPS: usize = 1000;

/// Regression of each later shape on all regulators' earlier shapes and the gene's own.
///
/// Everything has unit variance. The first fit has one penalty for all; after each of `rounds`
/// more, regulator g has the penalty `λ / max(s_g / max s, floor)` with `s_g` the standard
/// deviation of its component: an iterated form of the adaptive ridge, which tends to a group
/// selection.
///
/// Source: the adaptive ridge of Grandvalet 1998 and Frommlet & Nuel 2016, on groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaptiveRidge {
    /// λ, in units of the variance of a shape; > 0.
    pub penalty: f64,
    /// Fits after the first.
    pub rounds: usize,
    /// Least relative strength, in (0, 1]: penalties go up to `λ / floor`.
    pub floor: f64,
}

impl Default for AdaptiveRidge {
    fn default() -> Self {
        Self { penalty: 0.3, rounds: 4, floor: 0.05 }
    }
}

/// The part that each regulator has in each target.
#[derive(Debug, Clone, PartialEq)]
pub struct Components {
    /// Standard deviation of each regulator's component, `(R, G)`, of a target of unit variance.
    pub strength: Array2<f64>,
    /// Covariance of each component with the regulator's shapes, summed: the sign of its slope.
    pub slope: Array2<f64>,
}

/// One batch of systems `(A_t + diag(penalties)) x = b`.
struct Batch<'a> {
    moments: &'a LaggedMoments,
    /// The targets, and whether each brings its own past beside the regulators'.
    targets: Vec<(usize, bool)>,
    /// Penalties of the regulators' rows and of the own rows, one column for each target.
    penalties: (Array2<f64>, Array2<f64>),
}

/// Unknowns or right-hand sides of a batch: the regulators' rows and the own rows.
#[derive(Clone)]
struct Columns {
    shared: Array2<f64>,
    own: Array2<f64>,
}

impl AdaptiveRidge {
    /// The components of later shape `later` of every gene.
    ///
    /// A gene that regulates has its own past among the regulators; any other gene brings its own
    /// past along. Time, for each round and target, a few dozen products with the `(RF, RF)`
    /// moments.
    pub fn solve(&self, moments: &LaggedMoments, later: usize) -> Components {
        let genes: Vec<usize> = (0..moments.n_genes).collect();
        let parts: Vec<Components> =
            genes.par_chunks(BATCH).map(|targets| self.batch(moments, targets, later)).collect();
        let join = |part: fn(&Components) -> &Array2<f64>| {
            let n_regulators = moments.regulator_genes.len();
            let mut all = Array2::zeros((n_regulators, moments.n_genes));
            for (targets, of) in genes.chunks(BATCH).zip(&parts) {
                let span = targets[0]..targets[0] + targets.len();
                all.slice_mut(s![.., span]).assign(part(of));
            }
            all
        };
        Components { strength: join(|p| &p.strength), slope: join(|p| &p.slope) }
    }

    fn batch(&self, moments: &LaggedMoments, targets: &[usize], later: usize) -> Components {
        let f = moments.n_shapes;
        let (n_shared, n_targets) = (moments.regulators.nrows(), targets.len());
        let columns: Vec<usize> = targets.iter().map(|t| later * moments.n_genes + t).collect();
        let brings = |target: &usize| moments.regulator_genes.binary_search(target).is_err();
        let mut right = Columns {
            shared: moments.later.select(Axis(1), &columns),
            own: Array2::zeros((f, n_targets)),
        };
        for (place, target) in targets.iter().enumerate().filter(|(_, target)| brings(target)) {
            let own = moments.own_later.slice(s![target * f..(target + 1) * f, later]);
            right.own.column_mut(place).assign(&own);
        }
        let mut batch = Batch {
            moments,
            targets: targets.iter().map(|target| (*target, brings(target))).collect(),
            penalties: (
                Array2::from_elem((n_shared, n_targets), self.penalty),
                Array2::from_elem((f, n_targets), self.penalty),
            ),
        };
        let zeros = Columns { shared: &right.shared * 0.0, own: &right.own * 0.0 };
        let mut solution = batch.solve(&right, zeros);
        for _ in 0..self.rounds {
            batch.adapt(&solution, self);
            solution = batch.solve(&right, solution);
        }
        batch.components(&solution)
    }
}

impl Batch<'_> {
    /// `A X + P X`.
    fn apply(&self, x: &Columns) -> Columns {
        let f = self.moments.n_shapes;
        let mut shared = product(self.moments.regulators.view(), x.shared.view());
        shared += &(&self.penalties.0 * &x.shared);
        let mut own = &self.penalties.1 * &x.own;
        for (place, &(target, brings)) in self.targets.iter().enumerate() {
            if !brings {
                continue;
            }
            let span = target * f..(target + 1) * f;
            let across = self.moments.own.slice(s![.., span.clone()]);
            let among = self.moments.own_among.slice(s![span, ..]);
            let mut column = shared.column_mut(place);
            column += &across.dot(&x.own.column(place));
            let mut column = own.column_mut(place);
            column += &(across.t().dot(&x.shared.column(place)) + among.dot(&x.own.column(place)));
        }
        Columns { shared, own }
    }

    /// Conjugate gradients from `x`, all columns side by side, preconditioned by the diagonal.
    fn solve(&self, right: &Columns, mut x: Columns) -> Columns {
        let scale = Columns {
            shared: self.penalties.0.mapv(|p| 1.0 / (1.0 + p)),
            own: self.penalties.1.mapv(|p| 1.0 / (1.0 + p)),
        };
        let applied = self.apply(&x);
        let mut residual =
            Columns { shared: &right.shared - &applied.shared, own: &right.own - &applied.own };
        let size = dots(right, right);
        let mut z = times(&residual, &scale);
        let mut direction = z.clone();
        let mut rz = dots(&residual, &z);
        for _ in 0..MAX_STEPS {
            let left = dots(&residual, &residual);
            let met = |(left, size): (&f64, &f64)| *left <= TOLERANCE * TOLERANCE * size;
            if left.iter().zip(&size).all(met) {
                break;
            }
            let applied = self.apply(&direction);
            let step = ratio(&rz, &dots(&direction, &applied));
            add_scaled(&mut x, &step, &direction);
            add_scaled(&mut residual, &(-&step), &applied);
            z = times(&residual, &scale);
            let next = dots(&residual, &z);
            let turn = ratio(&next, &rz);
            direction.shared = &z.shared + &(&direction.shared * &turn);
            direction.own = &z.own + &(&direction.own * &turn);
            rz = next;
        }
        x
    }

    /// Standard deviations of the components: of the regulators, and of the own past.
    fn strengths(&self, x: &Columns) -> (Array2<f64>, Array1<f64>) {
        let f = self.moments.n_shapes;
        let n_regulators = self.moments.regulator_genes.len();
        let deviation = |among: ndarray::ArrayView2<'_, f64>, b: ArrayView1<'_, f64>| {
            b.dot(&among.dot(&b)).max(0.0).sqrt()
        };
        let strength = Array2::from_shape_fn((n_regulators, self.targets.len()), |(r, place)| {
            let span = r * f..(r + 1) * f;
            let among = self.moments.regulators.slice(s![span.clone(), span.clone()]);
            deviation(among, x.shared.slice(s![span, place]))
        });
        let own = self.targets.iter().enumerate().map(|(place, &(target, _))| {
            let among = self.moments.own_among.slice(s![target * f..(target + 1) * f, ..]);
            deviation(among, x.own.column(place))
        });
        (strength, own.collect())
    }

    fn adapt(&mut self, x: &Columns, ridge: &AdaptiveRidge) {
        let f = self.moments.n_shapes;
        let (strength, own) = self.strengths(x);
        for place in 0..self.targets.len() {
            let most = strength.column(place).fold(own[place], |a, b| a.max(*b)).max(1e-12);
            let penalty = |s: f64| ridge.penalty / (s / most).max(ridge.floor);
            for (row, value) in self.penalties.0.column_mut(place).iter_mut().enumerate() {
                *value = penalty(strength[[row / f, place]]);
            }
            self.penalties.1.column_mut(place).fill(penalty(own[place]));
        }
    }

    fn components(&self, x: &Columns) -> Components {
        let f = self.moments.n_shapes;
        let (strength, _) = self.strengths(x);
        let slope = Array2::from_shape_fn(strength.raw_dim(), |(r, place)| {
            let span = r * f..(r + 1) * f;
            let among = self.moments.regulators.slice(s![span.clone(), span.clone()]);
            among.dot(&x.shared.slice(s![span, place])).sum()
        });
        Components { strength, slope }
    }
}

fn dots(a: &Columns, b: &Columns) -> Array1<f64> {
    (&a.shared * &b.shared).sum_axis(Axis(0)) + (&a.own * &b.own).sum_axis(Axis(0))
}

fn times(a: &Columns, b: &Columns) -> Columns {
    Columns { shared: &a.shared * &b.shared, own: &a.own * &b.own }
}

/// Quotients; 0 for a column that is solved already.
fn ratio(a: &Array1<f64>, b: &Array1<f64>) -> Array1<f64> {
    a.iter().zip(b).map(|(a, b)| if *b > 0.0 { a / b } else { 0.0 }).collect()
}

fn add_scaled(x: &mut Columns, step: &Array1<f64>, direction: &Columns) {
    x.shared += &(&direction.shared * step);
    x.own += &(&direction.own * step);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::Coupling;
    use crate::grn::expression::Expression;
    use crate::grn::moments::Shapes;
    use crate::grn::step::Step;
    use crate::linalg::Cholesky;

    fn moments() -> LaggedMoments {
        // Cells whose later gene 1 follows their earlier gene 0; gene 3 does not regulate.
        let value = |i: usize, j: usize| {
            let place = (i as f32 + 1.0) * 0.618_034 * (j as f32 + 1.5);
            place.fract()
        };
        let mut values = Array2::from_shape_fn((200, 4), |(i, j)| value(i, j));
        for i in 0..100 {
            values[[100 + i, 1]] = 1.0 - values[[i, 0]] + 0.3 * values[[i, 2]];
            values[[100 + i, 3]] = values[[i, 3]] + 0.5 * values[[i, 2]];
        }
        let expression = Expression::new(values, &[0, 1, 2]).unwrap();
        let coupling = Coupling::new((100, 100), (0..100).map(|i| (i, i, 0.01))).unwrap();
        let step = Step { sources: (0..100).collect(), targets: (100..200).collect(), coupling };
        LaggedMoments::of(&expression, &[step], Shapes { earlier: &[0, 1, 2], later: &[0, 3] })
    }

    /// The same by inverting the whole matrix of one target.
    fn directly(
        moments: &LaggedMoments,
        ridge: &AdaptiveRidge,
        target: usize,
        later: usize,
    ) -> Vec<f64> {
        let f = moments.n_shapes;
        let n_regulators = moments.regulator_genes.len();
        let brings = !moments.regulator_genes.contains(&target);
        let n = (n_regulators + usize::from(brings)) * f;
        let span = target * f..(target + 1) * f;
        let mut a = Array2::zeros((n, n));
        let mut b = Array1::zeros(n);
        let shared = n_regulators * f;
        a.slice_mut(s![..shared, ..shared]).assign(&moments.regulators);
        b.slice_mut(s![..shared]).assign(&moments.later.column(later * moments.n_genes + target));
        if brings {
            let across = moments.own.slice(s![.., span.clone()]);
            a.slice_mut(s![..shared, shared..]).assign(&across);
            a.slice_mut(s![shared.., ..shared]).assign(&across.t());
            a.slice_mut(s![shared.., shared..])
                .assign(&moments.own_among.slice(s![span.clone(), ..]));
            b.slice_mut(s![shared..]).assign(&moments.own_later.slice(s![span, later]));
        }
        let mut penalties = vec![ridge.penalty; n / f];
        let mut strengths = Vec::new();
        for _ in 0..=ridge.rounds {
            let mut system = a.clone();
            (0..n).for_each(|i| system[[i, i]] += penalties[i / f]);
            let x = Cholesky::new(system.view()).unwrap().inverse().dot(&b);
            strengths = (0..n / f)
                .map(|r| {
                    let span = r * f..(r + 1) * f;
                    let part = x.slice(s![span.clone()]);
                    part.dot(&a.slice(s![span.clone(), span]).dot(&part)).sqrt()
                })
                .collect();
            let most = strengths.iter().copied().fold(0.0, f64::max);
            penalties =
                strengths.iter().map(|s| ridge.penalty / (s / most).max(ridge.floor)).collect();
        }
        strengths
    }

    #[test]
    fn it_is_the_ridge_solved_by_inverting_the_whole_matrix() {
        let moments = moments();
        for ridge in [
            AdaptiveRidge { rounds: 0, ..Default::default() },
            AdaptiveRidge::default(),
            AdaptiveRidge { penalty: 0.01, rounds: 2, floor: 0.2 },
        ] {
            for later in 0..2 {
                let ours = ridge.solve(&moments, later);
                for target in 0..4 {
                    let theirs = directly(&moments, &ridge, target, later);
                    for (r, theirs) in theirs.iter().take(3).enumerate() {
                        let ours = ours.strength[[r, target]];
                        assert!((ours - theirs).abs() < 1e-6, "{ridge:?} {r} → {target}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_planted_regulators_stand_out_with_their_signs() {
        let found = AdaptiveRidge::default().solve(&moments(), 1);
        let strength = &found.strength;
        assert!(strength[[0, 1]] > 3.0 * strength[[1, 1]] && found.slope[[0, 1]] < 0.0);
        assert!(strength[[2, 3]] > 3.0 * strength[[0, 3]] && found.slope[[2, 3]] > 0.0);
    }
}
