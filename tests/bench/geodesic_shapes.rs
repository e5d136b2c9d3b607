//! Courses whose way is known: a Swiss roll, and two branches that curl past each other.

use std::f64::consts::PI;

use ndarray::{Array1, Array2, ArrayView2, s};
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use sbcell::bridge::{Coupling, SinkhornSolver};
use sbcell::geometry::{Cost, CostChoice, CostKind, SquaredEuclidean};
use sbcell::{Epsilon, Seed, Silent};

/// All costs, by name.
pub(crate) const COSTS: [(&str, CostKind); 3] = [
    ("euclidean", CostKind::Euclidean),
    ("geodesic-path", CostKind::GeodesicPath),
    ("geodesic-heat", CostKind::GeodesicHeat),
];

/// Cells of one time, and what is known of them.
#[derive(Clone)]
pub(crate) struct Cells {
    /// Places, `(n, 3)` or `(n, 2)`.
    pub(crate) points: Array2<f64>,
    /// How far each cell has come along the shape, `(n, 2)`: the length of its way, and its place
    /// across it (roll) or its branch, 0 or 1 (branches).
    pub(crate) known: Array2<f64>,
}

/// A roll of paper on which cells are spread evenly over a long stretch; at the second time all of
/// them have moved on by [`Roll::STEP`].
///
/// In the roll the paper is at radius θ at the angle θ, so that layers are 2π apart. The stretch
/// is more than a whole turn: its beginning lies under its end.
pub(crate) struct Roll;

impl Roll {
    /// Where the stretch begins and how long it is, on the paper.
    const STRETCH: (f64, f64) = (21.0, 75.0);
    /// How far cells move.
    pub(crate) const STEP: f64 = 15.0;
    /// Width of the paper.
    const WIDTH: f64 = 10.0;
    /// Noise of the bridges: cells wander by one, a sixth of the distance of two layers.
    pub(crate) const EPSILON: f64 = 1.0;

    /// Both times, `n` cells each.
    pub(crate) fn times(n: usize, seed: u64) -> [Cells; 2] {
        [0, 1].map(|time| {
            let mut stream = Seed(seed).stream("roll", time);
            let mut even = || -> f64 { StandardUniform.sample(&mut stream) };
            let mut known = Array2::zeros((n, 2));
            for mut row in known.rows_mut() {
                row[0] = Self::STRETCH.0 + Self::STEP * time as f64 + Self::STRETCH.1 * even();
                row[1] = Self::WIDTH * even();
            }
            Self::cells(known)
        })
    }

    /// Cells at known places on the paper.
    fn cells(known: Array2<f64>) -> Cells {
        let points = Array2::from_shape_fn((known.nrows(), 3), |(i, d)| {
            let angle = Self::angle(known[[i, 0]]);
            [angle * angle.cos(), known[[i, 1]], angle * angle.sin()][d]
        });
        Cells { points, known }
    }

    /// Where the paper has the length `length = ½ (θ√(1+θ²) + asinh θ)`, by Newton's method.
    fn angle(length: f64) -> f64 {
        let mut angle = (2.0 * length).sqrt();
        for _ in 0..20 {
            let slope = angle.hypot(1.0);
            angle -= (0.5 * (angle * slope + angle.asinh()) - length) / slope;
        }
        angle
    }

    /// Puts the last cell half way between two layers, near the beginning of the stretch.
    pub(crate) fn short_circuit(cells: &mut Cells) {
        let angle = Self::angle(Self::STRETCH.0 + 5.0);
        let radius = angle + PI;
        let last = cells.points.nrows() - 1;
        let place = [radius * angle.cos(), 0.5 * Self::WIDTH, radius * angle.sin()];
        cells.points.row_mut(last).assign(&Array1::from(place.to_vec()));
    }

    /// Share of the mass that jumps from layer to layer: of pairs to which the way along the paper
    /// is more than three times as long as the straight line. From a cell to the place where it
    /// belongs it is at most 1.3 times as long; from layer to layer, seven times and more.
    pub(crate) fn jumped(coupling: &Coupling, from: &Cells, to: &Cells) -> f64 {
        let distance = |a: &Array2<f64>, b: &Array2<f64>, (i, j): (usize, usize)| {
            (&a.row(i) - &b.row(j)).mapv(|d| d * d).sum().sqrt()
        };
        let jumps = |i, j| {
            let along = distance(&from.known, &to.known, (i, j));
            along > 3.0 * distance(&from.points, &to.points, (i, j))
        };
        let mass = |(i, j, mass): (usize, usize, f64)| if jumps(i, j) { mass } else { 0.0 };
        coupling.pairs().map(mass).sum::<f64>() / coupling.kept()
    }

    /// Root mean square over the cells of how far the mean of their partners, on the paper, is
    /// from where they belong, as a share of [`Roll::STEP`].
    pub(crate) fn error(coupling: &Coupling, from: &Cells, to: &Cells) -> f64 {
        let mut off = coupling.conditional_mean(to.known.view()).unwrap() - &from.known;
        off.column_mut(0).mapv_inplace(|moved| moved - Self::STEP);
        (off.mapv(|d| d * d).sum() / off.nrows() as f64).sqrt() / Self::STEP
    }
}

/// A stem that parts into two branches, both of which curl around the same centre, one inside and
/// one outside, until they have passed each other. Three thirds of the way are three times.
pub(crate) struct Branches;

