//! Edges from pairs of earlier and later cells, for each part of the cells.
//!
//! Each part is estimated once on all of its cells. The estimate is then repeated on resampled cells, which gives
//! the stability, and with permuted times, which gives the p-values.

use ndarray::{Array1, Array2, Axis, Zip};
use std::collections::BTreeSet;

use crate::bridge::UnitTime;
use crate::error::Result;
use crate::grn::{
    CourseCells, EdgeMatrix, Expression, Prior, Step, confidence, correlations,
    direction_agreement, direction_confidence, is_degenerate, lost_by_shuffling, p_values,
    q_values, stability,
};
use crate::io::chart::Profiles;
use crate::io::edges::EdgeRow;
use crate::io::model::{Model, OpenModel};
use crate::metrics::Drawn;
use crate::pipeline::grn::estimate::{Effort, estimate, growth_of, points_of};
use crate::pipeline::grn::expression::Measured;
use crate::pipeline::grn::options::{EdgeSource, GrnOptions};
use crate::pipeline::grn::parts::{Part, parts};
use crate::pipeline::grn::prior::read_prior;
use crate::pipeline::grn::replicate::{Repeats, Replicates, replicates};
use crate::pipeline::grn::{FoundEdges, Overlap};
use crate::pipeline::shared::asked_genes::named_genes;
use crate::pipeline::shared::genes_left_out::{not_among, with_genes_of_file};
use crate::pipeline::shared::process::Process;
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;
use crate::share::Whole;

/// Below this share of edges with the same direction in resamples, a note calls directions uncertain.
const SURE_DIRECTION: f64 = 0.95;

/// Below this share of what regulators explain that is lost by shuffling, a note warns: courses of independent genes
/// lose 0 to 0.1.
const LITTLE_LOST: f64 = 0.1;

/// Edges with less stability than this were not among the confident ones of the simulated courses, so that their
/// confidence is not calibrated.
const UNSTABLE: f64 = 0.25;

/// Largest confidence of these edges: of those predicted between 0.5 and 0.7 this share was true.
const SURE_OF_UNSTABLE: f64 = 0.47;

/// Number of estimates in which genes are shuffled within times, for the confidence of edges.
const N_SHUFFLES: usize = 6;

/// With fewer times than this, a note calls directions uncertain.
const FEW_TIMES: usize = 4;

/// The inputs of all estimates.
struct Known<'a> {
    model: &'a Model,
    measured: &'a Measured,
    options: &'a GrnOptions,
    /// Growth rate of each analysed cell over the interval that begins at its time.
    growth: Option<Array1<f64>>,
    /// The prior network, if one is given.
    prior: Option<Prior>,
}

/// Estimates the edges of every part of the cells that `options` ask for.
///
/// # Errors
/// Those of [`Measured::read`], [`parts`] and the estimators; [`crate::Error::GeneNotAmong`] if a gene to draw is
/// not among the analysed genes.
pub(super) fn search(
    model: &OpenModel,
    options: &GrnOptions,
    progress: &mut dyn Progress,
) -> Result<FoundEdges> {
    let measured = Measured::read(model, options, progress)?;
    let growth = growth_of(model)?.map(|rates| rates.select(Axis(0), &measured.cells));
    let prior = read_prior(&measured, options, progress)?;
    let known = Known { model, measured: &measured, options, growth, prior };
    let parts = parts(model, &measured, options, progress)?;
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
    // A plan divides the repeats of one estimate only.
    let mut whole;
    let progress: &mut dyn Progress = if parts.len() > 1 {
        whole = Whole(progress);
        &mut whole
    } else {
        progress
    };
    for (number, part) in parts.iter().enumerate() {
        known.search_part(part, number, &mut found, progress)?;
    }
    Ok(found)
}

