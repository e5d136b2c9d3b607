//! The fit of all conditions: one set of coordinates, one way, one model for each course.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::{Array1, Array2, Axis};
use sha2::{Digest, Sha256};

use crate::bridge::Property;
use crate::data::TimeSeries;
use crate::error::Result;
use crate::io::file::hex;
use crate::io::h5ad::H5ad;
use crate::io::hashed::n_bytes;
use crate::io::lock::FolderLock;
use crate::io::model::{
    Choices, ConditionRecord, ConditionsRecord, FileRecord, Model, PartialConditions, PartialModel,
    check_conditions_output, read_header, recover,
};
use crate::io::run::{RunRecord, to_value};
use crate::pipeline::fit::choose::choose;
use crate::pipeline::fit::conditions::courses::{ConditionCourse, Conditions};
use crate::pipeline::fit::coupling::{self, ChosenCoupling};
use crate::pipeline::fit::growth::Given;
use crate::pipeline::fit::intervals::intervals;
use crate::pipeline::fit::oddities::Taking;
use crate::pipeline::fit::options::Noise;
use crate::pipeline::fit::plan::Plan;
use crate::pipeline::fit::route::Route;
use crate::pipeline::fit::run::{FitSummary, Ready, Running, complete, say, units};
use crate::pipeline::fit::selection::check_extent;
use crate::pipeline::fit::solve::Task;
use crate::pipeline::fit::units::Units;
use crate::pipeline::fit::write::{header, plan_hash};
use crate::pipeline::shared::recorder::{Recorder, Within};
use crate::progress::{self, Event, Progress};
use crate::share::{self, Whole};

/// The result of [`Plan::run_conditions`]. The models are in the folders inside of [`ConditionSummary::out`].
#[derive(Debug)]
pub struct ConditionSummary {
    /// The folder with one model for each condition.
    pub out: PathBuf,
    /// The conditions, in the order of their names.
    pub conditions: Vec<FittedCondition>,
}

/// One fitted condition of a [`ConditionSummary`].
#[derive(Debug)]
pub struct FittedCondition {
    /// Name of the condition.
    pub name: String,
    /// The plan of its cells alone, with which its model can be evaluated.
    pub plan: Plan,
    /// Its model.
    pub summary: FitSummary,
}

/// The data and parameters that all conditions of a fit share.
struct Common<'a> {
    plan: &'a Plan,
    conditions: &'a Conditions,
    ready: Ready,
    units: Units,
    file: FileRecord,
    /// Hash of data, parameters and conditions.
    hash: String,
    /// ε of the couplings of all conditions.
    coupling: ChosenCoupling,
    resume: bool,
}

/// The cells of one condition.
struct Cells {
    plan: Plan,
    points: Array2<f64>,
    growth: Option<Array1<f64>>,
    /// Gene-based rates, which only couplings may use.
    auto: Option<Array1<f64>>,
    series: TimeSeries,
    units: Units,
}

