//! The effects of a perturbation on genes and on groups of cells.

use ndarray::{Array1, ArrayView1, ArrayView2, Axis};

use crate::geometry::nearest_rows;
use crate::io::table::{Cells, Table};
use crate::lineage::{Groups, Response};
use crate::metrics::{Estimate, Resamples};
use crate::pipeline::perturb::HeldGene;

/// The effect of a perturbation on one gene.
///
/// ```
/// use sbcell::metrics::Estimate;
/// use sbcell::pipeline::PerturbedGene;
///
/// let gene = PerturbedGene {
///     gene: "Nanog".into(),
///     held_down: false,
///     control: 1.0,
///     knockout: 0.6,
///     shift: Estimate::of(&ndarray::array![-0.4, -0.5, -0.3]), // the value, then resamples
///     linear: -0.38,
///     deviations: -0.8,
/// };
/// assert!((gene.control + gene.shift.value - gene.knockout).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PerturbedGene {
    /// Name of the gene.
    pub gene: String,
    /// Whether it is one of the held genes.
    pub held_down: bool,
    /// Mean of the control cells at the end, on the scale that was fitted.
    pub control: f64,
    /// Mean of the perturbed cells at the end; the level of a held gene.
    pub knockout: f64,
    /// Mean shift of the simulated cells with its confidence interval.
    pub shift: Estimate,
    /// Shift by linear response, for comparison.
    pub linear: f64,
    /// Shift in standard deviations of the gene between control cells; zero for a constant gene.
    pub deviations: f64,
}

/// The change of the share of a group of cells.
///
/// ```
/// use sbcell::metrics::Estimate;
/// use sbcell::pipeline::PerturbedGroup;
///
/// let change = Estimate::of(&ndarray::array![-0.1, -0.2, 0.0]); // the value, then resamples
/// let group = PerturbedGroup { group: "left".into(), share: 0.5, change };
/// assert!(group.share + group.change.value < 0.5);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PerturbedGroup {
    /// Name of the group.
    pub group: String,
    /// Share of the control cells at the end that are in the group.
    pub share: f64,
    /// Change of this share by the perturbation.
    pub change: Estimate,
}

/// The effect on each gene. `loadings` `(n_genes, dim)` and `mean` take the coordinates of the bridges to genes.
///
/// Time O(n_genes · dim · (n_resamples + dim)).
pub(super) fn of_genes(
    genes: &[String],
    response: &Response,
    loadings: ArrayView2<'_, f64>,
    mean: ArrayView1<'_, f64>,
    resamples: &Resamples,
) -> Vec<PerturbedGene> {
    let n = response.control.nrows() as f64;
    let weights = &resamples.counts() / n;
    // Resampling in coordinates first is cheaper, since there are fewer of them than genes.
    let shifts = (&response.perturbed - &response.control).t().dot(&weights);
    let shifts = loadings.dot(&shifts);
    let control = loadings.dot(&(response.control.sum_axis(Axis(0)) / n)) + mean;
    let centre = response.control.sum_axis(Axis(0)) / n;
    let spread = &response.control - &centre;
    let covariance = spread.t().dot(&spread) / n;
    let linear = loadings.dot(&response.linear);
    let along = loadings.dot(&covariance);
    (0..genes.len())
        .map(|g| {
            let shift = Estimate::of(&shifts.row(g).to_owned());
            let deviation = along.row(g).dot(&loadings.row(g)).max(0.0).sqrt();
            PerturbedGene {
                gene: genes[g].clone(),
                held_down: false,
                control: control[g],
                knockout: control[g] + shift.value,
                deviations: if deviation > 1e-12 { shift.value / deviation } else { 0.0 },
                shift,
                linear: linear[g],
            }
        })
        .collect()
}

/// Sorts genes by decreasing shift in standard deviations, and marks the held genes with their levels.
pub(super) fn marked(
    mut genes: Vec<PerturbedGene>,
    held: &[HeldGene],
    once: bool,
) -> Vec<PerturbedGene> {
    for gene in &mut genes {
        let Some(held) = held.iter().find(|held| held.gene == gene.gene) else { continue };
        gene.held_down = true;
        if !once {
            // The simulated mean differs from the level by rounding.
            gene.knockout = held.level;
        }
    }
    genes.sort_by(|a, b| {
        let order = b.deviations.abs().total_cmp(&a.deviations.abs());
        order.then_with(|| a.gene.cmp(&b.gene))
    });
    genes
}

/// Correlation of simulated shifts with linear response, over the genes that are not held.
pub(super) fn correlation(genes: &[PerturbedGene]) -> f64 {
    let pairs: Vec<(f64, f64)> = genes
        .iter()
        .filter(|gene| !gene.held_down)
        .map(|gene| (gene.shift.value, gene.linear))
        .collect();
    let n = pairs.len().max(1) as f64;
    let (a, b) = pairs.iter().fold((0.0, 0.0), |(a, b), pair| (a + pair.0 / n, b + pair.1 / n));
    let sum = |f: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(f).sum::<f64>();
    let (xx, yy) = (sum(&|p| (p.0 - a).powi(2)), sum(&|p| (p.1 - b).powi(2)));
    sum(&|p| (p.0 - a) * (p.1 - b)) / (xx * yy).sqrt()
}

