//! Edges from pairs of cells: for all of them, for each group, or for each interval.

use ndarray::{Array1, Array2, Axis, Zip};
use std::collections::BTreeSet;

use crate::bridge::UnitTime;
use crate::error::{Error, Result};
use crate::grn::{
    Binning, CourseCells, EdgeMatrix, EdgeSearch, Estimator, Expression, FEW_GENES, Lag, Step,
    correlations, direction_agreement, is_degenerate, p_values, q_values, stability,
};
use crate::io::chart::Profiles;
use crate::io::edges::EdgeRow;
use crate::io::model::{Model, OpenModel};
use crate::lineage::Groups;
use crate::metrics::Drawn;
use crate::pipeline::asked::{not_among, with_genes_of_file};
use crate::pipeline::asked_genes::named_genes;
use crate::pipeline::grn::expression::Measured;
use crate::pipeline::grn::options::{EdgeSource, GrnOptions};
use crate::pipeline::grn::replicate::{Replicates, replicates};
use crate::pipeline::grn::{FoundEdges, Overlap};
use crate::pipeline::process::Process;
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// Fewer cells at a time say nothing of it.
const FEWEST_CELLS: usize = 10;

/// Regulators that are fitted again, and bins of smoothed time, of repeated estimates where genes
/// are many; of the ensemble the regression on bins alone is repeated there.
const LIGHT_REGULATORS: usize = 12;
const LIGHT_BINNING: Binning = Binning { n_bins: 12, offset: 0.0 };

/// Where resamples keep less of the directions, they are not sure.
const SURE_DIRECTION: f64 = 0.95;

/// Fewer times than this are few.
const FEW_TIMES: usize = 4;

/// Some of the cells, in which edges are looked for.
struct Part {
    group: String,
    rows: Vec<usize>,
    span: (f64, f64),
}

/// What is known of all cells.
struct Known<'a> {
    model: &'a Model,
    measured: &'a Measured,
    options: &'a GrnOptions,
    /// Growth rate of each cell over the interval that begins with it.
    growth: Option<Array1<f64>>,
}

pub(super) fn search(
    model: &OpenModel,
    options: &GrnOptions,
    progress: &mut dyn Progress,
) -> Result<FoundEdges> {
    let measured = Measured::read(model, options, progress)?;
    let growth = growth_of(model)?.map(|rates| rates.select(Axis(0), &measured.cells));
    let known = Known { model, measured: &measured, options, growth };
    let parts = parts(&known, progress)?;
    let mut found = FoundEdges {
        rows: Vec::new(),
        correlations: Vec::new(),
        overlap: None,
        profiles: Some(profiles(model, &measured)),
        degenerate: Vec::new(),
    };
    let missing = |gene: &String| {
        let error = not_among(gene, &measured.genes, "among which edges are sought");
        with_genes_of_file(error, model, options.data.as_deref())
    };
    named_genes(&options.drawn, &measured.genes, missing, progress)?;
    for (number, part) in parts.iter().enumerate() {
        known.search_part(part, number, &mut found, progress)?;
    }
    Ok(found)
}

/// Growth rates that the model has, cell by cell; cells of the last time do not grow.
fn growth_of(model: &Model) -> Result<Option<Array1<f64>>> {
    if model.intervals.iter().all(|interval| interval.growth.is_none()) {
        return Ok(None);
    }
    let process = Process::restore(model)?;
    let mut rates = Array1::zeros(model.cells.len());
    for (k, growth) in process.growth.iter().enumerate() {
        let time = process.series.times()[k];
        let rows = (0..model.cells.len()).filter(|&c| model.cell_times[c].total_cmp(&time).is_eq());
        for (place, row) in rows.enumerate() {
            rates[row] = growth.as_ref().map_or(0.0, |rates| rates[place]);
        }
    }
    Ok(Some(rates))
}

