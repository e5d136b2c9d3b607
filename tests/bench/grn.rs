//! Edges against known networks: the tables of docs/BENCHMARKS.md, made and not typed.
//!
//! `cargo bench --bench grn` runs everything; `-- courses`, `-- thinned` or `-- dense`
//! one part.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench stops at the first surprise and prints what it finds"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ndarray::{Array1, Array2, Axis};
use sbcell::Silent;
use sbcell::grn::{CourseCells, EdgeMatrix, EdgeSearch, Estimator, Expression, Lag};
use sbcell::io::edges;
use sbcell::io::h5ad::{H5ad, MatrixSource};
use sbcell::metrics::{Candidate, EdgeScores};

const NETWORKS: [&str; 9] = [
    "GSD",
    "HSC",
    "VSC",
    "mCAD",
    "dyn-bifurcating",
    "dyn-bifurcating-converging",
    "dyn-cycle",
    "dyn-linear",
    "dyn-trifurcating",
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let asked = |word: &str| words.is_empty() || words.iter().any(|other| other == word);
    if asked("courses") {
        courses();
    }
    if asked("thinned") {
        thinned();
    }
    if asked("dense") {
        dense();
    }
}

/// A simulated course with its network.
struct Simulated {
    name: String,
    values: Array2<f32>,
    times: Vec<f64>,
    genes: Vec<String>,
    network: BTreeMap<(String, String), i8>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data-samples/networks")
}

impl Simulated {
    fn read(name: &str) -> Self {
        let file = H5ad::open(&folder().join(format!("{name}.h5ad"))).unwrap();
        let matrix = file.matrix(&MatrixSource::X, &mut Silent).unwrap();
        let values = match matrix {
            sbcell::data::Matrix::Dense(values) => values,
            sbcell::data::Matrix::Sparse(_) => unreachable!("the courses are dense"),
        };
        let column = file.obs("time").unwrap();
        let times = (0..values.nrows()).map(|i| column.number(i).unwrap()).collect();
        let genes = file.gene_names(&MatrixSource::X).unwrap();
        let truth = folder().join(format!("{}.csv", name.trim_end_matches("-drop50")));
        let network = edges::read(&truth).unwrap().edges;
        let network =
            network.into_iter().map(|edge| ((edge.regulator, edge.target), edge.sign)).collect();
        Self { name: name.into(), values, times, genes, network }
    }

    fn distinct_times(&self) -> Vec<f64> {
        let mut times = self.times.clone();
        times.sort_by(f64::total_cmp);
        times.dedup();
        times
    }

    /// The cells at the times whose numbers are kept.
    fn at(&self, keep: &[usize]) -> Self {
        let times = self.distinct_times();
        let kept: Vec<f64> = keep.iter().map(|&k| times[k]).collect();
        let rows: Vec<usize> = (0..self.times.len())
            .filter(|&row| kept.iter().any(|time| time.total_cmp(&self.times[row]).is_eq()))
            .collect();
        Self {
            name: self.name.clone(),
            values: self.values.select(Axis(0), &rows),
            times: rows.iter().map(|&row| self.times[row]).collect(),
            genes: self.genes.clone(),
            network: self.network.clone(),
        }
    }

    fn search(&self, search: &EdgeSearch) -> EdgeMatrix {
        let regulators: Vec<usize> = (0..self.genes.len()).collect();
        let expression = Expression::new(self.values.clone(), &regulators).unwrap();
        let all: Vec<usize> = (0..expression.n_cells()).collect();
        let points = expression.standardised(&all);
        let cells = CourseCells {
            expression: &expression,
            points: &points,
            times: Array1::from(self.times.clone()),
            weights: Array1::ones(expression.n_cells()),
            growth: None,
        };
        search.run(&cells, None).unwrap()
    }

    fn score(&self, found: &EdgeMatrix) -> EdgeScores {
        let mut candidates = Vec::new();
        for (r, regulator) in self.genes.iter().enumerate() {
            for (g, target) in self.genes.iter().enumerate().filter(|(g, _)| *g != r) {
                let edge = self.network.get(&(regulator.clone(), target.clone()));
                candidates.push(Candidate {
                    importance: found.importance[[r, g]],
                    sign: if found.evidence[[r, g]] < 0.0 { -1 } else { 1 },
                    present: edge.is_some(),
                    true_sign: edge.copied().unwrap_or(0),
                });
            }
        }
        EdgeScores::of(&candidates)
    }
}

