//! The tables of `diagnose`: one row for each interval, and one for each cell.

use crate::io::model::Model;
use crate::io::table::{Cells, Table};
use crate::lineage::{Kink, Signal};
use crate::pipeline::diagnose::IntervalDiagnosis;
use crate::pipeline::diagnose::run::DYING;
use crate::pipeline::shared::course_of_cells::CourseOfCells;

/// Bits of one nat.
const BITS: f64 = std::f64::consts::LOG2_E;

/// The table of intervals. `scale` is the number of data units per unit of the coordinates.
///
/// | columns | meaning |
/// |---|---|
/// | `t0`, `t1` | the times of the interval |
/// | `predicted`, `predicted_by_chance` | share of one half of the coordinates that a coupling from the other half predicts (0: nothing, 1: all), and for permuted coordinates |
/// | `information_bits`, `information_bits_most` | mutual information of start and end in bits, and its upper bound |
/// | `information_bits_by_chance`, `information_bits_by_chance_sd` | the same for permuted coordinates: mean and standard deviation |
/// | `later_cells` | typical number of later cells to which a cell is coupled |
/// | `far_distance`, `far_mass` | the distance that counts as far in data units, and the share of the mass that goes further |
/// | `dying` | share of cells with less than a tenth of the mean number of descendants |
/// | `group_bits`, `group_bits_by_chance` | mutual information of groups in bits, and its mean for permuted groups |
/// | `SOLVER_correlation`, `SOLVER_difference` | agreement of displacements with another solver |
///
/// Columns of groups exist only if groups are given.
pub(super) fn table(intervals: &[IntervalDiagnosis], scale: f64) -> Table {
    let numbers =
        |of: &dyn Fn(&IntervalDiagnosis) -> f64| Cells::Floats(intervals.iter().map(of).collect());
    let bits = |of: fn(&Signal) -> f64| numbers(&|found| BITS * of(&found.signal));
    let mut table = Table::default()
        .with("t0", numbers(&|found| found.times.0))
        .with("t1", numbers(&|found| found.times.1))
        .with("predicted", numbers(&|found| found.signal.predicted))
        .with("predicted_by_chance", numbers(&|found| found.signal.predicted_by_chance))
        .with("information_bits", bits(|signal| signal.information))
        .with("information_bits_most", bits(|signal| signal.most))
        .with("information_bits_by_chance", bits(|signal| signal.by_chance))
        .with("information_bits_by_chance_sd", bits(|signal| signal.by_chance_deviation))
        .with("later_cells", numbers(&|found| found.signal.partners))
        .with("far_distance", numbers(&|found| found.far.reach * scale))
        .with("far_mass", numbers(&|found| found.far_mass))
        .with("dying", numbers(&|found| found.dying));
    if intervals.iter().any(|found| found.of_groups.is_some()) {
        let groups = |found: &IntervalDiagnosis| found.of_groups.unwrap_or((f64::NAN, f64::NAN));
        table.push("group_bits", numbers(&|found| BITS * groups(found).0));
        table.push("group_bits_by_chance", numbers(&|found| BITS * groups(found).1));
    }
    for place in 0..intervals.first().map_or(0, |found| found.agreement.len()) {
        let name = intervals[0].agreement[place].other;
        let of = move |found: &IntervalDiagnosis| found.agreement[place].clone();
        table.push(format!("{name}_correlation"), numbers(&|found| of(found).correlation));
        table.push(format!("{name}_difference"), numbers(&|found| of(found).difference));
    }
    table
}

/// The table of the cells of all times but the last.
///
/// | columns | meaning |
/// |---|---|
/// | `id`, `time` | the cell and its time |
/// | `later_cells` | number of later cells to which it is coupled (effective number of partners) |
/// | `far_distance`, `far_mass` | the distance that counts as far in data units, and the share of its mass that goes further |
/// | `descendants` | number at the next time, relative to the mean cell |
/// | `dying` | `true` for a cell with less than a tenth of the mean number of descendants |
/// | `straight_on` | cosine between the directions from its ancestors and to its descendants (1: straight on, −1: back); NaN at the first time |
pub(super) fn cells(
    model: &Model,
    course: &CourseOfCells,
    intervals: &[IntervalDiagnosis],
    kinks: &[(f64, Kink)],
) -> Table {
    let all: Vec<(usize, usize)> =
        (0..intervals.len()).flat_map(|k| (0..course.rows[k].len()).map(move |i| (k, i))).collect();
    let numbers = |of: &dyn Fn(usize, usize) -> f64| {
        Cells::Floats(all.iter().map(|&(k, i)| of(k, i)).collect())
    };
    let straight_on = |k: usize, i: usize| {
        kinks.iter().find(|(_, kink)| kink.place == k).map_or(f64::NAN, |(_, kink)| kink.cosines[i])
    };
    let id = |&(k, i): &(usize, usize)| model.cells[course.rows[k][i]].clone();
    let dying = |&(k, i): &(usize, usize)| (intervals[k].far.growth[i] < DYING).to_string();
    let scale = course.process.scale;
    Table::default()
        .with("id", Cells::Texts(all.iter().map(id).collect()))
        .with("time", numbers(&|k, _| course.times()[k]))
        .with("later_cells", numbers(&|k, i| intervals[k].far.partners[i]))
        .with("far_distance", numbers(&|k, _| intervals[k].far.reach * scale))
        .with("far_mass", numbers(&|k, i| intervals[k].far.beyond[i]))
        .with("descendants", numbers(&|k, i| intervals[k].far.growth[i]))
        .with("dying", Cells::Texts(all.iter().map(dying).collect()))
        .with("straight_on", numbers(&straight_on))
}
