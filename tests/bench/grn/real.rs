//! Real courses against what is known of their networks, with nulls and baselines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ndarray::Axis;
use rand::seq::SliceRandom;
use sbcell::Seed;
use sbcell::grn::{EdgeMatrix, EdgeSearch, Estimator, Lag, correlations};
use sbcell::io::{edges, lists};
use sbcell::metrics::{Candidate, EdgeScores};

use crate::simulated::{Simulated, mean};

const N_PERMUTATIONS: u64 = 10;

/// A course, the pairs that count and which of them are edges, and their signs.
struct Known {
    title: &'static str,
    course: Simulated,
    pairs: BTreeMap<(usize, usize), Option<i8>>,
}

fn samples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data-samples")
}

fn reference(course: &Simulated, file: &str) -> Vec<(usize, usize, bool, i8)> {
    let place = |gene: &str| course.genes.iter().position(|other| other.eq_ignore_ascii_case(gene));
    let listed = edges::read(&samples().join("networks").join(file)).unwrap().edges;
    let found = listed.iter().filter_map(|edge| {
        Some((place(&edge.regulator)?, place(&edge.target)?, edge.present, edge.sign))
    });
    found.filter(|(r, g, ..)| r != g).collect()
}

fn known() -> Vec<Known> {
    let mut all = Vec::new();
    let kouno = || Simulated::of(&samples().join("kouno2013_thp1.h5ad"), "time");
    let names = lists::read_names(&samples().join("networks/kouno2013_factors20.txt"));
    let few: BTreeSet<String> = names.unwrap().into_iter().collect();
    for (title, some) in [("Kouno, 20 factors, RNAi", true), ("Kouno, panel, RNAi", false)] {
        let mut course = kouno();
        if some {
            let genes = 0..course.genes.len();
            let kept: Vec<usize> = genes.filter(|&g| few.contains(&course.genes[g])).collect();
            course.values = course.values.select(Axis(1), &kept);
            course.genes = kept.iter().map(|&g| course.genes[g].clone()).collect();
        }
        let listed = reference(&course, "kouno2013_rnai.csv");
        let regulators: BTreeSet<usize> = listed.iter().map(|edge| edge.0).collect();
        let genes = 0..course.genes.len();
        let everything = regulators.iter().flat_map(|&r| genes.clone().map(move |g| (r, g)));
        let mut pairs: BTreeMap<(usize, usize), Option<i8>> =
            everything.filter(|(r, g)| r != g).map(|pair| (pair, None)).collect();
        pairs.extend(listed.iter().map(|&(r, g, _, sign)| ((r, g), Some(sign))));
        all.push(Known { title, course, pairs });
    }
    let course = Simulated::of(&samples().join("semrau2017_mesc_ra.h5ad"), "time");
    let tested = reference(&course, "semrau2017_chip.csv").into_iter();
    let pairs = tested.map(|(r, g, present, _)| ((r, g), present.then_some(0))).collect();
    all.push(Known { title: "Semrau, ChIP", course, pairs });
    let course = Simulated::of(&samples().join("chu2016_hesc_de.h5ad"), "time");
    let listed = reference(&course, "chu2016_footprints.csv");
    let regulators: BTreeSet<usize> = listed.iter().map(|edge| edge.0).collect();
    let all_pairs = regulators.iter().flat_map(|&r| (0..course.genes.len()).map(move |g| (r, g)));
    let mut pairs: BTreeMap<(usize, usize), Option<i8>> =
        all_pairs.filter(|(r, g)| r != g).map(|pair| (pair, None)).collect();
    pairs.extend(listed.iter().map(|&(r, g, ..)| ((r, g), Some(0))));
    all.push(Known { title: "Chu, footprints", course, pairs });
    all
}

impl Known {
    fn score(&self, found: &EdgeMatrix) -> EdgeScores {
        let candidates = self.pairs.iter().map(|(&edge, truth)| Candidate {
            importance: found.importance[edge],
            sign: if found.evidence[edge] < 0.0 { -1 } else { 1 },
            present: truth.is_some(),
            true_sign: truth.unwrap_or(0),
        });
        EdgeScores::of(&candidates.collect::<Vec<_>>())
    }

    fn searched(&self, estimator: Estimator, lag: Lag) -> EdgeScores {
        self.score(
            &self.course.search(&EdgeSearch::default().with_estimator(estimator).with_lag(lag)),
        )
    }

    fn permuted(&self, number: u64) -> EdgeScores {
        let mut times = self.course.times.clone();
        times.shuffle(&mut Seed(number).stream("bench/real", 0));
        self.score(&self.course.with_times(times).search(&EdgeSearch::default()))
    }
}

pub(crate) fn run() {
    println!("\n## Real courses");
    for known in known() {
        let course = &known.course;
        let density = known.searched(Estimator::Hill, Lag::Intervals(1)).density;
        println!(
            "\n{}: {} cells × {} genes, {} times, {} candidates, density {density:.3}\n",
            known.title,
            course.times.len(),
            course.genes.len(),
            course.distinct_times().len(),
            known.pairs.len(),
        );
        println!("| | AUROC | AP | EPR | signs |\n|---|---|---|---|---|");
        row("ensemble", &[known.searched(Estimator::Ensemble, Lag::Auto)]);
        let across = EdgeSearch::default().with_across_targets(true);
        row("ensemble, across targets", &[known.score(&course.search(&across))]);
        row("hill, snapshots", &[known.searched(Estimator::Hill, Lag::Intervals(1))]);
        row("linear", &[known.searched(Estimator::Linear, Lag::Auto)]);
        row("refit", &[known.searched(Estimator::ReferenceFitting, Lag::Auto)]);
        row("mi", &[known.searched(Estimator::Mutual, Lag::Auto)]);
        let plain = course.with(|cells| {
            let found = correlations(cells.expression, &cells.snapshots(), cells.weights.view());
            EdgeMatrix::of_correlations(found, cells.expression.regulators())
        });
        row("correlation", &[known.score(&plain)]);
        let null: Vec<EdgeScores> = (1..=N_PERMUTATIONS).map(|n| known.permuted(n)).collect();
        row("ensemble, times permuted (mean)", &null);
        let most = null.iter().map(|s| s.average_precision).fold(0.0, f64::max);
        println!("greatest AP of {N_PERMUTATIONS} permutations: {most:.3}");
    }
}

fn row(name: &str, scores: &[EdgeScores]) {
    println!(
        "| {name} | {:.3} | {:.3} | {:.2} | {:.2} |",
        mean(scores, |s| s.auroc),
        mean(scores, |s| s.average_precision),
        mean(scores, |s| s.epr),
        mean(scores, |s| s.sign_accuracy),
    );
}
