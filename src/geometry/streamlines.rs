//! Streamlines: lines along the mean direction of the arrows of cells on an embedding.

use ndarray::{Array2, Array3, ArrayView2};

use crate::error::{Error, Result, shape};

/// Streamlines of arrows in the plane: curves that follow a smooth field of directions.
///
/// The places of the cells are scaled to the unit square. At each node of a grid the field is the mean of the
/// arrows with Gaussian weights of their distances. Nodes with little weight have no field. Lines start at
/// places without a line near them, from the margin inwards, and follow the direction of the field (not its
/// length) both ways, by the midpoint method, until they leave the field or meet another line.
///
/// This is the way of scVelo's `velocity_embedding_stream` (Bergen et al. 2020) with matplotlib's
/// `streamplot`. Results do not depend on threads.
///
/// ```
/// use ndarray::Array2;
/// use sbcell::geometry::Streamlines;
///
/// let points = Array2::from_shape_fn((400, 2), |(i, d)| [(i % 20) as f64, (i / 20) as f64][d]);
/// let right = Array2::from_shape_fn((400, 2), |(_, d)| [1.0, 0.0][d]);
/// let lines = Streamlines::default().lines(points.view(), right.view())?;
/// let (first, last) = (lines[0].first().unwrap(), lines[0].last().unwrap());
/// assert!(last[0] > first[0] + 10.0 && (last[1] - first[1]).abs() < 1e-6);
/// # sbcell::Result::Ok(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Streamlines {
    /// Number of grid nodes along each side, ≥ 2.
    pub grid: usize,
    /// Number of places for lines along each side, ≥ 1: more places, more lines.
    pub density: usize,
    /// Smallest length of a line, as a share of a side.
    pub shortest: f64,
}

impl Default for Streamlines {
    fn default() -> Self {
        Self { grid: 50, density: 24, shortest: 0.08 }
    }
}

/// Length of a step, as a share of a side.
const STEP: f64 = 0.004;
/// Largest number of steps in one direction.
const MOST_STEPS: usize = 500;
/// Steps between two places of a line.
const PER_PLACE: usize = 2;
/// Weight below which a node has no field, as a share of the weight of a typical node.
const LEAST_WEIGHT: f64 = 0.08;

impl Streamlines {
    /// The lines of the arrows `arrows` of cells at `points`, both `(n, 2)`. Places of the lines are in the
    /// coordinates of the points. Cells with NaN are left out.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes differ; [`Error::Parameter`] if the grid is too small.
    pub fn lines(
        self,
        points: ArrayView2<'_, f64>,
        arrows: ArrayView2<'_, f64>,
    ) -> Result<Vec<Vec<[f64; 2]>>> {
        shape::rows("the arrows", points.nrows(), arrows.nrows())?;
        shape::columns("the points", 2, points.ncols())?;
        shape::columns("the arrows", 2, arrows.ncols())?;
        if self.grid < 2 || self.density < 1 {
            let (name, must) = ("grid", "at least 2, and the density at least 1");
            return Err(Error::Parameter { name, must, got: self.grid.to_string() });
        }
        let known: Vec<usize> = (0..points.nrows())
            .filter(|&i| points.row(i).iter().chain(arrows.row(i)).all(|x| x.is_finite()))
            .collect();
        let ends = |d: usize| {
            let of = || known.iter().map(|&i| points[[i, d]]);
            (of().fold(f64::INFINITY, f64::min), of().fold(f64::NEG_INFINITY, f64::max))
        };
        let (low, range) = ([ends(0).0, ends(1).0], [0, 1].map(|d| ends(d).1 - ends(d).0));
        if range.iter().any(|range| range.is_nan() || *range <= 0.0) {
            return Ok(Vec::new());
        }
        let unit: Vec<[[f64; 2]; 2]> = known
            .iter()
            .map(|&i| {
                let place = [0, 1].map(|d| (points[[i, d]] - low[d]) / range[d]);
                [place, [0, 1].map(|d| arrows[[i, d]] / range[d])]
            })
            .collect();
        let field = Field::of(&unit, self.grid);
        let lines = self.traced(&field);
        let back = |line: Vec<[f64; 2]>| -> Vec<[f64; 2]> {
            line.into_iter().map(|at| [0, 1].map(|d| low[d] + at[d] * range[d])).collect()
        };
        Ok(lines.into_iter().map(back).collect())
    }

