//! Every solver from end to end: fit, interpolate and grn on a sample, written and read again.

use crate::sandbox::{Sandbox, sample};

/// Fits, interpolates and reads edges; returns what `fit` said.
fn through(line: &str) -> String {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let fit =
        sandbox.done(&format!("fit -v data.h5ad --timepoints time --obs-filter time<=12 {line}"));
    sandbox.done("interpolate --at 3,9 --n-cells 100 --format csv");
    let cells = sandbox.text("sbcell-out/interpolated.csv");
    assert_eq!(cells.lines().count(), 1 + 200, "{line}");
    assert!(!cells.contains("NaN") && !cells.contains("inf"), "{line}");
    sandbox.done("grn --out edges.csv --bootstrap 0 --permutations 0");
    assert!(sandbox.text("edges.csv").lines().count() > 1, "{line}");
    fit.stdout + &fit.stderr
}

#[test]
fn closed_forms_and_couplings_go_from_fit_to_edges() {
    for line in [
        "--solver lightsb --n-gaussians 4 --covariance scalar",
        "--solver gaussian",
        "--solver sinkhorn",
        "--solver sinkhorn --lambda1 1 --lambda2 50 --growth-iters 2",
        "--solver ot",
        "--solver spline",
        "--solver spline --relax inf --momentum 0 --mass kept --noise-back 1",
        "--solver spline --width-by ends",
        "--solver spline --width-by map --mass kept",
        "--solver auto --auto-cells 60",
    ] {
        let said = through(line);
        assert!(said.contains("converged"), "{line}: {said}");
    }
}

#[test]
fn flows_go_from_fit_to_edges() {
    for line in [
        "--solver sf2m --max-iterations 200",
        "--solver sf2m --coupling exact --cost geodesic-heat --max-iterations 100",
        "--solver ot-cfm --max-iterations 100 --block 100",
        "--solver i-cfm --max-iterations 100",
        "--solver dsbm --max-iterations 60 --n-projections 3 --n-pairs 300",
    ] {
        through(line);
    }
}

#[test]
fn costs_along_the_data_go_from_fit_to_edges() {
    for line in [
        "--solver sinkhorn --cost geodesic-path --lambda1 1 --growth-iters 2",
        "--solver sinkhorn --cost geodesic-heat --heat-time 20",
        "--solver ot --cost geodesic-path --n-neighbors 5",
    ] {
        let said = through(line);
        assert!(said.contains("n_pairs"), "{line}: {said}");
    }
}
