//! Additive regulation by an adaptive ridge regression that shrinks weak regulators more.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, s};
use rayon::prelude::*;

use crate::grn::moments::LaggedMoments;
use crate::linalg::{Cholesky, product};

/// Ridge regression of a target's later expression on the earlier expression of all regulators and
/// of the target itself, with one penalty for each regulator.
///
/// Each gene enters as a group of F functions of its expression ("shapes": three Hill functions or
/// the standardised value). All shapes are scaled to unit variance. The first fit has the same
/// penalty λ for every regulator. Each of the `rounds` refits gives regulator g the penalty
/// `λ / max(s_g / max s, floor)`, where `s_g` is the standard deviation of its component in the
/// previous fit. Iterated, this approaches a selection of whole groups. Only the `most` strongest
/// regulators of a target enter the refits; the others keep `floor` times their first strength.
///
/// Source: the adaptive ridge of Grandvalet 1998 and Frommlet & Nuel 2016, on groups; screening
/// after Fan & Lv 2008.
///
/// ```
/// use sbcell::grn::{AdaptiveRidge, EdgeSearch};
/// // A stronger penalty shrinks small effects more.
/// let ridge = AdaptiveRidge { penalty: 1.0, ..AdaptiveRidge::default() };
/// let search = EdgeSearch::default().with_ridge(ridge);
/// assert!(search.ridge.penalty > EdgeSearch::default().ridge.penalty);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdaptiveRidge {
    /// Penalty λ of the first fit, in units of the variance of a shape; greater than 0.
    pub penalty: f64,
    /// Number of refits with adapted penalties.
    pub rounds: usize,
    /// Smallest relative strength in a penalty, in (0, 1]: penalties are at most `λ / floor`.
    pub floor: f64,
    /// Number of regulators of a target that enter the refits, the strongest of the first fit.
    pub most: usize,
}

impl Default for AdaptiveRidge {
    fn default() -> Self {
        Self { penalty: 0.3, rounds: 4, floor: 0.05, most: 30 }
    }
}

/// Contribution of each of R regulators to each of G targets in a fitted regression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Components {
    /// Standard deviation of each regulator's component, `(R, G)`, for a target of unit variance.
    pub(crate) strength: Array2<f64>,
    /// Covariance of each component with the regulator's shapes, summed over shapes, `(R, G)`. Its
    /// sign is the sign of the regulator's effect.
    pub(crate) slope: Array2<f64>,
}

/// Moments together with the solutions that the first fits of all targets share.
struct Shared<'a> {
    moments: &'a LaggedMoments,
    /// `(A + λ I)⁻¹` times the correlations with later shapes, `(RF, LG)`.
    of_later: Array2<f64>,
    /// `(A + λ I)⁻¹` times the correlations with each gene's own earlier shapes, `(RF, GF)`; `None`
    /// if every gene is a regulator.
    of_own: Option<Array2<f64>>,
}

impl AdaptiveRidge {
    /// Fits all targets and returns the components, one entry for each later shape. Returns `None`
    /// if the moments are not finite.
    ///
    /// The earlier expression of a target is always a predictor: a regulator is among the
    /// predictors anyway, and any other gene is added. Time `O((RF)² (RF + LG + GF))` for the
    /// first fits, and `(F · most)³ / 3` for each refit of each target and later shape.
    pub(crate) fn solve(&self, moments: &LaggedMoments) -> Option<Vec<Components>> {
        self.solve_for(moments, &(0..moments.n_genes).collect::<Vec<_>>())
    }

    /// As [`AdaptiveRidge::solve`], for the genes `targets`; the columns of other genes are 0.
    pub(crate) fn solve_for(
        &self,
        moments: &LaggedMoments,
        targets: &[usize],
    ) -> Option<Vec<Components>> {
        let mut system = moments.regulators.clone();
        system.diag_mut().mapv_inplace(|value| value + self.penalty);
        let inverse = Cholesky::new(system.view())?.inverse();
        let all_regulate = moments.regulator_genes.len() == moments.n_genes;
        let of_own = (!all_regulate).then(|| product(inverse.view(), moments.own.view()));
        let of_later = product(inverse.view(), moments.later.view());
        let shared = Shared { moments, of_later, of_own };
        let n_later = moments.later.ncols() / moments.n_genes.max(1);
        (0..n_later).map(|later| self.of_shape(&shared, targets, later)).collect()
    }

    /// Fits later shape number `later` of the genes `targets`, in parallel over genes.
    fn of_shape(&self, shared: &Shared<'_>, targets: &[usize], later: usize) -> Option<Components> {
        let moments = shared.moments;
        let columns: Vec<(Array1<f64>, Array1<f64>)> = targets
            .par_iter()
            .map(|&target| self.column(shared, target, later))
            .collect::<Option<_>>()?;
        let shape = (moments.regulator_genes.len(), moments.n_genes);
        let (mut strength, mut slope) = (Array2::zeros(shape), Array2::zeros(shape));
        for (&target, column) in targets.iter().zip(&columns) {
            strength.column_mut(target).assign(&column.0);
            slope.column_mut(target).assign(&column.1);
        }
        Some(Components { strength, slope })
    }

