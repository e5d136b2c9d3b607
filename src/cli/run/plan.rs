//! The command lines of the steps of `sbcell run`.

use std::path::{Path, PathBuf};

use sbcell::Result;
use sbcell::io::model::{Header, read_header};
use sbcell::pipeline::Inspection;

use crate::cli::run::config::Config;
use crate::cli::run::groups::Groups;
use crate::cli::run::steps::Step;

/// The parts of an interval at which populations are computed.
const PARTS: [f64; 3] = [0.25, 0.5, 0.75];

/// Number of resamples of edges.
const FEW_RESAMPLES: usize = 3;

/// Smallest number of times at which one can be held out.
pub(super) const FEWEST_TIMES: usize = 3;

/// The command line of a step, and the files that it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The arguments after `sbcell`.
    pub(super) arguments: Vec<String>,
    /// Files of the results or of the user that the step reads, other than the data and the model.
    pub(super) reads: Vec<PathBuf>,
}

/// Everything that decides the lines.
#[derive(Debug)]
pub(super) struct Job {
    /// The file with the cells.
    pub(super) data: PathBuf,
    /// The folder of the results.
    pub(super) out: PathBuf,
    /// The parameters.
    pub(super) config: Config,
    /// The seed of all steps.
    pub(super) seed: u64,
    /// Whether existing files may be replaced.
    pub(super) overwrite: bool,
}

impl Job {
    /// The path of a step's output, as text.
    fn output(&self, step: Step) -> String {
        step.path(&self.out).display().to_string()
    }

    /// A line with what all lines have: command, `first` arguments, those of the user, seed.
    fn line(&self, step: Step, first: Vec<String>) -> Line {
        let mut arguments = vec![step.name().to_string()];
        arguments.extend(first);
        arguments.extend(self.config.of(step).iter().cloned());
        if self.seed != 0 {
            arguments.push(format!("--seed={}", self.seed));
        }
        if self.overwrite {
            arguments.push("--overwrite".into());
        }
        Line { arguments, reads: Vec::new() }
    }

    /// The arguments of a step that the user gave, without those of the run.
    pub(super) fn only_given(&self, step: Step) -> Vec<String> {
        self.line(step, Vec::new()).arguments
    }

    /// Whether the user gave a flag of a step.
    fn gives(&self, step: Step, flag: &str) -> bool {
        let flag = format!("--{flag}");
        let is = |argument: &String| *argument == flag || argument.starts_with(&format!("{flag}="));
        self.config.of(step).iter().any(is)
    }

    /// `fit`: the model. Where the file has no matrix but an embedding, that of `embedding`.
    pub(super) fn fit(&self, embedding: Option<&str>) -> Line {
        let mut first = vec![self.data.display().to_string()];
        first.extend(embedding.map(|key| format!("--use-rep={key}")));
        first.extend([format!("--out={}", self.output(Step::Fit)), "--no-validation".into()]);
        self.line(Step::Fit, first)
    }

    /// `evaluate`, with the flags of the fit that it knows too.
    pub(super) fn evaluate(&self, embedding: Option<&str>) -> Line {
        let mut first = vec![self.data.display().to_string()];
        first.extend(embedding.map(|key| format!("--use-rep={key}")));
        first.push(format!("--out={}", self.output(Step::Evaluate)));
        first.extend(self.config.shared(Step::Fit, Step::Evaluate));
        self.line(Step::Evaluate, first)
    }

    /// A command that reads the model and writes one file.
    fn of_model(&self, step: Step, more: Vec<String>) -> Line {
        let model = format!("--model={}", self.output(Step::Fit));
        let mut first = vec![model, format!("--out={}", self.output(step))];
        first.extend(more);
        self.line(step, first)
    }

    /// `interpolate`: three populations in every interval, unless the user gave times.
    pub(super) fn interpolate(&self, header: &Header) -> Line {
        let own = self.gives(Step::Interpolate, "at");
        let at = (!own).then(|| format!("--at={}", between(header).join(",")));
        self.of_model(Step::Interpolate, at.into_iter().collect())
    }

