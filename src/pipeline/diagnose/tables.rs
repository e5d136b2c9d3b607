//! The tables of `diagnose`: one row for each interval, and one for each cell.

use crate::io::model::Model;
use crate::io::table::{Cells, Table};
use crate::lineage::Kink;
use crate::pipeline::diagnose::IntervalDiagnosis;
use crate::pipeline::diagnose::run::DEAD;
use crate::pipeline::shared::course_of_cells::CourseOfCells;

/// The table of intervals.
///
/// | columns | meaning |
/// |---|---|
/// | `t0`, `t1` | the times of the interval |
/// | `information`, `information_most` | mutual information of start and end in nats, and its upper bound |
/// | `information_permuted`, `permuted_deviation` | the same for permuted coordinates: mean and standard deviation |
/// | `partners` | effective number of partners of a cell |
/// | `unseen`, `unseen_permuted` | share of the unseen half of the coordinates that a coupling carries |
/// | `far_reach`, `far_mass` | the distance that counts as far, and the share of the mass beyond it |
/// | `dead` | share of dead cells |
/// | `group_information`, `group_permuted` | mutual information of groups, and its mean for permuted groups |
/// | `SOLVER_correlation`, `SOLVER_difference` | agreement of displacements with another solver |
///
/// Columns of groups exist only if groups are given.
pub(super) fn table(intervals: &[IntervalDiagnosis]) -> Table {
    let numbers =
        |of: &dyn Fn(&IntervalDiagnosis) -> f64| Cells::Floats(intervals.iter().map(of).collect());
    let mut table = Table::default()
        .with("t0", numbers(&|found| found.times.0))
        .with("t1", numbers(&|found| found.times.1))
        .with("information", numbers(&|found| found.signal.information))
        .with("information_most", numbers(&|found| found.signal.most))
        .with("information_permuted", numbers(&|found| found.signal.permuted))
        .with("permuted_deviation", numbers(&|found| found.signal.permuted_deviation))
        .with("partners", numbers(&|found| found.signal.partners))
        .with("unseen", numbers(&|found| found.signal.unseen))
        .with("unseen_permuted", numbers(&|found| found.signal.unseen_permuted))
        .with("far_reach", numbers(&|found| found.far.reach))
        .with("far_mass", numbers(&|found| found.beyond))
        .with("dead", numbers(&|found| found.dead));
    if intervals.iter().any(|found| found.of_groups.is_some()) {
        let groups = |found: &IntervalDiagnosis| found.of_groups.unwrap_or((f64::NAN, f64::NAN));
        table.push("group_information", numbers(&|found| groups(found).0));
        table.push("group_permuted", numbers(&|found| groups(found).1));
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
/// | `partners` | effective number of partners |
/// | `far_reach`, `far_mass` | the distance that counts as far in data units, and the share of mass beyond it |
/// | `growth` | descendants relative to the mean cell |
/// | `dead` | 1 for a dead cell |
/// | `turn` | cosine between the directions from its ancestors and to its descendants; NaN at the first time |
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
    let turn = |k: usize, i: usize| {
        kinks.iter().find(|(_, kink)| kink.place == k).map_or(f64::NAN, |(_, kink)| kink.cosines[i])
    };
    let id = |&(k, i): &(usize, usize)| model.cells[course.rows[k][i]].clone();
    let dead = |&(k, i): &(usize, usize)| i64::from(intervals[k].far.growth[i] < DEAD);
    let scale = course.process.scale;
    Table::default()
        .with("id", Cells::Texts(all.iter().map(id).collect()))
        .with("time", numbers(&|k, _| course.lineage.times()[k]))
        .with("partners", numbers(&|k, i| intervals[k].far.partners[i]))
        .with("far_reach", numbers(&|k, _| intervals[k].far.reach * scale))
        .with("far_mass", numbers(&|k, i| intervals[k].far.beyond[i]))
        .with("growth", numbers(&|k, i| intervals[k].far.growth[i]))
        .with("dead", Cells::Integers(all.iter().map(dead).collect()))
        .with("turn", numbers(&turn))
}