/// The parts that were asked for; those with too few cells are named and left out.
fn parts(known: &Known<'_>, progress: &mut dyn Progress) -> Result<Vec<Part>> {
    let Known { model, measured, options, .. } = known;
    let groups: BTreeSet<&String> = measured.groups.iter().flatten().collect();
    let mut of_groups: Vec<(String, Vec<usize>)> = Vec::new();
    match &measured.groups {
        None => of_groups.push((String::new(), (0..measured.times.len()).collect())),
        Some(labels) => {
            // Cells without a label are in no group.
            for group in groups.into_iter().filter(|group| !Groups::is_none(group)) {
                let rows = (0..labels.len()).filter(|&row| labels[row] == *group).collect();
                of_groups.push((group.clone(), rows));
            }
        }
    }
    let times: Vec<f64> = model.header.snapshots.iter().map(|snapshot| snapshot.time).collect();
    let spans: Vec<Vec<f64>> =
        if options.by_time { times.windows(2).map(<[f64]>::to_vec).collect() } else { vec![times] };
    let mut parts = Vec::new();
    for (group, rows) in of_groups {
        for span in &spans {
            let at = |row: &usize, time: &f64| measured.times[*row].total_cmp(time).is_eq();
            let enough: Vec<f64> = span
                .iter()
                .copied()
                .filter(|time| rows.iter().filter(|row| at(row, time)).count() >= FEWEST_CELLS)
                .collect();
            if enough.len() < 2 {
                let text = format!(
                    "{}times {} to {}: fewer than {FEWEST_CELLS} cells at all but one: left out",
                    if group.is_empty() { String::new() } else { format!("{group}, ") },
                    span[0],
                    span[span.len() - 1]
                );
                progress::note(progress, text)?;
                continue;
            }
            let rows = rows.iter().copied().filter(|row| enough.iter().any(|time| at(row, time)));
            let span = (enough[0], enough[enough.len() - 1]);
            parts.push(Part { group: group.clone(), rows: rows.collect(), span });
        }
    }
    if parts.is_empty() {
        let must = "cells at two times at least, ten at each";
        return Err(Error::Parameter { name: "groupby", must, got: "fewer".into() });
    }
    Ok(parts)
}

