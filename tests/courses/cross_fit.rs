//! Components overfit the cells they were learnt from: scores of a population that does not change.

use std::path::Path;

use ndarray::Array2;
use rand_distr::{Distribution, Gamma, Poisson, StandardNormal};
use sbcell::bridge::{GaussianSolver, LightSbSolver, SinkhornSolver};
use sbcell::data::Column;
use sbcell::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use sbcell::io::validation::{Validation, Verdict};
use sbcell::pipeline::{
    EvaluateOptions, FitOptions, GrowthOptions, GrowthPrior, Method, Protocol, SolverChoice,
    TimeOptions, evaluate,
};
use sbcell::preprocess::GeneSets;
use sbcell::{Seed, Silent};

const PER_TIME: usize = 200;
const N_GENES: usize = 2000;

/// Counts of the same population at three times: genes of very different means, and one programme that
/// varies between cells.
fn write(path: &Path) {
    let mut rng = Seed(8).stream("test", 0);
    let means = Gamma::new(0.5, 1.0).unwrap();
    let means: Vec<f64> = (0..N_GENES).map(|_| 0.02 + means.sample(&mut rng)).collect();
    let mut counts = Array2::<f32>::zeros((3 * PER_TIME, N_GENES));
    for mut cell in counts.rows_mut() {
        let programme: f64 = StandardNormal.sample(&mut rng);
        for (gene, count) in cell.iter_mut().enumerate() {
            let factor = if gene % 20 == 0 { (0.4 * programme).exp() } else { 1.0 };
            let draw: f64 = Poisson::new(means[gene] * factor).unwrap().sample(&mut rng);
            *count = draw as f32;
        }
    }
    let n = counts.nrows();
    let names: Vec<String> = (0..n).map(|cell| format!("c{cell}")).collect();
    let genes: Vec<String> = (0..N_GENES).map(|gene| format!("g{gene}")).collect();
    let days = (0..n).map(|cell| (cell % 3) as f64).collect();
    let content = H5adContent {
        obs_names: &names,
        obs: &[("day", &Column::Floats(days))],
        var_names: &genes,
        x: Some(MatrixContent::Single(counts.view())),
        ..H5adContent::default()
    };
    write_h5ad(path, &content).unwrap();
}

fn options(n_pcs: usize) -> EvaluateOptions {
    let time = TimeOptions::default().with_column(Some("day".into())).with_map(None);
    let fit = FitOptions::default().with_time(time).with_n_pcs(n_pcs);
    let methods = vec![
        Method { name: "gaussian".into(), solver: SolverChoice::of(GaussianSolver::default()) },
        Method { name: "lightsb".into(), solver: SolverChoice::of(LightSbSolver::default()) },
    ];
    EvaluateOptions::new(fit, methods)
}

/// The value of a metric with its interval.
fn found(scores: &Validation, name: &str, metric: &str) -> [f64; 3] {
    let row = scores.row(1.0, name, metric).unwrap();
    [row.value.unwrap(), row.lo.unwrap(), row.hi.unwrap()]
}

#[test]
fn a_population_that_does_not_change_is_neither_narrow_nor_to_be_explained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("course.h5ad");
    write(&path);
    let scores = evaluate(&path, &options(50), &mut Silent).unwrap().validation;
    let held = &scores.held_out[0];
    println!("{:#?}", held.words);
    assert_eq!((held.n_dims, held.n_cells), (50, PER_TIME));
    for name in ["F", "L", "FL"] {
        let [ratio, lo, hi] = found(&scores, name, "variance_ratio");
        println!("{name} {ratio} [{lo}, {hi}]");
        assert!(lo <= 1.0 && 1.0 <= hi && (0.9..1.1).contains(&ratio), "{name} {ratio} {lo} {hi}");
    }
    for verdict in &held.verdicts {
        assert_ne!(verdict.pooled, Verdict::Better, "{verdict:?}");
    }
    // The bridge of a Gaussian keeps its covariance, so it loses nothing either.
    assert_ne!(held.verdicts[0].pooled, Verdict::Worse, "{:?}", held.words);
    assert!(held.words[0].contains("nothing to explain"), "{}", held.words[0]);
    // Both halves are used, and their bridges recorded.
    let parts: Vec<usize> = held.solved.iter().map(|solved| solved.part).collect();
    assert_eq!(parts, [0, 0, 1, 1]);

    // Where components are learnt from the cells that are compared, the held-out cells look narrow.
    let inside = options(50).with_protocol(Protocol::Wot);
    let inside = evaluate(&path, &inside, &mut Silent).unwrap().validation;
    let [ratio, lo, _] = found(&inside, "F", "variance_ratio");
    println!("inside {ratio} {lo}");
    assert!(lo > 1.1, "{ratio} {lo}");
}

/// Growth from genes is that of the half that is compared: it weights null models and populations.
#[test]
fn growth_from_genes_goes_with_the_compared_half() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("course.h5ad");
    write(&path);
    let genes = |first: usize| (0..20).map(|i| format!("g{}", first + 20 * i)).collect();
    let sets = GeneSets { proliferation: genes(0), apoptosis: genes(1) };
    let mut options = options(5).with_n_bootstrap(0);
    options.fit.growth = GrowthOptions::default().with_prior(GrowthPrior::Genes(sets));
    let solver = SolverChoice::of(SinkhornSolver::default());
    options.methods = vec![Method { name: "sinkhorn".into(), solver }];
    let scores = evaluate(&path, &options, &mut Silent).unwrap().validation;
    let value = |name: &str| scores.row(1.0, name, "energy").unwrap().value.unwrap();
    assert!((value("Rg") - value("R")).abs() > 1e-6, "the weights are not equal");
    assert!(value("sinkhorn:weighted").is_finite());
    assert!(scores.facts[2].contains("not compared"));
}

#[test]
fn few_cells_are_not_halved_and_this_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("course.h5ad");
    write(&path);
    let few = options(5).with_cells_per_time(Some(39)).with_n_bootstrap(0);
    let found = evaluate(&path, &few, &mut Silent).unwrap();
    assert!(found.notes.iter().any(|note| note.contains("fewer than 40 cells")), "{found:?}");
    assert!(found.validation.facts[2].contains("without the held-out cells"));
    assert!(found.validation.held_out[0].solved.iter().all(|solved| solved.part == 0));
    let enough = few.with_cells_per_time(Some(40));
    let found = evaluate(&path, &enough, &mut Silent).unwrap();
    assert!(!found.notes.iter().any(|note| note.contains("fewer than")), "{found:?}");
    assert!(found.validation.facts[2].contains("not compared"));
}
