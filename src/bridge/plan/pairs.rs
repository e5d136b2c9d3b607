//! The pairs of a coupling and their curves: each position is a sum of parts of the two cells.

use ndarray::{Array1, Array2};

use crate::bridge::plan::attraction::Attracted;
use crate::error::{Error, Result};
use crate::linalg::product;

/// The pairs of a coupling with the positions of their cells relative to the centre; sorted by
/// source cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pairs {
    /// Positions of the source cells, n × d.
    pub(super) source: Array2<f64>,
    /// Positions of the target cells, m × d.
    pub(super) target: Array2<f64>,
    /// Source cell of each pair.
    pub(super) sources: Vec<u32>,
    /// Target cell of each pair.
    pub(super) targets: Vec<u32>,
    /// Mass of each pair.
    pub(super) masses: Vec<f64>,
    /// The bend of the curves.
    pub(super) bend: Option<Bend>,
    /// Factor φ of the bend of each pair.
    pub(super) factors: Vec<f64>,
    /// The attraction of the curves to the data.
    pub(super) attracted: Option<Attracted>,
}

/// One pair of a coupling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::bridge) struct Pair {
    /// Source cell.
    pub(in crate::bridge) i: usize,
    /// Target cell.
    pub(in crate::bridge) j: usize,
    /// Mass.
    pub(in crate::bridge) mass: f64,
    /// φ, see [`Bend`].
    pub(in crate::bridge) factor: f64,
}

/// Velocities at both ends of a path, relative to the straight line.
///
/// The pair of cells i and j is at `(1−t) x_i + t y_j + φ (t(1−t)² a_i − t²(1−t) b_j)`. This is the
/// cubic whose velocity is `y_j − x_i + φ a_i` at the start and `y_j − x_i + φ b_j` at the end. φ
/// is a number of the pair: 0 for a straight line.
#[derive(Debug, Clone, PartialEq)]
pub struct Bend {
    /// `a_i`: velocity at the start less that of the straight line, n_source × d.
    pub source: Array2<f64>,
    /// `b_j`: velocity at the end less that of the straight line, n_target × d.
    pub target: Array2<f64>,
}

/// A quantity of each pair that is the sum of a part of its source cell and a part of its target
/// cell, of φ times such a sum, and of a part of its own. Products with such quantities take time
/// for each cell and not for each pair.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parts {
    /// The parts of the cells.
    pub(super) ends: Both,
    /// The parts of the cells that are multiplied by φ.
    pub(super) bends: Option<Both>,
    /// The part of the pair itself, one row for each pair.
    pub(super) own: Option<Array2<f64>>,
}

/// One row for each source cell, and one for each target cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Both {
    /// Rows of the source cells.
    pub(super) source: Array2<f64>,
    /// Rows of the target cells.
    pub(super) target: Array2<f64>,
}

impl Both {
    /// `f` of both arrays.
    pub(super) fn map(&self, f: impl Fn(&Array2<f64>) -> Array2<f64>) -> Self {
        Self { source: f(&self.source), target: f(&self.target) }
    }
}

impl Parts {
    /// `f` of all arrays; `f` must be linear.
    pub(super) fn map(&self, f: impl Fn(&Array2<f64>) -> Array2<f64>) -> Self {
        Self {
            ends: self.ends.map(&f),
            bends: self.bends.as_ref().map(|bends| bends.map(&f)),
            own: self.own.as_ref().map(&f),
        }
    }
}

