//! Sankey chart of transitions: groups as columns of nodes at each time, and ribbons between them.

use std::collections::BTreeMap;

use kuva::render::render::TextAnchor;

use crate::io::chart::Chart;
use crate::io::chart::page::{Head, MARGIN, PageSize};
use crate::io::chart::palette::NO_GROUP;
use crate::io::chart::profiles::{GREY, LINE, apart};

/// Transitions between groups of cells. See [`draw_sankey`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct SankeyPicture {
    /// Title: the contents of the chart in a few words.
    pub title: String,
    /// A line below the title.
    pub subtitle: String,
    /// Title of the axis of time, with its unit.
    pub time_title: String,
    /// Names of the groups, in their order from top to bottom.
    pub groups: Vec<String>,
    /// The colour of each group, `#rrggbb`.
    pub colours: Vec<String>,
    /// The times.
    pub columns: Vec<SankeyColumn>,
}

/// The groups of one time, and where they go.
#[derive(Debug, Clone, PartialEq)]
pub struct SankeyColumn {
    /// The time.
    pub time: f64,
    /// Number of cells of each group.
    pub cells: Vec<usize>,
    /// Ribbons to the next time; none from the last one.
    pub ribbons: Vec<SankeyRibbon>,
}

/// The mass that goes from a group to a group of the next time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SankeyRibbon {
    /// The earlier group.
    pub source: usize,
    /// The later group.
    pub target: usize,
    /// The share of the earlier group that goes there.
    pub share: f64,
    /// The share of all cells of the earlier time that goes there.
    pub mass: f64,
}

/// Width of a node.
const NODE: f64 = 11.0;
/// Widest name beside a node.
const NAMES: f64 = 130.0;
/// Space below the nodes.
const FOOT: f64 = 58.0;
/// Largest part of the height between nodes.
const GAPS: f64 = 0.25;

