//! The way out of each error: one sentence that says what to do.

use std::path::Path;

use crate::error::{Error, did_you_mean, list, nearest, one_of};

impl Error {
    /// The way out, shown after the message.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { way_out, .. } => way_out.clone(),
            Self::ParameterOfOtherSolver { solvers, .. } => {
                let solvers = solvers.join("|");
                Some(format!("leave it out, or choose the parameter `solver = {solvers}`"))
            }
            Self::NoCells { .. } => {
                Some("`sbcell inspect DATA.h5ad` lists the columns and their values".into())
            }
            Self::TimeMapWithoutColumn { candidates } => Some(if candidates.is_empty() {
                "name it with the parameter `timepoints = COL`".into()
            } else {
                format!("name it with the parameter `timepoints = COL`, such as {}", candidates.join(", "))
            }),
            Self::EmptyTime { .. } => Some(
                "leave the time out with the parameter `obs_filter`, or choose another matrix with the parameter `layer` \
                 or the parameter `use_raw`"
                    .into(),
            ),
            Self::GrowthMissing { naming: Some(naming), .. } => Some(naming.clone()),
            Self::GrowthValue { .. } => Some(
                "the parameter `growth_unit` says what the numbers are: descendants of a cell (`factor/day`, 1 \
                 for no growth) or their logarithm (`rate/day`, 0 for no growth)"
                    .into(),
            ),
            Self::GrowthText { .. } => Some("name a column of numbers".into()),
            Self::GrowthMissing { .. } => Some(
                "every cell before the last time needs a number; leave cells out with \
                 the parameter `obs_filter`"
                    .into(),
            ),
            Self::ReferenceNotTaken { solvers } => Some(format!(
                "set the parameter `solver` to {}, or leave the parameter `reference` as it is",
                one_of(solvers)
            )),
            Self::NoGeneSpace { .. } => Some(
                "fit on a matrix instead (without the parameter `use_rep`), so that coordinates can be \
                 taken back to genes"
                    .into(),
            ),
            Self::TimeLabels { .. } => Some(
                "give their times with the parameter `time_map = FILE`, a table of two columns: label, time"
                    .into(),
            ),
            Self::TooFewTimes { .. } => Some("name another column with the parameter `timepoints = COL`".into()),
            Self::TimeColumnsDisagree { .. } | Self::NoTimeColumn { .. } => {
                Some("name the column with the parameter `timepoints = COL`".into())
            }
            Self::FilterSyntax { .. } => Some(
                "write `COL==VALUE`, `COL!=VALUE`, `COL in A,B` or `COL<=NUMBER`; quote values \
                 with spaces or commas"
                    .into(),
            ),
            Self::Negative { .. } => Some(
                "the matrix looks centred or scaled; choose the layer that holds counts".into(),
            ),
            Self::NoMatrix { layers, .. } if !layers.is_empty() => {
                Some(format!("choose a layer with the parameter `layer`; there are {}", list(layers)))
            }
            Self::NoMatrix { obsm, .. } if !obsm.is_empty() => {
                Some(format!("use coordinates of cells with the parameter `use_rep`; there are {}", list(obsm)))
            }
            _ => {
                let names = self.hint_of_names().or_else(|| self.hint_of_edits());
                names.or_else(|| self.hint_of_values())
            }
        }
    }

    /// The way out when values of a file cannot be computed with.
    fn hint_of_values(&self) -> Option<String> {
        match self {
            Self::NotFinite { .. } => {
                Some("remove such cells or genes, or fill in the values, before this".into())
            }
            Self::EmbeddingNotFinite { .. } => Some(
                "leave such cells out with the parameter `obs_filter`, or fill in the values, before this \
                 (numbers up to 3.4e38 can be computed with)"
                    .into(),
            ),
            Self::Overflows { .. } => Some(
                "leave such cells out with the parameter `obs_filter`; or the values are no logarithms: \
                 the parameter `values` says what they are"
                    .into(),
            ),
            _ => None,
        }
    }

    /// The way out when a name is not there: what may be meant, and what there is.
    fn hint_of_names(&self) -> Option<String> {
        match self {
            Self::NoGenes { near, way_out, .. } => {
                Some(did_you_mean(near).unwrap_or_else(|| (*way_out).into()))
            }
            Self::Parameter { must, got, .. } => suffix_meant(must, got),
            Self::UnknownTime { text, snapshots, .. } => {
                let labels: Vec<String> = snapshots.iter().map(|known| known.0.clone()).collect();
                Some(meant_or(&nearest(text, &labels), known_times(snapshots)))
            }
            Self::FewGenes { way_out, .. } => Some((*way_out).into()),
            Self::GeneNotAmong { near, way_out, .. } => Some(meant_or(near, (*way_out).into())),
            Self::NoFile { near, others, .. } => no_file(near, others),
            Self::FilterValue { near, .. } => did_you_mean(near),
            Self::UnknownKey { available, .. } if available.is_empty() => {
                Some("there are none in this file".into())
            }
            Self::UnknownGroup { groups, .. } if groups.is_empty() => {
                Some("no cell is in any group".into())
            }
            Self::UnknownGroup { name, groups } => {
                Some(meant_or(&nearest(name, groups), format!("there are {}", list(groups))))
            }
            Self::NotObserved { time, times } => Some(meant_or(
                &nearest_times(*time, times),
                "`sbcell interpolate` is for times in between, with the parameter `at`".into(),
            )),
            Self::UnknownKey { name, available, .. } => {
                Some(meant_or(&nearest(name, available), format!("there are {}", list(available))))
            }
            _ => None,
        }
    }

    /// The way out when a file or a model is to be changed, or was, or a gene to be held.
    fn hint_of_edits(&self) -> Option<String> {
        match self {
            Self::NoModel { folder } => Some(fit_first(folder)),
            Self::OutputTaken { .. } => Some("choose another place with the parameter `out`".into()),
            Self::OtherPlan { .. } => {
                Some("give the parameters of that run, or drop the parameter `resume` to start over".into())
            }
            Self::Memory { .. } => Some(
                "give it more with the parameter `memory`, or use fewer genes (the parameter `n_top_genes`), components \
                 (the parameter `n_pcs`) or cells (the parameter `obs_filter`)"
                    .into(),
            ),
            Self::InUse { .. } => {
                Some("wait until it has ended, or choose another folder with the parameter `out`".into())
            }
            Self::InputChanged { path, .. } => Some(format!(
                "fit again, or say that this file is meant with the parameter `data = {}`: cells and genes are then \
                 found by their names",
                path.display()
            )),
            Self::KeysTaken { .. } => Some(
                "write under another name with the parameter `key`, or replace them with the parameter `overwrite`"
                    .into(),
            ),
            Self::OtherCells { .. } => Some(
                "names must be those of the file the model was fitted on, or of a part of it".into(),
            ),
            Self::OutputIsInput { .. } | Self::OutputInModel { .. } => {
                Some("choose another place with the parameter `out`; the parameter `overwrite` does not change this".into())
            }
            Self::FileTaken { .. } => {
                Some("choose another place, or replace the file with the parameter `overwrite`".into())
            }
            Self::FileInUse { .. } => Some(
                "wait until it is done, then run this again; or write a copy with the parameter `out` in place \
                 of the parameter `in_place`"
                    .into(),
            ),
            Self::FileChanged { .. } => Some("nothing was written: run this again".into()),
            Self::SameFile { .. } => Some(
                "to change it use the parameter `in_place` instead of the parameter `out`: it is replaced by a finished copy"
                    .into(),
            ),
            Self::NotHeld { .. } => Some(
                "take genes that are in the components (`genes.parquet` has their loadings), fewer of \
                 them at once, or fit with more components (the parameter `n_pcs`)"
                    .into(),
            ),
            _ => None,
        }
    }
}

