//! Edges of a course with knock-outs beside controls, from the file to the table.

use std::ops::ControlFlow;
use std::path::Path;

use ndarray::Array2;
use sbcell::bridge::GaussianSolver;
use sbcell::data::Column;
use sbcell::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use sbcell::io::model::OpenModel;
use sbcell::pipeline::{
    EdgeSource, FitOptions, FoundEdges, GrnOptions, Regulators, Running, SolverChoice, TimeOptions,
    fit, grn,
};
use sbcell::progress::{Event, Progress};
use sbcell::{Error, Result, Silent};

use crate::support::normal;

const GENES: [&str; 5] = ["Gata1", "Sox2", "Klf4", "Myc", "Actb"];

/// Labels of the perturbed groups, with their cells at each of the four times.
const GROUPS: [(&str, usize); 6] =
    [("", 24), ("Gata1", 16), ("Sox2+ctrl", 16), ("Gata1,Sox2", 16), ("Actb", 16), ("Klf4", 1)];

struct Notes(Vec<String>);

impl Progress for Notes {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        if let Event::Note { text } = event {
            self.0.push(text.clone());
        }
        ControlFlow::Continue(())
    }
}

/// Gata1 activates Sox2, and Sox2 inhibits Klf4; the others are noise. The columns of `obs` are `day`,
/// `knockout`, `other` (controls are called AAVS1), `typo` (a gene that is not there) and `all` (no
/// controls).
fn model(folder: &Path) -> OpenModel {
    let cells: Vec<(&str, usize)> =
        (0..4).flat_map(|time| GROUPS.map(|(label, n)| vec![(label, time); n]).concat()).collect();
    let draws = normal(cells.len(), 5, 4).mapv(|z| 0.3 * z);
    let mut values = Array2::<f32>::zeros((cells.len(), 5));
    for (row, (label, time)) in cells.iter().enumerate() {
        let set = |gene: &str| if label.contains(gene) { 0.0 } else { 1.0 };
        let level =
            |mean: f64, gene: usize| (set(GENES[gene]) * (mean + draws[[row, gene]])).max(0.0);
        let gata = level(1.0 + 0.5 * *time as f64, 0);
        let sox = level(1.5 * gata, 1);
        let of = [gata, sox, level(5.0 - sox, 2), level(2.0, 3), level(3.0, 4)];
        values.row_mut(row).iter_mut().zip(of).for_each(|(slot, value)| *slot = value as f32);
    }
    let text = |label: &dyn Fn(&str) -> Option<String>| {
        Column::Texts(cells.iter().map(|(of, _)| label(of)).collect())
    };
    let named = |of: &str| (!of.is_empty()).then(|| of.to_string());
    let instead = |of: &str, control: &str| Some(named(of).unwrap_or_else(|| control.into()));
    let day = Column::Floats(cells.iter().map(|(_, time)| *time as f64).collect());
    let knockout = text(&named);
    let other = text(&|of| instead(of, "AAVS1"));
    let typo = text(&|of| instead(&of.replace("Klf4", "Klf5"), "wt"));
    let all = text(&|of| instead(&of.replace("+ctrl", ""), "Myc"));
    let names: Vec<String> = (0..cells.len()).map(|i| format!("c{i}")).collect();
    let content = H5adContent {
        obs_names: &names,
        obs: &[
            ("day", &day),
            ("knockout", &knockout),
            ("other", &other),
            ("typo", &typo),
            ("all", &all),
        ],
        var_names: &GENES.map(String::from),
        x: Some(MatrixContent::Single(values.view())),
        ..H5adContent::default()
    };
    let file = folder.join("course.h5ad");
    write_h5ad(&file, &content).unwrap();
    let out = folder.join("model");
    let how = FitOptions::default()
        .with_time(TimeOptions::default().with_column(Some("day".into())))
        .with_solver(SolverChoice::of(GaussianSolver::default()));
    fit(&file, &out, &how, Running::default(), &mut Silent).unwrap();
    OpenModel::read(&out).unwrap()
}

fn options(column: &str) -> GrnOptions {
    GrnOptions::default()
        .with_perturbation(Some(column.into()))
        .with_bootstrap(3)
        .with_permutations(3)
}

fn importance(found: &FoundEdges, regulator: &str, target: &str) -> f64 {
    let edge = |of: &&sbcell::io::edges::EdgeRow| of.regulator == regulator && of.target == target;
    found.rows.iter().find(edge).unwrap().importance
}

