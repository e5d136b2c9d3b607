//! Mean expression of genes along the trajectories of sets of cells.

use ndarray::{Array1, Array2, Axis};

use crate::data::GeneIndex;
use crate::error::Result;
use crate::io::chart::{Chart, PageSize, Profiles, TrendWords, draw_trends};
use crate::io::model::OpenModel;
use crate::io::table::{Cells, Table};
use crate::lineage::{Trend, trends as along};
use crate::metrics::{Drawn, Resamples};
use crate::pipeline::shared::course_of_cells::CourseOfCells;
use crate::pipeline::shared::expression::Expressed;
use crate::pipeline::shared::genes_left_out::not_among;
use crate::pipeline::shared::notes::{FEW, say_list, say_no_interval};
use crate::pipeline::trajectory::{chosen, steps};
use crate::pipeline::trends::TrendOptions;
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// Mean expression along trajectories. See [`trends`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct TrendTables {
    /// One row for each set, time and gene: `set`, `time`, `gene`, `mean`, `lo`, `hi` (95 % interval of the mean),
    /// `deviation` (standard deviation between cells), `effective_cells`.
    pub long: Table,
    /// For each set its name and the expression of all genes over time, for charts.
    pub profiles: Vec<(String, Profiles)>,
}

/// Mean expression of genes along the trajectories of sets of cells.
///
/// At each time, the mean over all cells is weighted by their share of the set's ancestors or descendants. Bands
/// come from bootstrap resamples of cells. Memory: the expression of the genes in all cells (4 bytes each).
///
/// ```
/// use sbcell::pipeline::{CellSets, TrajectoryOptions, TrendOptions, example_model, trends};
/// use sbcell::Silent;
///
/// # fn main() -> sbcell::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let model = example_model(folder.path())?; // Sox2 rises in left cells
/// let sets = CellSets::default().with_groupby(Some("cell_type".into()));
/// let trajectory = TrajectoryOptions::default().with_sets(sets).with_only(vec!["left".into()]);
/// let genes = Some(vec!["Sox2".to_string()]);
/// let options = TrendOptions::default().with_trajectory(trajectory).with_genes(genes);
/// let found = trends(&model, &options, &mut Silent)?;
/// let (name, sox2) = &found.profiles[0];
/// assert_eq!(name, "left");
/// assert!(sox2.mean[[0, 0]] < sox2.mean[[2, 0]]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`trajectory`](crate::pipeline::trajectory()); [`crate::Error::NoGenes`] if none of the genes is in the file;
/// those of finding and reading the fitted file.
pub fn trends(
    model: &OpenModel,
    options: &TrendOptions,
    progress: &mut dyn Progress,
) -> Result<TrendTables> {
    let TrendOptions { trajectory, genes, bootstrap } = options;
    let (epsilon, clones) = (trajectory.coupling_epsilon, &trajectory.clones);
    let course = CourseOfCells::restore_with(model, epsilon, clones, trajectory.seed, progress)?;
    let groups = trajectory.sets.read_at(model, &course, trajectory.at, progress)?;
    let sets = chosen(&groups, &course, trajectory)?;
    let all = steps(&course, &groups, &sets, trajectory.direction, progress)?;
    let data = trajectory.sets.data.as_deref();
    let expressed = Expressed::read(model, data, genes.as_deref(), progress)?;
    let total = all.iter().map(Vec::len).sum::<usize>() as u64;
    let begin = Event::Begin { what: "genes along trajectories".into(), total };
    progress::report(progress, begin)?;
    let seed = Seed(trajectory.seed).child("trends", 0);
    let resamples: Vec<Resamples> = (0..course.rows.len())
        .map(|k| {
            let n = course.rows[k].len();
            Resamples::of_cells(n, *bootstrap, seed.child("time", k as u64))
        })
        .collect();
    let (mut rows, mut profiles) = (Vec::new(), Vec::new());
    let (mut few, mut unknown) = (Vec::new(), Vec::new());
    for (set, steps) in sets.iter().zip(&all) {
        let name = groups.names()[set.group].clone();
        let mut of_set: Vec<AtTime> = Vec::new();
        for step in steps {
            let here = expressed.values.select(Axis(0), &course.rows[step.place]);
            let counts = resamples[step.place].counts();
            let trend = along(here.view(), step.shares.column(0), counts)?;
            let time = course.times()[step.place];
            let n_cells = step.spreads[0].effective_cells;
            if n_cells < FEW - ROUNDING {
                few.push(format!("{name} at {time} ({n_cells:.1})"));
            }
            let drawn = Drawn::cells(step.shares.column(0).iter().filter(|s| **s > 0.0).count());
            if *bootstrap > 0 && !drawn.is_enough() {
                unknown.push(format!("{name} at {time} ({})", drawn.words()));
            }
            of_set.push(AtTime { time, trend, n_cells });
        }
        profiles.push((name.clone(), profile(&expressed.genes, &of_set)));
        rows.extend(of_set.into_iter().map(|at| (name.clone(), at)));
        progress::report(progress, Event::Step { done: rows.len() as u64 })?;
    }
    progress::report(progress, Event::End)?;
    say_list(&few, progress)?;
    say_no_interval(&unknown, progress)?;
    Ok(TrendTables { long: trend_table(&expressed.genes, &rows), profiles })
}

