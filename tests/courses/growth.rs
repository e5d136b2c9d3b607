//! Two types of cells that do not move; one doubles each day, the other does not.

use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis, concatenate};
use rand_distr::{Distribution, StandardNormal};
use sbcell::bridge::{LightSbSolver, UnitTime};
use sbcell::data::{Column, GrowthUnit};
use sbcell::io::h5ad::{H5adContent, write_h5ad};
use sbcell::io::model::{Model, OpenModel};
use sbcell::pipeline::{
    CellSets, FateOptions, FitOptions, GrowthOptions, GrowthPrior, InterpolateOptions, Noise,
    Process, Running, SolverChoice, Source, Space, fates, fit, interpolate,
};
use sbcell::{Seed, Silent};

/// Days of the snapshots: intervals that are not one day long.
const DAYS: [f64; 3] = [1.0, 2.5, 4.5];
/// Cells in a snapshot.
const N: usize = 600;
/// Where the two types live, in the first coordinate; their spread is 0.3.
const PLACES: [f64; 2] = [-4.0, 4.0];

/// The share of the type that doubles, at `day`, having been one third at the first.
fn share(day: f64) -> f64 {
    let factor = 2_f64.powf(day - DAYS[0]);
    factor / (factor + 2.0)
}

/// Whether the cell at the first coordinate `x` is of the type that doubles.
fn doubles(x: f64) -> bool {
    x < 0.0
}

/// Cells of the type that doubles.
fn n_doubling(place: usize) -> f64 {
    (share(DAYS[place]) * N as f64).round()
}

fn snapshot(place: usize) -> Array2<f64> {
    let mut random = Seed(7).stream("test/growth", place as u64);
    Array2::from_shape_fn((N, 2), |(i, d)| {
        let noise: f64 = StandardNormal.sample(&mut random);
        let centre = PLACES[usize::from(i as f64 >= n_doubling(place))];
        0.3 * noise + if d == 0 { centre } else { 0.0 }
    })
}

/// The course as a file: `growth` holds descendants per cell and day, `rate_h` their logarithm
/// per hour.
fn write(path: &Path) {
    let parts: Vec<Array2<f64>> = (0..DAYS.len()).map(snapshot).collect();
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    let points = concatenate(Axis(0), &views).unwrap();
    let factors: Vec<f64> =
        points.column(0).iter().map(|&x| if doubles(x) { 2.0 } else { 1.0 }).collect();
    let rates = factors.iter().map(|factor: &f64| factor.ln() / 24.0).collect();
    let days = (0..points.nrows()).map(|cell| DAYS[cell / N]).collect();
    let names: Vec<String> = (0..points.nrows()).map(|cell| format!("c{cell}")).collect();
    let kind = |x: &f64| Some(if doubles(*x) { "doubling" } else { "still" }.to_string());
    let kinds = points.column(0).iter().map(kind).collect();
    let content = H5adContent {
        obs_names: &names,
        obs: &[
            ("day", &Column::Floats(days)),
            ("growth", &Column::Floats(factors)),
            ("rate_h", &Column::Floats(rates)),
            ("kind", &Column::Texts(kinds)),
        ],
        obsm: &[("X_known", points.view())],
        ..H5adContent::default()
    };
    write_h5ad(path, &content).unwrap();
}

struct Course {
    folder: tempfile::TempDir,
}

impl Course {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("two-types.h5ad"));
        Self { folder }
    }

    fn fit(&self, growth: GrowthOptions, solver: SolverChoice) -> (PathBuf, Model) {
        let out = self.folder.path().join("out");
        let options = FitOptions::default()
            .with_source(Source::Rep("X_known".into()))
            .with_noise(Noise::Sigma2(0.05))
            .with_growth(growth)
            .with_solver(solver);
        fit(
            &self.folder.path().join("two-types.h5ad"),
            &out,
            &options,
            Running::default(),
            &mut Silent,
        )
        .unwrap();
        let model = Model::read(&out).unwrap();
        (out, model)
    }
}

