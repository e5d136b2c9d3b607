//! Courses with dropout, and courses with few times.

use rand::RngExt;
use sbcell::Seed;

use crate::simulated::Simulated;

/// Half of the values below the median of their gene become zero.
pub(super) fn dropped(mut course: Simulated, seed: Seed) -> Simulated {
    let mut stream = seed.stream("dropout", 0);
    for mut column in course.values.columns_mut() {
        let mut sorted = column.to_vec();
        sorted.sort_by(f32::total_cmp);
        let median = sorted[sorted.len() / 2];
        for value in &mut column {
            if *value < median && stream.random_bool(0.5) {
                *value = 0.0;
            }
        }
    }
    course
}

/// `n` times at even steps of their numbers, with the first and the last.
pub(super) fn few(course: &Simulated, n: usize) -> Simulated {
    let last = course.distinct_times().len() - 1;
    let keep: Vec<usize> = (0..n)
        .map(|k| (k as f64 * last as f64 / (n - 1) as f64).round_ties_even() as usize)
        .collect();
    course.at(&keep)
}