/// Draws the groups of each time as a column of nodes, as high as their shares of the cells, and the transitions
/// as ribbons in the colour of the earlier group.
///
/// At its left end a ribbon is as high as the share of the earlier group that takes it. At its right end it is
/// as high as the share of the later group that comes from there, so that a group that grows has ribbons
/// that widen.
///
/// ```
/// use sbcell::io::chart::{
///     PageSize, SankeyColumn, SankeyPicture, SankeyRibbon, draw_sankey, palette,
/// };
/// # fn main() -> sbcell::Result<()> {
/// let ribbon = SankeyRibbon { source: 0, target: 0, share: 1.0, mass: 1.0 };
/// let picture = SankeyPicture {
///     title: "Transitions between groups".into(),
///     subtitle: "two times".into(),
///     time_title: "time (h)".into(),
///     groups: vec!["XEN".into()],
///     colours: palette(1),
///     columns: vec![
///         SankeyColumn { time: 0.0, cells: vec![20], ribbons: vec![ribbon] },
///         SankeyColumn { time: 24.0, cells: vec![30], ribbons: vec![] },
///     ],
/// };
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("sankey.svg");
/// draw_sankey(&picture, PageSize::default()).write(&path)?;
/// assert!(std::fs::read_to_string(&path).unwrap().contains("XEN"));
/// # Ok(())
/// # }
/// ```
pub fn draw_sankey(picture: &SankeyPicture, size: PageSize) -> Chart {
    let n = picture.columns.len();
    let names_of = |column: Option<&SankeyColumn>| {
        let present = |(_, cells): &(&String, &usize)| **cells > 0;
        let names = column.map(|of| picture.groups.iter().zip(&of.cells).filter(present));
        let widths = names.into_iter().flatten().map(|(name, _)| Chart::width_of(name));
        widths.fold(0.0, f64::max).min(NAMES)
    };
    let left = MARGIN + names_of(picture.columns.first()) + 8.0;
    let right_room = MARGIN + names_of(picture.columns.last()) + 8.0;
    let natural = left + right_room + 92.0 * n.saturating_sub(1).max(3) as f64 + NODE;
    let width = size.width.unwrap_or(natural).max(left + right_room + 60.0);
    let most = picture.columns.iter().map(|of| of.cells.iter().filter(|n| **n > 0).count()).max();
    let head = Head::of(width, [&picture.title, &picture.subtitle]);
    let natural = head.height() + FOOT + (26.0 * most.unwrap_or(0) as f64).max(300.0);
    let height = size.height.unwrap_or(natural).max(head.height() + FOOT + 60.0);
    let mut chart = Chart::new(width, height);
    head.draw(&mut chart);
    let ends = [head.height() + 6.0, height - FOOT];
    let nodes: Vec<Vec<[f64; 2]>> =
        picture.columns.iter().map(|column| heights(&column.cells, ends)).collect();
    let step = (width - left - right_room - NODE) / n.saturating_sub(1).max(1) as f64;
    let x = |column: usize| left + step * column as f64;
    for number in 1..n {
        let column = &picture.columns[number - 1];
        let between = [x(number - 1) + NODE, x(number)];
        for (ribbon, path) in ribbons(column, [&nodes[number - 1], &nodes[number]], between) {
            let colour = picture.colours.get(ribbon.source).map_or(NO_GROUP, String::as_str);
            chart.ribbon(path, colour, 0.42);
        }
    }
    let labels = picture
        .columns
        .iter()
        .flat_map(|of| [of.time.to_string(), of.cells.iter().sum::<usize>().to_string()]);
    let widest = labels.map(|label| Chart::width_of(&label)).fold(0.0, f64::max);
    let every = ((widest + 5.0) / step).ceil().max(1.0) as usize;
    for (number, column) in picture.columns.iter().enumerate() {
        for (group, [top, bottom]) in nodes[number].iter().enumerate() {
            if column.cells[group] > 0 {
                let colour = picture.colours.get(group).map_or(NO_GROUP, String::as_str);
                chart.band((x(number), *top), (NODE, (bottom - top).max(0.6)), colour);
            }
        }
        let middle = x(number) + NODE / 2.0;
        // Labels that would touch their neighbours are left out.
        if !number.is_multiple_of(every) {
            continue;
        }
        let time = column.time.to_string();
        chart.words((middle, ends[1] + 18.0), &time, TextAnchor::Middle, "#444444");
        let cells = column.cells.iter().sum::<usize>().to_string();
        chart.words((middle, ends[1] + 34.0), &cells, TextAnchor::Middle, GREY);
    }
    chart.words((x(0) - 14.0, ends[1] + 34.0), "n", TextAnchor::End, GREY);
    let middle = f64::midpoint(left, width - right_room);
    chart.words((middle, ends[1] + 52.0), &picture.time_title, TextAnchor::Middle, GREY);
    let named = names(picture, &nodes, ends);
    for Name { group, column, y } in named {
        let name = Chart::shortened(&picture.groups[group], NAMES);
        if column == 0 {
            chart.words((x(0) - 7.0, y), &name, TextAnchor::End, "#222222");
        } else if column + 1 == n {
            chart.words((x(column) + NODE + 7.0, y), &name, TextAnchor::Start, "#222222");
        } else {
            let at = (x(column) + NODE + 5.0, y);
            chart.veil((at.0 - 2.0, y - 11.0), (Chart::width_of(&name) + 2.0, 15.0));
            chart.words(at, &name, TextAnchor::Start, "#222222");
        }
    }
    chart
}

/// A name beside a node.
struct Name {
    group: usize,
    column: usize,
    /// Height of its baseline.
    y: f64,
}

