//! From a file to scores of held-out times by the library alone: no more than the script in Python does.

use std::path::Path;

use ndarray::{Array1, Array2, Axis};
use rand::seq::index;
use sbcell::bridge::{Bridge, BridgeProblem, SinkhornSolver, UnitTime};
use sbcell::data::{Matrix, Snapshot};
use sbcell::io::h5ad::{H5ad, MatrixSource};
use sbcell::metrics::{Order, energy_distance, wasserstein};
use sbcell::preprocess::{PcaSolver, log1p, normalize_total};
use sbcell::{Epsilon, Seed, Silent};

const EPSILON: f64 = 0.1;
const DRAWS: u64 = 5;

/// The prediction at a held-out time, the cells of the time before, and those that were observed.
pub(crate) struct HeldOut {
    pub(crate) predicted: Snapshot,
    pub(crate) before: Snapshot,
    pub(crate) observed: Snapshot,
}

/// Every inner time held out.
pub(crate) fn held_out() -> Vec<HeldOut> {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data-samples/semrau2017_mesc_ra.h5ad");
    let file = H5ad::open(&sample).unwrap();
    let counts = file.matrix(&MatrixSource::Layer("counts".into()), &mut Silent).unwrap();
    let column = file.obs("time").unwrap();
    let times: Vec<f64> = (0..column.len()).map(|i| column.number(i).unwrap()).collect();
    let mut distinct = times.clone();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    distinct.windows(3).map(|window| one(&counts, &times, &distinct, window)).collect()
}

/// Means of W1 and energy distance to what was observed.
pub(crate) fn scores(all: &[HeldOut], of: impl Fn(&HeldOut) -> &Snapshot) -> [f64; 2] {
    let mut sums = [0.0; 2];
    for held in all {
        sums[0] += w1(of(held), &held.observed);
        sums[1] += energy_distance(of(held), &held.observed).unwrap().value;
    }
    sums.map(|sum| sum / all.len() as f64)
}

/// Coordinates learnt without the cells of the held-out time, and those cells in them.
fn coordinates(counts: &Matrix, fitted: &[usize], held: &[usize]) -> [Array2<f64>; 2] {
    let (mut train, mut test) = (counts.select_cells(fitted), counts.select_cells(held));
    let depth = normalize_total(&mut train, None).unwrap();
    normalize_total(&mut test, Some(depth)).unwrap();
    log1p(&mut train).unwrap();
    log1p(&mut test).unwrap();
    let solver = PcaSolver { n_pcs: 50.min(train.n_genes()), ..PcaSolver::default() };
    let pca = solver.fit(&train, Seed(0), &mut Silent).unwrap();
    [&train, &test].map(|cells| pca.transform(cells).unwrap())
}

/// The middle of three times held out.
fn one(counts: &Matrix, times: &[f64], distinct: &[f64], window: &[f64]) -> HeldOut {
    let [start, time, end] = *window else { panic!("not three times") };
    let of = |keep: &dyn Fn(f64) -> bool| -> Vec<usize> {
        (0..times.len()).filter(|&i| keep(times[i])).collect()
    };
    let is = |a: f64, b: f64| a.total_cmp(&b).is_eq();
    let fitted = of(&|t| !is(t, time));
    let [points, held] = coordinates(counts, &fitted, &of(&|t| is(t, time)));
    let scale = points.std_axis(Axis(0), 0.0).mean().unwrap();
    let left: Vec<f64> = distinct.iter().copied().filter(|&t| !is(t, time)).collect();
    let mut steps: Vec<f64> = left.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_by(f64::total_cmp);
    let median = 0.5 * (steps[(steps.len() - 1) / 2] + steps[steps.len() / 2]);
    let epsilon = Epsilon::new(EPSILON * (end - start) / median).unwrap();
    let cells = |at: f64| {
        let rows: Vec<usize> = (0..fitted.len()).filter(|&i| is(times[fitted[i]], at)).collect();
        points.select(Axis(0), &rows)
    };
    let (x, y) = (cells(start), cells(end));
    let scaled = |points: &Array2<f64>| Snapshot::new(points / scale).unwrap();
    let problem = BridgeProblem::new(scaled(&x), scaled(&y), epsilon).unwrap();
    let (bridge, _) = SinkhornSolver::default().fit(&problem, &mut Silent).unwrap();
    let share = UnitTime::new((time - start) / (end - start)).unwrap();
    let from = problem.source().points();
    let carried = bridge.sample_transition(from, UnitTime::START, share, Seed(0)).unwrap() * scale;
    let [predicted, before, observed] =
        [carried, x, held].map(|points| Snapshot::new(points).unwrap());
    HeldOut { predicted, before, observed }
}

/// The mean over draws of one size, half of the held-out cells.
fn w1(x: &Snapshot, held: &Snapshot) -> f64 {
    let n = (held.n_cells() / 2).min(x.n_cells()).min(1000);
    let drawn = |cells: &Snapshot, number: u64| {
        let mut stream = Seed(0).stream("bench/draw", number);
        let rows = index::sample(&mut stream, cells.n_cells(), n).into_vec();
        Snapshot::new(cells.points().select(Axis(0), &rows)).unwrap()
    };
    let of_draw = |number: u64| {
        let (a, b) = (drawn(x, 2 * number), drawn(held, 2 * number + 1));
        wasserstein(&a, &b, Order::One, &mut Silent).unwrap()
    };
    (0..DRAWS).map(of_draw).collect::<Array1<f64>>().mean().unwrap()
}
