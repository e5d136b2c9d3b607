//! LightSB against the published recipe: objective and CPU time on equal data.
//!
//! `cargo bench --bench lightsb` runs everything on a simulated pair of 7 000 cells × 50
//! dimensions (10 Gaussians, 10 000 Adam steps) and on the four intervals of the embryoid body
//! time course (100 Gaussians, 2 000 Adam steps); `-- ours` leaves the Adam runs out, and
//! `-- held-out` prints the objective on held-out cells for several numbers of Gaussians with
//! scalar, diagonal and full matrices and for what the solver chooses (`-- held-out chosen`:
//! only that). `-- matching` compares with LightSB-M, the same mixture fitted by matching the
//! drift, on one half of the cells and judged on both. `-- work` counts iterations and flops of
//! the comparison of sizes and of the fit, up to 60 000 cells a side and 1 000 dimensions.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench stops at the first surprise and prints what it finds"
)]

mod lightsb_matching;

use std::path::Path;
use std::time::Instant;

use lightsb_matching::{Matching, Pairing};
use ndarray::{Array1, Array2, Axis};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use sbcell::bridge::{BridgeProblem, Covariance, LightSbBridge, LightSbSolver, Mixture};
use sbcell::data::{Snapshot, TimeSeries};
use sbcell::io::h5ad::{H5ad, MatrixSource};
use sbcell::linalg::{exp_in_place, product, product_nt, softmax_rows};
use sbcell::pipeline::{FitOptions, select};
use sbcell::preprocess::PcaSolver;
use sbcell::{Epsilon, Seed, Silent};

/// Adam as published: `K` random target cells, `S = 0.1 I`, batches of 128, rate 1e-2.
struct PublishedRecipe {
    n_gaussians: usize,
    n_steps: usize,
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let asked = |word: &str| words.iter().any(|other| other == word);
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    one_thread.install(|| {
        if asked("held-out") {
            held_out(asked("chosen"));
            return;
        }
        if asked("work") {
            work();
            return;
        }
        if asked("matching") {
            lightsb_matching::check();
            matching();
            return;
        }
        println!("machine: {:.1} GFLOP/s in f64 products on one thread", 1e-9 * product_rate());
        println!("machine: {:.2} ns for one exp", 1e9 * exp_time());
        let pair = simulated(7_000, 50, Seed(0));
        compare("simulated 7000 × 50", &pair, 10, 10_000, !asked("ours"));
        compare("simulated 7000 × 50", &pair, 30, 0, false);
        let days = embryoid();
        for (i, days) in days.windows(2).enumerate() {
            let epsilon = Epsilon::new(0.1).unwrap();
            let pair = BridgeProblem::new(days[0].clone(), days[1].clone(), epsilon).unwrap();
            compare(&format!("embryoid {i} → {}", i + 1), &pair, 100, 2_000, !asked("ours"));
        }
    });
}

fn compare(name: &str, pair: &BridgeProblem, n_gaussians: usize, n_steps: usize, adam: bool) {
    let solver = LightSbSolver::default().with_n_gaussians(n_gaussians.into());
    let clock = CpuClock::start();
    let (bridge, report) = solver.fit(pair, Seed(0), &mut Silent).unwrap();
    let seconds = clock.seconds();
    let cells = (pair.source().n_cells() + pair.target().n_cells()) as f64;
    let flops = report.iterations as f64 * cells * (8 * n_gaussians * pair.dim()) as f64;
    println!(
        "{name}\n  ours  {:9.3} → {:9.3} nats, {:3} of {:3} live, {:4} iterations ({:?}), {:6.2} s, \
         {:.1} GFLOP/s in the descent",
        report.start_objective,
        report.objective,
        report.detail("n_live").unwrap(),
        report.detail("n_gaussians").unwrap(),
        report.iterations,
        report.stop,
        seconds,
        1e-9 * flops / seconds,
    );
    let single = LightSbSolver::default().with_n_gaussians(1.into());
    println!("  K = 1 {:9.3}", single.fit(pair, Seed(0), &mut Silent).unwrap().1.objective);
    assert!((bridge.objective(pair).unwrap() - report.objective).abs() < 1e-6);
    if adam {
        let clock = CpuClock::start();
        let other = PublishedRecipe { n_gaussians, n_steps }.fit(pair, Seed(0));
        let theirs = clock.seconds();
        println!(
            "  Adam              {:9.3} nats, {:3} of {:3} live, {n_steps} steps, {theirs:6.2} s, {:.1} times ours",
            other.objective(pair).unwrap(),
            live(&other, pair),
            n_gaussians,
            theirs / seconds,
        );
    }
}

