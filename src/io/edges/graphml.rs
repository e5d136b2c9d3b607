//! Edges as GraphML, for Cytoscape, yEd, Gephi and networkx.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use crate::error::{Result, visible};
use crate::io::edges::row::EdgeRow;
use crate::io::file;

/// A numerical attribute of an edge: its key, and the function that reads it.
type Number = (&'static str, fn(&EdgeRow) -> f64);

/// The numerical attributes that are written.
const NUMBERS: [Number; 10] = [
    ("importance", |edge| edge.importance),
    ("sign", |edge| edge.sign() as f64),
    ("effect", |edge| edge.effect),
    ("confidence", |edge| edge.confidence),
    ("direction", |edge| edge.direction),
    ("stability", |edge| edge.stability),
    ("p_time", |edge| edge.p_time),
    ("q_time", |edge| edge.q_time),
    ("prior", |edge| edge.prior),
    ("importance_unaided", |edge| edge.unaided),
];

/// Writes `edges` as a directed graph with one node for each gene and one edge for each row. The edge
/// has the attributes `interaction` (`activates` or `inhibits`), `group` and its finite numbers. The
/// file is replaced as a whole.
///
/// # Errors
/// [`crate::Error::Io`] if the file cannot be written.
///
/// ```
/// use sbcell::io::edges::{EdgeRow, graphml};
/// # fn main() -> sbcell::Result<()> {
/// let edge = EdgeRow {
///     regulator: "Sox2".into(),
///     target: "Nanog".into(),
///     importance: 0.5,
///     activates: true,
///     ..EdgeRow::default()
/// };
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("edges.graphml");
/// graphml::write(&path, &[edge])?;
/// let text = std::fs::read_to_string(&path).unwrap();
/// assert!(text.contains("<edge source=\"Sox2\" target=\"Nanog\">"));
/// # Ok(())
/// # }
/// ```
pub fn write(path: &Path, edges: &[EdgeRow]) -> Result<()> {
    file::replace(path, |writer| writer.write_all(text(edges).as_bytes()))
}

/// The document as text.
fn text(edges: &[EdgeRow]) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n\
         <key id=\"name\" for=\"node\" attr.name=\"name\" attr.type=\"string\"/>\n\
         <key id=\"interaction\" for=\"edge\" attr.name=\"interaction\" attr.type=\"string\"/>\n\
         <key id=\"group\" for=\"edge\" attr.name=\"group\" attr.type=\"string\"/>\n",
    );
    for (name, _) in NUMBERS {
        line(
            &mut out,
            format_args!(
                "<key id=\"{name}\" for=\"edge\" attr.name=\"{name}\" attr.type=\"double\"/>"
            ),
        );
    }
    line(&mut out, format_args!("<graph id=\"grn\" edgedefault=\"directed\">"));
    let ids = ids(edges);
    for (gene, id) in &ids {
        let gene = escaped(gene);
        line(&mut out, format_args!("<node id=\"{id}\"><data key=\"name\">{gene}</data></node>"));
    }
    for edge in edges {
        let [source, target] = [&edge.regulator, &edge.target].map(|gene| &ids[gene]);
        line(&mut out, format_args!("<edge source=\"{source}\" target=\"{target}\">"));
        let interaction = if edge.activates { "activates" } else { "inhibits" };
        line(&mut out, format_args!("<data key=\"interaction\">{interaction}</data>"));
        if !edge.group.is_empty() {
            let group = escaped(&edge.group);
            line(&mut out, format_args!("<data key=\"group\">{group}</data>"));
        }
        for (name, value) in NUMBERS.map(|(name, of)| (name, of(edge))) {
            if value.is_finite() {
                line(&mut out, format_args!("<data key=\"{name}\">{value:?}</data>"));
            }
        }
        line(&mut out, format_args!("</edge>"));
    }
    out.push_str("</graph>\n</graphml>\n");
    out
}

/// A unique id for each gene: its escaped name, with a number if two names are equal after escaping.
fn ids(edges: &[EdgeRow]) -> BTreeMap<&String, String> {
    let genes: BTreeSet<&String> =
        edges.iter().flat_map(|edge| [&edge.regulator, &edge.target]).collect();
    let (mut ids, mut taken) = (BTreeMap::new(), BTreeSet::new());
    for gene in genes {
        let name = escaped(gene);
        let numbered = (2..).map(|number| format!("{name} ({number})"));
        let id = std::iter::once(name.clone()).chain(numbered).find(|id| !taken.contains(id));
        let id = id.unwrap_or(name);
        taken.insert(id.clone());
        ids.insert(gene, id);
    }
    ids
}

/// Appends a line.
fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}

/// `text` escaped for XML 1.0. Characters that XML forbids even in escaped form are made visible.
fn escaped(text: &str) -> String {
    visible(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::edges::row::tests::edge;

    #[test]
    fn names_that_look_the_same_are_two_nodes() {
        let mut odd = edge(2.0, "a\u{1b}\u{fffe}");
        (odd.regulator, odd.target) = ("x\u{7}".into(), "x\\u{7}".into());
        let text = text(&[odd]);
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{fffe}']));
        assert!(text.contains("source=\"x\\u{7}\" target=\"x\\u{7} (2)\""), "{text}");
    }

    #[test]
    fn genes_are_nodes_and_numbers_that_are_not_there_are_left_out() {
        let mut odd = edge(2.0, "a & b");
        (odd.regulator, odd.p_time) = ("<x>".into(), f64::NAN);
        let text = text(&[edge(1.0, ""), odd]);
        assert_eq!(text.matches("<node ").count(), 3);
        assert_eq!(text.matches("<edge ").count(), 2);
        assert!(text.contains("&lt;x&gt;") && text.contains("a &amp; b"));
        assert_eq!(text.matches("key=\"p_time\"").count(), 1);
        assert_eq!(text.matches("<data ").count(), text.matches("</data>").count());
    }
}
