//! Every estimator on every course, with all of its times and with some.

use std::time::Instant;

use sbcell::grn::{EdgeSearch, Estimator, Lag};
use sbcell::metrics::EdgeScores;

use crate::simulated::{Simulated, all_courses, mean, thinnings};

fn searches() -> Vec<(&'static str, EdgeSearch)> {
    let of = |estimator, lag| EdgeSearch::default().with_estimator(estimator).with_lag(lag);
    vec![
        ("ensemble", of(Estimator::Ensemble, Lag::Auto)),
        ("hill", of(Estimator::Hill, Lag::Auto)),
        ("hill, snapshots", of(Estimator::Hill, Lag::Intervals(1))),
        ("linear", of(Estimator::Linear, Lag::Auto)),
        ("linear, snapshots", of(Estimator::Linear, Lag::Intervals(1))),
        ("lasso", of(Estimator::Lasso, Lag::Auto)),
        ("refit", of(Estimator::ReferenceFitting, Lag::Auto)),
        ("ngm", of(Estimator::Neural, Lag::Auto)),
        ("mi", of(Estimator::Mutual, Lag::Auto)),
        ("mi, snapshots", of(Estimator::Mutual, Lag::Intervals(1))),
    ]
}

fn row(name: &str, scores: &[EdgeScores], seconds: f64) {
    println!(
        "| {name} | {:.3} | {:.3} | {:.2} | {:.2} | {:.2} | {:.2} |",
        mean(scores, |s| s.auroc),
        mean(scores, |s| s.average_precision),
        mean(scores, |s| s.ap_ratio),
        mean(scores, |s| s.epr),
        mean(scores, |s| s.sign_accuracy),
        seconds / scores.len() as f64
    );
}

const HEADER: &str =
    "| | AUROC | AP | AP/chance | EPR | signs | s |\n|---|---|---|---|---|---|---|";

pub(crate) fn courses() {
    println!("\n## 18 courses, 8 times of 200 cells\n\n{HEADER}");
    let courses = all_courses();
    let mut by_course = Vec::new();
    for (name, search) in searches() {
        let begin = Instant::now();
        let scores: Vec<EdgeScores> =
            courses.iter().map(|course| course.score(&course.search(&search))).collect();
        row(name, &scores, begin.elapsed().as_secs_f64());
        by_course.push(scores);
    }
    println!("\n| course | AP | EPR | signs |\n|---|---|---|---|");
    for (course, scores) in courses.iter().zip(&by_course[0]) {
        println!(
            "| {} | {:.3} | {:.2} | {:.2} |",
            course.name, scores.average_precision, scores.epr, scores.sign_accuracy
        );
    }
}

pub(crate) fn thinned() {
    let courses = all_courses();
    for (title, keep) in thinnings().into_iter().skip(1) {
        println!("\n## times kept: {title}\n\n{HEADER}");
        for (name, search) in searches() {
            let begin = Instant::now();
            let scores: Vec<EdgeScores> = courses
                .iter()
                .map(|course| course.at(&keep))
                .map(|course| course.score(&course.search(&search)))
                .collect();
            row(name, &scores, begin.elapsed().as_secs_f64());
        }
    }
}

pub(crate) fn dense() {
    for name in ["sf2m-BF", "sf2m-TF"] {
        println!("\n## {name}\n\n{HEADER}");
        let course = Simulated::read(name);
        for (name, search) in searches() {
            let begin = Instant::now();
            let scores = [course.score(&course.search(&search))];
            row(name, &scores, begin.elapsed().as_secs_f64());
        }
    }
}
