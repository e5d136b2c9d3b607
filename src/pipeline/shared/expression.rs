//! Expression of some genes in all cells of a model, read from the fitted file.

use ndarray::Array2;

use crate::error::Result;
use crate::io::model::OpenModel;
use crate::pipeline::shared::asked_genes::{AskedGenes, missing_words};
use crate::pipeline::shared::fitted_file::Fitted;
use crate::progress::{self, Progress};

/// Genes with their expression in the cells of a model.
pub(crate) struct Expressed {
    /// Names of the genes, as in the file.
    pub(crate) genes: Vec<String>,
    /// Expression on the scale that was fitted, `(n_cells, n_genes)`, cells in the order of the model.
    pub(crate) values: Array2<f32>,
}

impl Expressed {
    /// Reads the genes `wanted`, or else those of the model, or all genes of the file if the model has none.
    ///
    /// The file is `data`, or the file that was fitted where it is found. Memory: 4 bytes for each cell and
    /// gene that is read.
    ///
    /// # Errors
    /// [`crate::Error::NoGenes`] if none of the genes is in the file; those of [`Fitted::open`] and
    /// [`Fitted::expression`].
    pub(crate) fn read(
        model: &OpenModel,
        data: Option<&str>,
        wanted: Option<&[String]>,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let file = Fitted::open(model, data, progress)?;
        let all = file.genes(progress)?;
        let wanted: &[String] = match wanted {
            Some(wanted) => wanted,
            None if model.genes.is_empty() => &all,
            None => &model.genes,
        };
        let AskedGenes { columns, n_found, missing } = AskedGenes::find(wanted, &all, progress)?;
        if !missing.is_empty() {
            let n = n_found + missing.len();
            let (words, n_missing) = (missing_words(&missing, &all), missing.len());
            let text = format!("{n_missing} of {n} genes are not in the file: {words}");
            progress::note(progress, text)?;
        }
        let values = file.expression(&columns, progress)?;
        let genes = columns.iter().map(|&column| all[column].clone()).collect();
        Ok(Self { genes, values })
    }
}
