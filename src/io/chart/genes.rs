//! Heat map of genes over time: one row for each gene, one column for each time, in the order of peaks.

use kuva::render::render::TextAnchor;
use ndarray::Array2;

use crate::io::chart::Chart;
use crate::io::chart::fates::fits;
use crate::io::chart::page::{ColourBar, Head, MARGIN, PageSize, Ramp};
use crate::io::chart::profiles::GREY;

/// Mean expression of genes over time. See [`draw_genes`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct GenePicture {
    /// Title, such as `Ancestors of XEN, 96 h`.
    pub title: String,
    /// A line below the title.
    pub subtitle: String,
    /// Title of the axis of time, with its unit.
    pub time_title: String,
    /// Names of the genes.
    pub genes: Vec<String>,
    /// The times, increasing.
    pub times: Vec<f64>,
    /// Mean expression, `(n_genes, n_times)`; NaN where it is unknown.
    pub mean: Array2<f64>,
}

/// Height of a row.
const ROW: f64 = 15.0;
/// Space below the map.
const FOOT: f64 = 44.0;

/// Draws mean expression over time, scaled to 0 to 1 in each gene. Genes come in the order of the times at which
/// they are highest; a gene with the same expression at all times is grey.
///
/// ```
/// use ndarray::array;
/// use sbcell::io::chart::{GenePicture, PageSize, draw_genes};
/// # fn main() -> sbcell::Result<()> {
/// let picture = GenePicture {
///     title: "Ancestors of XEN, 96 h".into(),
///     subtitle: "2 genes".into(),
///     time_title: "time (h)".into(),
///     genes: vec!["Gata6".into(), "Sox2".into()],
///     times: vec![0.0, 24.0],
///     mean: array![[0.1, 2.0], [3.0, 1.0]],
/// };
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("genes.svg");
/// draw_genes(&picture, PageSize::default()).write(&path)?;
/// assert!(std::fs::read_to_string(&path).unwrap().contains("Gata6"));
/// # Ok(())
/// # }
/// ```
pub fn draw_genes(picture: &GenePicture, size: PageSize) -> Chart {
    let (n_genes, n_times) = picture.mean.dim();
    let widest = picture.genes.iter().map(|gene| Chart::width_of(gene)).fold(0.0, f64::max);
    let left = MARGIN + widest.min(150.0) + 8.0;
    let right_room = ColourBar::WIDTH + 58.0;
    let natural = left + 44.0 * n_times.max(5) as f64 + right_room;
    let width = size.width.unwrap_or(natural).max(left + 40.0 + right_room);
    let head = Head::of(width, [&picture.title, &picture.subtitle]);
    let natural = head.height() + 8.0 + ROW * n_genes.max(6) as f64 + FOOT;
    let height = size.height.unwrap_or(natural).max(head.height() + FOOT + 40.0);
    let mut chart = Chart::new(width, height);
    head.draw(&mut chart);
    let (right, top, bottom) = (width - right_room, head.height() + 8.0, height - FOOT);
    let [slot, row] =
        [(right - left) / n_times.max(1) as f64, (bottom - top) / n_genes.max(1) as f64];
    let end = (top + 24.0 + 140.0).min(bottom);
    let bar = ColourBar::new(Ramp::Sequential, [0.0, 1.0], [right + 20.0, top + 24.0, end]);
    for (place, &gene) in by_peak(&picture.mean).iter().enumerate() {
        let y = top + row * place as f64;
        for (time, value) in scaled(&picture.mean, gene).into_iter().enumerate() {
            // Cells overlap a little, so that no reader shows gaps between them.
            let more =
                [time + 1 < n_times, place + 1 < n_genes].map(|is| if is { 0.5 } else { 0.0 });
            let corner = (left + slot * time as f64, y);
            chart.band(corner, (slot + more[0], row + more[1]), &bar.colour(value));
        }
        // Where rows are narrower than text, some names are left out.
        let every = (11.0 / row).ceil().max(1.0) as usize;
        if place.is_multiple_of(every) {
            let name = Chart::shortened(&picture.genes[gene], 150.0);
            let at = (left - 7.0, y + row / 2.0 + 4.0);
            chart.words(at, &name, TextAnchor::End, "#222222");
        }
    }
    for (place, time) in picture.times.iter().enumerate().filter(|at| fits(at.0, n_times, slot)) {
        let x = left + slot * (place as f64 + 0.5);
        chart.words((x, bottom + 17.0), &time.to_string(), TextAnchor::Middle, "#444444");
    }
    let middle = f64::midpoint(left, right);
    chart.words((middle, bottom + 36.0), &picture.time_title, TextAnchor::Middle, GREY);
    bar.draw(&mut chart, "scaled by gene", right_room - 20.0);
    chart
}

/// Mean expression of one gene from 0 (lowest) to 1 (highest); NaN for a gene that does not change.
fn scaled(mean: &Array2<f64>, gene: usize) -> Vec<f64> {
    let row = mean.row(gene);
    let low = row.iter().copied().fold(f64::INFINITY, f64::min);
    let high = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let scale = |value: &f64| if high > low { (value - low) / (high - low) } else { f64::NAN };
    row.iter().map(scale).collect()
}

/// The genes in the order of their peaks, then of their centres of mass.
fn by_peak(mean: &Array2<f64>) -> Vec<usize> {
    let key = |gene: usize| {
        let values = scaled(mean, gene);
        let known = || values.iter().enumerate().filter(|at| at.1.is_finite());
        let peak = known().max_by(|a, b| a.1.total_cmp(b.1)).map_or(usize::MAX, |at| at.0);
        let sum: f64 = known().map(|at| at.1).sum();
        let centre: f64 = known().map(|at| at.0 as f64 * at.1).sum();
        (peak, if sum > 0.0 { centre / sum } else { 0.0 })
    };
    let keys: Vec<(usize, f64)> = (0..mean.nrows()).map(key).collect();
    let mut order: Vec<usize> = (0..mean.nrows()).collect();
    order.sort_by(|&a, &b| keys[a].0.cmp(&keys[b].0).then(keys[a].1.total_cmp(&keys[b].1)));
    order
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn genes_come_in_the_order_of_their_peaks() {
        let mean = array![
            [0.0, 0.0, 5.0],
            [9.0, 1.0, 0.0],
            [1.0, 1.0, 1.0],
            [0.0, 2.0, 1.0],
            [f64::NAN, 2.0, 1.5]
        ];
        assert_eq!(by_peak(&mean), [1, 4, 3, 0, 2]);
        assert_eq!(scaled(&mean, 3), [0.0, 1.0, 0.5]);
        assert!(scaled(&mean, 2).iter().all(|value| value.is_nan()));
    }

    #[test]
    fn odd_cases_are_drawn_and_names_are_escaped() {
        for (n_genes, n_times) in [(0, 0), (1, 1), (300, 2), (2, 90)] {
            let picture = GenePicture {
                title: "<&\">".into(),
                subtitle: String::new(),
                time_title: "time".into(),
                genes: (0..n_genes).map(|g| format!("gene <{g}>")).collect(),
                times: (0..n_times).map(|t| t as f64).collect(),
                mean: Array2::from_shape_fn((n_genes, n_times), |(g, t)| (g * t) as f64),
            };
            for height in [None, Some(1.0)] {
                let svg = draw_genes(&picture, PageSize { width: height, height }).svg();
                assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("<0>"));
            }
        }
    }
}
