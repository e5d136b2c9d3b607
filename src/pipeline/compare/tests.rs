//! Comparisons of conditions that do not differ, that are moved, and that fate separates.

use std::collections::BTreeSet;
use std::path::Path;

use rand::RngExt;

use crate::bridge::SinkhornSolver;
use crate::data::{Column, Matrix};
use crate::io::h5ad::{H5ad, H5adContent, MatrixContent, MatrixSource, write_h5ad};
use crate::io::model::OpenModel;
use crate::pipeline::{
    CellSets, CompareKind, CompareOptions, Compared, ComparedRow, ConditionModel, ConditionOptions,
    Conditions, FitOptions, Plan, Running, SolverChoice, TimeOptions, compare, condition_folders,
};
use crate::progress::{Event, Progress, Silent};
use crate::rng::Seed;

/// Keeps the notes.
pub(super) struct Notes(pub(super) Vec<String>);

impl Progress for Notes {
    fn report(&mut self, event: &Event) -> std::ops::ControlFlow<()> {
        if let Event::Note { text } = event {
            self.0.push(text.clone());
        }
        std::ops::ControlFlow::Continue(())
    }
}

/// Cells of the times 0, 24 and 96 of Semrau et al. (40 of each), with a condition `x` or `y` by chance, four
/// `batch`es of one condition each, and a `state` by its total expression. `moved` is added to the expression of
/// ten genes in the cells of `y` after the first time.
fn cells(folder: &Path, moved: f32) -> std::path::PathBuf {
    let file = H5ad::open(Path::new("data-samples/semrau2017_mesc_ra.h5ad")).unwrap();
    let time = file.obs("time").unwrap();
    let rows: Vec<usize> = [0.0, 24.0, 96.0]
        .into_iter()
        .flat_map(|at| {
            let here = |&row: &usize| time.number(row).is_some_and(|t: f64| (t - at).abs() < 1e-9);
            (0..file.n_cells()).filter(here).take(40).collect::<Vec<_>>()
        })
        .collect();
    let mut stream = Seed(11).stream("test", 0);
    let second: Vec<bool> = rows.iter().map(|_| stream.random_range(0..2) == 1).collect();
    let batch: Vec<usize> = rows.iter().map(|_| stream.random_range(0..2)).collect();
    let matrix = file.matrix_rows(&MatrixSource::X, &rows, &mut Silent).unwrap();
    let Matrix::Dense(mut x) = matrix else { panic!("the sample is dense") };
    let sums: Vec<f32> = x.rows().into_iter().map(|row| row.sum()).collect();
    let middle = sums.iter().sum::<f32>() / sums.len() as f32;
    for i in (40..rows.len()).filter(|&i| second[i]) {
        (0..10).for_each(|gene| x[[i, 4 * gene]] += moved);
    }
    let names: Vec<String> = (0..rows.len()).map(|i| format!("c{i}")).collect();
    let genes: Vec<String> = (0..x.ncols()).map(|g| format!("g{g}")).collect();
    let texts = |of: &dyn Fn(usize) -> String| {
        Column::Texts((0..rows.len()).map(|i| Some(of(i))).collect())
    };
    let condition = texts(&|i| if second[i] { "y" } else { "x" }.into());
    let batches = texts(&|i| format!("{}{}", if second[i] { "y" } else { "x" }, batch[i]));
    let state = texts(&|i| if sums[i] > middle { "high" } else { "low" }.into());
    let day = Column::Floats((0..rows.len()).map(|i| [0.0, 1.0, 4.0][i / 40]).collect());
    let path = folder.join(format!("cells{moved}.h5ad"));
    let content = H5adContent {
        obs_names: &names,
        obs: &[("day", &day), ("condition", &condition), ("batch", &batches), ("state", &state)],
        var_names: &genes,
        x: Some(MatrixContent::Single(x.view())),
        ..H5adContent::default()
    };
    write_h5ad(&path, &content).unwrap();
    path
}

/// Fits the conditions of the file `data` and compares them by `state`.
pub(super) fn compared(data: &Path, options: CompareOptions, notes: &mut Notes) -> Compared {
    let time = TimeOptions::default().with_column(Some("day".into()));
    let solver = SolverChoice::of(SinkhornSolver::default());
    let fit = FitOptions::default().with_time(time).with_n_pcs(4).with_solver(solver);
    let plan = Plan::read(data, &fit, &mut Silent).unwrap();
    let of = ConditionOptions::of("condition");
    let conditions = Conditions::read(&plan, &of, &mut Silent).unwrap();
    let out = data.with_extension("models");
    plan.run_conditions(&conditions, &out, Running::default(), &mut Silent).unwrap();
    let models: Vec<ConditionModel> = condition_folders(&out, None, &[])
        .unwrap()
        .into_iter()
        .map(|(name, folder)| ConditionModel { name, model: OpenModel::read(folder).unwrap() })
        .collect();
    compare(&models, &options, notes).unwrap()
}

fn options() -> CompareOptions {
    let sets = CellSets::default().with_groupby(Some("state".into()));
    CompareOptions::default()
        .with_sets(sets)
        .with_genes(Some(vec!["g4".into(), "g5".into()]))
        .with_bootstrap(30)
        .with_permutations(99)
}

pub(super) fn of_kind(found: &Compared, kind: CompareKind) -> Vec<&ComparedRow> {
    found.rows.iter().filter(|row| row.kind == kind).collect()
}

