//! Principal components against scikit-learn (`data-samples/reference/pca.py`) and linfa.

use std::ops::ControlFlow;

use linfa::traits::Fit;
use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rand_distr::{Distribution, StandardNormal};
use sbcell::data::Matrix;
use sbcell::preprocess::{NPcs, Pca, PcaMethod, PcaSolver};
use sbcell::progress::{Event, Progress};
use sbcell::{Error, Seed, Silent};

use crate::matrices::{both, mix, sparse, table};

const METHODS: [PcaMethod; 4] =
    [PcaMethod::Auto, PcaMethod::Genes, PcaMethod::Cells, PcaMethod::Lanczos];

/// The matrix of the script: integer arithmetic and one correctly rounded root.
fn matrix(n_cells: u64, n_genes: u64) -> Array2<f32> {
    Array2::from_shape_fn((n_cells as usize, n_genes as usize), |(i, j)| {
        let (i, j) = (i as u64, j as u64);
        let z = mix(i * n_genes + j);
        let programme = j % 10;
        let level = (mix(7_000_000 + 10 * i + programme) % 32) * (14 - programme) / 2;
        if z % 1024 < 60 + level { ((1 + (z >> 10) % (2 + level)) as f32).sqrt() } else { 0.0 }
    })
}

fn fit(x: &Matrix, n_pcs: usize, method: PcaMethod) -> Pca {
    PcaSolver { n_pcs, method }.fit(x, Seed(7), &mut Silent).unwrap()
}