    /// Strength and slope of every regulator of one target: the first fit of all regulators, then
    /// the refits of the strongest ones.
    fn column(
        &self,
        shared: &Shared<'_>,
        target: usize,
        later: usize,
    ) -> Option<(Array1<f64>, Array1<f64>)> {
        let moments = shared.moments;
        let n_regulators = moments.regulator_genes.len();
        let first = shared.first_fit(target, later, self.penalty)?;
        let everyone: Vec<usize> = (0..n_regulators).collect();
        let whole = Group { moments, target, regulators: &everyone };
        let (mut strength, own) = whole.strengths(&first);
        let mut slope = whole.slopes(&first);
        if self.rounds == 0 {
            return Some((strength, slope));
        }
        let mut order = everyone.clone();
        order.sort_by(|&a, &b| strength[b].total_cmp(&strength[a]).then(a.cmp(&b)));
        order.truncate(self.most.max(1));
        order.sort_unstable();
        let few = Group { moments, target, regulators: &order };
        let mut few_strength = order.iter().map(|&r| strength[r]).collect::<Array1<f64>>();
        let mut few_own = own;
        let (system, right) = few.system(later);
        let mut x = Array1::zeros(right.len());
        for _ in 0..self.rounds {
            let mut penalised = system.clone();
            let penalties = self.penalties(&few_strength, few_own);
            let f = moments.n_shapes;
            for (place, value) in penalised.diag_mut().iter_mut().enumerate() {
                *value += penalties[place / f];
            }
            x = Cholesky::new(penalised.view())?.solve(right.view());
            (few_strength, few_own) = few.strengths(&x);
        }
        let slopes = few.slopes(&x);
        strength *= self.floor;
        for (place, &r) in order.iter().enumerate() {
            (strength[r], slope[r]) = (few_strength[place], slopes[place]);
        }
        Some((strength, slope))
    }

    /// Penalties from the strengths of the previous fit: one for each regulator, then one for the
    /// target's own earlier expression of strength `own`.
    fn penalties(&self, strength: &Array1<f64>, own: f64) -> Vec<f64> {
        let most = strength.fold(own, |a, b| a.max(*b)).max(1e-12);
        let penalty = |s: &f64| self.penalty / (s / most).max(self.floor);
        strength.iter().chain(std::iter::once(&own)).map(penalty).collect()
    }
}

impl Shared<'_> {
    /// `(A_t + λ I)⁻¹ b` for one target, from the shared inverse and a Schur complement for the
    /// target's own earlier shapes. This costs `O(RF · F)` instead of a factorisation.
    fn first_fit(&self, target: usize, later: usize, penalty: f64) -> Option<Array1<f64>> {
        let (moments, f) = (self.moments, self.moments.n_shapes);
        let x = self.of_later.column(later * moments.n_genes + target);
        let of_own = match &self.of_own {
            Some(of_own) if moments.regulator_genes.binary_search(&target).is_err() => of_own,
            _ => return Some(x.to_owned()),
        };
        let span = target * f..(target + 1) * f;
        let across = moments.own.slice(s![.., span.clone()]);
        let solved = of_own.slice(s![.., span.clone()]);
        let mut rest = &moments.own_among.slice(s![span.clone(), ..]) - &across.t().dot(&solved);
        rest.diag_mut().mapv_inplace(|value| value + penalty);
        let right = &moments.own_later.slice(s![span, later]) - &across.t().dot(&x);
        let own = Cholesky::new(rest.view())?.solve(right.view());
        let mut all = Array1::zeros(x.len() + f);
        all.slice_mut(s![..x.len()]).assign(&(&x - &solved.dot(&own)));
        all.slice_mut(s![x.len()..]).assign(&own);
        Some(all)
    }
}

/// The regression of one target on some `regulators`, and on its own earlier shapes unless the
/// target is itself a regulator.
struct Group<'a> {
    moments: &'a LaggedMoments,
    target: usize,
    regulators: &'a [usize],
}