impl TrendTables {
    /// Draws `genes` along every trajectory: one panel for each gene, one colour for each set.
    ///
    /// # Errors
    /// [`crate::Error::GeneNotAmong`] for a gene that the trends do not have; [`crate::Error::Parameter`] if there
    /// are more sets than colours.
    pub fn draw(&self, genes: &[String]) -> Result<Chart> {
        let all = self.profiles.first().map_or(&[][..], |(_, of)| &of.genes);
        let index = GeneIndex::new(all);
        let named = |gene: &String| match index.find(gene) {
            Some(found) => Ok(all[found.places[0]].clone()),
            None => Err(not_among(gene, all, "of these trends")),
        };
        let genes = genes.iter().map(named).collect::<Result<Vec<_>>>()?;
        let words = TrendWords { title: None, time_title: "time" };
        draw_trends(&self.profiles, &genes, &words, PageSize::default())
    }
}

/// Rounding error of `exp` of an entropy of n equal shares, which is n.
const ROUNDING: f64 = 1e-6;

/// Expression of all genes at one time of a trajectory.
struct AtTime {
    /// The time.
    time: f64,
    /// Means with their bands.
    trend: Trend,
    /// Effective number of cells, `exp` of the entropy of their shares.
    n_cells: f64,
}

/// The expression of `genes` over time in the form of charts.
fn profile(genes: &[String], steps: &[AtTime]) -> Profiles {
    let mut mean = Array2::zeros((steps.len(), genes.len()));
    let (mut lo, mut hi, mut n_cells) = (mean.clone(), mean.clone(), mean.clone());
    for (k, AtTime { trend, n_cells: n, .. }) in steps.iter().enumerate() {
        mean.row_mut(k).assign(&trend.mean);
        lo.row_mut(k).assign(&trend.lo);
        hi.row_mut(k).assign(&trend.hi);
        n_cells.row_mut(k).fill(*n);
    }
    let times = steps.iter().map(|at| at.time).collect();
    Profiles { genes: genes.to_vec(), times, mean, lo, hi, n_cells }
}

/// The table [`TrendTables::long`].
fn trend_table(genes: &[String], rows: &[(String, AtTime)]) -> Table {
    let n = genes.len();
    let texts = |of: &dyn Fn(usize, usize) -> String| {
        Cells::Texts((0..rows.len() * n).map(|at| of(at / n, at % n)).collect())
    };
    let numbers = |of: &dyn Fn(&Trend) -> &Array1<f64>| {
        Cells::Floats(rows.iter().flat_map(|(_, at)| of(&at.trend).to_vec()).collect())
    };
    let ends = |of: &dyn Fn(&Trend) -> &Array1<f64>| {
        Cells::Floats(rows.iter().flat_map(|(_, at)| of(&at.trend).to_vec()).collect())
    };
    let of_row = |of: &dyn Fn(&AtTime) -> f64| {
        Cells::Floats((0..rows.len() * n).map(|at| of(&rows[at / n].1)).collect())
    };
    Table::default()
        .with("set", texts(&|row, _| rows[row].0.clone()))
        .with("time", of_row(&|at| at.time))
        .with("gene", texts(&|_, gene| genes[gene].clone()))
        .with("mean", numbers(&|trend| &trend.mean))
        .with("lo", ends(&|trend| &trend.lo))
        .with("hi", ends(&|trend| &trend.hi))
        .with("deviation", numbers(&|trend| &trend.deviation))
        .with("effective_cells", of_row(&|at| at.n_cells))
}