fn lightsb() -> SolverChoice {
    SolverChoice::of(LightSbSolver::default().with_n_gaussians(4.into()))
}

fn by_column(name: &str, unit: &str) -> GrowthOptions {
    let unit: GrowthUnit = unit.parse().unwrap();
    GrowthOptions::default().with_prior(GrowthPrior::Column(name.into())).with_unit(unit)
}

/// The share of cells that change their type on the way through interval `k`, by the mass they
/// have at its end.
fn jumps(model: &Model, k: usize) -> f64 {
    let process = Process::restore(model).unwrap();
    let source = process.source(k, DAYS[k + 1]).unwrap();
    let bridge = &process.series.bridges()[k];
    let ends =
        bridge.sample_transition(source.points(), UnitTime::START, UnitTime::END, Seed(3)).unwrap();
    let jumped = |cell: usize| doubles(source.points()[[cell, 0]]) != doubles(ends[[cell, 0]]);
    (0..source.n_cells()).filter(|&cell| jumped(cell)).map(|cell| source.marginal()[cell]).sum()
}

fn share_at(model: &Model, day: f64) -> f64 {
    let options = InterpolateOptions::default()
        .with_at(vec![day])
        .with_n_cells(Some(3000))
        .with_space(Space::Pca)
        .with_dynamics(None)
        .with_seed(1);
    let population = interpolate(model, &options, &mut Silent).unwrap().remove(0);
    let n = population.points.nrows() as f64;
    population.points.column(0).iter().filter(|&&x| doubles(x)).count() as f64 / n
}

/// Without growth the change of shares must be movement: as many cells as the shares differ.
#[test]
fn without_growth_cells_must_change_their_type() {
    let course = Course::new();
    let (_, model) = course.fit(GrowthOptions::default(), lightsb());
    for k in 0..2 {
        let change = share(DAYS[k + 1]) - share(DAYS[k]);
        // The number of jumps among 600 cells has a deviation of at most √(0.17 · 0.83 / 600).
        assert!((jumps(&model, k) - change).abs() < 5.0 * 0.0154, "{} {change}", jumps(&model, k));
    }
    assert!(model.intervals.iter().all(|interval| interval.growth.is_none()));
}

/// With the growth that is true nothing crosses over, and the shares are right at every time.
#[test]
fn with_the_right_growth_no_cell_changes_its_type_and_shares_follow_the_growth() {
    let course = Course::new();
    for growth in [by_column("growth", "factor/day"), by_column("rate_h", "rate/h")] {
        let (_, model) = course.fit(growth, lightsb());
        for k in 0..2 {
            // Half a cell of 600, by the rounding of each snapshot to cells: two of its draws.
            assert!(jumps(&model, k) < 2.0 / N as f64, "{}", jumps(&model, k));
        }
        for day in [1.0, 1.2, 2.0, 2.49, 2.5, 2.51, 3.0, 4.0, 4.49, 4.5] {
            // Half a cell of 600 by the rounding of snapshots, one of 3000 drawn.
            let found = share_at(&model, day);
            assert!(
                (found - share(day)).abs() < 0.5 / 600.0 + 1.0 / 3000.0,
                "day {day}: {found} {}",
                share(day)
            );
        }
    }
}