    /// The lines of a field, in the unit square.
    fn traced(self, field: &Field) -> Vec<Vec<[f64; 2]>> {
        let n = self.density;
        let mut taken = Array2::from_elem((n, n), false);
        let mut lines = Vec::new();
        for [row, column] in inwards(n) {
            if taken[[row, column]] {
                continue;
            }
            let start = [column, row].map(|at| (at as f64 + 0.5) / n as f64);
            if field.direction(start).is_none() {
                continue;
            }
            let mut own = vec![[row, column]];
            taken[[row, column]] = true;
            let mut line = self.half(field, start, -1.0, &mut taken, &mut own);
            line.reverse();
            line.push(start);
            line.extend(self.half(field, start, 1.0, &mut taken, &mut own));
            let length: f64 = line.windows(2).map(|pair| distance(pair[0], pair[1])).sum();
            if length >= self.shortest {
                lines.push(line);
            } else {
                for place in own {
                    taken[place] = false;
                }
            }
        }
        lines
    }

    /// The places of a line from `start` (without it) along the field, or against it.
    fn half(
        self,
        field: &Field,
        start: [f64; 2],
        way: f64,
        taken: &mut Array2<bool>,
        own: &mut Vec<[usize; 2]>,
    ) -> Vec<[f64; 2]> {
        let place = |at: [f64; 2]| {
            [at[1], at[0]].map(|x| ((x * self.density as f64) as usize).min(self.density - 1))
        };
        let (mut at, mut found) = (start, Vec::new());
        let mut here = place(at);
        for step in 1..=MOST_STEPS {
            let half = field.direction(at).map(|v| along(at, v, 0.5 * way * STEP));
            let Some(next) = half.and_then(|half| field.direction(half)) else { break };
            let next = along(at, next, way * STEP);
            if next.iter().any(|x| !(0.0..=1.0).contains(x)) {
                break;
            }
            let there = place(next);
            if there != here {
                if taken[there] {
                    break;
                }
                taken[there] = true;
                own.push(there);
                here = there;
            }
            at = next;
            if step % PER_PLACE == 0 {
                found.push(at);
            }
        }
        found
    }
}

