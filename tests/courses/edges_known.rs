//! Edges of a model whose Jacobian is known: two genes that are mixed by a rotation.

use ndarray::{Array2, array};
use sbcell::bridge::{Bridge, FitReport, LightSbBridge, Stop};
use sbcell::io::model::{FORMAT, Header, Interval, Model, OpenModel, SnapshotRecord};
use sbcell::pipeline::{EdgeSource, GrnOptions, InterpolateOptions, Space, grn, interpolate};
use sbcell::preprocess::Pca;
use sbcell::{Epsilon, Silent};

/// Stretch of each coordinate over the interval (with ε → 0: standard deviations 2 and ½).
const STRETCH: [f64; 2] = [2.0, 0.5];
/// Length of the interval in hours.
const HOURS: f64 = 4.0;
/// Data units per unit of the bridges' coordinates.
const SCALE: f64 = 3.0;

/// Cells on a grid, a rotation by 30° from coordinates to genes, one bridge between Gaussians.
fn model() -> (Model, Array2<f64>) {
    let (c, s) = (0.75_f64.sqrt(), 0.5);
    let rotation = array![[c, -s], [s, c]];
    let (start, end) = (array![0.0, 0.0], array![0.0, 0.0]);
    let (v0, v1) = (array![1.0, 1.0], array![STRETCH[0].powi(2), STRETCH[1].powi(2)]);
    let epsilon = Epsilon::new(1e-9).unwrap();
    let ends = ((start.view(), v0.view()), (end.view(), v1.view()));
    let bridge =
        LightSbBridge::from_gaussians(ends.0.0, ends.0.1, ends.1.0, ends.1.1, epsilon).unwrap();
    let points = Array2::from_shape_fn((60, 2), |(i, d)| {
        let (row, column) = (i % 30 / 6, i % 6);
        let place = [row as f64 - 2.0, column as f64 - 2.5][d];
        SCALE * place * if i < 30 { 1.0 } else { STRETCH[d] }
    });
    let report = FitReport {
        stop: Stop::Converged,
        iterations: 0,
        objective: 0.0,
        start_objective: 0.0,
        details: Vec::new(),
    };
    let snapshot = |time: f64| SnapshotRecord { label: time.to_string(), time, n_cells: 30 };
    let model = Model {
        header: Header {
            format: FORMAT,
            sbcell: "test".into(),
            plan: "test".into(),
            time_column: "time".into(),
            time_unit: "h".into(),
            snapshots: vec![snapshot(0.0), snapshot(HOURS)],
            source: "X".into(),
            values: None,
            reading: None,
            file: None,
            dimensions: vec!["PC1".into(), "PC2".into()],
            scale: SCALE,
            sigma2: 1e-9,
            epsilon: 1e-9,
            coupling_epsilon: None,
            seed: 0,
            explained_variance: vec![1.0, 1.0],
            total_variance: 2.0,
        },
        cells: (0..60).map(|i| format!("c{i}")).collect(),
        cell_times: (0..60).map(|i| if i < 30 { 0.0 } else { HOURS }).collect(),
        points,
        genes: vec!["A".into(), "B".into()],
        pca: Some(Pca::new(array![5.0, 6.0], rotation.clone(), array![1.0, 1.0], 2.0).unwrap()),
        intervals: vec![Interval {
            from: 0.0,
            to: HOURS,
            epsilon: 1e-9,
            report,
            fit: Vec::new(),
            bridge: bridge.record(),
            growth: None,
            coupling_growth: None,
        }],
    };
    (model, rotation)
}

#[test]
fn mean_effects_are_the_rotated_growth_rates_per_hour() {
    let (model, rotation) = model();
    let options = GrnOptions::default().with_source(EdgeSource::Jacobian);
    let edges = grn(&OpenModel::new("", model.clone()), &options, &mut Silent).unwrap().rows;
    assert_eq!(edges.len(), 2);
    // Q diag(ln stretch) Qᵀ / hours; the midpoint rule of five points errs by less than 0.02.
    let expected: f64 = (0..2).map(|d| rotation[[0, d]] * rotation[[1, d]] * STRETCH[d].ln()).sum();
    for edge in &edges {
        assert!((edge.effect - expected / HOURS).abs() < 0.02 / HOURS, "{edge:?}");
    }
    // What tells the two directions apart is the spread of the genes alone.
    assert!((edges[0].effect - edges[1].effect).abs() < 1e-12);
    assert!(edges[0].importance > edges[1].importance);
    assert_eq!((edges[0].regulator.as_str(), edges[0].target.as_str()), ("A", "B"));
}

#[test]
fn slopes_are_the_rotated_displacements_per_hour() {
    let (model, rotation) = model();
    let options = GrnOptions::default().with_source(EdgeSource::Slope);
    let edges = grn(&OpenModel::new("", model.clone()), &options, &mut Silent).unwrap().rows;
    // The cells are an uncorrelated grid of 5 × 6, so the slope is diagonal in coordinates:
    // (stretch − 1) v / (v + 0.1 v̄), with v the variances of the grid.
    let variance = [2.0, 35.0 / 12.0].map(|v: f64| v * 30.0 / 29.0);
    let lift = 0.1 * (variance[0] + variance[1]) / 2.0;
    let slope = |d: usize| (STRETCH[d] - 1.0) * variance[d] / (variance[d] + lift);
    let expected: f64 = (0..2).map(|d| rotation[[0, d]] * rotation[[1, d]] * slope(d)).sum();
    for edge in &edges {
        assert!((edge.effect - expected / HOURS).abs() < 1e-6, "{edge:?} {expected}");
    }
}

#[test]
fn half_way_the_cells_are_stretched_half_way() {
    let (model, rotation) = model();
    let at = vec![HOURS / 2.0];
    let options = InterpolateOptions::default()
        .with_at(at)
        .with_n_cells(None)
        .with_space(Space::Genes)
        .with_dynamics(None)
        .with_seed(0);
    let populations = interpolate(&model, &options, &mut Silent).unwrap();
    // With ε → 0 the path of a cell is a straight line: x ↦ x (1 + stretch)/2. The noise has a
    // standard deviation of 3 · √(1e-9 / 4) ≈ 5e-5.
    let [population] = populations.as_slice() else { unreachable!() };
    for (moved, cell) in population.points.rows().into_iter().zip(model.points.rows()) {
        for d in 0..2 {
            assert!((moved[d] - cell[d] * (1.0 + STRETCH[d]) / 2.0).abs() < 5e-4);
        }
    }
    let genes = model.pca.unwrap().inverse(population.points.view()).unwrap();
    let first = population.points.row(0).dot(&rotation.row(0)) + 5.0;
    assert!((genes[[0, 0]] - first).abs() < 1e-12);
}