/// The suffix that may be meant, where a file must end in one of several and ends in another.
fn suffix_meant(must: &str, got: &str) -> Option<String> {
    let words = must.split(|c: char| c.is_whitespace() || c == ',');
    let known: Vec<String> =
        words.filter_map(|word| word.strip_prefix('.')).map(str::to_string).collect();
    let suffix = Path::new(got).extension()?.to_str()?;
    let meant: Vec<String> =
        nearest(suffix, &known).into_iter().map(|suffix| format!(".{suffix}")).collect();
    did_you_mean(&meant)
}

/// The snapshots, each with its time where its label does not say it.
fn known_times(snapshots: &[(String, f64)]) -> String {
    const SHOWN: usize = 20;
    let shown: Vec<String> = snapshots
        .iter()
        .take(SHOWN)
        .map(|(label, time)| match label.parse::<f64>() {
            Ok(number) if number.total_cmp(time).is_eq() => format!("`{label}`"),
            _ => format!("`{label}` ({time})"),
        })
        .collect();
    let rest = snapshots.len().saturating_sub(SHOWN);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("snapshots are {}{more}", shown.join(", "))
}

/// Where a model was looked for, and how to get one.
fn fit_first(folder: &Path) -> String {
    format!(
        "run `sbcell fit DATA.h5ad` first (with the parameter `timepoints`), or name the folder with \
         the parameter `model` (looked for `{}`)",
        folder.join("model.json").display()
    )
}

/// What may be meant, if anything, then the rest.
fn meant_or(near: &[String], rest: String) -> String {
    did_you_mean(near).map_or(rest.clone(), |meant| format!("{meant} {rest}"))
}

/// The time next to one that was not observed, if it is nearer than a twentieth of the course.
fn nearest_times(time: f64, times: &[f64]) -> Vec<String> {
    let ends =
        times.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), t| (a.min(*t), b.max(*t)));
    let off = |other: &f64| (other - time).abs();
    let next = times.iter().min_by(|a, b| off(a).total_cmp(&off(b)));
    next.filter(|next| off(next) <= 0.05 * (ends.1 - ends.0))
        .map(ToString::to_string)
        .into_iter()
        .collect()
}

/// Files that may be meant, or those there are.
fn no_file(near: &[String], others: &[String]) -> Option<String> {
    did_you_mean(near)
        .or_else(|| (!others.is_empty()).then(|| format!("there are {}", list(others))))
}
