//! Edges of a list as links between genes, in one panel for each group and interval.

use std::collections::{BTreeMap, BTreeSet};

use crate::io::edges::EdgeRow;

/// Smallest probability of a direction that is drawn.
const SURE_DIRECTION: f64 = 0.6;

/// Largest number of panels in a picture.
const MOST_PANELS: usize = 9;

/// An edge in a picture. Genes are positions in [`Links::genes`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Link {
    /// The regulator.
    pub(super) regulator: usize,
    /// The target.
    pub(super) target: usize,
    /// Weight of the edge, finite and not negative.
    pub(super) weight: f64,
    /// Whether the edge is an activation.
    pub(super) activates: bool,
    /// Whether the direction of the edge is known.
    pub(super) directed: bool,
}

impl Link {
    /// Both genes, the regulator first.
    pub(super) fn ends(&self) -> (usize, usize) {
        (self.regulator, self.target)
    }

    /// Weight with the sign of the edge.
    pub(super) fn signed(&self) -> f64 {
        if self.activates { self.weight } else { -self.weight }
    }
}

/// The number of an edge that pictures show, with its name in legends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weight {
    /// Name of the number.
    pub(super) name: &'static str,
    of: fn(&EdgeRow) -> f64,
}

impl Weight {
    /// The number that pictures of `rows` show.
    fn of_list(rows: &[EdgeRow]) -> Self {
        if rows.iter().any(|row| row.confidence.is_finite()) {
            return Self { name: "confidence", of: |row| row.confidence };
        }
        Self { name: "importance", of: |row| row.importance }
    }
}

/// Whether the direction of an edge is known, so that it is drawn with an arrow.
fn is_directed(row: &EdgeRow) -> bool {
    row.direction.is_nan() || row.direction >= SURE_DIRECTION
}

/// The links of one group or interval.
#[derive(Debug)]
pub(super) struct LinkPanel {
    /// Name of the group, times of the interval; empty if there is one panel only.
    pub(super) label: String,
    /// The links, in the order of the list.
    pub(super) links: Vec<Link>,
}

/// The links of a list of edges.
#[derive(Debug)]
pub(super) struct Links<'a> {
    /// Names of the genes, in the order of first appearance.
    pub(super) genes: Vec<&'a str>,
    /// The first nine groups or intervals, in the order of the list.
    pub(super) panels: Vec<LinkPanel>,
    /// Number of groups or intervals in the list, drawn or not.
    pub(super) n_parts: usize,
    /// The kind of parts that panels show: `group`, `interval`, or both.
    pub(super) kind: &'static str,
    /// The number that the weights are.
    pub(super) weight: Weight,
}

impl<'a> Links<'a> {
    /// The links of `rows`. Edges of a gene to itself and edges whose weight is not finite are left out.
    pub(super) fn of(rows: &'a [EdgeRow]) -> Self {
        let weight = Weight::of_list(rows);
        let parts = Parts::of(rows);
        let mut links = Self {
            genes: Vec::new(),
            panels: (0..parts.keys.len().min(MOST_PANELS))
                .map(|part| LinkPanel { label: parts.label(part), links: Vec::new() })
                .collect(),
            n_parts: parts.keys.len(),
            kind: parts.kind(),
            weight,
        };
        let mut places = BTreeMap::new();
        for row in rows.iter().filter(|row| row.regulator != row.target) {
            let value = (weight.of)(row);
            let panel = parts.numbers.get(&key(row)).and_then(|&part| links.panels.get_mut(part));
            let Some(panel) = panel.filter(|_| value.is_finite()) else { continue };
            let mut place = |gene: &'a str| {
                *places.entry(gene).or_insert_with(|| {
                    links.genes.push(gene);
                    links.genes.len() - 1
                })
            };
            panel.links.push(Link {
                regulator: place(&row.regulator),
                target: place(&row.target),
                weight: value.max(0.0),
                activates: row.activates,
                directed: is_directed(row),
            });
        }
        links
    }

    /// A sentence for a picture in which parts are missing; `None` if all are drawn.
    pub(super) fn left_out(&self) -> Option<String> {
        let (n, all) = (self.panels.len(), self.n_parts);
        let parts = match self.kind {
            "group" => "groups",
            "interval" => "intervals",
            _ => "intervals of groups",
        };
        (n < all).then(|| format!("Only the first {n} of {all} {parts} are drawn."))
    }
}

/// Group and times of the cells of an edge.
type Key<'a> = (&'a str, u64, u64);

/// The part to which an edge belongs.
fn key(row: &EdgeRow) -> Key<'_> {
    (&row.group, row.from.to_bits(), row.to.to_bits())
}

/// The groups and intervals of a list.
struct Parts<'a> {
    keys: Vec<Key<'a>>,
    numbers: BTreeMap<Key<'a>, usize>,
}

