//! The page: its head, its sections, and the frame of each figure with title, caption and table.
//!
//! A section is shown also if its part is missing: then it has the sentence that says how to get it. All text of files
//! goes through `escape`.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::io::report::colours::scale;
use crate::io::report::data::{KNOW_FIRST, Part, Provenance, Report};
use crate::io::report::escape::{self, counted, html as escaped, prose};
use crate::io::report::payload::Payload;
use crate::io::report::{counts, edges, fates, map, populations, sankey, trends, validation};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Most rows of a table on the page.
const MOST_ROWS: usize = 150;

/// A figure with all that belongs to it.
pub(super) struct Figure {
    /// Name of the element.
    pub(super) id: &'static str,
    /// Title of the figure.
    pub(super) title: String,
    /// From how many cells, genes or times.
    pub(super) n: String,
    /// The picture, as HTML.
    pub(super) picture: String,
    /// How to read the picture.
    pub(super) reading: String,
    /// The numbers of the picture.
    pub(super) table: Table,
}

/// A table below a figure.
pub(super) struct Table {
    /// Names of the columns.
    pub(super) header: Vec<String>,
    /// The rows.
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub(super) fn new(header: &[&str], rows: Vec<Vec<String>>) -> Self {
        Self { header: header.iter().map(ToString::to_string).collect(), rows }
    }

    /// The table, of which the first rows are shown.
    fn html(&self, about: &str) -> String {
        let about = escaped(about);
        let mut put = format!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table: {about}\"><table><thead><tr>"
        );
        let is_number = |column: usize| {
            let entries = self.rows.iter().filter_map(|row| row.get(column));
            entries.clone().count() > 0
                && entries.clone().all(|e| {
                    e.chars().next().is_none_or(|c| c.is_ascii_digit() || "−–".contains(c))
                })
        };
        let classes: Vec<&str> =
            (0..self.header.len()).map(|i| if is_number(i) { " class=r" } else { "" }).collect();
        for (name, class) in self.header.iter().zip(&classes) {
            let _ = write!(put, "<th scope=\"col\"{class}>{}</th>", escaped(name));
        }
        put.push_str("</tr></thead><tbody>");
        for row in self.rows.iter().take(MOST_ROWS) {
            put.push_str("<tr>");
            for (entry, class) in row.iter().zip(&classes) {
                let _ = write!(put, "<td{class}>{}", escaped(entry));
            }
        }
        put.push_str("</tbody></table></div>");
        if self.rows.len() > MOST_ROWS {
            let _ = write!(
                put,
                "<p class=\"n\">The first {MOST_ROWS} of {} rows; the file has all.</p>",
                escape::count(self.rows.len())
            );
        }
        put
    }
}

impl Figure {
    /// The figure as HTML.
    fn html(&self) -> String {
        let Self { id, title, n, picture, reading, table } = self;
        let (title, n, reading) = (escaped(title), escaped(n), prose(reading));
        let table = table.html(&self.title);
        format!(
            "<figure id=\"{id}\"><figcaption><h3>{title}</h3><p class=\"n\">{n}</p></figcaption>\
             <div class=\"picture\">{picture}</div><p class=\"reading\">{reading}</p>\
             <details><summary>Table of this figure</summary>{table}</details></figure>\n"
        )
    }
}

