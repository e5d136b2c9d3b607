//! Flags of experiments with several conditions, for `fit`.

use std::path::PathBuf;

use clap::Args;
use sbcell::Result;
use sbcell::pipeline::{ConditionOptions, Conditions, ParentTable};

use crate::cli::shared::aligned;
use crate::cli::terminal::Lines;

/// Conditions that are fitted side by side.
#[derive(Debug, Args)]
#[command(next_help_heading = "Conditions")]
pub(crate) struct ConditionArgs {
    /// Column of `obs` with the condition of each cell (treatment, genotype, medium): fit one model for
    /// each condition, all in the same coordinates
    ///
    /// Genes, components, scale and ε come from all cells. The folder of --out then has one folder
    /// for each condition, which other commands read with --model, and `conditions.json`, which
    /// `sbcell compare` reads.
    #[arg(long, value_name = "COL")]
    condition_key: Option<String>,
    /// Values of --condition-key whose cells belong to every condition, such as the culture before it
    /// was split
    #[arg(
        long,
        value_name = "LABEL,…",
        value_delimiter = ',',
        requires = "condition_key",
        conflicts_with = "parents"
    )]
    shared: Vec<String>,
    /// Table with the columns sample and parent, for samples that branch more than once. The samples
    /// are the values of --condition-key, each of one time. Each sample without children is a
    /// condition, whose course has all samples on the way from the first one
    #[arg(long, value_name = "FILE", requires = "condition_key")]
    parents: Option<PathBuf>,
}

impl ConditionArgs {
    /// The options, if there is a column of conditions. Reads the table of parents.
    ///
    /// # Errors
    /// As [`ParentTable::read`].
    pub(crate) fn options(self) -> Result<Option<ConditionOptions>> {
        let Self { condition_key, shared, parents } = self;
        let Some(key) = condition_key else { return Ok(None) };
        let parents = parents.map(|path| ParentTable::read(&path)).transpose()?;
        Ok(Some(ConditionOptions::of(key).with_shared(shared).with_parents(parents)))
    }
}

/// The number of cells of each condition at each of `times`.
pub(crate) fn conditions_table(conditions: &Conditions, times: &[(String, f64)]) -> Lines {
    let header: Vec<&str> = ["condition"]
        .into_iter()
        .chain(times.iter().map(|(label, _)| label.as_str()))
        .chain(["folder"])
        .collect();
    let row = |course: &sbcell::pipeline::ConditionCourse| -> Vec<String> {
        let cells = times.iter().map(|(_, time)| {
            let level = course.levels.iter().find(|level| level.time.total_cmp(time).is_eq());
            level.map_or_else(|| "–".into(), |level| level.n_cells.to_string())
        });
        [course.name.clone()].into_iter().chain(cells).chain([course.folder.clone()]).collect()
    };
    let rows: Vec<Vec<String>> = conditions.courses().iter().map(row).collect();
    let title = format!("conditions from obs['{}'], cells at each time", conditions.options().key);
    Lines::titled(&title, &aligned(&header, &rows))
}