/// Sine of the largest angle between the spaces of orthonormal columns `a` and `b`: the norm of
/// what `a` leaves of `b`, at most the Frobenius norm, which is compared.
fn angle(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> f64 {
    let rest = &b - &a.dot(&a.t().dot(&b));
    rest.iter().map(|entry| entry * entry).sum::<f64>().sqrt()
}

fn compare(pca: &Pca, name: &str, label: &str) {
    let expected = table(&format!("pca_{name}_variance.csv"));
    let components = table(&format!("pca_{name}_components.csv"));
    let relative = |got: f64, expected: f64| (got / expected - 1.0).abs();
    let ratio = pca.explained_variance_ratio();
    for (i, row) in expected.rows().into_iter().enumerate() {
        assert!(relative(pca.explained_variance()[i], row[0]) < 1e-9, "{label} variance {i}");
        assert!(relative(ratio[i], row[1]) < 1e-9, "{label} ratio {i}");
        assert!(relative(pca.total_variance(), row[2]) < 1e-9, "{label} total");
        // Both single components and the space of the first ones; signs may differ.
        let (own, theirs) =
            (pca.loadings().slice_move(s![.., i..=i]), components.slice(s![i..=i, ..]));
        assert!(angle(own, theirs.t()) < 1e-5, "{label} component {i}");
    }
    let n = expected.nrows();
    assert!(angle(pca.loadings().slice(s![.., ..n]), components.t()) < 1e-5, "{label}");
}

#[test]
fn every_method_agrees_with_scikit_learn_sparse_and_dense() {
    for (name, n_cells, n_genes) in [("tall", 300, 120), ("wide", 60, 150)] {
        for x in both(&matrix(n_cells, n_genes)) {
            for method in METHODS {
                let kind = if matches!(x, Matrix::Dense(_)) { "dense" } else { "sparse" };
                compare(&fit(&x, 10, method), name, &format!("{name} {kind} {method:?}"));
            }
        }
    }
}

#[test]
fn large_means_do_not_spoil_the_sparse_gram_matrix() {
    // Means of 1 000 and variances below 1, in all genes or (few enough stored values for the
    // sparse way) in each fifth: the worst case of centring afterwards. Dense centres before.
    let all = matrix(300, 120).mapv(|value| value / 16.0 + 1000.0);
    let mut fifth = all.clone();
    (0..120).filter(|j| j % 5 > 0).for_each(|j| fifth.column_mut(j).fill(0.0));
    for x in [all, fifth] {
        let reference = fit(&Matrix::Dense(x.clone()), 10, PcaMethod::Genes);
        for method in METHODS {
            let pca = fit(&sparse(&x), 10, method);
            let error = &pca.explained_variance() / &reference.explained_variance() - 1.0;
            assert!(error.iter().all(|error| error.abs() < 1e-6), "{method:?} {error}");
            assert!((pca.total_variance() / reference.total_variance() - 1.0).abs() < 1e-6);
            assert!(angle(pca.loadings(), reference.loadings()) < 1e-3, "{method:?}");
        }
    }
}

#[test]
fn agrees_with_linfa_up_to_its_denominator() {
    let x = matrix(300, 120);
    let pca = fit(&sparse(&x), 5, PcaMethod::Auto);
    let flat = x.iter().map(|&value| f64::from(value)).collect();
    let records = ndarray_of_linfa::Array2::from_shape_vec((300, 120), flat).unwrap();
    let theirs = linfa_reduction::Pca::params(5).fit(&linfa::DatasetBase::from(records)).unwrap();
    let components = Array2::from_shape_fn((120, 5), |(j, k)| theirs.components()[[k, j]]);
    assert!(angle(pca.loadings(), components.view()) < 1e-3);
    for (sigma, variance) in theirs.singular_values().iter().zip(pca.explained_variance()) {
        assert!((sigma * sigma / 299.0 / variance - 1.0).abs() < 1e-5);
    }
    for (mean, own) in theirs.mean().iter().zip(pca.mean()) {
        assert!((mean - own).abs() < 1e-12);
    }
}

#[test]
fn coordinates_have_the_explained_variance_and_lead_back_to_genes() {
    let x = matrix(60, 150);
    let dense = x.mapv(f64::from);
    for matrix in both(&x) {
        for method in METHODS {
            // All 59 directions: nothing is lost. Lanczos needs room and takes fewer.
            let n_pcs = if method == PcaMethod::Lanczos { 30 } else { 100 };
            let pca = fit(&matrix, n_pcs, method);
            assert_eq!(pca.n_pcs(), n_pcs.min(59));
            let points = pca.transform(&matrix).unwrap();
            assert!(points.mean_axis(Axis(0)).unwrap().iter().all(|mean| mean.abs() < 1e-9));
            let variance = points.var_axis(Axis(0), 1.0);
            let error = &variance / &pca.explained_variance() - 1.0;
            assert!(error.iter().all(|error| error.abs() < 1e-8), "{method:?} {error}");
            if n_pcs == 100 {
                let back = pca.inverse(points.view()).unwrap() - &dense;
                assert!(back.iter().all(|error| error.abs() < 1e-8), "{method:?}");
                assert!((pca.explained_variance_ratio().sum() - 1.0).abs() < 1e-10);
            }
        }
    }
}

#[test]
fn components_beyond_the_rank_are_left_out() {
    // Three directions in forty genes, six of them constant.
    let x = Array2::from_shape_fn((80, 40), |(i, j)| match j {
        0..6 => 2.0,
        _ => ((i % 5) * j % 7 + (i % 3) * (j % 4) + (i % 2) * (j % 9)) as f32,
    });
    for matrix in both(&x) {
        for method in [PcaMethod::Auto, PcaMethod::Genes, PcaMethod::Cells] {
            let pca = fit(&matrix, 35, method);
            let rank = pca.n_pcs();
            assert!(rank <= 7, "{method:?} {rank}");
            assert!((pca.explained_variance().sum() / pca.total_variance() - 1.0).abs() < 1e-9);
            assert!(pca.loadings().slice(s![..6, ..]).iter().all(|entry| entry.abs() < 1e-9));
        }
    }
}

#[test]
fn a_gram_matrix_that_is_large_enough_for_lanczos_gives_the_same() {
    let x = matrix(700, 500);
    let by_lanczos = fit(&sparse(&x), 20, PcaMethod::Genes);
    // With this many components the full decomposition is used.
    let full = fit(&sparse(&x), 200, PcaMethod::Genes);
    let error = &by_lanczos.explained_variance() / &full.explained_variance().slice(s![..20]) - 1.0;
    assert!(error.iter().all(|error| error.abs() < 1e-10), "{error}");
    assert!(angle(by_lanczos.loadings(), full.loadings().slice(s![.., ..20])) < 1e-5);
    let on_the_fly = fit(&sparse(&x), 20, PcaMethod::Lanczos);
    let error = &on_the_fly.explained_variance() / &by_lanczos.explained_variance() - 1.0;
    assert!(error.iter().all(|error| error.abs() < 1e-9), "{error}");
}

#[test]
fn signs_do_not_depend_on_the_order_of_cells() {
    let x = matrix(300, 120);
    let order: Vec<usize> = (0..300).map(|i| i * 7 % 300).collect();
    let shuffled = x.select(Axis(0), &order);
    for method in METHODS {
        let (a, b) = (fit(&sparse(&x), 10, method), fit(&sparse(&shuffled), 10, method));
        let apart = (&a.loadings() - &b.loadings()).mapv(f64::abs);
        assert!(apart.iter().all(|apart| *apart < 1e-5), "{method:?}");
    }
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let x = matrix(1500, 450);
    for matrix in both(&x) {
        for method in METHODS {
            let run = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    let pca = fit(&matrix, 8, method);
                    let points = pca.transform(&matrix).unwrap();
                    (pca, points)
                })
            };
            let (one, two, five) = (run(1), run(2), run(5));
            assert!(one == two && one == five, "{method:?}");
        }
    }
}

