//! A solver from outside of the crate: what it says of itself is all that fits, scores, the dry-run and
//! files need.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis, concatenate};
use sbcell::bridge::describe::{About, Description, Field, Kind, Parameter, Value};
use sbcell::bridge::{
    AnySolver, Bridge, BridgeProblem, BridgeSolver, Coupling, CourseSize, Described, FitReport,
    Held, Motion, PlanBridge, Property, Solver, Stop,
};
use sbcell::data::Column;
use sbcell::io::h5ad::{H5adContent, write_h5ad};
use sbcell::io::model::Model;
use sbcell::io::run::{RunRecord, read_json};
use sbcell::pipeline::{
    Bending, EvaluateOptions, FitOptions, InterpolateOptions, Method, Running, SolverChoice,
    Source, Space, Timing, estimate, evaluate, fit, interpolate,
};
use sbcell::progress::Progress;
use sbcell::{Error, Result, Seed, Silent};
use serde::{Deserialize, Serialize};

/// Every cell to every `stride`-th later cell, on straight lines.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Independent {
    stride: usize,
}

static INDEPENDENT: Description<Independent> = Description {
    name: "independent",
    about: "Every cell to every later cell, on straight lines",
    plain: || Independent { stride: 1 },
    parameters: &[&[Parameter {
        about: &STRIDE,
        own: "",
        get: |solver| solver.stride.value(),
        set: |solver, value| solver.stride.put(STRIDE.name, value),
    }]],
};

const STRIDE: About =
    About::new("stride", Kind::ANY_COUNT, "Only every so manieth later cell").of("independent");

impl BridgeSolver for Independent {
    fn solve(
        &self,
        problem: &BridgeProblem,
        _seed: Seed,
        _progress: &mut dyn Progress,
    ) -> Result<(Box<dyn Bridge>, FitReport)> {
        let (source, target) = (problem.source(), problem.target());
        let shape = (source.n_cells(), target.n_cells());
        let partners: Vec<usize> = (0..shape.1).step_by(self.stride).collect();
        let pairs = (0..shape.0).flat_map(|i| {
            let mass = source.marginal()[i] / partners.len() as f64;
            partners.iter().map(move |&j| (i, j, mass))
        });
        let coupling = Coupling::new(shape.0, shape.1, pairs.collect::<Vec<_>>())?;
        let bridge =
            PlanBridge::new(source, target, &coupling, problem.epsilon(), Motion::Straight)?;
        let report = FitReport {
            stop: Stop::Converged,
            iterations: 1,
            objective: 0.0,
            start_objective: 0.0,
            details: Vec::new(),
        };
        Ok((Box::new(bridge), report))
    }
}

impl AnySolver for Independent {
    fn family(&self) -> &'static str {
        INDEPENDENT.name
    }

    fn parameters(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }

    fn check(&self) -> Result<()> {
        if 1 <= self.stride {
            return Ok(());
        }
        let (name, must) = ("stride", "at least 1");
        Err(Error::Parameter { name, must, got: self.stride.to_string() })
    }

    fn solver(&self) -> Solver {
        Solver::Each(Box::new(self.clone()))
    }

    fn properties(&self) -> Vec<Property> {
        Vec::new()
    }

    fn work(&self, size: &CourseSize) -> f64 {
        size.cells as f64 / self.stride as f64
    }

    fn memory(&self) -> Held {
        Held { per_cell: 1e8, ..Held::default() }
    }
}

/// Cells of each of the times 0, 1, 2: means 0, 6, 4 and standard deviations 1, 2, 3 in both
/// coordinates, evenly spread.
const N: usize = 64;

fn write(folder: &Path) -> PathBuf {
    let snapshot = |mean: f64, sd: f64| {
        // Of ±1 and its quadrature: mean 0, variance 1, uncorrelated.
        let angle = |i: usize| std::f64::consts::TAU * i as f64 / N as f64;
        Array2::from_shape_fn((N, 2), |(i, d)| {
            let wave = if d == 0 { angle(i).sin() } else { angle(i).cos() };
            mean + sd * std::f64::consts::SQRT_2 * wave
        })
    };
    let parts = [snapshot(0.0, 1.0), snapshot(6.0, 2.0), snapshot(4.0, 3.0)];
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    let points = concatenate(Axis(0), &views).unwrap();
    let names: Vec<String> = (0..3 * N).map(|cell| format!("c{cell}")).collect();
    let times = (0..3 * N).map(|cell| (cell / N) as f64).collect();
    let content = H5adContent {
        obs_names: &names,
        obs: &[("day", &Column::Floats(times))],
        obsm: &[("X_known", points.view())],
        ..H5adContent::default()
    };
    let path = folder.join("data.h5ad");
    write_h5ad(&path, &content).unwrap();
    path
}

