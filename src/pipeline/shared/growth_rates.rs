//! Growth rates of the cells of a model.

use crate::io::model::Model;

/// The growth rate of each cell of `model` per unit of time, in the order of the model; `None` for a model without
/// growth.
///
/// An interval has the posterior rates of its fit, otherwise those of its coupling. Cells at which no interval with
/// growth begins, such as those of the last time, are NaN.
pub(crate) fn growth_rates(model: &Model) -> Option<Vec<f64>> {
    let mut rates = vec![f64::NAN; model.cells.len()];
    let mut known = false;
    for interval in &model.intervals {
        let posterior = interval.growth.as_ref().map(|growth| &growth.posterior);
        let Some(of) = posterior.or(interval.coupling_growth.as_ref()) else { continue };
        let here = model.cell_times.iter().enumerate();
        let here = here.filter(|(_, time)| time.total_cmp(&interval.from).is_eq());
        for ((cell, _), rate) in here.zip(of) {
            rates[cell] = *rate;
            known = true;
        }
    }
    known.then_some(rates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::example_model;

    #[test]
    fn each_cell_has_the_rate_of_the_interval_that_begins_at_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut model = (*example_model(folder.path()).unwrap()).clone();
        assert!(growth_rates(&model).is_none());
        // Cells of the two intervals, which need not be sorted by time.
        let at = |model: &Model, from: f64| -> Vec<usize> {
            let here = |i: &usize| (model.cell_times[*i] - from).abs() < 1e-12;
            (0..model.cells.len()).filter(here).collect()
        };
        let (first, second) = (at(&model, 0.0), at(&model, 1.0));
        model.intervals[1].coupling_growth =
            Some((0..).take(second.len()).map(f64::from).collect());
        let found = growth_rates(&model).unwrap();
        assert!(first.iter().all(|&cell| found[cell].is_nan()));
        for (place, &cell) in second.iter().enumerate() {
            assert!((found[cell] - place as f64).abs() < 1e-12);
        }
        assert!(at(&model, 2.0).iter().all(|&cell| found[cell].is_nan()));
    }
}
