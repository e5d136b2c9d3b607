//! The kernel in blocks against the kernel written out, for points, for any cost, and with clones.

use ndarray::Array1;

use super::*;
use crate::geometry::SquaredEuclidean;
use crate::linalg::log_sum_exp;

/// Sizes that are cut into several blocks both ways.
fn cells() -> (Array2<f64>, Array2<f64>) {
    let wave = |n: usize, f: f64| {
        Array2::from_shape_fn((n, 3), |(i, d)| (f * (i * 3 + d) as f64).sin() * 2.0)
    };
    (wave(150, 1.3), wave(1_100, 0.7))
}

fn values(n: usize) -> Vec<f64> {
    (0..n).map(|i| (0.9 * i as f64).cos()).collect()
}

/// `−½‖x−y‖²/ε` written out.
fn log_kernel(x: &Array2<f64>, y: &Array2<f64>, epsilon: f64) -> Array2<f64> {
    Array2::from_shape_fn((x.nrows(), y.nrows()), |(i, j)| {
        let apart = &x.row(i) - &y.row(j);
        -0.5 * apart.dot(&apart) / epsilon
    })
}

#[test]
fn sums_over_blocks_are_those_over_all_pairs_from_points_and_from_costs() {
    let (x, y) = cells();
    let (epsilon, phi, gamma) = (0.2, values(150), values(1_100));
    let logs = log_kernel(&x, &y, epsilon);
    let cost = SquaredEuclidean::new(x.view(), y.view()).unwrap();
    let from_points = DenseKernel::points(x.view(), y.view(), epsilon);
    for kernel in [from_points, DenseKernel::Cost { cost: &cost, epsilon }] {
        let rows = kernel.log_sums(Side::Source, &gamma);
        let columns = kernel.log_sums(Side::Target, &phi);
        for (i, sum) in rows.iter().enumerate() {
            let direct = log_sum_exp(&(&logs.row(i) + &Array1::from(gamma.clone())).to_vec());
            // Exponents up to 60 with 1e-16 each.
            assert!((sum - direct).abs() < 1e-13);
        }
        for (j, sum) in columns.iter().enumerate() {
            let direct = log_sum_exp(&(&logs.column(j) + &Array1::from(phi.clone())).to_vec());
            assert!((sum - direct).abs() < 1e-13);
        }
        let both = Both { source: phi.clone(), target: gamma.clone() };
        let plan =
            Array2::from_shape_fn(logs.dim(), |at| (logs[at] + phi[at.0] + gamma[at.1]).exp());
        let found = kernel.plan(&both).times(Side::Source, &gamma);
        let direct = plan.dot(&Array1::from(gamma.clone()));
        assert!(direct.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-12));
        let found = kernel.plan(&both).times(Side::Target, &phi);
        let direct = plan.t().dot(&Array1::from(phi.clone()));
        assert!(direct.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-12));
        let sums = kernel.marginals(&both);
        let off = plan.sum_axis(Axis(1)) - Array1::from(sums.source);
        assert!(off.iter().all(|off| off.abs() < 1e-12));
        let off = plan.sum_axis(Axis(0)) - Array1::from(sums.target);
        assert!(off.iter().all(|off| off.abs() < 1e-12));
        let off = kernel.means(Side::Source, &both, y.view()) - plan.dot(&y);
        assert!(off.iter().all(|off| off.abs() < 1e-11));
    }
}

#[test]
fn cells_are_chosen_where_the_sum_passes_the_level() {
    let (x, y) = cells();
    let kernel = DenseKernel::points(x.view(), y.view(), 0.5);
    let target = values(1_100);
    let source: Vec<f64> = kernel.log_sums(Side::Source, &target).iter().map(|sum| -sum).collect();
    let levels: Vec<f64> = (0..150).map(|i| i as f64 / 149.0).collect();
    let both = Both { source, target };
    let chosen = kernel.choose(&both, &levels);
    let logs = log_kernel(&x, &y, 0.5);
    for (i, &j) in chosen.iter().enumerate() {
        let upto = |end: usize| -> f64 {
            (0..end).map(|j| (logs[[i, j]] + both.source[i] + both.target[j]).exp()).sum()
        };
        assert!(upto(j) <= levels[i] + 1e-12, "{i}");
        assert!(upto(j + 1) > levels[i] - 1e-12 || i == 149, "{i}");
    }
}

#[test]
fn pairs_above_a_level_are_all_there_in_order_and_too_many_are_refused() {
    let (x, y) = cells();
    let kernel = DenseKernel::points(x.view(), y.view(), 0.2);
    let both = Both { source: values(150), target: values(1_100) };
    let logs = log_kernel(&x, &y, 0.2);
    let expected: Vec<(u32, u32)> = logs
        .indexed_iter()
        .filter(|((i, j), log)| *log + both.source[*i] + both.target[*j] >= -3.0)
        .map(|((i, j), _)| (i as u32, j as u32))
        .collect();
    let n = expected.len();
    let found = kernel.pairs_above(&both, -3.0, n).unwrap().concat();
    let pairs: Vec<(u32, u32)> = found.iter().map(|pair| (pair.source, pair.target)).collect();
    assert!(n > 1_000 && pairs == expected);
    for pair in found {
        let (i, j) = (pair.source as usize, pair.target as usize);
        assert!((pair.log - logs[[i, j]] - both.source[i] - both.target[j]).abs() < 1e-13);
    }
    assert!(kernel.pairs_above(&both, -3.0, n - 1).is_none());
}
