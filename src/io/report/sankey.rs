//! Transitions between groups of neighbouring times as bands between bars.
//!
//! A column of bars is a time, a bar a group. Heights of the bars of a time are shares of its mass, which sum to one,
//! so that all columns are equally high apart from the gaps between groups.

use std::collections::{BTreeMap, BTreeSet};

use crate::io::report::axis::time_title;
use crate::io::report::data::{FlowRow, Report};
use crate::io::report::escape::{number, place, time};
use crate::io::report::page::{Figure, Table, legend, wide};
use crate::io::report::svg::{Anchor, Svg, shortened};

/// Width of the bar of a time.
const BAR: f64 = 12.0;
/// Height of the bars of a time, with gaps.
const HEIGHT: f64 = 320.0;
/// Gap between two groups.
const GAP: f64 = 8.0;
/// Height of the upper ends of the columns, in pixels.
const TOP: f64 = 14.0;
/// Width for the names of the groups on both sides.
const NAMES: f64 = 108.0;
/// Bands with a smaller share of the mass of a time are not drawn.
const LEAST: f64 = 0.002;
/// Most bands; the thickest are drawn.
const BANDS: usize = 400;

/// A group at a time: its place on the page and the mass that has already left and arrived.
struct Node {
    y: f64,
    height: f64,
    left: f64,
    arrived: f64,
}

/// The picture: columns of groups, one for each time, and the flows between neighbouring columns.
struct Picture<'a> {
    /// The times, increasing.
    times: Vec<f64>,
    /// The groups from top to bottom.
    groups: Vec<&'a str>,
    /// Flows of neighbouring times as shares of all mass that moves between them, by the place of the earlier
    /// time and the places of both groups.
    flows: BTreeMap<(usize, usize, usize), f64>,
}

impl<'a> Picture<'a> {
    /// The picture of the flows of `rows`.
    ///
    /// Groups have the order of the colours of the report, then that of the table. Flows between times that are not
    /// neighbours, and masses that are not finite, are left out. Between two times, the flows sum to one.
    fn of(rows: &'a [FlowRow], report: &'a Report) -> Self {
        let mut times: Vec<f64> = rows.iter().flat_map(|row| [row.from, row.to]).collect();
        times.sort_by(f64::total_cmp);
        times.dedup();
        let known = report.colours.of_groups.iter().map(|entry| entry.0.as_str());
        let mut groups: Vec<&str> = known
            .filter(|name| rows.iter().any(|row| row.source == *name || row.target == *name))
            .collect();
        for name in rows.iter().flat_map(|row| [row.source.as_str(), row.target.as_str()]) {
            if !groups.contains(&name) {
                groups.push(name);
            }
        }
        let at = |time: f64| times.iter().position(|other| other.total_cmp(&time).is_eq());
        let group = |name: &str| groups.iter().position(|other| *other == name);
        let mut flows = BTreeMap::new();
        for row in rows {
            if let (Some(from), Some(to)) = (at(row.from), at(row.to))
                && to == from + 1
                && let (Some(source), Some(target)) = (group(&row.source), group(&row.target))
                && row.mass.is_finite()
            {
                *flows.entry((from, source, target)).or_insert(0.0) += row.mass.max(0.0);
            }
        }
        let mut totals = vec![0.0; times.len()];
        for ((from, _, _), mass) in &flows {
            totals[*from] += mass;
        }
        for ((from, _, _), mass) in &mut flows {
            *mass /= if totals[*from] > 0.0 { totals[*from] } else { 1.0 };
        }
        Self { times, groups, flows }
    }

