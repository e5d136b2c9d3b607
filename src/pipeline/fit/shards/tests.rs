//! Tests of coordinates by shards against those of all cells at once.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use super::*;
use crate::data::Column;
use crate::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use crate::linalg::Csr;
use crate::pipeline::fit::options::TimeOptions;
use crate::pipeline::shared::halves::halved_rows;
use crate::preprocess::{GeneSets, Species};
use crate::progress::{Event, Silent};
use crate::share::{Division, Duty, Sharing};

/// Counts of 1 500 cells of three times in 120 genes, a third of them stored, with ten genes of growth.
fn write_course(path: &Path) {
    let (n_cells, n_genes) = (1_500, 120);
    let (mut indptr, mut genes, mut values) = (vec![0], Vec::new(), Vec::new());
    for i in 0..n_cells {
        let state = [(i as f64 * 0.61).sin(), (i as f64 * 0.29).cos(), (i % 3) as f64];
        for j in 0..n_genes {
            let load = [(j as f64).sin(), (j as f64 * 0.7).cos(), (j % 4) as f64 * 0.3];
            let mean: f64 = 1.5 + state.iter().zip(load).map(|(a, b)| a * b).sum::<f64>();
            let noise = (i * 37 + j * j * 11 + i * j) % 5;
            if (i + 2 * j) % 3 == 0 || noise == 4 {
                genes.push(j as u32);
                values.push((mean.max(0.0) * 2.0).round() as f32 + 1.0 + noise as f32);
            }
        }
        indptr.push(values.len());
    }
    let sets = GeneSets::shipped(Species::Mouse);
    let named = sets.proliferation.iter().take(10).filter_map(|entry| entry.split(' ').next());
    let mut names: Vec<String> = named.map(String::from).collect();
    names.extend((names.len()..n_genes).map(|j| format!("g{j}")));
    let cells: Vec<String> = (0..n_cells).map(|i| format!("c{i}")).collect();
    let day = Column::Integers((0..n_cells).map(|i| Some((i % 3) as i64)).collect());
    let counts = Csr::new(n_genes, indptr, genes, values).unwrap();
    let content = H5adContent {
        obs_names: &cells,
        var_names: &names,
        obs: &[("day", &day)],
        x: Some(MatrixContent::Sparse(&counts)),
        ..H5adContent::default()
    };
    write_h5ad(path, &content).unwrap();
}

/// The plan of a fit of these cells, and the folder of its file.
fn plan(options: FitOptions) -> (Plan, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("course.h5ad");
    write_course(&path);
    let time = TimeOptions::default().with_column(Some("day".into())).with_map(None);
    (Plan::read(&path, &options.with_time(time), &mut Silent).unwrap(), folder)
}

fn options() -> FitOptions {
    FitOptions { n_top_genes: 80, ..FitOptions::default() }
}

/// The coordinates by shards of `size` cells.
fn by_shards(
    plan: &Plan,
    running: Running,
    size: usize,
    progress: &mut dyn Progress,
) -> Result<Prepared> {
    let shards = Shards::of(plan, running, size).unwrap().unwrap();
    let halved = halved_rows(&plan.selection.times);
    plan.prepare_shards(shards, running, halved, progress).map(|found| found.1)
}

fn farthest<'a>(a: impl IntoIterator<Item = &'a f64>, b: impl IntoIterator<Item = &'a f64>) -> f64 {
    a.into_iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn coordinates_by_shards_are_those_of_all_cells_at_once() {
    let (plan, _folder) = plan(options());
    let halved = halved_rows(&plan.selection.times);
    let running = Running::default();
    let whole = plan.prepare_whole(running, halved, &mut Silent).unwrap().1;
    for size in [400, 701] {
        let found = by_shards(&plan, running, size, &mut Silent).unwrap();
        assert_eq!(found.genes, whole.genes);
        assert_eq!(found.dimensions, whole.dimensions);
        assert_eq!(found.seen, whole.seen);
        // Growth follows from each cell and from moments over all cells in their order.
        assert!(found.growth.is_some() && found.growth == whole.growth);
        assert!(farthest(&found.points, &whole.points) < 1e-10);
        let [a, b] = [&found, &whole].map(|of| of.recipe.pca.as_ref().unwrap());
        assert!(farthest(a.loadings(), b.loadings()) < 1e-10);
        let [a, b] = [&found, &whole].map(|of| of.scree.as_ref().unwrap());
        assert!(farthest(&a.eigenvalues, &b.eigenvalues) < 1e-9);
        let [a, b] = [&found, &whole].map(|of| of.halves.as_ref().unwrap());
        assert_eq!((&a.rows, &a.depth), (&b.rows, &b.depth));
        for half in 0..2 {
            assert!(farthest(&a.points[half], &b.points[half]) < 1e-10);
        }
    }
}

