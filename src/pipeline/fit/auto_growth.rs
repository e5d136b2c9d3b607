//! Growth without being asked: the genes of growth in a file, found and read on a scale of their own.

use ndarray::Array1;

use crate::data::time::TimeUnit;
use crate::error::{Error, Result};
use crate::io::h5ad::{H5ad, MatrixSource};
use crate::pipeline::fit::options::{FitOptions, Source, ValuesChoice};
use crate::pipeline::fit::selection::{Selection, matrix_source};
use crate::pipeline::shared::coordinates::growth_of;
use crate::pipeline::shared::counted::{Counted, bytes_of, log_scale};
use crate::preprocess::{GeneSets, Species, find_genes};
use crate::progress::{self, Progress, Silent};

/// Least number of proliferation genes in a matrix from which growth is computed.
///
/// Genes of apoptosis are optional: without them all cells die at the same rate.
const LEAST_GENES: usize = 10;

/// The result of a search for the genes of growth.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Search {
    /// A matrix with enough genes.
    Found(AutoGenes),
    /// The reason why there is none, in words.
    Nothing(String),
}

/// The genes of growth in a matrix of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AutoGenes {
    /// The species whose proliferation genes are in the matrix.
    species: Species,
    /// The matrix.
    matrix: MatrixSource,
    /// Whether coordinates come from the same matrix, so that it is read anyway.
    shared: bool,
    /// Columns of the genes of proliferation, then of apoptosis.
    columns: [Vec<usize>; 2],
}

impl Search {
    /// The columns of the genes, if they are in the matrix that coordinates come from.
    pub(crate) fn shared(&self) -> Option<&[Vec<usize>; 2]> {
        match self {
            Self::Found(genes) if genes.shared => Some(&genes.columns),
            Self::Found(_) | Self::Nothing(_) => None,
        }
    }
}

/// Searches the genes of growth: in the matrix of `source`, else in `X`, `raw` and the layer `counts`.
///
/// The first matrix with [`LEAST_GENES`] proliferation genes of a species counts, and the species with
/// more of them. Only names are read. A matrix that cannot be read is skipped.
pub(crate) fn search(file: &H5ad, source: &Source) -> Search {
    let own = matrix_source(source);
    let mut places = vec![own.clone()];
    for other in [MatrixSource::X, MatrixSource::RawX, MatrixSource::Layer("counts".into())] {
        if !places.contains(&other) {
            places.push(other);
        }
    }
    let mut seen = Vec::new();
    let mut most = 0;
    for matrix in places {
        let (Ok(_), Ok(names)) = (file.matrix_info(&matrix), file.gene_names(&matrix)) else {
            continue;
        };
        let of = |species| {
            let sets = GeneSets::shipped(species);
            (species, [&sets.proliferation, &sets.apoptosis].map(|set| find_genes(set, &names).0))
        };
        let (human, mouse) = (of(Species::Human), of(Species::Mouse));
        let more = human.1[0].len() >= mouse.1[0].len();
        let (species, columns) = if more { human } else { mouse };
        if columns[0].len() >= LEAST_GENES {
            let shared = matrix == own && !matches!(source, Source::Rep(_));
            return Search::Found(AutoGenes { species, matrix, shared, columns });
        }
        most = most.max(columns[0].len());
        seen.push(matrix.to_string());
    }
    Search::Nothing(if seen.is_empty() {
        "the file has no matrix of genes".into()
    } else {
        format!(
            "{most} of the proliferation genes of human or mouse are in {}, at least {LEAST_GENES} are \
             needed",
            seen.join(" and ")
        )
    })
}

impl AutoGenes {
    /// The genes in words: `97 + 193 genes of proliferation and apoptosis (mouse)`.
    pub(crate) fn words(&self) -> String {
        let species = match self.species {
            Species::Human => "human",
            Species::Mouse => "mouse",
        };
        let [births, deaths] = &self.columns;
        let (n, m) = (births.len(), deaths.len());
        let place = if self.shared { String::new() } else { format!(", in {}", self.matrix) };
        format!("{n} + {m} genes of proliferation and apoptosis ({species}{place})")
    }

