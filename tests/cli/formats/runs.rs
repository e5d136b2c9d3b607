//! Command lines that write every kind of file, on small parts of the samples.

use std::fs;
use std::path::Path;

use ndarray::Array2;
use sbcell::data::Column;
use sbcell::io::h5ad::{H5ad, H5adContent, write_h5ad};

use crate::clones::course as course_of_clones;
use crate::help::write_conditions;
use crate::sandbox::{Sandbox, root, sample};

/// A folder, the command lines to run there, and the files that are no outputs.
pub(super) type Runs = (Sandbox, Vec<String>, Vec<&'static str>);

/// The lines of a text, without those that are empty.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect()
}

/// A sandbox with the sample and its groups.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    fs::copy(root().join("data-samples/semrau2017_groups.csv"), sandbox.path("groups.csv"))
        .unwrap();
    sandbox
}

/// Every command on one model.
pub(super) fn course() -> Runs {
    let sandbox = sandbox();
    fs::write(sandbox.path("known.csv"), "Gene1,Gene2,Type\nPou5f1,Sox2,+\nSox2,Nanog,-\n")
        .unwrap();
    fs::write(sandbox.path("panel.csv"), ",Sox2,Nanog\nx1,0.5,1\nx2,1,0\n").unwrap();
    let all = lines(
        "doctor
        completions bash
        inspect data.h5ad
        fit data.h5ad --timepoints time --obs-filter time<=12 --n-gaussians 2 --dry-run
        fit data.h5ad --timepoints time --obs-filter time<=12 --n-gaussians 2
        interpolate
        interpolate --space genes --out interpolated-genes.csv --n-cells 20
        interpolate --format h5ad --n-cells 20
        sample --n-cells 20 --epsilon 1
        sample --at 6 --given panel.csv --draws 5 --space genes --out imputed.csv
        sample --at 6 --given panel.csv --draws 5 --out imputed-pcs.parquet
        velocity
        velocity --space both --gene Sox2,Pou5f1 --out velocity-both.csv
        velocity --at 3 --out velocity-at.tsv
        fates --cells groups.csv --bootstrap 3
        plan fates --cells groups.csv --bootstrap 3 --out fates-planned.csv
        step plan.json --unit 0
        merge plan.json
        fates --cells groups.csv --bootstrap 0 --out fates-none.parquet
        fates --cells groups.csv --terminal auto --n-states 2 --bootstrap 3 --out fates-auto.csv
        transitions --cells groups.csv --bootstrap 3
        trajectory --cells groups.csv --paths 3 --paths-out paths.csv
        trends --cells groups.csv --bootstrap 3 --plot trends.svg --plot-gene Sox2
        drivers --cells groups.csv
        verify sbcell-out
        verify drivers.csv --rerun
        grn --bootstrap 0 --permutations 0 --source correlation --plot edges.svg
        grn --by time --bootstrap 2 --permutations 3 --source hill --out edges-time.tsv
        grn --bootstrap 2 --permutations 3 --prior known.csv --out edges-prior.parquet
        grn --source correlation --bootstrap 0 --permutations 0 --format grnboost2 --out edges-grnboost2.csv
        grn --source correlation --bootstrap 0 --permutations 0 --format beeline --out edges-beeline.tsv
        grn --source correlation --bootstrap 0 --permutations 0 --format decoupler --out edges-decoupler.csv
        grn --source hill --bootstrap 0 --permutations 0 --format celloracle --out edges-celloracle.csv
        grn --source correlation --bootstrap 0 --permutations 0 --out edges.graphml
        grn-score --truth known.csv edges.csv --out scores.csv
        perturb --knockout Sox2 --n-cells 20 --bootstrap 3 --cells groups.csv
        couplings
        couplings --density --coupling-epsilon fit --format csv --out couplings-density
        couplings --format moscot --out couplings-moscot
        couplings --format wot --out tmaps
        couplings --format cellrank --out cellrank
        diagnose --permutations 2 --cells groups.csv
        evaluate data.h5ad --timepoints time --obs-filter time<=12 --n-gaussians 2 --cells-per-time 60 --repeats 1
        annotate data.h5ad -o annotated.h5ad --fates fates.csv
        strip annotated.h5ad -o stripped.h5ad
        plot embedding
        report
        export sbcell-out
        export sbcell-out --format parquet --out parquet",
    );
    let step = " --set fit.obs-filter=time<=12 --set fit.bend=off --set fit.timing=even --set fit.n-gaussians=2 \
        --set evaluate.repeats=1 --set evaluate.max-cells=100 --set evaluate.bootstrap=20 \
        --set interpolate.n-cells=20 --set fates.bootstrap=3 --set transitions.bootstrap=3 \
        --set trends.bootstrap=3 --set grn.source=correlation --set grn.bootstrap=0 --set grn.permutations=0";
    let run = format!("run data.h5ad --cells groups.csv --out results{step}");
    // A step that is left out is recorded with the reason.
    let less = format!(
        "run data.h5ad --cells groups.csv --out less/results{step} --skip grn,annotate,report"
    );
    fs::create_dir(sandbox.path("less")).unwrap();
    let all = all.into_iter().chain([run, less]).collect();
    (sandbox, all, vec!["groups.csv", "known.csv", "panel.csv"])
}

