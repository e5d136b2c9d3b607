//! Charts of genes along trajectories: one panel for each gene, one line for each trajectory.

use kuva::render::render::TextAnchor;
use ndarray::Array2;

use crate::error::{Error, Result};
use crate::io::chart::profiles::{FEW_WORDS, GREY, PANEL, Panel, WIDTH, width_for};
use crate::io::chart::{COLOURS, Chart, Profiles};

/// Draws one panel for each of `genes`, with one line for each of the named trajectories `sets`. Vertical
/// lines are 95 % intervals of the mean. `time_title` is the title of the axis of time, with its unit. The panel of a gene that no trajectory has is empty.
///
/// # Errors
/// [`Error::Parameter`] if there are more than seven trajectories, the number of colours.
pub(crate) fn draw_trends(
    sets: &[(String, Profiles)],
    genes: &[String],
    time_title: &str,
) -> Result<Chart> {
    if sets.len() > COLOURS.len() {
        let (name, must) =
            ("plot", "for at most seven sets: name them with the parameter `groupby = COL=A,B`");
        return Err(Error::Parameter { name, must, got: sets.len().to_string() });
    }
    let few = sets.iter().any(|set| set.1.has_few());
    let height = 70.0 + genes.len() as f64 * (PANEL + 60.0);
    let names: Vec<&str> = sets.iter().map(|set| set.0.as_str()).collect();
    let width = width_for(names.iter().copied());
    let mut chart = Chart::new(width, height);
    let mut title = format!("Mean expression along {}", names.join(", "));
    // A title is bold and a sixth larger than ordinary text.
    if 1.3 * Chart::width_of(&title) > width - 32.0 {
        title = format!("Mean expression along {} trajectories", names.len());
    }
    chart.title((16.0, 24.0), &title);
    for (place, gene) in genes.iter().enumerate() {
        let one = of_gene(sets, gene);
        let bottom = 60.0 + PANEL + place as f64 * (PANEL + 60.0);
        let lines: Vec<(usize, String, &str)> =
            (0..sets.len()).map(|s| (s, sets[s].0.clone(), COLOURS[s])).collect();
        Panel { profiles: &one, bottom }.draw(&mut chart, &lines, gene);
    }
    chart.words((WIDTH / 2.0 - 50.0, height - 32.0), time_title, TextAnchor::Middle, GREY);
    if few {
        chart.words((16.0, height - 12.0), FEW_WORDS, TextAnchor::Start, GREY);
    }
    Ok(chart)
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
        draw_trends(&sets, &["b".into()], "time").unwrap().write(&path).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains("Mean expression along one, two") && !text.contains("NaN"));
        assert!(draw_trends(&vec![sets[0].clone(); 8], &["b".into()], "time").is_err());
    }
}