#[test]
fn values_on_disk_and_in_memory_give_the_same_bytes() {
    let (plan, _folder) = plan(options());
    let held = by_shards(&plan, Running::default(), 500, &mut Silent).unwrap();
    let memory = Some(1e9);
    let some =
        by_shards(&plan, Running { memory, ..Running::default() }, 500, &mut Silent).unwrap();
    assert_eq!(held, some);
    let mut shards = Shards::of(&plan, Running::default(), 500).unwrap().unwrap();
    (shards.most, shards.held) = (0.0, 0.0);
    let halved = halved_rows(&plan.selection.times);
    let read = plan.prepare_shards(shards, Running::default(), halved, &mut Silent).unwrap().1;
    assert_eq!(held, read);
}

#[test]
fn a_list_of_genes_all_genes_and_embeddings() {
    let all = FitOptions { n_top_genes: 100_000, ..FitOptions::default() };
    let (few, _folder) = plan(options());
    let names: Vec<String> = few.file.gene_names(&MatrixSource::X).unwrap();
    let listed = FitOptions { genes: Some(names[5..60].to_vec()), ..FitOptions::default() };
    let n_all = names.len();
    for (options, n) in [(listed, 55), (all, n_all)] {
        let (plan, _folder) = plan(options);
        let halved = halved_rows(&plan.selection.times);
        let whole = plan.prepare_whole(Running::default(), halved, &mut Silent).unwrap().1;
        let found = by_shards(&plan, Running::default(), 900, &mut Silent).unwrap();
        assert_eq!((found.genes.len(), &found.genes), (n, &whole.genes));
        assert!(farthest(&found.points, &whole.points) < 1e-9);
    }
    let rep = FitOptions { source: Source::Rep("X_pca".into()), ..FitOptions::default() };
    assert!(Shards::of(&few, Running::default(), 1 << 20).unwrap().is_none());
    let info = few.file.matrix_info(&MatrixSource::X).unwrap();
    let many = MatrixInfo { n_genes: 30_000, ..info.clone() };
    assert!(is_by_shards(&many, &rep));
    assert!(!is_by_shards(&many, &FitOptions { n_top_genes: 4_001, ..FitOptions::default() }));
    assert!(!is_by_shards(&MatrixInfo { format: StorageFormat::Csc, ..info }, &options()));
}

#[test]
fn too_little_memory_is_refused() {
    let (plan, _folder) = plan(options());
    let running = Running { memory: Some(4.1e7), ..Running::default() };
    let refused = by_shards(&plan, running, 500, &mut Silent);
    assert!(matches!(refused, Err(Error::Memory { .. })), "{refused:?}");
}

/// Keeps the results of all parts in memory, for one process after the other.
#[derive(Debug, Default)]
struct Kept {
    stages: Vec<Division>,
    /// The stage and the part of this process; none for one that collects.
    own: Option<(usize, usize)>,
    /// Whether this process tries the first part of each stage.
    tries: bool,
    results: BTreeMap<(String, usize), String>,
    notes: Vec<String>,
}

impl Progress for Kept {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        if let Event::Note { text } = event {
            self.notes.push(text.clone());
        }
        ControlFlow::Continue(())
    }
    fn sharing(&mut self) -> Option<&mut dyn Sharing> {
        Some(self)
    }
}

impl Sharing for Kept {
    fn announced(&mut self, divisions: &[Division]) -> Result<()> {
        self.stages = divisions.to_vec();
        Ok(())
    }
    fn duty(&mut self, division: &Division) -> Result<Duty> {
        let stage = self.stages.iter().position(|stage| stage.what == division.what).unwrap();
        Ok(match self.own {
            _ if self.tries => Duty::Try { parts: vec![0], goes_on: true },
            Some((own, _)) if stage > own => Duty::Later,
            Some((own, part)) if stage == own => Duty::One(part),
            _ => Duty::Collect,
        })
    }
    fn keep(&mut self, what: &str, part: usize, text: String) -> Result<()> {
        self.results.insert((what.into(), part), text);
        Ok(())
    }
    fn kept(&mut self, what: &str, part: usize) -> Result<String> {
        Ok(self.results[&(what.to_string(), part)].clone())
    }
}