impl Plan {
    /// Fits the course of each of `conditions`, and writes one model for each to a folder inside of `out`.
    ///
    /// The coordinates, their scale, the noise, and the way between snapshots that the data choose, are those
    /// of all conditions together, so that the models differ only by the cells. An interval at the beginning
    /// of several courses has the same bridge in all of them, unless the solver learns networks.
    ///
    /// `out` appears when all models are complete. It is locked until the summary is dropped. With
    /// `running.resume`, intervals that an interrupted run has found are taken over.
    ///
    /// ```
    /// use sbcell::bridge::GaussianSolver;
    /// use sbcell::pipeline::{
    ///     ConditionOptions, Conditions, FitOptions, Plan, Running, SolverChoice, TimeOptions,
    /// };
    ///
    /// # fn main() -> sbcell::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # sbcell::pipeline::example_model(folder.path())?;
    /// let data = folder.path().join("cells.h5ad"); // batches a and b at days 0, 1 and 2
    /// let time = TimeOptions::default().with_column(Some("day".into()));
    /// let solver = SolverChoice::of(GaussianSolver::default());
    /// let options = FitOptions::default().with_time(time).with_n_pcs(2).with_solver(solver);
    /// let plan = Plan::read(&data, &options, &mut sbcell::Silent)?;
    /// let options = ConditionOptions::of("batch");
    /// let conditions = Conditions::read(&plan, &options, &mut sbcell::Silent)?;
    /// let out = folder.path().join("models");
    /// let found = plan.run_conditions(&conditions, &out, Running::default(), &mut sbcell::Silent)?;
    /// assert_eq!(found.conditions[1].name, "b");
    /// assert!(out.join("b").join("model.json").exists());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Plan::run`]; [`crate::Error::Parameter`] if `out` is the model of one course.
    pub fn run_conditions(
        &self,
        conditions: &Conditions,
        out: &Path,
        running: Running,
        progress: &mut dyn Progress,
    ) -> Result<ConditionSummary> {
        share::undivided(progress)?;
        check_conditions_output(out)?;
        let lock = Arc::new(FolderLock::take(out)?);
        let listener = &mut *progress;
        let notes = [&self.notes[..], conditions.notes()].concat();
        let mut progress = Recorder::after(&notes, &mut *listener);
        // The courses of conditions are not divided, and neither are their coordinates.
        let ready = self.ready(running, &mut Whole(&mut progress))?;
        let units = self.common_units(&ready, &mut progress)?;
        let hash = hash_of(
            &plan_hash(&ready.hashed.sha256, &self.options)?,
            &to_value(conditions.options())?,
        );
        let bytes = Some(n_bytes(self.file.files())?);
        let file = FileRecord { bytes, sha256: ready.hashed.sha256.clone() };
        let (plan, resume) = (self, running.resume);
        let times = &self.selection.times;
        let coupling = coupling::choose(&ready.prepared, times, &self.options, &mut progress)?;
        let common = Common { plan, conditions, ready, units, file, hash, coupling, resume };
        let courses = conditions.courses();
        let cells: Vec<Cells> =
            courses.iter().map(|course| common.cells(course)).collect::<Result<_>>()?;
        let all: Vec<&TimeSeries> = cells.iter().map(|cells| &cells.series).collect();
        let route = choose(&all, &common.units, &self.options, &mut progress)?;
        say_joint(&route, conditions, &mut progress)?;
        let notes = progress.into_notes();
        let folder = PartialConditions::start(out, &common.hash, running.resume)?;
        let mut fitted = Vec::with_capacity(courses.len());
        for (number, cells) in cells.into_iter().enumerate() {
            let place = courses[number].name.clone();
            let mut within = Within { inner: &mut *listener, place };
            let target = folder.of(&courses[number].folder);
            let model = common.fit(number, &cells, &route, (&target, &notes), &mut within)?;
            fitted.push((cells.plan, model));
        }
        say(&folder.publish(self.record(conditions))?, listener)?;
        let of = |((plan, model), course): ((Plan, Model), &ConditionCourse)| {
            let Model { header, intervals, .. } = model;
            let (out, lock) = (out.join(&course.folder), Arc::clone(&lock));
            let input = common.ready.hashed.clone();
            let summary = FitSummary { header, intervals, out, input, lock };
            FittedCondition { name: course.name.clone(), plan, summary }
        };
        let conditions = fitted.into_iter().zip(courses).map(of).collect();
        Ok(ConditionSummary { out: out.to_path_buf(), conditions })
    }

    /// The scale and the noise from the cells of all conditions together.
    fn common_units(&self, ready: &Ready, progress: &mut dyn Progress) -> Result<Units> {
        let Self { file, options, selection, .. } = self;
        let taking = Taking { selection, cells: &ready.cells, options };
        let points = ready.prepared.points.view();
        let series = TimeSeries::new(points, &selection.times)?;
        let growth = ready.prepared.growth.as_ref();
        let growth = growth.filter(|_| !matches!(self.growth, Given::Auto(_)));
        let units = units(&series, taking, growth, progress)?;
        check_extent(file.path(), &ready.cells, points, units.scale)?;
        Ok(units)
    }

    /// The content of `conditions.json`.
    fn record(&self, conditions: &Conditions) -> ConditionsRecord {
        let axis = &self.selection.axis;
        let of = |course: &ConditionCourse| ConditionRecord {
            name: course.name.clone(),
            folder: course.folder.clone(),
            values: course.values.clone(),
            times: course.levels.iter().map(|level| level.time).collect(),
            n_cells: course.places.len(),
        };
        ConditionsRecord {
            format: 1,
            sbcell: env!("CARGO_PKG_VERSION").to_string(),
            plan: String::new(),
            key: conditions.options().key.clone(),
            shared: conditions.options().shared.clone(),
            time_column: axis.column.clone(),
            time_unit: axis.unit.to_string(),
            conditions: conditions.courses().iter().map(of).collect(),
        }
    }
}

