//! The hint for each error: one sentence that tells the user how to solve the problem.

use std::path::Path;

use crate::error::{Error, did_you_mean, list, nearest, one_of};

impl Error {
    /// One sentence that tells the user how to solve the problem; `None` if the message suffices.
    ///
    /// The hint names parameters as `` the parameter `n_pcs` ``.
    ///
    /// ```
    /// use sbcell::data::ObsFilter;
    ///
    /// let error = ObsFilter::parse("batch=d1").unwrap_err();
    /// assert!(error.hint().unwrap().contains("COL==VALUE"));
    /// ```
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { way_out, .. } => way_out.clone(),
            Self::ParameterOfOtherSolver { solvers, .. } => {
                let solvers = solvers.join("|");
                Some(format!("omit it, or choose the parameter `solver = {solvers}`"))
            }
            Self::NoCells { .. } => {
                Some("`sbcell inspect DATA.h5ad` lists the columns and their values".into())
            }
            Self::TimeMapWithoutColumn { candidates } => Some(if candidates.is_empty() {
                "name this column with the parameter `timepoints = COL`".into()
            } else {
                format!("name this column with the parameter `timepoints = COL`, such as {}", candidates.join(", "))
            }),
            Self::EmptyTime { .. } => Some(
                "leave the time out with the parameter `obs_filter`, or choose another matrix with the parameter `layer` \
                 or the parameter `use_raw`"
                    .into(),
            ),
            Self::GrowthMissing { naming: Some(naming), .. } => Some(naming.clone()),
            Self::GrowthValue { .. } => Some(
                "set the parameter `growth_unit` to the unit of the numbers: descendants of a cell (`factor/day`, \
                 1 for no growth) or their logarithm (`rate/day`, 0 for no growth)"
                    .into(),
            ),
            Self::GrowthText { .. } => Some("name a column of numbers".into()),
            Self::GrowthMissing { .. } => Some(
                "every cell before the last time needs a number; give it, or leave cells out with \
                 the parameter `obs_filter`"
                    .into(),
            ),
            Self::ReferenceNotTaken { solvers } => Some(format!(
                "set the parameter `solver` to {}, or omit the parameter `reference`",
                one_of(solvers)
            )),
            Self::NoGeneSpace { .. } => Some(
                "fit a matrix of expression instead (without the parameter `use_rep`); its principal components \
                 can be converted back to genes"
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
                "the matrix seems to be centred or scaled; choose the layer of counts".into(),
            ),
            Self::NoMatrix { layers, .. } if !layers.is_empty() => {
                Some(format!("choose a layer with the parameter `layer`; the file has {}", list(layers)))
            }
            Self::NoMatrix { obsm, .. } if !obsm.is_empty() => {
                Some(format!("use an embedding with the parameter `use_rep`; the file has {}", list(obsm)))
            }
            _ => {
                let names = self.hint_of_names().or_else(|| self.hint_of_edits());
                names.or_else(|| self.hint_of_values())
            }
        }
    }

    /// The hint if a file has values that are not finite or too large.
    fn hint_of_values(&self) -> Option<String> {
        match self {
            Self::NotFinite { .. } => {
                Some("remove such cells or genes from the file, or fill in the values".into())
            }
            Self::EmbeddingNotFinite { .. } => Some(
                "leave such cells out with the parameter `obs_filter`, or fill in the values in the file \
                 (numbers up to 3.4e38 are valid)"
                    .into(),
            ),
            Self::Overflows { .. } => Some(
                "leave such cells out with the parameter `obs_filter`; if the values are not logarithms, set \
                 the parameter `values` to their kind"
                    .into(),
            ),
            _ => None,
        }
    }

    /// The hint for a name that does not exist: similar names, or the existing ones.
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
                Some("the file has none".into())
            }
            Self::UnknownGroup { groups, .. } if groups.is_empty() => {
                Some("no cell belongs to a group".into())
            }
            Self::UnknownGroup { name, groups } => {
                Some(meant_or(&nearest(name, groups), format!("the groups are {}", list(groups))))
            }
            Self::NotObserved { time, times } => Some(meant_or(
                &nearest_times(*time, times),
                "for times between snapshots use `sbcell interpolate` with the parameter `at`"
                    .into(),
            )),
            Self::UnknownKey { name, available, .. } => Some(meant_or(
                &nearest(name, available),
                format!("the file has {}", list(available)),
            )),
            _ => None,
        }
    }

    /// The hint for errors of outputs, models and memory, and of genes held at a level.
    fn hint_of_edits(&self) -> Option<String> {
        match self {
            Self::NoModel { folder } => Some(fit_first(folder)),
            Self::OutputTaken { .. } => Some("choose another output with the parameter `out`".into()),
            Self::OtherPlan { .. } => Some(
                "give the data and parameters of that run, or omit the parameter `resume` to start again".into(),
            ),
            Self::Memory { .. } => Some(
                "allow more with the parameter `memory`, or use fewer genes (the parameter `n_top_genes`), components \
                 (the parameter `n_pcs`) or cells (the parameter `obs_filter`)"
                    .into(),
            ),
            Self::UnitMemory(_) => Some(
                "ask Slurm for more memory, or do the unit on a larger machine; the plan has the memory of \
                 each unit as `memory_bytes`"
                    .into(),
            ),
            Self::InUse { .. } => {
                Some("wait until that run ends, or choose another folder with the parameter `out`".into())
            }
            Self::InputChanged { path, .. } => Some(format!(
                "fit again, or use this file nevertheless with the parameter `data = {}`, which finds cells and \
                 genes by their names",
                path.display()
            )),
            Self::KeysTaken { .. } => Some(
                "write under another name with the parameter `key`, or replace them with the parameter `overwrite`"
                    .into(),
            ),
            Self::OtherCells { .. } => Some(
                "give a file with the cell names of the file that the model was fitted on, or a part of it".into(),
            ),
            Self::OutputIsInput { .. } | Self::OutputInModel { .. } => Some(
                "choose another output with the parameter `out`; the parameter `overwrite` does not permit this".into(),
            ),
            Self::FileTaken { .. } => {
                Some("choose another output, or replace the file with the parameter `overwrite`".into())
            }
            Self::FileInUse { .. } => Some(
                "wait until that process ends and run this command again, or write a copy with the parameter `out` \
                 instead of the parameter `in_place`"
                    .into(),
            ),
            Self::FileChanged { .. } => Some("nothing was written; run this command again".into()),
            Self::SameFile { .. } => Some(
                "to change this file use the parameter `in_place` instead of the parameter `out`; a finished copy \
                 then replaces it"
                    .into(),
            ),
            Self::NotHeld { .. } => Some(
                "choose genes with loadings on the components (see `genes.parquet`), fewer genes at once, or \
                 fit with more components (the parameter `n_pcs`)"
                    .into(),
            ),
            _ => None,
        }
    }
}

