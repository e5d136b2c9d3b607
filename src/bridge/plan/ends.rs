//! Bridges without means of two cells: cells follow their neighbours from one end of a pair.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, concatenate};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardUniform};
use serde::{Deserialize, Serialize};

use crate::bridge::chunks::{in_chunks, stacked};
use crate::bridge::plan::process::CHUNK;
use crate::bridge::record::table;
use crate::bridge::{Bridge, BridgeRecord, Coupling, Link, UnitTime};
use crate::data::Snapshot;
use crate::error::{Error, Result, shape};
use crate::geometry::{Epsilon, Lanes};
use crate::progress::Progress;
use crate::rng::{Seed, weighted_index};

/// How cells end in an [`EndsBridge`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    /// Every cell follows its own displacement to the end. It does not reach the later snapshot,
    /// but a cloud near it with the width of the earlier one.
    Own,
    /// At a uniformly distributed time every cell jumps from its own end of the pair to the end of
    /// its partner.
    Switched,
}

/// The process that preserves the width of both snapshots: no position is a mean of two cells.
///
/// Source cell i is at `x_i + t D_i`, its partner j at `y_j − (1−t) E_j`. D and E are displacements
/// that neighbouring cells share. With [`Ends::Switched`] a cell is on the first curve until a time
/// that is uniform in [0, 1], and then jumps to the second curve. `X_t` has the distribution of the
/// first curves with probability 1−t and of the second with probability t. With [`Ends::Own`] cells
/// stay on the first curve.
///
/// The drift at x is the velocity of the curve that is nearest at this time, averaged by mass if
/// several are equally near: the movement between jumps. Jumps are in the draws, not in the drift.
/// There is no noise, and the Jacobian is zero. A point takes `3 (n + m) d` flops.
#[derive(Debug, Clone, PartialEq)]
pub struct EndsBridge {
    /// Source cells, n × d.
    source: Array2<f64>,
    /// Target cells, m × d.
    target: Array2<f64>,
    /// Displacements D of the source cells.
    forward: Array2<f64>,
    /// Displacements E of the target cells.
    backward: Array2<f64>,
    /// The pairs.
    coupling: Coupling,
    /// Marginals of the coupling (source, target).
    masses: (Vec<f64>, Vec<f64>),
    /// How cells end.
    ends: Ends,
    /// ε of the problem.
    epsilon: Epsilon,
    /// Source marginal of the coupling, if it was relaxed.
    plan_marginal: Option<Array1<f64>>,
}

impl EndsBridge {
    /// Between the cells of `source` and `target`, paired by `coupling`. `forward` are the
    /// displacements D, one row for each source cell. `backward` are the displacements E that
    /// brought each target cell to its position.
    ///
    /// # Errors
    /// [`Error::Shape`] if numbers of cells or dimensions differ; [`Error::Parameter`] if a
    /// displacement is not finite.
    pub fn new(
        source: &Snapshot,
        target: &Snapshot,
        coupling: Coupling,
        forward: Array2<f64>,
        backward: Array2<f64>,
        ends: Ends,
        epsilon: Epsilon,
    ) -> Result<Self> {
        let (source, target) = (source.points().to_owned(), target.points().to_owned());
        let (n, m) = coupling.shape();
        for (what, unit, expected, got) in [
            ("the plan", "source cells", source.nrows(), n),
            ("the plan", "target cells", target.nrows(), m),
            ("displacements", "source cells", source.nrows(), forward.nrows()),
            ("displacements", "target cells", target.nrows(), backward.nrows()),
            ("displacements", "dimensions", source.ncols(), forward.ncols()),
            ("displacements", "dimensions", source.ncols(), backward.ncols()),
            ("the target snapshot", "dimensions", source.ncols(), target.ncols()),
        ] {
            if expected != got {
                return Err(Error::Shape { what, unit, expected, got });
            }
        }
        if let Some(bad) = forward.iter().chain(&backward).find(|value| !value.is_finite()) {
            let (name, must) = ("displacements", "finite");
            return Err(Error::Parameter { name, must, got: bad.to_string() });
        }
        let (of_source, of_target) = coupling.marginals();
        let masses = (of_source.to_vec(), of_target.to_vec());
        let plan_marginal = None;
        Ok(Self {
            source,
            target,
            forward,
            backward,
            coupling,
            masses,
            ends,
            epsilon,
            plan_marginal,
        })
    }