impl Known<'_> {
    /// Estimates the edges of one part and appends them to `found`.
    ///
    /// `number`, the index of the part, seeds its resamples, so that parts are resampled
    /// independently. With at most [`FEW_GENES`] genes, cells are compared by their standardised
    /// expression, otherwise by the coordinates of the model. Couplings of the model are used for the estimate
    /// on all cells only; resamples find their own.
    ///
    /// # Errors
    /// Those of the estimators; [`crate::Error::Cancelled`].
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
        let cells: Vec<usize> = part.rows.iter().map(|&row| measured.cells[row]).collect();
        let points = points_of(&expression, || model.points.select(Axis(0), &cells));
        let cells = CourseCells {
            expression: &expression,
            points: &points,
            times: part.rows.iter().map(|&row| measured.times[row]).collect(),
            weights: Array1::ones(part.rows.len()),
            growth: self.growth.as_ref().map(|rates| rates.select(Axis(0), &part.rows)),
            perturbed: part.perturbed.clone(),
        };
        let label = part.label(options.by_time);
        let batches = measured.batches.as_ref();
        let batches: Option<Vec<&String>> =
            batches.map(|labels| part.rows.iter().map(|&row| &labels[row]).collect());
        // Correlation does not depend on the order of times, so permuting them tests nothing.
        let blind = options.source == EdgeSource::Correlation;
        let permutations = if blind { 0 } else { options.permutations };
        let repeats = replicates(
            &cells,
            batches.as_deref(),
            Repeats {
                n_resamples: options.bootstrap,
                n_permutations: permutations,
                n_shuffles: self.n_shuffles(),
                seed: Seed(options.seed).child("grn/part", number as u64),
            },
            &|cells, effort| Ok(self.with_prior(&estimate(cells, options, None, effort)?)),
            progress,
        )?;
        // The estimate comes after the repeats, so that processes that do some of those need not wait for it.
        let begin = Event::Begin { what: format!("looking for edges in {label}"), total: 1 };
        progress::report(progress, begin)?;
        let given = if options.model_coupling { Some(self.model_steps(part)?) } else { None };
        let unaided = estimate(&cells, options, given.as_deref(), Effort::Full)?;
        let edges = self.with_prior(&unaided);
        progress::report(progress, Event::End)?;
        let repeats = repeats.unwrap_or_else(|| Replicates::none(&edges));
        if options.compares_order() && !options.by_time {
            say_direction(&cells, &repeats, &label, progress)?;
        }
        say_lost(&repeats, expression.regulators(), &label, progress)?;
        if is_degenerate(&unaided, expression.regulators()) {
            found.degenerate.push(label);
        }
        self.keep(part, &cells, [&edges, &unaided], &repeats, found);
        Ok(())
    }

    /// `edges` weighted by the prior network, if one is given.
    fn with_prior(&self, edges: &EdgeMatrix) -> EdgeMatrix {
        self.prior
            .as_ref()
            .map_or_else(|| edges.clone(), |prior| prior.apply(edges, &self.measured.regulators))
    }

    /// Number of estimates in which genes are shuffled within times. There are none if the confidence is not
    /// calibrated for the estimator, and none for an estimate without repeats.
    fn n_shuffles(&self) -> usize {
        let options = self.options;
        let is_calibrated = options.source == EdgeSource::Ensemble
            && !options.across_targets
            && !options.by_time
            && options.perturbation.is_none();
        if is_calibrated && options.bootstrap + options.permutations > 0 { N_SHUFFLES } else { 0 }
    }

    /// The coupling of the model in each interval, restricted to the cells of the part.
    ///
    /// Each source cell is carried to the end of the interval by one exact draw from its bridge, and paired with
    /// the observed cells near this end ([`Step::by_ends`]). Intervals without a pair of cells of the part are
    /// left out.
    ///
    /// # Errors
    /// Those of restoring the bridges and of [`Step::by_ends`].
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
            let targets_at = process.snapshots[k + 1].points();
            let step = Step::by_ends(ends.view(), source.marginal(), targets_at)?;
            steps.extend(step.within(&sources, &targets, place));
        }
        Ok(steps)
    }

    /// Appends the most important edges of a part, with their stability, p- and q-values and correlation. The edges
    /// are given with and without the prior network.
    ///
    /// The effect of an edge is that of [`EdgeMatrix::effects`]. q-values follow
    /// Benjamini and Hochberg over all edges of the part. Edges of equal importance keep the order of regulators,
    /// then targets. The first part also sets the overlap with correlation.
    fn keep(
        &self,
        part: &Part,
        cells: &CourseCells<'_>,
        [edges, unaided]: [&EdgeMatrix; 2],
        repeats: &Replicates,
        found: &mut FoundEdges,
    ) {
        let regulators = cells.expression.regulators();
        let stable = stability(edges, &repeats.resampled, regulators);
        let p = p_values(&repeats.of_pairs, &repeats.permuted, regulators);
        let plain = correlations(cells.expression, &cells.snapshots(), cells.weights.view());
        let effects = edges.effects(cells.expression);
        let n_genes = cells.expression.n_genes();
        let all: Vec<(usize, usize)> = (0..regulators.len())
            .flat_map(|r| (0..n_genes).map(move |g| (r, g)))
            .filter(|&(r, g)| regulators[r] != g && self.measured.targets[g])
            .collect();
        let q = q_values(&all.iter().map(|&edge| p[edge]).collect());
        let mut sure = confidence(edges, &repeats.of_pairs, &repeats.shuffled, regulators);
        Zip::from(&mut sure).and(&stable).for_each(|sure, stable| {
            if *stable < UNSTABLE {
                *sure = sure.min(SURE_OF_UNSTABLE);
            }
        });
        let direction = direction_confidence(edges, regulators);
        let is_calibrated = !repeats.shuffled.is_empty();
        let mut order: Vec<usize> = (0..all.len()).collect();
        let rank = |place: usize| if is_calibrated { sure[all[place]] } else { 0.0 };
        order.sort_by(|&a, &b| {
            let by_importance = edges.importance[all[b]].total_cmp(&edges.importance[all[a]]);
            rank(b).total_cmp(&rank(a)).then(by_importance).then(a.cmp(&b))
        });
        if found.overlap.is_none() {
            found.overlap = Some(overlap(&all, &order, &plain, n_genes));
        }
        let name = |gene: usize| self.measured.genes[gene].clone();
        for place in order.into_iter().take(self.options.top) {
            let edge @ (r, g) = all[place];
            let activates = edges.evidence[edge] >= 0.0;
            found.rows.push(EdgeRow {
                regulator: name(regulators[r]),
                target: name(g),
                importance: edges.importance[edge],
                activates,
                effect: effects[edge],
                stability: stable[edge],
                confidence: sure[edge],
                direction: if is_calibrated { direction[edge] } else { f64::NAN },
                p_time: p[edge],
                q_time: q[place],
                lag: edges.lag,
                from: part.span.0,
                to: part.span.1,
                group: part.group.clone(),
                prior: self.prior.as_ref().map_or(f64::NAN, |prior| prior.weights[edge]),
                unaided: self.prior.as_ref().map_or(f64::NAN, |_| unaided.importance[edge]),
            });
            found.correlations.push(plain[edge]);
        }
    }
}

