//! From the file to coordinates, times and noise.

use std::path::Path;

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};
use rand_distr::{Distribution, StandardNormal};
use sbcell::bridge::GaussianSolver;
use sbcell::data::{Column, time};
use sbcell::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use sbcell::io::model::{Header, Model, ValuesRecord};
use sbcell::pipeline::{
    FitOptions, InterpolateOptions, Running, SolverChoice, Source, Space, TimeOptions, fit,
    interpolate,
};
use sbcell::preprocess::Values;
use sbcell::{Seed, Silent};

use crate::sandbox::{Answer, Sandbox};

/// A column read for a subset of cells must forget the categories that no cell of the subset has:
/// `fit --obs-filter time<=6` once listed later times with no cells.
#[test]
fn r001_filtered_times_list_only_times_with_cells() {
    let column = Column::Categories {
        codes: vec![Some(0), Some(1), Some(2), Some(0)],
        categories: Box::new(Column::Floats(vec![0.0, 6.0, 12.0])),
    };
    let axis = time::resolve("time", &column.select(&[0, 1, 3])).unwrap();
    assert_eq!(axis.times(), [0.0, 6.0]);
}

/// `--genes` must not change the depth that counts are scaled to: it once summed only the genes
/// of the list, so that a list of one gene made every cell equal.
#[test]
fn r002_a_list_of_genes_does_not_change_the_depth() {
    let folder = tempfile::tempdir().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data-samples/semrau2017_mesc_ra.h5ad");
    let mean_of = |genes: Option<&[&str]>, out: &str| {
        let options = FitOptions::default()
            .with_time(TimeOptions::default().with_column(Some("time".into())).with_map(None))
            .with_source(Source::Layer("counts".into()))
            .with_genes(genes.map(|names| names.iter().map(|name| (*name).to_string()).collect()))
            .with_filters(vec!["time<=6".into()]);
        let out = folder.path().join(out);
        fit(&sample, &out, &options, Running::default(), &mut Silent).unwrap();
        let model = Model::read(&out).unwrap();
        let place = model.genes.iter().position(|gene| gene == "Sox2").unwrap();
        model.pca.unwrap().mean()[place]
    };
    let (all, few) = (mean_of(None, "all"), mean_of(Some(&["Sox2", "Pou5f1"]), "few"));
    assert!((all - few).abs() < 1e-12, "{all} {few}");
}

/// Cells of a course in coordinates, as many at each time.
struct Course {
    points: Array2<f64>,
    days: Vec<f64>,
    names: Vec<String>,
    /// More columns of `obs`.
    more: Vec<(&'static str, Column)>,
}

/// Normal draws whose mean is 0 and whose covariance is I, to the last digit.
fn standard(n: usize, seed: u64) -> Array2<f64> {
    let mut random = Seed(seed).stream("test", 0);
    let mut x = Array2::from_shape_simple_fn((n, 2), || StandardNormal.sample(&mut random));
    for d in 0..2 {
        let centre = x.column(d).mean().unwrap();
        x.column_mut(d).mapv_inplace(|value: f64| value - centre);
    }
    let slope = x.column(0).dot(&x.column(1)) / x.column(0).dot(&x.column(0));
    let first = x.column(0).to_owned();
    x.column_mut(1).scaled_add(-slope, &first);
    let spread = x.std_axis(Axis(0), 0.0);
    x / &spread
}

impl Course {
    /// `n` cells at each of these days, `step` apart.
    fn new(n: usize, days: &[f64], step: f64) -> Self {
        let parts: Vec<Array2<f64>> =
            days.iter().map(|&day| standard(n, day as u64) + step * day).collect();
        let views: Vec<ArrayView2<'_, f64>> = parts.iter().map(|part| part.view()).collect();
        let names = (0..n * days.len()).map(|cell| format!("c{cell}")).collect();
        let days = days.iter().flat_map(|&day| vec![day; n]).collect();
        Self { points: concatenate(Axis(0), &views).unwrap(), days, names, more: Vec::new() }
    }