    /// States that the coupling may deviate from the source marginal. All growth then takes place
    /// at the start.
    #[must_use]
    pub fn relaxed(mut self) -> Self {
        let shares = Array1::from(self.masses.0.clone());
        let total = shares.sum();
        self.plan_marginal = Some(shares / total);
        self
    }

    /// The curves at t: those of the source cells, then those of the target cells.
    fn places(&self, t: f64) -> Lanes {
        let own = &self.source + &(&self.forward * t);
        let others = &self.target - &(&self.backward * (1.0 - t));
        Lanes::new(concatenate![Axis(0), own, others].view())
    }

    /// The fraction of the population on each curve at t.
    fn weights(&self, t: f64) -> Vec<f64> {
        let later = if self.ends == Ends::Switched { t } else { 0.0 };
        let own = self.masses.0.iter().map(|mass| mass * (1.0 - later));
        own.chain(self.masses.1.iter().map(|mass| mass * later)).collect()
    }

    /// The velocity of a curve.
    fn velocity(&self, curve: usize) -> ArrayView1<'_, f64> {
        match curve.checked_sub(self.source.nrows()) {
            None => self.forward.row(curve),
            Some(j) => self.backward.row(j),
        }
    }

    /// Calls `work` with the curves that are nearest at t and their weights for each row of `x`, in
    /// chunks of fixed size; results in order.
    fn nearest<T: Send>(
        &self,
        x: ArrayView2<'_, f64>,
        t: f64,
        work: impl Fn(usize, ArrayView2<'_, f64>, &[Vec<(usize, f64)>]) -> T + Sync,
    ) -> Vec<T> {
        let (places, weights) = (self.places(t), self.weights(t));
        in_chunks(x, CHUNK, |chunk, rows| {
            let mut squares = Vec::new();
            let near: Vec<Vec<(usize, f64)>> = rows
                .rows()
                .into_iter()
                .map(|row| {
                    places.squared_distances(&row.to_vec(), &mut squares);
                    nearest_of(&squares, &weights)
                })
                .collect();
            work(chunk, rows, &near)
        })
    }

    /// The position at `to` of a cell that is on `curve` at `from`.
    fn carry(
        &self,
        x: ArrayView1<'_, f64>,
        curve: usize,
        from: f64,
        to: f64,
        stream: &mut ChaCha8Rng,
    ) -> Array1<f64> {
        let on = |curve| &x + &(&self.velocity(curve) * (to - from));
        let stays: f64 = StandardUniform.sample(stream);
        let changes = self.ends == Ends::Switched
            && curve < self.source.nrows()
            && stays * (1.0 - from) >= 1.0 - to;
        if !changes {
            return on(curve);
        }
        let (targets, masses) = self.coupling.row(curve);
        let total: f64 = masses.iter().sum();
        let place: f64 = StandardUniform.sample(stream);
        let Some(pair) = weighted_index(masses.iter().copied(), place * total) else {
            return on(curve);
        };
        let j = targets[pair] as usize;
        &self.target.row(j) - &(&self.backward.row(j) * (1.0 - to))
    }
}

/// The positions with the smallest square among those of positive weight, with shares by weight.
fn nearest_of(squares: &[f64], weights: &[f64]) -> Vec<(usize, f64)> {
    let there = || squares.iter().zip(weights).enumerate().filter(|entry| *entry.1.1 > 0.0);
    let least = there().map(|entry| *entry.1.0).fold(f64::INFINITY, f64::min);
    let near: Vec<(usize, f64)> = there()
        .filter(|entry| *entry.1.0 <= least)
        .map(|(curve, (_, weight))| (curve, *weight))
        .collect();
    let total: f64 = near.iter().map(|entry| entry.1).sum();
    near.into_iter().map(|(curve, weight)| (curve, weight / total)).collect()
}

impl Bridge for EndsBridge {
    fn dim(&self) -> usize {
        self.source.ncols()
    }

    fn epsilon(&self) -> Epsilon {
        self.epsilon
    }

    /// The pairs of this bridge.
    fn link(&self, _: &Snapshot, _: &Snapshot, _: Seed, _: &mut dyn Progress) -> Result<Link> {
        Link::pairs(self.coupling.clone())
    }

    fn noise_variance(&self) -> f64 {
        0.0
    }

