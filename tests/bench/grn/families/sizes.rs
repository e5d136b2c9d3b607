//! Linear systems of many sizes, beside published scores of StructureFlow and reference fitting.

use std::time::Instant;

use sbcell::Seed;
use sbcell::grn::{EdgeMatrix, EdgeSearch};

use crate::families::linear::System;
use crate::families::methods::{Scored, correlation, lasso, mean, refit};
use crate::simulated::Simulated;

/// Published AUROC and area under the precision-recall curve: StructureFlow, reference fitting.
struct Published {
    n_genes: usize,
    percent: u32,
    scores: Option<[f64; 4]>,
}

fn published() -> Vec<Published> {
    let of = |n_genes, percent, scores| Published { n_genes, percent, scores };
    vec![
        of(10, 5, Some([0.98, 0.60, 0.98, 0.61])),
        of(10, 20, Some([0.90, 0.56, 0.90, 0.55])),
        of(25, 5, None),
        of(25, 20, Some([0.84, 0.53, 0.78, 0.47])),
        of(50, 5, None),
        of(50, 20, Some([0.82, 0.55, 0.61, 0.29])),
        of(100, 5, Some([0.97, 0.54, 0.59, 0.10])),
        of(100, 20, Some([0.80, 0.47, 0.52, 0.22])),
        of(200, 5, Some([0.95, 0.49, 0.50, 0.06])),
        of(200, 20, None),
        of(500, 5, Some([0.92, 0.40, 0.57, 0.10])),
        of(500, 20, Some([0.53, 0.22, 0.58, 0.28])),
    ]
}

/// Prints AUROC, average precision and seconds of each method for each size and density.
pub(crate) fn sizes() {
    println!("\n## Linear systems by size: AUROC / average precision (seconds)\n");
    println!("StructureFlow and reference fitting (RF) as published, on other systems.\n");
    println!(
        "| genes | density | chance | default | lasso | refit | correlation | StructureFlow | RF |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let methods: [fn(&Simulated) -> EdgeMatrix; 4] =
        [|course| course.search(&EdgeSearch::default()), lasso, refit, correlation];
    for Published { n_genes, percent, scores } in published() {
        let density = f64::from(percent) / 100.0;
        let system = System { n_genes, density, is_stable: true };
        let n_courses = if n_genes <= 50 { 3 } else { 1 };
        let courses: Vec<Simulated> =
            (0..n_courses).map(|n| system.course(Seed(n).child("sizes", n_genes as u64))).collect();
        print!("| {n_genes} | {percent} %");
        for (number, method) in methods.iter().enumerate() {
            let begin = Instant::now();
            let found: Vec<Scored> =
                courses.iter().map(|course| Scored::of(course, &method(course))).collect();
            let seconds = begin.elapsed().as_secs_f64() / courses.len() as f64;
            let of = |column: fn(&Scored) -> f64| mean(found.iter().map(column));
            if number == 0 {
                print!(" | {:.2}", of(|of| of.scores.density));
            }
            let (auroc, precision) =
                (of(|of| of.scores.auroc), of(|of| of.scores.average_precision));
            print!(" | {auroc:.2} / {precision:.2} ({seconds:.1})");
            let _ = std::io::Write::flush(&mut std::io::stdout());
        }
        match scores {
            Some([a, b, c, d]) => println!(" | {a:.2} / {b:.2} | {c:.2} / {d:.2} |"),
            None => println!(" | | |"),
        }
    }
}
