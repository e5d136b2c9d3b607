//! The steps of `sbcell run`, one after the other.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use sbcell::io::model::partial_folder;
use sbcell::io::run::{RunRecord, read_json, write_json};
use sbcell::pipeline::{Inspection, inspect, is_fitted_file};
use sbcell::{Error, Result};
use serde::Serialize;

use crate::cli::Outcome;
use crate::cli::fit::duration;
use crate::cli::run::ending::{Failed, notes_in_words, say_errors, states};
use crate::cli::run::groups::{Groups, check_groups, column_of, write_states};
use crate::cli::run::plan::{FEWEST_TIMES, Job, Line, embedding_of, relative};
use crate::cli::run::record::{ResultsRecord, StepRecord, hash};
use crate::cli::run::steps::Step;
use crate::cli::shared::shown;
use crate::cli::terminal::Terminal;
use crate::cli::{parsed_step, run_step};

/// The found states of cells, relative to the folder of the results.
const STATES: &str = "states.csv";

/// The folder of results that do not belong to the present parameters.
const EARLIER: &str = "earlier";

/// The content of `inspect.json`.
#[derive(Serialize)]
struct Described<'a> {
    /// Version of this layout.
    format: u32,
    #[serde(flatten)]
    found: &'a Inspection,
}

/// A run: what is to be done, and what was.
#[derive(Debug)]
pub(super) struct Runner {
    job: Job,
    /// The record of an earlier run in this folder.
    before: Option<ResultsRecord>,
    /// The record that is written after each step.
    record: ResultsRecord,
    /// Whether done steps are done again.
    fresh: bool,
    /// The errors of steps.
    failed: Failed,
    /// The step that runs.
    current: Step,
    /// The state of each step so far.
    states: BTreeMap<Step, &'static str>,
    /// Whether some solver did not converge.
    open: bool,
}

impl Runner {
    /// A run of `job` with a new record, in a folder with the record `before`.
    pub(super) fn new(
        job: Job,
        before: Option<ResultsRecord>,
        mut record: ResultsRecord,
        fresh: bool,
    ) -> Self {
        // Results of steps that are left out now stay recorded.
        record.steps = before.iter().flat_map(|before| before.steps.clone()).collect();
        let (failed, states, current) = (Vec::new(), BTreeMap::new(), Step::Inspect);
        Self { job, before, record, fresh, failed, current, states, open: false }
    }