impl Known<'_> {
    fn search_part(
        &self,
        part: &Part,
        number: usize,
        found: &mut FoundEdges,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let Self { model, measured, options, .. } = self;
        let values = measured.values.select(Axis(0), &part.rows);
        let expression = Expression::new(values, &measured.regulators)?;
        let points = if expression.n_genes() <= FEW_GENES {
            let all: Vec<usize> = (0..part.rows.len()).collect();
            expression.standardised(&all)
        } else {
            let cells: Vec<usize> = part.rows.iter().map(|&row| measured.cells[row]).collect();
            model.points.select(Axis(0), &cells)
        };
        let cells = CourseCells {
            expression: &expression,
            points: &points,
            times: part.rows.iter().map(|&row| measured.times[row]).collect(),
            weights: Array1::ones(part.rows.len()),
            growth: self.growth.as_ref().map(|rates| rates.select(Axis(0), &part.rows)),
        };
        let label = match (part.group.as_str(), options.by_time) {
            ("", false) => "all cells".to_string(),
            ("", true) => format!("{} to {}", part.span.0, part.span.1),
            (group, false) => group.to_string(),
            (group, true) => format!("{group}, {} to {}", part.span.0, part.span.1),
        };
        let begin = Event::Begin { what: format!("looking for edges in {label}"), total: 1 };
        progress::report(progress, begin)?;
        let given = if options.model_coupling { Some(self.model_steps(part)?) } else { None };
        let edges = estimate(&cells, options, given.as_deref(), false)?;
        progress::report(progress, Event::End)?;
        let batches = measured.batches.as_ref();
        let batches: Option<Vec<&String>> =
            batches.map(|labels| part.rows.iter().map(|&row| &labels[row]).collect());
        // Plain correlation is blind to which time is which: no order to permute.
        let blind = options.source == EdgeSource::Correlation;
        let permutations = if blind { 0 } else { options.permutations };
        let seed = Seed(options.seed).child("grn/part", number as u64);
        let repeats = replicates(
            &cells,
            batches.as_deref(),
            (&edges, options.bootstrap, permutations, seed),
            &|cells| estimate(cells, options, None, expression.n_genes() > FEW_GENES),
            progress,
        )?;
        if options.compares_order() && !options.by_time {
            say_direction(&cells, (&repeats, &label), progress)?;
        }
        if is_degenerate(&edges, expression.regulators()) {
            found.degenerate.push(label);
        }
        self.keep((part, &cells), &edges, &repeats, found);
        Ok(())
    }

    /// The model's own coupling of each interval between cells of the part.
    fn model_steps(&self, part: &Part) -> Result<Vec<Step>> {
        let process = Process::restore(self.model)?;
        let times = process.series.times();
        let mut steps = Vec::new();
        for (k, bridge) in process.series.bridges().iter().enumerate() {
            let rows = |time: f64| -> Vec<usize> {
                let cells = &self.model.cell_times;
                (0..cells.len()).filter(|&row| cells[row].total_cmp(&time).is_eq()).collect()
            };
            let (sources, targets) = (rows(times[k]), rows(times[k + 1]));
            let place = |cell: &usize| {
                let row = self.measured.cells.binary_search(cell).ok()?;
                part.rows.binary_search(&row).ok()
            };
            let source = process.source(k, times[k + 1])?;
            let seed = Seed(self.options.seed).child("grn/coupling", k as u64);
            let ends =
                bridge.sample_transition(source.points(), UnitTime::START, UnitTime::END, seed)?;
            let ends = (ends.view(), source.marginal());
            let step = Step::by_ends(ends, process.snapshots[k + 1].points())?;
            steps.extend(step.within(&sources, &targets, place));
        }
        Ok(steps)
    }

    fn keep(
        &self,
        (part, cells): (&Part, &CourseCells<'_>),
        edges: &EdgeMatrix,
        repeats: &Replicates,
        found: &mut FoundEdges,
    ) {
        let regulators = cells.expression.regulators();
        let stable = stability(edges, &repeats.resampled, regulators);
        let p = p_values(&repeats.as_it_is, &repeats.permuted, regulators);
        let plain = correlations(cells.expression, &cells.snapshots(), cells.weights.view());
        let spread = cells.expression.spread();
        let n_genes = cells.expression.n_genes();
        let all: Vec<(usize, usize)> = (0..regulators.len())
            .flat_map(|r| (0..n_genes).map(move |g| (r, g)))
            .filter(|&(r, g)| regulators[r] != g && self.measured.targets[g])
            .collect();
        let q = q_values(&all.iter().map(|&edge| p[edge]).collect());
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by(|&a, &b| {
            edges.importance[all[b]].total_cmp(&edges.importance[all[a]]).then(a.cmp(&b))
        });
        if found.overlap.is_none() {
            found.overlap = Some(overlap(&all, &order, &plain, n_genes));
        }
        let name = |gene: usize| self.measured.genes[gene].clone();
        for place in order.into_iter().take(self.options.top) {
            let edge @ (r, g) = all[place];
            let activates = edges.evidence[edge] >= 0.0;
            let size = edges.strength[edge] * spread[g] / (spread[regulators[r]] * edges.lag);
            found.rows.push(EdgeRow {
                regulator: name(regulators[r]),
                target: name(g),
                importance: edges.importance[edge],
                activates,
                effect: if activates { size } else { -size },
                stability: stable[edge],
                p_value: p[edge],
                q_value: q[place],
                lag: edges.lag,
                span: part.span,
                group: part.group.clone(),
            });
            found.correlations.push(plain[edge]);
        }
    }
}

/// Edges of some cells as `options` want them; `light` the quick way.
fn estimate(
    cells: &CourseCells<'_>,
    options: &GrnOptions,
    given: Option<&[Step]>,
    light: bool,
) -> Result<EdgeMatrix> {
    let estimator = match options.source {
        EdgeSource::Ensemble => Estimator::Ensemble,
        EdgeSource::Hill => Estimator::Hill,
        EdgeSource::Linear => Estimator::Linear,
        EdgeSource::Lasso => Estimator::Lasso,
        EdgeSource::ReferenceFitting => Estimator::ReferenceFitting,
        EdgeSource::Ngm => Estimator::Neural,
        EdgeSource::Mutual => Estimator::Mutual,
        EdgeSource::Slope | EdgeSource::Jacobian | EdgeSource::Correlation => {
            let plain = correlations(cells.expression, &cells.snapshots(), cells.weights.view());
            return Ok(EdgeMatrix::of_correlations(plain, cells.expression.regulators()));
        }
    };
    let lag = options.lag.map_or(Lag::Auto, Lag::Intervals);
    let seed = Seed(options.seed);
    let across_targets = options.across_targets;
    let mut search = EdgeSearch { estimator, lag, across_targets, seed, ..EdgeSearch::default() };
    if light {
        search.binnings = vec![LIGHT_BINNING];
        search.ridge.most = LIGHT_REGULATORS;
        if estimator == Estimator::Ensemble {
            search.estimator = Estimator::Hill;
        }
    }
    search.run(cells, given.map(|steps| cells.timed(steps.to_vec())).as_ref())
}