fn options(solver: SolverChoice) -> FitOptions {
    FitOptions::default()
        .with_source(Source::Rep("X_known".into()))
        .with_bend(Bending::Off)
        .with_timing(Timing::Even)
        .with_solver(solver)
}

#[test]
fn a_solver_of_yours_is_fitted_recorded_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (write(folder.path()), folder.path().join("out"));
    let solver = SolverChoice::of(Independent { stride: 1 });
    fit(&data, &out, &options(solver), Running::default(), &mut Silent).unwrap();
    let run: RunRecord = read_json(&out.join("run.json")).unwrap();
    assert_eq!(run.parameters["solver"], serde_json::json!({"independent": {"stride": 1}}));
    let model = Model::read(&out).unwrap();
    let asked = InterpolateOptions::default()
        .with_at(vec![0.5])
        .with_n_cells(Some(20_000))
        .with_space(Space::Pca)
        .with_dynamics(None)
        .with_seed(1);
    let points = interpolate(&model, &asked, &mut Silent).unwrap().remove(0).points;
    for d in 0..2 {
        // Half-way between independent cells of means 0, 6 and variances 1, 4: mean 3, variance 5/4;
        // five standard errors of 20 000 draws.
        let column = points.column(d);
        assert!((column.mean().unwrap() - 3.0).abs() < 0.04, "{}", column.mean().unwrap());
        assert!((column.var(0.0) - 1.25).abs() < 0.06, "{}", column.var(0.0));
    }
}

#[test]
fn a_solver_of_yours_is_scored_beside_others() {
    let folder = tempfile::tempdir().unwrap();
    let data = write(folder.path());
    let yours = SolverChoice::from(INDEPENDENT.with(&[("stride", Value::Count(2))]).unwrap());
    let methods = [yours.clone(), SolverChoice::default()]
        .map(|solver| Method { name: solver.name().into(), solver });
    let asked =
        EvaluateOptions::new(options(yours), methods.to_vec()).with_n_bootstrap(0).with_n_draws(2);
    let found = evaluate(&data, &asked, &mut Silent).unwrap().validation;
    assert_eq!(found.held_out[0].solved[0].parameters["independent"]["stride"], 2);
    for name in ["independent", "lightsb"] {
        let row = found.row(1.0, name, "w1").unwrap();
        assert!(row.value.unwrap() > 0.0, "{name}");
    }
}

#[test]
fn a_solver_of_yours_says_what_it_takes_and_what_is_out_of_range() {
    let folder = tempfile::tempdir().unwrap();
    let data = write(folder.path());
    let ticks = Cell::new(0.0);
    let clock = || {
        ticks.set(ticks.get() + 1.0);
        ticks.get()
    };
    let takes = |stride| {
        let options = options(SolverChoice::of(Independent { stride }));
        estimate(&data, &options, Running::default(), &clock, &mut Silent).unwrap()
    };
    let (all, half) = (takes(1), takes(2));
    assert!((all.seconds_solving / half.seconds_solving - 2.0).abs() < 1e-9);
    // 1e8 bytes for each of the cells of an interval.
    assert!((1.28e10..1.29e10).contains(&all.bytes), "{}", all.bytes);
    let none = options(SolverChoice::of(Independent { stride: 0 }));
    let error = none.check().unwrap_err().to_string();
    assert_eq!(error, "the parameter `stride` must be at least 1, got 0");
    assert!(INDEPENDENT.with(&[("stride", Value::Number(0.5))]).is_err());
    // It is not one of ours: a file that names it says so.
    let text = serde_json::to_string(&none.solver).unwrap();
    let read = serde_json::from_str::<SolverChoice>(&text);
    assert!(read.unwrap_err().to_string().contains("independent"));
}