/// A question with the suffix that is similar to that of `got`, among the suffixes in `must`.
fn suffix_meant(must: &str, got: &str) -> Option<String> {
    let words = must.split(|c: char| c.is_whitespace() || c == ',');
    let known: Vec<String> =
        words.filter_map(|word| word.strip_prefix('.')).map(str::to_string).collect();
    let suffix = Path::new(got).extension()?.to_str()?;
    let meant: Vec<String> =
        nearest(suffix, &known).into_iter().map(|suffix| format!(".{suffix}")).collect();
    did_you_mean(&meant)
}

/// At most twenty snapshots, each with its time in brackets unless the label is that number.
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
    format!("the snapshots are {}{more}", shown.join(", "))
}

/// How to get a model, and the path of the missing file.
fn fit_first(folder: &Path) -> String {
    format!(
        "run `sbcell run DATA.h5ad` or `sbcell fit DATA.h5ad` first, or name the folder of a model or of results \
         with the parameter `model` (`{}` does not exist)",
        folder.join("model.json").display()
    )
}

/// A question with the similar names, if there are any, then `rest`.
fn meant_or(near: &[String], rest: String) -> String {
    did_you_mean(near).map_or(rest.clone(), |meant| format!("{meant} {rest}"))
}

/// The observed time nearest to `time`, if their distance is at most a twentieth of the course.
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

/// A question with the similar files, or the list of the others.
fn no_file(near: &[String], others: &[String]) -> Option<String> {
    did_you_mean(near)
        .or_else(|| (!others.is_empty()).then(|| format!("the folder has {}", list(others))))
}
