//! Genes along trajectories, and genes that go with a fate.

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use crate::data::GeneIndex;
use crate::error::{Error, Result};
use crate::io::chart::{Chart, Profiles, draw_trends};
use crate::io::model::OpenModel;
use crate::io::table::{Cells, Table};
use crate::lineage::{Driver, Trend, drivers as correlate, goes_with_depth, trends as along};
use crate::metrics::{Drawn, Resamples};
use crate::pipeline::asked::not_among;
use crate::pipeline::asked_genes::{AskedGenes, missing_words};
use crate::pipeline::fitted::Fitted;
use crate::pipeline::lineage::CourseOfCells;
use crate::pipeline::lineage::fates::{FateOptions, of_course};
use crate::pipeline::lineage::notes::{FEW, say_list, say_no_interval};
use crate::pipeline::lineage::trajectory::{TrajectoryOptions, chosen, steps};
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// What `trends` can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrendOptions {
    /// The trajectories.
    pub trajectory: TrajectoryOptions,
    /// Genes; those of the model, or all of the file if it has none, if `None`.
    pub genes: Option<Vec<String>>,
    /// Resamples behind the bands.
    pub bootstrap: usize,
}

/// Genes along trajectories.
#[derive(Debug, Clone, PartialEq)]
pub struct TrendTables {
    /// `set`, `time`, `gene`, `mean`, `lo`, `hi`, `deviation`, `effective_cells`.
    pub long: Table,
    /// For each set its genes over time, to draw.
    pub profiles: Vec<(String, Profiles)>,
}

/// Genes along the trajectories of `model`.
///
/// # Errors
/// As [`crate::pipeline::trajectory`]; [`Error::NoGenes`] if none of the genes is there.
pub fn trends(
    model: &OpenModel,
    options: &TrendOptions,
    progress: &mut dyn Progress,
) -> Result<TrendTables> {
    let TrendOptions { trajectory, genes, bootstrap } = options;
    let course = CourseOfCells::restore(model, trajectory.seed, progress)?;
    let groups = trajectory.sets.read(model, &course, progress)?;
    let sets = chosen(&groups, &course, trajectory)?;
    let all = steps(&course, &groups, &sets, trajectory.direction)?;
    let data = trajectory.sets.data.as_deref();
    let (names, values) = expression(model, (data, genes.as_deref()), progress)?;
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
        let name = groups.names()[set.0].clone();
        let mut of_set: Vec<AtTime> = Vec::new();
        for step in steps {
            let here = values.select(Axis(0), &course.rows[step.place]);
            let counts = resamples[step.place].counts();
            let trend = along(here.view(), step.shares.column(0), counts)?;
            let time = course.lineage.times()[step.place];
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
        profiles.push((name.clone(), profile(&names, &of_set)));
        rows.extend(of_set.into_iter().map(|at| (name.clone(), at)));
        progress::report(progress, Event::Step { done: rows.len() as u64 })?;
    }
    progress::report(progress, Event::End)?;
    say_list(few, progress)?;
    say_no_interval(&unknown, progress)?;
    Ok(TrendTables { long: trend_table(&names, &rows), profiles })
}

impl TrendTables {
    /// Draws `genes` along every trajectory.
    ///
    /// # Errors
    /// [`Error::GeneNotAmong`] if one of them is not among the genes; [`Error::Parameter`] if there are more
    /// trajectories than colours.
    pub fn draw(&self, genes: &[String]) -> Result<Chart> {
        let all = self.profiles.first().map_or(&[][..], |(_, of)| &of.genes);
        let index = GeneIndex::new(all);
        let named = |gene: &String| match index.find(gene) {
            Some(found) => Ok(all[found.places[0]].clone()),
            None => Err(not_among(gene, all, "of these trends")),
        };
        draw_trends(&self.profiles, &genes.iter().map(named).collect::<Result<Vec<_>>>()?)
    }
}

/// `exp` of an entropy is a whole number but for this.
const ROUNDING: f64 = 1e-6;

/// Genes at one time of a trajectory.
struct AtTime {
    time: f64,
    trend: Trend,
    /// So many cells of even share would be as uncertain.
    n_cells: f64,
}

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