    fn write(&self, path: &Path) {
        let days = Column::Integers(self.days.iter().map(|&day| Some(day as i64)).collect());
        let mut obs = vec![("day", &days)];
        obs.extend(self.more.iter().map(|(name, column)| (*name, column)));
        let content = H5adContent {
            obs_names: &self.names,
            obs: &obs,
            obsm: &[("X_pca", self.points.view())],
            ..H5adContent::default()
        };
        write_h5ad(path, &content).unwrap();
    }

    /// A fit of the course by the command line, in its coordinates.
    fn fitted(&self, flags: &str) -> (Sandbox, Answer) {
        let solver = if flags.contains("--solver") { "" } else { "--solver gaussian" };
        let sandbox = Sandbox::new();
        self.write(&sandbox.path("data.h5ad"));
        let line = format!(
            "fit data.h5ad --timepoints day --use-rep X_pca --no-validation {solver} {flags}"
        );
        let answer = sandbox.run(&line);
        (sandbox, answer)
    }
}

/// The notes that `run.json` of the model keeps, which are those of the terminal.
fn notes(sandbox: &Sandbox, answer: &Answer) -> Vec<String> {
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let run: serde_json::Value =
        serde_json::from_str(&sandbox.text("sbcell-out/run.json")).unwrap();
    let notes: Vec<String> = run["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| note.as_str().unwrap().to_string())
        .collect();
    // The record names parameters, the terminal their flags; all other words are the same.
    let is_said = |note: &String| {
        note.split("the parameter `").enumerate().all(|(number, part)| {
            let words = if number == 0 { part } else { part.split_once('`').unwrap().1 };
            answer.stderr.contains(words)
        })
    };
    assert!(notes.iter().all(is_said), "{}", answer.stderr);
    notes
}

fn says(notes: &[String], parts: &[&str]) -> bool {
    notes.iter().any(|note| parts.iter().all(|part| note.contains(part)))
}

fn header(sandbox: &Sandbox) -> Header {
    Model::read(&sandbox.path("sbcell-out")).unwrap().header
}

/// The default noise is that of the cells within a time: it once grew with the distance between
/// times, so that two clouds N(·, I) 100 apart had σ² = 251 and a width of 8 in the middle.
#[test]
fn r050_noise_does_not_follow_displacement_between_times() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("far.h5ad"), folder.path().join("out"));
    Course::new(1000, &[0.0, 1.0], 100.0).write(&data);
    for solver in [SolverChoice::of(GaussianSolver::default()), SolverChoice::default()] {
        let options =
            FitOptions::default().with_source(Source::Rep("X_pca".into())).with_solver(solver);
        fit(&data, &out, &options, Running::default(), &mut Silent).unwrap();
        let model = Model::read(&out).unwrap();
        assert!(
            (model.header.scale - 1.0).abs() < 1e-9 && (model.header.sigma2 - 0.1).abs() < 1e-9
        );
        let options = InterpolateOptions::default()
            .with_at(vec![0.5])
            .with_n_cells(Some(20_000))
            .with_space(Space::Pca)
            .with_dynamics(None)
            .with_seed(1);
        let middle = interpolate(&model, &options, &mut Silent).unwrap().swap_remove(0);
        // Between N(0, I) and N(m, I) the covariance of the ends is s = √(1 + ε²/4) − ε/2, and the
        // variance at t is (1−t)² + t² + 2t(1−t)s + εt(1−t).
        let epsilon: f64 = 0.1;
        let s = (1.0 + epsilon * epsilon / 4.0).sqrt() - epsilon / 2.0;
        let expected = 0.5 + s / 2.0 + epsilon / 4.0;
        for d in 0..2 {
            let column = middle.points.column(d);
            // Six standard errors: √(2/20000) of the variance, 1/√20000 of the mean.
            assert!((column.var(0.0) / expected - 1.0).abs() < 0.06, "{}", column.var(0.0));
            assert!((column.mean().unwrap() - 50.0).abs() < 0.043);
        }
    }
}

