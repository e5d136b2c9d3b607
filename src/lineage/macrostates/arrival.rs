//! Regions of terminal states at earlier times, and the time at which descendants arrive in them for good.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use crate::error::{Error, Result, shape};
use crate::lineage::Lineage;

/// Number of neighbours that decide about the state of a cell.
const NEIGHBOURS: usize = 15;
/// Share of the cells of a state whose neighbours are within its reach.
const WITHIN: f64 = 0.95;

/// The state in whose region each cell of `points`, `(n, n_dims)`, is.
///
/// `late` are the coordinates of the cells with states, `(m, n_dims)`, and `states` their states. A cell
/// is in the region of state A if most of its 15 nearest late cells are of A, and the last of them is
/// not further than for 95 % of the cells of A themselves. It then lies where late cells of A are, as
/// densely. Time `O(n m n_dims)`.
///
/// # Errors
/// [`Error::Shape`] if dimensions or numbers of cells differ; [`Error::Parameter`] for fewer than two
/// late cells.
///
/// ```
/// use ndarray::{Array2, array};
/// // Late cells at 0 to 9 and at 100 to 109.
/// let late = Array2::from_shape_fn((40, 1), |(i, _)| (i / 20 * 100) as f64 + 0.5 * (i % 20) as f64);
/// let states: Vec<Option<usize>> = (0..40).map(|i| Some(i / 20)).collect();
/// let early = array![[4.0], [50.0], [105.0]];
/// let found = sbcell::lineage::regions(late.view(), &states, early.view())?;
/// assert_eq!(found, [Some(0), None, Some(1)]);
/// # sbcell::Result::Ok(())
/// ```
pub fn regions(
    late: ArrayView2<'_, f64>,
    states: &[Option<usize>],
    points: ArrayView2<'_, f64>,
) -> Result<Vec<Option<usize>>> {
    shape::rows("states", late.nrows(), states.len())?;
    let (expected, got) = (late.ncols(), points.ncols());
    if expected != got {
        return Err(Error::Shape { what: "early cells", unit: "coordinates", expected, got });
    }
    if late.nrows() < 2 {
        let (name, must) = ("late", "at least two cells");
        return Err(Error::Parameter { name, must, got: late.nrows().to_string() });
    }
    let n_states = states.iter().flatten().max().map_or(0, |most| most + 1);
    let own: Vec<Found> = (0..late.nrows())
        .into_par_iter()
        .map(|i| nearest(late, states, late.row(i), Some(i)))
        .collect();
    let reach: Vec<f64> = (0..n_states)
        .map(|state| {
            let members = (0..states.len()).filter(|&i| states[i] == Some(state));
            let mut reaches: Vec<f64> = members.map(|i| own[i].reach).collect();
            reaches.sort_by(f64::total_cmp);
            let place = (WITHIN * reaches.len() as f64).ceil() as usize;
            reaches.get(place.saturating_sub(1)).copied().unwrap_or(0.0)
        })
        .collect();
    let one = |i: usize| {
        let found = nearest(late, states, points.row(i), None);
        found.state.filter(|&state| found.reach <= reach[state])
    };
    Ok((0..points.nrows()).into_par_iter().map(one).collect())
}

/// The nearest late cells of a point.
struct Found {
    /// The state of most of them, if it is that of more than half.
    state: Option<usize>,
    /// Squared distance of the last of them.
    reach: f64,
}

/// The nearest rows of `late` to `point`, without row `itself`.
fn nearest(
    late: ArrayView2<'_, f64>,
    states: &[Option<usize>],
    point: ArrayView1<'_, f64>,
    itself: Option<usize>,
) -> Found {
    let square = |j: usize| {
        let pairs = late.row(j).into_iter().zip(point);
        pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>()
    };
    let others = (0..late.nrows()).filter(|&j| Some(j) != itself);
    let mut all: Vec<(f64, usize)> = others.map(|j| (square(j), j)).collect();
    let k = NEIGHBOURS.min(all.len());
    let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    all.select_nth_unstable_by(k - 1, order);
    let count = |state| all[..k].iter().filter(|(_, j)| states[*j] == Some(state)).count();
    let state = all[..k].iter().filter_map(|(_, j)| states[*j]).find(|&state| 2 * count(state) > k);
    Found { state, reach: all[k - 1].0 }
}