    /// `fates`, `transitions` or `trends` of groups.
    pub(super) fn of_groups(&self, step: Step, groups: &Groups, header: &Header) -> Line {
        let mut more = groups.arguments();
        if step == Step::Fates && *groups == Groups::Found {
            more.push("--terminal=auto".into());
        }
        if let (Step::Trends, false, Some(last)) =
            (step, self.gives(step, "at"), header.snapshots.last())
        {
            more.push(format!("--at={}", last.time));
        }
        let mut line = self.of_model(step, more);
        if let Groups::Files(paths) = groups {
            line.reads.clone_from(paths);
        }
        line
    }

    /// `grn`, with fewer resamples than the command alone and without permuted times, which take most of its time
    /// and on which the confidence of an edge does not depend.
    pub(super) fn grn(&self) -> Line {
        let defaults = [("bootstrap", FEW_RESAMPLES), ("permutations", 0)];
        let open = defaults.into_iter().filter(|(flag, _)| !self.gives(Step::Grn, flag));
        self.of_model(Step::Grn, open.map(|(flag, n)| format!("--{flag}={n}")).collect())
    }

    /// `annotate`: a copy of the file with the results.
    pub(super) fn annotate(&self, found: &Inspection) -> Line {
        let mut first = vec![self.data.display().to_string()];
        first.push(format!("--model={}", self.output(Step::Fit)));
        first.push(format!("--out={}", self.output(Step::Annotate)));
        let fates = Step::Fates.path(&self.out);
        let mut reads = Vec::new();
        if fates.is_file() {
            first.push(format!("--fates={}", fates.display()));
            reads.push(fates);
        }
        let basis = self.config.basis.clone().unwrap_or_else(|| "X_umap".into());
        let has =
            found.embeddings.iter().find(|one| one.key == basis || one.key == format!("X_{basis}"));
        if let (Some(one), false) = (has, self.gives(Step::Annotate, "project")) {
            first.push(format!("--project={}", one.key));
        }
        Line { reads, ..self.line(Step::Annotate, first) }
    }

    /// `report`: the page of everything in the folder.
    pub(super) fn report(&self, groups: Option<&Groups>) -> Line {
        let mut first = vec![self.out.display().to_string()];
        first.push(format!("--out={}", self.output(Step::Report)));
        first.extend(groups.into_iter().flat_map(Groups::arguments));
        first.extend(self.config.basis.iter().map(|key| format!("--basis={key}")));
        let mut reads = Vec::new();
        for step in Step::ALL.into_iter().filter(|step| *step != Step::Report) {
            reads.extend(step.files().into_iter().map(|file| self.out.join(file)));
        }
        reads.retain(|path| path.is_file());
        Line { reads, ..self.line(Step::Report, first) }
    }

    /// The header of the model.
    ///
    /// # Errors
    /// [`sbcell::Error::NoModel`] if the folder has no model.
    pub(super) fn header(&self) -> Result<Header> {
        read_header(&Step::Fit.path(&self.out))
    }
}

/// Times between the snapshots, in [`PARTS`] of each interval.
fn between(header: &Header) -> Vec<String> {
    let times: Vec<f64> = header.snapshots.iter().map(|at| at.time).collect();
    let pairs = times.windows(2);
    let inside = pairs.flat_map(|ends| PARTS.map(|part| ends[0] + part * (ends[1] - ends[0])));
    inside.map(|time| time.to_string()).collect()
}

/// The key of the embedding to fit where the file has no matrix: `X_pca`, or the first one.
pub(super) fn embedding_of(found: &Inspection, job: &Job) -> Option<String> {
    let readable = found.matrices.iter().any(|matrix| matrix.problem.is_none());
    if readable || job.gives(Step::Fit, "use-rep") {
        return None;
    }
    let mut keys = found.embeddings.iter().map(|one| one.key.clone());
    let first = keys.clone().next();
    keys.find(|key| key == "X_pca").or(first)
}

/// The line as it can be given in the folder `out`: paths in this folder are relative to it.
pub(super) fn relative(arguments: &[String], out: &Path) -> Vec<String> {
    let folder = format!("{}/", out.display());
    let whole = out.display().to_string();
    let of = |argument: &String| {
        if *argument == whole {
            return ".".to_string();
        }
        match argument.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => {
                format!("{flag}={}", value.strip_prefix(&folder).unwrap_or(value))
            }
            _ => argument.clone(),
        }
    };
    arguments.iter().map(of).collect()
}
