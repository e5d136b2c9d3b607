//! The ε of couplings of a fit: chosen by two halves of the genes, or given.

use crate::bridge::Property;
use crate::error::Result;
use crate::lineage::{CouplingNoise, HalvesAgreement, coupling_noise, snapshot_width};
use crate::pipeline::fit::options::FitOptions;
use crate::pipeline::fit::reference::Reference;
use crate::pipeline::shared::coordinates::Prepared;
use crate::pipeline::shared::coupling_epsilon::CouplingEpsilon;
use crate::progress::{self, Progress};

/// ε of couplings in an embedding, as a share of [`snapshot_width`]. Simulated courses with known
/// fates were predicted best between 0.56 and 0.8 (`docs/decisions/0030`).
const EMBEDDED: f64 = 0.7;

/// The ε of couplings that a model records, and how the data chose it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ChosenCoupling {
    /// ε in scaled units; `None` for the couplings of the bridges.
    pub(super) epsilon: Option<f64>,
    /// The agreement of the halves, if they were compared.
    pub(super) noise: Option<CouplingNoise>,
}

/// The ε of couplings for the cells `prepared` at `times`. If the data choose it: from two halves of the
/// genes; [`EMBEDDED`] of [`snapshot_width`] without genes; and the couplings of the bridges if
/// these have a cost or a reference process of their own.
///
/// Time of 22 entropic couplings of at most 500 cells a side for each interval.
///
/// # Errors
/// Those of [`coupling_noise`]; [`crate::Error::Cancelled`].
pub(super) fn choose(
    prepared: &Prepared,
    times: &[f64],
    options: &FitOptions,
    progress: &mut dyn Progress,
) -> Result<ChosenCoupling> {
    match options.coupling_epsilon {
        CouplingEpsilon::Fit => return Ok(ChosenCoupling { epsilon: None, noise: None }),
        CouplingEpsilon::Is(value) => {
            return Ok(ChosenCoupling { epsilon: Some(value), noise: None });
        }
        CouplingEpsilon::Auto => {}
    }
    // The user has said how cells are coupled.
    let own = options.solver.has(Property::OwnCost) || options.reference != Reference::Brownian;
    if own {
        return Ok(ChosenCoupling { epsilon: None, noise: None });
    }
    let Some(halves) = &prepared.halves else {
        let width = snapshot_width(prepared.points.ncols());
        return Ok(ChosenCoupling { epsilon: Some(EMBEDDED * width), noise: None });
    };
    let noise = coupling_noise(&halves.course(&prepared.points, times)?, progress)?;
    say_end(&noise, progress)?;
    say_depth(&noise, progress)?;
    say_agreement(&noise, progress)?;
    Ok(ChosenCoupling { epsilon: Some(noise.epsilon), noise: Some(noise) })
}

/// Notes that the chosen ε is the smallest or largest that was tried.
fn say_end(noise: &CouplingNoise, progress: &mut dyn Progress) -> Result<()> {
    let is_chosen = |point: Option<&HalvesAgreement>| {
        point.is_some_and(|point| point.epsilon.total_cmp(&noise.epsilon).is_eq())
    };
    let which = if is_chosen(noise.curve.first()) {
        "smallest"
    } else if is_chosen(noise.curve.last()) {
        "largest"
    } else {
        return Ok(());
    };
    let text = format!(
        "the ε of couplings is the {which} that was tried: look at coupling.svg, and try others with the \
         parameter `coupling_epsilon`"
    );
    progress::note(progress, text)
}

/// Notes that both halves of the genes agree on no future.
fn say_agreement(noise: &CouplingNoise, progress: &mut dyn Progress) -> Result<()> {
    let agree = |point: &HalvesAgreement| point.agreement > 2.0 * point.error;
    if noise.curve.iter().any(agree) {
        return Ok(());
    }
    let text = "two halves of the genes predict different futures of the cells at every ε of couplings: fates of \
                single cells say little here"
        .to_string();
    progress::note(progress, text)
}

/// Above this share of the variance of predicted futures that goes with depth, a note warns of it.
const MOST_OF_DEPTH: f64 = 0.3;

/// Notes that predicted futures follow how much was measured of a cell.
fn say_depth(noise: &CouplingNoise, progress: &mut dyn Progress) -> Result<()> {
    if noise.of_depth.is_nan() || noise.of_depth <= MOST_OF_DEPTH {
        return Ok(());
    }
    let text = format!(
        "{:.0} % of the differences between the predicted futures of cells go with the sum of their \
         expression: fates may show how much was measured of a cell. If the values are not scaled to one \
         depth, fit on counts if the file has them (the parameters `layer` and `use_raw`)",
        100.0 * noise.of_depth
    );
    progress::note(progress, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::shared::recorder::Recorder;
    use crate::progress::Silent;

    #[test]
    fn notes_tell_of_depth_and_of_halves_that_never_agree() {
        let said = |agreement: f64, of_depth: f64| {
            let point = |epsilon: f64| HalvesAgreement { epsilon, agreement, error: 0.02 };
            let curve = [1.0, 2.0, 4.0].map(point).to_vec();
            let noise = CouplingNoise { epsilon: 2.0, curve, of_depth };
            let mut silent = Silent;
            let mut notes = Recorder::new(&mut silent);
            say_depth(&noise, &mut notes).unwrap();
            say_agreement(&noise, &mut notes).unwrap();
            notes.into_notes().join("\n")
        };
        assert_eq!(said(0.3, 0.1), "");
        assert_eq!(said(0.3, f64::NAN), "");
        assert!(said(0.3, 0.58).starts_with("58 % of the differences"));
        assert!(said(0.03, 0.1).contains("fates of single cells say little"));
        assert!(said(f64::NAN, 0.1).contains("predict different futures"));
    }
}
