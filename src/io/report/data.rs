//! The content of a report as plain data, from which the page is made.

use crate::io::edges::EdgeRow;

/// A part of a report: shown, or the one sentence that says why it is not and how to get it.
#[derive(Debug, Clone, PartialEq)]
pub enum Part<T> {
    /// The part is shown.
    Shown(T),
    /// The part is missing, for the reason in this sentence.
    Missing(String),
}

impl<T> Part<T> {
    /// The part, if it is shown.
    pub fn shown(&self) -> Option<&T> {
        match self {
            Self::Shown(part) => Some(part),
            Self::Missing(_) => None,
        }
    }

    /// The part made of a shown part by `make`, or the same sentence.
    pub fn map<U>(&self, make: impl FnOnce(&T) -> U) -> Part<U> {
        match self {
            Self::Shown(part) => Part::Shown(make(part)),
            Self::Missing(why) => Part::Missing(why.clone()),
        }
    }
}

/// All that a report shows.
///
/// ```
/// use sbcell::io::report::{Report, TimePoint};
///
/// let times = vec![TimePoint { time: 0.0, label: "d0".into(), n_cells: 120 }];
/// let report = Report { title: "embryo.h5ad".into(), times, ..Report::default() };
/// assert!(report.html().starts_with("<!doctype html>"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Name of the file with the cells.
    pub title: String,
    /// Unit of the times; empty if it is unknown.
    pub unit: String,
    /// One sentence each on the findings, on how far to trust them, and on the next step.
    pub summary: [String; 3],
    /// Key numbers, each with its name.
    pub facts: Vec<(String, String)>,
    /// Findings that a reader must know before using the results.
    pub warnings: Vec<String>,
    /// Notes of the runs.
    pub notes: Vec<String>,
    /// Notes on the choices of the solver, for experts.
    pub details: Vec<String>,
    /// The times, increasing.
    pub times: Vec<TimePoint>,
    /// The cells on an embedding.
    pub map: Part<CellMap>,
    /// Populations at and between the times.
    pub populations: Part<Populations>,
    /// The mean direction of cells on the embedding.
    pub streams: Part<Streams>,
    /// Mass between groups of neighbouring times.
    pub transitions: Part<Vec<FlowRow>>,
    /// Fate probabilities.
    pub fates: Part<Fates>,
    /// Mean expression along trajectories.
    pub trends: Part<Trends>,
    /// Regulatory edges.
    pub edges: Part<ShownEdges>,
    /// Scores of held-out times.
    pub validation: Part<Vec<HeldOutScore>>,
    /// Colours of groups, in all figures.
    pub colours: Colours,
    /// Versions, seed, hashes and commands.
    pub provenance: Provenance,
}

/// Heading of the warnings on the page.
pub(super) const KNOW_FIRST: &str = "Know this first";

/// Where the page has the warnings, as its own third sentence says.
pub(crate) fn place_of_warnings() -> String {
    format!("\"{KNOW_FIRST}\" below")
}

/// An empty report, whose parts are all missing.
impl Default for Report {
    fn default() -> Self {
        Self {
            title: String::new(),
            unit: String::new(),
            summary: [String::new(), String::new(), String::new()],
            facts: Vec::new(),
            warnings: Vec::new(),
            notes: Vec::new(),
            details: Vec::new(),
            times: Vec::new(),
            map: Part::Missing(String::new()),
            populations: Part::Missing(String::new()),
            streams: Part::Missing(String::new()),
            transitions: Part::Missing(String::new()),
            fates: Part::Missing(String::new()),
            trends: Part::Missing(String::new()),
            edges: Part::Missing(String::new()),
            validation: Part::Missing(String::new()),
            colours: Colours::default(),
            provenance: Provenance::default(),
        }
    }
}