/// Names at the first and the last time, and of other groups at the time of their largest node.
fn names(picture: &SankeyPicture, nodes: &[Vec<[f64; 2]>], ends: [f64; 2]) -> Vec<Name> {
    let n = picture.columns.len();
    let mut found = Vec::new();
    let outer: Vec<usize> = if n > 1 { vec![0, n - 1] } else { (0..n).collect() };
    for column in &outer {
        let cells = &picture.columns[*column].cells;
        let present: Vec<usize> = (0..cells.len()).filter(|&g| cells[g] > 0).collect();
        let middle = |&g: &usize| f64::midpoint(nodes[*column][g][0], nodes[*column][g][1]) + 4.0;
        let wanted: Vec<f64> = present.iter().map(middle).collect();
        // Of more names than fit, only those of the largest nodes are written.
        let most = ((ends[1] - ends[0]) / LINE).floor().max(1.0) as usize;
        let mut largest: Vec<usize> = (0..present.len()).collect();
        largest.sort_by_key(|&place| std::cmp::Reverse(cells[present[place]]));
        largest.truncate(most);
        largest.sort_unstable();
        let wanted: Vec<f64> = largest.iter().map(|&place| wanted[place]).collect();
        for (place, y) in largest.into_iter().zip(apart(&wanted, ends[0] + 6.0, ends[1] + 4.0)) {
            found.push(Name { group: present[place], column: *column, y });
        }
    }
    for group in 0..picture.groups.len() {
        let height = |column: &usize| {
            nodes[*column].get(group).map_or(0.0, |node: &[f64; 2]| node[1] - node[0])
        };
        let is_outer = outer.iter().any(|&column| picture.columns[column].cells[group] > 0);
        let best = (0..n).max_by(|a, b| height(a).total_cmp(&height(b)).then(b.cmp(a)));
        if let Some(column) = best.filter(|column| !is_outer && height(column) > 11.0) {
            let y = f64::midpoint(nodes[column][group][0], nodes[column][group][1]) + 4.0;
            found.push(Name { group, column, y });
        }
    }
    found
}

/// Upper and lower end of the node of each group.
fn heights(cells: &[usize], ends: [f64; 2]) -> Vec<[f64; 2]> {
    let n_present = cells.iter().filter(|n| **n > 0).count();
    let total = cells.iter().sum::<usize>().max(1) as f64;
    let room = ends[1] - ends[0];
    let gap = 9.0_f64.min(GAPS * room / n_present.saturating_sub(1).max(1) as f64);
    let of_cells = room - gap * n_present.saturating_sub(1) as f64;
    let mut top = ends[0];
    let node = |n: &usize| {
        let height = of_cells * *n as f64 / total;
        let node = [top, top + height];
        if *n > 0 {
            top += height + gap;
        }
        node
    };
    cells.iter().map(node).collect()
}

/// The ribbons of a column with their paths, between both nodes and the places `between` of their ends.
fn ribbons<'a>(
    column: &'a SankeyColumn,
    [left, right]: [&[[f64; 2]]; 2],
    between: [f64; 2],
) -> Vec<(&'a SankeyRibbon, String)> {
    let mut arriving: BTreeMap<usize, f64> = BTreeMap::new();
    let mut leaving: BTreeMap<usize, f64> = BTreeMap::new();
    for ribbon in &column.ribbons {
        *arriving.entry(ribbon.target).or_insert(0.0) += ribbon.mass;
        *leaving.entry(ribbon.source).or_insert(0.0) += ribbon.share;
    }
    let mut order: Vec<&SankeyRibbon> = column.ribbons.iter().collect();
    order.sort_by_key(|ribbon| (ribbon.source, ribbon.target));
    let (mut from, mut to): (BTreeMap<usize, f64>, BTreeMap<usize, f64>) = Default::default();
    let mut found = Vec::new();
    for ribbon in order {
        let (Some(source), Some(target)) = (left.get(ribbon.source), right.get(ribbon.target))
        else {
            continue;
        };
        let part = |of: f64, all: Option<&f64>| match all {
            Some(all) if *all > 0.0 && of.is_finite() => of / all,
            _ => 0.0,
        };
        let out = (source[1] - source[0]) * part(ribbon.share, leaving.get(&ribbon.source));
        let into = (target[1] - target[0]) * part(ribbon.mass, arriving.get(&ribbon.target));
        let a = from.entry(ribbon.source).or_insert(source[0]);
        let b = to.entry(ribbon.target).or_insert(target[0]);
        let (y0, y1) = (*a, *b);
        *a += out;
        *b += into;
        // Ribbons that nobody could see are left out.
        if out.max(into) < 0.15 {
            continue;
        }
        found.push((ribbon, band(between, [y0, y0 + out], [y1, y1 + into])));
    }
    found
}

/// Straight pieces of each side of a ribbon. The renderer of PNG has no cubic curves.
const PIECES: usize = 24;