/// The whole page as HTML, with style, script and data inside.
///
/// The content security policy names the SHA-256 of the script, so that the browser runs no other one. The same report
/// gives the same bytes.
pub(super) fn html(report: &Report) -> String {
    let mut payload = Payload::default();
    let sections = sections(report, &mut payload);
    let title = escaped(&report.title);
    // Long names of files break at their marks.
    let broken = title.replace('_', "_<wbr>").replace('.', "<wbr>.");
    let hash = base64_of_hash(SCRIPT);
    let nav: Vec<String> = sections
        .iter()
        .map(|section| format!("<li><a href=\"#{}\">{}</a></li>", section.id, section.name))
        .collect();
    let nav = nav.concat();
    let body: String = sections.iter().map(Section::html).collect();
    payload.add("ramp", (0..9).map(|stop| scale(f64::from(stop) / 8.0)).collect());
    let data = escape::json(&payload.json());
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title} · sbcell report</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#summary\">Skip to the summary</a>\n\
         <header><p class=\"kicker\">Schrödinger bridges for a single-cell time course</p><h1>{broken}</h1>{}</header>\n\
         <nav aria-label=\"Contents\"><ul>{nav}</ul></nav>\n<main>\n{body}</main>\n\
         <footer><p>Made by sbcell. This page needs no network and no other file.</p></footer>\n\
         <script type=\"application/json\" id=\"data\">{data}</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        facts(&report.facts)
    )
}

/// The base64 of the SHA-256 of `text`.
fn base64_of_hash(text: &str) -> String {
    crate::io::report::payload::base64(&Sha256::digest(text.as_bytes()))
}