fn all_courses() -> Vec<Simulated> {
    let names = NETWORKS.iter().flat_map(|name| [name.to_string(), format!("{name}-drop50")]);
    names.map(|name| Simulated::read(&name)).collect()
}

fn searches() -> Vec<(&'static str, EdgeSearch)> {
    let of = |estimator, lag| EdgeSearch { estimator, lag, ..EdgeSearch::default() };
    vec![
        ("ensemble", of(Estimator::Ensemble, Lag::Auto)),
        ("hill", of(Estimator::Hill, Lag::Auto)),
        ("hill, snapshots", of(Estimator::Hill, Lag::Intervals(1))),
        ("linear", of(Estimator::Linear, Lag::Auto)),
        ("linear, snapshots", of(Estimator::Linear, Lag::Intervals(1))),
        ("mi", of(Estimator::Mutual, Lag::Auto)),
        ("mi, snapshots", of(Estimator::Mutual, Lag::Intervals(1))),
    ]
}

fn mean(scores: &[EdgeScores], of: impl Fn(&EdgeScores) -> f64) -> f64 {
    scores.iter().map(of).sum::<f64>() / scores.len() as f64
}

fn row(name: &str, scores: &[EdgeScores], seconds: f64) {
    println!(
        "| {name} | {:.3} | {:.3} | {:.2} | {:.2} | {:.2} | {:.2} |",
        mean(scores, |s| s.auroc),
        mean(scores, |s| s.average_precision),
        mean(scores, |s| s.ap_ratio),
        mean(scores, |s| s.epr),
        mean(scores, |s| s.sign_accuracy),
        seconds / scores.len() as f64
    );
}

const HEADER: &str =
    "| | AUROC | AP | AP/chance | EPR | signs | s |\n|---|---|---|---|---|---|---|";

fn courses() {
    println!("\n## 18 courses, 8 times of 200 cells\n\n{HEADER}");
    let courses = all_courses();
    let mut by_course = Vec::new();
    for (name, search) in searches() {
        let begin = Instant::now();
        let scores: Vec<EdgeScores> =
            courses.iter().map(|course| course.score(&course.search(&search))).collect();
        row(name, &scores, begin.elapsed().as_secs_f64());
        by_course.push(scores);
    }
    println!("\n| course | AP | EPR | signs |\n|---|---|---|---|");
    for (course, scores) in courses.iter().zip(&by_course[0]) {
        println!(
            "| {} | {:.3} | {:.2} | {:.2} |",
            course.name, scores.average_precision, scores.epr, scores.sign_accuracy
        );
    }
}

fn thinned() {
    let courses = all_courses();
    let even = |n: usize| -> Vec<usize> {
        (0..n).map(|k| (k as f64 * 7.0 / (n - 1) as f64).round_ties_even() as usize).collect()
    };
    for (title, keep) in [
        ("6 of 8 times", even(6)),
        ("5 of 8 times", even(5)),
        ("4 of 8 times", even(4)),
        ("every second time", vec![0, 2, 4, 6]),
        ("every third time", vec![0, 3, 6]),
    ] {
        println!("\n## {title}\n\n{HEADER}");
        for (name, search) in searches() {
            let begin = Instant::now();
            let scores: Vec<EdgeScores> = courses
                .iter()
                .map(|course| course.at(&keep))
                .map(|course| course.score(&course.search(&search)))
                .collect();
            row(name, &scores, begin.elapsed().as_secs_f64());
        }
    }
}

fn dense() {
    for name in ["sf2m-BF", "sf2m-TF"] {
        println!("\n## {name}\n\n{HEADER}");
        let course = Simulated::read(name);
        for (name, search) in searches() {
            let begin = Instant::now();
            let scores = [course.score(&course.search(&search))];
            row(name, &scores, begin.elapsed().as_secs_f64());
        }
    }
}
