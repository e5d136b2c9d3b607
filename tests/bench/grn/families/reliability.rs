//! Calibration of the confidence of edges and of their directions, and its reliability on the family
//! that was left out.

use ndarray::{Array1, Array2};
use sbcell::Seed;
use sbcell::grn::{
    CourseCells, EdgeMatrix, EdgeSearch, Expression, N_FEATURES, direction_ratio, features,
    shuffled_within_times,
};
use sbcell::linalg::Cholesky;

use crate::families::{Family, all, independent};
use crate::simulated::Simulated;

const N_SHUFFLES: u64 = 6;

/// Penalty of the coefficients, in units of one edge; it only keeps them finite.
const PENALTY: f64 = 1e-3;

const BORDERS: [f64; 9] = [0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95];

/// Examples of a course: features, whether true, weight.
struct Examples {
    family: usize,
    /// Number of the course in its family.
    course: usize,
    features: Vec<Vec<f64>>,
    is_true: Vec<bool>,
    weight: f64,
}

/// The examples of edges, and those of directions: one-way edges with the logarithm of their ratio.
fn examples([family, number, n_courses]: [usize; 3], course: &Simulated) -> (Examples, Examples) {
    let genes: Vec<usize> = (0..course.genes.len()).collect();
    let search = EdgeSearch::default();
    let found = course.search(&search);
    let shuffled: Vec<EdgeMatrix> = (0..N_SHUFFLES).map(|n| shuffle(course, n)).collect();
    let is_edge = |r: usize, g: usize| {
        course.network.contains_key(&(course.genes[r].clone(), course.genes[g].clone()))
    };
    let pairs = genes.iter().flat_map(|r| genes.iter().map(move |g| (*r, *g)));
    let pairs: Vec<(usize, usize)> = pairs.filter(|(r, g)| r != g).collect();
    let ratio = direction_ratio(&found, &genes);
    let one_way: Vec<f64> = pairs
        .iter()
        .filter(|(r, g)| is_edge(*r, *g) && !is_edge(*g, *r))
        .map(|&edge| ratio[edge])
        .collect();
    let edges = Examples {
        family,
        course: number,
        features: features(&found, &found, &shuffled, &genes)
            .into_iter()
            .map(|of| of.to_vec())
            .collect(),
        is_true: pairs.iter().map(|&(r, g)| is_edge(r, g)).collect(),
        weight: 1.0 / (n_courses * pairs.len()) as f64,
    };
    // Each one-way edge stands for itself and for its reverse.
    let directions = Examples {
        family,
        course: number,
        weight: 0.5 / (n_courses * one_way.len().max(1)) as f64,
        is_true: one_way.iter().flat_map(|_| [true, false]).collect(),
        features: one_way.iter().flat_map(|&ratio| [vec![ratio], vec![-ratio]]).collect(),
    };
    (edges, directions)
}

fn shuffle(course: &Simulated, number: u64) -> EdgeMatrix {
    course.with(|cells| {
        let values = shuffled_within_times(cells, Seed(number));
        let expression = Expression::new(values, cells.expression.regulators()).unwrap();
        let all: Vec<usize> = (0..expression.n_cells()).collect();
        let points = expression.standardised(&all);
        let cells = CourseCells { expression: &expression, points: &points, ..cells.clone() };
        EdgeSearch::default().run(&cells, None).unwrap()
    })
}