/// Key numbers as a row.
fn facts(facts: &[(String, String)]) -> String {
    if facts.is_empty() {
        return String::new();
    }
    let items: Vec<String> = facts
        .iter()
        .map(|(name, value)| {
            format!("<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(value))
        })
        .collect();
    let items = items.concat();
    format!("<dl class=\"facts\">{items}</dl>")
}

/// A section of the page.
struct Section {
    id: &'static str,
    name: &'static str,
    body: String,
}

impl Section {
    fn html(&self) -> String {
        let Self { id, name, body } = self;
        format!(
            "<section id=\"{id}\" aria-labelledby=\"h-{id}\"><h2 id=\"h-{id}\">{name}</h2>\n{body}</section>\n"
        )
    }
}

/// The figures of `part`, or the sentence that says why there are none.
fn part<T>(part: &Part<T>, figures: impl FnOnce(&T) -> Vec<Figure>) -> String {
    match part {
        Part::Shown(content) => figures(content).iter().map(Figure::html).collect(),
        Part::Missing(why) => format!("<p class=\"missing\">{}</p>\n", prose(why)),
    }
}

/// All sections in order: summary, cells, map, populations, streams, transitions, fates, genes, regulation, validation
/// and how it was made. Data for the script go to `payload`.
fn sections(report: &Report, payload: &mut Payload) -> Vec<Section> {
    let section = |id, name, body| Section { id, name, body };
    vec![
        section("summary", "Summary", summary(report)),
        section("cells", "Cells", counts::figures(report).iter().map(Figure::html).collect()),
        section("map", "Map of cells", part(&report.map, |map| vec![map::figure(map, payload)])),
        section(
            "between",
            "In between",
            part(&report.populations, |frames| vec![populations::figure(frames, report, payload)]),
        ),
        section("streams", "Streams", part(&report.streams, |streams| vec![map::streams(streams)])),
        section(
            "transitions",
            "Transitions",
            part(&report.transitions, |rows| vec![sankey::figure(rows, report)]),
        ),
        section("fates", "Fates", part(&report.fates, |fates| fates::figures(fates, report))),
        section(
            "trends",
            "Genes",
            part(&report.trends, |trends| vec![trends::figure(trends, report)]),
        ),
        section("edges", "Regulation", part(&report.edges, edges::figures)),
        section(
            "validation",
            "Can I believe it?",
            part(&report.validation, |scores| vec![validation::figure(scores, report)]),
        ),
        section("provenance", "How it was made", provenance(&report.provenance)),
    ]
}

/// The three sentences, warnings and notes.
fn summary(report: &Report) -> String {
    let heads = ["What was found", "How far to trust it", "What to do next"];
    let cards: Vec<String> = heads
        .iter()
        .zip(&report.summary)
        .map(|(head, text)| format!("<div><h3>{head}</h3><p>{}</p></div>", prose(text)))
        .collect();
    let cards = cards.concat();
    let mut put = format!("<div class=\"three\">{cards}</div>\n");
    let list = |texts: &[String]| -> String {
        let items: Vec<String> =
            texts.iter().map(|text| format!("<li>{}</li>", prose(text))).collect();
        items.concat()
    };
    if !report.warnings.is_empty() {
        let _ = writeln!(
            put,
            "<div class=\"warn\"><h3>{KNOW_FIRST}</h3><ul>{}</ul></div>",
            list(&report.warnings)
        );
    }
    if !report.notes.is_empty() {
        let _ = writeln!(
            put,
            "<h3>Notes of the run</h3><ul class=\"notes\">{}</ul>",
            list(&report.notes)
        );
    }
    if !report.details.is_empty() {
        let _ = writeln!(
            put,
            "<details><summary>Choices of the solver ({})</summary><ul class=\"notes\">{}</ul></details>",
            counted(report.details.len(), "note"),
            list(&report.details)
        );
    }
    put
}

/// Versions, hashes and commands. Parameters that the command line cannot give are named below the commands.
fn provenance(made: &Provenance) -> String {
    let mut put = String::new();
    if !made.commands.is_empty() {
        put.push_str("<h3>Commands that repeat it</h3>\n<pre tabindex=\"0\" aria-label=\"Commands that repeat the run\"><code>");
        for repeat in &made.commands {
            let _ = writeln!(put, "{}", escaped(&repeat.command));
        }
        put.push_str("</code></pre>\n");
        for repeat in made.commands.iter().filter(|repeat| !repeat.also.is_empty()) {
            let name: String = repeat.command.split(' ').take(2).collect::<Vec<_>>().join(" ");
            let _ = writeln!(
                put,
                "<p class=\"reading\">Also set for <code>{}</code>: {}.</p>",
                escaped(&name),
                prose(&repeat.also.join(", "))
            );
        }
    }
    let rows: Vec<String> = made
        .facts
        .iter()
        .map(|(name, value)| {
            format!(
                "<tr><th scope=\"row\">{}</th><td class=\"hash\">{}</td></tr>",
                escaped(name),
                escaped(value)
            )
        })
        .collect();
    let rows = rows.concat();
    let _ = writeln!(
        put,
        "<h3>Versions and input</h3><table class=\"plain\"><tbody>{rows}</tbody></table>"
    );
    if !made.files.is_empty() {
        let rows =
            made.files.iter().map(|file| vec![file.name.clone(), file.sha256.clone()]).collect();
        let table = Table::new(&["File", "SHA-256"], rows).html("files that this page shows");
        let _ = writeln!(
            put,
            "<details><summary>Files that this page shows</summary>{table}</details>"
        );
    }
    put
}

/// A legend of colours with names, in a row.
pub(super) fn legend(entries: &[(String, String)]) -> String {
    let mut put = String::from("<ul class=\"legend\">");
    for (name, colour) in entries {
        let _ = write!(
            put,
            "<li><svg class=\"chip\" width=\"11\" height=\"11\" aria-hidden=\"true\"><circle cx=\"5.5\" cy=\"5.5\" r=\"5\" fill=\"{colour}\"/></svg>{}</li>",
            escaped(name)
        );
    }
    put.push_str("</ul>");
    put
}

/// A picture that keeps its size and scrolls where the page is narrow.
pub(super) fn wide(picture: &str, about: &str) -> String {
    format!(
        "<p class=\"n hint\">Scroll sideways to see all of it.</p><div class=\"scroll wide\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">{picture}</div>",
        escaped(about)
    )
}

/// The element for what the script draws over the static picture `fallback`.
pub(super) fn moving(kind: &'static str, fallback: &str) -> String {
    format!(
        "<div class=\"moving\" data-kind=\"{kind}\"><div class=\"still\">{fallback}</div></div>"
    )
}
