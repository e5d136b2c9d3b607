//! Edges from knock-outs beside controls, against controls alone: three families of simulated systems.

mod simulators;

use ndarray::{Array1, Array2, Axis, concatenate};
use sbcell::Seed;
use sbcell::grn::{CourseCells, EdgeMatrix, EdgeSearch, Perturbations};

use crate::simulated::Simulated;
use simulators::{Cells, System};

/// Times of a course.
const N_TIMES: usize = 6;

/// What a way to use the cells found: average precision, share of one-way edges whose direction is
/// right, share of edges whose sign is right.
type Scores = [f64; 3];

/// Titles of the ways that are compared.
const WAYS: [&str; 5] = [
    "controls alone, as many cells",
    "pooled without labels",
    "difference of means from controls",
    "targets leave out their cells, no means",
    "the default",
];

/// A course with its perturbations, and as many control cells.
struct Courses {
    signs: Array2<f64>,
    controls: Simulated,
    pooled: Simulated,
    perturbed: Perturbations,
}

impl Courses {
    /// `n` cells of each genotype and time; of all genes the share `covered` is knocked out.
    fn simulate(system: &System, n: usize, covered: f64, seed: u64) -> Self {
        let n_genes = system.genes.len();
        let knocked = ((covered * n_genes as f64).round() as usize).max(1);
        // Every k-th gene from a start that the seed gives.
        let genes: Vec<usize> =
            (0..knocked).map(|k| (k * n_genes / knocked + 3 * seed as usize) % n_genes).collect();
        let seed = Seed(seed).child(&system.name, n as u64);
        let of = |knocked: &[usize], n: usize, number: usize| {
            system.cells(knocked, n, N_TIMES, seed.child("genotype", number as u64))
        };
        let mut parts = vec![of(&[], n, 0)];
        parts.extend(genes.iter().enumerate().map(|(k, &gene)| of(&[gene], n, k + 1)));
        let groups = (0..=knocked).flat_map(|g| std::iter::repeat_n(g, n * N_TIMES)).collect();
        let sets = std::iter::once(vec![]).chain(genes.iter().map(|&gene| vec![gene]));
        Self {
            signs: system.signs.clone(),
            controls: course(system, &[of(&[], n * (knocked + 1), knocked + 1)]),
            pooled: course(system, &parts),
            perturbed: Perturbations::new(groups, sets.collect()).unwrap(),
        }
    }

    /// Scores of each of [`WAYS`].
    fn scores(&self) -> Vec<Scores> {
        let search = EdgeSearch::default;
        let labelled = |search: EdgeSearch| {
            self.pooled.with(|cells| {
                let perturbed = Some(self.perturbed.clone());
                search.run(&CourseCells { perturbed, ..cells.clone() }, None).unwrap()
            })
        };
        let found = [
            self.controls.search(&search()),
            self.pooled.search(&search()),
            self.differences(),
            labelled(search().with_means_weight(0.0)),
            labelled(search()),
        ];
        found.iter().map(|found| self.score(found)).collect()
    }

    /// Root mean square over times of the difference of means, in standard deviations of the target.
    fn differences(&self) -> EdgeMatrix {
        let n_genes = self.signs.nrows();
        let mean = |group: usize, time: f64| -> Array1<f64> {
            let rows: Vec<usize> = (0..self.pooled.times.len())
                .filter(|&row| self.perturbed.group(row) == group)
                .filter(|&row| self.pooled.times[row].total_cmp(&time).is_eq())
                .collect();
            let values = self.pooled.values.select(Axis(0), &rows).mapv(f64::from);
            values.mean_axis(Axis(0)).unwrap()
        };
        let spread = self.pooled.expression().spread().clone();
        let (mut squares, mut sums) =
            (Array2::zeros((n_genes, n_genes)), Array2::zeros((n_genes, n_genes)));
        for gene in 0..n_genes {
            for group in self.perturbed.groups_of(gene) {
                for time in 0..N_TIMES {
                    let gap = (mean(group, time as f64) - mean(0, time as f64)) / &spread;
                    let mut row = squares.row_mut(gene);
                    row += &(&gap * &gap);
                    let mut row = sums.row_mut(gene);
                    row -= &gap;
                }
            }
        }
        let regulators: Vec<usize> = (0..n_genes).collect();
        let mut found = EdgeMatrix::of_correlations(sums, &regulators);
        found.importance = squares.mapv(f64::sqrt);
        found
    }

