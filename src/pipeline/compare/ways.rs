//! The couplings between two common times: those of each condition, and of the cells of both under exchanged
//! labels.

use ndarray::Array2;

use crate::bridge::Link;
use crate::data::Snapshot;
use crate::error::Result;
use crate::lineage::{Apart, Groups, Lineage, Relabelled, Resampled};
use crate::pipeline::compare::pair::Pair;
use crate::pipeline::shared::resampling::Along;
use crate::progress::Silent;

/// The resampled couplings of one condition between two places, the groups of their times, and the number of
/// both places among these times.
pub(super) struct OwnWay<'a> {
    pub(super) resampled: &'a Resampled<'a>,
    pub(super) groups: &'a Groups,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// `work` with the couplings of the condition `side` between the places `ends` of its course: a straight one with
/// less noise between the groups of the later time, or the chain.
///
/// # Errors
/// Those of the couplings and of `work`.
pub(super) fn of_side<T>(
    pair: &Pair<'_>,
    side: usize,
    [from, to]: [usize; 2],
    work: impl FnOnce(&OwnWay<'_>) -> Result<T>,
) -> Result<T> {
    let own = pair.sides[side];
    let way = own.course.between(from, to, Some(&own.groups), &mut Silent)?;
    let resampled = own.resampled_along(
        Along { lineage: &way.lineage, places: &way.places },
        pair.options,
        &mut Silent,
    )?;
    let groups = own.groups.at_places(&way.places);
    work(&OwnWay { resampled: &resampled, groups: &groups, from: way.from, to: way.to })
}

/// The couplings of the cells of both conditions under exchanged labels, one for each condition, and the number of
/// both times among those of the couplings.
pub(super) struct Exchanged<'a> {
    pub(super) relabelled: [&'a Relabelled<'a>; 2],
    pub(super) from: usize,
    pub(super) to: usize,
}

/// `work` with the couplings of the tested cells between the common times `ends` under exchanged labels: as
/// [`of_side`], or along `chain` if it is given.
///
/// # Errors
/// Those of the couplings and of `work`.
pub(super) fn exchanged<T>(
    pair: &Pair<'_>,
    chain: Option<[&Relabelled<'_>; 2]>,
    [from, to]: [usize; 2],
    work: impl FnOnce(&Exchanged<'_>) -> Result<T>,
) -> Result<T> {
    if let Some(relabelled) = chain {
        return work(&Exchanged { relabelled, from, to });
    }
    let course = &pair.sides[0].course;
    let [source, target] = [from, to].map(|k| Snapshot::new(pair.cells[k].points.clone()));
    let Apart { target, epsilon } =
        course.apart(&target?, &pair.groups_of(to), course.epsilon(0))?;
    let link = Link::entropic(&source?, &target, epsilon)?;
    let lineage = Lineage::new([from, to].map(|k| pair.times[k]).to_vec(), vec![link])?;
    let [first, second] = relabelled(pair, &lineage, &[from, to])?;
    work(&Exchanged { relabelled: [&first, &second], from: 0, to: 1 })
}

/// The couplings `lineage` of the tested cells at the common times `places` under all labellings, for each
/// condition.
///
/// # Errors
/// Those of [`Relabelled::new`].
pub(super) fn relabelled<'l>(
    pair: &Pair<'_>,
    lineage: &'l Lineage,
    places: &[usize],
) -> Result<[Relabelled<'l>; 2]> {
    let own = |second: bool| -> Result<Relabelled<'l>> {
        let labels = |k: &usize| {
            if second { pair.labels.second(*k) } else { pair.labels.first(*k) }.to_owned()
        };
        let weights: Vec<Array2<f64>> = places.iter().map(labels).collect();
        Relabelled::new(lineage, &weights)
    };
    Ok([own(false)?, own(true)?])
}
