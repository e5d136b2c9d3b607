//! Scores of methods by family, and of the settings that are best on all families but one.

use sbcell::grn::EdgeMatrix;

use crate::families::methods::{Scored, mean, methods, settings};
use crate::families::{Family, all};
use crate::simulated::Simulated;

/// Title and value of a column.
type Column = (&'static str, fn(&Scored) -> f64);

/// Scores of each course of each family.
type ByFamily = Vec<Vec<Scored>>;

fn scored(families: &[Family], method: impl Fn(&Simulated) -> EdgeMatrix) -> ByFamily {
    let of = |family: &Family| {
        family.courses.iter().map(|course| Scored::of(course, &method(course))).collect()
    };
    families.iter().map(of).collect()
}

fn header(families: &[Family]) {
    let names: Vec<&str> = families.iter().map(|family| family.name).collect();
    println!("| | {} | mean |\n|---|{}---|", names.join(" | "), "---|".repeat(names.len()));
}

/// Prints the means of families and the mean of these.
fn row(name: &str, means: &[f64]) {
    let cells: Vec<String> = means.iter().map(|mean| format!("{mean:.3}")).collect();
    println!("| {name} | {} | {:.3} |", cells.join(" | "), mean(means.iter().copied()));
}

fn means(found: &ByFamily, of: fn(&Scored) -> f64) -> Vec<f64> {
    found.iter().map(|courses| mean(courses.iter().map(of))).collect()
}

/// Average precision, AUROC, directions and signs of each method on each family.
pub(crate) fn methods_by_family() {
    let families = all();
    let methods = methods();
    let found: Vec<ByFamily> =
        methods.iter().map(|(_, method)| scored(&families, method)).collect();
    let columns: [Column; 4] = [
        ("average precision", |of| of.scores.average_precision),
        ("AUROC", |of| of.scores.auroc),
        ("right directions of one-way edges", |of| of.direction),
        ("right signs", |of| of.scores.sign_accuracy),
    ];
    for (number, (title, column)) in columns.into_iter().enumerate() {
        println!("\n## Simulated families: {title}\n");
        header(&families);
        for ((name, _), found) in methods.iter().zip(&found) {
            row(name, &means(found, column));
        }
        if number == 0 {
            row("chance", &means(&found[0], |of| of.scores.density));
        }
    }
}

/// Each setting on each family, and for each family the setting that is best on the others.
pub(crate) fn leave_family_out() {
    println!("\n## Settings on simulated families: average precision\n");
    let families = all();
    let settings = settings();
    header(&families);
    let found: Vec<Vec<f64>> = settings
        .iter()
        .map(|(name, search)| {
            let found = scored(&families, |course| course.search(search));
            let precision = means(&found, |of| of.scores.average_precision);
            row(name, &precision);
            precision
        })
        .collect();
    println!(
        "\n| left out | best on the others | on the one left out | default |\n|---|---|---|---|"
    );
    let mut chosen = Vec::new();
    for (left_out, family) in families.iter().enumerate() {
        let on_others = |setting: usize| {
            let others = found[setting].iter().enumerate().filter(|(other, _)| *other != left_out);
            mean(others.map(|(_, precision)| *precision))
        };
        let best =
            (0..settings.len()).max_by(|&a, &b| on_others(a).total_cmp(&on_others(b))).unwrap();
        let precision = found[best][left_out];
        println!(
            "| {} | {} | {precision:.3} | {:.3} |",
            family.name, settings[best].0, found[0][left_out]
        );
        chosen.push(precision);
    }
    println!(
        "| mean | | {:.3} | {:.3} |",
        mean(chosen.into_iter()),
        mean(found[0].iter().copied())
    );
}