    /// The mass of each group at each time: what leaves it, or arrives in it at the last time.
    fn nodes(&self) -> Vec<Vec<Node>> {
        let n = self.times.len();
        let mut mass = vec![vec![0.0; self.groups.len()]; n];
        for (&(from, source, target), &share) in &self.flows {
            mass[from][source] += share;
            // Where no flow leaves, what arrives is the mass.
            if !self.flows.keys().any(|key| key.0 == from + 1) {
                mass[from + 1][target] += share;
            }
        }
        mass.iter()
            .map(|at| {
                let n_present = at.iter().filter(|share| **share > 0.0).count();
                let room = HEIGHT - GAP * n_present.saturating_sub(1) as f64;
                let mut y = TOP;
                at.iter()
                    .map(|share| {
                        let node = Node { y, height: share * room, left: 0.0, arrived: 0.0 };
                        y += if *share > 0.0 { node.height + GAP } else { 0.0 };
                        node
                    })
                    .collect()
            })
            .collect()
    }

    /// Draws the bands, then the bars above them, and returns the picture and its width in pixels.
    ///
    /// A band leaves its source below the bands of earlier groups and arrives in the same order at its target. Its
    /// thickness is the share of the source that leaves, and the share of the target that arrives.
    fn draw(&self, report: &Report) -> (Svg, f64) {
        let n = self.times.len();
        let step = (700.0 / n.saturating_sub(1).max(1) as f64).max(74.0);
        let width = 2.0 * NAMES + step * n.saturating_sub(1) as f64 + BAR;
        let mut svg = Svg::new(width, TOP + HEIGHT + 50.0);
        let x = |k: usize| NAMES + step * k as f64;
        let mut nodes = self.nodes();
        let mut thickest: Vec<(f64, (usize, usize, usize))> =
            self.flows.iter().map(|(key, share)| (*share, *key)).collect();
        thickest.retain(|entry| entry.0 > LEAST);
        thickest.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        let drawn: BTreeSet<_> = thickest.into_iter().take(BANDS).map(|entry| entry.1).collect();
        for (&(from, source, target), &share) in &self.flows {
            // Scale of both ends: a band keeps the share of the mass of its time.
            let arriving: f64 = self
                .flows
                .iter()
                .filter(|(key, _)| key.0 == from && key.2 == target)
                .map(|entry| entry.1)
                .sum();
            let leaving: f64 = self
                .flows
                .iter()
                .filter(|(key, _)| key.0 == from && key.1 == source)
                .map(|entry| entry.1)
                .sum();
            let start = &mut nodes[from][source];
            let thick = [start.height * share / leaving.max(1e-300), 0.0];
            let y0 = start.y + start.left;
            start.left += thick[0];
            let end = &mut nodes[from + 1][target];
            let end_thick = end.height * share / arriving.max(1e-300);
            let y1 = end.y + end.arrived;
            end.arrived += end_thick;
            if !drawn.contains(&(from, source, target)) {
                continue;
            }
            let (x0, x1) = (x(from) + BAR, x(from + 1));
            let middle = 0.5 * (x0 + x1);
            let path = format!(
                "M{} {}C{m} {} {m} {} {} {}V{}C{m} {} {m} {} {} {}Z",
                place(x0),
                place(y0),
                place(y0),
                place(y1),
                place(x1),
                place(y1),
                place(y1 + end_thick),
                place(y1 + end_thick),
                place(y0 + thick[0]),
                place(x0),
                place(y0 + thick[0]),
                m = place(middle)
            );
            svg.area(&path, report.colours.get(self.groups[source]), 0.38);
        }
        self.bars(&mut svg, &nodes, report, &x);
        (svg, width)
    }