impl Report {
    /// Replaces the words of the report by `say`, as the command line does to name flags in place of
    /// parameters: texts that speak of parameters, and the parameters of the commands, which become part of
    /// a command if `say` gives them as flags in backticks.
    pub fn reword(&mut self, say: &dyn Fn(&str) -> String) {
        self.reword_notes(say);
        for text in &mut self.summary {
            *text = say(text);
        }
        self.reword_missing(say);
        for repeat in &mut self.provenance.commands {
            let mut left = Vec::new();
            for parameter in std::mem::take(&mut repeat.also) {
                let said = say(&parameter);
                match said.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
                    Some(flag) if flag.starts_with('-') => {
                        repeat.command.push(' ');
                        repeat.command.push_str(flag);
                    }
                    _ => left.push(said),
                }
            }
            repeat.also = left;
        }
    }

    /// The three sentences for a reader who has not opened the page. `page` is its name, where the warnings are.
    ///
    /// ```
    /// use sbcell::io::report::Report;
    ///
    /// let next = "Read the warnings first (\"Know this first\" below), then go on.".to_string();
    /// let report = Report { summary: [String::new(), String::new(), next], ..Report::default() };
    /// assert_eq!(report.summary_outside("a.html")[2], "Read the warnings first (in a.html), then go on.");
    /// ```
    pub fn summary_outside(&self, page: &str) -> [String; 3] {
        let (here, there) = (place_of_warnings(), format!("in {page}"));
        self.summary.each_ref().map(|text| text.replace(&here, &there))
    }

    /// Replaces the words of warnings, notes and details only, as [`Report::reword`].
    pub fn reword_notes(&mut self, say: &dyn Fn(&str) -> String) {
        let lists = [&mut self.warnings, &mut self.notes, &mut self.details];
        for text in lists.into_iter().flatten() {
            *text = say(text);
        }
    }

    /// Rewords the sentences in the place of parts that are missing.
    fn reword_missing(&mut self, say: &dyn Fn(&str) -> String) {
        fn of<T>(part: &mut Part<T>, say: &dyn Fn(&str) -> String) {
            if let Part::Missing(why) = part {
                *why = say(why);
            }
        }
        of(&mut self.map, say);
        of(&mut self.populations, say);
        of(&mut self.streams, say);
        of(&mut self.transitions, say);
        of(&mut self.fates, say);
        of(&mut self.trends, say);
        of(&mut self.edges, say);
        of(&mut self.validation, say);
    }
}

/// A time at which cells were measured.
#[derive(Debug, Clone, PartialEq)]
pub struct TimePoint {
    /// The time, in the unit of the report.
    pub time: f64,
    /// Its label in the file.
    pub label: String,
    /// Number of cells.
    pub n_cells: usize,
}

/// Cells as points of an embedding, in the order in which they are drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct CellMap {
    /// Name of the embedding, such as `UMAP`.
    pub name: String,
    /// Names of its two axes.
    pub axes: [String; 2],
    /// The cells that are shown, `n_shown` pairs.
    pub points: Vec<[f64; 2]>,
    /// Number of cells of the course.
    pub n_cells: usize,
    /// Number of these cells without a place on the embedding, which are not shown.
    pub n_without: usize,
    /// Ways to colour the cells; the first is shown without scripts.
    pub colourings: Vec<Colouring>,
}

/// A way to colour cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Colouring {
    /// Name of the choice, such as `Time`.
    pub name: String,
    /// The title of the legend.
    pub legend: String,
    /// The values.
    pub values: Values,
}

/// The values by which cells are coloured.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// A category for each cell, or none.
    Categories {
        /// Names of the categories.
        names: Vec<String>,
        /// Their colours, such as `#0072b2`.
        colours: Vec<String>,
        /// The category of each cell.
        codes: Vec<Option<usize>>,
    },
    /// A number for each cell; NaN if it has none.
    Numbers {
        /// The numbers.
        values: Vec<f64>,
        /// The number with the first colour.
        from: f64,
        /// The number with the last colour.
        to: f64,
    },
}

/// Populations at several times, in the same plane as the cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Populations {
    /// Name of the plane, such as `UMAP`, or `PC1 and PC2`.
    pub name: String,
    /// Names of the two axes.
    pub axes: [String; 2],
    /// Whether predicted cells have the mean place of the measured cells that are nearest to them, as on a
    /// UMAP; otherwise they are where their own coordinates are.
    pub by_neighbours: bool,
    /// The populations in the order of time.
    pub frames: Vec<Frame>,
}

/// The population of one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The time.
    pub time: f64,
    /// Whether the cells were measured; they are drawn from the model if not.
    pub measured: bool,
    /// Number of cells of the population.
    pub n_cells: usize,
    /// The cells that are shown.
    pub points: Vec<[f64; 2]>,
}

/// The mean direction in which cells move, on a grid over an embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct Streams {
    /// Name of the embedding.
    pub name: String,
    /// Names of its two axes.
    pub axes: [String; 2],
    /// Cells behind the arrows.
    pub points: Vec<[f64; 2]>,
    /// Number of cells from which the directions were computed.
    pub n_cells: usize,
    /// The arrows.
    pub arrows: Vec<Arrow>,
}