/// One cell far from all others does not set the scale, whatever the distance, and is named.
#[test]
fn r051_an_outlying_cell_does_not_set_the_scale_and_is_named() {
    let usual = Course::new(100, &[0.0, 1.0, 2.0], 1.0);
    for far in [1e3, 1e6] {
        let mut course = Course::new(100, &[0.0, 1.0, 2.0], 1.0);
        course.points.row_mut(117).fill(far);
        let (sandbox, answer) = course.fitted("");
        let notes = notes(&sandbox, &answer);
        assert!(says(&notes, &["1 cell is more than 10 times", "`c117` at 1"]), "{notes:?}");
        let (plain, answer) = usual.fitted("");
        assert!(!answer.stderr.contains("more than 10 times"));
        let ratio = header(&sandbox).sigma2 / header(&plain).sigma2;
        assert!((ratio - 1.0).abs() < 0.05, "{ratio}");
    }
}

/// More noise than there is difference between the cells of a time is said, with the way out.
#[test]
fn r052_noise_that_exceeds_the_width_of_the_snapshots_is_said() {
    let course = Course::new(60, &[0.0, 1.0, 2.0, 30.0], 1.0);
    let (sandbox, answer) = course.fitted("");
    let found = notes(&sandbox, &answer);
    // ε = 0.1 over a day is 2.8 over 28 days.
    assert!(says(&found, &["the noise from 2 to 30", "2.80", "`epsilon = 0.00357"]), "{found:?}");
    let (sandbox, answer) = course.fitted("--epsilon 0.00357");
    assert!(!says(&notes(&sandbox, &answer), &["the noise from"]));
}

/// Noise that leaves the range of numbers is refused by the name of the flag, with the bridge that
/// has none; little noise is done, or the same is said.
#[test]
fn r053_very_little_noise_is_done_or_points_to_exact_transport() {
    let course = Course::new(30, &[0.0, 1.0], 1.0);
    for flags in ["--epsilon 1e-300", "--sigma2 1e-200"] {
        let (_, answer) = course.fitted(flags);
        assert_eq!(answer.code, 2);
        assert!(answer.stderr.contains("`--solver ot`"), "{}", answer.stderr);
    }
    let (_, answer) = course.fitted("--epsilon 1e-12");
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let (_, answer) = course.fitted("--epsilon 1e-12 --solver sinkhorn --max-iterations 50");
    assert!(answer.stderr.contains("`--solver ot`"), "{}", answer.stderr);
}

/// A scale that says nothing is not taken: times of one cell, of identical cells.
#[test]
fn r054_times_of_few_or_identical_cells_are_said_and_do_not_set_the_scale() {
    let mut course = Course::new(60, &[0.0, 1.0, 2.0], 1.0);
    let same = course.points.row(60).to_owned();
    course
        .points
        .slice_mut(s![60..120, ..])
        .rows_mut()
        .into_iter()
        .for_each(|mut row| row.assign(&same));
    let (sandbox, answer) = course.fitted("");
    let found = notes(&sandbox, &answer);
    assert!(says(&found, &["60 cells at 1 are identical"]), "{found:?}");
    assert!((header(&sandbox).scale - 1.0).abs() < 1e-9);

    let mut course = Course::new(60, &[0.0, 1.0, 2.0], 1.0);
    let kept: Vec<usize> = (0..60).chain([60, 61]).chain(120..180).collect();
    course.points = course.points.select(Axis(0), &kept);
    course.days = kept.iter().map(|&cell| course.days[cell]).collect();
    course.names = kept.iter().map(|&cell| course.names[cell].clone()).collect();
    let (sandbox, answer) = course.fitted("");
    let found = notes(&sandbox, &answer);
    assert!(says(&found, &["too few cells", "1 (2 cells)"]), "{found:?}");
    assert!((header(&sandbox).scale - 1.0).abs() < 1e-9);
}

/// Names of cells that occur more than once are said by a fit.
#[test]
fn r055_repeated_names_of_cells_are_said() {
    let mut course = Course::new(40, &[0.0, 1.0], 1.0);
    course.names = (0..80).map(|cell| format!("BC{}", cell % 40)).collect();
    let (sandbox, answer) = course.fitted("");
    let found = notes(&sandbox, &answer);
    assert!(says(&found, &["40 cell names", "`BC0` (2 times)"]), "{found:?}");
    for command in ["velocity", "couplings"] {
        let answer = sandbox.done(command);
        assert!(answer.stderr.contains("`BC0` (2 times)"), "{command}: {}", answer.stderr);
    }
}

