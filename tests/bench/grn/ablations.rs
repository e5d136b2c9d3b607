//! What each part of the recipe is worth: one thing changed at a time.

use std::fmt::Write;
use std::path::Path;

use ndarray::{Array1, Array2, Axis};
use rand::seq::SliceRandom;
use sbcell::Seed;
use sbcell::bridge::Coupling;
use sbcell::grn::{CourseCells, EdgeMatrix, EdgeSearch, Estimator, Expression, Lag, Steps};
use sbcell::metrics::EdgeScores;

use crate::simulated::{Simulated, all_courses, mean, thinnings};

type Variant = (&'static str, fn(&Simulated) -> EdgeMatrix);

fn variants() -> Vec<Variant> {
    vec![
        ("ensemble", |course| course.search(&EdgeSearch::default())),
        ("pairs at random", |course| with_steps(course, shuffled)),
        ("the pair's midpoint instead of its earlier cell", midpoints),
        ("the same single pairs, earlier cell", earlier_ends),
        ("linear instead of Hill functions", |course| alone(course, Estimator::Linear, Lag::Auto)),
        ("no adaptive rounds", |course| {
            let mut search = EdgeSearch::default();
            search.ridge.rounds = 0;
            course.search(&search)
        }),
        ("bins only", |course| alone(course, Estimator::Hill, Lag::Auto)),
        ("snapshots only", |course| alone(course, Estimator::Hill, Lag::Intervals(1))),
        ("snapshots, two intervals apart", |course| {
            alone(course, Estimator::Hill, Lag::Intervals(2))
        }),
        ("no information", without_information),
        ("across targets", |course| {
            course.search(&EdgeSearch::default().with_across_targets(true))
        }),
        ("100 cells a time", |course| fewer(course, 2)),
        ("50 cells a time", |course| fewer(course, 4)),
        ("25 cells a time", |course| fewer(course, 8)),
        ("times permuted", permuted),
        ("time reversed", |course| {
            let times = course.times.iter().map(|time| -time).collect();
            course.with_times(times).search(&EdgeSearch::default())
        }),
    ]
}

pub(crate) fn run() {
    println!("\n## Ablations: mean average precision over 18 courses, by times kept\n");
    let thinnings = thinnings();
    let titles: Vec<&str> = thinnings.iter().map(|(title, _)| *title).collect();
    println!("| | {} | signs (8) |\n|---|{}---|", titles.join(" | "), "---|".repeat(titles.len()));
    let courses = all_courses();
    let mut table = String::from("what,times,average_precision\n");
    for (name, variant) in variants() {
        let mut cells = Vec::new();
        let mut signs = f64::NAN;
        for (title, keep) in &thinnings {
            let too_few = name.contains("two intervals") && keep.len() < 3;
            let scores: Vec<EdgeScores> = if too_few {
                Vec::new()
            } else {
                let thinned = courses.iter().map(|course| course.at(keep));
                thinned.map(|course| course.score(&variant(&course))).collect()
            };
            let precision = mean(&scores, |s| s.average_precision);
            if *title == "8" {
                signs = mean(&scores, |s| s.sign_accuracy);
            }
            writeln!(table, "\"{name}\",{title},{precision:.4}").unwrap();
            cells.push(format!("{precision:.3}"));
        }
        println!("| {name} | {} | {signs:.2} |", cells.join(" | "));
    }
    beside_genie3(&courses);
    by_dropout(&courses);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/grn-bench");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("ablations.csv"), table).unwrap();
}

/// What `peers/genie3.py` found, and where the ensemble is behind it.
fn beside_genie3(courses: &[Simulated]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/peers/genie3.csv");
    let text = std::fs::read_to_string(path).unwrap();
    let theirs = |name: &str, times: &str| -> f64 {
        let start = format!("{name},{times},");
        let line = text.lines().find(|line| line.starts_with(&start)).unwrap();
        line.split(',').nth(2).unwrap().parse().unwrap()
    };
    let mut means = Vec::new();
    let mut behind = Vec::new();
    for (title, keep) in thinnings() {
        let of: Vec<f64> = courses.iter().map(|course| theirs(&course.name, title)).collect();
        means.push(format!("{:.3}", of.iter().sum::<f64>() / of.len() as f64));
        for (course, theirs) in courses.iter().zip(of) {
            let thinned = course.at(&keep);
            let ours = thinned.score(&thinned.search(&EdgeSearch::default())).average_precision;
            if ours < theirs - 0.03 {
                behind.push(format!("{} ({title}): {ours:.3}, GENIE3 {theirs:.3}", course.name));
            }
        }
    }
    println!("| GENIE3 (peers/genie3.py) | {} | |", means.join(" | "));
    println!("\nbehind GENIE3 by more than 0.03: {}", behind.join("; "));
}

fn by_dropout(courses: &[Simulated]) {
    println!("\n| times | clean | half dropped out |\n|---|---|---|");
    for (title, keep) in thinnings() {
        let of = |dropped: bool| {
            let some = courses.iter().filter(|course| course.name.ends_with("drop50") == dropped);
            let found = some.map(|course| course.at(&keep));
            let scores: Vec<EdgeScores> =
                found.map(|c| c.score(&c.search(&EdgeSearch::default()))).collect();
            mean(&scores, |s| s.average_precision)
        };
        println!("| {title} | {:.3} | {:.3} |", of(false), of(true));
    }
}

fn alone(course: &Simulated, estimator: Estimator, lag: Lag) -> EdgeMatrix {
    course.search(&EdgeSearch::default().with_estimator(estimator).with_lag(lag))
}

fn without_information(course: &Simulated) -> EdgeMatrix {
    course.search(&EdgeSearch::default().with_information_weight(0.0))
}

/// Every so manieth cell.
fn fewer(course: &Simulated, stride: usize) -> EdgeMatrix {
    let rows: Vec<usize> = (0..course.times.len()).step_by(stride).collect();
    let thinner = Simulated {
        name: course.name.clone(),
        values: course.values.select(Axis(0), &rows),
        times: rows.iter().map(|&row| course.times[row]).collect(),
        genes: course.genes.clone(),
        network: course.network.clone(),
    };
    thinner.search(&EdgeSearch::default())
}

fn permuted(course: &Simulated) -> EdgeMatrix {
    let mut times = course.times.clone();
    times.shuffle(&mut Seed(11).stream("bench/permuted", 0));
    course.with_times(times).search(&EdgeSearch::default())
}

/// The ensemble on its own steps, changed by `change`.
fn with_steps(course: &Simulated, change: fn(&Steps, u64) -> Steps) -> EdgeMatrix {
    course.with(|cells| {
        let search = EdgeSearch::default();
        let binned = search.binned_steps(cells).unwrap();
        let snapshots = search.snapshot_steps(cells, None).unwrap();
        let numbered = binned.iter().zip(0..);
        let binned: Vec<Steps> = numbered.map(|(steps, n)| change(steps, n)).collect();
        search.edges_of(cells, &binned, &change(&snapshots, 99)).unwrap()
    })
}

/// The same cells, each with a later one at random.
fn shuffled(steps: &Steps, number: u64) -> Steps {
    let mut stream = Seed(number).stream("bench/shuffled", 0);
    let mut changed = steps.clone();
    for step in &mut changed.steps {
        let (n, m) = step.coupling.shape();
        let mut partners: Vec<usize> = (0..n.max(m)).map(|i| i % m).collect();
        partners.shuffle(&mut stream);
        let pairs = partners.into_iter().enumerate().map(|(i, j)| (i % n, j, 1.0));
        let mut pairs: Vec<(usize, usize, f64)> = pairs.collect();
        pairs.sort_unstable_by_key(|pair| (pair.0, pair.1));
        pairs.dedup_by_key(|pair| (pair.0, pair.1));
        step.coupling = Coupling::new(n, m, pairs).unwrap();
    }
    changed
}

fn midpoints(course: &Simulated) -> EdgeMatrix {
    of_single_pairs(course, 0.5)
}

fn earlier_ends(course: &Simulated) -> EdgeMatrix {
    of_single_pairs(course, 0.0)
}

/// The ensemble on one drawn partner of each earlier cell, which is read `part` of the way to it.
fn of_single_pairs(course: &Simulated, part: f32) -> EdgeMatrix {
    course.with(|cells| {
        let search = EdgeSearch::default();
        let mut all = search.binned_steps(cells).unwrap();
        all.push(search.snapshot_steps(cells, None).unwrap());
        let mut values = course.values.clone().into_raw_vec_and_offset().0;
        let mut times = course.times.clone();
        for (steps, number) in all.iter_mut().zip(0..) {
            for (step, k) in steps.steps.iter_mut().zip(0..) {
                let n = step.sources.len();
                let seed = Seed(number).child("bench/pairs", k);
                let drawn = step.coupling.draw(n, seed);
                let first = times.len();
                for &(i, j) in &drawn {
                    let (from, to) = (step.sources[i], step.targets[j]);
                    let ends = course.values.row(from).into_iter().zip(course.values.row(to));
                    values.extend(ends.map(|(a, b)| a + part * (b - a)));
                    times.push(course.times[from]);
                }
                let pairs = drawn.iter().enumerate().map(|(place, pair)| (place, pair.1, 1.0));
                step.coupling = Coupling::new(n, step.targets.len(), pairs).unwrap();
                step.sources = (first..first + n).collect();
            }
        }
        let values = Array2::from_shape_vec((times.len(), course.genes.len()), values).unwrap();
        let expression = Expression::new(values, cells.expression.regulators()).unwrap();
        let rows: Vec<usize> = (0..times.len()).collect();
        let points = expression.standardised(&rows);
        let weights = (0..times.len()).map(|row| f64::from(row < course.times.len()));
        let more = CourseCells {
            expression: &expression,
            points: &points,
            times: Array1::from(times.clone()),
            weights: weights.collect(),
            growth: None,
            perturbed: None,
        };
        let snapshots = all.pop().unwrap();
        search.edges_of(&more, &all, &snapshots).unwrap()
    })
}