/// Says so if direction can hardly be told: times are few, or resamples turn edges round.
fn say_direction(
    cells: &CourseCells<'_>,
    (repeats, label): (&Replicates, &str),
    progress: &mut dyn Progress,
) -> Result<()> {
    let n_times = cells.snapshots().len();
    let regulators = cells.expression.regulators();
    let agreement = direction_agreement(&repeats.as_it_is, &repeats.resampled, regulators);
    let text = if agreement < SURE_DIRECTION {
        format!(
            "{label}: resamples turn the direction of {:.0} % of the first edges round: times may be \
             too far apart. Take the direction of an edge as a guess; such simulated courses had about \
             two of three right",
            100.0 * (1.0 - agreement)
        )
    } else if n_times < FEW_TIMES {
        format!(
            "{label}: {n_times} times are few to tell a direction from; simulated courses of three had \
             about six of ten right"
        )
    } else {
        return Ok(());
    };
    progress::note(progress, text)
}

/// Mean of every gene at every time, and two standard errors to either side.
fn profiles(model: &Model, measured: &Measured) -> Profiles {
    let times: Vec<f64> = model.header.snapshots.iter().map(|snapshot| snapshot.time).collect();
    let shape = (times.len(), measured.genes.len());
    let mut mean = Array2::zeros(shape);
    let (mut lo, mut hi, mut n_cells) = (mean.clone(), mean.clone(), mean.clone());
    for (k, time) in times.iter().enumerate() {
        let rows = (0..measured.times.len()).filter(|&r| measured.times[r].total_cmp(time).is_eq());
        let values = measured.values.select(Axis(0), &rows.collect::<Vec<_>>()).mapv(f64::from);
        let n = values.nrows().max(1) as f64;
        let of_time = values.sum_axis(Axis(0)) / n;
        // Of one or two cells there is no interval.
        let enough = Drawn::cells(values.nrows()).is_enough();
        let reach = values.std_axis(Axis(0), 0.0) * (2.0 / (n - 1.0).max(1.0).sqrt());
        let reach = if enough { reach } else { reach * f64::NAN };
        // A mean is never below the least value.
        let least = values.fold_axis(Axis(0), f64::INFINITY, |a, b| a.min(*b));
        let mut below = &of_time - &reach;
        Zip::from(&mut below).and(&least).for_each(|below, least| {
            if *below < *least {
                *below = *least;
            }
        });
        lo.row_mut(k).assign(&below);
        hi.row_mut(k).assign(&(&of_time + &reach));
        mean.row_mut(k).assign(&of_time);
        n_cells.row_mut(k).fill(values.nrows() as f64);
    }
    Profiles { genes: measured.genes.clone(), times, mean, lo, hi, n_cells }
}

fn overlap(
    all: &[(usize, usize)],
    order: &[usize],
    plain: &Array2<f64>,
    n_genes: usize,
) -> Overlap {
    let first = n_genes.max(all.len() / 10).min(all.len());
    let mut by_correlation: Vec<usize> = (0..all.len()).collect();
    by_correlation
        .sort_by(|&a, &b| plain[all[b]].abs().total_cmp(&plain[all[a]].abs()).then(a.cmp(&b)));
    let theirs: BTreeSet<usize> = by_correlation.into_iter().take(first).collect();
    let shared = order.iter().take(first).filter(|place| theirs.contains(place)).count();
    let by_chance = (first * first) as f64 / all.len().max(1) as f64;
    Overlap { first, shared, by_chance }
}
