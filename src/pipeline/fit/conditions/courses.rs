//! The courses of an experiment: which of the selected cells belong to which condition.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::time::TimeLevel;
use crate::error::{Error, Result, nearest};
use crate::io::model::TimeOptions;
use crate::lineage::Groups;
use crate::pipeline::fit::conditions::options::{ConditionOptions, ParentTable};
use crate::pipeline::fit::conditions::tree::paths;
use crate::pipeline::fit::options::FitOptions;
use crate::pipeline::fit::plan::Plan;
use crate::pipeline::fit::selection::Selection;
use crate::pipeline::shared::recorder::Recorder;
use crate::progress::{self, Progress};

/// The courses of the conditions of a plan.
///
/// ```
/// use sbcell::pipeline::{ConditionOptions, Conditions, FitOptions, Plan, TimeOptions};
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # sbcell::pipeline::example_model(folder.path())?;
/// let data = folder.path().join("cells.h5ad"); // cell types left and right at days 0, 1 and 2
/// let time = TimeOptions::default().with_column(Some("day".into()));
/// let plan = Plan::read(&data, &FitOptions::default().with_time(time), &mut sbcell::Silent)?;
/// let options = ConditionOptions::of("cell_type");
/// let found = Conditions::read(&plan, &options, &mut sbcell::Silent)?;
/// assert_eq!(found.courses()[0].name, "left");
/// assert_eq!(found.courses()[0].levels.len(), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Conditions {
    options: ConditionOptions,
    courses: Vec<ConditionCourse>,
    /// The notes on the conditions, for the run records of their models.
    notes: Vec<String>,
}

/// The course of one condition. [`Conditions`] has an example.
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionCourse {
    /// Name of the condition: a value of the column.
    pub name: String,
    /// Name of the folder of its model.
    pub folder: String,
    /// Values of the column whose cells are in the course.
    pub values: Vec<String>,
    /// The times with their numbers of cells.
    pub levels: Vec<TimeLevel>,
    /// Indices of its cells in the selection of the plan, increasing.
    pub(super) places: Vec<usize>,
}

impl Conditions {
    /// Reads the column of conditions for the cells of `plan`.
    ///
    /// Conditions with cells at fewer than two times are left out with a note.
    ///
    /// # Errors
    /// Those of [`ConditionOptions::check`]; an unknown column; [`Error::Parameter`] for a shared value or a
    /// sample that no cell has, a tree with a cycle, samples of several times or not later than their parent,
    /// and fewer than two conditions with two times.
    pub fn read(
        plan: &Plan,
        options: &ConditionOptions,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        options.check()?;
        let mut progress = Recorder::new(progress);
        let selection = plan.selection();
        let column = plan.file().obs(&options.key)?;
        let label = |&row: &usize| column.label(row).filter(|label| !Groups::is_none(label));
        let labels: Vec<Option<String>> = selection.rows.iter().map(label).collect();
        let without = labels.iter().filter(|label| label.is_none()).count();
        if without > 0 {
            let text = format!(
                "{without} of {} cells have no `{}`: they take part in the coordinates and in no condition",
                labels.len(),
                options.key
            );
            progress::note(&mut progress, text)?;
        }
        let present: BTreeSet<&String> = labels.iter().flatten().collect();
        let wanted = match &options.parents {
            None => with_shared(&present, options)?,
            Some(table) => of_tree(&present, table, &labels, selection)?,
        };
        let mut courses: Vec<ConditionCourse> = Vec::new();
        let mut short = Vec::new();
        for values in wanted {
            let course = course(&values, &labels, selection);
            if course.levels.len() < 2 {
                let at: Vec<&str> = course.levels.iter().map(|of| of.label.as_str()).collect();
                short.push(format!("`{}` (only {})", course.name, at.join(", ")));
            } else {
                courses.push(course);
            }
        }
        let few = short.join(", ");
        if courses.len() < 2 {
            let (name, must) =
                ("condition_key", "a column with two or more conditions of two times");
            let also = if few.is_empty() { few } else { format!("; one time only: {few}") };
            let got = format!("{} in `{}`{also}", courses.len(), options.key);
            return Err(Error::Parameter { name, must, got });
        }
        if !few.is_empty() {
            let text = format!(
                "conditions with cells at one time only have no course and are left out: {few}; name \
                 them with the parameter `shared` if their cells belong to every condition"
            );
            progress::note(&mut progress, text)?;
        }
        name_folders(&mut courses);
        Ok(Self { options: options.clone(), courses, notes: progress.into_notes() })
    }