    /// The velocity of the nearest curves, averaged by weight.
    fn drift(&self, x: ArrayView2<'_, f64>, t: UnitTime) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        let chunks = self.nearest(x, t.value(), |_, rows, near| {
            let mut drift = Array2::zeros(rows.dim());
            for (mut row, near) in drift.rows_mut().into_iter().zip(near) {
                for (curve, share) in near {
                    row.scaled_add(*share, &self.velocity(*curve));
                }
            }
            drift
        });
        Ok(stacked(&chunks, x.dim()))
    }

    /// Zero: the drift is constant around each curve.
    fn mean_jacobian(&self, x: ArrayView2<'_, f64>, _t: UnitTime) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        Ok(Array2::zeros((self.dim(), self.dim())))
    }

    /// Continues on the nearest curve and jumps with the probability of the remaining time.
    fn sample_transition(
        &self,
        x: ArrayView2<'_, f64>,
        from: UnitTime,
        to: UnitTime,
        seed: Seed,
    ) -> Result<Array2<f64>> {
        shape::points(x, self.dim())?;
        if from.until(to)? < f64::MIN_POSITIVE {
            return Ok(x.to_owned());
        }
        let (from, to) = (from.value(), to.value());
        let chunks = self.nearest(x, from, |chunk, rows, near| {
            let mut stream = seed.stream("ends/transition", chunk as u64);
            let mut there = Array2::zeros(rows.dim());
            for ((mut place, row), near) in there.rows_mut().into_iter().zip(rows.rows()).zip(near)
            {
                let level: f64 = StandardUniform.sample(&mut stream);
                let chosen = weighted_index(near.iter().map(|entry| entry.1), level).unwrap_or(0);
                place.assign(&self.carry(row, near[chosen].0, from, to, &mut stream));
            }
            there
        });
        Ok(stacked(&chunks, x.dim()))
    }

    fn plan_marginal(&self) -> Option<ArrayView1<'_, f64>> {
        self.plan_marginal.as_ref().map(|shares| shares.view())
    }

    /// 1 at every time after the start for a relaxed coupling, else t.
    fn growth_by(&self, t: UnitTime) -> f64 {
        let at_once = self.plan_marginal.is_some() && t.value() > 0.0;
        if at_once { 1.0 } else { t.value() }
    }

    fn record(&self) -> BridgeRecord {
        let rows = |table: &Array2<f64>| table.rows().into_iter().map(|row| row.to_vec()).collect();
        let (mut source, mut target, mut mass) = (Vec::new(), Vec::new(), Vec::new());
        for (i, j, share) in self.coupling.pairs() {
            source.push(i as u32);
            target.push(j as u32);
            mass.push(share);
        }
        BridgeRecord::Ends(EndsRecord {
            dim: self.dim(),
            epsilon: self.epsilon.value(),
            ends: self.ends,
            relaxed: self.plan_marginal.is_some(),
            source,
            target,
            mass,
            forward: rows(&self.forward),
            backward: rows(&self.backward),
        })
    }
}

/// The numbers of an [`EndsBridge`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndsRecord {
    /// Number of dimensions.
    pub dim: usize,
    /// Variance of the reference process per unit of local time.
    pub epsilon: f64,
    /// How cells end.
    pub ends: Ends,
    /// Whether the coupling may deviate from the source marginal.
    #[serde(default)]
    pub relaxed: bool,
    /// Source cell of each pair, counted from zero.
    pub source: Vec<u32>,
    /// Target cell of each pair, counted from zero.
    pub target: Vec<u32>,
    /// Mass of each pair.
    pub mass: Vec<f64>,
    /// Displacement of each source cell.
    pub forward: Vec<Vec<f64>>,
    /// Displacement that brought each target cell to its position.
    pub backward: Vec<Vec<f64>>,
}

impl EndsRecord {
    /// The bridge of these numbers between the snapshots of its problem.
    ///
    /// # Errors
    /// As [`BridgeRecord::restore`].
    pub fn restore(self, source: &Snapshot, target: &Snapshot) -> Result<EndsBridge> {
        for got in [self.target.len(), self.mass.len()] {
            if got != self.source.len() {
                let (what, unit) = ("the plan", "entries");
                return Err(Error::Shape { what, unit, expected: self.source.len(), got });
            }
        }
        let pairs = (0..self.source.len())
            .map(|p| (self.source[p] as usize, self.target[p] as usize, self.mass[p]));
        let coupling = Coupling::new(source.n_cells(), target.n_cells(), pairs)?;
        let forward = table("forward", &self.forward, self.dim)?;
        let backward = table("backward", &self.backward, self.dim)?;
        let (ends, epsilon) = (self.ends, Epsilon::new(self.epsilon)?);
        let bridge = EndsBridge::new(source, target, coupling, forward, backward, ends, epsilon)?;
        Ok(if self.relaxed { bridge.relaxed() } else { bridge })
    }
}
