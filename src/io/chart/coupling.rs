//! The chart of the choice of the ε of couplings: the agreement of two halves of the genes by ε.

use kuva::render::render::TextAnchor;

use crate::io::chart::axis::Axis;
use crate::io::chart::profiles::{GREY, WIDTH};
use crate::io::chart::{COLOURS, Chart};
use crate::lineage::{CouplingNoise, HalvesAgreement};

/// Margin on the left, with the labels of the axis.
const LEFT: f64 = 60.0;
/// Margin on the right.
const RIGHT: f64 = 16.0;
/// Height of the upper end of the axis on the page.
const TOP: f64 = 66.0;
/// Height of the lower end of the axis on the page.
const BOTTOM: f64 = 286.0;

/// Draws the agreement of both halves by ε, with bars of one standard error. The chosen ε is a filled dot,
/// the others are hollow. ε without an agreement have no dot.
pub(crate) fn draw_coupling_noise(noise: &CouplingNoise) -> Chart {
    let CouplingNoise { epsilon, curve, .. } = noise;
    let mut chart = Chart::new(WIDTH, BOTTOM + 48.0);
    let title = format!("ε of couplings: {epsilon:.2} of {} values tried", curve.len());
    chart.title((LEFT, 24.0), &title);
    let words =
        "correlation of the futures that two halves of the genes predict; bars: one standard error";
    chart.words((LEFT, 44.0), words, TextAnchor::Start, GREY);
    let known = || curve.iter().filter(|point| point.agreement.is_finite());
    let end = |point: &HalvesAgreement, way: f64| point.agreement + way * point.error;
    let low = known().map(|point| end(point, -1.0)).fold(f64::INFINITY, f64::min);
    let high = known().map(|point| end(point, 1.0)).fold(f64::NEG_INFINITY, f64::max);
    let axis = if low.is_finite() {
        Axis::new(low, high, BOTTOM, TOP)
    } else {
        Axis::new(0.0, 1.0, BOTTOM, TOP)
    };
    for (value, label) in axis.ticks() {
        let y = axis.place(value);
        chart.line((LEFT, y), (WIDTH - RIGHT, y), "#e6e6e6", 1.0);
        chart.words((LEFT - 6.0, y + 4.0), &label, TextAnchor::End, "#444444");
    }
    let slot = (WIDTH - LEFT - RIGHT) / curve.len().max(1) as f64;
    for (place, point) in curve.iter().enumerate() {
        let x = LEFT + slot * (place as f64 + 0.5);
        let label = format!("{:.2}", point.epsilon);
        chart.words((x, BOTTOM + 18.0), &label, TextAnchor::Middle, "#444444");
        if point.agreement.is_finite() {
            let (from, to) = (axis.place(end(point, -1.0)), axis.place(end(point, 1.0)));
            chart.line((x, from), (x, to), COLOURS[0], 1.5);
            let is_chosen = point.epsilon.total_cmp(epsilon).is_eq();
            chart.dot((x, axis.place(point.agreement)), 4.0, COLOURS[0], is_chosen);
        }
    }
    let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
    let words = "ε, on data divided by their scale";
    chart.words((middle, BOTTOM + 38.0), words, TextAnchor::Middle, GREY);
    chart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_epsilon_is_filled_and_unknown_agreements_have_no_dot() {
        let point =
            |epsilon: f64, agreement: f64| HalvesAgreement { epsilon, agreement, error: 0.01 };
        let curve = vec![point(1.0, 0.8), point(2.0, 0.9), point(4.0, f64::NAN)];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("coupling.svg");
        draw_coupling_noise(&CouplingNoise { epsilon: 2.0, curve, of_depth: 0.1 })
            .write(&path)
            .unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let dots: Vec<&str> =
            text.split("<circle").skip(1).map(|part| &part[..part.find('>').unwrap()]).collect();
        assert_eq!(dots.len(), 2, "{text}");
        assert!(dots[0].contains("#ffffff") && !dots[1].contains("#ffffff"), "{dots:?}");
        assert!(text.contains("2.00 of 3 values tried") && text.contains("4.00"), "{text}");
        // Nothing is known: axes without dots.
        let empty =
            CouplingNoise { epsilon: 1.0, curve: vec![point(1.0, f64::NAN)], of_depth: f64::NAN };
        draw_coupling_noise(&empty).write(&folder.path().join("none.svg")).unwrap();
    }
}