    /// The options that they were read with.
    pub fn options(&self) -> &ConditionOptions {
        &self.options
    }

    /// The notes of [`Conditions::read`].
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The courses, in the order of their names.
    pub fn courses(&self) -> &[ConditionCourse] {
        &self.courses
    }

    /// The intervals of course number `own` that it shares with others, by the number of first times that all
    /// of them have in common.
    pub(super) fn shared_intervals(
        &self,
        own: usize,
        selection: &Selection,
    ) -> Vec<(usize, Vec<usize>)> {
        let mut found: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let lengths = self.shared_times(own, selection);
        let all = self.courses[own].levels.len();
        for (k, length) in lengths.into_iter().enumerate().filter(|(_, length)| *length < all) {
            found.entry(length).or_default().push(k);
        }
        found.into_iter().collect()
    }

    /// For each interval of course number `own` the number of first times that it has in common with all
    /// courses that share the interval; the number of all its times for an interval of its own.
    fn shared_times(&self, own: usize, selection: &Selection) -> Vec<usize> {
        let by_time = |course: &ConditionCourse| -> Vec<Vec<usize>> {
            let at = |level: &TimeLevel| {
                let here = |place: &&usize| selection.times[**place].total_cmp(&level.time).is_eq();
                course.places.iter().filter(here).copied().collect()
            };
            course.levels.iter().map(at).collect()
        };
        let mine = by_time(&self.courses[own]);
        let others = self.courses.iter().enumerate().filter(|(other, _)| *other != own);
        let common: Vec<usize> = others
            .map(|(_, course)| {
                mine.iter().zip(&by_time(course)).take_while(|(a, b)| a == b).count()
            })
            .collect();
        (0..mine.len() - 1)
            .map(|k| common.iter().copied().filter(|n| *n >= k + 2).min().unwrap_or(mine.len()))
            .collect()
    }
}

impl ConditionCourse {
    /// The cells of this course in the plan of all of them.
    pub(super) fn selection(&self, all: &Selection) -> Selection {
        let rows = self.places.iter().map(|&place| all.rows[place]).collect();
        let times: Vec<f64> = self.places.iter().map(|&place| all.times[place]).collect();
        let mut axis = all.axis.clone();
        axis.levels.clone_from(&self.levels);
        axis.cell_times = times.iter().copied().map(Some).collect();
        axis.n_missing = 0;
        axis.notes.clear();
        Selection { rows, times, axis }
    }

    /// The options by which a fit of this course alone would select its cells.
    pub(super) fn options(&self, key: &str, all: &Selection, options: &FitOptions) -> FitOptions {
        let values: Vec<String> = self.values.iter().map(|value| quoted(value)).collect();
        let mut filters = options.filters.clone();
        filters.push(format!("{} in {}", quoted(key), values.join(",")));
        let column = Some(all.axis.column.clone());
        let time = TimeOptions { column, ..options.time.clone() };
        FitOptions { time, filters, ..options.clone() }
    }
}

/// A name in quotes, as filters of cells read it.
fn quoted(name: &str) -> String {
    let quote = if name.contains('"') { '\'' } else { '"' };
    format!("{quote}{name}{quote}")
}

/// For each value that is not shared: the value, then the shared ones.
///
/// # Errors
/// [`Error::Parameter`] for a shared value that no cell has.
fn with_shared(
    present: &BTreeSet<&String>,
    options: &ConditionOptions,
) -> Result<Vec<Vec<String>>> {
    for value in &options.shared {
        known(value, present, "shared", "values of the column of conditions")?;
    }
    let own = present.iter().filter(|value| !options.shared.contains(value));
    Ok(own.map(|value| [vec![(*value).clone()], options.shared.clone()].concat()).collect())
}