/// The path of a ribbon from `left` to `right`, both from above, between two places.
fn band(between: [f64; 2], left: [f64; 2], right: [f64; 2]) -> String {
    let side = |end: usize, backward: bool| {
        (0..=PIECES).map(move |piece| {
            let piece = if backward { PIECES - piece } else { piece };
            let t = piece as f64 / PIECES as f64;
            let x = between[0] + t * (between[1] - between[0]);
            // Level at both ends.
            let rise = t * t * (3.0 - 2.0 * t);
            format!("{x:.2} {:.2}", left[end] + rise * (right[end] - left[end]))
        })
    };
    let all: Vec<String> = side(0, false).chain(side(1, true)).collect();
    format!("M{}Z", all.join("L"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::chart::palette;

    fn picture(n_groups: usize, n_times: usize) -> SankeyPicture {
        let share = 1.0 / n_groups as f64;
        let ribbons: Vec<SankeyRibbon> = (0..n_groups * n_groups)
            .map(|at| SankeyRibbon {
                source: at / n_groups,
                target: at % n_groups,
                share,
                mass: share * share,
            })
            .collect();
        let column = |time: usize| SankeyColumn {
            time: time as f64,
            cells: (0..n_groups).map(|group| 10 + group).collect(),
            ribbons: if time + 1 < n_times { ribbons.clone() } else { Vec::new() },
        };
        SankeyPicture {
            title: "<&\">".into(),
            subtitle: String::new(),
            time_title: "time (h)".into(),
            groups: (0..n_groups).map(|group| format!("group <{group}>")).collect(),
            colours: palette(n_groups),
            columns: (0..n_times).map(column).collect(),
        }
    }

    #[test]
    fn nodes_are_as_high_as_their_shares_and_fill_the_column() {
        let nodes = heights(&[30, 0, 10], [0.0, 100.0]);
        let height = |node: &[f64; 2]| node[1] - node[0];
        assert!((height(&nodes[0]) / height(&nodes[2]) - 3.0).abs() < 1e-9);
        assert!((nodes[2][1] - 100.0).abs() < 1e-9 && height(&nodes[1]).abs() < 1e-9);
        assert!(heights(&[0, 0], [0.0, 100.0]).iter().all(|node| height(node).abs() < 1e-9));
    }

    #[test]
    fn ribbons_fill_both_of_their_nodes() {
        let ribbon = |source, target, share, mass| SankeyRibbon { source, target, share, mass };
        let column = SankeyColumn {
            time: 0.0,
            cells: vec![1, 1],
            ribbons: vec![
                ribbon(1, 0, 1.0, 0.5),
                ribbon(0, 0, 0.25, 0.125),
                ribbon(0, 1, 0.75, 0.4),
            ],
        };
        let left = [[0.0, 40.0], [50.0, 90.0]];
        let right = [[0.0, 60.0], [70.0, 100.0]];
        let found = ribbons(&column, [&left, &right], [0.0, 10.0]);
        let order: Vec<(usize, usize)> = found.iter().map(|f| (f.0.source, f.0.target)).collect();
        assert_eq!(order, [(0, 0), (0, 1), (1, 0)]);
        // A quarter of the first node; a fifth of what arrives at the first target.
        assert!(found[0].1.starts_with("M0.00 0.00L") && found[0].1.contains("L10.00 12.00L"));
        assert!(found[0].1.ends_with("0.00 10.00Z"), "{}", found[0].1);
        assert!(found[2].1.contains("L10.00 60.00L"), "{}", found[2].1);
        // Level at its ends: after a quarter of the way, 3/16 − 1/32 of the rise.
        assert!(found[0].1.contains("L2.50 10.31L"), "{}", found[0].1);
        // Half-way between 10 and 12.
        assert!(found[0].1.contains("L5.00 11.00L"), "{}", found[0].1);
    }

    #[test]
    fn odd_cases_are_drawn_and_names_are_escaped() {
        for (n_groups, n_times) in [(1, 0), (1, 1), (1, 2), (40, 3), (2, 30)] {
            for side in [None, Some(1.0)] {
                let size = PageSize { width: side, height: side };
                let svg = draw_sankey(&picture(n_groups, n_times), size).svg();
                assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("<0>"));
            }
        }
    }
}