#[test]
fn stages_of_many_processes_give_the_bytes_and_notes_of_one() {
    let (plan, _folder) = plan(options());
    let alone = &mut Kept { tries: true, ..Kept::default() };
    by_shards(&plan, Running::default(), 600, alone).unwrap();
    let stages = alone.stages.clone();
    let names: Vec<&str> = stages.iter().map(|stage| stage.what).collect();
    let expected = [
        "values of shards",
        "genes of shards",
        "selection of genes",
        "moments of shards",
        "components",
        "coordinates of shards",
        "intervals",
    ];
    assert_eq!(names, expected);
    let n_intervals = plan.selection.axis.levels.len() - 1;
    assert_eq!(stages[6].parts.len(), n_intervals);
    assert_eq!(stages[0].parts[1], "cells 601–1200");
    let mut kept = done_by_parts(&plan, &stages);
    // The sums that were added need not be there any more.
    kept.results.retain(|(what, _), _| what != "moments of shards" && what != "genes of shards");
    let merged = by_shards(&plan, Running::default(), 600, &mut kept).unwrap();
    let mut one = Notes::default();
    assert_eq!(merged, by_shards(&plan, Running::default(), 600, &mut one).unwrap());
    assert!(one.0.len() > 3);
    assert_eq!(kept.notes, one.0);
}

/// The results of all parts of the first six `stages`, each by a process of its own, in reverse order in a stage.
fn done_by_parts(plan: &Plan, stages: &[Division]) -> Kept {
    let mut kept = Kept { stages: stages.to_vec(), ..Kept::default() };
    for (stage, division) in stages.iter().take(6).enumerate() {
        for part in (0..division.parts.len()).rev() {
            kept.own = Some((stage, part));
            let stopped = by_shards(plan, Running::default(), 600, &mut kept);
            assert!(matches!(stopped, Err(Error::Cancelled)));
        }
    }
    (kept.own, kept.notes) = (None, Vec::new());
    kept
}

#[test]
fn results_of_another_size_are_an_error() {
    let (plan, _folder) = plan(options());
    let mut tried = Kept { tries: true, ..Kept::default() };
    by_shards(&plan, Running::default(), 600, &mut tried).unwrap();
    let mut kept = done_by_parts(&plan, &tried.stages);
    let good = kept.results.clone();
    assert!(by_shards(&plan, Running::default(), 600, &mut kept).is_ok());
    // The last shard has fewer cells than the first.
    for what in ["values of shards", "coordinates of shards"] {
        kept.results = good.clone();
        let first = good[&(what.to_string(), 0)].clone();
        kept.results.insert((what.to_string(), 2), first);
        let found = by_shards(&plan, Running::default(), 600, &mut kept);
        assert!(matches!(found, Err(Error::Numerical { .. })), "{what}");
    }
    kept.results = good.clone();
    let chosen = ("selection of genes".to_string(), 0);
    let text = good[&chosen].replace("\"columns\":[", "\"columns\":[119,118,");
    kept.results.insert(chosen, text);
    let found = by_shards(&plan, Running::default(), 600, &mut kept);
    assert!(matches!(found, Err(Error::Numerical { .. })));
}

/// Hears notes, and computes everything.
#[derive(Debug, Default)]
struct Notes(Vec<String>);

impl Progress for Notes {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        if let Event::Note { text } = event {
            self.0.push(text.clone());
        }
        ControlFlow::Continue(())
    }
}

#[test]
fn cells_of_a_trial_stand_for_all() {
    let (plan, _folder) = plan(options());
    let mut tried = Kept { tries: true, ..Kept::default() };
    let found = by_shards(&plan, Running::default(), 600, &mut tried).unwrap();
    let n = plan.selection.rows.len();
    assert_eq!(found.points.nrows(), n);
    assert_eq!(found.points.row(600), found.points.row(0));
    assert_eq!(found.growth.as_ref().map(Array1::len), Some(n));
    assert_eq!(found.halves.unwrap().points[1].nrows(), halved_rows(&plan.selection.times).len());
}

#[test]
fn the_cell_of_an_error_is_that_of_the_course() {
    let (plan, _folder) = plan(options());
    let shards = Shards::of(&plan, Running::default(), 600).unwrap().unwrap();
    let negative = Error::Negative { step: "log1p", cell: 5, gene: 2, got: -1.0 };
    let found = shards.placed(2, negative);
    assert!(matches!(found, Error::Negative { cell: 1205, gene: 2, .. }));
    let (cell, gene) = ("7".to_string(), "1".to_string());
    let found = shards.placed(1, Error::Overflows { step: "log1p", got: 1.0, cell, gene });
    assert!(matches!(found, Error::Overflows { cell, .. } if cell == "607"));
    assert_eq!(shards.cells(shards.n() - 1).end, plan.selection.rows.len());
}
