//! Macrostates of courses with known states, and the kinship against its definition.

use ndarray::{Array1, Array2, Axis, array, s};

use super::*;
use crate::bridge::{Coupling, Link};
use crate::data::Snapshot;
use crate::geometry::Epsilon;
use crate::lineage::Lineage;
use crate::lineage::course::tests::{example, example_of};
use crate::progress::Silent;

/// The masses of every interval, written out, under the scaling of one column.
fn dense(resampled: &Resampled<'_>, column: usize) -> Vec<Array2<f64>> {
    let links = resampled.lineage().links().iter().enumerate();
    links
        .map(|(k, link)| {
            let plain = link.pull(Array2::eye(link.shape().1).view()).unwrap();
            let (alpha, beta) = resampled.scalings(k);
            let rows = alpha.column(column).to_owned().insert_axis(Axis(1));
            plain * &rows * beta.column(column)
        })
        .collect()
}

/// The kinship by its definition, with all matrices written out. `masses` lead from far to near cells,
/// the interval next to the cells first.
fn slow(masses: &[Array2<f64>], widths: &[f64], weights: &Array1<f64>) -> Array2<f64> {
    let n = weights.len();
    let mut kin = Array2::zeros((n, n));
    let mut to = Array2::eye(n);
    for (mass, width) in masses.iter().zip(widths) {
        let arrived = mass.sum_axis(Axis(0)).mapv(|c| if c > 0.0 { 1.0 / c } else { 0.0 });
        to = (mass * &arrived).dot(&to);
        let of: Array1<f64> = to.dot(weights);
        let joint = &to * &weights.mapv(f64::sqrt);
        let shares = of.mapv(|p| if p > 0.0 { 1.0 / p } else { 0.0 }).insert_axis(Axis(1));
        kin = kin + joint.t().dot(&(&joint * &shares)) * *width;
    }
    kin / widths.iter().sum::<f64>()
}

#[test]
fn the_kinship_is_that_of_all_pairs_of_ancestors_or_descendants() {
    let lineage = example_of(3);
    let resampled = Resampled::new(&lineage, None, 2, Seed(3), &mut Silent).unwrap();
    let all = Kinship::new(&resampled, 2, Side::Ancestors, 0..3).unwrap();
    let descendants = Kinship::new(&resampled, 0, Side::Descendants, 0..3).unwrap();
    let n = lineage.n_cells(2);
    let mut blocks = Array2::zeros((n, 3 * n));
    for b in 0..3 {
        blocks.slice_mut(s![.., b * n..(b + 1) * n]).assign(&Array2::eye(n));
    }
    let (late, early) =
        (all.apply(blocks.view()).unwrap(), descendants.apply(blocks.view()).unwrap());
    for b in 0..3 {
        let masses = dense(&resampled, b);
        let off = |found: &Array2<f64>, expected: Array2<f64>| {
            let own = found.slice(s![.., b * n..(b + 1) * n]);
            (&own - &expected).iter().fold(0.0_f64, |most, off| most.max(off.abs()))
        };
        let back = [masses[1].clone(), masses[0].clone()];
        let expected = slow(&back, &[2.0, 1.0], &all.weights.column(b).to_owned());
        assert!(off(&late, expected) < 1e-12, "{b}");
        let forth = [masses[0].t().to_owned(), masses[1].t().to_owned()];
        let expected = slow(&forth, &[1.0, 2.0], &descendants.weights.column(b).to_owned());
        assert!(off(&early, expected) < 1e-12, "{b}");
    }
    // The trivial mode has eigenvalue 1.
    let root = all.weights.column(0).mapv(f64::sqrt).insert_axis(Axis(1));
    let first = Kinship::new(&resampled, 2, Side::Ancestors, 0..1).unwrap();
    assert!((first.apply(root.view()).unwrap() - &root).iter().all(|off| off.abs() < 1e-12));
}

