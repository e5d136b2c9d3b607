//! Growth by genes that nobody asked for: used by couplings where it helps, and otherwise without a trace.

use std::path::{Path, PathBuf};

use ndarray::Array2;
use rand::Rng;
use sbcell::data::{Column, Matrix};
use sbcell::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use sbcell::io::model::Model;
use sbcell::pipeline::{FitOptions, GrowthOptions, GrowthPrior, Process, Running, Source, fit};
use sbcell::preprocess::{
    GeneSets, Species, find_genes, gene_set_rates, log1p, mean_z_score, normalize_total,
};
use sbcell::{Seed, Silent};

/// Cells of both types on days 0, 1, 2 and 3: the first type doubles against the second.
const CELLS: [[usize; 2]; 4] = [[20, 40], [30, 30], [40, 20], [48, 12]];

/// The type that cycles.
#[derive(Clone, Copy)]
enum Cycling {
    /// The one that gains cells.
    Growing,
    /// The one that loses cells.
    Shrinking,
    /// None: the file has no gene of the cell cycle.
    Unknown,
}

/// Type and day of each cell.
fn cells() -> Vec<(usize, f64)> {
    let of = |(day, n): (usize, &[usize; 2])| {
        [vec![(0, day as f64); n[0]], vec![(1, day as f64); n[1]]].concat()
    };
    CELLS.iter().enumerate().flat_map(of).collect()
}

/// Counts of 30 genes that differ between both types, and of the genes of proliferation.
fn counts(cycling: Cycling) -> (Array2<f32>, Vec<String>) {
    let mut genes: Vec<String> = (0..30).map(|g| format!("Gene{g}")).collect();
    if !matches!(cycling, Cycling::Unknown) {
        let sets = GeneSets::shipped(Species::Mouse);
        let symbol = |entry: &String| entry.split(' ').next().unwrap().to_string();
        genes.extend(sets.proliferation.iter().take(20).map(symbol));
    }
    let mut random = Seed(5).stream("test", 0);
    let cells = cells();
    let counts = Array2::from_shape_fn((cells.len(), genes.len()), |(i, g)| {
        let kind = cells[i].0;
        let mean = match (genes[g].strip_prefix("Gene"), cycling) {
            (Some(number), _) => 3 + 9 * ((number.parse::<usize>().unwrap() + kind) % 2),
            (None, Cycling::Shrinking) => 2 + 3 * kind,
            (None, _) => 2 + 3 * (1 - kind),
        };
        (random.next_u32() as usize % (2 * mean + 1)) as f32
    });
    (counts, genes)
}

/// Where the counts are.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    X,
    Counts,
    Nowhere,
}

fn write(path: &Path, cycling: Cycling, place: Place) {
    let (counts, genes) = counts(cycling);
    let cells = cells();
    let names: Vec<String> = (0..cells.len()).map(|cell| format!("c{cell}")).collect();
    let days = Column::Floats(cells.iter().map(|cell| cell.1).collect());
    // The genes of each type together.
    let embedding = Array2::from_shape_fn((cells.len(), 2), |(i, d)| {
        (0..15).map(|g| f64::from(counts[[i, 2 * g + d]])).sum::<f64>() / 15.0
    });
    let layers = [("counts", MatrixContent::Single(counts.view()))];
    let content = H5adContent {
        obs_names: &names,
        obs: &[("day", &days)],
        var_names: &genes,
        x: (place == Place::X).then(|| MatrixContent::Single(counts.view())),
        layers: if place == Place::Counts { &layers } else { &[] },
        obsm: &[("X_two", embedding.view())],
        ..H5adContent::default()
    };
    write_h5ad(path, &content).unwrap();
}

struct Course {
    folder: tempfile::TempDir,
}

impl Course {
    fn new(cycling: Cycling, place: Place) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("course.h5ad"), cycling, place);
        Self { folder }
    }

    /// Fits with this prior, and returns the folder, the model and the notes.
    fn fit(&self, prior: GrowthPrior, source: Source) -> (PathBuf, Model, String) {
        let out = self.folder.path().join(format!("{}", matches!(prior, GrowthPrior::Auto)));
        let options = FitOptions::default()
            .with_source(source)
            .with_n_pcs(2)
            .with_growth(GrowthOptions::default().with_prior(prior));
        let data = self.folder.path().join("course.h5ad");
        fit(&data, &out, &options, Running::default(), &mut Silent).unwrap();
        let record = std::fs::read_to_string(out.join("run.json")).unwrap();
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        let notes: Vec<String> = record["notes"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|note| note.as_str())
            .filter(|note| note.starts_with("growth"))
            .map(String::from)
            .collect();
        let model = Model::read(&out).unwrap();
        (out, model, notes.join("\n"))
    }

    /// Checks that the default finds the same bytes as no growth at all, and returns its notes.
    fn is_as_without(&self, source: &Source) -> String {
        let (auto, _, notes) = self.fit(GrowthPrior::Auto, source.clone());
        let (none, _, silent) = self.fit(GrowthPrior::None, source.clone());
        assert_eq!(silent, "");
        let mut names = vec!["cells.parquet".to_string(), "fit.csv".to_string()];
        for entry in std::fs::read_dir(none.join("bridges")).unwrap() {
            names.push(format!("bridges/{}", entry.unwrap().file_name().to_string_lossy()));
        }
        assert_eq!(names.len(), 5);
        for name in names {
            let bytes = |folder: &Path| std::fs::read(folder.join(&name)).unwrap();
            assert!(bytes(&auto) == bytes(&none), "{name}");
        }
        notes
    }
}