/// For each leaf of the tree: the leaf, then its ancestors.
///
/// # Errors
/// Those of [`paths`]; [`Error::Parameter`] for samples without cells, without a line, of several times, or
/// not later than their parent.
fn of_tree(
    present: &BTreeSet<&String>,
    table: &ParentTable,
    labels: &[Option<String>],
    selection: &Selection,
) -> Result<Vec<Vec<String>>> {
    let paths = paths(&table.parents)?;
    let samples: BTreeSet<&String> = paths.iter().flatten().collect();
    for sample in &samples {
        known(sample, present, "parents", "a table of values of the column of samples")?;
    }
    let refuse =
        |must: &'static str, got: String| Err(Error::Parameter { name: "parents", must, got });
    let lacking: Vec<&str> =
        present.iter().filter(|value| !samples.contains(*value)).map(|of| of.as_str()).collect();
    if !lacking.is_empty() {
        let got = format!("none for {} in {}", lacking.join(", "), table.file);
        return refuse("a table with a line for every sample", got);
    }
    let mut times: BTreeMap<&String, f64> = BTreeMap::new();
    for (label, &time) in labels.iter().zip(&selection.times) {
        let Some(label) = label else { continue };
        let first = *times.entry(label).or_insert(time);
        if first.total_cmp(&time).is_ne() {
            let got = format!("`{label}` at {first} and {time}");
            return refuse("a table of samples that have one time each", got);
        }
    }
    for pair in paths.iter().flat_map(|path| path.windows(2)) {
        let [parent, child] = [&pair[0], &pair[1]].map(|of| times.get(of).copied().unwrap_or(0.0));
        if parent >= child {
            let got = format!("`{}` at {child}, parent `{}` at {parent}", pair[1], pair[0]);
            return refuse("a table in which samples are later than their parents", got);
        }
    }
    Ok(paths.into_iter().map(|path| path.into_iter().rev().collect()).collect())
}

/// Checks that some cell has the value `value`.
///
/// # Errors
/// [`Error::Parameter`], with a similar value or all of them.
fn known(
    value: &String,
    present: &BTreeSet<&String>,
    name: &'static str,
    must: &'static str,
) -> Result<()> {
    if present.contains(value) {
        return Ok(());
    }
    let all: Vec<String> = present.iter().map(|value| (*value).clone()).collect();
    let near = nearest(value, &all);
    let has = if near.is_empty() { all } else { near };
    let got = format!("`{value}`, which no cell has; the column has {}", has.join(", "));
    Err(Error::Parameter { name, must, got })
}

/// The course of the cells with one of `values`; it has the name of the first.
fn course(values: &[String], labels: &[Option<String>], selection: &Selection) -> ConditionCourse {
    let own = |label: &Option<String>| label.as_ref().is_some_and(|label| values.contains(label));
    let places: Vec<usize> = (0..labels.len()).filter(|&place| own(&labels[place])).collect();
    let count = |time: f64| {
        places.iter().filter(|&&place| selection.times[place].total_cmp(&time).is_eq()).count()
    };
    let levels = selection
        .axis
        .levels
        .iter()
        .map(|level| TimeLevel { n_cells: count(level.time), ..level.clone() })
        .filter(|level| level.n_cells > 0)
        .collect();
    let name = values.first().cloned().unwrap_or_default();
    ConditionCourse { name, folder: String::new(), values: values.to_vec(), levels, places }
}

/// Longest name of a folder, in bytes.
const LONGEST: usize = 80;

