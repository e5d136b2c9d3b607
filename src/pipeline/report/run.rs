//! Collects the results of a folder into a report, and writes the page.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::io::file;
use crate::io::model::{Model, OpenModel};
use crate::io::output::{is_stream, run_record};
use crate::io::report::{Colours, Part, Provenance, Report, ShownFile, TimePoint};
use crate::io::run::{RunRecord, json_sha256, read_json};
use crate::pipeline::report::cells;
use crate::pipeline::report::options::ReportOptions;
use crate::pipeline::report::populations::populations;
use crate::pipeline::report::reading::{Asked, Reading};
use crate::pipeline::report::repeat::repeat;
use crate::pipeline::report::results::{self, FateTable};
use crate::pipeline::report::streams::streams;
use crate::pipeline::report::summary;
use crate::pipeline::shared::advice::Advice;
use crate::pipeline::shared::cell_sets::CellSets;
use crate::pipeline::shared::embedding::{CellEmbedding, ColouredGroups};
use crate::pipeline::shared::fitted_file::Fitted;
use crate::pipeline::shared::recorded::write_recorded;
use crate::pipeline::shared::recorder::Recorder;
use crate::progress::{self, Progress, Silent};
use crate::rng::Seed;

/// Name of the table for `MultiQC`.
const MULTIQC: &str = "sbcell_mqc.json";

/// Collects the results that `options` names, for `model`, into a report. Results that are not there are left
/// out, with a sentence that says how to get them.
///
/// Time: that of reading the tables, and of the neighbours of at most 4000 cells.
///
/// ```
/// use sbcell::pipeline::{ReportOptions, example_model, report};
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?;
/// let options = ReportOptions::in_folder(&folder.path().join("model"));
/// let report = report(&model, &options, &mut Silent)?;
/// assert_eq!(report.times.len(), 3);
/// assert!(report.fates.shown().is_none() && report.html().contains("sbcell fates"));
/// # Ok(())
/// # }
/// ```
///
/// A result in the folder that cannot be read is left out too, with a warning.
///
/// # Errors
/// Those of reading the files that `options` names and that are not those of its folder; [`Error::UnknownKey`] for a
/// basis that the file lacks.
pub fn report(
    model: &OpenModel,
    options: &ReportOptions,
    progress: &mut dyn Progress,
) -> Result<Report> {
    let seed = Seed(options.seed);
    let run: Option<RunRecord> = read_json(&model.folder().join("run.json")).ok();
    let (file, missing_file) = cells::file_of(model, options, progress)?;
    let mut notes: Vec<String> = missing_file.into_iter().collect();
    let mut recorder = Recorder::new(progress);
    let map = match &file {
        Some(file) => CellEmbedding::of_file(model, file, options.basis.as_deref(), &mut recorder)?,
        None => CellEmbedding::of_model(model),
    };
    let order = cells::order(&map, seed);
    let mut reading = Reading::new(options, advice(options));
    let asked = Asked { what: "Fates", command: "fates" };
    let fates = reading.part(asked, |of| of.fates.clone(), FateTable::read)?;
    let groups = groups(model, options, file.as_ref(), &mut recorder)?;
    let mut report = parts(model, &mut reading, run.as_ref())?;
    report.fates = fates.map(FateTable::by_time);
    let fates = fates.shown();
    report.colours = colours(&report, groups.as_ref().map(|of| &of.1));
    let by = groups.as_ref().map(|(name, groups)| (name.as_str(), groups));
    report.map = Part::Shown(cells::map(model, &map, &order, by, fates));
    let asked = Asked { what: "Populations in between", command: "interpolate" };
    report.populations = reading.part(
        asked,
        |of| of.populations.clone(),
        |path| populations(path, model, &map, seed, &mut recorder),
    )?;
    report.streams = if order.len() < 3 {
        Part::Missing("There are too few cells for streams.".into())
    } else {
        Part::Shown(streams(model, &map, &order, &mut recorder)?)
    };
    notes.extend(recorder.into_notes());
    report.warnings = foreign(model, options)?;
    report.warnings.append(&mut reading.warnings);
    let run_notes = run.as_ref().map(|run| run.notes.clone()).unwrap_or_default();
    summary::sort_notes(&mut report, model, [notes, run_notes].concat());
    report.provenance = provenance(model, options, run.as_ref())?;
    summary::fill(&mut report, model, &advice(options));
    Ok(report)
}