    fn score(&self, found: &EdgeMatrix) -> Scores {
        let n = self.signs.nrows();
        let scores = self.pooled.score(found);
        let there = |r: usize, g: usize| r != g && self.signs[[r, g]].abs() > 0.5;
        let pairs = || (0..n * n).map(|k| (k / n, k % n)).filter(|&(r, g)| there(r, g));
        let share = |of: &mut dyn Iterator<Item = bool>| {
            let of: Vec<bool> = of.collect();
            of.iter().filter(|right| **right).count() as f64 / of.len() as f64
        };
        let forward = |r: usize, g: usize| found.importance[[r, g]] > found.importance[[g, r]];
        let direction =
            share(&mut pairs().filter(|&(r, g)| !there(g, r)).map(|(r, g)| forward(r, g)));
        let signs =
            share(&mut pairs().map(|(r, g)| found.evidence[[r, g]] * self.signs[[r, g]] > 0.0));
        [scores.average_precision, direction, signs]
    }
}

/// The cells of some genotypes as one course.
fn course(system: &System, parts: &[Cells]) -> Simulated {
    let values: Vec<_> = parts.iter().map(|part| part.values.view()).collect();
    let edges = system.signs.indexed_iter().filter(|(_, sign)| sign.abs() > 0.5);
    let named = edges.map(|((r, g), sign)| {
        ((system.genes[r].clone(), system.genes[g].clone()), sign.signum() as i8)
    });
    Simulated {
        name: system.name.clone(),
        values: concatenate(Axis(0), &values).unwrap().mapv(|value| value as f32),
        times: parts.iter().flat_map(|part| part.times.clone()).collect(),
        genes: system.genes.clone(),
        network: named.collect(),
    }
}

/// The systems of each family.
fn families() -> Vec<(&'static str, Vec<System>)> {
    let boolean = vec![
        System::boolean("dyn-bifurcating", &["g1"]),
        System::boolean("dyn-trifurcating", &["g1"]),
        System::boolean("HSC", &["Cebpa", "Gata2", "Pu1"]),
    ];
    let linear = (0..3).map(|k| System::linear(10, k)).chain([System::linear(25, 0)]);
    let bursts = (0..2).map(|k| System::bursts(7, k)).chain((0..2).map(|k| System::bursts(10, k)));
    vec![("Boolean rules", boolean), ("linear", linear.collect()), ("bursts", bursts.collect())]
}

pub(crate) fn run() {
    println!("\n## Knock-outs: average precision / directions / signs\n");
    for (n, covered) in [(100, 1.0), (25, 1.0), (100, 0.3), (25, 0.3)] {
        println!(
            "\n{n} cells of each genotype at each of {N_TIMES} times; {:.0} % of the genes knocked out\n",
            100.0 * covered
        );
        println!("| | {} |\n|---|{}", WAYS.join(" | "), "---|".repeat(WAYS.len()));
        let mut means: Vec<Vec<Scores>> = Vec::new();
        for (family, systems) in families() {
            let mut of_family = Vec::new();
            for (k, system) in systems.iter().enumerate() {
                let scores = Courses::simulate(system, n, covered, k as u64).scores();
                print_row(&system.name, &scores);
                of_family.push(scores);
            }
            let mean = mean(&of_family);
            print_row(&format!("**{family}**"), &mean);
            means.push(mean);
        }
        print_row("**mean of families**", &mean(&means));
    }
}

fn mean(of: &[Vec<Scores>]) -> Vec<Scores> {
    let way = |way: usize, score: usize| {
        of.iter().map(|scores| scores[way][score]).sum::<f64>() / of.len() as f64
    };
    (0..WAYS.len()).map(|w| [0, 1, 2].map(|s| way(w, s))).collect()
}

fn print_row(title: &str, scores: &[Scores]) {
    let cells: Vec<String> =
        scores.iter().map(|[ap, way, sign]| format!("{ap:.2} / {way:.2} / {sign:.2}")).collect();
    println!("| {title} | {} |", cells.join(" | "));
}
