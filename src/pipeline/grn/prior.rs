//! Reads the prior network of `grn`: weights of pairs of genes from a table of possible edges.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ndarray::Array2;

use crate::data::GeneIndex;
use crate::error::{Error, Result};
use crate::grn::Prior;
use crate::io::edges::{self, ReadEdge, ReadEdges};
use crate::pipeline::grn::expression::Measured;
use crate::pipeline::grn::options::GrnOptions;
use crate::pipeline::shared::asked_genes::AskedGenes;
use crate::progress::{self, Progress};

/// The prior network of `options` between the analysed genes; `None` if none is given.
///
/// A note tells how many of its pairs are used, how many of its genes are not analysed, and how many regulators have
/// no pair.
///
/// # Errors
/// Those of [`edges::read`], [`check_weights`] and [`weights`].
pub(super) fn read_prior(
    measured: &Measured,
    options: &GrnOptions,
    progress: &mut dyn Progress,
) -> Result<Option<Prior>> {
    let Some(path) = options.prior.as_deref().map(Path::new) else { return Ok(None) };
    let list = edges::read(path)?;
    check_weights(path, &list)?;
    let by_default = options.prior_default.unwrap_or(0.0);
    let weights = weights(path, &list, measured, by_default, progress)?;
    Ok(Some(Prior { weights, gain: Prior::GAIN }))
}

/// The weight of a row; 0 for a pair that the table labels as absent.
fn weight_of(edge: &ReadEdge) -> f64 {
    if edge.present { edge.weight } else { 0.0 }
}

/// Refuses weights outside of 0 to 1.
///
/// # Errors
/// [`Error::Unreadable`] with the first such pair.
fn check_weights(path: &Path, list: &ReadEdges) -> Result<()> {
    match list.edges.iter().find(|edge| !(0.0..=1.0).contains(&edge.weight)) {
        None => Ok(()),
        Some(edge) => Err(unreadable(
            path,
            format!(
                "the weight of `{}` and `{}` is {}: weights of a prior network are from 0 to 1",
                edge.regulator, edge.target, edge.weight
            ),
            "divide the weights by the largest one, or leave out the column of weights, which gives every pair \
             the weight 1",
        )),
    }
}

/// Weight of each regulator and gene of `measured`, `(R, G)`; `by_default` for pairs that are not in `list`.
///
/// Names match as in [`AskedGenes::find`]. Pairs of a gene with itself have no meaning and are skipped.
///
/// # Errors
/// Those of [`AskedGenes::find`]; [`Error::Unreadable`] for a pair with two different weights, or if no pair has a
/// regulator and a target among the analysed genes.
fn weights(
    path: &Path,
    list: &ReadEdges,
    measured: &Measured,
    by_default: f64,
    progress: &mut dyn Progress,
) -> Result<Array2<f64>> {
    let Measured { genes, regulators, targets, .. } = measured;
    let both = list.edges.iter().flat_map(|edge| [&edge.regulator, &edge.target]);
    let names: BTreeSet<&str> = both.map(AsRef::as_ref).collect();
    let names: Vec<String> = names.into_iter().map(ToString::to_string).collect();
    let missing = AskedGenes::find(&names, genes, progress)?.missing.len();
    let index = GeneIndex::new(genes);
    let places = |name: &str| index.find(name).map_or_else(Vec::new, |found| found.places);
    let mut given: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for edge in &list.edges {
        for regulator in places(&edge.regulator) {
            let Ok(r) = regulators.binary_search(&regulator) else { continue };
            for g in places(&edge.target) {
                if g == regulator || !targets[g] {
                    continue;
                }
                let before = *given.entry((r, g)).or_insert(weight_of(edge));
                if (before - weight_of(edge)).abs() > 0.0 {
                    return Err(contradiction(path, edge, before));
                }
            }
        }
    }
    if given.is_empty() {
        return Err(unreadable(
            path,
            format!(
                "none of its {} pairs has a regulator and a target among the {} analysed genes",
                list.edges.len(),
                genes.len()
            ),
            "check that the columns of regulators and targets are not exchanged, and that the parameters `tfs` and \
             `genes` contain the genes of the table",
        ));
    }
    let mut weights = Array2::from_elem((regulators.len(), genes.len()), by_default);
    for (pair, weight) in &given {
        weights[*pair] = *weight;
    }
    let with_pair = (0..regulators.len()).filter(|&r| given.range((r, 0)..(r + 1, 0)).count() > 0);
    let without = regulators.len() - with_pair.count();
    let mut text = format!(
        "the prior network has {} of the possible edges; {missing} of its genes are not analysed",
        given.len()
    );
    if without > 0 {
        let all = regulators.len();
        let of_regulators = format!(
            "; {without} of the {all} regulators are in none of its pairs: all of their edges have the weight \
             {by_default}"
        );
        text.push_str(&of_regulators);
    }
    progress::note(progress, text)?;
    Ok(weights)
}