/// An arrow on an embedding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrow {
    /// Where it begins.
    pub at: [f64; 2],
    /// Where it ends.
    pub to: [f64; 2],
    /// Mean time of the cells around it, from 0 (first time) to 1 (last).
    pub time: f64,
}

/// The mass from a group to a group of the next time.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowRow {
    /// The earlier time.
    pub from: f64,
    /// The later time.
    pub to: f64,
    /// Group at the earlier time.
    pub source: String,
    /// Group at the later time.
    pub target: String,
    /// Mass; the cells of the earlier time have mass one together.
    pub mass: f64,
    /// Share of the target among the descendants of the source, with its interval.
    pub share: Interval95,
}

/// A number with its 95 % interval, whose ends are NaN if there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval95 {
    /// The number.
    pub value: f64,
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

/// Fate probabilities of the cells of several times.
#[derive(Debug, Clone, PartialEq)]
pub struct Fates {
    /// Names of the fates.
    pub names: Vec<String>,
    /// The times, increasing.
    pub at: Vec<FateAt>,
}

/// Fate probabilities of the cells of one time.
#[derive(Debug, Clone, PartialEq)]
pub struct FateAt {
    /// The time.
    pub time: f64,
    /// Mean of how undecided these cells are, from 0 (certain) to 1 (nothing more is known than the shares
    /// of the fates); NaN if unknown.
    pub undecided: f64,
    /// For each fate the probabilities of all cells that have them.
    pub probabilities: Vec<Vec<f64>>,
}

/// Mean expression of some genes along trajectories.
#[derive(Debug, Clone, PartialEq)]
pub struct Trends {
    /// The genes that are shown.
    pub genes: Vec<GeneTrend>,
    /// Number of genes of the table.
    pub n_genes: usize,
    /// How the shown genes were selected, in words.
    pub selected: String,
}

/// Mean expression of one gene along trajectories.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneTrend {
    /// Name of the gene.
    pub gene: String,
    /// One line for each trajectory.
    pub lines: Vec<TrendLine>,
}

/// Mean expression along the trajectory of one set of cells.
#[derive(Debug, Clone, PartialEq)]
pub struct TrendLine {
    /// Name of the set.
    pub set: String,
    /// The times, increasing.
    pub times: Vec<f64>,
    /// Mean expression with its interval, for each time.
    pub means: Vec<Interval95>,
}

/// The first edges of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownEdges {
    /// The edges, most important first.
    pub rows: Vec<EdgeRow>,
    /// Number of edges in the list.
    pub n_edges: usize,
}

/// The scores of a method at one held-out time: energy distances to the cells that were held out.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOutScore {
    /// The time.
    pub time: f64,
    /// Name of the method.
    pub method: String,
    /// Number of cells that were held out.
    pub n_cells: usize,
    /// The prediction.
    pub prediction: Interval95,
    /// The guess that was fixed beforehand: the two neighbouring times pooled.
    pub pooled: Interval95,
    /// The best of all simple guesses in hindsight, and its name in words.
    pub best: (String, Interval95),
    /// Distance between two halves of the held-out cells; NaN if unknown.
    pub floor: f64,
    /// Variance of the predicted cells over that of the held-out cells: 1 is right.
    pub ratio: Interval95,
    /// Whether the predicted population is too narrow beyond the interval of `ratio`.
    pub too_narrow: bool,
    /// The verdict in words.
    pub verdict: String,
    /// Whether the prediction is better (1), not distinguishable (0) or worse (−1) than the guess.
    pub sign: i8,
}

/// Colours of groups by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Colours {
    /// Each group with its colour, such as `#0072b2`.
    pub of_groups: Vec<(String, String)>,
}

/// How the results were made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Provenance {
    /// Names and values: versions, seed, hashes.
    pub facts: Vec<(String, String)>,
    /// The commands that repeat the run, in order.
    pub commands: Vec<Repeat>,
    /// The files that are shown.
    pub files: Vec<ShownFile>,
}

/// A command that repeats a part of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    /// The command line.
    pub command: String,
    /// Parameters that differ from their defaults and that the command line does not give, each as
    /// "the parameter `name = value`".
    pub also: Vec<String>,
}

/// A file that a report shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownFile {
    /// Name of the file.
    pub name: String,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}