/// Growth that puts the mass of a time on one cell is said, with the time and the cell.
#[test]
fn r056_growth_that_leaves_one_cell_is_said() {
    let mut course = Course::new(60, &[0.0, 1.0, 2.0], 1.0);
    let one = (0..180).map(|cell| if cell == 75 { 1e6 } else { 1.0 }).collect();
    let even = (0..180).map(|cell| 1.0 + f64::from(cell % 3)).collect();
    course.more = vec![("one", Column::Floats(one)), ("even", Column::Floats(even))];
    let (sandbox, answer) = course.fitted("--growth-key one");
    let found = notes(&sandbox, &answer);
    assert!(says(&found, &["growth puts 100 % of the mass at 1 on one cell, `c75`"]), "{found:?}");
    assert!(!says(&found, &["the mass at 0"]));
    let (sandbox, answer) = course.fitted("--growth-key even");
    assert!(!says(&notes(&sandbox, &answer), &["on one cell"]));
}

/// What cannot be a growth names the cell, or says what the column holds, or how names differ.
#[test]
fn r057_growth_that_is_none_is_refused_by_the_name_of_the_cell() {
    let mut course = Course::new(20, &[0.0, 1.0], 1.0);
    let number = |at: usize, value: f64| {
        Column::Floats((0..40).map(|cell| if cell == at { value } else { 2.0 }).collect())
    };
    let texts = (0..40).map(|_| Some("high".to_string())).collect();
    course.more = vec![
        ("zero", number(7, 0.0)),
        ("negative", number(8, -1.0)),
        ("missing", number(9, f64::NAN)),
        ("words", Column::Texts(texts)),
        ("last", number(30, f64::NAN)),
    ];
    let refused = |flags: &str| {
        let (_, answer) = course.fitted(flags);
        assert_eq!(answer.code, 2, "{flags}: {}", answer.stderr);
        answer.stderr
    };
    assert!(refused("--growth-key zero").contains("has 0 for cell `c7`"));
    assert!(refused("--growth-key negative").contains("has -1 for cell `c8`"));
    assert!(refused("--growth-key missing").contains("no growth for cell `c9`"));
    assert!(refused("--growth-key words").contains("`words` contains text, such as `high`"));
    // Cells of the last time need none.
    assert_eq!(course.fitted("--growth-key last").1.code, 0);
    assert_eq!(course.fitted("--growth-key negative --growth-unit rate/day").1.code, 0);

    let sandbox = Sandbox::new();
    course.write(&sandbox.path("data.h5ad"));
    let with = |line: &dyn Fn(usize) -> String| {
        let table: String = (0..40).map(line).collect();
        std::fs::write(sandbox.path("growth.csv"), format!("id,growth\n{table}")).unwrap();
        let answer = sandbox.run(
            "fit data.h5ad --timepoints day --use-rep X_pca --growth-file growth.csv --no-validation \
             --solver gaussian",
        );
        (answer.code, answer.stderr)
    };
    let (code, text) = with(&|cell| format!("c{cell}-1,1.5\n"));
    assert!(code == 2 && text.contains("names in the file end in `-1`"), "{text}");
    let (code, text) = with(&|cell| format!("s_c{cell},1.5\n"));
    assert!(code == 2 && text.contains("names in the file begin with `s_`"), "{text}");
    let (code, text) = with(&|cell| format!("c{cell},1.5\r\n"));
    assert!(code == 0, "{text}");
}

/// Counts of a course, and what is commonly made of them.
struct Genes {
    counts: Array2<f32>,
}

impl Genes {
    fn new(n_cells: usize, n_genes: usize) -> Self {
        let counts = Array2::from_shape_fn((n_cells, n_genes), |(i, j)| {
            let n = i * 37 + j * j * 11 + i * j * (1 + i % 7);
            let depth = 1 + i % 4;
            if n % 3 == 0 { 0.0 } else { (depth * (1 + n % (4 + j % 5))) as f32 }
        });
        Self { counts }
    }

    fn at_depth(&self, depth: f32) -> Array2<f32> {
        let mut x = self.counts.clone();
        x.rows_mut().into_iter().for_each(|mut row| row *= depth / row.sum());
        x
    }

