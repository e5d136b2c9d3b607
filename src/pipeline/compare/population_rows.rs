//! Energy distances between the populations of two conditions, at snapshots and halfway between them.

use ndarray::{Array1, Array2, ArrayView1, Axis};
use rand_distr::{Distribution, StandardNormal};

use crate::bridge::draw_cells;
use crate::data::Snapshot;
use crate::error::Result;
use crate::lineage::{Lineage, Relabelled};
use crate::metrics::{Estimate, all_distances, energies, energy_distance};
use crate::pipeline::compare::CompareKind;
use crate::pipeline::compare::options::CompareOptions;
use crate::pipeline::compare::pair::Pair;
use crate::pipeline::compare::rows::{ComparedRow, Found, Subject, row};
use crate::rng::Seed;

/// Smallest number of cells on each side of a distance.
const FEWEST: usize = 3;

/// Largest number of cells that are drawn of each population halfway between snapshots.
const DRAWN: usize = 200;

/// The distances at the common times, between observed cells.
pub(super) fn at_snapshots(pair: &Pair<'_>) -> Vec<ComparedRow> {
    let mut rows = Vec::new();
    for (k, of) in pair.cells.iter().enumerate().filter(|(_, of)| !of.same) {
        let sizes = [0, 1].map(|side| pair.sides[side].course.rows[of.places[side]].len());
        if sizes.iter().any(|n| *n < FEWEST) {
            continue;
        }
        let distances = all_distances(of.points.view());
        let weights =
            [0, 1].map(|side| of.weights(side, pair.resampled[side].weights(of.places[side])));
        let observed = energies(distances.view(), weights[0].view(), weights[1].view());
        let estimate = Estimate::of(&observed);
        let enough =
            (0..2).all(|side| pair.resampled[side].drawn(of.places[side], |_| true).is_enough());
        let difference = if enough { estimate } else { estimate.without_interval() };
        let exchanged = energies(distances.view(), pair.labels.first(k), pair.labels.second(k));
        let found = Found {
            sides: [nothing(), nothing()],
            difference,
            exchanged: pair.exchanged(exchanged),
        };
        rows.push(row(pair.at(k, CompareKind::Population, sizes), pair.names(), &found));
    }
    rows
}

/// The distances halfway between neighbouring common times, between populations that the bridges give.
///
/// Labels are exchanged on entropic couplings of the cells of both conditions: each labelling draws the ends of
/// its cells from the coupling of its cells alone, and points halfway on Brownian bridges.
///
/// # Errors
/// Those of the bridges and distances.
pub(super) fn halfway(
    pair: &Pair<'_>,
    lineage: &Lineage,
    relabelled: [&Relabelled<'_>; 2],
    options: &CompareOptions,
) -> Result<Vec<ComparedRow>> {
    let seed = Seed(options.seed).child("compare/halfway", 0);
    let n = options.test_cells.min(DRAWN);
    let mut rows = Vec::new();
    for k in (0..pair.times.len() - 1).filter(|&k| !pair.is_common(k)) {
        let sizes =
            [0, 1].map(|side| pair.sides[side].course.rows[pair.cells[k].places[side]].len());
        if sizes.iter().any(|n| *n < FEWEST) {
            continue;
        }
        let time = f64::midpoint(pair.times[k], pair.times[k + 1]);
        let seed = seed.child("interval", k as u64);
        let drawn = |side: usize| -> Result<Snapshot> {
            let process = &pair.sides[side].course.process;
            Snapshot::new(process.sample_at(time, n, seed.child("side", side as u64))?)
        };
        let value = energy_distance(&drawn(0)?, &drawn(1)?)?.value;
        let difference = Estimate::of(&ndarray::array![value]);
        let columns = if pair.is_testable() { relabelled[0].n_columns() } else { 0 };
        // The same draws for all labellings, so that equal labellings have equal distances.
        let noise = noise(pair, k, seed);
        let mut exchanged = Vec::with_capacity(columns);
        for b in 0..columns {
            let points = |side: usize| -> Result<Snapshot> {
                let relabelled = relabelled[side];
                let rows = some_of(relabelled.weights(k).column(b), n, seed);
                let drawn =
                    lineage.links()[k].draw(&rows, relabelled.ends(k, b), seed.child("ends", 0))?;
                let source = pair.cells[k].points.select(Axis(0), &rows);
                let target = pair.cells[k + 1].points.select(Axis(0), &drawn);
                Snapshot::new((source + target) * 0.5 + noise.select(Axis(0), &rows))
            };
            exchanged.push(energy_distance(&points(0)?, &points(1)?)?.value);
        }
        let found = Found { sides: [nothing(), nothing()], difference, exchanged };
        let subject = pair.at(k, CompareKind::Population, sizes);
        let subject = Subject { time, ..subject };
        rows.push(row(subject, pair.names(), &found));
    }
    Ok(rows)
}

/// No number of one condition.
fn nothing() -> Estimate {
    Estimate::of(&ndarray::array![f64::NAN])
}

/// At most `n` of the cells with weight.
fn some_of(weights: ArrayView1<'_, f64>, n: usize, seed: Seed) -> Vec<usize> {
    let own: Vec<usize> = (0..weights.len()).filter(|&i| weights[i] > 0.0).collect();
    if own.len() <= n {
        return own;
    }
    let even = Array1::from_elem(own.len(), 1.0 / own.len() as f64);
    let drawn = draw_cells(even.view(), n, seed.child("rows", 0));
    drawn.into_iter().map(|place| own[place]).collect()
}

/// The noise of a Brownian bridge halfway along interval k, one row for each tested cell at its start.
fn noise(pair: &Pair<'_>, k: usize, seed: Seed) -> Array2<f64> {
    let header = &pair.sides[0].model.header;
    let length = pair.times[k + 1] - pair.times[k];
    let deviation = (0.25 * header.sigma2 * length).sqrt() / header.scale;
    let mut stream = seed.stream("compare/halfway", 0);
    Array2::from_shape_simple_fn(pair.cells[k].points.dim(), || {
        let x: f64 = StandardNormal.sample(&mut stream);
        deviation * x
    })
}