fn trend_table(genes: &[String], rows: &[(String, AtTime)]) -> Table {
    let n = genes.len();
    let texts = |of: &dyn Fn(usize, usize) -> String| {
        Cells::Texts((0..rows.len() * n).map(|at| of(at / n, at % n)).collect())
    };
    let numbers = |of: &dyn Fn(&Trend) -> &ndarray::Array1<f64>| {
        Cells::Floats(rows.iter().flat_map(|(_, at)| of(&at.trend).to_vec()).collect())
    };
    let ends = |of: &dyn Fn(&Trend) -> &ndarray::Array1<f64>| {
        Cells::Gaps(rows.iter().flat_map(|(_, at)| of(&at.trend).to_vec()).collect())
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

/// What `drivers` can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DriverOptions {
    /// The fates.
    pub fates: FateOptions,
    /// Times whose cells are compared; all before the last terminal one if empty.
    pub times: Vec<f64>,
    /// Genes; those of the model, or all of the file if it has none, if `None`.
    pub genes: Option<Vec<String>>,
}

/// A gene and a fate, with their names.
#[derive(Debug, Clone, PartialEq)]
pub struct DriverRow {
    /// The fate.
    pub fate: String,
    /// The gene.
    pub gene: String,
    /// How they go together.
    pub driver: Driver,
}

/// Genes that go with the fates of `model`: by fate, then correlation.
///
/// # Errors
/// As [`crate::pipeline::fates`]; [`Error::NoGenes`] if none of the genes is there.
pub fn drivers(
    model: &OpenModel,
    options: &DriverOptions,
    progress: &mut dyn Progress,
) -> Result<Vec<DriverRow>> {
    let DriverOptions { fates, times, genes } = options;
    let course = CourseOfCells::restore(model, fates.seed, progress)?;
    let groups = fates.sets.read(model, &course, progress)?;
    let found = of_course(model, (&course, &groups), fates, progress)?;
    let last = found.tables.len() - 1;
    let places: Vec<usize> = if times.is_empty() {
        (0..last).collect()
    } else {
        times.iter().map(|&time| course.lineage.place(time)).collect::<Result<_>>()?
    };
    if let Some(&late) = places.iter().find(|&&k| k >= last) {
        let (name, must) = ("times", "before the last terminal time");
        let got = course.lineage.times()[late].to_string();
        return Err(Error::Parameter { name, must, got });
    }
    let data = fates.sets.data.as_deref();
    let (names, values) = expression(model, (data, genes.as_deref()), progress)?;
    let rows: Vec<usize> = places.iter().flat_map(|&k| course.rows[k].clone()).collect();
    let at: Vec<f64> = rows.iter().map(|&row| model.cell_times[row]).collect();
    let values = values.select(Axis(0), &rows);
    let mut all = Vec::new();
    for (f, fate) in found.names.iter().enumerate() {
        let fate_of = |&k: &usize| found.tables[k].probabilities.column(f).to_vec();
        let probability: ndarray::Array1<f64> = places.iter().flat_map(fate_of).collect();
        let depth = goes_with_depth(values.view(), probability.view(), &at)?;
        if f == 0 && depth.abs() > WITH_DEPTH {
            let text = format!(
                "fate {fate} goes with how much was measured of a cell (correlation {depth:.2} with the sum \
                 of all genes): look at `beyond_depth`, or fit on counts that are scaled to one depth"
            );
            progress::note(progress, text)?;
        }
        for driver in correlate(values.view(), probability.view(), &at)? {
            all.push(DriverRow { fate: fate.clone(), gene: names[driver.gene].clone(), driver });
        }
    }
    Ok(all)
}

/// A fate that goes with depth more than this is to be told.
const WITH_DEPTH: f64 = 0.2;

impl DriverRow {
    /// `fate`, `gene`, `correlation`, `lo`, `hi`, `effect`, `beyond_depth`, `pvalue`, `qvalue`, `n_cells`.
    pub fn table(rows: &[Self]) -> Table {
        let numbers = |of: &dyn Fn(&Driver) -> f64| {
            Cells::Floats(rows.iter().map(|row| of(&row.driver)).collect())
        };
        let ends = |of: &dyn Fn(&Driver) -> f64| {
            Cells::Gaps(rows.iter().map(|row| of(&row.driver)).collect())
        };
        Table::default()
            .with("fate", Cells::Texts(rows.iter().map(|row| row.fate.clone()).collect()))
            .with("gene", Cells::Texts(rows.iter().map(|row| row.gene.clone()).collect()))
            .with("correlation", numbers(&|driver| driver.correlation))
            .with("lo", ends(&|driver| driver.lo))
            .with("hi", ends(&|driver| driver.hi))
            .with("effect", numbers(&|driver| driver.effect))
            .with("beyond_depth", numbers(&|driver| driver.beyond_depth))
            .with("pvalue", numbers(&|driver| driver.p_value))
            .with("qvalue", numbers(&|driver| driver.q_value))
            .with(
                "n_cells",
                Cells::Integers(rows.iter().map(|row| row.driver.n_cells as i64).collect()),
            )
    }
}

/// Names and expression of genes, cells as in the model.
fn expression(
    model: &OpenModel,
    (data, wanted): (Option<&str>, Option<&[String]>),
    progress: &mut dyn Progress,
) -> Result<(Vec<String>, Array2<f32>)> {
    let file = Fitted::open(model, data, progress)?;
    let all = file.genes(progress)?;
    let wanted: &[String] = match wanted {
        Some(wanted) => wanted,
        None if model.genes.is_empty() => &all,
        None => &model.genes,
    };
    let AskedGenes { columns, n_found, missing } = AskedGenes::find(wanted, &all, progress)?;
    if !missing.is_empty() {
        let n = n_found + missing.len();
        let (words, n_missing) = (missing_words(&missing, &all), missing.len());
        progress::note(progress, format!("{n_missing} of {n} genes are not in the file: {words}"))?;
    }
    let values = file.expression(&columns, progress)?;
    Ok((columns.iter().map(|&column| all[column].clone()).collect(), values))
}
