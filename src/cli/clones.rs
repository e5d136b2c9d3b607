//! `sbcell evaluate --clones`: the fates of a fitted model against lineage barcodes.

use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory};
use sbcell::io::model::OpenModel;
use sbcell::metrics::{Estimate, FateMetric};
use sbcell::pipeline::{
    self, CellSets, CloneCoupling, CloneKeys, ClonePredictor, CloneScore, CloneScoreOptions,
    CloneScores, CloneWeight, CouplingEpsilon,
};
use sbcell::{Error, Result};

use crate::cli::places::{FolderParser, model_in, usual_model, usual_note};
use crate::cli::sets::GroupArgs;
use crate::cli::shared::{Common, aligned, open_model, short, shown};
use crate::cli::terminal::{Lines, Terminal};
use crate::cli::times::{AtArgs, observed, times_of};
use crate::cli::{Cli, Outcome};

/// The flags of `sbcell evaluate` that have an effect with `--clones`, beside those of all commands.
const WITH_CLONES: [&str; 12] = [
    "coupling_epsilon",
    "data",
    "clones",
    "model",
    "clone_key",
    "groupby",
    "cells",
    "at",
    "terminal_time",
    "min_sisters",
    "bootstrap",
    "out",
];

/// `--clone-key`, the barcodes of the cells.
#[derive(Debug, Args)]
#[command(next_help_heading = "Clones")]
pub(crate) struct CloneKeyArgs {
    /// Column of `obs` with the clone of each cell (empty for none), or key of a cells × clones matrix
    /// in `obsm`. Barcodes that were added one after the other: several, from coarse to fine [default:
    /// X_clone of obsm]
    #[arg(long, value_name = "COL,…", value_delimiter = ',')]
    pub(crate) clone_key: Vec<String>,
}

/// `--clone-key` and `--clone-weight`, for commands whose couplings can use clones.
#[derive(Debug, Args)]
#[command(next_help_heading = "Clones")]
pub(crate) struct CloneCouplingArgs {
    #[command(flatten)]
    key: CloneKeyArgs,
    /// Weight of clones in couplings, in units of ε: a pair of cells of different clones counts exp(−W)
    /// of a pair of one clone. `auto` chooses the weight that best predicts where held-out sisters are,
    /// or 0 [default: auto with --clone-key, otherwise 0]
    #[arg(long, value_name = "W")]
    clone_weight: Option<CloneWeight>,
}

impl CloneCouplingArgs {
    /// Whether couplings use clones of the file `data` (`None` for where the fit read it).
    pub(crate) fn coupling(self, data: Option<String>) -> CloneCoupling {
        let Self { key: CloneKeyArgs { clone_key }, clone_weight } = self;
        let by_key = if clone_key.is_empty() { CloneWeight::default() } else { CloneWeight::Auto };
        let keys = CloneKeys::default().with_keys(clone_key).with_data(data);
        CloneCoupling::default().with_keys(keys).with_weight(clone_weight.unwrap_or(by_key))
    }
}

/// Everything about the clones.
#[derive(Debug, Args)]
#[command(next_help_heading = "Clones")]
pub(crate) struct CloneArgs {
    /// Score the fates of a fitted model against clones, in place of held-out times. No solver runs
    #[arg(long)]
    clones: bool,
    /// Folder of the fitted model, or of results, with --clones [default: sbcell-out, or
    /// sbcell-results where it has no model]
    #[arg(short, long, value_parser = FolderParser { of_model: true }, requires = "clones")]
    #[arg(value_name = "DIR")]
    model: Option<PathBuf>,
    #[command(flatten)]
    key: CloneKeyArgs,
    /// Time of the late sisters; its groups are the fates [default: the last time]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true, requires = "clones")]
    terminal_time: Option<String>,
    /// Score only cells with at least N late sisters
    #[arg(long, value_name = "N", default_value_t = 1, requires = "clones")]
    min_sisters: usize,
    #[command(flatten)]
    groups: GroupArgs,
    /// ε of couplings, from the flags of the data and the method.
    #[arg(skip)]
    pub(crate) coupling_epsilon: CouplingEpsilon,
}

impl CloneArgs {
    /// Whether clones are scored.
    pub(crate) fn is_asked(&self) -> bool {
        self.clones
    }

