//! The way out of each error: one sentence that says what to do.

use std::path::Path;

use crate::error::{Error, list};

impl Error {
    /// The way out, shown after the message.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { way_out, .. } => way_out.clone(),
            Self::NoModel { folder } => Some(fit_first(folder)),
            Self::OutputTaken { .. } => Some("choose another place with `--out`".into()),
            Self::OtherPlan { .. } => {
                Some("give the parameters of that run, or drop `--resume` to start over".into())
            }
            Self::FlagOfOtherSolver { solvers, .. } => {
                Some(format!("leave it out, or choose `--solver {}`", solvers.join("|")))
            }
            Self::NoCells { .. } => {
                Some("`sbcell inspect DATA.h5ad` lists the columns and their values".into())
            }
            Self::TimeMapWithoutColumn { candidates } => Some(if candidates.is_empty() {
                "name it with `--timepoints COL`".into()
            } else {
                format!("name it with `--timepoints COL`, such as {}", candidates.join(", "))
            }),
            Self::NoGenes { way_out, .. } => Some((*way_out).into()),
            Self::GrowthMissing { .. } => Some(
                "every cell before the last time needs a number; leave cells out with \
                 `--obs-filter`"
                    .into(),
            ),
            Self::ReferenceNotTaken => Some(
                "choose `--solver lightsb`, `gaussian` or `sinkhorn`, or leave `--reference` as \
                 it is"
                    .into(),
            ),
            Self::NoGeneSpace { .. } => Some(
                "fit on a matrix instead (without `--use-rep`), so that coordinates can be \
                 taken back to genes"
                    .into(),
            ),
            Self::TimeLabels { .. } => Some(
                "give their times with `--time-map FILE`, a table of two columns: label, time"
                    .into(),
            ),
            Self::TooFewTimes { .. } => Some("name another column with `--timepoints COL`".into()),
            Self::TimeColumnsDisagree { .. } | Self::NoTimeColumn { .. } => {
                Some("name the column with `--timepoints COL`".into())
            }
            Self::FilterSyntax { .. } => Some(
                "write `COL==VALUE`, `COL!=VALUE`, `COL in A,B` or `COL<=NUMBER`; quote values \
                 with spaces or commas"
                    .into(),
            ),
            Self::Negative { .. } => Some(
                "the matrix looks centred or scaled; choose the layer that holds counts".into(),
            ),
            Self::UnknownKey { available, .. } if available.is_empty() => {
                Some("there are none in this file".into())
            }
            Self::UnknownGroup { groups, .. } => Some(format!("there are {}", list(groups))),
            Self::NotObserved { .. } => {
                Some("`sbcell interpolate --at` is for times in between".into())
            }
            Self::UnknownKey { available, .. } => Some(format!("there are {}", list(available))),
            Self::NoMatrix { layers, .. } if !layers.is_empty() => {
                Some(format!("choose a layer with `--layer`; there are {}", list(layers)))
            }
            Self::NoMatrix { obsm, .. } if !obsm.is_empty() => {
                Some(format!("use coordinates of cells with `--use-rep`; there are {}", list(obsm)))
            }
            Self::NotFinite { .. } => {
                Some("remove such cells or genes, or fill in the values, before this".into())
            }
            _ => self.hint_of_edits(),
        }
    }

    /// The way out when a file is to be changed, or a gene to be held.
    fn hint_of_edits(&self) -> Option<String> {
        match self {
            Self::Memory { .. } => Some(
                "give it more with `--memory`, or use fewer genes (`--n-top-genes`), components \
                 (`--n-pcs`) or cells (`--obs-filter`)"
                    .into(),
            ),
            Self::KeysTaken { .. } => Some(
                "write under another name with `--key-added`, or replace them with `--overwrite`"
                    .into(),
            ),
            Self::OtherCells { .. } => Some(
                "names must be those of the file the model was fitted on, or of a part of it".into(),
            ),
            Self::SameFile { .. } => Some(
                "to change it use `--in-place` instead of `--out`: it is replaced by a finished copy"
                    .into(),
            ),
            Self::NotHeld { .. } => Some(
                "take genes that are in the components (`genes.parquet` has their loadings), fewer of \
                 them at once, or fit with more components (`sbcell fit --n-pcs`)"
                    .into(),
            ),
            _ => None,
        }
    }
}

/// Where a model was looked for, and how to get one.
fn fit_first(folder: &Path) -> String {
    format!(
        "run `sbcell fit DATA.h5ad --timepoints` first, or name the folder with `--model` (looked \
         for `{}`)",
        folder.join("model.json").display()
    )
}