    /// Two days, half of the cells each.
    fn write(x: &Array2<f32>, path: &Path) {
        Self::write_days(x, 2, path);
    }

    /// So many days, as many cells at each.
    fn write_days(x: &Array2<f32>, n_days: usize, path: &Path) {
        let n = x.nrows();
        let names = |stem: &str, n: usize| -> Vec<String> {
            (0..n).map(|k| format!("{stem}{k}")).collect()
        };
        let days = Column::Integers((0..n).map(|cell| Some((cell * n_days / n) as i64)).collect());
        let content = H5adContent {
            obs_names: &names("c", n),
            obs: &[("day", &days)],
            var_names: &names("G", x.ncols()),
            x: Some(MatrixContent::Single(x.view())),
            ..H5adContent::default()
        };
        write_h5ad(path, &content).unwrap();
    }

    fn fitted(x: &Array2<f32>, flags: &str) -> (Sandbox, Answer) {
        let sandbox = Sandbox::new();
        Self::write(x, &sandbox.path("data.h5ad"));
        let line =
            format!("fit data.h5ad --timepoints day --solver gaussian --no-validation {flags}");
        let answer = sandbox.run(&line);
        (sandbox, answer)
    }
}

/// Values of one depth that are not logged were once taken for logarithms, or for nothing at all.
#[test]
fn r058_normalised_values_are_recognised_and_log1p_is_taken() {
    let genes = Genes::new(120, 30);
    for depth in [12.0, 1e3, 1e4] {
        let (sandbox, answer) = Genes::fitted(&genes.at_depth(depth), "");
        let found = notes(&sandbox, &answer);
        assert!(says(&found, &["X is normalised, not logged", "log1p"]), "{found:?}");
        let model = Model::read(&sandbox.path("sbcell-out")).unwrap();
        assert_eq!(model.header.values, Some(ValuesRecord::Normalised));
        // Counts brought to the depth they have, and the logarithms themselves, are the same.
        let logs = genes.at_depth(depth).mapv(f32::ln_1p);
        for (x, flags) in [
            (genes.at_depth(depth), "--values counts"),
            (genes.at_depth(depth), "--values normalised"),
            (logs, ""),
        ] {
            let (sandbox, answer) = Genes::fitted(&x, flags);
            assert_eq!(answer.code, 0, "{}", answer.stderr);
            let other = Model::read(&sandbox.path("sbcell-out")).unwrap();
            let off = (model.points.mapv(f64::abs) - other.points.mapv(f64::abs)).mapv(f64::abs);
            // Single precision of logarithms up to 9.
            let most = off.iter().copied().fold(0.0, f64::max);
            assert!(most < 1e-3, "{depth} {flags} {most}");
        }
        let shown = sandbox.done("inspect data.h5ad").stdout;
        assert!(shown.contains("normalised"), "{shown}");
    }
}

/// No user meets "exp(x) overflows": values without a common depth are said to have none, and genes
/// are selected by the values as they are.
#[test]
fn r059_values_of_no_common_depth_are_said_and_fitted() {
    let genes = Genes::new(120, 30);
    let other = genes.counts.mapv(|count| if count > 0.0 { 700.0 * (count + 0.37) } else { 0.0 });
    for flags in ["", "--n-top-genes 10", "--values as-is --n-top-genes 10"] {
        let (sandbox, answer) = Genes::fitted(&other, flags);
        let found = notes(&sandbox, &answer);
        assert!(says(&found, &["no depth in common", "`values = counts`"]), "{found:?}");
    }
    let (_, answer) = Genes::fitted(&genes.at_depth(1e4), "--values as-is --n-top-genes 10");
    assert_eq!(answer.code, 0, "{}", answer.stderr);
}

/// Nothing is selected, nor said to be, where all genes fit.
#[test]
fn r060_no_genes_are_selected_where_all_fit() {
    let mut genes = Genes::new(120, 30);
    genes.counts.column_mut(4).fill(3.0);
    let (sandbox, answer) = Genes::fitted(&genes.counts, "--n-top-genes 30");
    assert!(!says(&notes(&sandbox, &answer), &["30 genes vary"]), "{}", answer.stderr);
    assert_eq!(Model::read(&sandbox.path("sbcell-out")).unwrap().genes.len(), 30);
    let (sandbox, answer) = Genes::fitted(&genes.counts, "--n-top-genes 29");
    assert!(says(&notes(&sandbox, &answer), &["of 30 genes highly variable"]));
}