    /// The growth rate of each selected cell per `unit` from a matrix of its own; `None` if coordinates
    /// come from the same matrix.
    ///
    /// The matrix is normalised by what its values are. More than `most` bytes are read in blocks.
    ///
    /// # Errors
    /// The matrix cannot be read, or only in more than `most` bytes; [`Error::Cancelled`].
    pub(crate) fn own_rates(
        &self,
        file: &H5ad,
        selection: &Selection,
        options: &FitOptions,
        most: f64,
        progress: &mut dyn Progress,
    ) -> Result<Option<Array1<f64>>> {
        if self.shared {
            return Ok(None);
        }
        let (matrix, rows) = (&self.matrix, &selection.rows);
        let bytes = bytes_of(&file.matrix_info(matrix)?, rows.len());
        if most < bytes && file.matrix_blocks(matrix, rows)?.is_none() {
            return Err(Error::Memory { needed: bytes, promised: most });
        }
        let cells = Counted::read(file, matrix, rows, most, progress)?;
        let options = FitOptions { values: ValuesChoice::Auto, ..options.clone() };
        let scaled = log_scale(cells.blocks(), &options, &mut Silent)?;
        let unit: TimeUnit = selection.axis.unit;
        growth_of(cells.blocks(), &scaled.scale, &self.columns, unit, progress).map(Some)
    }
}

/// The value, or `None` with a note that growth is off. A default must not stop a fit.
///
/// # Errors
/// [`Error::Cancelled`].
pub(crate) fn or_off<T>(
    found: Result<Option<T>>,
    progress: &mut dyn Progress,
) -> Result<Option<T>> {
    match found {
        Err(Error::Cancelled) => Err(Error::Cancelled),
        Err(error) => {
            say_off(&format!("its genes cannot be read: {error}"), progress).map(|()| None)
        }
        Ok(found) => Ok(found),
    }
}

/// Notes that growth is off, and why.
///
/// # Errors
/// [`Error::Cancelled`].
pub(crate) fn say_off(why: &str, progress: &mut dyn Progress) -> Result<()> {
    progress::note(progress, format!("growth: off: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::h5ad::{H5adContent, MatrixContent, write_h5ad};

    /// A file with these genes in `X`.
    fn searched(genes: &[String], source: &Source) -> Search {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.h5ad");
        let x = ndarray::Array2::<f32>::ones((3, genes.len()));
        let names = ["a", "b", "c"].map(String::from);
        let content = H5adContent {
            obs_names: &names,
            var_names: genes,
            x: Some(MatrixContent::Single(x.view())),
            ..H5adContent::default()
        };
        write_h5ad(&path, &content).unwrap();
        search(&H5ad::open(&path).unwrap(), source)
    }

    fn some_genes(species: Species, n: usize, m: usize) -> Vec<String> {
        let sets = GeneSets::shipped(species);
        let first =
            |entry: &String| entry.split_whitespace().next().unwrap_or_default().to_string();
        let births = sets.proliferation.iter().map(first);
        let mut genes: Vec<String> = births.clone().take(n).collect();
        let own = |gene: &String| !births.clone().any(|other| other == *gene);
        genes.extend(sets.apoptosis.iter().map(first).filter(own).take(m));
        genes
    }

    #[test]
    fn the_species_is_that_of_the_genes_and_a_few_genes_are_not_enough() {
        for (species, name) in [(Species::Human, "human"), (Species::Mouse, "mouse")] {
            let Search::Found(found) = searched(&some_genes(species, 12, 4), &Source::X) else {
                panic!("{name}")
            };
            assert!(found.shared && found.words().contains(name));
            assert!(found.words().starts_with("12 + 4 genes"), "{}", found.words());
            let alone = searched(&some_genes(species, 10, 0), &Source::X);
            assert!(matches!(alone, Search::Found(_)));
            let Search::Nothing(why) = searched(&some_genes(species, 9, 5), &Source::X) else {
                panic!("{name}")
            };
            assert!(why.starts_with("9 of the proliferation genes"), "{why}");
        }
    }

    #[test]
    fn beside_an_embedding_the_matrix_is_its_own() {
        let rep = Source::Rep("X_pca".into());
        let found = searched(&some_genes(Species::Mouse, 12, 4), &rep);
        let Search::Found(genes) = &found else { panic!("{found:?}") };
        assert!(found.shared().is_none() && genes.words().ends_with("(mouse, in X)"));
    }
}
