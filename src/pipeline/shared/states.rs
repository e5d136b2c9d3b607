//! Terminal and initial states of a model without labels, with names from groups of cells.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::io::model::OpenModel;
use crate::lineage::{Groups, MacrostateOptions, Macrostates, Side};
use crate::pipeline::shared::course_of_cells::CourseOfCells;
use crate::pipeline::shared::resampling::{Along, Resampling};
use crate::progress::{self, Event, Progress};
use crate::rng::Seed;

/// Largest probability of a gap that is noted as one.
const GAP: f64 = 0.1;

/// Parameters of states that are found without labels: groups of late cells whose ancestors stay apart.
///
/// ```
/// use sbcell::pipeline::StateOptions;
///
/// let three = StateOptions::default().with_n_states(Some(3));
/// assert_eq!((three.bootstrap, three.batch), (30, None));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, derive_setters::Setters)]
#[setters(prefix = "with_")]
#[non_exhaustive]
pub struct StateOptions {
    /// Number of terminal states. If `None`, as many as have gaps between them and are stable.
    pub n_states: Option<usize>,
    /// Number of resamples for the stability of the states.
    pub bootstrap: usize,
    /// A column of `obs` whose values are resampled instead of cells.
    pub batch: Option<String>,
    /// Seed of the resamples.
    pub seed: u64,
}

impl Default for StateOptions {
    fn default() -> Self {
        Self { n_states: None, bootstrap: 30, batch: None, seed: 0 }
    }
}

/// The terminal and initial states of a course.
pub(crate) struct FoundStates {
    /// States of the late cells.
    pub(crate) late: NamedStates,
    /// States of the cells of the first time.
    pub(crate) early: NamedStates,
}

/// States of the cells of one time, with names.
pub(crate) struct NamedStates {
    /// The states.
    pub(crate) states: Macrostates,
    /// The name of each state, and the group that it has most in common with.
    pub(crate) names: Vec<StateName>,
}

/// The name of a state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StateName {
    /// The name: that of the group, with a number if several states have the same group.
    pub(crate) name: String,
    /// The group with the largest Jaccard index with the state.
    pub(crate) group: String,
    /// Share of the cells of the state that are in the group; NaN without groups.
    pub(crate) purity: f64,
    /// Share of the cells of the group at this time that are in the state; NaN without groups.
    pub(crate) share: f64,
}

/// Where states are looked for.
pub(crate) struct Asked<'a> {
    /// Groups that give the names.
    pub(crate) groups: Option<&'a Groups>,
    /// Time of the terminal states; the last time if `None`.
    pub(crate) at: Option<f64>,
    /// Path of the fitted file, if it is not where the fit found it.
    pub(crate) data: Option<&'a str>,
}

impl FoundStates {
    /// Finds the states of `course`, and notes their names, sizes and stability.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the late cells form one state, or have no earlier time; those of
    /// [`Macrostates::of`] and of reading batches.
    pub(crate) fn of(
        model: &OpenModel,
        course: &CourseOfCells,
        options: &StateOptions,
        asked: &Asked<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let StateOptions { n_states, bootstrap, batch, seed } = options;
        let place = course.place_or_last(asked.at)?;
        if place == 0 {
            let (name, must) = ("at", "later than the first time");
            return Err(Error::Parameter { name, must, got: course.times()[0].to_string() });
        }
        let what = "groups of cells that stay apart".to_string();
        progress::report(progress, Event::Begin { what, total: 3 })?;
        let batch = batch.as_deref();
        let resampling =
            Resampling { data: asked.data, batch, n_resamples: *bootstrap, seed: *seed };
        let batches = course.batches(model, &resampling, progress)?;
        let chain = course.chain(progress)?;
        let places: Vec<usize> = (0..course.times().len()).collect();
        let resampled = Along { lineage: chain, places: &places }.resampled(
            batches.as_deref(),
            &resampling,
            progress,
        )?;
        progress::report(progress, Event::Step { done: 1 })?;
        let auto = MacrostateOptions::default();
        let chosen = auto.clone().with_n_states(*n_states);
        let seed = Seed(*seed);
        let points = |k: usize| course.snapshots()[k].points();
        let late =
            Macrostates::of(&resampled, place, Side::Ancestors, points(place), &chosen, seed)?;
        progress::report(progress, Event::Step { done: 2 })?;
        if late.n_states() < 2 {
            let name = "terminal";
            let must = "a time and a group, such as 72:Neuron, where the late cells form one group without a \
                        gap (the parameter `n_states` cuts it all the same)";
            return Err(Error::Parameter { name, must, got: "auto".into() });
        }
        let early = Macrostates::of(&resampled, 0, Side::Descendants, points(0), &auto, seed)?;
        progress::report(progress, Event::End)?;
        let named = |states: Macrostates, other: &str| NamedStates {
            names: names(&states, asked.groups, other),
            states,
        };
        let found = Self { late: named(late, "state"), early: named(early, "initial") };
        found.say(course, progress)?;
        Ok(found)
    }

