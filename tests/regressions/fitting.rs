//! From the file to coordinates, times and noise.

use std::path::Path;

use sbcell::Silent;
use sbcell::data::{Column, time};
use sbcell::io::model::Model;
use sbcell::pipeline::{FitOptions, Running, Source, TimeOptions, fit};

/// A column read for a subset of cells must forget the categories that no cell of the subset has:
/// `fit --obs-filter time<=6` once listed later times with no cells.
#[test]
fn r001_filtered_times_list_only_times_with_cells() {
    let column = Column::Categories {
        codes: vec![Some(0), Some(1), Some(2), Some(0)],
        categories: Box::new(Column::Floats(vec![0.0, 6.0, 12.0])),
    };
    let axis = time::resolve("time", &column.select(&[0, 1, 3])).unwrap();
    assert_eq!(axis.times(), [0.0, 6.0]);
}

/// `--genes` must not change the depth that counts are scaled to: it once summed only the genes
/// of the list, so that a list of one gene made every cell equal.
#[test]
fn r002_a_list_of_genes_does_not_change_the_depth() {
    let folder = tempfile::tempdir().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("data-samples/semrau2017_mesc_ra.h5ad");
    let mean_of = |genes: Option<&[&str]>, out: &str| {
        let options = FitOptions {
            time: TimeOptions { column: Some("time".into()), map: None },
            source: Source::Layer("counts".into()),
            genes: genes.map(|names| names.iter().map(|name| (*name).to_string()).collect()),
            filters: vec!["time<=6".into()],
            ..FitOptions::default()
        };
        let out = folder.path().join(out);
        fit(&sample, &out, &options, Running::default(), &mut Silent).unwrap();
        let model = Model::read(&out).unwrap();
        let place = model.genes.iter().position(|gene| gene == "Sox2").unwrap();
        model.pca.unwrap().mean()[place]
    };
    let (all, few) = (mean_of(None, "all"), mean_of(Some(&["Sox2", "Pou5f1"]), "few"));
    assert!((all - few).abs() < 1e-12, "{all} {few}");
}
