//! Model → ranked regulatory edges.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::grn::{EdgeRanking, drift_slope, path_jacobian, pull_back, spreads};
use crate::io::edges::EdgeRow;
use crate::io::model::Model;
use crate::pipeline::prepare::no_genes;
use crate::pipeline::process::Process;
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// What `grn` can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GrnOptions {
    /// Which Jacobian of the fitted field.
    pub jacobian: JacobianKind,
    /// Genes that may regulate; every gene of the model if `None`.
    pub regulators: Option<Vec<String>>,
    /// Edges to keep, the most important first.
    pub top: usize,
    /// Seed of the paths along which the Jacobian is averaged.
    pub seed: u64,
}

/// Which Jacobian of the fitted field edges are read from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JacobianKind {
    /// That of the field's best affine fit over the cells, [`drift_slope`].
    #[default]
    Slope,
    /// The one at each point, averaged over the paths, [`path_jacobian`].
    Mean,
}

/// Edges from the Jacobian of the drift in gene space, averaged over the intervals by their
/// length, in units of expression per unit of time per unit of expression.
///
/// # Errors
/// [`Error::NoGeneSpace`] for a model without genes, [`Error::NoGenes`] if none of the
/// regulators is among them.
pub fn grn(
    model: &Model,
    options: &GrnOptions,
    progress: &mut dyn Progress,
) -> Result<Vec<EdgeRow>> {
    let GrnOptions { jacobian, regulators, top, seed } = options;
    if *top == 0 {
        return Err(Error::Parameter { name: "--top", must: "at least 1", got: "0".into() });
    }
    let Some(pca) = &model.pca else {
        return Err(Error::NoGeneSpace { source_name: model.header.source.clone() });
    };
    let regulators = regulator_columns(model, regulators.as_deref(), progress)?;
    let jacobian = mean_jacobian(model, *jacobian, Seed(*seed), progress)?;
    let effects = pull_back(jacobian.view(), pca.loadings(), &regulators);
    let spread = spreads(model.points.view(), pca.loadings());
    let edges = EdgeRanking { top: *top }.rank(effects.view(), spread.view(), &regulators);
    let name = |gene: usize| model.genes[gene].clone();
    let rows = edges.into_iter().map(|edge| EdgeRow {
        regulator: name(edge.regulator),
        target: name(edge.target),
        importance: edge.importance,
        effect: edge.effect,
    });
    Ok(rows.collect())
}

/// `(1/T) Σ J`: in real time the interval of length Δ has the Jacobian `J/Δ`, with `J` that of
/// its drift in local time, and the weight Δ/T. A factor on all coordinates cancels.
fn mean_jacobian(
    model: &Model,
    kind: JacobianKind,
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
            JacobianKind::Slope => drift_slope(&**bridge, source)?,
            JacobianKind::Mean => path_jacobian(&**bridge, source, seed)?,
        };
        progress::report(progress, Event::Step { done: k as u64 + 1 })?;
    }
    progress::report(progress, Event::End)?;
    Ok(mean / duration)
}

fn regulator_columns(
    model: &Model,
    wanted: Option<&[String]>,
    progress: &mut dyn Progress,
) -> Result<Vec<usize>> {
    let Some(wanted) = wanted else { return Ok((0..model.genes.len()).collect()) };
    let wanted_set: std::collections::BTreeSet<&String> = wanted.iter().collect();
    let found: Vec<usize> =
        (0..model.genes.len()).filter(|&gene| wanted_set.contains(&model.genes[gene])).collect();
    if found.is_empty() {
        return Err(no_genes(wanted, &model.genes));
    }
    let text = format!(
        "{} of the {} regulators asked for are among the {} genes of the model",
        found.len(),
        wanted.len(),
        model.genes.len()
    );
    progress::note(progress, text)?;
    Ok(found)
}