/// The mean time at which the descendants of each cell enter, for good, the terminal state in which
/// they are at the end; one array for each time up to the last of `regions`.
///
/// `regions` hold for each time the state in whose region each cell is (see [`regions()`]); those of the
/// last time are the terminal states. A path of descendants has arrived in its final state from the
/// first of the observed times from which on all its cells, up to the end, are in the region of this
/// state. A passage through the region of another state does not count. With the numbers
/// of descendants N and the share `s_k(i, f)` of those that stay in f from time k to the end,
///
/// ```text
/// B_k(i) = (t_{k+1} − t_k) Σ_f s_k(i, f) + n Σ_j T_ij B_{k+1}(j),    arrival = t_K − B_k(i) / N_k(i)
/// ```
///
/// The resolution is the spacing of the times: a descendant has arrived at some time between the time
/// before and the one that counts. For a cell that is in its final state already, the arrival is not
/// before the time of the cell. NaN for cells without descendants in a terminal state at the end. Time
/// of one pass over all pairs of each interval for each state.
///
/// # Errors
/// [`Error::Parameter`] for fewer than two times or more than the course has; [`Error::Shape`] if
/// numbers of cells differ.
///
/// ```
/// use ndarray::array;
/// use sbcell::lineage::{Lineage, arrival_times};
/// use sbcell::{Epsilon, bridge::Link, data::Snapshot};
/// # fn main() -> sbcell::Result<()> {
/// let cells = Snapshot::new(array![[0.0], [4.0]])?;
/// let link = Link::entropic(&cells, &cells, Epsilon::new(0.1)?)?;
/// let lineage = Lineage::new(vec![0.0, 1.0, 3.0], vec![link.clone(), link])?;
/// // The first cell is in its state from time 1 on, the second one only at the end.
/// let regions = [vec![None, None], vec![Some(0), None], vec![Some(0), Some(1)]];
/// let arrival = arrival_times(&lineage, &regions)?;
/// assert!((arrival[0][0] - 1.0).abs() < 1e-6 && (arrival[0][1] - 3.0).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
pub fn arrival_times(
    lineage: &Lineage,
    regions: &[Vec<Option<usize>>],
) -> Result<Vec<Array1<f64>>> {
    let times = lineage.times();
    if !(2..=times.len()).contains(&regions.len()) {
        let (name, must) = ("regions", "given for two times of the course or more");
        return Err(Error::Parameter { name, must, got: regions.len().to_string() });
    }
    for (k, at) in regions.iter().enumerate() {
        shape::rows("regions of a time", lineage.n_cells(k), at.len())?;
    }
    let last = regions.len() - 1;
    let n_states = regions[last].iter().flatten().max().map_or(0, |most| most + 1);
    // Columns: descendants that stay in each state, all that reach a state, and their time there.
    let mut values = Array2::zeros((regions[last].len(), n_states + 2));
    for (i, state) in regions[last].iter().enumerate() {
        if let Some(state) = *state {
            values[[i, state]] = 1.0;
            values[[i, n_states]] = 1.0;
        }
    }
    let mut found = vec![arrivals(&values, times[last])];
    for k in (0..last).rev() {
        values = lineage.expect(k, values.view())?;
        let width = times[k + 1] - times[k];
        for (mut row, region) in values.rows_mut().into_iter().zip(&regions[k]) {
            for state in (0..n_states).filter(|&state| *region != Some(state)) {
                row[state] = 0.0;
            }
            let stay: f64 = row.iter().take(n_states).sum();
            row[n_states + 1] += width * stay;
        }
        found.push(arrivals(&values, times[last]));
    }
    found.reverse();
    Ok(found)
}

/// Mean arrival from the last two columns: descendants, and their time in the final state.
fn arrivals(values: &Array2<f64>, end: f64) -> Array1<f64> {
    let n = values.ncols();
    values.map_axis(Axis(1), |row| {
        let (all, stayed) = (row[n - 2], row[n - 1]);
        if all > 0.0 { end - stayed / all } else { f64::NAN }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lineage::course::tests::example;

    #[test]
    fn arrival_is_the_mean_over_all_paths() {
        let lineage = example();
        // Times 0, 1, 3. State 0 is cell 0 at the end; at time 1 cells 0 and 1 are in it, cell 2 in 1.
        let regions = [vec![Some(0), None], vec![Some(0), None, Some(1)], vec![Some(0), Some(1)]];
        let found = arrival_times(&lineage, &regions).unwrap();
        // Every path with its mass: first 2 T_ij of the first interval, then 3 T_jl of the second.
        let first = [[0.4, 0.2, 0.0], [0.0, 0.1, 0.3]];
        let second = [[0.25, 0.0], [0.25, 0.1], [0.0, 0.4]];
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        for (i, row) in first.iter().enumerate() {
            let (mut all, mut sum) = (0.0, 0.0);
            for (j, (mass, next)) in row.iter().zip(&second).enumerate() {
                for (l, then) in next.iter().enumerate() {
                    let arrival = match (regions[0][i] == Some(l), regions[1][j] == Some(l)) {
                        (true, true) => 0.0,
                        (false, true) => 1.0,
                        _ => 3.0,
                    };
                    all += mass * then;
                    sum += mass * then * arrival;
                }
            }
            close(found[0][i], sum / all);
        }
        // Cell 1 at time 1 is in no region, and cell 2 ends in its own.
        close(found[1][1], 3.0);
        close(found[1][2], 1.0);
        close(found[2][0], 3.0);
        // Without a state at the end there is no arrival.
        let none = [vec![None; 2], vec![None; 3], vec![Some(0), None]];
        let found = arrival_times(&lineage, &none).unwrap();
        assert!(found[1][2].is_nan() && found[2][1].is_nan());
        close(found[1][0], 3.0);
        assert!(arrival_times(&lineage, &none[..1]).is_err());
        assert!(arrival_times(&lineage, &[none[0].clone(), none[0].clone()]).is_err());
    }

    #[test]
    fn a_region_ends_where_late_cells_end() {
        let place = |i: usize| (i / 20 * 30) as f64 + 0.5 * (i % 20) as f64;
        let late = Array2::from_shape_fn((40, 2), |(i, d)| if d == 0 { place(i) } else { 0.0 });
        let mut states: Vec<Option<usize>> = (0..40).map(|i| Some(i / 20)).collect();
        let early = ndarray::array![[5.0, 0.0], [5.0, 9.0], [35.0, 0.5], [-8.0, 0.0]];
        let of = |states: &[Option<usize>]| regions(late.view(), states, early.view()).unwrap();
        assert_eq!(of(&states), [Some(0), None, Some(1), None]);
        // Cells without a state belong to no region.
        states[20..].fill(None);
        assert_eq!(of(&states), [Some(0), None, None, None]);
        assert!(regions(late.view(), &states[1..], early.view()).is_err());
        assert!(regions(late.view(), &states, early.slice(ndarray::s![.., ..1])).is_err());
    }
}