/// `inspect` and `fit` say the same of the same values.
#[test]
fn r061_inspect_and_fit_give_one_verdict() {
    let genes = Genes::new(120, 30);
    let of = |x: &Array2<f32>| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.h5ad");
        Genes::write(x, &path);
        let values = sbcell::pipeline::inspect(&path).unwrap().matrices[0].values.unwrap();
        let matrix = sbcell::data::Matrix::Dense(x.clone());
        let detected = sbcell::preprocess::detect(&matrix, &mut Silent).unwrap();
        assert_eq!(values.looks_like, detected.values);
        values.looks_like
    };
    assert_eq!(of(&genes.counts), Values::Counts);
    assert_eq!(of(&genes.at_depth(1e4)), Values::Normalised);
    assert_eq!(of(&genes.at_depth(15.0)), Values::Normalised);
    assert_eq!(of(&genes.at_depth(1e4).mapv(f32::ln_1p)), Values::Log1p);
    assert_eq!(of(&(genes.at_depth(15.0) - 0.2)), Values::Scaled);
    assert_eq!(of(&(&genes.counts * 40.5)), Values::Other);
}

/// Cells without counts are counted and named; a time of nothing else is refused.
#[test]
fn r062_cells_without_counts_are_said_and_a_time_of_them_is_refused() {
    let mut genes = Genes::new(120, 30);
    for cell in [3, 70, 71] {
        genes.counts.row_mut(cell).fill(0.0);
    }
    let (sandbox, answer) = Genes::fitted(&genes.counts, "");
    let found = notes(&sandbox, &answer);
    assert!(says(&found, &["3 of 120 cells contain only zeros (`c3`, `c70`, `c71`)"]), "{found:?}");
    genes.counts.slice_mut(s![60.., ..]).fill(0.0);
    let (_, answer) = Genes::fitted(&genes.counts, "");
    assert_eq!(answer.code, 2);
    assert!(answer.stderr.contains("all 60 cells at 1"), "{}", answer.stderr);
}

/// A dry run ends as the fit would: what `--memory` refuses is refused there.
#[test]
fn r063_a_dry_run_refuses_what_the_fit_would_refuse() {
    let genes = Genes::new(120, 30);
    let (_, real) = Genes::fitted(&genes.counts, "--memory 1M");
    let (_, dry) = Genes::fitted(&genes.counts, "--memory 1M --dry-run");
    assert_eq!((real.code, dry.code), (5, 5), "{}", dry.stderr);
    assert!(dry.stdout.contains("estimate:") || dry.stderr.contains("estimate:"));
    for answer in [real, dry] {
        assert!(answer.stderr.contains("more than the 1 MB allowed"), "{}", answer.stderr);
    }
    let (_, enough) = Genes::fitted(&genes.counts, "--memory 1G --dry-run");
    assert_eq!(enough.code, 0);
}

/// Every fold of `evaluate` takes values for what all cells say they are, and refuses what `fit`
/// refuses.
#[test]
fn r064_evaluate_takes_values_as_the_fit_does() {
    let genes = Genes::new(150, 30);
    let evaluated = |x: &Array2<f32>| {
        let sandbox = Sandbox::new();
        Genes::write_days(x, 3, &sandbox.path("data.h5ad"));
        sandbox.run("evaluate data.h5ad --timepoints day --solver gaussian --bootstrap 20")
    };
    let answer = evaluated(&genes.at_depth(1e4));
    assert!(
        answer.code == 0 && answer.stderr.contains("normalised, not logged"),
        "{}",
        answer.stderr
    );
    let mut empty = genes.counts.clone();
    empty.slice_mut(s![50..100, ..]).fill(0.0);
    let answer = evaluated(&empty);
    assert!(answer.code == 2 && answer.stderr.contains("all 50 cells at 1"), "{}", answer.stderr);
}
