//! Edges of conditions that do not differ, and of a regulator that drives its target in one of them.

use std::path::{Path, PathBuf};

use ndarray::Array2;
use rand_distr::{Distribution, StandardNormal};

use crate::data::Column;
use crate::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use crate::io::model::OpenModel;
use crate::pipeline::compare::tests::{Notes, compared, of_kind};
use crate::pipeline::{
    CellSets, CompareKind, CompareOptions, Compared, GrnOptions, Regulators, condition_folders, grn,
};
use crate::progress::Silent;
use crate::rng::Seed;

/// Genes: a regulator, its target, and genes that nothing drives.
const GENES: [&str; 5] = ["Driver", "Driven", "a", "b", "c"];

/// Cells of each condition and time.
const CELLS: usize = 40;

/// Steps of a simulated cell in one unit of time.
const STEPS: usize = 10;

/// Cells of two conditions at the times 0, 1, 2, 3. `Driver` rises on its own and adds to the rate of `Driven` by
/// `drives` in each condition; every gene decays and is disturbed.
fn course(folder: &Path, drives: [f64; 2]) -> PathBuf {
    let mut stream = Seed(3).stream("test", 0);
    let mut noise = || -> f64 { StandardNormal.sample(&mut stream) };
    let n = 2 * 4 * CELLS;
    let mut x = Array2::<f32>::zeros((n, GENES.len()));
    for (i, mut row) in x.rows_mut().into_iter().enumerate() {
        let (day, side) = (i / (2 * CELLS), i % 2);
        let mut state: Vec<f64> = (0..GENES.len()).map(|_| 0.7 * noise()).collect();
        let dt = 1.0 / STEPS as f64;
        for _ in 0..day * STEPS {
            let driver = state[0];
            for (gene, value) in state.iter_mut().enumerate() {
                let input = match gene {
                    0 => 0.5,
                    1 => drives[side] * driver,
                    _ => 0.0,
                };
                *value += dt * (input - 0.3 * *value) + 0.3 * dt.sqrt() * noise();
            }
        }
        row.iter_mut().zip(&state).for_each(|(to, value)| *to = 5.03 + *value as f32);
    }
    let texts = |of: &dyn Fn(usize) -> String| Column::Texts((0..n).map(|i| Some(of(i))).collect());
    let condition = texts(&|i| ["x", "y"][i % 2].into());
    let state = texts(&|_| "all".into());
    let day = Column::Floats((0..n).map(|i| (i / (2 * CELLS)) as f64).collect());
    let path = folder.join(format!("course{}.h5ad", drives[1]));
    let names: Vec<String> = (0..n).map(|i| format!("c{i}")).collect();
    let content = H5adContent {
        obs_names: &names,
        obs: &[("day", &day), ("condition", &condition), ("state", &state)],
        var_names: &GENES.map(String::from),
        x: Some(MatrixContent::Single(x.view())),
        ..H5adContent::default()
    };
    write_h5ad(&path, &content).unwrap();
    path
}

fn options() -> CompareOptions {
    let sets = CellSets::default().with_groupby(Some("state".into()));
    let options = CompareOptions::default().with_sets(sets).with_edges(Some(20));
    options.with_bootstrap(10).with_permutations(39)
}

/// The row of the edge from `Driver` to `Driven`.
fn driven(found: &Compared) -> &crate::pipeline::ComparedRow {
    let rows = of_kind(found, CompareKind::Edge);
    rows.into_iter().find(|row| row.group == "Driver" && row.target == "Driven").unwrap()
}

#[test]
fn edges_of_equal_conditions_do_not_differ_and_their_values_are_those_of_grn() {
    let folder = tempfile::tempdir().unwrap();
    let data = course(folder.path(), [1.0, 1.0]);
    let mut notes = Notes(Vec::new());
    let found = compared(&data, options(), &mut notes);
    let rows = of_kind(&found, CompareKind::Edge);
    assert_eq!(rows.len(), 20);
    let p: Vec<f64> = rows.iter().map(|row| row.p).collect();
    assert!(p.iter().all(|p| (0.02..=1.0).contains(p)), "{p:?}");
    // Two of twenty are expected; edges are correlated.
    let small = p.iter().filter(|p| **p <= 0.1).count();
    assert!(small <= 6, "{small} of {p:?}");
    assert!(p.iter().filter(|p| **p > 0.3).count() >= 8, "{p:?}");
    assert!(
        notes.0.iter().any(|text| text.contains("a single edge that differs")),
        "{:?}",
        notes.0
    );
    for (side, (name, model)) in
        condition_folders(&data.with_extension("models"), None, &[]).unwrap().iter().enumerate()
    {
        let model = OpenModel::read(model).unwrap();
        let options = GrnOptions::default().with_bootstrap(0).with_permutations(0);
        let edges = grn(&model, &options, &mut Silent).unwrap().rows;
        for row in &rows {
            let is_same = |edge: &&crate::io::edges::EdgeRow| {
                edge.regulator == row.group && edge.target == row.target
            };
            let effect = edges.iter().find(is_same).unwrap().effect;
            let value = row.values[side];
            assert!((value - effect).abs() < 1e-9, "{name}: {value} {effect}");
            assert!((row.difference - (row.values[1] - row.values[0])).abs() < 1e-12);
            assert_eq!((row.time, row.time_to, row.n_cells), (0.0, Some(3.0), [160, 160]));
        }
    }
}

#[test]
fn an_edge_of_one_condition_differs_most() {
    let folder = tempfile::tempdir().unwrap();
    let data = course(folder.path(), [0.0, 1.0]);
    let options = options().with_regulators(Regulators::Named(vec!["Driver".into(), "a".into()]));
    let found = compared(&data, options.clone(), &mut Notes(Vec::new()));
    let rows = of_kind(&found, CompareKind::Edge);
    assert_eq!(rows.len(), 8, "two regulators of four other genes each");
    let edge = driven(&found);
    assert!(edge.values[1] > 0.7 && edge.values[0].abs() < 0.4, "{edge:?}");
    assert!(rows.iter().all(|row| row.difference.abs() <= edge.difference), "{rows:?}");
    assert!((edge.p - 1.0 / 40.0).abs() < 1e-12 && edge.lo > 0.0, "{edge:?}");
    assert_eq!(edge.name(), "Driver → Driven 0 → 3");
    // One edge of the cells of both conditions together, which is the same one.
    let options = options.with_edges(Some(1)).with_bootstrap(0).with_permutations(1);
    let first = compared(&data, options, &mut Notes(Vec::new()));
    assert_eq!(of_kind(&first, CompareKind::Edge).len(), 1);
    assert!((driven(&first).difference - edge.difference).abs() < 1e-12);
}

#[test]
fn regulators_and_numbers_of_edges_are_checked() {
    let named = Regulators::Named(vec!["Driver".into()]);
    assert!(CompareOptions::default().with_edges(Some(0)).check().is_err());
    assert!(CompareOptions::default().with_regulators(named.clone()).check().is_err());
    assert!(options().with_regulators(named).check().is_ok());
}