    /// Scores the fates, writes the tables into the folder `out`, and prints a table and a verdict.
    ///
    /// `data` is the folder of the model or the file of the fit.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the model is given twice; as [`pipeline::score_clones`].
    pub(crate) fn run(
        self,
        data: Option<PathBuf>,
        at: &AtArgs,
        n_bootstrap: usize,
        out: &Path,
        common: &Common,
        terminal: &mut Terminal,
    ) -> Result<Outcome> {
        let Self { clones: _, model, key, terminal_time, min_sisters, groups, coupling_epsilon } =
            self;
        let named = model.is_some() || data.as_deref().is_some_and(Path::is_dir);
        if let Some(text) = usual_note().filter(|_| !named) {
            terminal.note(&text);
        }
        let (folder, file) = places(data, model)?;
        let opened = open_model(&folder, terminal)?;
        let known = times_of(&opened);
        let file = file.map(|path| path.to_string_lossy().into_owned());
        let (sets, only): (CellSets, Vec<String>) = groups.sets(file.clone());
        let clones = CloneKeys::default().with_keys(key.clone_key).with_data(file);
        let options = CloneScoreOptions::default()
            .with_clones(clones)
            .with_sets(sets)
            .with_only(only)
            .with_at(at.observed(&known)?)
            .with_terminal_time(observed(&known, "--terminal-time", terminal_time.as_ref())?)
            .with_min_sisters(min_sisters)
            .with_bootstrap(n_bootstrap)
            .with_coupling_epsilon(coupling_epsilon)
            .with_seed(common.seed);
        let format = terminal.table_format(Path::new("clones.csv"))?;
        let _lock = pipeline::check_clone_output(out, common.overwrite)?;
        let found = pipeline::score_clones(&opened, &options, terminal)?;
        pipeline::write_clone_scores(out, &found, &opened, &options, format)?;
        say(&found, &opened, terminal);
        for file in pipeline::clone_score_files(out).iter().filter(|file| file.exists()) {
            terminal.wrote(file);
        }
        terminal.say(&format!("wrote {}", shown(&out.join("clones.csv"))));
        Ok(Outcome::Done)
    }
}

/// The folder of the model and the file of the fit, from the first argument and `--model`.
///
/// # Errors
/// [`Error::Parameter`] if both are folders.
fn places(data: Option<PathBuf>, model: Option<PathBuf>) -> Result<(PathBuf, Option<PathBuf>)> {
    match (data, model) {
        (Some(folder), Some(_)) if folder.is_dir() => {
            let (name, must) = ("--model", "absent if the first argument is the folder of a model");
            Err(Error::Parameter { name, must, got: shown(&folder) })
        }
        (Some(folder), None) if folder.is_dir() => Ok((model_in(&folder).unwrap_or(folder), None)),
        (file, model) => Ok((model.unwrap_or_else(usual_model), file)),
    }
}

/// Refuses flags that have no effect on scores by clones, and without them ε of couplings, which has none on
/// held-out times.
///
/// # Errors
/// [`Error::Parameter`] that names the first one.
pub(crate) fn check_flags(matches: &ArgMatches) -> Result<()> {
    let is_typed = |id: &str| {
        matches.try_contains_id(id).unwrap_or(false)
            && matches.value_source(id) == Some(ValueSource::CommandLine)
    };
    if !matches.get_flag("clones") {
        if !is_typed("coupling_epsilon") {
            return Ok(());
        }
        let (name, must) = (
            "--coupling-epsilon",
            "given with --clones only: held-out times compare populations, which do not depend on the \
             couplings between observed cells; --epsilon sets the noise of populations",
        );
        return Err(Error::Parameter { name, must, got: "no --clones".into() });
    }
    let program = Cli::command();
    let own =
        program.find_subcommand("evaluate").into_iter().flat_map(clap::Command::get_arguments);
    for argument in own {
        let id = argument.get_id().as_str();
        if is_typed(id) && !WITH_CLONES.contains(&id) {
            let (name, must) = (
                "--clones",
                "given without flags of fits and held-out times, which have no effect",
            );
            let flag = argument.get_long().unwrap_or(id);
            return Err(Error::Parameter { name, must, got: format!("`--{flag}`") });
        }
    }
    Ok(())
}

/// Prints the scores of all fates at each time, and the sentences.
fn say(found: &CloneScores, model: &OpenModel, terminal: &Terminal) {
    let mut header = vec!["predictor"];
    header.extend(FateMetric::ALL.map(FateMetric::name));
    let of_all: Vec<&CloneScore> = found.scores.iter().filter(|of| of.fate.is_none()).collect();
    for scores in of_all.chunk_by(|a, b| a.time == b.time) {
        let rows: Vec<Vec<String>> = ClonePredictor::ALL
            .into_iter()
            .map(|predictor| {
                let values = scores.iter().filter(|of| of.predictor == predictor);
                let cells = values.map(|of| with_ends(&of.value));
                std::iter::once(predictor.name()).chain(cells).collect()
            })
            .collect();
        let unit = &model.header.time_unit;
        let label =
            |time: f64| if unit.is_empty() { time.to_string() } else { format!("{time} {unit}") };
        let when = scores[0].time.map_or_else(|| "mean over times".to_string(), label);
        let title = format!(
            "{when} → {}: {} cells of {} clones with late sisters",
            label(found.terminal_time),
            scores[0].n_cells,
            scores[0].n_clones
        );
        terminal.say(&Lines::titled(&title, &aligned(&header, &rows)));
    }
    for line in &found.summary {
        terminal.say(line);
    }
}

/// A score with its interval.
fn with_ends(value: &Estimate) -> String {
    if value.lo < value.hi {
        format!("{} [{}, {}]", short(value.value), short(value.lo), short(value.hi))
    } else {
        short(value.value)
    }
}
