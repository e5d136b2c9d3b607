//! Mean expression of genes along trajectories, with bands of their 95 % intervals.
//!
//! Each gene has a panel, and each set of cells a line in the colour of its group. Time is to scale, and the axis of
//! expression (the scale of the fit) is that of the gene, so that panels are compared by shape and not by height.

use crate::io::report::axis::{Axis, TimeAxis, time_title};
use crate::io::report::data::{GeneTrend, Report, Trends};
use crate::io::report::escape::{counted, number, time};
use crate::io::report::page::{Figure, Table, legend};
use crate::io::report::svg::{Anchor, Svg, path, shortened};

/// Width and height of a panel, in pixels.
const PANEL: [f64; 2] = [350.0, 200.0];
/// Width for the labels of the axis of expression, in pixels.
const LEFT: f64 = 46.0;

/// The figure of all genes, with one legend for all panels.
///
/// Its table has a row for each gene, set and time: the mean and both ends of its interval, which are dashes where
/// there is no interval.
pub(super) fn figure(trends: &Trends, report: &Report) -> Figure {
    let mut sets: Vec<&str> = Vec::new();
    for line in trends.genes.iter().flat_map(|gene| &gene.lines) {
        if !sets.contains(&line.set.as_str()) {
            sets.push(&line.set);
        }
    }
    let mut picture = String::from("<div class=\"panels\">");
    for gene in &trends.genes {
        picture.push_str(&panel(gene, report));
    }
    picture.push_str("</div>");
    let entries: Vec<(String, String)> =
        sets.iter().map(|set| ((*set).to_string(), report.colours.get(set).to_string())).collect();
    picture.push_str(&legend(&entries));
    let mut rows = Vec::new();
    for gene in &trends.genes {
        for line in &gene.lines {
            for (at, mean) in line.times.iter().zip(&line.means) {
                rows.push(vec![
                    gene.gene.clone(),
                    line.set.clone(),
                    time(*at),
                    number(mean.value),
                    number(mean.lo),
                    number(mean.hi),
                ]);
            }
        }
    }
    Figure {
        id: "fig-trends",
        title: "Expression on the way to each set of cells".into(),
        n: format!(
            "n = {} of {}, {}",
            trends.genes.len(),
            counted(trends.n_genes, "gene"),
            counted(sets.len(), "set")
        ),
        picture,
        reading: format!(
            "Lines: mean expression of the ancestors and descendants of a set, on the scale of the fit. Bands: 95 % \
             intervals. {}",
            trends.selected
        ),
        table: Table::new(
            &["Gene", "Set", &time_title(&report.unit), "Mean", "95 % from", "95 % to"],
            rows,
        ),
    }
}

/// The panel of one gene as an SVG element.
///
/// A line joins the means at the times that have one. A band joins the ends of their intervals, where at least two
/// times have them. The axis does not go below zero unless a number does.
fn panel(gene: &GeneTrend, report: &Report) -> String {
    let [width, height] = PANEL;
    let mut times: Vec<f64> = gene.lines.iter().flat_map(|line| line.times.clone()).collect();
    times.sort_by(f64::total_cmp);
    times.dedup();
    let x = TimeAxis::new(&times, [LEFT + 4.0, width - 12.0]);
    let ends = gene.lines.iter().flat_map(|line| &line.means);
    let ends = ends.flat_map(|mean| [mean.value, mean.lo, mean.hi]);
    let mut y = Axis::over(ends.clone(), 0.06, [height - 42.0, 26.0]);
    if ends.filter(|value| value.is_finite()).all(|value| value >= 0.0) {
        // Expression is not negative, and neither is its axis.
        y.values[0] = y.values[0].max(0.0);
    }
    let mut svg = Svg::new(width, height);
    svg.text([LEFT, 15.0], &shortened(&gene.gene, 30), "b", Anchor::Start);
    y.draw_vertical(&mut svg, [LEFT, width - 8.0], 3);
    svg.upright([12.0, 0.5 * (height - 14.0)], "Expression");
    for line in &gene.lines {
        let colour = report.colours.get(&line.set);
        let places = line.times.iter().zip(&line.means).filter(|entry| entry.1.value.is_finite());
        let at = |time: f64, value: f64| [x.axis.at(time), y.at(value)];
        let known = places.clone().filter(|entry| entry.1.lo.is_finite() && entry.1.hi.is_finite());
        let above = known.clone().map(|(time, mean)| at(*time, mean.hi));
        let below: Vec<[f64; 2]> = known.map(|(time, mean)| at(*time, mean.lo)).collect();
        let band: Vec<[f64; 2]> = above.chain(below.into_iter().rev()).collect();
        if band.len() > 2 {
            svg.area(&format!("{}Z", path(&band)), colour, 0.2);
        }
        let middle: Vec<[f64; 2]> = places.map(|(time, mean)| at(*time, mean.value)).collect();
        svg.curve(&path(&middle), colour, 2.0);
    }
    x.draw(&mut svg, height - 42.0);
    svg.text([0.5 * (LEFT + width), height - 5.0], &time_title(&report.unit), "a", Anchor::Middle);
    let sets: Vec<&str> = gene.lines.iter().map(|line| line.set.as_str()).collect();
    svg.element(&format!(
        "Mean expression of {} over time on the way to {}",
        gene.gene,
        sets.join(", ")
    ))
}
