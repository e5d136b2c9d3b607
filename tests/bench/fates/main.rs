//! Fates of simulated courses with barcodes, where the truth is known: how well sbcell predicts them with its
//! defaults, and how often its intervals hold the truth.
//!
//! `cargo bench --bench fates` runs everything; `-- check` compares the truth with the simulation, `-- scores` and
//! `-- coverage` are the two tables, `-- write` writes the courses to `target/fates-bench`. Further words are names
//! of families, a number is the number of courses of each (`-- scores late growth 8`).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench stops at the first surprise and prints what it finds"
)]

mod answers;
mod coverage;
mod expression;
mod families;
mod population;
mod score;
mod simulate;

use std::path::Path;
use std::time::Instant;

use ndarray::s;
use sbcell::Seed;
use sbcell::pipeline::{CouplingEpsilon, FitOptions};

use answers::Fitted;
use coverage::Coverage;
use families::Family;
use score::{Scores, correlation, mean_with_error, nearest, score, shares};
use simulate::Course;

/// Courses of each family, if the command line names no number.
const N_COURSES: u64 = 4;
/// Resamples of the intervals of single cells.
const N_RESAMPLES: usize = 100;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let parts = ["check", "scores", "coverage", "write"];
    let named = |name: &str| words.iter().any(|word| word == name);
    let all_parts = !parts.iter().any(|part| named(part));
    let asked = |part: &str| named(part) || (all_parts && part != "write");
    let n_courses = words.iter().find_map(|word| word.parse().ok()).unwrap_or(N_COURSES);
    let families = families::all();
    let known = |word: &String| {
        parts.contains(&word.as_str())
            || word.parse::<u64>().is_ok()
            || families.iter().any(|family| family.name == *word)
    };
    let unknown: Vec<&String> = words.iter().filter(|word| !known(word)).collect();
    assert!(unknown.is_empty(), "no part and no family: {unknown:?}");
    let all_families = !families.iter().any(|family| named(family.name));
    let families: Vec<Family> =
        families.into_iter().filter(|family| all_families || named(family.name)).collect();

    if asked("check") {
        for family in &families {
            population::check(family);
            score::check(&course(family, 0));
        }
    }
    if named("write") {
        for family in &families {
            write(family, n_courses);
        }
    }
    if !(asked("scores") || asked("coverage")) {
        return;
    }
    let found: Vec<Found> =
        families.iter().map(|family| run(family, n_courses, asked("coverage"))).collect();
    if asked("scores") {
        print_differences(&found);
    }
    if asked("coverage") {
        println!();
        coverage::print_header();
        for of in &found {
            of.coverage.print(of.name);
        }
        found.iter().fold(Coverage::default(), |sum, of| sum.sum(&of.coverage)).print("all");
    }
}

/// Answers and baselines in the order of the tables.
const WAYS: [&str; 11] = [
    "true probability",
    "sbcell",
    "nearest 20",
    "nearest 80",
    "shares",
    "couplings of the bridges",
    "plan, ε = 0.1 d",
    "plan, ε = 0.35 d",
    "plan, ε = 0.7 d",
    "plan, ε = d",
    "plan, ε = 2 d",
];
/// ε of the plans from the first to the last time, for each of d coordinates.
const PER_DIMENSION: [f64; 5] = [0.1, 0.35, 0.7, 1.0, 2.0];
const OURS: usize = 1;
const NEAREST: [usize; 2] = [2, 3];

/// Scores over the courses of a family.
struct Found {
    name: &'static str,
    /// For each way the scores of each course.
    scores: Vec<Vec<Scores>>,
    coverage: Coverage,
}

/// The course of a family with a number.
fn course(family: &Family, number: u64) -> Course {
    Course::simulate(family, Seed(number).child(family.name, 0))
}