impl Branches {
    /// How far a branch goes around, in degrees.
    const TURN: f64 = 240.0;
    /// Radius of the stem, and what a branch gains or loses until its end.
    const RADIUS: (f64, f64) = (10.0, 3.0);
    /// Noise across the branches: a fifteenth of their distance where they pass each other.
    const NOISE: f64 = 0.3;
    /// Noise of the bridges, as [`Roll::EPSILON`].
    pub(crate) const EPSILON: f64 = 1.0;

    /// Three snapshots of `n` cells, half of them on each branch.
    pub(crate) fn thirds(n: usize, seed: u64) -> [Cells; 3] {
        [0, 1, 2].map(|third| {
            let mut stream = Seed(seed).stream("branches", third);
            let (mut points, mut known) = (Array2::zeros((n, 2)), Array2::zeros((n, 2)));
            for i in 0..n {
                let share: f64 = StandardUniform.sample(&mut stream);
                let noise: f64 = StandardNormal.sample(&mut stream);
                let along = (third as f64 + share) / 3.0;
                let side = if i % 2 == 0 { 1.0 } else { -1.0 };
                let angle = (side * Self::TURN * along - 90.0).to_radians();
                let radius = Self::RADIUS.0 - side * Self::RADIUS.1 * along + Self::NOISE * noise;
                points.row_mut(i).assign(&(Array1::from(vec![angle.cos(), angle.sin()]) * radius));
                known.row_mut(i).assign(&Array1::from(vec![along, (i % 2) as f64]));
            }
            Cells { points, known }
        })
    }

    /// Puts the last cell half way between the branches where they pass each other.
    pub(crate) fn short_circuit(cells: &mut Cells) {
        let last = cells.points.nrows() - 1;
        cells.points.row_mut(last).assign(&Array1::from(vec![0.0, Self::RADIUS.0]));
    }

    /// Share of the mass that goes from one branch to the other.
    pub(crate) fn crossed(coupling: &Coupling, from: &Cells, to: &Cells) -> f64 {
        let crosses = |i, j| (from.known[[i, 1]] - to.known[[j, 1]]).abs() > 0.5;
        let mass = |(i, j, mass): (usize, usize, f64)| if crosses(i, j) { mass } else { 0.0 };
        coupling.pairs().map(mass).sum::<f64>() / coupling.kept()
    }

    /// Root mean square over the cells of how far the mean of their partners is from a third
    /// further along, as a share of that third.
    pub(crate) fn error(coupling: &Coupling, from: &Cells, to: &Cells) -> f64 {
        let along = |cells: &Cells| cells.known.slice(s![.., ..1]).to_owned();
        let off = coupling.conditional_mean(along(to).view()).unwrap() - along(from) - 1.0 / 3.0;
        3.0 * (off.mapv(|d| d * d).sum() / off.nrows() as f64).sqrt()
    }
}

/// The snapshots turned at random into `dim` dimensions, with noise of deviation `noise` in each.
pub(crate) fn embedded(snapshots: &[Cells], dim: usize, noise: f64) -> Vec<Array2<f64>> {
    let mut stream = Seed(17).stream("embedding", dim as u64);
    let mut normal = || -> f64 { StandardNormal.sample(&mut stream) };
    let own = snapshots[0].points.ncols();
    // Orthonormal rows by Gram and Schmidt.
    let mut turn = Array2::from_shape_simple_fn((own, dim), &mut normal);
    for row in 0..own {
        let (done, mut rest) = turn.view_mut().split_at(ndarray::Axis(0), row);
        let mut row = rest.row_mut(0);
        for other in done.rows() {
            let share = row.dot(&other);
            row.scaled_add(-share, &other);
        }
        let norm = row.dot(&row).sqrt();
        row /= norm;
    }
    let mut all = Vec::new();
    for cells in snapshots {
        let mut points = cells.points.dot(&turn);
        points.mapv_inplace(|value| value + noise * normal());
        all.push(points);
    }
    all
}

/// The entropic coupling of snapshot `from` to snapshot `to` of a course by the cost of `choice`.
pub(crate) fn coupled(
    choice: &CostChoice,
    snapshots: &[ArrayView2<'_, f64>],
    (from, to): (usize, usize),
    epsilon: f64,
) -> Coupling {
    let ground = choice.ground(snapshots, &mut Silent).unwrap();
    entropic(&*ground.cost(from, to, &mut Silent).unwrap(), epsilon)
}

/// What the coupling would be if the way along the shape were known: half the squared distance of
/// what is known of the cells.
pub(crate) fn coupled_by_truth(from: &Cells, to: &Cells, epsilon: f64) -> Coupling {
    let cost = SquaredEuclidean::new(from.known.view(), to.known.view()).unwrap();
    entropic(&cost, epsilon)
}

fn entropic(cost: &dyn Cost, epsilon: f64) -> Coupling {
    let even = |n: usize| Array1::from_elem(n, 1.0 / n as f64);
    let (p, q) = (even(cost.shape().0), even(cost.shape().1));
    let solver = SinkhornSolver::default().with_tolerance(1e-6);
    let epsilon = Epsilon::new(epsilon).unwrap();
    let plan = solver.couple(cost, p.view(), q.view(), epsilon, &mut Silent).unwrap();
    plan.coupling(1e-6).unwrap()
}

/// A cost of `kind`, otherwise by default.
pub(crate) fn choice(kind: CostKind) -> CostChoice {
    CostChoice { kind, ..CostChoice::default() }
}