impl Pairs {
    /// From pairs sorted by source cell, then target cell, then φ.
    ///
    /// # Errors
    /// [`Error::Parameter`] for pairs out of order or repeated, a cell that does not exist, a mass
    /// that is not finite and > 0, or no pair.
    pub(super) fn new(
        source: Array2<f64>,
        target: Array2<f64>,
        all: impl IntoIterator<Item = Pair>,
    ) -> Result<Self> {
        let refuse = |must, got: String| Err(Error::Parameter { name: "the coupling", must, got });
        let mut pairs = Self {
            source,
            target,
            sources: Vec::new(),
            targets: Vec::new(),
            masses: Vec::new(),
            bend: None,
            factors: Vec::new(),
            attracted: None,
        };
        let mut last: Option<Pair> = None;
        for pair in all {
            let Pair { i, j, mass, factor } = pair;
            if i >= pairs.source.nrows() || j >= pairs.target.nrows() {
                return refuse("pairs of cells that exist", format!("({i}, {j})"));
            }
            if !(0.0 < mass && mass < f64::INFINITY && factor.is_finite()) {
                return refuse("masses that are finite and > 0", mass.to_string());
            }
            let later = last.is_none_or(|last| {
                (last.i, last.j) < (i, j) || ((last.i, last.j) == (i, j) && last.factor < factor)
            });
            if !later {
                return refuse(
                    "pairs sorted by source, then target",
                    format!("({i}, {j}) out of order"),
                );
            }
            last = Some(pair);
            pairs.sources.push(i as u32);
            pairs.targets.push(j as u32);
            pairs.masses.push(mass);
            pairs.factors.push(factor);
        }
        if last.is_none() {
            return refuse("at least one pair", "none".into());
        }
        Ok(pairs)
    }

    /// Source cell, target cell and φ of pair `p`.
    pub(super) fn of(&self, p: usize) -> (usize, usize, f64) {
        (self.sources[p] as usize, self.targets[p] as usize, self.factors[p])
    }

    /// The pairs of the same source cell as pair `p`, which is its first.
    pub(super) fn of_same_source(&self, p: usize) -> std::ops::Range<usize> {
        let source = self.sources[p];
        p..p + self.sources[p..].partition_point(|&other| other <= source)
    }

    /// The sum of the parts of pair `p`.
    pub(super) fn sum(&self, parts: &Parts, p: usize) -> Array1<f64> {
        let (i, j, factor) = self.of(p);
        let mut sum = &parts.ends.source.row(i) + &parts.ends.target.row(j);
        if let Some(bends) = &parts.bends {
            sum.scaled_add(factor, &bends.source.row(i));
            sum.scaled_add(factor, &bends.target.row(j));
        }
        if let Some(own) = &parts.own {
            sum += &own.row(p);
        }
        sum
    }

    /// The sum of the parts of every pair, one row for each.
    pub(super) fn sums(&self, parts: &Parts) -> Array2<f64> {
        let mut sums = Array2::zeros((self.sources.len(), self.source.ncols()));
        for (p, mut row) in sums.rows_mut().into_iter().enumerate() {
            row.assign(&self.sum(parts, p));
        }
        // Adding zero turns −0 into 0, so that equal positions have equal bits.
        sums + 0.0
    }

    /// `Σ_p w_p (parts of p)` for shares w of pairs.
    pub(super) fn mean(parts: &Parts, shares: &AllShares) -> Array2<f64> {
        let sum = |shares: &Shares, both: &Both| {
            product(shares.source.view(), both.source.view())
                + product(shares.target.view(), both.target.view())
        };
        let mut mean = sum(&shares.plain, &parts.ends);
        if let Some(bends) = &parts.bends {
            mean += &sum(&shares.bent, bends);
        }
        if let Some(own) = &parts.own {
            mean += &product(shares.own.view(), own.view());
        }
        mean
    }

    /// Positions of the pairs at t.
    pub(super) fn places(&self, t: f64) -> Parts {
        let mut parts = self.places_of_cubics(t);
        parts.own = self.shift(&parts, t);
        parts
    }

    /// Whether all pairs move on straight lines, apart from noise.
    pub(super) fn is_straight(&self) -> bool {
        self.bend.is_none() && self.attracted.is_none()
    }

    /// Velocities of the curves at t, the derivative of [`Pairs::places`].
    pub(super) fn velocities(&self, t: f64) -> Parts {
        let mut parts = self.velocities_of_cubics(t);
        parts.own = self.attracted.as_ref().map(|attracted| {
            let curves = self.sums(&self.places_of_cubics(t));
            attracted.speed(&curves, &self.sums(&parts), t)
        });
        parts
    }

