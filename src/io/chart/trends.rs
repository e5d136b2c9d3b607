//! Charts of genes along trajectories: one panel for each gene, one line for each trajectory.

use kuva::render::render::TextAnchor;
use ndarray::Array2;

use crate::error::{Error, Result};
use crate::io::chart::page::{Head, PageSize};
use crate::io::chart::profiles::{FEW_WORDS, GREY, PANEL, Panel, width_for};
use crate::io::chart::{COLOURS, Chart, Profiles};

/// Words around the panels of trends.
pub(crate) struct TrendWords<'a> {
    /// Title; `None` for one that names the trajectories.
    pub(crate) title: Option<String>,
    /// Title of the axis of time, with its unit.
    pub(crate) time_title: &'a str,
}

/// Draws one panel for each of `genes`, with one line for each of the named trajectories `sets`. Vertical lines are
/// 95 % intervals of the mean. The panel of a gene that no trajectory has is empty.
///
/// # Errors
/// [`Error::Parameter`] if there are more than seven trajectories, the number of colours.
pub(crate) fn draw_trends(
    sets: &[(String, Profiles)],
    genes: &[String],
    words: &TrendWords<'_>,
    size: PageSize,
) -> Result<Chart> {
    if sets.len() > COLOURS.len() {
        let (name, must) =
            ("plot", "for at most seven sets: name them with the parameter `groupby = COL=A,B`");
        return Err(Error::Parameter { name, must, got: sets.len().to_string() });
    }
    let names: Vec<&str> = sets.iter().map(|set| set.0.as_str()).collect();
    let width = size.width.unwrap_or_else(|| width_for(names.iter().copied())).max(220.0);
    let longest = names.iter().map(|name| Chart::width_of(name)).fold(0.0, f64::max);
    let room = (longest + 24.0).min(0.4 * width);
    let title = words.title.clone();
    let title = title.unwrap_or_else(|| format!("Mean expression along {}", names.join(", ")));
    let head = Head::of(width, [&title, &subtitle(sets, genes)]);
    let few = sets.iter().any(|set| set.1.has_few());
    let foot = if few { 44.0 } else { 24.0 };
    let n = genes.len().max(1) as f64;
    let fixed = head.height() + GAP * n + foot;
    let high = size.height.map_or(PANEL, |height| (height - fixed) / n).max(40.0);
    let height = fixed + high * genes.len() as f64;
    let mut chart = Chart::new(width, height);
    head.draw(&mut chart);
    for (place, gene) in genes.iter().enumerate() {
        let one = of_gene(sets, gene);
        let top = head.height() + 22.0 + (high + GAP) * place as f64;
        let lines: Vec<(usize, String, &str)> =
            (0..sets.len()).map(|s| (s, sets[s].0.clone(), COLOURS[s])).collect();
        let panel = Panel { profiles: &one, ends: [top, top + high], right: width - room, room };
        panel.draw(&mut chart, &lines, &format!("{gene}: mean expression"));
    }
    let middle = f64::midpoint(60.0, width - room);
    let y = height - foot + 8.0;
    chart.words((middle, y), words.time_title, TextAnchor::Middle, GREY);
    if few {
        chart.words((16.0, y + 22.0), FEW_WORDS, TextAnchor::Start, GREY);
    }
    Ok(chart)
}

/// Space between two panels, with the labels of times and the title of a gene.
const GAP: f64 = 64.0;

/// Numbers of cells of the means that are drawn, and how to read the lines.
fn subtitle(sets: &[(String, Profiles)], genes: &[String]) -> String {
    let of = |(_, of): &(String, Profiles)| -> Vec<f64> {
        let columns = genes.iter().filter_map(|gene| of.genes.iter().position(|g| g == gene));
        columns.flat_map(|column| of.n_cells.column(column).to_vec()).collect()
    };
    let all = sets.iter().flat_map(of).filter(|n| n.is_finite());
    let (low, high) =
        all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), n| (low.min(n), high.max(n)));
    let intervals = "lines: 95 % intervals";
    if low > high {
        return intervals.into();
    }
    // An effective number of ten may be rounded down slightly.
    let [low, high] = [low, high].map(|n| (n + 1e-6).floor());
    let n = if high > low { format!("{low} to {high}") } else { format!("{high}") };
    format!("n = {n} effective cells in each mean; {intervals}")
}

/// Profiles of one gene with the trajectories in place of genes, at all times of any trajectory. Missing
/// means are NaN.
fn of_gene(sets: &[(String, Profiles)], gene: &str) -> Profiles {
    let mut times: Vec<f64> = sets.iter().flat_map(|(_, of)| of.times.clone()).collect();
    times.sort_by(f64::total_cmp);
    times.dedup();
    let shape = (times.len(), sets.len());
    let empty = Array2::from_elem(shape, f64::NAN);
    let mut all = Profiles {
        genes: sets.iter().map(|set| set.0.clone()).collect(),
        mean: empty.clone(),
        lo: empty.clone(),
        hi: empty.clone(),
        n_cells: empty,
        times,
    };
    for (s, (_, of)) in sets.iter().enumerate() {
        let Some(column) = of.genes.iter().position(|name| name == gene) else { continue };
        for (k, time) in of.times.iter().enumerate() {
            let row = all.times.partition_point(|other| other < time);
            all.mean[[row, s]] = of.mean[[k, column]];
            all.lo[[row, s]] = of.lo[[k, column]];
            all.hi[[row, s]] = of.hi[[k, column]];
            all.n_cells[[row, s]] = of.n_cells[[k, column]];
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn trajectories_of_other_times_share_a_panel() {
        let of = |times: Vec<f64>, mean: Array2<f64>| {
            let (lo, hi) = (mean.clone() - 0.5, mean.clone() + 0.25);
            let n_cells = Array2::from_elem(mean.dim(), 20.0);
            Profiles { genes: vec!["a".into(), "b".into()], times, mean, lo, hi, n_cells }
        };
        let sets = [
            ("one".to_string(), of(vec![0.0, 2.0], array![[1.0, 5.0], [2.0, 6.0]])),
            ("two".to_string(), of(vec![1.0, 2.0], array![[3.0, 7.0], [4.0, 8.0]])),
        ];
        let panel = of_gene(&sets, "b");
        assert_eq!(panel.times, [0.0, 1.0, 2.0]);
        assert_eq!(panel.mean.row(2), array![6.0, 8.0]);
        assert!((panel.lo[[0, 0]] - 4.5).abs() < 1e-12 && (panel.hi[[2, 1]] - 8.25).abs() < 1e-12);
        assert!(panel.mean[[1, 0]].is_nan() && panel.mean[[0, 1]].is_nan());
        let file = tempfile::tempdir().unwrap();
        let path = file.path().join("trends.svg");
        let words = TrendWords { title: None, time_title: "time" };
        let draw = |sets: &[(String, Profiles)], width: Option<f64>| {
            draw_trends(sets, &["b".into()], &words, PageSize { width, height: None })
        };
        draw(&sets, None).unwrap().write(&path).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains("Mean expression along one, two") && !text.contains("NaN"));
        assert!(draw(&vec![sets[0].clone(); 8], None).is_err());
        assert!(text.contains("n = 20 effective cells") && text.contains("b: mean expression"));
        let chart = draw(&sets, Some(250.0)).unwrap();
        assert!((chart.size().0 - 250.0 / 96.0 * 25.4).abs() < 1e-9);
    }
}
