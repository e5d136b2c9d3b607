//! The Sinkhorn bridge between cells drawn from laws whose bridge is known.

use ndarray::{Array2, ArrayView1, Axis, s};
use sbcell::bridge::{Bridge, SinkhornBridge, SinkhornSolver, UnitTime};
use sbcell::{Seed, Silent};

use crate::answers::{gaussian_pairs, matrix, table};
use crate::support::{at, centred, covariance, normal, problem};

fn solved(x: &Array2<f64>, y: &Array2<f64>, epsilon: f64) -> SinkhornBridge {
    SinkhornSolver::default().fit(&problem(x, y, epsilon), &mut Silent).unwrap().0
}

/// `L` with `L Lᵀ = a`.
fn cholesky(a: &Array2<f64>) -> Array2<f64> {
    let mut l = Array2::<f64>::zeros(a.dim());
    for i in 0..a.nrows() {
        for j in 0..=i {
            let rest = a[[i, j]] - l.slice(s![i, ..j]).dot(&l.slice(s![j, ..j]));
            l[[i, j]] = if i == j { rest.sqrt() } else { rest / l[[j, j]] };
        }
    }
    l
}

/// Cells whose mean and covariance are exactly those asked for: what is left of the sampling
/// error is that of the shape.
fn cells(mean: &[f64], spread: &[Vec<f64>], n: usize, seed: u64) -> Array2<f64> {
    let mut white = centred(&normal(n, mean.len(), seed));
    let own = cholesky(&covariance(&white, &white));
    // Whitened by forward substitution with the samples' own root.
    for mut row in white.rows_mut() {
        for d in 0..row.len() {
            let rest = row[d] - own.slice(s![d, ..d]).dot(&row.slice(s![..d]));
            row[d] = rest / own[[d, d]];
        }
    }
    white.dot(&cholesky(&matrix(spread)).t()) + ArrayView1::from(mean)
}

/// The plan of a sample leans towards its cells: more so with less noise in more dimensions,
/// where cells have few neighbours within √ε. Pairs of which that is the case are left out.
#[test]
fn gaussian_bridges_are_found_from_cells() {
    let pairs = gaussian_pairs();
    let n = 1_500;
    for pair in &pairs {
        let (x, y) = (cells(&pair.m0, &pair.S0, n, 1), cells(&pair.m1, &pair.S1, n, 2));
        let bridge = solved(&x, &y, pair.eps);
        let half = at(0.5);
        let mid = bridge.sample_transition(x.view(), UnitTime::START, half, Seed(3)).unwrap();
        let means = bridge.conditional_mean(x.view()).unwrap();
        let scale =
            matrix(&pair.S0).diag().sum().max(matrix(&pair.S1).diag().sum()) / pair.dim as f64;
        let off = |a: &Array2<f64>, b: &Array2<f64>| {
            (a - b).iter().fold(0.0, |m: f64, v| m.max(v.abs())) / scale
        };
        let cross = off(&covariance(&x, &means), &matrix(&pair.C_cross_cov));
        let spread = off(&covariance(&mid, &mid), &matrix(&pair.bridge_mid_cov));
        let mean = mid.mean_axis(Axis(0)).unwrap().insert_axis(Axis(0));
        let mean = off(&mean, &matrix(std::slice::from_ref(&pair.bridge_mid_mean)));
        println!(
            "dim {}, ε = {}: cross-covariance {cross:.3}, midpoint {spread:.3}, mean {mean:.3}",
            pair.dim, pair.eps
        );
        // Standard errors of variances of the draws and of means, times four for the largest of
        // many; the samples' own means and covariances are exact. Measured: at most 0.04, 0.1
        // and 0.05, the cross-covariance from the lean of the plan.
        let widest = matrix(&pair.bridge_mid_cov).diag().iter().fold(0.0, |m: f64, v| m.max(*v));
        let n = n as f64;
        if pair.dim <= 5 || pair.eps > 1.0 {
            assert!(cross < 0.06, "{cross}");
            assert!(spread < 0.04 + 4.0 * (2.0 / n).sqrt() * widest / scale, "{spread}");
            assert!(mean < 4.0 * (widest / n).sqrt() / scale, "{mean}");
        }
    }
}

#[test]
fn mixture_bridges_are_found_from_unpaired_cells() {
    // Errors of 2 000 cells, measured, with a margin of about 1.5.
    for (name, dim, epsilon, most) in [
        ("dim2_eps0.1", 2, 0.1, [0.09, 0.39, 0.4]),
        ("dim2_eps1", 2, 1.0, [0.11, 0.18, 0.12]),
        ("dim2_eps10", 2, 10.0, [0.07, 0.09, 0.07]),
        ("dim5_eps1", 5, 1.0, [0.08, 0.12, 0.21]),
    ] {
        let samples = table(name, "samples");
        let answers = table(name, "answers");
        let block = |from: usize| answers.slice(s![.., from * dim..(from + 1) * dim]).to_owned();
        let (q, mean, drift) = (block(0), block(1), block(2));
        let x = samples.slice(s![.., ..dim]).to_owned();
        let y = samples.slice(s![.., dim..]).to_owned();
        let bridge = solved(&x, &y, epsilon);
        let square = |x: &Array2<f64>| (x * x).sum();
        let relative = |found: &Array2<f64>, truth: &Array2<f64>| {
            let around = truth - &truth.mean_axis(Axis(0)).unwrap();
            (square(&(found - truth)) / square(&around)).sqrt()
        };
        let found = bridge.conditional_mean(q.view()).unwrap();
        let half = at(0.5);
        let drifts = bridge.drift(q.view(), half).unwrap();
        let errors = [
            relative(&found, &mean),
            relative(&(&found - &q), &(&mean - &q)),
            relative(&drifts, &drift),
        ];
        println!("{name}: means, drift at 0, drift at ½: {errors:.3?}");
        assert!(errors.iter().zip(most).all(|(error, most)| *error < most), "{name}: {errors:?}");
    }
}
