//! The bridge of a coupling as plain numbers: the schema of a `PlanBridge` in model files.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use crate::bridge::plan::attraction::Attraction;
use crate::bridge::plan::pairs::{Bend, Pair};
use crate::bridge::plan::process::{Motion, PlanBridge};
use crate::bridge::record::table;
use crate::bridge::{Bridge, BridgeRecord};
use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::geometry::Epsilon;

/// The pairs of a [`PlanBridge`], sorted by source cell, then target cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRecord {
    /// Number of dimensions.
    pub dim: usize,
    /// Variance of the reference process per unit of local time.
    pub epsilon: f64,
    /// How cells move to their partners.
    pub motion: Motion,
    /// Whether the coupling may deviate from the source marginal.
    #[serde(default)]
    pub relaxed: bool,
    /// Source cell of each pair, counted from zero.
    pub source: Vec<u32>,
    /// Target cell of each pair, counted from zero.
    pub target: Vec<u32>,
    /// Mass of each pair.
    pub mass: Vec<f64>,
    /// Whether all growth of the interval takes place at its start.
    #[serde(default)]
    pub growth_at_once: bool,
    /// Factor φ of the bend of each pair; empty if all are 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub factor: Vec<f64>,
    /// Velocity of the curves at their source cells relative to straight lines, one row for each
    /// cell; empty if straight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leave: Vec<Vec<f64>>,
    /// The same at their target cells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reach: Vec<Vec<f64>>,
    /// Covariance of the noise per unit of local time; empty if it is `epsilon` in every direction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noise: Vec<Vec<f64>>,
    /// Strength and width of the attraction to the data, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attraction: Option<(f64, f64)>,
}

impl PlanRecord {
    /// The numbers of a bridge.
    pub(super) fn of(bridge: &PlanBridge) -> BridgeRecord {
        let (mut source, mut target, mut mass) = (Vec::new(), Vec::new(), Vec::new());
        for (i, j, share) in bridge.pairs() {
            source.push(i as u32);
            target.push(j as u32);
            mass.push(share);
        }
        let (dim, epsilon, motion) = (bridge.dim(), bridge.epsilon().value(), bridge.motion());
        let relaxed = bridge.plan_marginal().is_some();
        let rows =
            |bends: ArrayView2<'_, f64>| bends.rows().into_iter().map(|row| row.to_vec()).collect();
        let (leave, reach) = bridge.bend().map_or_else(Default::default, |bend| {
            (rows(bend.source.view()), rows(bend.target.view()))
        });
        let whole = bridge.factors().iter().all(|factor| (factor - 1.0).abs() < f64::EPSILON);
        let factor = if whole { Vec::new() } else { bridge.factors().to_vec() };
        let growth_at_once = bridge.grows_at_once();
        let noise = bridge.noise_covariance().map_or_else(Vec::new, rows);
        BridgeRecord::Plan(Self {
            dim,
            epsilon,
            motion,
            relaxed,
            source,
            target,
            mass,
            growth_at_once,
            factor,
            leave,
            reach,
            noise,
            attraction: bridge.attraction().map(|how| (how.strength, how.width)),
        })
    }

    /// The bridge of these numbers between the snapshots of its problem.
    ///
    /// # Errors
    /// As [`BridgeRecord::restore`].
    pub fn restore(self, source: &Snapshot, target: &Snapshot) -> Result<PlanBridge> {
        for got in [self.target.len(), self.mass.len()] {
            if got != self.source.len() {
                let (what, unit) = ("the plan", "entries");
                return Err(Error::Shape { what, unit, expected: self.source.len(), got });
            }
        }
        let whole = self.factor.is_empty();
        if !whole && self.factor.len() != self.source.len() {
            let (what, unit) = ("the plan", "factors");
            let (expected, got) = (self.source.len(), self.factor.len());
            return Err(Error::Shape { what, unit, expected, got });
        }
        let pairs = (0..self.source.len()).map(|p| Pair {
            i: self.source[p] as usize,
            j: self.target[p] as usize,
            mass: self.mass[p],
            factor: if whole { 1.0 } else { self.factor[p] },
        });
        let epsilon = Epsilon::new(self.epsilon)?;
        let mut bridge = PlanBridge::of_pairs(source, target, pairs, epsilon, self.motion)?;
        if !(self.leave.is_empty() && self.reach.is_empty()) {
            let leave = table("leave", &self.leave, self.dim)?;
            bridge = bridge
                .bent(Bend { source: leave, target: table("reach", &self.reach, self.dim)? })?;
        }
        if let Some((strength, width)) = self.attraction {
            bridge = bridge.attracted(Attraction { strength, width })?;
        }
        if !self.noise.is_empty() {
            bridge = bridge.noisy(table("noise", &self.noise, self.dim)?)?;
        }
        if self.growth_at_once {
            bridge = bridge.growing_at_once();
        }
        Ok(if self.relaxed { bridge.relaxed() } else { bridge })
    }
}