/// Gives every course a folder: its name with `_` for characters that are special in paths. Equal names
/// (without regard to case, which some file systems ignore) get numbers.
fn name_folders(courses: &mut [ConditionCourse]) {
    let mut taken = BTreeSet::new();
    for course in courses {
        let safe = |c: char| c.is_ascii_alphanumeric() || "+-_.=".contains(c);
        let kept: String =
            course.name.chars().map(|c| if safe(c) { c } else { '_' }).take(LONGEST).collect();
        // Hidden files, unfinished folders and `conditions.json` have names of their own.
        let kept = kept.trim_matches('.').to_string();
        let special = kept.is_empty() || kept.contains(".json") || kept.ends_with(".partial");
        let base = if special { format!("condition_{}", kept.replace('.', "_")) } else { kept };
        let mut folder = base.clone();
        let mut number = 2;
        while !taken.insert(folder.to_ascii_lowercase()) {
            folder = format!("{base}_{number}");
            number += 1;
        }
        course.folder = folder;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ObsFilter;
    use crate::data::time::resolve;

    fn selection(times: &[f64]) -> Selection {
        let column = crate::data::Column::Floats(times.to_vec());
        let axis = resolve("day", &column).unwrap();
        Selection { rows: (0..times.len()).collect(), times: times.to_vec(), axis }
    }

    fn labels(of: &[&str]) -> Vec<Option<String>> {
        of.iter().map(|of| Some((*of).to_string()).filter(|of| !of.is_empty())).collect()
    }

    fn names(labels: &[Option<String>]) -> BTreeSet<&String> {
        labels.iter().flatten().collect()
    }

    #[test]
    fn shared_cells_belong_to_every_course() {
        let labels = labels(&["before", "A", "B", "", "before"]);
        let options = ConditionOptions::of("medium").with_shared(vec!["before".into()]);
        let found = with_shared(&names(&labels), &options).unwrap();
        assert_eq!(found, [["A", "before"], ["B", "before"]]);
        let course = course(&found[1], &labels, &selection(&[0., 1., 1., 1., 0.]));
        assert_eq!((course.name.as_str(), course.places.as_slice()), ("B", &[0, 2, 4][..]));
        let cells: Vec<usize> = course.levels.iter().map(|level| level.n_cells).collect();
        assert_eq!(cells, [2, 1]);
        let options = options.with_shared(vec!["befor".into()]);
        let error = with_shared(&names(&labels), &options).unwrap_err().to_string();
        assert!(error.contains("`shared`") && error.ends_with("has before"), "{error}");
    }

    #[test]
    fn a_tree_of_samples_is_checked_against_the_cells() {
        let all = labels(&["r", "a", "b", "a2"]);
        let selection = selection(&[0., 1., 1., 2.]);
        let of = |pairs: &[(&str, &str)], labels: &[Option<String>]| {
            let parent = |of: &str| Some(of.to_string()).filter(|of| !of.is_empty());
            let parents = pairs.iter().map(|(s, p)| ((*s).to_string(), parent(p))).collect();
            let table = ParentTable { file: "p.csv".into(), sha256: String::new(), parents };
            of_tree(&names(labels), &table, labels, &selection)
        };
        let tree = [("r", ""), ("a", "r"), ("b", "r"), ("a2", "a")];
        assert_eq!(of(&tree, &all).unwrap(), [vec!["a2", "a", "r"], vec!["b", "r"]]);
        let refused = |pairs: &[(&str, &str)], labels: &[Option<String>]| {
            of(pairs, labels).unwrap_err().to_string()
        };
        assert!(refused(&tree[..3], &all).contains("none for a2 in p.csv"));
        let more = [("r", ""), ("a", "r"), ("b", "r"), ("a2", "a"), ("zz", "a")];
        assert!(refused(&more, &all).contains("`zz`, which no cell has"));
        let late = [("r", ""), ("a", "r"), ("b", "a"), ("a2", "a")];
        assert!(refused(&late, &all).contains("later than their parents"));
        let twice = labels(&["r", "a", "b", "b"]);
        assert!(refused(&tree[..3], &twice).contains("`b` at 1 and 2"));
    }

    #[test]
    fn folders_are_safe_and_different() {
        let course = |name: &str| ConditionCourse {
            name: name.into(),
            folder: String::new(),
            values: Vec::new(),
            levels: Vec::new(),
            places: Vec::new(),
        };
        let names = ["a/b", "A b", "..", "conditions.json", "x.partial", "day 2 µM"];
        let mut courses: Vec<ConditionCourse> = names.iter().map(|name| course(name)).collect();
        name_folders(&mut courses);
        let folders: Vec<&str> = courses.iter().map(|course| course.folder.as_str()).collect();
        let wanted = [
            "a_b",
            "A_b_2",
            "condition_",
            "condition_conditions_json",
            "condition_x_partial",
            "day_2__M",
        ];
        assert_eq!(folders, wanted);
    }

    #[test]
    fn filters_read_the_values_again() {
        let course = ConditionCourse {
            name: "a,\"b".into(),
            folder: String::new(),
            values: vec!["a,\"b".into(), "it's".into()],
            levels: Vec::new(),
            places: Vec::new(),
        };
        let options = course.options("my key", &selection(&[0., 1.]), &FitOptions::default());
        let filter = ObsFilter::parse(&options.filters[0]).unwrap();
        assert_eq!(filter.column(), "my key");
        let cells = ["a,\"b", "it's", "other"].map(|of| Some(of.to_string())).to_vec();
        assert_eq!(filter.keep(&crate::data::Column::Texts(cells)).unwrap(), [true, true, false]);
    }

    #[test]
    fn common_first_times_are_counted_by_interval() {
        // r at 0, a at 1 lead to a1 and a2 at 2 and a1 to 3; b at 1 leads from r.
        let selection = selection(&[0., 0., 1., 2., 2., 3., 1.]);
        let labels = labels(&["r", "r", "a", "a1", "a2", "a1x", "b"]);
        let of = |values: &[&str]| {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            course(&values, &labels, &selection)
        };
        let courses = vec![of(&["a1x", "a1", "a", "r"]), of(&["a2", "a", "r"]), of(&["b", "r"])];
        let all =
            Conditions { options: ConditionOptions::of("sample"), courses, notes: Vec::new() };
        assert_eq!(all.shared_times(0, &selection), [2, 4, 4]);
        assert_eq!(all.shared_times(1, &selection), [2, 3]);
        assert_eq!(all.shared_times(2, &selection), [2]);
    }
}