/// Stops at the given event, and remembers what it was told.
struct Listener {
    stop_at: usize,
    events: Vec<Event>,
}

impl Progress for Listener {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        self.events.push(event.clone());
        if self.events.len() > self.stop_at {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

#[test]
fn tells_of_the_cap_and_stops_when_asked_to() {
    let x = sparse(&matrix(60, 150));
    let mut listener = Listener { stop_at: usize::MAX, events: Vec::new() };
    PcaSolver { n_pcs: 70, ..Default::default() }.fit(&x, Seed(0), &mut listener).unwrap();
    let text = "59 principal components, not 70: the others have no variance".to_string();
    assert!(listener.events.contains(&Event::Note { text }), "{:?}", listener.events);
    for method in METHODS {
        for stop_at in 0..2 {
            let mut listener = Listener { stop_at, events: Vec::new() };
            let solver = PcaSolver { n_pcs: 10, method };
            let error = solver.fit(&x, Seed(0), &mut listener).unwrap_err();
            assert!(matches!(error, Error::Cancelled), "{method:?}");
        }
    }
}

#[test]
fn refuses_what_has_no_components_and_parts_that_contradict_each_other() {
    let solve = |x: Array2<f32>, n_pcs| {
        PcaSolver { n_pcs, ..Default::default() }.fit(&Matrix::Dense(x), Seed(0), &mut Silent)
    };
    assert!(solve(matrix(20, 10), 0).is_err());
    assert!(solve(matrix(1, 10), 2).is_err());
    assert!(solve(Array2::from_elem((20, 10), 0.1), 2).is_err());
    assert!(solve(Array2::zeros((20, 0)), 2).is_err());
    let mut broken = matrix(20, 10);
    broken[[3, 4]] = f32::NAN;
    assert!(solve(broken, 2).unwrap_err().to_string().contains("NaN in cell 3"));

    let pca = fit(&Matrix::Dense(matrix(20, 10)), 3, PcaMethod::Auto);
    let build = |mean: Array1<f64>, loadings: Array2<f64>, variance: Array1<f64>, total| {
        Pca::new(mean, loadings, variance, total)
    };
    let parts =
        || (pca.mean().to_owned(), pca.loadings().to_owned(), pca.explained_variance().to_owned());
    let (mean, loadings, variance) = parts();
    let total = pca.total_variance();
    assert_eq!(build(mean.clone(), loadings.clone(), variance.clone(), total).unwrap(), pca);
    assert!(
        build(mean.slice(s![1..]).to_owned(), loadings.clone(), variance.clone(), total).is_err()
    );
    assert!(build(mean.clone(), &loadings * 1.1, variance.clone(), total).is_err());
    assert!(build(mean.clone(), loadings.clone(), -&variance, total).is_err());
    assert!(build(mean.clone(), loadings.clone(), variance.clone(), f64::NAN).is_err());
    assert!(build(mean, loadings, variance, total / 100.0).is_err());
    assert!(pca.transform(&Matrix::Dense(matrix(20, 11))).is_err());
    assert!(pca.inverse(Array2::zeros((2, 4)).view()).is_err());
}

/// A planted rank in noise that differs between genes by a factor of 100 in variance.
fn planted(n_cells: usize, n_genes: usize, rank: usize) -> Array2<f32> {
    let mut rng = Seed(3).stream("test", 0);
    let mut normal = |rows, columns| -> Array2<f64> {
        Array2::from_shape_simple_fn((rows, columns), || StandardNormal.sample(&mut rng))
    };
    let signal = normal(n_cells, rank).dot(&normal(rank, n_genes)) * 0.6;
    let noise = normal(n_cells, n_genes);
    Array2::from_shape_fn((n_cells, n_genes), |(i, j)| {
        let size = 10.0_f64.powf(j as f64 / n_genes as f64);
        ((signal[[i, j]] + noise[[i, j]]) * size + 5.0) as f32
    })
}

#[test]
fn components_above_the_noise_edge_are_those_that_were_planted() {
    let auto = |x: &Matrix, method| {
        let solver = PcaSolver { method, ..PcaSolver::default() };
        let (pca, scree) = solver.fit_number(x, NPcs::Auto, Seed(1), &mut Silent).unwrap();
        let scree = scree.unwrap();
        assert_eq!(scree.eigenvalues.len(), NPcs::MOST);
        assert_eq!(scree.n_above().max(NPcs::FEWEST), pca.n_pcs(), "{method:?}");
        pca
    };
    // More cells than genes, and fewer; every method counts the same.
    for (n_cells, n_genes) in [(500, 220), (220, 500)] {
        for rank in [3, 7] {
            let dense = planted(n_cells, n_genes, rank);
            let matrices = both(&dense);
            for x in &matrices {
                for method in [PcaMethod::Genes, PcaMethod::Cells, PcaMethod::Lanczos] {
                    let found = auto(x, method);
                    assert_eq!(found.n_pcs(), rank, "{n_cells} × {n_genes} {method:?}");
                }
            }
            // The first of as many as are asked for.
            let five = PcaSolver::default()
                .fit_number(&matrices[0], NPcs::Is(5), Seed(1), &mut Silent)
                .unwrap()
                .0;
            let first = auto(&matrices[0], PcaMethod::Auto);
            let n = five.n_pcs().min(first.n_pcs());
            let variances = |pca: &Pca| pca.explained_variance().to_vec()[..n].to_vec();
            let near = |(a, b): (&f64, &f64)| (a / b - 1.0).abs() < 1e-6;
            assert!(variances(&five).iter().zip(&variances(&first)).all(near));
        }
    }
    // Nothing but noise: the smallest number. A gene that does not vary takes no part.
    let mut noise = planted(500, 220, 0);
    noise.column_mut(7).fill(1.0);
    assert_eq!(auto(&Matrix::Dense(noise), PcaMethod::Auto).n_pcs(), NPcs::FEWEST);
}