/// Models of every solver, with growth.
pub(super) fn solvers() -> Runs {
    let sandbox = sandbox();
    let names = {
        let file = H5ad::open(&sandbox.path("data.h5ad")).unwrap();
        file.obs_names().unwrap()
    };
    let rates = names.iter().enumerate().map(|(i, name)| format!("{name},0.0{}", i % 3));
    let rates: Vec<String> = rates.collect();
    fs::write(sandbox.path("rates.csv"), format!("id,growth\n{}\n", rates.join("\n"))).unwrap();
    let fit = "fit data.h5ad --timepoints time --obs-filter time<=12 --no-validation";
    let mut all = Vec::new();
    for flags in [
        "gaussian --reference ou --ou-rate 0.1",
        "lightsb --growth-file rates.csv --growth-unit rate/h",
        "sinkhorn --growth-file rates.csv --growth-unit rate/h",
        "sinkhorn --cost geodesic-path --out geodesic",
        "ot",
        "spline",
        "auto --auto-cells 60",
        "sf2m --max-iterations 60",
        "ot-cfm --max-iterations 60",
        "i-cfm --max-iterations 60",
        "dsbm --max-iterations 30 --n-projections 2",
    ] {
        let solver = flags.split(' ').next().unwrap();
        let out = if flags.contains("--out") { String::new() } else { format!(" --out {solver}") };
        all.push(format!("{fit} --solver {flags}{out}"));
    }
    all.extend(lines(
        "velocity --model sinkhorn
        fates --model sinkhorn --cells groups.csv --bootstrap 0
        couplings --model sinkhorn
        diagnose --model sf2m --permutations 1
        export dsbm --format parquet --out parquet",
    ));
    (sandbox, all, vec!["groups.csv", "rates.csv"])
}

/// Models of two conditions.
pub(super) fn conditions() -> Runs {
    let sandbox = sandbox();
    write_conditions(&sandbox.path("data.h5ad"));
    fs::write(sandbox.path("genes.txt"), "Pou5f1\nGata4\nGata6\nSox17\n").unwrap();
    let all = lines(
        "fit data.h5ad --timepoints day --obs-filter day<=1.5 --condition-key treatment --n-pcs 4 --solver gaussian \
         --no-validation --out models
        compare --model models --cells groups.csv --genes genes.txt --bootstrap 4 --permutations 4 --test-cells 40 \
         --edges 3",
    );
    (sandbox, all, vec!["groups.csv", "genes.txt"])
}

/// Writes cells that go apart into two groups without a name, in two coordinates.
fn write_unnamed(path: &Path) {
    const N: usize = 60;
    let day = |i: usize| (i / N) as f64;
    let points = Array2::from_shape_fn((3 * N, 2), |(i, d)| {
        let chance = ((i * 7919 + d * 104_729 + 17) as f64 * 0.618_033_988_749).fract() - 0.5;
        let side = if i % 2 == 0 { 1.0 } else { -1.0 };
        if d == 0 { chance + side * (0.3 + 1.5 * day(i)) } else { chance + day(i) }
    });
    let names: Vec<String> = (0..3 * N).map(|i| format!("cell{i}")).collect();
    let days = Column::Floats((0..3 * N).map(day).collect());
    let content = H5adContent {
        obs_names: &names,
        obs: &[("day", &days)],
        obsm: &[("X_pca", points.view())],
        ..H5adContent::default()
    };
    write_h5ad(path, &content).unwrap();
}

/// Cells with barcodes, and an embedding; and a run on cells without groups.
pub(super) fn clones() -> Runs {
    let sandbox = course_of_clones();
    let all = lines(
        "evaluate --clones --clone-key barcode --groupby cell_type --bootstrap 3 --out clones
        interpolate --basis matrix --n-cells 5
        run unnamed.h5ad --use-rep X_pca --out unnamed --skip evaluate --set fates.bootstrap=3 \
         --set transitions.bootstrap=3",
    );
    write_unnamed(&sandbox.path("unnamed.h5ad"));
    (sandbox, all, Vec::new())
}