/// A place at a distance from `at` in the direction `v`.
fn along(at: [f64; 2], v: [f64; 2], by: f64) -> [f64; 2] {
    [at[0] + by * v[0], at[1] + by * v[1]]
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// The places of an `n × n` board, from the margin inwards.
fn inwards(n: usize) -> Vec<[usize; 2]> {
    let depth = |at: &[usize; 2]| at.iter().map(|&x| x.min(n - 1 - x)).min().unwrap_or(0);
    let mut all: Vec<[usize; 2]> = (0..n * n).map(|at| [at / n, at % n]).collect();
    all.sort_by_key(depth);
    all
}

/// A field of arrows on a grid over the unit square.
struct Field {
    /// The mean arrow at each node, `(grid, grid, 2)`, row by row from below; NaN without a field.
    nodes: Array3<f64>,
}

impl Field {
    /// The field of cells, each a place in the unit square and an arrow.
    fn of(cells: &[[[f64; 2]; 2]], grid: usize) -> Self {
        let spacing = 1.0 / (grid - 1) as f64;
        // As wide as the distance between neighbours, if cells are few.
        let width = (0.7 / (cells.len() as f64).sqrt()).clamp(spacing, 0.2);
        let reach = (3.0 * width / spacing).ceil() as isize;
        let mut weights = Array2::<f64>::zeros((grid, grid));
        let mut nodes = Array3::<f64>::zeros((grid, grid, 2));
        for [place, arrow] in cells {
            let [column, row] = place.map(|x| (x / spacing).round() as isize);
            for i in (row - reach).max(0)..=(row + reach).min(grid as isize - 1) {
                for j in (column - reach).max(0)..=(column + reach).min(grid as isize - 1) {
                    let at = [j as f64 * spacing, i as f64 * spacing];
                    let far = distance(at, *place) / width;
                    let weight = (-0.5 * far * far).exp();
                    let node = [i as usize, j as usize];
                    weights[node] += weight;
                    for d in 0..2 {
                        nodes[[node[0], node[1], d]] += weight * arrow[d];
                    }
                }
            }
        }
        let mut positive: Vec<f64> = weights.iter().copied().filter(|w| *w > 1e-3).collect();
        positive.sort_by(f64::total_cmp);
        let typical = positive.get(positive.len() * 3 / 4).copied().unwrap_or(0.0);
        let least = (LEAST_WEIGHT * typical).max(0.05);
        for ((i, j), weight) in weights.indexed_iter() {
            for d in 0..2 {
                let node = &mut nodes[[i, j, d]];
                *node = if *weight >= least { *node / weight } else { f64::NAN };
            }
        }
        Self { nodes }
    }

    /// The direction of the field at a place, of length one; `None` where there is no field.
    fn direction(&self, at: [f64; 2]) -> Option<[f64; 2]> {
        let grid = self.nodes.dim().0;
        let scaled = at.map(|x| x.clamp(0.0, 1.0) * (grid - 1) as f64);
        let lower = scaled.map(|x| (x.floor() as usize).min(grid - 2));
        let share = [0, 1].map(|d| scaled[d] - lower[d] as f64);
        let mut sum = [0.0; 2];
        for (up, right) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let weight = [1.0 - share[0], share[0]][right] * [1.0 - share[1], share[1]][up];
            for (d, sum) in sum.iter_mut().enumerate() {
                *sum += weight * self.nodes[[lower[1] + up, lower[0] + right, d]];
            }
        }
        let length = sum[0].hypot(sum[1]);
        // Also `None` beside a node without a field, which is NaN.
        (length > 0.0).then(|| sum.map(|x| x / length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(n: usize) -> Array2<f64> {
        let side = (n - 1) as f64;
        let at = move |i: usize, d: usize| [i % n, i / n][d] as f64 / side * 2.0 - 1.0;
        Array2::from_shape_fn((n * n, 2), |(i, d)| at(i, d))
    }

    #[test]
    fn lines_of_a_rotation_are_circles() {
        let points = square(60);
        let turn = Array2::from_shape_fn(points.dim(), |(i, d)| {
            if d == 0 { -points[[i, 1]] } else { points[[i, 0]] }
        });
        let lines = Streamlines::default().lines(points.view(), turn.view()).unwrap();
        assert!(lines.len() > 5, "{}", lines.len());
        for line in &lines {
            let radii: Vec<f64> = line.iter().map(|at| at[0].hypot(at[1])).collect();
            let (low, high) = radii
                .iter()
                .fold((f64::INFINITY, 0.0_f64), |(low, high), r| (low.min(*r), high.max(*r)));
            assert!(high - low < 0.03, "{low} {high}");
            // Counter-clockwise.
            let (a, b) = (line[0], line[1]);
            assert!(a[0] * b[1] - a[1] * b[0] > 0.0);
        }
    }

    #[test]
    fn steps_by_the_midpoint_stay_on_a_circle() {
        // A rotation about the middle of the square, which the grid has exactly.
        let at = |x: usize| x as f64 / 20.0 - 0.5;
        let turn = |(i, j, d): (usize, usize, usize)| if d == 0 { -at(i) } else { at(j) };
        let field = Field { nodes: Array3::from_shape_fn((21, 21, 2), turn) };
        let whole = Streamlines { grid: 21, density: 1, shortest: 0.0 };
        let mut taken = Array2::from_elem((1, 1), true);
        let line = whole.half(&field, [0.8, 0.5], 1.0, &mut taken, &mut Vec::new());
        assert_eq!(line.len(), MOST_STEPS / PER_PLACE);
        // Euler's method would end at 0.327.
        for [x, y] in &line {
            assert!(((x - 0.5).hypot(y - 0.5) - 0.3).abs() < 1e-4, "{x} {y}");
        }
        // The length of the way is that of the steps: an angle of 500·0.004/0.3.
        let angle = MOST_STEPS as f64 * STEP / 0.3;
        let end = line.last().unwrap();
        assert!((end[0] - 0.5 - 0.3 * angle.cos()).abs() < 1e-3, "{end:?}");
    }

    #[test]
    fn lines_stay_where_cells_are_and_apart_from_each_other() {
        // Two clouds with a wide gap between them.
        let mut points = square(30);
        let mut cloud = square(30);
        cloud.column_mut(0).mapv_inplace(|x| x + 8.0);
        points.append(ndarray::Axis(0), cloud.view()).unwrap();
        let right = Array2::from_shape_fn(points.dim(), |(_, d)| [1.0, 0.0][d]);
        let lines = Streamlines::default().lines(points.view(), right.view()).unwrap();
        assert!(!lines.is_empty());
        for at in lines.iter().flatten() {
            assert!(at[0] < 2.0 || at[0] > 6.0, "{at:?}");
        }
        let firsts: Vec<f64> = lines.iter().map(|line| line[0][1]).collect();
        for (i, a) in firsts.iter().enumerate() {
            let near = lines.iter().enumerate().filter(|(j, line)| {
                *j != i
                    && (line[0][1] - a).abs() < 0.02
                    && (line[0][0] < 2.0) == (lines[i][0][0] < 2.0)
            });
            assert_eq!(near.count(), 0, "{firsts:?}");
        }
    }

    #[test]
    fn without_a_field_there_are_no_lines() {
        let lines = |points: &Array2<f64>, arrows: &Array2<f64>| {
            Streamlines::default().lines(points.view(), arrows.view())
        };
        let points = square(10);
        let still = Array2::zeros(points.dim());
        assert!(lines(&points, &still).unwrap().is_empty());
        assert!(lines(&Array2::zeros((0, 2)), &Array2::zeros((0, 2))).unwrap().is_empty());
        assert!(lines(&Array2::ones((5, 2)), &Array2::ones((5, 2))).unwrap().is_empty());
        assert!(lines(&points, &(&still * f64::NAN)).unwrap().is_empty());
        assert!(lines(&points, &Array2::zeros((3, 2))).is_err());
        assert!(lines(&square(3), &Array2::ones((9, 2))).is_ok());
    }
}