/// Means of expression from here on count as zero: coordinates hold a gene only in part.
const ABOUT_ZERO: f64 = -0.01;

/// A warning of genes whose predicted mean is below zero, which expression cannot be. `None` without such genes,
/// and for scaled values, whose means `mean` over all cells are below zero too. Held genes have their levels.
pub(super) fn below_zero(genes: &[PerturbedGene], mean: ArrayView1<'_, f64>) -> Option<String> {
    if mean.iter().any(|mean| *mean < 0.0) {
        return None;
    }
    let others = || genes.iter().filter(|gene| !gene.held_down);
    let low: Vec<&PerturbedGene> = others().filter(|gene| gene.knockout < ABOUT_ZERO).collect();
    let least = low.iter().min_by(|a, b| a.knockout.total_cmp(&b.knockout))?;
    let without = others().filter(|gene| gene.control < ABOUT_ZERO).count();
    Some(format!(
        "the predicted mean of {} of {} genes is below zero ({without} without the perturbation), down to {:.2} \
         of {}; expression cannot be: the model extrapolates, and the sizes of these shifts cannot be right",
        low.len(),
        others().count(),
        least.knockout,
        least.gene
    ))
}

/// The table of all genes.
pub(super) fn table(genes: &[PerturbedGene]) -> Table {
    let numbers =
        |of: &dyn Fn(&PerturbedGene) -> f64| Cells::Floats(genes.iter().map(of).collect());
    let ends = |of: &dyn Fn(&PerturbedGene) -> f64| Cells::Floats(genes.iter().map(of).collect());
    Table::default()
        .with("gene", Cells::Texts(genes.iter().map(|gene| gene.gene.clone()).collect()))
        .with("control", numbers(&|gene| gene.control))
        .with("knockout", numbers(&|gene| gene.knockout))
        .with("shift", numbers(&|gene| gene.shift.value))
        .with("lo", ends(&|gene| gene.shift.lo))
        .with("hi", ends(&|gene| gene.shift.hi))
        .with("linear", numbers(&|gene| gene.linear))
        .with("deviations", numbers(&|gene| gene.deviations))
        .with(
            "held_down",
            Cells::Texts(genes.iter().map(|gene| gene.held_down.to_string()).collect()),
        )
}

/// The effect on the share of each group at the end, where cells are observed at `observed` and have `groups`.
///
/// Each simulated cell belongs to the group of its nearest observed cell.
pub(super) fn of_groups(
    response: &Response,
    observed: ArrayView2<'_, f64>,
    groups: &Groups,
    resamples: &Resamples,
) -> Vec<PerturbedGroup> {
    let [control, perturbed] = [&response.control, &response.perturbed]
        .map(|cells| nearest_rows(cells.view(), observed).into_iter().map(|j| groups.at(0)[j]));
    let (control, perturbed): (Vec<_>, Vec<_>) = (control.collect(), perturbed.collect());
    let weights = &resamples.counts() / control.len().max(1) as f64;
    let shares = |group: usize, cells: &[Option<usize>]| -> Array1<f64> {
        let member = |cell: &Option<usize>| f64::from(u8::from(*cell == Some(group)));
        weights.t().dot(&cells.iter().map(member).collect::<Array1<f64>>())
    };
    groups
        .present(0)
        .into_iter()
        .map(|group| {
            let (before, after) = (shares(group, &control), shares(group, &perturbed));
            PerturbedGroup {
                group: groups.names()[group].clone(),
                share: before[0],
                change: Estimate::of(&(after - before)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn genes_below_zero_are_counted_unless_values_are_scaled() {
        let gene = |(name, control, knockout): (&str, f64, f64)| PerturbedGene {
            gene: name.into(),
            held_down: name == "held",
            control,
            knockout,
            shift: Estimate::of(&Array1::from_elem(1, knockout - control)),
            linear: 0.0,
            deviations: 0.0,
        };
        let all = [("held", 1.0, -9.0), ("a", 0.2, -0.3), ("b", -0.1, -0.5), ("c", 0.1, -0.001)]
            .map(gene);
        let said = below_zero(&all, ndarray::aview1(&[1.0, 0.0, 0.2, 0.1])).unwrap();
        assert!(said.contains("mean of 2 of 3 genes is below zero (1 without"), "{said}");
        assert!(said.contains("down to -0.50 of b"), "{said}");
        assert!(below_zero(&all, ndarray::aview1(&[1.0, -0.1, 0.2, 0.1])).is_none());
        assert!(below_zero(&all[3..], ndarray::aview1(&[0.1])).is_none());
    }

    #[test]
    fn agreement_is_the_correlation_over_genes_that_are_not_held() {
        let gene = |(name, shift, linear): (&str, f64, f64)| PerturbedGene {
            gene: name.into(),
            held_down: name == "held",
            control: 0.0,
            knockout: shift,
            shift: Estimate::of(&Array1::from_elem(1, shift)),
            linear,
            deviations: 0.0,
        };
        let genes =
            [("a", 1.0, 4.0), ("held", 9.0, 9.0), ("b", 2.0, 2.0), ("c", 3.0, 3.0)].map(gene);
        // Off their means (−1, 0, 1) and (1, −1, 0): −1 of 2.
        assert!((correlation(&genes) + 0.5).abs() < 1e-12);
    }
}