/// Ours, the published recipe and LightSB-M fitted to one half of the cells: the objective on this
/// half and on the other, Gaussians alive, CPU seconds.
fn matching() {
    let epsilon = Epsilon::new(0.1).unwrap();
    let days = embryoid();
    let mut pairs = vec![("simulated 7000 × 50", simulated(7_000, 50, Seed(0)), 10, 10_000)];
    for (i, name) in [(0, "embryoid 0 → 1"), (2, "embryoid 2 → 3")] {
        let pair = BridgeProblem::new(days[i].clone(), days[i + 1].clone(), epsilon).unwrap();
        pairs.push((name, pair, 30, 10_000));
    }
    for (name, pair, n_gaussians, n_steps) in pairs {
        let (fitted, other) = (half(&pair, 0), half(&pair, 1));
        println!("{name}, K = {n_gaussians}, {n_steps} steps");
        let shown = |who: &str, fit: &dyn Fn() -> LightSbBridge| {
            let clock = CpuClock::start();
            let bridge = fit();
            let seconds = clock.seconds();
            println!(
                "  {who:22} {:9.3} nats, {:9.3} on the other half, {:3} live, {seconds:6.2} s",
                bridge.objective(&fitted).unwrap(),
                bridge.objective(&other).unwrap(),
                live(&bridge, &fitted),
            );
        };
        let ours = LightSbSolver::default().with_n_gaussians(n_gaussians.into());
        shown("ours", &|| ours.fit(&fitted, Seed(0), &mut Silent).unwrap().0);
        let published = PublishedRecipe { n_gaussians, n_steps };
        shown("LightSB, Adam", &|| published.fit(&fitted, Seed(0)));
        for pairing in [Pairing::Independent, Pairing::Minibatch] {
            let matching = Matching { n_gaussians, n_steps, pairing };
            let who = format!("LightSB-M, {pairing:?}");
            shown(&who, &|| matching.fit(&fitted, Seed(0)));
        }
    }
}

/// Iterations, flops and CPU seconds of fits: of chosen size on the sample courses and on simulated
/// pairs, and of ten Gaussians in 1 000 dimensions.
fn work() {
    let mut cases: Vec<(String, LightSbSolver, BridgeProblem)> = Vec::new();
    let epsilon = Epsilon::new(0.1).unwrap();
    for (name, days) in [("Semrau, 41 PCs", semrau(41)), ("embryoid, 5 PCs", embryoid())] {
        for (i, days) in days.windows(2).enumerate() {
            let pair = BridgeProblem::new(days[0].clone(), days[1].clone(), epsilon).unwrap();
            cases.push((format!("{name}, {i} → {}", i + 1), LightSbSolver::default(), pair));
        }
    }
    for n in [7_000, 60_000] {
        let pair = simulated(n, 50, Seed(1));
        cases.push((format!("simulated {n} × 50"), LightSbSolver::default(), pair));
    }
    let ten = LightSbSolver::default().with_n_gaussians(10.into());
    cases.push(("simulated 1500 × 1000, K = 10".into(), ten, simulated(1_500, 1_000, Seed(1))));
    for (name, solver, pair) in cases {
        let clock = CpuClock::start();
        let (bridge, report) = solver.fit(&pair, Seed(0), &mut Silent).unwrap();
        println!(
            "{name}: {:?} {}, {} iterations, {:.3} nats, Gflop compared {:.2}, fitted {:.2}, {:.2} s",
            bridge.mixture().covariance,
            bridge.mixture().n_gaussians(),
            report.iterations,
            report.objective,
            report.detail("compared_gflop").unwrap_or(0.0),
            report.detail("fitted_gflop").unwrap(),
            clock.seconds(),
        );
    }
}

