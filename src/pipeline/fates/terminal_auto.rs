//! Fates to terminal states without labels: the table of the states, the states and arrivals of cells.

use ndarray::{ArrayView2, Axis};

use crate::error::Result;
use crate::io::model::OpenModel;
use crate::io::table::{Cells, Table};
use crate::lineage::{arrival_times, regions};
use crate::pipeline::shared::course_of_cells::CourseOfCells;
use crate::pipeline::shared::expression::Expressed;
use crate::pipeline::shared::states::{FoundStates, NamedStates, StateName};
use crate::progress::{self, Progress};

/// Number of genes in the table of states.
const N_GENES: usize = 10;

/// Adds the columns `state`, `origin` and `arrival_time` to the table of fates, which has the cells of
/// all times up to that of the terminal states.
///
/// # Errors
/// Those of [`regions`] and [`arrival_times`].
pub(super) fn add_columns(
    table: &mut Table,
    course: &CourseOfCells,
    found: &FoundStates,
    progress: &mut dyn Progress,
) -> Result<()> {
    let NamedStates { states, names } = &found.late;
    let late = course.snapshots()[states.place].points();
    let mut all: Vec<Vec<Option<usize>>> = (0..states.place)
        .map(|k| regions(late, &states.of_cells, course.snapshots()[k].points()))
        .collect::<Result<_>>()?;
    all.push(states.of_cells.clone());
    let arrival = arrival_times(course.chain(progress)?, &all)?;
    let name = |names: &[StateName], state: Option<usize>| {
        state.map(|state| names[state].name.clone()).unwrap_or_default()
    };
    let state = all.iter().flatten().map(|state| name(names, *state)).collect();
    let early = &found.early;
    let first = early.states.of_cells.iter().map(|state| name(&early.names, *state));
    let later = all.iter().skip(1).flatten().map(|_| String::new());
    table.push("state", Cells::Texts(state));
    table.push("origin", Cells::Texts(first.chain(later).collect()));
    table.push("arrival_time", Cells::Floats(arrival.into_iter().flatten().collect()));
    Ok(())
}

/// The table of the states: `state`, `kind` (terminal or initial), `time`, `n_cells`, `group`, `purity`,
/// `share`, `stability`, `gap_p`, `kept`, `genes`. Genes are left out, with a note, if the fitted file
/// cannot be read.
///
/// # Errors
/// [`crate::Error::Cancelled`].
pub(super) fn states_table(
    model: &OpenModel,
    course: &CourseOfCells,
    found: &FoundStates,
    data: Option<&str>,
    progress: &mut dyn Progress,
) -> Result<Table> {
    let expressed = if model.genes.is_empty() {
        None
    } else {
        match Expressed::read(model, data, None, progress) {
            Ok(expressed) => Some(expressed),
            Err(crate::Error::Cancelled) => return Err(crate::Error::Cancelled),
            Err(error) => {
                progress::note(progress, format!("the table of states has no genes: {error}"))?;
                None
            }
        }
    };
    let mut rows = Vec::new();
    for (kind, of) in [("terminal", &found.late), ("initial", &found.early)] {
        let at = &course.rows[of.states.place];
        let values = expressed.as_ref().map(|expressed| expressed.values.select(Axis(0), at));
        for (state, members) in of.states.members().iter().enumerate() {
            let genes = match (&expressed, &values) {
                (Some(expressed), Some(values)) => higher(values.view(), members, &expressed.genes),
                _ => String::new(),
            };
            rows.push(Row { kind, of, state, n_cells: members.len(), genes });
        }
    }
    let texts = |text: &dyn Fn(&Row<'_>) -> String| Cells::Texts(rows.iter().map(text).collect());
    let gaps = |number: &dyn Fn(&Row<'_>) -> f64| Cells::Floats(rows.iter().map(number).collect());
    let times = rows.iter().map(|row| course.times()[row.of.states.place]).collect();
    Ok(Table::default()
        .with("state", texts(&|row| row.name().name.clone()))
        .with("kind", texts(&|row| row.kind.into()))
        .with("time", Cells::Floats(times))
        .with("n_cells", Cells::Integers(rows.iter().map(|row| row.n_cells as i64).collect()))
        .with("group", texts(&|row| row.name().group.clone()))
        .with("purity", gaps(&|row| row.name().purity))
        .with("share", gaps(&|row| row.name().share))
        .with("stability", gaps(&|row| row.of.states.stability[row.state]))
        .with("gap_p", gaps(&|row| row.of.states.gap_probability[row.state]))
        .with("kept", gaps(&|row| row.of.states.kept[row.state]))
        .with("genes", texts(&|row| row.genes.clone())))
}

/// One state in the table.
struct Row<'a> {
    kind: &'static str,
    of: &'a NamedStates,
    state: usize,
    n_cells: usize,
    genes: String,
}

impl Row<'_> {
    /// The name of the state.
    fn name(&self) -> &StateName {
        &self.of.names[self.state]
    }
}

/// The genes with the largest positive difference of the mean between `members` and all other cells
/// of `values`, `(n_cells, n_genes)`. None if there are no other cells.
fn higher(values: ArrayView2<'_, f32>, members: &[usize], genes: &[String]) -> String {
    let (n, own) = (values.nrows(), members.len());
    if own == 0 || own == n {
        return String::new();
    }
    let mut difference: Vec<(f64, &String)> = Vec::with_capacity(genes.len());
    for (column, gene) in values.columns().into_iter().zip(genes) {
        let all: f64 = column.iter().map(|value| f64::from(*value)).sum();
        let inside: f64 = members.iter().map(|&i| f64::from(column[i])).sum();
        difference.push((inside / own as f64 - (all - inside) / (n - own) as f64, gene));
    }
    difference.sort_by(|a, b| b.0.total_cmp(&a.0));
    let first = difference.iter().take(N_GENES).filter(|(difference, _)| *difference > 0.0);
    first.map(|(_, gene)| gene.as_str()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn genes_of_a_state_are_those_with_the_largest_difference_of_means() {
        let values = ndarray::array![[1.0_f32, 5.0, 0.0], [3.0, 1.0, 0.0], [0.0, 9.0, 0.0]];
        let genes = ["up", "down", "same"].map(String::from);
        assert_eq!(higher(values.view(), &[0, 1], &genes), "up");
        assert_eq!(higher(values.view(), &[2], &genes), "down");
        assert_eq!(higher(values.view(), &[0, 1, 2], &genes), "");
    }
}
