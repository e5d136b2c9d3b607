//! Scores of edge lists against scikit-learn (`data-samples/reference/edge_scores.py`).

use sbcell::metrics::{Candidate, EdgeScores};

const REFERENCE: &str = include_str!("../../data-samples/reference/edge_scores.csv");

fn fractions(n: usize, step: f64, offset: f64) -> Vec<f64> {
    let place = |i: usize| (i as f64 + 1.0) * step + offset;
    (0..n).map(|i| place(i) - place(i).floor()).collect()
}

/// The edge list that the script makes.
fn candidates(n: usize, levels: usize, share: f64) -> Vec<Candidate> {
    let mut importance = fractions(n, 0.618_033_988_7, 0.0);
    if levels > 0 {
        let levels = levels as f64;
        for value in &mut importance {
            *value = (*value * levels).floor() / levels;
        }
    }
    let other = fractions(n, 0.414_213_562_3, 0.3);
    let mixed: Vec<f64> = importance.iter().zip(&other).map(|(a, b)| 0.5 * a + 0.5 * b).collect();
    let mut sorted = mixed.clone();
    sorted.sort_by(f64::total_cmp);
    let least = sorted[n - (share * n as f64) as usize];
    let candidate = |(importance, mixed): (&f64, &f64)| {
        let present = *mixed >= least;
        Candidate { importance: *importance, sign: 1, present, true_sign: i8::from(present) }
    };
    importance.iter().zip(&mixed).map(candidate).collect()
}

#[test]
fn the_areas_and_early_precision_are_those_of_scikit_learn() {
    let mut n_cases = 0;
    for line in REFERENCE.lines().skip(1) {
        let numbers: Vec<f64> = line.split(',').map(|text| text.parse().unwrap()).collect();
        let scores =
            EdgeScores::of(&candidates(numbers[0] as usize, numbers[1] as usize, numbers[2]));
        let ours =
            [scores.auroc, scores.average_precision, scores.trapezoid, scores.early_precision];
        for (ours, theirs) in ours.iter().zip(&numbers[3..]) {
            assert!((ours - theirs).abs() < 1e-12, "{line}: {ours}");
        }
        n_cases += 1;
    }
    assert_eq!(n_cases, 5);
}
