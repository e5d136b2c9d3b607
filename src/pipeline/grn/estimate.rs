//! One estimate of edges in some cells, and the positions and growth of these cells.

use ndarray::{Array1, Array2};

use crate::error::Result;
use crate::grn::{
    Binning, CourseCells, EdgeMatrix, EdgeSearch, Estimator, Expression, FEW_GENES, Lag, Step,
    correlations,
};
use crate::io::model::Model;
use crate::pipeline::grn::options::{EdgeSource, GrnOptions};
use crate::pipeline::shared::process::Process;
use crate::rng::Seed;

/// Largest number of regulators of a target that repeated estimates of many genes fit.
const LIGHT_REGULATORS: usize = 12;

/// Largest number of steps of fits to moments in repeated estimates.
const REPEATED_STEPS: usize = 40;

/// Bins of smoothed time in repeated estimates of many genes.
const LIGHT_BINNING: Binning = Binning { n_bins: 12, offset: 0.0 };

/// Growth rate of each cell of the model per unit of time, zero at the last time; `None` for a model without
/// growth.
///
/// # Errors
/// Those of restoring the bridges.
pub(in crate::pipeline) fn growth_of(model: &Model) -> Result<Option<Array1<f64>>> {
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

/// The positions of cells from which their couplings are computed: standardised expression, or with more than
/// [`FEW_GENES`] genes the `coordinates` of the model.
pub(in crate::pipeline) fn points_of(
    expression: &Expression,
    coordinates: impl FnOnce() -> Array2<f64>,
) -> Array2<f64> {
    if is_slow(expression.n_genes()) {
        return coordinates();
    }
    let all: Vec<usize> = (0..expression.n_cells()).collect();
    expression.standardised(&all)
}

/// Whether there are so many genes that repeated estimates have to be light.
pub(in crate::pipeline) fn is_slow(n_genes: usize) -> bool {
    n_genes > FEW_GENES
}

/// How much an estimate may cost.
///
/// Estimates of more than [`FEW_GENES`] genes that are not full have 12 bins of smoothed time and 12 regulators per
/// target, and of the ensemble only the Hill regression; repeats would take too long otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline) enum Effort {
    /// Everything.
    Full,
    /// Fits to moments without adaptive rounds.
    Repeated,
    /// No fits to moments, whose sizes are no effects, and no account of how much targets change.
    Pairs,
}

/// Edges of some cells by the estimator of `options`.
///
/// `given` are the couplings of the model, if they are used; otherwise the search finds its own.
///
/// # Errors
/// Those of [`EdgeSearch::run`].
pub(in crate::pipeline) fn estimate(
    cells: &CourseCells<'_>,
    options: &GrnOptions,
    given: Option<&[Step]>,
    effort: Effort,
) -> Result<EdgeMatrix> {
    let estimator = match options.source {
        EdgeSource::Ensemble => Estimator::Ensemble,
        EdgeSource::Hill => Estimator::Hill,
        EdgeSource::Linear => Estimator::Linear,
        EdgeSource::Lasso => Estimator::Lasso,
        EdgeSource::ReferenceFitting => Estimator::ReferenceFitting,
        EdgeSource::Moments => Estimator::Moments,
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
    match effort {
        Effort::Full => {}
        Effort::Repeated => {
            search.moment_fit.rounds = 0;
            search.moment_fit.held_out = false;
            search.moment_fit.max_steps = REPEATED_STEPS;
        }
        Effort::Pairs => (search.moment_weight, search.change_weight) = (0.0, 0.0),
    }
    if effort != Effort::Full && is_slow(cells.expression.n_genes()) {
        search.binnings = vec![LIGHT_BINNING];
        search.ridge.most = LIGHT_REGULATORS;
        if estimator == Estimator::Ensemble {
            search.estimator = Estimator::Hill;
        }
    }
    search.run(cells, given.map(|steps| cells.timed(steps.to_vec())).as_ref())
}