/// The error for the pair `edge`, which had the weight `before` in another row.
fn contradiction(path: &Path, edge: &ReadEdge, before: f64) -> Error {
    let problem = format!(
        "`{}` and `{}` have two weights, {before} and {}",
        edge.regulator,
        edge.target,
        weight_of(edge)
    );
    unreadable(path, problem, "keep one row for each pair, such as that with the largest weight")
}

fn unreadable(path: &Path, problem: String, way_out: &str) -> Error {
    Error::Unreadable { path: path.to_path_buf(), problem, way_out: Some(way_out.into()) }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use ndarray::array;

    use super::*;
    use crate::progress::Event;

    struct Notes(Vec<String>);

    impl Progress for Notes {
        fn report(&mut self, event: &Event) -> ControlFlow<()> {
            if let Event::Note { text } = event {
                self.0.push(text.clone());
            }
            ControlFlow::Continue(())
        }
    }

    /// Four genes: `Sox2`, `Nanog` and `Klf4` may regulate, and all but `Klf4` may be targets.
    fn measured() -> Measured {
        Measured {
            genes: ["Sox2", "Nanog", "Actb", "Klf4"].map(String::from).to_vec(),
            cells: Vec::new(),
            times: Vec::new(),
            values: Array2::zeros((0, 4)),
            regulators: vec![0, 1, 3],
            targets: vec![true, true, true, false],
            groups: None,
            batches: None,
            perturbed: None,
        }
    }

    fn of(text: &str, by_default: Option<f64>) -> Result<(Array2<f64>, String)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prior.tsv");
        std::fs::write(&path, text).unwrap();
        let options = GrnOptions::default()
            .with_prior(Some(path.to_string_lossy().into_owned()))
            .with_prior_default(by_default);
        let mut notes = Notes(Vec::new());
        let prior = read_prior(&measured(), &options, &mut notes)?.unwrap();
        assert!((prior.gain - Prior::GAIN).abs() < 1e-15);
        Ok((prior.weights, notes.0.join("\n")))
    }

    #[test]
    fn pairs_have_their_weights_and_others_the_default() {
        // A gene with itself, a gene that does not regulate, one that is no target, and two unknown genes.
        let text = "source\ttarget\tweight\nSox2\tNanog\t0.8\nNanog\tActb\t1\nSox2\tSox2\t0.4\n\
                    Actb\tSox2\t0.3\nSox2\tKlf4\t0.9\nGata1\tNanog\t0.7\nSox2\tNanog\t0.8\n\
                    Nanog\tMyc\t1\n";
        for (given, rest) in [(None, 0.0), (Some(0.25), 0.25)] {
            let (weights, said) = of(text, given).unwrap();
            let mut expected = Array2::from_elem((3, 4), rest);
            (expected[[0, 1]], expected[[1, 2]]) = (0.8, 1.0);
            assert_eq!(weights, expected);
            assert!(said.contains("2 of the possible edges; 2 of its genes are not"), "{said}");
            assert!(said.contains("1 of the 3 regulators"), "{said}");
            assert!(said.ends_with(&format!("the weight {rest}")), "{said}");
        }
    }

    #[test]
    fn pairs_without_a_column_of_weights_have_weight_one_unless_they_are_absent() {
        let weights = |text: &str| of(text, Some(0.5)).unwrap().0;
        assert_eq!(
            weights("TF,target\nSox2,Actb\nKlf4,Sox2\n"),
            array![[0.5, 0.5, 1.0, 0.5], [0.5, 0.5, 0.5, 0.5], [1.0, 0.5, 0.5, 0.5]]
        );
        let labelled = weights("TF,target,edge\nSox2,Actb,0\nSox2,Nanog,1\n");
        assert_eq!(labelled.row(0), array![0.5, 1.0, 0.0, 0.5]);
    }

    #[test]
    fn what_is_wrong_with_a_table_is_named() {
        for (text, words) in [
            ("TF,target,weight\nSox2,Actb,1.5\n", "`Sox2` and `Actb` is 1.5: weights of a prior"),
            ("TF,target,weight,sign\nSox2,Actb,-0.5,1\n", "`Sox2` and `Actb` is -0.5"),
            ("TF,target,weight\nSox2,Actb,NaN\n", "`NaN` in line 2 is no weight"),
            ("TF,target,weight\nSox2,Actb,0.5\nSox2,Actb,0.6\n", "two weights, 0.5 and 0.6"),
            ("TF,target\nActb,Sox2\nMyc,Sox2\nSox2,Klf4\n", "none of its 3 pairs"),
        ] {
            let error = of(text, None).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert!(error.hint().is_some());
        }
        let other = of("TF,target\nSOX2,NANOG\n", None).unwrap_err();
        assert!(matches!(other, Error::NoGenes { .. }), "{other}");
    }
}
