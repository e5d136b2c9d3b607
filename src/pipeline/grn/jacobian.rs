//! Edges from the fitted drift: its Jacobian in gene space.

use ndarray::Array2;

use crate::error::{Error, Result};
use crate::grn::{EdgeRanking, drift_slope, path_jacobian, pull_back, spreads};
use crate::io::edges::EdgeRow;
use crate::io::model::Model;
use crate::pipeline::grn::expression::{Chosen, choose};
use crate::pipeline::grn::options::{EdgeSource, GrnOptions};
use crate::pipeline::shared::process::Process;
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// Edges from the Jacobian of the drift, averaged over the intervals by their length.
///
/// The Jacobian J of the coordinates becomes `W J Wᵀ` in gene space, with the loadings W, restricted to the rows and
/// columns of targets and regulators. Effects are in units of expression per unit of time for one unit more of the
/// regulator. Rows have no stability, p-values and lag (NaN).
///
/// # Errors
/// [`Error::NoGeneSpace`] for a model without genes; [`Error::NoGenes`] if no regulator is among its genes.
pub(super) fn of_field(
    model: &Model,
    options: &GrnOptions,
    progress: &mut dyn Progress,
) -> Result<Vec<EdgeRow>> {
    let Some(pca) = &model.pca else {
        return Err(Error::NoGeneSpace { source_name: model.header.source.clone() });
    };
    let Chosen { regulators, .. } = choose(&model.genes, &model.genes, options, progress)?;
    let jacobian = mean_jacobian(model, options.source, Seed(options.seed), progress)?;
    let effects = pull_back(jacobian.view(), pca.loadings(), &regulators);
    let spread = spreads(model.points.view(), pca.loadings());
    let edges = EdgeRanking { top: options.top }.rank(effects.view(), spread.view(), &regulators);
    let snapshots = &model.header.snapshots;
    let (from, to) = (snapshots[0].time, snapshots[snapshots.len() - 1].time);
    let rows = edges.into_iter().map(|edge| EdgeRow {
        regulator: model.genes[edge.regulator].clone(),
        target: model.genes[edge.target].clone(),
        importance: edge.importance,
        activates: edge.effect >= 0.0,
        effect: edge.effect,
        from,
        to,
        ..EdgeRow::default()
    });
    Ok(rows.collect())
}

/// The mean Jacobian of the drift, `(1/T) Σ_k J_k`, `(dim, dim)`, per unit of real time.
///
/// `J_k` is the Jacobian in local time. In real time the interval of length Δ has the Jacobian `J_k/Δ` and the
/// weight `Δ/T`, so that Δ cancels. The scale of the coordinates cancels as well.
///
/// # Errors
/// Those of restoring the bridges and of their Jacobians; [`Error::Cancelled`].
fn mean_jacobian(
    model: &Model,
    kind: EdgeSource,
    seed: Seed,
    progress: &mut dyn Progress,
) -> Result<Array2<f64>> {
    let Process { series, snapshots, .. } = Process::restore(model)?;
    let n_intervals = series.bridges().len();
    let begin = Event::Begin { what: "averaging the Jacobian".into(), total: n_intervals as u64 };
    progress::report(progress, begin)?;
    let duration = series.times()[n_intervals] - series.times()[0];
    let mut mean = Array2::zeros((series.dim(), series.dim()));
    for (k, bridge) in series.bridges().iter().enumerate() {
        let seed = seed.child("grn", k as u64);
        let source = snapshots[k].points();
        mean += &match kind {
            EdgeSource::Jacobian => path_jacobian(&**bridge, source, seed)?,
            _ => drift_slope(&**bridge, source)?,
        };
        progress::report(progress, Event::Step { done: k as u64 + 1 })?;
    }
    progress::report(progress, Event::End)?;
    Ok(mean / duration)
}