/// The rates by the published curves over all cells, per day.
fn expected(cycling: Cycling) -> Vec<f64> {
    let (counts, genes) = counts(cycling);
    let mut matrix = Matrix::Dense(counts);
    normalize_total(&mut matrix, None).unwrap();
    log1p(&mut matrix).unwrap();
    let sets = GeneSets::shipped(Species::Mouse);
    let score = |set: &[String]| mean_z_score(&matrix, &find_genes(set, &genes).0).unwrap();
    gene_set_rates(score(&sets.proliferation).view(), score(&sets.apoptosis).view()).to_vec()
}

#[test]
fn genes_that_predict_inner_times_weigh_the_cells_of_couplings_and_not_those_of_bridges() {
    let course = Course::new(Cycling::Growing, Place::X);
    let (out, model, notes) = course.fit(GrowthPrior::Auto, Source::X);
    let words =
        "growth: couplings use rates from 20 + 0 genes of proliferation and apoptosis (mouse)";
    assert!(notes.starts_with(words) && notes.contains("2 of 2 inner times better"), "{notes}");
    let expected = expected(Cycling::Growing);
    let mut first = 0;
    for (k, interval) in model.intervals.iter().enumerate() {
        let share = interval.report.detail("growth_share").unwrap();
        assert!(0.2 < share && share <= 1.0, "{share}");
        let rates = interval.coupling_growth.as_ref().unwrap();
        assert_eq!(rates.len(), CELLS[k].iter().sum::<usize>());
        for (rate, expected) in rates.iter().zip(&expected[first..]) {
            assert!((rate - share * expected).abs() < 1e-12, "{rate} {expected}");
        }
        first += rates.len();
        assert!(interval.growth.is_none());
    }
    let table = sbcell::io::table::read_parquet(&out.join("cells.parquet")).unwrap();
    assert!(table.column("growth_coupling").is_some() && table.column("growth_rate").is_none());
    // Populations are those without growth.
    let (_, none, _) = course.fit(GrowthPrior::None, Source::X);
    for (interval, other) in model.intervals.iter().zip(&none.intervals) {
        assert_eq!(interval.bridge, other.bridge);
        assert_eq!(interval.fit, other.fit);
    }
    // Fewer cells of the shrinking type become the growing one.
    let process = Process::restore(&model).unwrap();
    assert_eq!(process.source(0, 1.0).unwrap(), process.snapshots[0]);
    let grown = process.coupling_source(0).unwrap();
    let mass = grown.marginal().iter().take(CELLS[0][0]).sum::<f64>();
    assert!(mass > 0.38, "{mass}");
    assert!(lost(&model) < 0.8 * lost(&none), "{} {}", lost(&model), lost(&none));
}

/// The share of the shrinking cells' descendants that are of the growing type, over the first day.
fn lost(model: &Model) -> f64 {
    let process = Process::restore(model).unwrap();
    let source = process.coupling_source(0).unwrap();
    let link = process.series.bridges()[0]
        .link(&source, &process.snapshots[1], Seed(0), &mut Silent)
        .unwrap();
    let growing =
        Array2::from_shape_fn((60, 1), |(cell, _)| f64::from(u8::from(cell < CELLS[1][0])));
    let reached = link.pull(growing.view()).unwrap();
    (CELLS[0][0]..60).map(|cell| reached[[cell, 0]]).sum::<f64>()
}

#[test]
fn genes_that_mislead_and_genes_that_are_missing_leave_no_trace() {
    let course = Course::new(Cycling::Shrinking, Place::X);
    let notes = course.is_as_without(&Source::X);
    assert!(notes.starts_with("growth: off: relaxed couplings do not confirm"), "{notes}");
    let course = Course::new(Cycling::Unknown, Place::X);
    let notes = course.is_as_without(&Source::X);
    let words = "growth: off: 0 of the proliferation genes of human or mouse are in X";
    assert!(notes.starts_with(words), "{notes}");
}

#[test]
fn genes_are_read_beside_an_embedding_from_any_matrix() {
    let two = Source::Rep("X_two".into());
    for (place, name) in [(Place::X, "mouse, in X"), (Place::Counts, "mouse, in layers/counts")] {
        let course = Course::new(Cycling::Growing, place);
        let (_, model, notes) = course.fit(GrowthPrior::Auto, two.clone());
        assert!(notes.contains(name), "{notes}");
        let interval = &model.intervals[0];
        let share = interval.report.detail("growth_share").unwrap();
        let rates = interval.coupling_growth.as_ref().unwrap();
        for (rate, expected) in rates.iter().zip(expected(Cycling::Growing)) {
            assert!((rate - share * expected).abs() < 1e-12, "{rate} {expected}");
        }
    }
    let course = Course::new(Cycling::Growing, Place::Nowhere);
    let notes = course.is_as_without(&two);
    assert_eq!(notes, "growth: off: the file has no matrix of genes");
}