/// The objective on the half of the cells that was not fitted, mean of both halves and of the
/// intervals of a course, with CPU seconds: for each kind of matrix and number of Gaussians, then
/// for what the solver chooses itself.
fn held_out(only_chosen: bool) {
    let days = |snapshots: &[Snapshot]| -> Vec<BridgeProblem> {
        let epsilon = Epsilon::new(0.1).unwrap();
        let pair = |pair: &[Snapshot]| {
            BridgeProblem::new(pair[0].clone(), pair[1].clone(), epsilon).unwrap()
        };
        snapshots.windows(2).map(pair).collect()
    };
    let mut courses: Vec<(String, Vec<BridgeProblem>)> = Vec::new();
    for (i, pair) in days(&embryoid()).into_iter().enumerate() {
        courses.push((format!("embryoid {i} → {}, 5 PCs", i + 1), vec![pair]));
    }
    for n_pcs in [2, 5, 10, 20, 40] {
        courses.push((format!("Semrau, {n_pcs} PCs"), days(&semrau(n_pcs))));
    }
    for (n, dim) in [(600, 5), (200, 10), (600, 20), (7_000, 5), (7_000, 20), (7_000, 40)] {
        courses.push((format!("simulated {n} × {dim}"), vec![simulated(n, dim, Seed(1))]));
    }
    for (name, pairs) in courses {
        println!("{name}");
        let kinds = [Covariance::Scalar, Covariance::Diagonal, Covariance::Full];
        for covariance in kinds.into_iter().filter(|_| !only_chosen) {
            print!("  {covariance:?}:");
            for n_gaussians in [1, 2, 5, 10, 20, 30, 50] {
                let solver = LightSbSolver::default()
                    .with_covariance(covariance.into())
                    .with_n_gaussians(n_gaussians.into());
                let (mean, seconds, _) = on_other_half(&solver, &pairs);
                print!(" K={n_gaussians} {mean:.2} ({seconds:.1} s)");
            }
            println!();
        }
        let (mean, seconds, sizes) = on_other_half(&LightSbSolver::default(), &pairs);
        println!("  chosen: {mean:.2} ({seconds:.1} s), {}", sizes.join(", "));
    }
}

/// Mean objective on the half not fitted, CPU seconds of all fits, and the sizes used.
fn on_other_half(solver: &LightSbSolver, pairs: &[BridgeProblem]) -> (f64, f64, Vec<String>) {
    let (mut total, mut sizes) = (0.0, Vec::new());
    let clock = CpuClock::start();
    for pair in pairs {
        for which in 0..2 {
            let (bridge, _) = solver.fit(&half(pair, which), Seed(0), &mut Silent).unwrap();
            total += bridge.objective(&half(pair, 1 - which)).unwrap();
            let mixture = bridge.mixture();
            sizes.push(format!("{:?} {}", mixture.covariance, mixture.n_gaussians()));
        }
    }
    (total / (2 * pairs.len()) as f64, clock.seconds(), sizes)
}

/// Snapshots of the Semrau course in principal components, divided by their mean deviation.
fn semrau(n_pcs: usize) -> Vec<Snapshot> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data-samples/semrau2017_mesc_ra.h5ad");
    let file = H5ad::open(Path::new(path)).unwrap();
    let selection = select(&file, &FitOptions::default(), &mut Silent).unwrap();
    let matrix = file.matrix_rows(&MatrixSource::X, &selection.rows, &mut Silent).unwrap();
    let solver = PcaSolver { n_pcs, ..Default::default() };
    let points = solver.fit(&matrix, Seed(0), &mut Silent).unwrap().transform(&matrix).unwrap();
    let scale = points.std_axis(Axis(0), 0.0).mean().unwrap();
    let series = TimeSeries::new((points / scale).view(), &selection.times).unwrap();
    series.snapshots().to_vec()
}

fn half(pair: &BridgeProblem, which: usize) -> BridgeProblem {
    let take = |snapshot: &Snapshot| {
        let rows: Vec<usize> = (which..snapshot.n_cells()).step_by(2).collect();
        Snapshot::new(snapshot.points().select(Axis(0), &rows)).unwrap()
    };
    BridgeProblem::new(take(pair.source()), take(pair.target()), pair.epsilon()).unwrap()
}