/// What the model says of each cell is what it was told, per unit of the times.
#[test]
fn the_model_holds_the_growth_of_each_cell_per_day() {
    let course = Course::new();
    let (out, model) = course.fit(by_column("growth", "factor/day"), lightsb());
    let table = sbcell::io::table::read_parquet(&out.join("cells.parquet")).unwrap();
    for name in ["growth_prior", "growth_rate"] {
        let Some(sbcell::io::table::Cells::Floats(rates)) = table.column(name) else {
            panic!("no {name}")
        };
        for (cell, rate) in rates.iter().enumerate() {
            if cell >= 2 * N {
                assert!(rate.is_nan(), "the last snapshot leads nowhere");
                continue;
            }
            let expected = if doubles(model.points[[cell, 0]]) { 2_f64.ln() } else { 0.0 };
            assert!((rate - expected).abs() < 1e-12, "{rate}");
        }
    }
    // Mean factor over the first interval: ⅓ 2^1.5 + ⅔.
    let mean = model.intervals[0].report.detail("growth_mean").unwrap();
    let third = n_doubling(0) / N as f64;
    assert!((mean - (third * 2_f64.powf(1.5) + 1.0 - third)).abs() < 1e-12, "{mean}");
}

/// The file that Waddington-OT reads: `id`, `cell_growth_rate` in descendants per day.
#[test]
fn growth_from_a_file_is_growth_from_a_column() {
    let course = Course::new();
    let path = course.folder.path().join("growth.txt");
    let points = concatenate(Axis(0), &[snapshot(0).view(), snapshot(1).view()]).unwrap();
    let lines: Vec<String> = (0..2 * N)
        .map(|cell| format!("c{cell}\t{}\n", if doubles(points[[cell, 0]]) { 2.0 } else { 1.0 }))
        .collect();
    std::fs::write(&path, format!("id\tcell_growth_rate\n{}", lines.concat())).unwrap();
    let prior = GrowthPrior::File(sbcell::pipeline::GrowthTable::read(&path).unwrap());
    let growth = GrowthOptions::default().with_prior(prior);
    let by_file = course.fit(growth, lightsb()).1;
    let by_column = course.fit(by_column("growth", "factor/day"), lightsb()).1;
    assert_eq!(by_file.intervals, by_column.intervals);
    // A cell that takes part and is not in the file is not guessed.
    std::fs::write(&path, format!("id\tcell_growth_rate\n{}", lines[1..].concat())).unwrap();
    let prior = GrowthPrior::File(sbcell::pipeline::GrowthTable::read(&path).unwrap());
    let options = FitOptions::default()
        .with_source(Source::Rep("X_known".into()))
        .with_growth(GrowthOptions::default().with_prior(prior));
    let data = course.folder.path().join("two-types.h5ad");
    let error =
        fit(&data, &course.folder.path().join("no"), &options, Running::default(), &mut Silent);
    let text = error.unwrap_err().to_string();
    assert!(text.contains("c0"), "{text}");
}

/// Growth over both intervals: a cell that doubles each day has 2^3.5 times as many descendants after 3.5 days,
/// also by a coupling that goes straight over both.
#[test]
fn straight_couplings_have_the_growth_of_all_intervals() {
    let course = Course::new();
    let (out, _) = course.fit(by_column("growth", "factor/day"), lightsb());
    let model = OpenModel::read(&out).unwrap();
    let sets = CellSets::default().with_groupby(Some("kind".into()));
    let options = FateOptions::default().with_sets(sets).with_bootstrap(0);
    let found = fates(&model, &options, &mut Silent).unwrap().cells;
    let names = ["time", "descendants", "doubling"].map(String::from);
    let columns = found.floats(&names).unwrap();
    let mut sums = [[0.0; 3]; 2];
    for (cell, row) in columns.rows().into_iter().enumerate().filter(|(_, row)| row[0] < 1.5) {
        let own = usize::from(cell as f64 >= n_doubling(0));
        let values = [row[1], row[2], 1.0];
        sums[own].iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    // Nearly all descendants are of the cell's own kind.
    let [of_doubling, of_still] = sums.map(|[_, sum, n]| sum / n);
    assert!(of_doubling > 0.99 && of_still < 0.01, "{of_doubling} {of_still}");
    let [doubling, still] = sums.map(|[sum, _, n]| sum / n);
    let wanted = 2_f64.powf(DAYS[2] - DAYS[0]);
    assert!((doubling / still / wanted).ln().abs() < 0.1, "{} {wanted}", doubling / still);
}
