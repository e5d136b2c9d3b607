//! How long edges of many genes take, from a fitted model to a list with p-values, and how much
//! memory: on made-up cells, whose networks mean nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use ndarray::{Array1, Array2};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use sbcell::bridge::GaussianSolver;
use sbcell::data::Column;
use sbcell::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use sbcell::io::model::OpenModel;
use sbcell::pipeline::{FitOptions, GrnOptions, Regulators, Running, SolverChoice, fit, grn};
use sbcell::progress::{Event, Progress};
use sbcell::{Seed, Silent};

const N_TIMES: usize = 8;

/// Prints how long each piece of work took.
#[derive(Default)]
struct Stages(Option<(String, Instant)>);

impl Progress for Stages {
    fn report(&mut self, event: &Event) -> std::ops::ControlFlow<()> {
        match event {
            Event::Begin { what, .. } => self.0 = Some((what.clone(), Instant::now())),
            Event::End => {
                if let Some((what, begun)) = self.0.take() {
                    println!("  {what}: {:.1} s", begun.elapsed().as_secs_f64());
                }
            }
            _ => {}
        }
        std::ops::ControlFlow::Continue(())
    }
}

/// Runs one size in a process of its own, so that its peak memory is its own.
pub(crate) fn run(sizes: &[[usize; 3]]) {
    println!("\n## Many genes\n");
    for size in sizes {
        for step in ["scale-fit", "scale-grn"] {
            let program = std::env::current_exe().unwrap();
            let words = size.map(|n| n.to_string());
            Command::new(program).arg(step).args(words).status().unwrap();
        }
    }
}

fn places() -> (PathBuf, PathBuf) {
    let folder: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("grn-scale");
    std::fs::create_dir_all(&folder).unwrap();
    (folder.join("data.h5ad"), folder.join("model"))
}

/// Makes cells and fits them.
pub(crate) fn prepare([n_genes, n_regulators, n_cells]: [usize; 3]) {
    let (data, model) = places();
    let _ = std::fs::remove_dir_all(&model);
    write(&data, (n_genes, n_regulators, n_cells));
    let solver = SolverChoice::of(GaussianSolver::default());
    let how = FitOptions::default().with_solver(solver);
    fit(&data, &model, &how, Running::default(), &mut Silent).unwrap();
}

/// Edges of what was prepared.
pub(crate) fn one([n_genes, n_regulators, n_cells]: [usize; 3]) {
    let (_, model) = places();
    let regulators = (0..n_regulators).map(|gene| format!("g{gene}")).collect();
    let genes = (0..n_genes).map(|gene| format!("g{gene}")).collect();
    let options = GrnOptions::default()
        .with_regulators(Regulators::Named(regulators))
        .with_genes(Some(genes));
    println!("{n_genes} genes, {n_regulators} regulators, {n_cells} cells");
    let begin = Instant::now();
    let read = OpenModel::read(&model).unwrap();
    let found = grn(&read, &options, &mut Stages::default()).unwrap();
    let seconds = begin.elapsed().as_secs_f64();
    println!("  all: {seconds:.1} s, {} edges, peak {:.2} GB", found.rows.len(), peak());
}

/// Peak resident memory, in GB, on Linux.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    let kilobytes = line.split_whitespace().nth(1).and_then(|number| number.parse::<f64>().ok());
    kilobytes.unwrap_or(f64::NAN) / 1e6
}

/// Regulators follow ten hidden processes over time, targets Hill functions of three regulators.
fn write(path: &Path, (n_genes, n_regulators, n_cells): (usize, usize, usize)) {
    let mut stream = Seed(5).stream("bench/grn", 0);
    let mut normals = |shape: (usize, usize)| -> Array2<f64> {
        Array2::from_shape_fn(shape, |_| StandardNormal.sample(&mut stream))
    };
    let (loads, parts) = (normals((10, n_regulators)), normals((3, n_genes)));
    let who = Array2::from_shape_fn((3, n_genes), |_| stream.random_range(0..n_regulators));
    let times: Array1<f64> = (0..n_cells).map(|cell| (cell * N_TIMES / n_cells) as f64).collect();
    let mut values = Array2::<f32>::zeros((n_cells, n_genes));
    for (mut row, time) in values.rows_mut().into_iter().zip(&times) {
        let phase: f64 = stream.random_range(-0.5..0.5);
        let hidden: Array1<f64> = (0..10)
            .map(|k| {
                let noise: f64 = StandardNormal.sample(&mut stream);
                ((time + phase) * (0.2 + 0.1 * f64::from(k))).sin() + 0.3 * noise
            })
            .collect();
        let regulators = hidden.dot(&loads);
        for (gene, slot) in row.iter_mut().enumerate() {
            let noise: f64 = StandardNormal.sample(&mut stream);
            let signal: f64 = if gene < n_regulators {
                regulators[gene]
            } else {
                (0..3).map(|k| parts[[k, gene]] * regulators[who[[k, gene]]].tanh()).sum()
            };
            *slot = (3.0 + signal + noise).max(0.0) as f32;
        }
    }
    let names = |prefix: &str, n: usize| (0..n).map(|i| format!("{prefix}{i}")).collect::<Vec<_>>();
    let content = H5adContent {
        obs_names: &names("c", n_cells),
        var_names: &names("g", n_genes),
        obs: &[("time", &Column::Floats(times.to_vec()))],
        x: Some(MatrixContent::Single(values.view())),
        ..H5adContent::default()
    };
    write_h5ad(path, &content).unwrap();
}