/// A mixture of eight Gaussians with the spectrum of principal components, and what a random
/// nonlinear map makes of other cells of the same mixture; divided by the mean deviation.
fn simulated(n_cells: usize, dim: usize, seed: Seed) -> BridgeProblem {
    let mut stream = seed.stream("bench/pair", 0);
    let spectrum: Array1<f64> =
        (0..dim).map(|d| 5.0 * (0.3_f64 / 5.0).powf(d as f64 / (dim - 1) as f64)).collect();
    let centres = normal(8, dim, &mut stream) * &spectrum;
    let inside = normal(8, dim, &mut stream).mapv(|value| 0.3 + 0.3 * value.abs());
    let draw = |stream: &mut rand_chacha::ChaCha8Rng| {
        let mut cells = normal(n_cells, dim, stream);
        for mut cell in cells.rows_mut() {
            let part = (stream.next_u64() % 8) as usize;
            for d in 0..dim {
                cell[d] = centres[[part, d]] + cell[d] * inside[[part, d]] * spectrum[d];
            }
        }
        cells
    };
    let source = draw(&mut stream);
    let before = draw(&mut stream);
    let mixing = normal(dim, dim, &mut stream) / (dim as f64).sqrt();
    let bends = normal(dim, dim, &mut stream) / (dim as f64).sqrt();
    let waves = product(before.view(), (&mixing / 2.0).view()).mapv(f64::sin);
    let target =
        &before + &(product(waves.view(), bends.view()) * &spectrum * 1.5) + &(&spectrum * 0.3);
    let deviation = |cells: &Array2<f64>| cells.std_axis(Axis(0), 0.0).mean().unwrap();
    let scale = 0.5 * (deviation(&source) + deviation(&target));
    let snapshot = |cells: Array2<f64>| Snapshot::new(cells / scale).unwrap();
    BridgeProblem::new(snapshot(source), snapshot(target), Epsilon::new(0.1).unwrap()).unwrap()
}

fn normal(rows: usize, columns: usize, stream: &mut impl Rng) -> Array2<f64> {
    Array2::from_shape_simple_fn((rows, columns), || StandardNormal.sample(stream))
}

fn embryoid() -> Vec<Snapshot> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data-samples/moon2019_embryoid_5pcs.h5ad");
    let file = hdf5_pure::File::open(path).unwrap();
    let values: Vec<f32> = file.dataset("obsm/X_pca").unwrap().read().unwrap();
    let times: Vec<f64> = file.dataset("obs/time").unwrap().read().unwrap();
    let points = Array2::from_shape_vec((times.len(), values.len() / times.len()), values).unwrap();
    let points = points.mapv(f64::from);
    TimeSeries::new(points.view(), &times).unwrap().snapshots().to_vec()
}

impl PublishedRecipe {
    fn fit(&self, pair: &BridgeProblem, seed: Seed) -> LightSbBridge {
        const BATCH: usize = 128;
        let (k, dim, epsilon) = (self.n_gaussians, pair.dim(), pair.epsilon().value());
        let mut stream = seed.stream("bench/adam", 0);
        let (x, y) = (pair.source().points(), pair.target().points());
        // Parameters: ε ln α, r, ln S, as the authors' code holds them.
        let mut parameters = vec![0.0; k * (1 + 2 * dim)];
        parameters[..k].fill(epsilon * (1.0 / k as f64).ln());
        for part in 0..k {
            let cell = (stream.next_u64() % y.nrows() as u64) as usize;
            for d in 0..dim {
                parameters[k + part * dim + d] = y[[cell, d]];
            }
        }
        parameters[k * (1 + dim)..].fill(0.1_f64.ln());
        let mut first = vec![0.0; parameters.len()];
        let mut second = first.clone();
        for step in 1..=self.n_steps {
            let mut batch = |cells: ndarray::ArrayView2<'_, f64>| {
                let rows: Vec<usize> = (0..BATCH)
                    .map(|_| {
                        let uniform: f64 = StandardUniform.sample(&mut stream);
                        (uniform * cells.nrows() as f64) as usize
                    })
                    .collect();
                cells.select(Axis(0), &rows)
            };
            let (x, y) = (batch(x), batch(y));
            let gradient = batch_gradient(&parameters, (k, dim, epsilon), &x, &y);
            let (fade1, fade2) = (0.9_f64, 0.999_f64);
            for i in 0..parameters.len() {
                first[i] = fade1 * first[i] + (1.0 - fade1) * gradient[i];
                second[i] = fade2 * second[i] + (1.0 - fade2) * gradient[i] * gradient[i];
                let mean = first[i] / (1.0 - fade1.powi(step as i32));
                let square: f64 = second[i] / (1.0 - fade2.powi(step as i32));
                parameters[i] -= 1e-2 * mean / (square.sqrt() + 1e-8);
            }
        }
        let (log_alpha, r, s) = unpacked(&parameters, k, dim, epsilon);
        let centre = Array1::zeros(dim);
        let covariance = Covariance::Diagonal;
        let mixture = Mixture { covariance, log_alpha, r, s };
        LightSbBridge::new(mixture, centre.clone(), centre, pair.epsilon()).unwrap()
    }
}