/// Notes directions that are uncertain: resamples reverse more than 5 % of them, or there are fewer than four times.
///
/// The limit comes from simulated courses (docs/benchmarks, "Direction").
fn say_direction(
    cells: &CourseCells<'_>,
    repeats: &Replicates,
    label: &str,
    progress: &mut dyn Progress,
) -> Result<()> {
    let n_times = cells.snapshots().len();
    let regulators = cells.expression.regulators();
    let agreement = direction_agreement(&repeats.as_it_is, &repeats.resampled, regulators);
    let text = if agreement < SURE_DIRECTION {
        format!(
            "{label}: resamples reverse the direction of {:.0} % of the first edges: times may be \
             too far apart. Without more support in the column `direction`, the direction of an edge is a guess",
            100.0 * (1.0 - agreement)
        )
    } else if n_times < FEW_TIMES {
        format!(
            "{label}: {n_times} times are few to determine directions: compare the column `direction`"
        )
    } else {
        return Ok(());
    };
    progress::note(progress, text)
}

/// Notes that genes say little about each other beyond their courses over time.
fn say_lost(
    repeats: &Replicates,
    regulators: &[usize],
    label: &str,
    progress: &mut dyn Progress,
) -> Result<()> {
    let lost = lost_by_shuffling(&repeats.of_pairs, &repeats.shuffled, regulators);
    if lost.is_nan() || lost >= LITTLE_LOST {
        return Ok(());
    }
    progress::note(
        progress,
        format!(
            "{label}: if genes are shuffled among the cells of the same time, regulators explain only {:.0} % less. \
             Genes may change over time without acting on each other: do not trust the confidence of single edges",
            100.0 * lost
        ),
    )
}

/// Mean of every gene at every time, with an interval of two standard errors to either side.
///
/// The lower end is cut at the smallest value, and times with too few cells have no interval (NaN).
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
        let enough = Drawn::cells(values.nrows()).is_enough();
        let reach = values.std_axis(Axis(0), 0.0) * (2.0 / (n - 1.0).max(1.0).sqrt());
        let reach = if enough { reach } else { reach * f64::NAN };
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

/// How many of the first edges in `order` are also first by absolute correlation.
///
/// `all` are the edges (regulator, target), `order` their indices by decreasing importance, `plain` the correlations
/// `(n_regulators, n_genes)`.
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