/// A course at times 0, 1, 3 of cells in blocks of `sizes`: a cell moves to each cell of its own block
/// with probability `(1 − leak) / size` more than to all cells alike.
fn blocks(sizes: &[usize], leak: f64) -> (Lineage, Vec<usize>) {
    let of: Vec<usize> = sizes.iter().enumerate().flat_map(|(b, &size)| vec![b; size]).collect();
    let n = of.len();
    let mass = |i: usize, j: usize| {
        let own = if of[i] == of[j] { (1.0 - leak) / sizes[of[i]] as f64 } else { 0.0 };
        (own + leak / n as f64) / n as f64
    };
    let pairs = (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
    let pairs: Vec<_> = pairs.map(|(i, j)| (i, j, mass(i, j))).collect();
    let link = Link::pairs(Coupling::new(n, n, pairs).unwrap()).unwrap();
    (Lineage::new(vec![0.0, 1.0, 3.0], vec![link.clone(), link]).unwrap(), of)
}

/// Points of blocks, 10 apart on one axis, with a scatter below 1.
fn scattered(of: &[usize]) -> Array2<f64> {
    Array2::from_shape_fn((of.len(), 2), |(i, d)| {
        let centre = if d == 0 { 10.0 * of[i] as f64 } else { 0.0 };
        centre + ((7 * i + 3 * d) % 11) as f64 / 11.0
    })
}

#[test]
fn blocks_are_states_and_eigenvalues_have_a_closed_form() {
    for (sizes, leak) in [(&[30, 30][..], 0.2), (&[40, 24, 20][..], 0.1)] {
        let (lineage, of) = blocks(sizes, leak);
        let resampled = Resampled::new(&lineage, None, 6, Seed(1), &mut Silent).unwrap();
        let options = MacrostateOptions::default();
        let points = scattered(&of);
        for (place, side) in [(2, Side::Ancestors), (0, Side::Descendants)] {
            let found =
                Macrostates::of(&resampled, place, side, points.view(), &options, Seed(0)).unwrap();
            // Over one interval the singular values are 1 − leak; the intervals have lengths 1 and 2.
            let s = (1.0_f64 - leak).powi(2);
            let expected = match side {
                Side::Ancestors => (2.0 * s + s * s) / 3.0,
                Side::Descendants => (s + 2.0 * s * s) / 3.0,
            };
            for (mode, value) in found.eigenvalues.iter().enumerate() {
                let expected = if mode + 1 < sizes.len() { expected } else { 0.0 };
                assert!((value - expected).abs() < 1e-9, "{mode}: {value} {expected}");
            }
            let states: Vec<usize> = found.of_cells.iter().flatten().copied().collect();
            let first = |i: usize| of.iter().position(|own| *own == of[i]).unwrap();
            assert!((0..of.len()).all(|i| states[i] == states[first(i)]), "{side:?}: {states:?}");
            assert_eq!((states.len(), found.n_states()), (of.len(), sizes.len()));
            assert!(found.stability.iter().all(|own| *own > 0.95), "{:?}", found.stability);
            assert!(found.gap_probability.iter().all(|p| *p < 0.1));
            for (state, kept) in found.kept.iter().enumerate() {
                let share = sizes[state] as f64 / of.len() as f64;
                let closed = share + (1.0 - share) * expected;
                assert!((kept - closed).abs() < 1e-9, "{kept} {closed}");
            }
        }
    }
}

/// Cells of `n_times` times around the centres that `centre` gives for a time and a cell.
fn course(
    n_times: usize,
    n: usize,
    centre: impl Fn(usize, usize) -> [f64; 2],
) -> (Lineage, Array2<f64>) {
    use rand_distr::{Distribution, StandardNormal};
    let mut stream = Seed(4).stream("test", 0);
    let mut at = |k: usize| {
        Array2::from_shape_fn((n, 2), |(i, d)| {
            let noise: f64 = StandardNormal.sample(&mut stream);
            centre(k, i)[d] + noise
        })
    };
    let points: Vec<Array2<f64>> = (0..n_times).map(&mut at).collect();
    let cells: Vec<Snapshot> =
        points.iter().map(|points| Snapshot::new(points.clone()).unwrap()).collect();
    let link = |pair: &[Snapshot]| Link::entropic(&pair[0], &pair[1], Epsilon::new(1.0).unwrap());
    let links = cells.windows(2).map(|pair| link(pair).unwrap()).collect();
    let times = (0..n_times).map(|k| k as f64).collect();
    (Lineage::new(times, links).unwrap(), points[n_times - 1].clone())
}

/// The states of late cells of a course, with eight resamples.
fn late(lineage: &Lineage, points: &Array2<f64>, options: &MacrostateOptions) -> Macrostates {
    let resampled = Resampled::new(lineage, None, 8, Seed(2), &mut Silent).unwrap();
    let place = lineage.times().len() - 1;
    Macrostates::of(&resampled, place, Side::Ancestors, points.view(), options, Seed(0)).unwrap()
}

#[test]
fn populations_that_part_are_states_and_one_population_is_none() {
    let options = MacrostateOptions::default();
    let apart = |k: usize, i: usize| [3.0 * k as f64 * (i % 2) as f64, 0.0];
    let (lineage, points) = course(3, 60, apart);
    let found = late(&lineage, &points, &options);
    assert_eq!(found.n_states(), 2, "{found:?}");
    let wrong = (0..60).filter(|&i| found.of_cells[i] != found.of_cells[i % 2]).count();
    assert!(wrong <= 2, "{wrong}");
    assert!(found.stability.iter().all(|own| *own > 0.8), "{:?}", found.stability);
    // The same cells in one population, also a long one, are one state; two can be asked for.
    let (lineage, points) = course(3, 60, |_, i| [0.05 * i as f64, 0.0]);
    let found = late(&lineage, &points, &options);
    assert_eq!((found.n_states(), found.kept.len()), (1, 1));
    assert!((found.kept[0] - 1.0).abs() < 1e-9 && found.gap_probability[0].is_nan());
    let found = late(&lineage, &points, &options.clone().with_n_states(Some(2)));
    assert_eq!(found.n_states(), 2);
    assert!(found.gap_probability.iter().all(|p| *p > 0.2), "{:?}", found.gap_probability);
}

#[test]
fn couplings_without_memory_have_one_state() {
    // The mass of every pair is the same: an ancestor says nothing, whatever the coordinates.
    let (lineage, of) = blocks(&[20, 20], 1.0);
    let found = late(&lineage, &scattered(&of), &MacrostateOptions::default());
    assert_eq!(found.n_states(), 1);
    assert!(found.eigenvalues.iter().all(|value| *value < 1e-9));
}

#[test]
fn states_do_not_depend_on_threads() {
    let (lineage, points) = course(3, 150, |k, i| [2.5 * k as f64 * (i % 3) as f64, 0.0]);
    let with = |n: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        pool.install(|| late(&lineage, &points, &MacrostateOptions::default()))
    };
    let one = with(1);
    assert_eq!(one.n_states(), 3);
    assert_eq!(one, with(3));
}