    /// Runs all steps. Errors of steps are printed at the end, in their order; the outcome has the kind of the first.
    ///
    /// # Errors
    /// Those of reading the file and of checking parameters; [`Error::Cancelled`].
    pub(super) fn run(mut self, terminal: &mut Terminal) -> Result<Outcome> {
        // From now on this is the folder of a run, also after an interruption.
        self.record.write(&self.job.out)?;
        let found = self.inspect(terminal)?;
        check_groups(&self.job, &found)?;
        let embedding = embedding_of(&found, &self.job);
        self.check(embedding.as_deref())?;
        match self.steps(&found, embedding.as_deref(), terminal) {
            Ok(()) => {}
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) => self.failed.push((self.current, error)),
        }
        terminal.record("steps", &states(&self.record, &self.states, &self.failed));
        say_errors(&self.failed, terminal);
        Ok(match self.failed.first() {
            Some((_, error)) => Outcome::Failed(error.kind()),
            None if self.open => Outcome::NotConverged,
            None => Outcome::Done,
        })
    }

    /// Runs the steps after `inspect`.
    ///
    /// # Errors
    /// Those of the fit and of the report, and of writing records.
    fn steps(
        &mut self,
        found: &Inspection,
        embedding: Option<&str>,
        terminal: &mut Terminal,
    ) -> Result<()> {
        self.fit(embedding, terminal)?;
        let n_times = self.job.header()?.snapshots.len();
        if n_times < FEWEST_TIMES {
            let why = format!("no time can be held out of {n_times}");
            self.leave(Step::Evaluate, &why, terminal)?;
        } else {
            self.step(Step::Evaluate, self.job.evaluate(embedding), terminal)?;
        }
        self.step(Step::Interpolate, self.job.interpolate(&self.job.header()?), terminal)?;
        let groups = self.groups(found, terminal)?;
        let no_genes = found.can_run.iter().find(|of| of.command == "grn");
        match no_genes.and_then(|of| of.why_not.clone()) {
            Some(why) => self.leave(Step::Grn, &why, terminal)?,
            None => self.step(Step::Grn, self.job.grn(), terminal)?,
        }
        if found.files.is_empty() {
            self.step(Step::Annotate, self.job.annotate(found), terminal)?;
        } else {
            let why = "the cells are in several files: annotate one file at a time";
            self.leave(Step::Annotate, why, terminal)?;
        }
        self.report(groups.as_ref(), terminal)
    }

    /// Checks the lines of all steps before the first one runs.
    fn check(&self, embedding: Option<&str>) -> Result<()> {
        let job = &self.job;
        let lines = [job.fit(embedding), job.evaluate(embedding), job.grn(), job.report(None)];
        let whole = [Step::Fit, Step::Evaluate, Step::Grn, Step::Report].into_iter().zip(lines);
        let others = [Step::Interpolate, Step::Fates, Step::Transitions, Step::Trends];
        let lines = whole
            .map(|(step, line)| (step, line.arguments))
            .chain(others.map(|step| (step, job.only_given(step))));
        for (step, arguments) in lines {
            parsed_step(step.name(), &arguments)?;
        }
        Ok(())
    }

    /// Describes the file, and writes `inspect.json`.
    fn inspect(&mut self, terminal: &mut Terminal) -> Result<Inspection> {
        let found = inspect(&self.job.data)?;
        if self.is_left_out(Step::Inspect) {
            return Ok(found);
        }
        write_json(&Step::Inspect.path(&self.job.out), &Described { format: 1, found: &found })?;
        let data = self.job.data.display().to_string();
        let record = StepRecord::before(
            Step::Inspect,
            vec!["inspect".into(), data, "--json".into()],
            BTreeMap::new(),
        );
        self.record.set(record.done(&self.job.out)?);
        terminal.wrote(&Step::Inspect.path(&self.job.out));
        let genes = found.n_genes.map_or_else(String::new, |n| format!(" × {n} genes"));
        self.say(Step::Inspect, &format!("{} cells{genes}", found.n_cells), terminal);
        Ok(found)
    }

    /// Fits the model, unless it is there.
    fn fit(&mut self, embedding: Option<&str>, terminal: &mut Terminal) -> Result<()> {
        self.current = Step::Fit;
        let line = self.job.fit(embedding);
        let model = Step::Fit.path(&self.job.out);
        if self.is_left_out(Step::Fit) {
            if !model.join("model.json").is_file() {
                let (name, must) = (
                    "--skip",
                    "without fit where there is no model: leave fit to run, or name the folder of an earlier run \
                     with --out",
                );
                let got = format!("fit, and {} does not exist", shown(&model));
                return Err(Error::Parameter { name, must, got });
            }
            self.say(Step::Fit, "left out, model/ of an earlier run", terminal);
            return Ok(());
        }
        let arguments = relative(&line.arguments, &self.job.out);
        let inputs = self.named_files(&line);
        let mut wanted = StepRecord::before(Step::Fit, arguments, inputs);
        if self.is_known(&wanted) && is_fitted_file(&self.job.data, &model, terminal)? {
            self.open |= self.was_open(Step::Fit);
            self.say(Step::Fit, "model/, as before", terminal);
            return Ok(());
        }
        let begun = Instant::now();
        let mut arguments = line.arguments;
        if partial_folder(&model).exists() && !self.fresh {
            arguments.push("--resume".into());
        }
        let mut ran = quietly(Step::Fit, &arguments, terminal);
        if matches!(ran, Err(Error::OtherPlan { .. })) {
            arguments.pop();
            ran = quietly(Step::Fit, &arguments, terminal);
        }
        if matches!(ran, Err(Error::Cancelled)) {
            terminal.note("the same command goes on where it was interrupted");
        }
        wanted.not_converged = ran? == Outcome::NotConverged;
        self.open |= wanted.not_converged;
        self.keep(wanted.done(&self.job.out)?)?;
        let n_times = self.job.header()?.snapshots.len();
        let text = format!("model/: {} bridges{}", n_times.saturating_sub(1), took(begun));
        self.say(Step::Fit, &text, terminal);
        Ok(())
    }

    /// Runs the steps that follow groups of cells, and returns the groups.
    fn groups(&mut self, found: &Inspection, terminal: &mut Terminal) -> Result<Option<Groups>> {
        let config = &self.job.config;
        let (groups, asked) = if let Some(column) = &config.groupby {
            (Groups::Column(column.clone()), true)
        } else if !config.cells.is_empty() {
            (Groups::Files(config.cells.clone()), true)
        } else if let Some(column) = column_of(found) {
            terminal.say(&format!("groups of cells from obs['{column}'] (--groupby for others)"));
            (Groups::Column(column), false)
        } else {
            (Groups::Found, false)
        };
        let header = self.job.header()?;
        let optional = |step: Step| (step, self.job.of_groups(step, &groups, &header));
        if groups != Groups::Found {
            let mut usable = false;
            for (step, line) in [Step::Fates, Step::Transitions, Step::Trends].map(optional) {
                usable |= self.try_step(step, line, asked, terminal)? || self.is_left_out(step);
            }
            // Groups that no step could use are not drawn either.
            return Ok(usable.then_some(groups));
        }
        let (step, line) = optional(Step::Fates);
        let left_out = self.is_left_out(step);
        let there = self.try_step(step, line, false, terminal)?;
        let states = self.job.out.join(STATES);
        let n_states = if there && !left_out {
            write_states(&Step::Fates.path(&self.job.out), &states)?
        } else {
            0
        };
        if n_states < 2 {
            let why = "there are no groups of cells: give --groupby COLUMN or --cells FILE";
            self.leave(Step::Transitions, why, terminal)?;
            self.leave(Step::Trends, why, terminal)?;
            return Ok(None);
        }
        let groups = Groups::Files(vec![states]);
        for step in [Step::Transitions, Step::Trends] {
            let line = self.job.of_groups(step, &groups, &header);
            self.try_step(step, line, false, terminal)?;
        }
        Ok(Some(groups))
    }

    /// Writes the page. It is cheap, and anything of the folder may have changed.
    fn report(&mut self, groups: Option<&Groups>, terminal: &mut Terminal) -> Result<()> {
        self.current = Step::Report;
        let line = self.job.report(groups);
        if self.is_left_out(Step::Report) {
            self.say(Step::Report, "left out", terminal);
        } else {
            let record = self.before(Step::Report, &line)?;
            self.say(Step::Report, Step::Report.output(), terminal);
            terminal.hold();
            let ran = run_step(Step::Report.name(), &line.arguments, terminal);
            self.record.notes = terminal.held();
            for note in notes_in_words(&self.record.notes) {
                terminal.say(&note);
            }
            ran?;
            self.keep(record.done(&self.job.out)?)?;
        }
        let copy = Step::Annotate.path(&self.job.out).exists();
        let what = if copy { "model, tables and a copy of the file" } else { "model and tables" };
        terminal.say(&format!("wrote {}: {what}", shown(&self.job.out)));
        Ok(())
    }

    /// Runs a step. An error other than an interruption is kept for the end.
    fn step(&mut self, step: Step, line: Line, terminal: &mut Terminal) -> Result<()> {
        self.try_step(step, line, true, terminal).map(|_| ())
    }

    /// Runs a step unless it is left out or done. Returns whether its results are there. If it `must` succeed, an
    /// error is kept for the end; otherwise it is a reason why the step was not done.
    fn try_step(
        &mut self,
        step: Step,
        line: Line,
        must: bool,
        terminal: &mut Terminal,
    ) -> Result<bool> {
        self.current = step;
        let mut record = self.before(step, &line)?;
        let known = self.is_known(&record);
        if self.is_left_out(step) {
            let aside = !known && self.set_aside(step)?;
            let text = match (known, aside) {
                (true, _) => "left out, results of an earlier run",
                (false, true) => {
                    "left out; earlier results are of other parameters: moved to earlier/"
                }
                (false, false) => "left out",
            };
            self.say(step, text, terminal);
            return Ok(known);
        }
        if known {
            self.open |= self.was_open(step);
            self.say(step, &format!("{}, as before", step.shown()), terminal);
            return Ok(true);
        }
        let begun = Instant::now();
        let of_states = line.arguments.iter().any(|argument| argument == "--terminal=auto");
        match quietly(step, &line.arguments, terminal) {
            Ok(outcome) => {
                record.not_converged = outcome == Outcome::NotConverged;
                self.open |= record.not_converged;
                self.keep(record.done(&self.job.out)?)?;
                self.say(step, &format!("{}{}", step.shown(), took(begun)), terminal);
                Ok(true)
            }
            Err(Error::Cancelled) => {
                terminal.note("the same command goes on where it was interrupted");
                Err(Error::Cancelled)
            }
            // The data are too small for the step.
            Err(Error::Parameter { name: "number of cells", must, got }) => {
                let why = format!("the number of cells must be {must}, and it is {got}");
                self.leave(step, &why, terminal)?;
                Ok(false)
            }
            Err(error) if must => {
                self.set_aside(step)?;
                self.keep(StepRecord::not_done(step, &error.to_string()))?;
                self.say(step, "failed, see below", terminal);
                self.failed.push((step, error));
                Ok(false)
            }
            Err(error) => {
                let why = match error {
                    Error::Parameter { .. } if of_states => {
                        "there are no groups of cells, and the late cells form one group \
                        without a gap: give --groupby COLUMN or --cells FILE"
                            .into()
                    }
                    other => other.to_string(),
                };
                self.leave(step, &why, terminal)?;
                Ok(false)
            }
        }
    }

    /// Records and says that a step is not possible.
    fn leave(&mut self, step: Step, why: &str, terminal: &Terminal) -> Result<()> {
        self.set_aside(step)?;
        self.say(step, &format!("not done: {why}"), terminal);
        self.keep(StepRecord::not_done(step, why))
    }

    /// The record of a step before it is done: with the hashes of what it reads.
    fn before(&self, step: Step, line: &Line) -> Result<StepRecord> {
        let model = Step::Fit.path(&self.job.out);
        let fitted: RunRecord = read_json(&model.join("run.json"))?;
        let mut inputs = BTreeMap::from([
            ("data".to_string(), fitted.input.sha256),
            ("model".to_string(), hash(&model.join("model.json"))),
        ]);
        for path in &line.reads {
            let name = relative(&[format!("--={}", path.display())], &self.job.out);
            let name = name.first().map(|name| name.trim_start_matches("--=").to_string());
            inputs.insert(name.unwrap_or_default(), hash(path));
        }
        inputs.extend(self.named_files(line));
        Ok(StepRecord::before(step, relative(&line.arguments, &self.job.out), inputs))
    }

    /// The hashes of the files of the user that the arguments of a step name.
    fn named_files(&self, line: &Line) -> BTreeMap<String, String> {
        let values = line.arguments.iter().filter_map(|argument| argument.split_once('='));
        let files = values
            .map(|(_, value)| Path::new(value))
            .filter(|path| path.is_file() && !path.starts_with(&self.job.out));
        files.map(|path| (path.display().to_string(), hash(path))).collect()
    }

    /// Whether an earlier run has done this, and nothing has changed.
    fn is_known(&self, wanted: &StepRecord) -> bool {
        !self.fresh && self.before.as_ref().is_some_and(|old| old.has(wanted, &self.job.out))
    }

    /// Whether a solver did not converge in a step of an earlier run.
    fn was_open(&self, step: Step) -> bool {
        let old = self.before.as_ref().and_then(|old| old.of(step));
        old.is_some_and(|old| old.not_converged)
    }

    /// Moves the results of a step in an earlier run, which do not belong to this one, to `earlier/`. Returns whether
    /// there were any.
    fn set_aside(&self, step: Step) -> Result<bool> {
        let earlier = self.job.out.join(EARLIER);
        let mut names = vec![step.output().to_string()];
        names.extend(
            step.files().into_iter().filter(|name| !name.contains('/')).map(str::to_string),
        );
        names.dedup();
        let mut moved = false;
        for name in names {
            for name in [name.clone(), format!("{name}.run.json")] {
                let (from, to) = (self.job.out.join(&name), earlier.join(&name));
                if !from.exists() {
                    continue;
                }
                let io = |source| Error::Io { action: "move", path: from.clone(), source };
                fs::create_dir_all(&earlier).map_err(io)?;
                if to.is_dir() {
                    fs::remove_dir_all(&to).map_err(io)?;
                }
                fs::rename(&from, &to).map_err(io)?;
                moved = true;
            }
        }
        Ok(moved)
    }

    /// Writes the record with a step that is done.
    fn keep(&mut self, record: StepRecord) -> Result<()> {
        self.record.set(record);
        self.record.write(&self.job.out)
    }

    /// Whether the user left the step out.
    fn is_left_out(&self, step: Step) -> bool {
        self.job.config.skip.iter().any(|name| name == step.name())
    }

    /// Prints the line of a step, and keeps its state.
    fn say(&mut self, step: Step, text: &str, terminal: &Terminal) {
        let states = ["left out", "not done", "failed"];
        let state = states.into_iter().find(|state| text.starts_with(state));
        self.states.insert(step, state.unwrap_or("done"));
        let place = Step::ALL.iter().position(|other| *other == step).unwrap_or_default() + 1;
        let n_steps = Step::ALL.len();
        terminal.say(&format!("[{place}/{n_steps}] {:<11} {text}", step.name()));
    }
}

/// Runs a step. What its command prints appears with `--verbose` only; progress bars name the step.
fn quietly(step: Step, arguments: &[String], terminal: &mut Terminal) -> Result<Outcome> {
    terminal.enter(step.name());
    let ran = run_step(step.name(), arguments, terminal);
    terminal.leave();
    ran
}

/// The time since `begun`, if it is a second or more.
fn took(begun: Instant) -> String {
    let seconds = begun.elapsed().as_secs_f64();
    if seconds < 1.0 { String::new() } else { format!(", {}", duration(seconds)) }
}