/// The groups of cells with the name of their column, if there are any. Groups of earlier results that cannot be read
/// again are left out with a note; those that the user asks for are an error.
///
/// # Errors
/// As [`ColouredGroups::read`].
fn groups(
    model: &OpenModel,
    options: &ReportOptions,
    file: Option<&Fitted>,
    progress: &mut dyn Progress,
) -> Result<Option<(String, ColouredGroups)>> {
    let Some((sets, asked)) = sets_of(options) else { return Ok(None) };
    match ColouredGroups::with_colours_of(file, model, &sets, progress) {
        Ok(groups) => Ok(Some((sets.groupby.unwrap_or_else(|| "group".into()), groups))),
        Err(error) if asked || matches!(error, Error::Cancelled) => Err(error),
        Err(error) => {
            let text = format!("The groups of cells could not be read again: {error}.");
            progress::note(progress, text)?;
            Ok(None)
        }
    }
}

/// Warnings of results that were computed from another model.
fn foreign(model: &Model, options: &ReportOptions) -> Result<Vec<String>> {
    let own = json_sha256(&model.header)?;
    let of_other = |path: &&PathBuf| {
        let run: Result<RunRecord> = read_json(&run_record(path));
        run.is_ok_and(|run| run.input.file == "model.json" && run.input.sha256 != own)
    };
    let say = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        format!(
            "`{name}` was computed from another fit than the one of this page: compute it again."
        )
    };
    Ok(options.files().filter(of_other).map(say).collect())
}

/// The parts that come from tables, other than fates and populations.
fn parts(model: &OpenModel, reading: &mut Reading<'_>, run: Option<&RunRecord>) -> Result<Report> {
    let snapshots = model.header.snapshots.iter();
    let times = snapshots.map(|at| TimePoint {
        time: at.time,
        label: at.label.clone(),
        n_cells: at.n_cells,
    });
    let title = run.map_or_else(|| "Report".into(), |run| run.input.file.clone());
    let asked = |what, command| Asked { what, command };
    Ok(Report {
        title,
        unit: model.header.time_unit.clone(),
        times: times.collect(),
        facts: facts(model, run),
        transitions: reading.part(
            asked("Transitions", "transitions"),
            |of| of.transitions.clone(),
            results::transitions,
        )?,
        trends: reading.part(
            asked("Trends of genes", "trends"),
            |of| of.trends.clone(),
            results::trends,
        )?,
        edges: reading.part(
            asked("Regulatory edges", "grn"),
            |of| of.edges.clone(),
            results::edges,
        )?,
        validation: reading.validation(model.folder())?,
        ..Report::default()
    })
}

/// The commands that add to the results of `options`.
fn advice(options: &ReportOptions) -> Advice {
    let sets = sets_of(options).map(|of| of.0).unwrap_or_default();
    Advice::new(&options.model, &options.folder).with_sets(&sets)
}

/// The key numbers at the head of the page.
fn facts(model: &Model, run: Option<&RunRecord>) -> Vec<(String, String)> {
    let fact = |name: &str, value: String| (name.to_string(), value);
    let mut facts = vec![
        fact("Cells", model.cells.len().to_string()),
        fact("Times", model.header.snapshots.len().to_string()),
    ];
    if !model.genes.is_empty() {
        facts.push(fact("Genes of the model", model.genes.len().to_string()));
    }
    facts.push(fact("Coordinates", model.header.dimensions.len().to_string()));
    facts.extend(solver(run).map(|solver| fact("Solver", solver)));
    facts
}

/// Name of the solver of the fit.
fn solver(run: Option<&RunRecord>) -> Option<String> {
    match run?.parameters.get("solver")? {
        Value::String(name) => Some(name.clone()),
        Value::Object(of) => of.keys().next().cloned(),
        _ => None,
    }
}

/// The groups to colour by, and whether the user asked for them: those of the options, otherwise those of the
/// fates, transitions, trends or edges.
fn sets_of(options: &ReportOptions) -> Option<(CellSets, bool)> {
    if options.sets.is_named() {
        return Some((options.sets.clone(), true));
    }
    let of = |path: &PathBuf| -> Option<CellSets> {
        let run: RunRecord = read_json(&run_record(path)).ok()?;
        let sets = ["/sets", "/trajectory/sets"].iter().find_map(|at| run.parameters.pointer(at));
        let mut sets: CellSets = match sets {
            Some(sets) => serde_json::from_value(sets.clone()).ok()?,
            None => CellSets::default().with_groupby(
                run.parameters.get("groupby").and_then(Value::as_str).map(str::to_string),
            ),
        };
        sets.states = None;
        sets.data = options.sets.data.clone().or(sets.data);
        sets.is_named().then_some(sets)
    };
    let paths = [&options.fates, &options.transitions, &options.trends, &options.edges];
    paths.into_iter().flatten().find_map(of).map(|sets| (sets, false))
}