#[test]
fn cells_that_are_split_by_chance_do_not_differ_and_moved_ones_do() {
    let folder = tempfile::tempdir().unwrap();
    let mut notes = Notes(Vec::new());
    let equal = compared(&cells(folder.path(), 0.0), options(), &mut notes);
    let kinds: BTreeSet<CompareKind> = equal.rows.iter().map(|row| row.kind).collect();
    assert_eq!(kinds.len(), 6, "{kinds:?}: all kinds but growth, which is even");
    let p: Vec<f64> = equal.rows.iter().map(|row| row.p).collect();
    assert!(p.iter().all(|p| (0.01..=1.0).contains(p)), "{p:?}");
    // Uniform p-values are below 0.1 in a tenth of the rows, which are correlated.
    let small = p.iter().filter(|p| **p < 0.1).count();
    assert!(4 * small < p.len(), "{small} of {}", p.len());
    assert!(equal.rows.iter().all(|row| row.q > 0.05), "{:?}", equal.rows.iter().map(|r| r.q));
    assert!(notes.0.iter().any(|text| text.contains("not independent within a sample")));
    assert!(!notes.0.iter().any(|text| text.contains("differ already")));

    let mut notes = Notes(Vec::new());
    let moved = compared(&cells(folder.path(), 2.0), options(), &mut notes);
    let populations = of_kind(&moved, CompareKind::Population);
    let at = |time: f64| {
        populations
            .iter()
            .find(|row| (row.time - time).abs() < 1e-9)
            .map(|row| (row.p, row.difference))
    };
    let (first, later, half) = (at(0.0).unwrap(), at(1.0).unwrap(), at(2.5).unwrap());
    assert!(first.0 > 0.05 && later.0 <= 0.011 && half.0 <= 0.011, "{first:?} {later:?} {half:?}");
    assert!(later.1 > 5.0 * first.1.abs());
    let gene = of_kind(&moved, CompareKind::Trend)
        .into_iter()
        .find(|row| row.target == "g4" && row.group.is_empty() && row.time > 3.0)
        .unwrap();
    assert!(gene.difference > 0.5 && gene.lo > 0.0 && gene.q < 0.05, "{gene:?}");
    assert!(!notes.0.iter().any(|text| text.contains("differ already")));
}

#[test]
fn p_values_of_a_part_of_the_cells_are_noted() {
    let folder = tempfile::tempdir().unwrap();
    let data = cells(folder.path(), 0.0);
    let said = |n: usize| {
        let mut notes = Notes(Vec::new());
        let options = options().with_genes(None).with_permutations(9).with_test_cells(n);
        compared(&data, options, &mut notes);
        notes.0.into_iter().filter(|text| text.contains("a random part of the cells")).count()
    };
    assert_eq!((said(10), said(40)), (1, 0));
}

#[test]
fn few_batches_allow_no_small_p_value_and_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut notes = Notes(Vec::new());
    let options = options().with_batch(Some("batch".into())).with_genes(None);
    let found = compared(&cells(folder.path(), 2.0), options, &mut notes);
    // Two batches against two can be labelled in six ways, by pairs of opposite sign.
    assert!(found.rows.iter().all(|row| row.p > 0.1), "{:?}", found.rows);
    assert!(notes.0.iter().any(|text| text.contains("in 6 ways")), "{:?}", notes.0);
    let share = of_kind(&found, CompareKind::Share)[0];
    assert!(share.lo <= share.difference && share.difference <= share.hi);
}

#[test]
fn fates_are_shares_of_groups_at_the_last_time() {
    let folder = tempfile::tempdir().unwrap();
    let found = compared(&cells(folder.path(), 0.0), options(), &mut Notes(Vec::new()));
    let fates = of_kind(&found, CompareKind::Fate);
    for group in ["", "high", "low"] {
        let of: Vec<&&ComparedRow> = fates.iter().filter(|row| row.group == group).collect();
        assert_eq!(of.len(), 2, "{group}");
        for side in 0..2 {
            let total: f64 = of.iter().map(|row| row.values[side]).sum();
            assert!((total - 1.0).abs() < 1e-6, "{group} {total}");
        }
        assert_eq!((of[0].time, of[0].time_to), (0.0, Some(4.0)));
    }
    // The ancestors of both groups together are all cells of the time, and their means lie on both sides.
    let at_first = |kind: CompareKind, group: &str| {
        let of = of_kind(&found, kind).into_iter();
        let mut of = of.filter(|row| row.target == "g4" && row.group == group && row.time < 0.5);
        of.next().unwrap().values
    };
    let whole = at_first(CompareKind::Trend, "");
    let parts = ["high", "low"].map(|group| at_first(CompareKind::Ancestors, group));
    for side in 0..2 {
        let share = fates.iter().find(|row| row.group.is_empty() && row.target == "high").unwrap();
        let share = share.values[side];
        let mean = share * parts[0][side] + (1.0 - share) * parts[1][side];
        assert!((mean - whole[side]).abs() < 1e-4, "{mean} {}", whole[side]);
    }
    let transitions = of_kind(&found, CompareKind::Transition);
    assert_eq!(transitions.len(), 2 * 4);
    let wrong = condition_folders(&folder.path().join("cells0.models"), Some("z"), &[]);
    assert!(wrong.unwrap_err().to_string().contains("has x, y"));
}
