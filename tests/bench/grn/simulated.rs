//! Simulated courses with their networks, and some of their times.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2, Axis};
use sbcell::Silent;
use sbcell::grn::{CourseCells, EdgeMatrix, EdgeSearch, Expression};
use sbcell::io::edges;
use sbcell::io::h5ad::{H5ad, MatrixSource};
use sbcell::metrics::{Candidate, EdgeScores};

pub(crate) const NETWORKS: [&str; 9] = [
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

/// Titles of the ways to keep some of eight times, and the numbers of those that are kept.
pub(crate) fn thinnings() -> Vec<(&'static str, Vec<usize>)> {
    let even = |n: usize| -> Vec<usize> {
        (0..n).map(|k| (k as f64 * 7.0 / (n - 1) as f64).round_ties_even() as usize).collect()
    };
    vec![
        ("8", even(8)),
        ("6", even(6)),
        ("5", even(5)),
        ("4", even(4)),
        ("every second", vec![0, 2, 4, 6]),
        ("every third", vec![0, 3, 6]),
    ]
}

pub(crate) fn mean(scores: &[EdgeScores], of: impl Fn(&EdgeScores) -> f64) -> f64 {
    scores.iter().map(of).sum::<f64>() / scores.len() as f64
}

/// A simulated course with its network.
pub(crate) struct Simulated {
    pub(crate) name: String,
    pub(crate) values: Array2<f32>,
    pub(crate) times: Vec<f64>,
    pub(crate) genes: Vec<String>,
    pub(crate) network: BTreeMap<(String, String), i8>,
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data-samples/networks")
}

impl Simulated {
    pub(crate) fn read(name: &str) -> Self {
        let truth = folder().join(format!("{}.csv", name.trim_end_matches("-drop50")));
        let network = edges::read(&truth).unwrap().edges;
        let network = network
            .into_iter()
            .map(|edge| ((edge.regulator.to_string(), edge.target.to_string()), edge.sign))
            .collect();
        let cells = Self::of(&folder().join(format!("{name}.h5ad")), "time");
        Self { name: name.into(), network, ..cells }
    }

    /// Cells of a file whose network is not known.
    pub(crate) fn of(path: &Path, column: &str) -> Self {
        let file = H5ad::open(path).unwrap();
        let values = match file.matrix(&MatrixSource::X, &mut Silent).unwrap() {
            sbcell::data::Matrix::Dense(values) => values,
            sbcell::data::Matrix::Sparse(_) => unreachable!("the courses are dense"),
        };
        let column = file.obs(column).unwrap();
        let times = (0..values.nrows()).map(|i| column.number(i).unwrap()).collect();
        let genes = file.gene_names(&MatrixSource::X).unwrap();
        Self { name: String::new(), values, times, genes, network: BTreeMap::new() }
    }

    pub(crate) fn distinct_times(&self) -> Vec<f64> {
        let mut times = self.times.clone();
        times.sort_by(f64::total_cmp);
        times.dedup();
        times
    }

    /// The cells at the times whose numbers are kept.
    pub(crate) fn at(&self, keep: &[usize]) -> Self {
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

    pub(crate) fn with_times(&self, times: Vec<f64>) -> Self {
        let (name, genes) = (self.name.clone(), self.genes.clone());
        Self { name, values: self.values.clone(), times, genes, network: self.network.clone() }
    }

    pub(crate) fn expression(&self) -> Expression {
        let regulators: Vec<usize> = (0..self.genes.len()).collect();
        Expression::new(self.values.clone(), &regulators).unwrap()
    }

    /// Calls `f` with the cells, near and far by standardised expression.
    pub(crate) fn with<T>(&self, f: impl FnOnce(&CourseCells<'_>) -> T) -> T {
        let expression = self.expression();
        let all: Vec<usize> = (0..expression.n_cells()).collect();
        let points = expression.standardised(&all);
        f(&CourseCells {
            expression: &expression,
            points: &points,
            times: Array1::from(self.times.clone()),
            weights: Array1::ones(expression.n_cells()),
            growth: None,
            perturbed: None,
        })
    }

    pub(crate) fn search(&self, search: &EdgeSearch) -> EdgeMatrix {
        self.with(|cells| search.run(cells, None).unwrap())
    }

    pub(crate) fn score(&self, found: &EdgeMatrix) -> EdgeScores {
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

pub(crate) fn all_courses() -> Vec<Simulated> {
    let names = NETWORKS.iter().flat_map(|name| [name.to_string(), format!("{name}-drop50")]);
    names.map(|name| Simulated::read(&name)).collect()
}