/// Colours of all groups that the page names: those of `groups`, and others for further names of tables.
fn colours(report: &Report, groups: Option<&ColouredGroups>) -> Colours {
    let mut names: Vec<String> = groups.map(|groups| groups.names.clone()).unwrap_or_default();
    let fates = report.fates.shown().map(|fates| fates.names.clone()).unwrap_or_default();
    let flows = report.transitions.shown().into_iter().flatten();
    let flows = flows.flat_map(|row| [row.source.clone(), row.target.clone()]);
    let sets = report.trends.shown().into_iter().flat_map(|trends| &trends.genes);
    let sets = sets.flat_map(|gene| gene.lines.iter().map(|line| line.set.clone()));
    let mut more: Vec<String> = fates.into_iter().chain(flows).chain(sets).collect();
    more.sort();
    more.dedup();
    for name in more {
        // Cells without a group are grey.
        if !names.contains(&name) && name != "(no group)" {
            names.push(name);
        }
    }
    let known = groups.into_iter().flat_map(|of| of.names.iter().zip(&of.colours));
    let known: Vec<_> = known.map(|(name, colour)| (name.clone(), colour.clone())).collect();
    Colours::of(&names, &known)
}

/// Versions, seed, hashes and commands.
fn provenance(
    model: &OpenModel,
    options: &ReportOptions,
    run: Option<&RunRecord>,
) -> Result<Provenance> {
    let header = &model.header;
    let mut facts = vec![
        ("sbcell, this page".to_string(), env!("CARGO_PKG_VERSION").to_string()),
        ("sbcell, the fit".into(), header.sbcell.clone()),
        ("Seed of the fit".into(), header.seed.to_string()),
        ("Values".into(), header.source.clone()),
        ("Column of times".into(), header.time_column.clone()),
        ("Noise σ² per unit of time".into(), format!("{}", header.sigma2)),
        ("Plan of the fit (SHA-256)".into(), header.plan.clone()),
    ];
    facts.extend(solver(run).map(|solver| ("Solver".into(), solver)));
    let named = model.folder().file_name().map(|name| name.to_string_lossy().into_owned());
    let folder = named.unwrap_or_default();
    let mut commands = Vec::new();
    if let Some(run) = run {
        facts.push(("Input".into(), run.input.file.clone()));
        facts.push(("Input (SHA-256)".into(), run.input.sha256.clone()));
        commands.push(repeat(run, &folder));
        let held_out = options.validation.as_ref().map(|place| place.join("validation.run.json"));
        let held_out = held_out.and_then(|path| read_json::<RunRecord>(&path).ok());
        commands.extend(held_out.map(|mut held_out| {
            // Only a fit records where the file lies.
            if held_out.input.path.is_empty() && held_out.input.sha256 == run.input.sha256 {
                held_out.input.path.clone_from(&run.input.path);
            }
            repeat(&held_out, &folder)
        }));
    }
    let mut files = vec![shown_file(&model.folder().join("model.json"))?];
    for path in options.files() {
        if let Ok(run) = read_json::<RunRecord>(&run_record(path)) {
            commands.push(repeat(&run, &folder));
        }
        files.push(shown_file(path)?);
    }
    Ok(Provenance { facts, commands, files })
}

/// The name of a file with its hash.
fn shown_file(path: &Path) -> Result<ShownFile> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(ShownFile { name, sha256: file::sha256(path, &mut Silent)? })
}

/// The path of the table for `MultiQC` beside the page `out`.
pub fn multiqc_beside(out: &Path) -> PathBuf {
    out.with_file_name(MULTIQC)
}

/// Writes the page to `out`, with its run record, and the table for `MultiQC` beside it unless `out` is a
/// stream.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written.
pub fn write_report(
    out: &Path,
    model: &Model,
    report: &Report,
    options: &ReportOptions,
) -> Result<()> {
    write_recorded(out, "report", model, options, |out| report.write(out))?;
    if is_stream(out) {
        return Ok(());
    }
    let beside = multiqc_beside(out);
    write_recorded(&beside, "report", model, options, |out| report.write_multiqc(out))
}
