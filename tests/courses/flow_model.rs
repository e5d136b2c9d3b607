//! A model made of networks on disk: written whole, read again, damaged, replaced.

use std::path::{Path, PathBuf};

use sbcell::bridge::{BridgeRecord, FlowSolver};
use sbcell::io::model::Model;
use sbcell::io::networks::{CURVE, WEIGHTS};
use sbcell::pipeline::{
    Bending, Dynamics, FitOptions, InterpolateOptions, Running, SolverChoice, Space, TimeOptions,
    Timing, fit, interpolate,
};
use sbcell::{Error, Silent};

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data-samples/semrau2017_mesc_ra.h5ad")
}

fn options(solver: SolverChoice) -> FitOptions {
    FitOptions::default()
        .with_time(TimeOptions::default().with_column(Some("time".into())).with_map(None))
        .with_n_pcs(5)
        .with_bend(Bending::Off)
        .with_timing(Timing::Even)
        .with_solver(solver)
}

fn short(plain: FlowSolver) -> SolverChoice {
    let block = 256;
    SolverChoice::of(plain.with_width(8).with_batch(64).with_max_iterations(60).with_block(block))
}

fn at(time: f64, dynamics: Option<Dynamics>) -> InterpolateOptions {
    InterpolateOptions::default()
        .with_at(vec![time])
        .with_n_cells(Some(50))
        .with_space(Space::Pca)
        .with_dynamics(dynamics)
        .with_seed(1)
}

#[test]
fn networks_are_written_once_read_again_and_gone_with_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model");
    let summary =
        fit(&sample(), &out, &options(short(FlowSolver::sf2m())), Running::default(), &mut Silent);
    let intervals = summary.unwrap().intervals;
    let model = Model::read(&out).unwrap();
    assert_eq!(model.intervals, intervals);
    let records = model.intervals.iter().map(|interval| match &interval.bridge {
        BridgeRecord::Flow(record) => record.networks.clone().unwrap(),
        other => panic!("{other:?}"),
    });
    let networks: Vec<_> = records.collect();
    assert!(networks.windows(2).all(|pair| std::sync::Arc::ptr_eq(&pair[0], &pair[1])));
    let json = std::fs::read_to_string(out.join("bridges/0_6.json")).unwrap();
    assert!(json.contains("\"flow\"") && !json.contains("networks"), "{json}");
    let curve = std::fs::read_to_string(out.join(CURVE)).unwrap();
    assert!(curve.starts_with("step,flow_training,flow_held_out,score_training,score_held_out\n"));
    assert_eq!(curve.lines().count(), networks[0].curve().len() + 1);

    let dynamics =
        |diffusion: f64, backward| Some(Dynamics { diffusion: diffusion.into(), backward });
    let plain = interpolate(&model, &at(3.0, None), &mut Silent).unwrap();
    for other in [dynamics(0.0, false), dynamics(1.0, true), dynamics(0.5, true)] {
        let moved = interpolate(&model, &at(3.0, other), &mut Silent).unwrap();
        assert_eq!(moved[0].points.dim(), plain[0].points.dim());
        assert_ne!(moved[0].points, plain[0].points);
    }
    assert!(interpolate(&model, &at(3.0, dynamics(-1.0, false)), &mut Silent).is_err());

    let weights = out.join(WEIGHTS);
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    assert!(matches!(Model::read(&out), Err(Error::Unreadable { .. })));
    std::fs::remove_file(&weights).unwrap();
    assert!(matches!(Model::read(&out), Err(Error::Unreadable { .. })));

    let lightsb = SolverChoice::default();
    fit(&sample(), &out, &options(lightsb), Running::default(), &mut Silent).unwrap();
    assert!(!out.join(WEIGHTS).exists() && !out.join(CURVE).exists());
    let model = Model::read(&out).unwrap();
    let flowed = interpolate(&model, &at(3.0, dynamics(0.0, false)), &mut Silent).unwrap();
    assert!(flowed[0].points.iter().all(|value| value.is_finite()));
}