    /// Velocities of straight lines, `y_j − x_i`.
    pub(super) fn velocities_of_lines(&self) -> Parts {
        let ends = Both { source: -&self.source, target: self.target.clone() };
        Parts { ends, bends: None, own: None }
    }

    /// `g_p = c_p + (1−t) ċ_p` for the curves `c_p`. The drift of a Brownian bridge around a curve
    /// is `(g_p − x)/(1−t)`. For straight lines `g_p = y_j`.
    pub(super) fn goals(&self, t: f64) -> Parts {
        let left = 1.0 - t;
        let of_target = -2.0 * t * left * left;
        let mut parts = self.parts((0.0, 1.0), (left * left * (1.0 - 2.0 * t), of_target));
        if self.attracted.is_some() {
            let shift = self.shift(&self.places_of_cubics(t), t);
            let speed = self.velocities(t).own;
            parts.own = shift.zip(speed).map(|(shift, speed)| shift + speed * left);
        }
        parts
    }

    /// Positions without attraction.
    fn places_of_cubics(&self, t: f64) -> Parts {
        let left = 1.0 - t;
        self.parts((left, t), (t * left * left, -t * t * left))
    }

    /// Velocities without attraction.
    fn velocities_of_cubics(&self, t: f64) -> Parts {
        self.parts((-1.0, 1.0), ((1.0 - t) * (1.0 - 3.0 * t), t * (3.0 * t - 2.0)))
    }

    /// The change of positions by attraction at t.
    fn shift(&self, cubics: &Parts, t: f64) -> Option<Array2<f64>> {
        let attracted = self.attracted.as_ref()?;
        Some(attracted.shift(&self.sums(cubics), t))
    }

    /// Parts with these factors of source and target cells, and of the two bends.
    fn parts(&self, ends: (f64, f64), bends: (f64, f64)) -> Parts {
        Parts {
            ends: Both { source: &self.source * ends.0, target: &self.target * ends.1 },
            bends: self.bend.as_ref().map(|bend| Both {
                source: &bend.source * bends.0,
                target: &bend.target * bends.1,
            }),
            own: None,
        }
    }
}

/// Shares of pairs for rows of points.
#[derive(Debug, Clone)]
pub(super) struct AllShares {
    /// Summed over the pairs of each cell.
    pub(super) plain: Shares,
    /// The same times φ; without rows if no curve is bent.
    pub(super) bent: Shares,
    /// For each pair, k × n_pairs; without rows if pairs have no part of their own.
    pub(super) own: Array2<f64>,
}

/// Shares summed over the pairs of each source cell and of each target cell: k × n and k × m.
#[derive(Debug, Clone)]
pub(super) struct Shares {
    /// Shares of the source cells, k × n.
    pub(super) source: Array2<f64>,
    /// Shares of the target cells, k × m.
    pub(super) target: Array2<f64>,
}

impl AllShares {
    /// Zeros for `rows` points.
    pub(super) fn none(rows: usize, pairs: &Pairs) -> Self {
        let of = |rows| Shares {
            source: Array2::zeros((rows, pairs.source.nrows())),
            target: Array2::zeros((rows, pairs.target.nrows())),
        };
        let own = if pairs.attracted.is_some() { rows } else { 0 };
        Self {
            plain: of(rows),
            bent: of(if pairs.bend.is_some() { rows } else { 0 }),
            own: Array2::zeros((own, pairs.sources.len())),
        }
    }

    /// Adds the shares of all pairs at one row.
    pub(super) fn add(&mut self, row: usize, pairs: &Pairs, shares: &[f64]) {
        for (p, share) in shares.iter().enumerate().filter(|entry| *entry.1 > 0.0) {
            let (i, j, factor) = pairs.of(p);
            self.plain.source[[row, i]] += share;
            self.plain.target[[row, j]] += share;
            if pairs.bend.is_some() {
                self.bent.source[[row, i]] += factor * share;
                self.bent.target[[row, j]] += factor * share;
            }
            if pairs.attracted.is_some() {
                self.own[[row, p]] = *share;
            }
        }
    }
}