#[test]
fn knock_outs_give_edges_their_direction() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let mut notes = Notes(Vec::new());
    let found = grn(&model, &options("knockout"), &mut notes).unwrap();
    assert_eq!(found.rows.len(), 20);
    for (regulator, target) in [("Gata1", "Sox2"), ("Sox2", "Klf4")] {
        let (forward, back) =
            (importance(&found, regulator, target), importance(&found, target, regulator));
        assert!(forward > 1.5 * back, "{regulator} {target}: {forward} {back}");
    }
    assert!(importance(&found, "Sox2", "Klf4") > 2.0 * importance(&found, "Gata1", "Klf4"));
    let signs = |regulator: &str, target: &str| {
        let mut rows = found.rows.iter();
        rows.find(|of| of.regulator == regulator && of.target == target).unwrap().activates
    };
    assert!(signs("Gata1", "Sox2") && !signs("Sox2", "Klf4"));
    assert!(found.rows.iter().all(|edge| edge.stability.is_finite() && edge.p_time.is_finite()));
    let said = notes.0.join("\n");
    assert!(
        said.contains(
            "4 perturbed groups (Gata1, Gata1+Sox2, Sox2, Actb) with 256 cells, and 96 controls"
        ),
        "{said}"
    );
    assert!(said.contains("left out") && said.contains("Klf4 at 0 (1)"), "{said}");
}

#[test]
fn edges_of_knock_outs_are_the_same_each_time_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let run = || grn(&model, &options("knockout"), &mut Silent).unwrap();
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(format!("{:?}", one.install(run).rows), format!("{:?}", run().rows));
}

#[test]
fn controls_may_have_a_name_and_perturbed_genes_may_be_left_out_of_the_analysis() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let names = |of: &[&str]| of.iter().map(ToString::to_string).collect::<Vec<_>>();
    let quick = |column: &str| options(column).with_bootstrap(0).with_permutations(0);
    let named = quick("other").with_control(Some("AAVS1".into()));
    let same = grn(&model, &named, &mut Silent).unwrap();
    let found = grn(&model, &quick("knockout"), &mut Silent).unwrap();
    assert_eq!(format!("{:?}", same.rows), format!("{:?}", found.rows));
    let mut notes = Notes(Vec::new());
    let some = quick("knockout")
        .with_regulators(Regulators::Named(names(&["Gata1", "Sox2"])))
        .with_genes(Some(names(&["Sox2", "Klf4"])));
    let found = grn(&model, &some, &mut notes).unwrap();
    assert_eq!(found.rows.len(), 3);
    let said = notes.0.join("\n");
    assert!(said.contains("perturbed, but not among the analysed genes: Actb"), "{said}");
    // Without the column nothing of this is used.
    let plain = GrnOptions::default().with_bootstrap(0).with_permutations(0);
    let plain = grn(&model, &plain, &mut Silent).unwrap();
    assert!(
        (importance(&plain, "Gata1", "Sox2") - importance(&same, "Gata1", "Sox2")).abs() > 1e-6
    );
    for source in [EdgeSource::Hill, EdgeSource::Linear, EdgeSource::Lasso, EdgeSource::Mutual] {
        let lagged = quick("knockout").with_source(source).with_lag(Some(2));
        assert!(grn(&model, &lagged, &mut Silent).unwrap().degenerate.is_empty(), "{source:?}");
    }
}

#[test]
fn columns_that_say_nothing_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let refused = |options: GrnOptions| -> Error {
        let found: Result<FoundEdges> = grn(&model, &options, &mut Silent);
        found.unwrap_err()
    };
    assert!(matches!(refused(options("nowhere")), Error::UnknownKey { .. }));
    let error = refused(options("typo"));
    let Error::GeneNotAmong { gene, near, .. } = &error else { panic!("{error}") };
    assert_eq!((gene.as_str(), near[0].as_str()), ("Klf5", "Klf4"));
    let error = refused(options("other"));
    assert!(matches!(error, Error::GeneNotAmong { .. }), "{error}");
    assert!(error.hint().unwrap().contains("`control`"), "{:?}", error.hint());
    let error = refused(options("all")).to_string();
    assert!(error.contains("perturbation_key") && error.contains("no control"), "{error}");
    let error = refused(options("knockout").with_control(Some("AAVS1".into()))).to_string();
    assert!(error.contains("AAVS1"), "{error}");
    let alone = GrnOptions::default().with_control(Some("wt".into()));
    assert!(refused(alone).to_string().contains("`control`"));
    for source in [EdgeSource::ReferenceFitting, EdgeSource::Correlation, EdgeSource::Slope] {
        let error = refused(options("knockout").with_source(source)).to_string();
        assert!(error.contains("perturbation_key"), "{error}");
    }
    assert!(
        refused(options("knockout").with_model_coupling(true)).to_string().contains("coupling")
    );
}