fn logistic(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

fn predict(coefficients: &Array1<f64>, features: &[f64]) -> f64 {
    logistic(features.iter().zip(coefficients).map(|(x, c)| x * c).sum())
}

/// Logistic regression by Newton's method, with the same total weight for every family.
fn fit(examples: &[&Examples], n_features: usize) -> Array1<f64> {
    let mut found = Array1::zeros(n_features);
    let total: f64 = examples.iter().map(|of| of.weight * of.is_true.len() as f64).sum();
    for _ in 0..30 {
        let mut curvature = Array2::<f64>::eye(n_features) * (PENALTY / 1000.0);
        let mut slope = &found * -(PENALTY / 1000.0);
        for of in examples {
            for (x, &is_true) in of.features.iter().zip(&of.is_true) {
                let p = predict(&found, x);
                let x = Array1::from(x.clone());
                let weight = of.weight / total;
                slope.scaled_add(weight * (f64::from(is_true) - p), &x);
                let w = weight * p * (1.0 - p);
                for i in 0..n_features {
                    for j in 0..n_features {
                        curvature[[i, j]] += w * x[i] * x[j];
                    }
                }
            }
        }
        found += &Cholesky::new(curvature.view()).unwrap().solve(slope.view());
    }
    found
}

/// Predictions of each family by coefficients from the others: probability, truth, weight, family.
///
/// Without the family of independent genes nothing says what a course without edges looks like. It stays
/// among the others with every second course, and these halves predict each other.
fn left_out(examples: &[Examples], families: usize, n_features: usize) -> Vec<[f64; 4]> {
    let mut seen = Vec::new();
    for family in 0..families {
        let halves: &[usize] = if family + 1 == families { &[0, 1] } else { &[2] };
        for &half in halves {
            let is_left_out =
                |of: &&Examples| of.family == family && (half == 2 || of.course % 2 == half);
            let others: Vec<&Examples> = examples.iter().filter(|of| !is_left_out(of)).collect();
            let coefficients = fit(&others, n_features);
            for of in examples.iter().filter(is_left_out) {
                for (x, &is_true) in of.features.iter().zip(&of.is_true) {
                    let p = predict(&coefficients, x);
                    seen.push([p, f64::from(is_true), of.weight, family as f64]);
                }
            }
        }
    }
    seen
}

/// Prints how often predictions of a range are true, over all families and for each.
fn print_reliability(families: &[Family], seen: &[[f64; 4]]) {
    let names: Vec<&str> = families.iter().map(|family| family.name).collect();
    println!("| predicted | share | mean | true | {} |", names.join(" | "));
    println!("|---|---|---|---|{}", "---|".repeat(names.len()));
    let all: f64 = seen.iter().map(|of| of[2]).sum();
    for (k, from) in BORDERS.iter().enumerate() {
        let to = BORDERS.get(k + 1).copied().unwrap_or(1.01);
        let some = || seen.iter().filter(move |of| of[0] >= *from && of[0] < to);
        let weight: f64 = some().map(|of| of[2]).sum();
        let mean = |place: usize| some().map(|of| of[2] * of[place]).sum::<f64>() / weight;
        let by_family: Vec<String> = (0..families.len())
            .map(|family| {
                let of: Vec<&[f64; 4]> = some().filter(|of| of[3] as usize == family).collect();
                let n_true: f64 = of.iter().map(|of| of[1]).sum();
                if of.is_empty() { "–".into() } else { format!("{n_true:.0} of {}", of.len()) }
            })
            .collect();
        println!(
            "| {from} to {:.2} | {:.3} | {:.2} | {:.2} | {} |",
            to.min(1.0),
            weight / all,
            mean(0),
            mean(1),
            by_family.join(" | ")
        );
    }
}

/// Prints the coefficients, the reliability on families left out, and the realised share of false
/// edges among those of which a share is expected to be false.
pub(crate) fn reliability() {
    let mut families = all();
    let n_courses = families[0].courses.len();
    let courses = (0..2 * n_courses).map(independent::course).collect();
    families.push(Family { name: "independent", courses });
    let mut edges = Vec::new();
    let mut directions = Vec::new();
    for (number, family) in families.iter().enumerate() {
        for (place, course) in family.courses.iter().enumerate() {
            let (of_edges, of_directions) = examples([number, place, family.courses.len()], course);
            edges.push(of_edges);
            directions.push(of_directions);
        }
    }
    println!("\n## Confidence of edges, each family by coefficients from the others\n");
    let seen = left_out(&edges, families.len(), N_FEATURES);
    print_reliability(&families, &seen);
    print_false(&families, &seen);
    println!("\ncoefficients: {:.4?}", fit(&edges.iter().collect::<Vec<_>>(), N_FEATURES).to_vec());
    println!("\n## Confidence of directions of one-way edges\n");
    directions.retain(|of| !of.is_true.is_empty());
    print_reliability(&families, &left_out(&directions, families.len(), 1));
    println!("\ncoefficient: {:.4?}", fit(&directions.iter().collect::<Vec<_>>(), 1).to_vec());
}

/// Prints the share of false edges in lists whose mean confidence allows a share of 5, 10, 20 %.
fn print_false(families: &[Family], seen: &[[f64; 4]]) {
    println!("\n| family | expected 5 % | 10 % | 20 % |\n|---|---|---|---|");
    for (number, family) in families.iter().enumerate() {
        let mut of: Vec<&[f64; 4]> = seen.iter().filter(|of| of[3] as usize == number).collect();
        of.sort_by(|a, b| b[0].total_cmp(&a[0]));
        let cells: Vec<String> = [0.05, 0.1, 0.2].map(|level| listed(&of, level)).to_vec();
        println!("| {} | {} |", family.name, cells.join(" | "));
    }
}

/// Longest list, most confident first, of which at most `level` is expected to be false.
fn listed(sorted: &[&[f64; 4]], level: f64) -> String {
    let (mut expected, mut wrong, mut found) = (0.0, 0.0, (0, 0.0));
    for (place, of) in sorted.iter().enumerate() {
        expected += 1.0 - of[0];
        wrong += 1.0 - of[1];
        if expected / (place + 1) as f64 <= level {
            found = (place + 1, wrong);
        }
    }
    match found {
        (0, _) => "–".into(),
        (n, wrong) => format!("{:.0} % of {n}", 100.0 * wrong / n as f64),
    }
}