impl Common<'_> {
    /// The cells of `course` with their coordinates and growth.
    fn cells(&self, course: &ConditionCourse) -> Result<Cells> {
        let Plan { file, options, selection, growth, notes } = self.plan;
        let plan = Plan {
            file: H5ad::open(file.path())?,
            options: course.options(&self.conditions.options().key, selection, options),
            selection: course.selection(selection),
            growth: growth.select(&course.places),
            notes: notes.clone(),
        };
        let prepared = &self.ready.prepared;
        let points = prepared.points.select(Axis(0), &course.places);
        let rates = prepared.growth.as_ref().map(|all| all.select(Axis(0), &course.places));
        let (growth, auto) =
            if let Given::Auto(_) = plan.growth { (None, rates) } else { (rates, None) };
        let series = TimeSeries::new(points.view(), &plan.selection.times)?;
        let noise = Noise::Sigma2(self.units.sigma2);
        let units = Units::of(&series, self.units.scale, noise, selection.axis.unit)?;
        Ok(Cells { plan, points, growth, auto, series, units })
    }

    /// Fits condition number `number` along `route` and writes its model to the first of `target`, with the
    /// notes that are the second. A complete model of an interrupted run is taken over.
    fn fit(
        &self,
        number: usize,
        cells: &Cells,
        route: &Route,
        target: (&Path, &[String]),
        progress: &mut dyn Progress,
    ) -> Result<Model> {
        let ((out, notes), course) = (target, &self.conditions.courses()[number]);
        let hash = hash_of(&self.hash, &serde_json::Value::from(course.name.as_str()));
        recover(out)?;
        if self.resume && read_header(out).is_ok_and(|header| header.plan == hash) {
            let kept = Model::read(out)?;
            progress::report(progress, Event::Aside { text: "found before, taken over".into() })?;
            return Ok(kept);
        }
        let mut progress = Recorder::after(notes, progress);
        let Cells { plan, points, growth, auto, series, units } = cells;
        let Plan { options, selection, .. } = plan;
        let prepared = &self.ready.prepared;
        let header = header(units, selection, prepared, options, hash);
        let (file, coupling_epsilon) = (Some(self.file.clone()), self.coupling.epsilon);
        let header = crate::io::model::Header { file, coupling_epsilon, ..header };
        let partial = PartialModel::start(out, &header.plan, self.resume)?;
        let mut task = Task::new(series, units, options, growth.as_ref(), &selection.times)?;
        task.take(route.clone())?;
        task.couple(plan.coupling_growth(series, units.scale, auto.as_ref(), &mut progress)?);
        let shared = self.conditions.shared_intervals(number, &self.plan.selection);
        let lengths = shared.iter().map(|(length, _)| series.first(*length));
        let trunks: Vec<TimeSeries> = lengths.collect::<Result<_>>()?;
        for (trunk, (_, intervals)) in trunks.iter().zip(shared) {
            let mut trunk = Task::new(trunk, units, options, growth.as_ref(), &selection.times)?;
            trunk.take(route.clone())?;
            task.share(trunk, intervals);
        }
        // A plan divides single fits only.
        let intervals = intervals(&task, &partial, &mut Whole(&mut progress))?;
        let path = self.plan.file.path();
        let hashed = self.ready.hashed.clone();
        let input = hashed.record(path, course.places.len(), self.ready.n_genes);
        let cells = course.places.iter().map(|&place| self.ready.cells[place].clone()).collect();
        let model = Model {
            header,
            cells,
            cell_times: selection.times.clone(),
            points: points.clone(),
            genes: prepared.genes.clone(),
            pca: prepared.recipe.pca.clone(),
            intervals,
        };
        let mut parameters = to_value(options)?;
        // The coordinates are not those of a fit of these cells alone.
        parameters["condition"] = serde_json::json!({
            "name": course.name, "of": self.conditions.options(), "coordinates": "all conditions",
        });
        let mut run = RunRecord::new("fit", input, parameters);
        run.notes = progress.into_notes();
        let (scree, coupling) = (prepared.scree.as_ref(), self.coupling.noise.as_ref());
        complete(&partial, &model, Choices { scree, coupling }, run)?;
        partial.publish()?;
        Ok(model)
    }
}

/// Notes that common intervals have different bridges if the solver treats a course as a whole.
fn say_joint(route: &Route, conditions: &Conditions, progress: &mut dyn Progress) -> Result<()> {
    let several = conditions.courses().iter().any(|course| course.values.len() > 1);
    if !several || !route.solver.has(Property::TakesLong) {
        return Ok(());
    }
    let text = "the solver learns each course as a whole, so that intervals with the same cells have a \
                bridge of their own in every condition; solvers without networks give them the same bridge";
    progress::note(progress, text)
}