/// Simulates courses, asks sbcell, and prints the scores.
fn run(family: &Family, n_courses: u64, intervals: bool) -> Found {
    let mut scores: Vec<Vec<Scores>> = vec![Vec::new(); WAYS.len()];
    let (mut coverage, mut growth) = (Coverage::default(), Vec::new());
    let mut seconds = [0.0; 4];
    let mut cells = [0, 0];
    let mut shares_of_all = Vec::new();
    for number in 0..n_courses {
        let clock = |stage: usize, begun: Instant, seconds: &mut [f64; 4]| {
            seconds[stage] += begun.elapsed().as_secs_f64() / n_courses as f64;
        };
        let begun = Instant::now();
        let course = course(family, number);
        clock(0, begun, &mut seconds);
        let begun = Instant::now();
        let fitted = Fitted::of(&course, &FitOptions::default());
        clock(1, begun, &mut seconds);
        let begun = Instant::now();
        let fates = fitted.fates(if intervals { N_RESAMPLES } else { 0 }, CouplingEpsilon::Auto);
        clock(2, begun, &mut seconds);
        let truth = course.shares.slice(s![..course.n_early, ..]).to_owned();
        let [near, far] = nearest(&course, &fitted.points, [20, 80]);
        let of_bridges = fitted.fates(0, CouplingEpsilon::Fit).probabilities;
        let dim = fitted.points.ncols() as f64;
        let plans = PER_DIMENSION.map(|share| fitted.plan(share * dim));
        let shares = shares(&course);
        let ways = [&truth, &fates.probabilities, &near, &far, &shares, &of_bridges];
        for (scores, predicted) in scores.iter_mut().zip(ways.into_iter().chain(&plans)) {
            scores.push(score(&course, predicted));
        }
        let descendants = course.descendants.slice(s![..course.n_early]);
        growth.push(correlation(fates.descendants.view(), descendants));
        if intervals {
            let begun = Instant::now();
            coverage.add(&course, &fitted, &fates);
            clock(3, begun, &mut seconds);
        }
        cells[0] += course.n_early / n_courses as usize;
        cells[1] += course.n_late / n_courses as usize;
        shares_of_all.clone_from(&course.of_all[0]);
    }
    println!(
        "\n## {}: {} early and {} late cells, {n_courses} courses, fates {shares_of_all:.2?}\n",
        family.name, cells[0], cells[1]
    );
    println!("| | clones' bias | truth | log-likelihood | slope |\n|---|---:|---:|---:|---:|");
    for (way, scores) in WAYS.iter().zip(&scores) {
        let of = |of: fn(&Scores) -> f64| text(&scores.iter().map(of).collect::<Vec<_>>());
        println!(
            "| {way} | {} | {} | {} | {} |",
            of(|s| s.bias),
            of(|s| s.truth),
            of(|s| s.likelihood),
            of(|s| s.slope)
        );
    }
    println!("\nnumbers of descendants: correlation with the truth {}", text(&growth));
    let [simulated, fitted, asked, groups] = seconds;
    println!(
        "seconds: simulation {simulated:.1}, fit {fitted:.1}, fates {asked:.1}, groups {groups:.1}"
    );
    Found { name: family.name, scores, coverage }
}

/// Mean and standard error over courses.
fn text(values: &[f64]) -> String {
    let [mean, error] = mean_with_error(values);
    match (mean.is_nan(), error.is_nan()) {
        (true, _) => "–".into(),
        (false, true) => format!("{mean:.3}"),
        (false, false) => format!("{mean:.3} ± {error:.3}"),
    }
}

/// Prints by how much sbcell differs from the nearest neighbours, course by course.
fn print_differences(found: &[Found]) {
    println!("\n## sbcell less the nearest late cells, over all courses\n");
    println!("| | clones' bias | truth | log-likelihood |\n|---|---:|---:|---:|");
    for baseline in NEAREST {
        let of = |of: fn(&Scores) -> f64| {
            let family = |found: &Found| {
                let pairs = found.scores[OURS].iter().zip(&found.scores[baseline]);
                pairs.map(|(ours, other)| of(ours) - of(other)).collect::<Vec<f64>>()
            };
            text(&found.iter().flat_map(family).collect::<Vec<f64>>())
        };
        let (bias, truth, likelihood) = (of(|s| s.bias), of(|s| s.truth), of(|s| s.likelihood));
        println!("| {} | {bias} | {truth} | {likelihood} |", WAYS[baseline]);
    }
}

/// Writes the courses of a family with their truth.
fn write(family: &Family, n_courses: u64) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fates-bench");
    std::fs::create_dir_all(&folder).unwrap();
    for number in 0..n_courses {
        let path = folder.join(format!("{}-{number}.h5ad", family.name));
        let course = course(family, number);
        course.write(&path);
        course.write_truth(&path.with_extension("truth.csv"));
        println!("{}", path.display());
    }
}