#[test]
fn modes_of_a_resample_are_those_of_its_kinship() {
    let (lineage, points) = course(3, 40, |k, i| [2.0 * k as f64 * (i % 2) as f64, 0.0]);
    assert_eq!(points.nrows(), 40);
    let resampled = Resampled::new(&lineage, None, 1, Seed(9), &mut Silent).unwrap();
    let first = Kinship::new(&resampled, 2, Side::Ancestors, 0..1).unwrap();
    let second = Kinship::new(&resampled, 2, Side::Ancestors, 1..2).unwrap();
    let quick = Modes::of(&first, 12, Seed(0)).unwrap().resampled(&second).unwrap();
    let exact = Modes::of(&second, 12, Seed(0)).unwrap();
    for mode in 0..3 {
        let (a, b) = (quick[0].values[mode], exact.values[mode]);
        assert!((a - b).abs() < 1e-3 * exact.values[0], "{mode}: {a} {b}");
    }
    let square = |modes: &Modes| {
        let weights = second.weights.column(0);
        let inner: f64 = (0..40).map(|i| weights[i] * modes.places[[i, 0]].powi(2)).sum();
        inner / modes.values[0]
    };
    // The functions φ have variance one.
    assert!((square(&quick[0]) - 1.0).abs() < 1e-6 && (square(&exact) - 1.0).abs() < 1e-9);
    let cosine = quick[0].places.column(0).dot(&exact.places.column(0))
        / (quick[0].places.column(0).dot(&quick[0].places.column(0))).sqrt()
        / (exact.places.column(0).dot(&exact.places.column(0))).sqrt();
    assert!(cosine.abs() > 0.999, "{cosine}");
}

#[test]
fn what_cannot_be_asked_is_refused_and_one_cell_is_one_state() {
    let lineage = example();
    let resampled = Resampled::new(&lineage, None, 3, Seed(0), &mut Silent).unwrap();
    let of = |place: usize, points: Array2<f64>, options: &MacrostateOptions| {
        Macrostates::of(&resampled, place, Side::Ancestors, points.view(), options, Seed(0))
    };
    let (auto, two) = (MacrostateOptions::default(), array![[0.0], [1.0]]);
    assert!(of(0, two.clone(), &auto).unwrap_err().to_string().contains("at"));
    assert!(of(7, two.clone(), &auto).is_err());
    assert!(of(2, array![[0.0]], &auto).is_err());
    for wrong in [
        auto.clone().with_n_states(Some(1)),
        auto.clone().with_n_modes(0),
        auto.clone().with_n_pieces(0),
        auto.clone().with_min_stability(f64::NAN),
        auto.clone().with_least_dip(-1.0),
    ] {
        assert!(of(2, two.clone(), &wrong).is_err());
    }
    let three = of(2, two.clone(), &auto.clone().with_n_states(Some(3)));
    assert!(three.unwrap_err().to_string().ends_with("got 3, with 2 cells"));
    // Two cells are fewer than a state has.
    assert_eq!(of(2, two, &auto).unwrap().n_states(), 1);
    let one = Coupling::new(2, 1, [(0, 0, 0.5), (1, 0, 0.5)]).unwrap();
    let lineage = Lineage::new(vec![0.0, 1.0], vec![Link::pairs(one).unwrap()]).unwrap();
    let found = late(&lineage, &array![[0.0]], &auto);
    assert_eq!((found.n_states(), found.of_cells), (1, vec![Some(0)]));
}