/// SHA-256 over the hash `of` and `what`.
fn hash_of(of: &str, what: &serde_json::Value) -> String {
    let mut hash = Sha256::new();
    hash.update(of);
    hash.update(what.to_string());
    hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::SinkhornSolver;
    use crate::data::Column;
    use crate::error::Error;
    use crate::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
    use crate::io::model::{OpenModel, partial_folder, read_conditions};
    use crate::pipeline::{
        AutoSolver, CellSets, ConditionOptions, FateOptions, FitOptions, ParentTable, SolverChoice,
        TimeOptions, fates,
    };
    use crate::progress::Silent;

    /// Writes a culture that is split after its second time: `before` at 0 and 1, then A and B at 2 and 3, with
    /// `sample` for each time and medium.
    fn split_culture(folder: &Path) -> PathBuf {
        let each = 14;
        let parts = [("before", 0), ("before", 1), ("A", 2), ("B", 2), ("A", 3), ("B", 3)];
        let n = each * parts.len();
        let counts = Array2::from_shape_fn((n, 5), |(i, gene)| {
            let (name, time) = parts[i / each];
            let rise = match (gene, name) {
                (0, "A") | (1, "B") => 15 * time,
                (2, _) => 12 * time,
                _ => 0,
            };
            (20 + rise + (7 * i + 5 * gene + i * gene) % 11) as f32
        });
        let names: Vec<String> = (0..n).map(|i| format!("cell{i}")).collect();
        let genes: Vec<String> = (0..5).map(|g| format!("g{g}")).collect();
        let texts =
            |of: &dyn Fn(usize) -> String| Column::Texts((0..n).map(|i| Some(of(i))).collect());
        let medium = texts(&|i| parts[i / each].0.to_string());
        let sample = texts(&|i| format!("{}{}", parts[i / each].0, parts[i / each].1));
        let state = texts(&|i| if i % 2 == 0 { "even" } else { "odd" }.to_string());
        let day = Column::Floats((0..n).map(|i| parts[i / each].1 as f64).collect());
        let path = folder.join("split.h5ad");
        let content = H5adContent {
            obs_names: &names,
            obs: &[("day", &day), ("medium", &medium), ("sample", &sample), ("state", &state)],
            var_names: &genes,
            x: Some(MatrixContent::Single(counts.view())),
            ..H5adContent::default()
        };
        write_h5ad(&path, &content).unwrap();
        path
    }

    fn options(solver: SolverChoice) -> FitOptions {
        let time = TimeOptions::default().with_column(Some("day".into()));
        FitOptions::default().with_time(time).with_n_pcs(2).with_solver(solver)
    }

    /// Fits the conditions of `of` in the file `data`.
    fn fitted(
        data: &Path,
        out: &Path,
        options: &FitOptions,
        of: &ConditionOptions,
    ) -> Vec<OpenModel> {
        let plan = Plan::read(data, options, &mut Silent).unwrap();
        let conditions = Conditions::read(&plan, of, &mut Silent).unwrap();
        let found = plan.run_conditions(&conditions, out, Running::default(), &mut Silent).unwrap();
        found.conditions.iter().map(|of| OpenModel::read(&of.summary.out).unwrap()).collect()
    }

    fn shared() -> ConditionOptions {
        ConditionOptions::of("medium").with_shared(vec!["before".into()])
    }

    #[test]
    fn conditions_have_common_coordinates_and_the_same_bridges_before_the_split() {
        for solver in
            [SolverChoice::of(AutoSolver::default()), SolverChoice::of(SinkhornSolver::default())]
        {
            let folder = tempfile::tempdir().unwrap();
            let (data, out) = (split_culture(folder.path()), folder.path().join("models"));
            let models = fitted(&data, &out, &options(solver), &shared());
            let [a, b] = models.as_slice() else { panic!("two conditions") };
            assert_eq!((a.header.scale, a.header.sigma2), (b.header.scale, b.header.sigma2));
            assert_eq!((a.pca.is_some(), &a.pca), (true, &b.pca));
            assert_eq!(a.cells[..28], b.cells[..28]);
            assert_eq!(
                a.points.slice(ndarray::s![..28, ..]),
                b.points.slice(ndarray::s![..28, ..])
            );
            assert_eq!(a.intervals[0], b.intervals[0]);
            assert_ne!(a.intervals[1].bridge, b.intervals[1].bridge);
            let record = read_conditions(&out).unwrap();
            assert_eq!(record.conditions[1].values, ["B", "before"]);
            assert_eq!(record.conditions[1].times, [0.0, 1.0, 2.0, 3.0]);
            // Every other command reads the model of one condition, and says so of the folder of all.
            let sets = CellSets::default().with_groupby(Some("state".into()));
            let options = FateOptions::default().with_sets(sets).with_bootstrap(0);
            assert_eq!(fates(a, &options, &mut Silent).unwrap().names, ["even", "odd"]);
            assert!(matches!(OpenModel::read(&out), Err(Error::Parameter { name: "model", .. })));
        }
    }

    #[test]
    fn a_tree_of_samples_gives_the_same_courses_as_shared_cells() {
        let folder = tempfile::tempdir().unwrap();
        let data = split_culture(folder.path());
        let parents = [
            ("before1", "before0"),
            ("A2", "before1"),
            ("B2", "before1"),
            ("A3", "A2"),
            ("B3", "B2"),
        ];
        let parents = parents.map(|(child, of)| (child.to_string(), Some(of.to_string()))).into();
        let table = ParentTable { file: "p.csv".into(), sha256: String::new(), parents };
        let options = options(SolverChoice::of(SinkhornSolver::default()));
        let tree = ConditionOptions::of("sample").with_parents(Some(table));
        let by_tree = fitted(&data, &folder.path().join("tree"), &options, &tree);
        let by_value = fitted(&data, &folder.path().join("shared"), &options, &shared());
        assert_eq!(read_conditions(&folder.path().join("tree")).unwrap().conditions[0].name, "A3");
        for (one, other) in by_tree.iter().zip(&by_value) {
            assert_eq!((&one.cells, &one.intervals), (&other.cells, &other.intervals));
        }
    }

    #[test]
    fn an_interrupted_fit_goes_on_and_an_older_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (data, out) = (split_culture(folder.path()), folder.path().join("models"));
        let options = options(SolverChoice::of(SinkhornSolver::default()));
        let first = fitted(&data, &out, &options, &shared());
        // As if the process had died before the second condition was complete.
        let partial = partial_folder(&out);
        std::fs::rename(&out, &partial).unwrap();
        let record = read_conditions(&partial).unwrap();
        std::fs::remove_file(partial.join("conditions.json")).unwrap();
        std::fs::write(partial.join("plan.json"), format!("{:?}", record.plan)).unwrap();
        std::fs::remove_dir_all(partial.join("B")).unwrap();
        let mark = partial.join("A").join("mark.txt");
        std::fs::write(&mark, "kept").unwrap();
        let plan = Plan::read(&data, &options, &mut Silent).unwrap();
        let conditions = Conditions::read(&plan, &shared(), &mut Silent).unwrap();
        let resume = Running { resume: true, ..Running::default() };
        let again = plan.run_conditions(&conditions, &out, resume, &mut Silent).unwrap();
        assert!(out.join("A").join("mark.txt").exists());
        for (fitted, first) in again.conditions.iter().zip(&first) {
            assert_eq!(Model::read(&fitted.summary.out).unwrap(), **first);
        }
        drop(again);
        let other = options.clone().with_seed(4);
        let newer = fitted(&data, &out, &other, &shared());
        assert_eq!(newer[0].header.seed, 4);
        assert!(out.join("A").join("mark.txt").exists() && !partial.exists());
        let refused = plan.run(&out, Running::default(), &mut Silent).unwrap_err();
        assert!(matches!(refused, Error::Parameter { name: "out", .. }), "{refused}");
    }

    #[test]
    fn conditions_of_one_time_are_left_out_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let data = split_culture(folder.path());
        let options = options(SolverChoice::of(SinkhornSolver::default()));
        let plan = Plan::read(&data, &options, &mut Silent).unwrap();
        let of = |options: &ConditionOptions| Conditions::read(&plan, options, &mut Silent);
        // Without shared cells there are three courses of two times each.
        assert_eq!(of(&ConditionOptions::of("medium")).unwrap().courses().len(), 3);
        let error = of(&ConditionOptions::of("sample")).unwrap_err().to_string();
        assert!(error.contains("one time only: `A2` (only 2.0)"), "{error}");
        let error = of(&ConditionOptions::of("mediun")).unwrap_err();
        assert!(matches!(error, Error::UnknownKey { .. }), "{error}");
    }
}