fn unpacked(
    parameters: &[f64],
    k: usize,
    dim: usize,
    epsilon: f64,
) -> (Array1<f64>, Array2<f64>, Array2<f64>) {
    let table = |part: &[f64]| Array2::from_shape_vec((k, dim), part.to_vec()).unwrap();
    let log_alpha = Array1::from(parameters[..k].to_vec()) / epsilon;
    let r = table(&parameters[k..k * (1 + dim)]);
    let s = table(&parameters[k * (1 + dim)..]).mapv(f64::exp);
    (log_alpha, r, s)
}

fn batch_gradient(
    parameters: &[f64],
    (k, dim, epsilon): (usize, usize, f64),
    x: &Array2<f64>,
    y: &Array2<f64>,
) -> Vec<f64> {
    let (log_alpha, r, s) = unpacked(parameters, k, dim, epsilon);
    let n = x.nrows() as f64;
    let (x2, y2) = (x * x, y * y);
    let shares = |mut logs: Array2<f64>| {
        let (masses, mut totals) = (vec![1.0 / n; x.nrows()], vec![0.0; x.nrows()]);
        softmax_rows(logs.as_slice_mut().unwrap(), k, &masses, &mut totals);
        logs
    };
    let gamma = shares(
        (product_nt(x2.view(), s.view()) + product_nt(x.view(), r.view()) * 2.0) / (2.0 * epsilon)
            + &log_alpha,
    );
    let inverse = s.mapv(|s| 1.0 / (epsilon * s));
    let constant =
        (&inverse.mapv(|i| 0.5 * i.ln()) - &(&r * &r * &inverse * 0.5)).sum_axis(Axis(1));
    let rho = shares(
        product_nt(y2.view(), (&inverse * -0.5).view())
            + product_nt(y.view(), (&r * &inverse).view())
            + &(constant + &log_alpha),
    );
    let (mass_x, mass_y) = (gamma.sum_axis(Axis(0)), rho.sum_axis(Axis(0)));
    let sums = |shares: &Array2<f64>, points: &Array2<f64>| product(shares.t(), points.view());
    let (gx, gxx) = (sums(&gamma, x), sums(&gamma, &x2));
    let (ry, ryy) = (sums(&rho, y), sums(&rho, &y2));
    let mut gradient = vec![0.0; parameters.len()];
    for part in 0..k {
        gradient[part] = (mass_x[part] - mass_y[part]) / epsilon;
        for d in 0..dim {
            let at = [part, d];
            let off = ry[at] - mass_y[part] * r[at];
            let spread = ryy[at] - r[at] * (2.0 * ry[at] - mass_y[part] * r[at]);
            gradient[k + part * dim + d] = (gx[at] - off / s[at]) / epsilon;
            gradient[k * (1 + dim) + part * dim + d] =
                0.5 * (s[at] * gxx[at] / epsilon - spread * inverse[at] + mass_y[part]);
        }
    }
    gradient
}

/// Gaussians that own more than 1e-4 of an equal share of the target.
fn live(bridge: &LightSbBridge, pair: &BridgeProblem) -> usize {
    let weights = bridge.conditional_weights(pair.source().points()).unwrap();
    let least = 1e-4 / weights.ncols() as f64;
    weights.mean_axis(Axis(0)).unwrap().iter().filter(|&&mass| mass > least).count()
}

/// Seconds this thread has run, which other work on the machine does not lengthen much; the
/// clock on the wall where the system does not tell.
struct CpuClock {
    cpu: Option<f64>,
    wall: Instant,
}

impl CpuClock {
    fn start() -> Self {
        Self { cpu: thread_seconds(), wall: Instant::now() }
    }

    fn seconds(&self) -> f64 {
        match (self.cpu, thread_seconds()) {
            (Some(start), Some(end)) => end - start,
            _ => self.wall.elapsed().as_secs_f64(),
        }
    }
}

fn thread_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(1e-9 * text.split(' ').next()?.parse::<f64>().ok()?)
}

fn product_rate() -> f64 {
    let a = Array2::from_elem((512, 512), 0.5);
    let clock = CpuClock::start();
    let total: f64 = (0..200).map(|_| product(a.view(), a.view())[[0, 0]]).sum();
    assert!(total > 0.0);
    200.0 * 2.0 * 512.0_f64.powi(3) / clock.seconds()
}

fn exp_time() -> f64 {
    let mut values = vec![-0.5; 4096];
    let clock = CpuClock::start();
    for _ in 0..20_000 {
        values.fill(-0.5);
        exp_in_place(&mut values);
    }
    assert!(values[7] > 0.0);
    clock.seconds() / (20_000.0 * 4096.0)
}