impl<'a> Parts<'a> {
    /// The parts of `rows`, in the order of first appearance.
    fn of(rows: &'a [EdgeRow]) -> Self {
        let mut parts = Self { keys: Vec::new(), numbers: BTreeMap::new() };
        for row in rows {
            parts.numbers.entry(key(row)).or_insert_with(|| {
                parts.keys.push(key(row));
                parts.keys.len() - 1
            });
        }
        parts
    }

    /// Whether some group has several intervals.
    fn has_intervals(&self) -> bool {
        let groups: BTreeSet<&str> = self.keys.iter().map(|key| key.0).collect();
        groups.len() < self.keys.len()
    }

    /// Whether there are groups.
    fn has_groups(&self) -> bool {
        self.keys.iter().any(|key| !key.0.is_empty())
    }

    /// The kind of the parts, in the singular.
    fn kind(&self) -> &'static str {
        match (self.has_groups(), self.has_intervals()) {
            (true, true) => "interval and group",
            (true, false) => "group",
            _ => "interval",
        }
    }

    /// Name of a part; empty for the cells of all groups and times.
    fn label(&self, part: usize) -> String {
        let (group, from, to) = self.keys[part];
        let span = format!("{} to {}", f64::from_bits(from), f64::from_bits(to));
        match (group.is_empty(), self.has_intervals()) {
            (true, false) => String::new(),
            (true, true) => span,
            (false, false) => group.to_string(),
            (false, true) => format!("{group}, {span}"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An edge of all cells.
    pub(in crate::io::chart) fn edge(regulator: &str, target: &str, importance: f64) -> EdgeRow {
        EdgeRow {
            regulator: regulator.into(),
            target: target.into(),
            importance: importance.abs(),
            activates: importance >= 0.0,
            ..EdgeRow::default()
        }
    }

    /// An edge of a group in an interval of length one.
    pub(in crate::io::chart) fn edge_of(row: EdgeRow, group: &str, from: f64) -> EdgeRow {
        EdgeRow { group: group.into(), from, to: from + 1.0, ..row }
    }

    #[test]
    fn parts_are_panels_with_names_in_the_order_of_the_list() {
        let labels = |rows: &[EdgeRow]| -> Vec<String> {
            Links::of(rows).panels.into_iter().map(|panel| panel.label).collect()
        };
        let row = || edge("A", "B", 1.0);
        assert_eq!(labels(&[row(), row()]), [""]);
        let times = [edge_of(row(), "", 6.0), edge_of(row(), "", 2.0), edge_of(row(), "", 6.0)];
        assert_eq!(labels(&times), ["6 to 7", "2 to 3"]);
        assert_eq!(labels(&[edge_of(row(), "x", 0.0), edge_of(row(), "y", 1.0)]), ["x", "y"]);
        let both = [edge_of(row(), "x", 0.0), edge_of(row(), "x", 1.0)];
        assert_eq!(labels(&both), ["x, 0 to 1", "x, 1 to 2"]);
        let kinds: Vec<&str> = [&times[..], &both[..]].map(|rows| Links::of(rows).kind).into();
        assert_eq!(kinds, ["interval", "interval and group"]);
    }

    #[test]
    fn genes_are_numbered_once_and_unusable_edges_are_left_out() {
        let rows = [
            edge("A", "B", 2.0),
            edge("C", "C", 1.0),
            edge("D", "A", f64::NAN),
            edge("B", "A", -3.0),
        ];
        let links = Links::of(&rows);
        assert_eq!(links.genes, ["A", "B"]);
        let found = &links.panels[0].links;
        assert_eq!(found.iter().map(Link::ends).collect::<Vec<_>>(), [(0, 1), (1, 0)]);
        assert!((found[1].signed() + 3.0).abs() < 1e-12 && found[0].signed() > 0.0);
        assert!(links.left_out().is_none());
    }

    #[test]
    fn only_the_first_nine_parts_are_drawn_and_the_picture_says_so() {
        let rows: Vec<EdgeRow> =
            (0..11).map(|from| edge_of(edge("A", "B", 1.0), "", from as f64)).collect();
        let links = Links::of(&rows);
        assert_eq!((links.panels.len(), links.n_parts), (9, 11));
        assert_eq!(links.left_out().unwrap(), "Only the first 9 of 11 intervals are drawn.");
        let both: Vec<EdgeRow> = (0..20)
            .map(|i| edge_of(edge("A", "B", 1.0), if i < 10 { "x" } else { "y" }, f64::from(i)))
            .collect();
        let said = Links::of(&both).left_out().unwrap();
        assert_eq!(said, "Only the first 9 of 20 intervals of groups are drawn.");
        assert!(Links::of(&[]).panels.is_empty());
    }
}
