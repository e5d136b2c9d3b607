//! Couplings that respect clones: the weight of clones, and the coupling of each interval.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::bridge::{CloneCost, Link};
use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::geometry::Epsilon;
use crate::io::model::OpenModel;
use crate::lineage::{CLONE_WEIGHTS, CloneGain, CloneInterval, Clones, try_clone_weights};
use crate::pipeline::shared::clone_keys::CloneKeys;
use crate::pipeline::shared::process::Process;
use crate::progress::{self, Progress};
use crate::rng::Seed;

/// Whether couplings use clones, where the barcodes are, and which weight they have.
///
/// With clones, the coupling of each interval is the entropic coupling of the cells for the cost ½‖x−y‖²
/// plus a cost for leaving one's clone ([`CloneCost`]), whatever the solver of the fit.
///
/// ```
/// use sbcell::pipeline::{CloneCoupling, CloneKeys, CloneWeight};
///
/// let keys = CloneKeys::default().with_keys(vec!["barcode".into()]);
/// let clones = CloneCoupling::default().with_keys(keys).with_weight(CloneWeight::Auto);
/// assert!(clones.is_used() && !CloneCoupling::default().is_used());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct CloneCoupling {
    /// Where the barcodes are.
    pub keys: CloneKeys,
    /// The weight of clones.
    pub weight: CloneWeight,
}

/// The weight of clones in couplings, in units of ε: the kernel of a pair of different clones is multiplied by
/// `exp(−weight)`.
///
/// ```
/// use sbcell::pipeline::CloneWeight;
///
/// assert_eq!("auto".parse::<CloneWeight>()?, CloneWeight::Auto);
/// assert_eq!("2".parse::<CloneWeight>()?, CloneWeight::Given(2.0));
/// assert!("-1".parse::<CloneWeight>().is_err());
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloneWeight {
    /// The weight that best predicts where held-out sisters are; 0 if none is better than state alone.
    Auto,
    /// This weight, at least 0. With 0, couplings do not use clones.
    Given(f64),
}

impl Default for CloneWeight {
    fn default() -> Self {
        Self::Given(0.0)
    }
}

impl fmt::Display for CloneWeight {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => formatter.write_str("auto"),
            Self::Given(weight) => weight.fmt(formatter),
        }
    }
}

impl FromStr for CloneWeight {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.parse::<f64>() {
            _ if text == "auto" => Ok(Self::Auto),
            Ok(weight) if (0.0..f64::INFINITY).contains(&weight) => Ok(Self::Given(weight)),
            _ => {
                let (name, must) = ("clone_weight", "`auto`, or finite and at least 0");
                Err(Error::Parameter { name, must, got: text.into() })
            }
        }
    }
}

impl CloneCoupling {
    /// Whether couplings use clones.
    pub fn is_used(&self) -> bool {
        self.weight != CloneWeight::Given(0.0)
    }

    /// Whether couplings do not use clones, so that records need no entry.
    pub(crate) fn is_unused(&self) -> bool {
        !self.is_used()
    }

    /// Reads the clones of `model` and fixes their weight. `process` has the cells of the model, and `rows`
    /// the rows of the cells of each time; `epsilons` are those of the couplings. Notes tell the weight,
    /// and what clones add over state alone.
    ///
    /// Returns `None` if the couplings do not use clones.
    ///
    /// # Errors
    /// Those of [`CloneKeys::read`] and of the couplings.
    pub(crate) fn prepare(
        &self,
        model: &OpenModel,
        cells: Cells<'_>,
        seed: u64,
        progress: &mut dyn Progress,
    ) -> Result<Option<CloneLinks>> {
        if self.is_unused() {
            return Ok(None);
        }
        let Cells { process, rows, epsilons } = cells;
        let by_time = |labels: &[String]| {
            let of = |rows: &Vec<usize>| rows.iter().map(|&row| labels[row].clone()).collect();
            rows.iter().map(of).collect()
        };
        let clones = self.keys.read(model, by_time, progress)?;
        let intervals = (0..epsilons.len())
            .map(|k| {
                Ok(CloneInterval {
                    source: process.coupling_source(k)?,
                    target: process.snapshots[k + 1].clone(),
                    epsilon: epsilons[k],
                    clones: clones.between(k, k + 1),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let weights = match self.weight {
            CloneWeight::Auto => CLONE_WEIGHTS.to_vec(),
            CloneWeight::Given(weight) => vec![0.0, weight],
        };
        let seed = Seed(seed).child("clones/weight", 0);
        let trial = try_clone_weights(&intervals, &weights, seed, progress)?;
        let (gain, weight) = match self.weight {
            CloneWeight::Auto => {
                let best = trial.best();
                (best, if best.is_clear() { best.weight } else { 0.0 })
            }
            CloneWeight::Given(weight) => (trial.gain(1), weight),
        };
        progress::note(progress, self.words(&gain, weight))?;
        Ok((weight > 0.0).then_some(CloneLinks { clones, weight }))
    }

    /// A sentence on the weight of clones, and on what they add over state alone.
    fn words(&self, gain: &CloneGain, weight: f64) -> String {
        let held_out = format!(
            "for held-out sisters ({} clones, counted in each interval), R² of the positions is {:.2} with \
             clones and {:.2} from state alone (standard error of the difference {:.2})",
            gain.n_clones, gain.explained, gain.alone, gain.error
        );
        if weight > 0.0 {
            let chosen = if self.weight == CloneWeight::Auto { ", which was chosen" } else { "" };
            let used = format!(
                "couplings use clones with weight {weight}{chosen}: a pair of cells of different clones \
                 counts {:.2} of a pair of one clone",
                (-weight).exp()
            );
            return if gain.is_informed() {
                format!("{used}; {held_out}")
            } else {
                format!("{used}; too few clones have several late cells to show what they add")
            };
        }
        if gain.is_informed() {
            return format!("couplings do not use clones, which add nothing clear: {held_out}");
        }
        format!(
            "couplings do not use clones: only {} have several later cells beside an earlier one, too few to \
             choose a weight; set it with the parameter `clone_weight = 2`",
            gain.n_clones
        )
    }
}

/// The cells of a model, for [`CloneCoupling::prepare`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cells<'a> {
    /// The snapshots and the growth.
    pub(crate) process: &'a Process,
    /// For each time the rows of its cells in the model.
    pub(crate) rows: &'a [Vec<usize>],
    /// ε of the coupling of each interval.
    pub(crate) epsilons: &'a [Epsilon],
}

/// Couplings that use clones with a fixed weight.
#[derive(Debug)]
pub(crate) struct CloneLinks {
    clones: Clones,
    weight: f64,
}

impl CloneLinks {
    /// The coupling with clones between the cells at places `from` and `to`.
    ///
    /// # Errors
    /// As [`Link::with_clones`].
    pub(crate) fn link(
        &self,
        [from, to]: [usize; 2],
        source: &Snapshot,
        target: &Snapshot,
        epsilon: Epsilon,
    ) -> Result<Link> {
        let cost = CloneCost::new(&self.clones.between(from, to), self.weight)?;
        Link::with_clones(source, target, epsilon, cost)
    }
}