    /// The bars of the groups, their names at both ends, and the times.
    fn bars(&self, svg: &mut Svg, nodes: &[Vec<Node>], report: &Report, x: &dyn Fn(usize) -> f64) {
        let last = self.times.len().saturating_sub(1);
        for (k, (at, here)) in self.times.iter().zip(nodes).enumerate() {
            let mut free = f64::NEG_INFINITY;
            for (node, name) in here.iter().zip(&self.groups) {
                if node.height <= 0.0 {
                    continue;
                }
                svg.rect([x(k), node.y], [BAR, node.height.max(1.0)], report.colours.get(name));
                let y = (node.y + 0.5 * node.height + 4.0).max(free);
                let name = shortened(name, 15);
                if k == 0 {
                    svg.text([x(0) - 8.0, y], &name, "k", Anchor::End);
                } else if k == last {
                    svg.text([x(last) + BAR + 8.0, y], &name, "k", Anchor::Start);
                }
                free = y + 14.0;
            }
            svg.text([x(k) + 0.5 * BAR, TOP + HEIGHT + 22.0], &time(*at), "k", Anchor::Middle);
        }
        let middle = 0.5 * (x(0) + x(last) + BAR);
        svg.text([middle, TOP + HEIGHT + 42.0], &time_title(&report.unit), "a", Anchor::Middle);
    }
}

/// The figure of all transitions, with a legend of the groups.
///
/// Its table has a row for each pair of times and groups: the mass, and the share of the source with both ends of its
/// interval.
pub(super) fn figure(rows: &[FlowRow], report: &Report) -> Figure {
    let picture = Picture::of(rows, report);
    let (svg, _) = picture.draw(report);
    let alt = format!(
        "Bands between the groups of {} times: {}. The table has the numbers",
        picture.times.len(),
        picture.groups.join(", ")
    );
    let entries: Vec<(String, String)> = picture
        .groups
        .iter()
        .map(|name| ((*name).to_string(), report.colours.get(name).to_string()))
        .collect();
    let drawn =
        format!("{}{}", wide(&svg.element(&alt), "Transitions between groups"), legend(&entries));
    let lines = rows
        .iter()
        .map(|row| {
            let share = &row.share;
            vec![
                time(row.from),
                time(row.to),
                row.source.clone(),
                row.target.clone(),
                number(row.mass),
                number(share.value),
                number(share.lo),
                number(share.hi),
            ]
        })
        .collect();
    Figure {
        id: "fig-transitions",
        title: "Where the cells of each group go".into(),
        n: format!("n = {} groups at {} times", picture.groups.len(), picture.times.len()),
        picture: drawn,
        reading: "The height of a bar is the share of the cells of a time. A band is the share of a group whose \
                  descendants reach a group of the next time. Bands under 0.2 %, and all but the 400 thickest, are not drawn."
            .into(),
        table: Table::new(
            &["From", "To", "Source", "Target", "Mass", "Share of the source", "95 % from", "95 % to"],
            lines,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::report::Interval95;

    #[test]
    fn bars_are_shares_of_the_mass_of_a_time_and_fill_its_column() {
        let none = Interval95 { value: f64::NAN, lo: f64::NAN, hi: f64::NAN };
        let row = |source: &str, mass: f64| FlowRow {
            from: 0.0,
            to: 6.0,
            source: source.into(),
            target: "c".into(),
            mass,
            share: none,
        };
        // Masses of a time need not sum to one.
        let rows = [row("a", 6.0), row("b", 2.0), FlowRow { to: 99.0, ..row("b", 50.0) }];
        let report = Report::default();
        let picture = Picture::of(&rows, &report);
        let shares: Vec<f64> = picture.flows.values().copied().collect();
        assert!((shares[0] - 0.75).abs() < 1e-12 && (shares[1] - 0.25).abs() < 1e-12);
        let nodes = picture.nodes();
        // Groups come in the order of the table: a, c, b.
        let room = HEIGHT - GAP;
        assert!((nodes[0][0].height - 0.75 * room).abs() < 1e-9);
        assert!((nodes[0][2].y - TOP - 0.75 * room - GAP).abs() < 1e-9);
        assert!((nodes[0][2].y + nodes[0][2].height - TOP - HEIGHT).abs() < 1e-9);
        // One group at the second time has the whole column.
        assert!((nodes[1][1].height - HEIGHT).abs() < 1e-9);
    }
}
