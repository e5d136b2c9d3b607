//! A whole fit, from file to interpolated cells, of Gaussian snapshots at uneven times: in the
//! units of the file everything has a closed form.

use std::path::Path;

use ndarray::{Array2, Axis, concatenate};
use sbcell::bridge::{GaussianSolver, LightSbSolver};
use sbcell::data::Column;
use sbcell::io::h5ad::{H5adContent, write_h5ad};
use sbcell::io::model::Model;
use sbcell::pipeline::{
    Bending, FitOptions, InterpolateOptions, Noise, Running, SolverChoice, Source, Space, Timing,
    fit, interpolate,
};
use sbcell::{Seed, Silent};

use rand_distr::{Distribution, StandardNormal};

/// Times, and the mean and standard deviation of both coordinates at each.
const COURSE: [(f64, [f64; 2], [f64; 2]); 3] =
    [(0.0, [0.0, 5.0], [2.0, 8.0]), (2.0, [4.0, 5.0], [3.0, 6.0]), (8.0, [-2.0, 25.0], [6.0, 4.0])];
/// Cells at each time.
const N: usize = 1500;
/// Variance of the reference process per unit of time, in data units: over six units of time it
/// is 12, as much as the snapshots' own.
const SIGMA2: f64 = 2.0;

/// Standardised so that means and variances are exactly those of the course, uncorrelated.
fn snapshot(place: usize) -> Array2<f64> {
    let (_, mean, sd) = COURSE[place];
    let mut random = Seed(place as u64).stream("test", 0);
    let mut x = Array2::from_shape_simple_fn((N, 2), || StandardNormal.sample(&mut random));
    for d in 0..2 {
        let centre = x.column(d).mean().unwrap();
        x.column_mut(d).mapv_inplace(|v: f64| v - centre);
    }
    let slope = x.column(0).dot(&x.column(1)) / x.column(0).dot(&x.column(0));
    let first = x.column(0).to_owned();
    x.column_mut(1).scaled_add(-slope, &first);
    for d in 0..2 {
        let spread = x.column(d).std(0.0);
        x.column_mut(d).mapv_inplace(|v| mean[d] + sd[d] * v / spread);
    }
    x
}

fn write(path: &Path) {
    let parts: Vec<Array2<f64>> = (0..3).map(snapshot).collect();
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    let points = concatenate(Axis(0), &views).unwrap();
    let times = (0..3 * N).map(|cell| COURSE[cell / N].0).collect();
    let names: Vec<String> = (0..3 * N).map(|cell| format!("c{cell}")).collect();
    let content = H5adContent {
        obs_names: &names,
        obs: &[("hours", &Column::Floats(times))],
        obsm: &[("X_known", points.view())],
        ..H5adContent::default()
    };
    write_h5ad(path, &content).unwrap();
}

/// Solvers that are exact for snapshots without tilt.
fn exact() -> [SolverChoice; 2] {
    let one = LightSbSolver::default().with_n_gaussians(1.into()).with_max_iterations(10);
    [SolverChoice::of(one), SolverChoice::of(GaussianSolver::default())]
}

fn fitted(folder: &Path, noise: Noise, solver: SolverChoice) -> Model {
    let (data, out) = (folder.join("known.h5ad"), folder.join("out"));
    write(&data);
    let options = FitOptions::default()
        .with_source(Source::Rep("X_known".into()))
        .with_noise(noise)
        .with_bend(Bending::Off)
        .with_timing(Timing::Even)
        .with_solver(solver);
    let summary = fit(&data, &out, &options, Running::default(), &mut Silent).unwrap();
    assert!(summary.converged());
    let model = Model::read(&out).unwrap();
    assert_eq!(model.header, summary.header);
    model
}

#[test]
fn between_gaussians_the_population_is_the_closed_form_in_the_units_of_the_file() {
    for solver in exact() {
        check_population(solver);
    }
}

fn check_population(solver: SolverChoice) {
    let folder = tempfile::tempdir().unwrap();
    let model = fitted(folder.path(), Noise::Sigma2(SIGMA2), solver);
    assert_eq!(model.header.time_unit, "h");
    let at = vec![0.5, 5.0, 7.0];
    let options = InterpolateOptions::default()
        .with_at(at)
        .with_n_cells(Some(60_000))
        .with_space(Space::Pca)
        .with_dynamics(None)
        .with_seed(1);
    for population in interpolate(&model, &options, &mut Silent).unwrap() {
        let k = usize::from(population.time > 2.0);
        let ((t0, m0, s0), (t1, m1, s1)) = (COURSE[k], COURSE[k + 1]);
        let t = (population.time - t0) / (t1 - t0);
        let epsilon = SIGMA2 * (t1 - t0);
        for d in 0..2 {
            // The Schrödinger bridge between Gaussians: covariance s·v₀ between the ends, then
            // a Brownian bridge of variance ε t (1 − t).
            let (v0, v1) = (s0[d] * s0[d], s1[d] * s1[d]);
            let s = (-epsilon + (epsilon * epsilon + 4.0 * v0 * v1).sqrt()) / (2.0 * v0);
            let mean = (1.0 - t) * m0[d] + t * m1[d];
            let variance = (1.0 - t).powi(2) * v0
                + t * t * v1
                + 2.0 * t * (1.0 - t) * s * v0
                + epsilon * t * (1.0 - t);
            let column = population.points.column(d);
            // Six standard errors of 60 000 draws: 0.0245 of a standard deviation, 3.5 % of a
            // variance.
            let found = (column.mean().unwrap(), column.var(0.0));
            assert!((found.0 - mean).abs() < 0.0245 * variance.sqrt(), "{found:?} {mean}");
            assert!((found.1 / variance - 1.0).abs() < 0.035, "{found:?} {variance}");
        }
    }
}

#[test]
fn noise_grows_with_real_time_and_its_two_units_agree() {
    let folder = tempfile::tempdir().unwrap();
    let [solver, _] = exact();
    let by_sigma2 = fitted(folder.path(), Noise::Sigma2(SIGMA2), solver.clone());
    let header = &by_sigma2.header;
    let [first, second] = [0, 1].map(|k| by_sigma2.intervals[k].epsilon);
    assert!((second / first - 3.0).abs() < 1e-12, "six hours have three times the ε of two");
    // The mean over times and coordinates of the standard deviations, which are those of the course.
    let scale = COURSE.iter().map(|(_, _, sd)| f64::midpoint(sd[0], sd[1])).sum::<f64>() / 3.0;
    assert!((header.scale - scale).abs() < 1e-9);
    assert!((first - SIGMA2 * 2.0 / (scale * scale)).abs() < 1e-9);
    // The median of two intervals of 2 and 6 hours is 4 hours.
    assert!((header.epsilon - SIGMA2 * 4.0 / (scale * scale)).abs() < 1e-9);
    let by_epsilon = fitted(folder.path(), Noise::Epsilon(header.epsilon), solver);
    assert!((by_epsilon.header.sigma2 - SIGMA2).abs() < 1e-12);
}
