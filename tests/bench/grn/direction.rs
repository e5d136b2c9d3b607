//! How often the right way of a one-way edge comes first, beside what a user can see: how often
//! resamples of cells agree on directions.

use ndarray::Array1;
use rand::RngExt;
use sbcell::Seed;
use sbcell::grn::{CourseCells, EdgeMatrix, EdgeSearch, direction_agreement};

use crate::simulated::{Simulated, all_courses, thinnings};

const N_RESAMPLES: u64 = 8;

/// Agreement of resamples, right directions, one-way edges.
type Seen = (f64, usize, usize);

fn seen(course: &Simulated) -> Seen {
    let search = EdgeSearch::default();
    let found = course.search(&search);
    let resampled: Vec<EdgeMatrix> = (0..N_RESAMPLES).map(|n| resample(course, n)).collect();
    let genes: Vec<usize> = (0..course.genes.len()).collect();
    let agreement = direction_agreement(&found, &resampled, &genes);
    let place = |gene: &String| course.genes.iter().position(|other| other == gene);
    let one_way = course.network.keys().filter(|(from, to)| {
        from != to && !course.network.contains_key(&(to.clone(), from.clone()))
    });
    let edges: Vec<(usize, usize)> =
        one_way.filter_map(|(from, to)| Some((place(from)?, place(to)?))).collect();
    let right = edges.iter().filter(|&&(r, g)| found.importance[[r, g]] > found.importance[[g, r]]);
    (agreement, right.count(), edges.len())
}

/// Cells of each time with replacement.
fn resample(course: &Simulated, number: u64) -> EdgeMatrix {
    course.with(|cells| {
        let mut stream = Seed(number).stream("bench/direction", 0);
        let mut weights = Array1::zeros(course.times.len());
        for rows in cells.snapshots() {
            for _ in 0..rows.len() {
                weights[rows[stream.random_range(0..rows.len())]] += 1.0;
            }
        }
        EdgeSearch::default().run(&CourseCells { weights, ..cells.clone() }, None).unwrap()
    })
}

pub(crate) fn run() {
    println!("\n## Direction\n\n| times kept | agreement | right |\n|---|---|---|");
    let courses = all_courses();
    let mut all: Vec<Seen> = Vec::new();
    for (title, keep) in thinnings() {
        let found: Vec<Seen> = courses.iter().map(|course| seen(&course.at(&keep))).collect();
        let mean = found.iter().map(|(agreement, ..)| agreement).sum::<f64>() / found.len() as f64;
        println!("| {title} | {mean:.2} | {} |", share(&found));
        all.extend(found);
    }
    println!("\n| agreement | courses | right |\n|---|---|---|");
    for (from, to) in [(0.0, 0.8), (0.8, 0.85), (0.85, 0.9), (0.9, 0.95), (0.95, 1.01)] {
        let some: Vec<Seen> = all.iter().filter(|of| (from..to).contains(&of.0)).copied().collect();
        println!("| {from} to {:.2} | {} | {} |", f64::min(to, 1.0), some.len(), share(&some));
    }
}

fn share(of: &[Seen]) -> String {
    let right: usize = of.iter().map(|(_, right, _)| right).sum();
    let edges: usize = of.iter().map(|(.., edges)| edges).sum();
    format!("{:.2}", right as f64 / edges.max(1) as f64)
}