impl Group<'_> {
    /// Whether the target's own earlier shapes are added as predictors.
    fn brings_own(&self) -> bool {
        self.moments.regulator_genes.binary_search(&self.target).is_err()
    }

    /// The normal equations `A x = b` without penalties. Rows are the shapes of the regulators in
    /// order, then the target's own earlier shapes.
    fn system(&self, later: usize) -> (Array2<f64>, Array1<f64>) {
        let (moments, f) = (self.moments, self.moments.n_shapes);
        let n_shared = self.regulators.len() * f;
        let size = n_shared + if self.brings_own() { f } else { 0 };
        let rows: Vec<usize> = self.regulators.iter().flat_map(|r| r * f..(r + 1) * f).collect();
        let column = later * moments.n_genes + self.target;
        let own = self.target * f;
        let system =
            Array2::from_shape_fn((size, size), |(i, j)| match (rows.get(i), rows.get(j)) {
                (Some(&a), Some(&b)) => moments.regulators[[a, b]],
                (Some(&a), None) => moments.own[[a, own + j - n_shared]],
                (None, Some(&b)) => moments.own[[b, own + i - n_shared]],
                (None, None) => moments.own_among[[own + i - n_shared, j - n_shared]],
            });
        let right = (0..size).map(|i| match rows.get(i) {
            Some(&a) => moments.later[[a, column]],
            None => moments.own_later[[own + i - n_shared, later]],
        });
        (system, right.collect())
    }

    /// Standard deviations `√(xᵀ A_gg x)` of the fitted components of each regulator, and of the
    /// target's own earlier shapes (0 if they are no predictors of their own).
    fn strengths(&self, x: &Array1<f64>) -> (Array1<f64>, f64) {
        let (moments, f) = (self.moments, self.moments.n_shapes);
        let deviation = |among: ArrayView2<'_, f64>, b: ArrayView1<'_, f64>| {
            let square: f64 = b
                .iter()
                .zip(among.rows())
                .map(|(value, row)| {
                    value * row.iter().zip(b).map(|(a, other)| a * other).sum::<f64>()
                })
                .sum();
            square.max(0.0).sqrt()
        };
        let of_regulators = self.regulators.iter().enumerate().map(|(place, &r)| {
            let span = r * f..(r + 1) * f;
            let among = moments.regulators.slice(s![span.clone(), span]);
            deviation(among, x.slice(s![place * f..(place + 1) * f]))
        });
        let own = if self.brings_own() {
            let among = moments.own_among.slice(s![self.target * f..(self.target + 1) * f, ..]);
            deviation(among, x.slice(s![self.regulators.len() * f..]))
        } else {
            0.0
        };
        (of_regulators.collect(), own)
    }

    /// Covariance of each fitted component with the shapes of its regulator, summed over shapes.
    fn slopes(&self, x: &Array1<f64>) -> Array1<f64> {
        let (moments, f) = (self.moments, self.moments.n_shapes);
        let of_regulators = self.regulators.iter().enumerate().map(|(place, &r)| {
            let among = moments.regulators.slice(s![r * f..(r + 1) * f, r * f..(r + 1) * f]);
            let b = x.slice(s![place * f..(place + 1) * f]);
            among
                .rows()
                .into_iter()
                .map(|row| row.iter().zip(b).map(|(a, b)| a * b).sum::<f64>())
                .sum()
        });
        of_regulators.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::Coupling;
    use crate::grn::expression::Expression;
    use crate::grn::moments::Shapes;
    use crate::grn::step::Step;

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
        let coupling = Coupling::new(100, 100, (0..100).map(|i| (i, i, 0.01))).unwrap();
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
            AdaptiveRidge { penalty: 0.01, rounds: 2, floor: 0.2, ..Default::default() },
        ] {
            for later in 0..2 {
                let ours = &ridge.solve(&moments).unwrap()[later];
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
    fn with_many_regulators_only_the_strongest_are_fitted_again() {
        // Twelve regulators; later gene 11 follows genes 2 and 5.
        let mut values = Array2::from_shape_fn((600, 12), |(i, j)| {
            ((i + 1) as f32 * [0.618_034, 0.414_214, 0.302_776][j % 3] * (j + 1) as f32).fract()
        });
        for i in 0..300 {
            values[[300 + i, 11]] = values[[i, 2]] - 0.7 * values[[i, 5]];
        }
        let all: Vec<usize> = (0..12).collect();
        let expression = Expression::new(values, &all).unwrap();
        let coupling = Coupling::new(300, 300, (0..300).map(|i| (i, i, 1.0 / 300.0))).unwrap();
        let step = Step { sources: (0..300).collect(), targets: (300..600).collect(), coupling };
        let shapes = Shapes { earlier: &[0, 1, 2], later: &[3] };
        let moments = LaggedMoments::of(&expression, &[step], shapes);
        let of = |ridge: AdaptiveRidge| ridge.solve(&moments).unwrap().remove(0);
        let (whole, few) =
            (of(AdaptiveRidge::default()), of(AdaptiveRidge { most: 4, ..Default::default() }));
        for r in [2, 5] {
            let (a, b) = (whole.strength[[r, 11]], few.strength[[r, 11]]);
            assert!((a / b - 1.0).abs() < 0.05, "{a} {b}");
        }
        let first = of(AdaptiveRidge { rounds: 0, ..Default::default() });
        let mut order: Vec<usize> = all.clone();
        order.sort_by(|&a, &b| first.strength[[b, 11]].total_cmp(&first.strength[[a, 11]]));
        for &r in &order[4..] {
            let ratio = few.strength[[r, 11]] / first.strength[[r, 11]];
            assert!((ratio - 0.05).abs() < 1e-9, "{ratio}");
            assert!((few.slope[[r, 11]] - first.slope[[r, 11]]).abs() < 1e-12);
        }
    }

    #[test]
    fn the_planted_regulators_stand_out_with_their_signs() {
        let found = &AdaptiveRidge::default().solve(&moments()).unwrap()[1];
        let strength = &found.strength;
        assert!(strength[[0, 1]] > 3.0 * strength[[1, 1]] && found.slope[[0, 1]] < 0.0);
        assert!(strength[[2, 3]] > 3.0 * strength[[0, 3]] && found.slope[[2, 3]] > 0.0);
    }
}