    /// Notes the states.
    fn say(&self, course: &CourseOfCells, progress: &mut dyn Progress) -> Result<()> {
        let time = |of: &NamedStates| course.times()[of.states.place];
        let text = format!("terminal states at {}: {}", time(&self.late), self.late.words());
        progress::note(progress, text)?;
        let first = time(&self.early);
        let text = match self.early.states.n_states() {
            1 => format!("the cells at {first} form one group: a common origin"),
            _ => format!("initial states at {first}: {}", self.early.words()),
        };
        progress::note(progress, text)?;
        let states = &self.late.states;
        let open: Vec<&str> = (0..states.n_states())
            .filter(|&state| states.gap_probability[state] > GAP)
            .map(|state| self.late.names[state].name.as_str())
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        let text = format!(
            "no gap separates {} from the closest other state: the border is arbitrary",
            open.join(", ")
        );
        progress::note(progress, text)
    }

    /// The terminal states as groups of the cells of `course` at their time; other cells are in none.
    pub(crate) fn groups(&self, course: &CourseOfCells) -> Groups {
        let NamedStates { states, names } = &self.late;
        let label =
            |state: &Option<usize>| state.map(|s| names[s].name.clone()).unwrap_or_default();
        let none = |rows: &Vec<usize>| vec![String::new(); rows.len()];
        let mut labels: Vec<Vec<String>> = course.rows.iter().map(none).collect();
        labels[states.place] = states.of_cells.iter().map(label).collect();
        Groups::of_labels(&labels)
    }
}

impl NamedStates {
    /// The states with their size, purity and stability.
    fn words(&self) -> String {
        let members = self.states.members();
        let word = |state: usize| {
            let StateName { name, group, purity, .. } = &self.names[state];
            let mut words = vec![format!("{} cells", members[state].len())];
            if purity.is_finite() {
                words.push(format!("{:.0} % {group}", 100.0 * purity));
            }
            let stability = self.states.stability[state];
            if stability.is_finite() {
                words.push(format!("stability {stability:.2}"));
            }
            format!("{name} ({})", words.join(", "))
        };
        (0..members.len()).map(word).collect::<Vec<_>>().join(", ")
    }
}

/// Names of `states` after the groups with which they have most in common, or `other` with a number.
fn names(states: &Macrostates, groups: Option<&Groups>, other: &str) -> Vec<StateName> {
    let members = states.members();
    let unnamed = || StateName {
        name: other.into(),
        group: String::new(),
        purity: f64::NAN,
        share: f64::NAN,
    };
    let of_state = |own: &Vec<usize>| {
        let Some(groups) = groups else { return unnamed() };
        let labels = groups.at(states.place);
        let candidates = groups.present(states.place).into_iter().map(|group| {
            let is = |i: &&usize| labels[**i] == Some(group);
            let both = own.iter().filter(is).count() as f64;
            let all = labels.iter().filter(|label| **label == Some(group)).count() as f64;
            let (purity, share) = (both / own.len().max(1) as f64, both / all);
            let name = groups.names()[group].clone();
            let jaccard = both / (own.len() as f64 + all - both);
            (jaccard, StateName { name: name.clone(), group: name, purity, share })
        });
        let best = candidates.reduce(|a, b| if b.0 > a.0 { b } else { a });
        best.filter(|best| best.0 > 0.0).map_or_else(unnamed, |best| best.1)
    };
    let mut names: Vec<StateName> = members.iter().map(of_state).collect();
    let bare: Vec<String> = names.iter().map(|name| name.name.clone()).collect();
    for (state, name) in names.iter_mut().enumerate() {
        let same = |upto: usize| bare[..upto].iter().filter(|other| **other == bare[state]).count();
        if same(bare.len()) > 1 || name.group.is_empty() {
            name.name = format!("{}_{}", bare[state], same(state) + 1);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(of_cells: Vec<Option<usize>>, n: usize) -> Macrostates {
        Macrostates {
            place: 1,
            of_cells,
            eigenvalues: ndarray::Array1::zeros(0),
            gap_probability: vec![0.001; n],
            stability: vec![1.0; n],
            kept: vec![1.0; n],
        }
    }

    #[test]
    fn states_are_named_after_the_group_that_they_share_most_with() {
        let of = |text: &str| -> Vec<String> { text.split(' ').map(str::to_string).collect() };
        let groups = Groups::of_labels(&[of("A"), of("A A A A B A A B B B")]);
        let found = states([0, 0, 0, 0, 0, 1, 1, 1, 1, 2].map(Some).to_vec(), 3);
        let named = names(&found, Some(&groups), "state");
        let text: Vec<&str> = named.iter().map(|name| name.name.as_str()).collect();
        // The second state has two cells of each; they are half of all cells of B, a third of A.
        assert_eq!(text, ["A", "B_1", "B_2"]);
        assert_eq!((named[0].purity, named[1].share), (0.8, 0.5));
        let plain = names(&found, None, "state");
        assert_eq!(plain[2].name, "state_3");
        assert!(plain[0].purity.is_nan());
        // A state without labelled cells has a number.
        let none = Groups::of_labels(&[vec![], vec![String::new(); 10]]);
        assert_eq!(names(&found, Some(&none), "state")[1].name, "state_2");
    }
}
