//! Genes hidden in held-out cells, and what is said of them from the other genes.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rand::seq::SliceRandom;
use sbcell::data::{Matrix, Snapshot};
use sbcell::io::h5ad::MatrixSource;
use sbcell::linalg::Spectrum;
use sbcell::sampler::{Bandwidth, ChosenBandwidth, Observed, Sampler, Scheme, SelfBridge};
use sbcell::{Epsilon, Seed, Silent};

use crate::open;

/// Neighbours of the rival.
const K: usize = 15;

/// Draws for each cell.
const DRAWS: usize = 30;

pub(crate) fn main() {
    for name in ["semrau2017_mesc_ra", "kouno2013_thp1", "chu2016_hesc_de"] {
        let cells = expression(name);
        for hidden in [1, 5, cells.ncols() / 2] {
            compare(name, &cells, hidden);
        }
    }
}

/// Expression of all genes that vary, on the scale of the file.
fn expression(name: &str) -> Array2<f64> {
    let file = open(name);
    let rows: Vec<usize> = (0..file.n_cells()).collect();
    let all = match file.matrix_rows(&MatrixSource::X, &rows, &mut Silent).unwrap() {
        Matrix::Dense(values) => values.mapv(f64::from),
        Matrix::Sparse(rows) => {
            let mut values = Array2::zeros((rows.n_rows(), rows.n_cols()));
            for (i, mut row) in values.rows_mut().into_iter().enumerate() {
                let (columns, stored) = rows.row(i);
                columns.iter().zip(stored).for_each(|(&j, &v)| row[j as usize] = f64::from(v));
            }
            values
        }
    };
    let spread = all.var_axis(Axis(0), 0.0);
    let columns: Vec<usize> = (0..all.ncols()).filter(|&g| spread[g] > 0.0).collect();
    all.select(Axis(1), &columns)
}

/// Root mean square of errors in units of the genes' deviations, and correlation within genes.
fn scored(name: &str, truth: &Array2<f64>, said: &Array2<f64>, deviations: &Array1<f64>) {
    let off = (truth - said) / deviations;
    let rms = off.mapv(|value| value * value).mean().unwrap().sqrt();
    let correlations = truth.columns().into_iter().zip(said.columns()).filter_map(|(x, y)| {
        let (x, y) = (&x - x.mean()?, &y - y.mean()?);
        let size = (x.dot(&x) * y.dot(&y)).sqrt();
        (size > 1e-9).then(|| x.dot(&y) / size)
    });
    let correlations: Vec<f64> = correlations.collect();
    let mean = correlations.iter().sum::<f64>() / correlations.len().max(1) as f64;
    println!("  {name:34} {rms:6.3}  {mean:6.3}");
}

fn compare(name: &str, cells: &Array2<f64>, n_hidden: usize) {
    let mut rows: Vec<usize> = (0..cells.nrows()).collect();
    rows.shuffle(&mut Seed(0).stream("bench/split", 0));
    let cut = cells.nrows() * 4 / 5;
    let train = cells.select(Axis(0), &rows[..cut]);
    let test = cells.select(Axis(0), &rows[cut..(cut + 150).min(rows.len())]);
    let deviations = train.std_axis(Axis(0), 1.0);
    let mut genes: Vec<usize> = (0..cells.ncols()).collect();
    genes.shuffle(&mut Seed(0).stream("bench/genes", 0));
    println!(
        "{name}: {n_hidden} of {} genes hidden, {} cells, {} held out",
        cells.ncols(),
        cut,
        test.nrows()
    );
    println!("  method                            error  correlation");
    // With few hidden, all genes in turn, some at a time.
    let batches: Vec<Vec<usize>> = genes
        .chunks(n_hidden)
        .take(if n_hidden < 10 { 12 } else { 2 })
        .map(<[usize]>::to_vec)
        .collect();
    let snapshot = Snapshot::new(train.clone()).unwrap();
    let chosen = Bandwidth::HeldOut.choose(&snapshot, None, Seed(0), &mut Silent).unwrap().epsilon;
    let all: Vec<usize> = batches.concat();
    let truth = test.select(Axis(1), &all);
    let mut covered = (0, 0);
    let deviations = deviations.select(Axis(0), &all);
    let score = |label: &str, said: Array2<f64>| scored(label, &truth, &said, &deviations);
    score(
        "mean of the gene",
        told(&batches, cells.ncols(), |hidden, _| {
            let mean = train.mean_axis(Axis(0)).unwrap().select(Axis(0), hidden);
            &Array2::zeros((test.nrows(), hidden.len())) + &mean
        }),
    );
    score(
        "15 nearest cells",
        told(&batches, cells.ncols(), |hidden, given| nearest(&train, &test, hidden, given)),
    );
    score(
        "linear (Gaussian law, ridge)",
        told(&batches, cells.ncols(), |hidden, given| linear(&train, &test, hidden, given)),
    );
    for (by, foretold) in [("held-out likelihood", false), ("foretelling", true)] {
        let mut used = Vec::new();
        let said = told(&batches, cells.ncols(), |hidden, given| {
            let epsilon = if foretold { foretelling(&snapshot, given) } else { chosen };
            used.push(epsilon.value());
            let bridge = SelfBridge::new(&snapshot, epsilon, None, &mut Silent).unwrap();
            let values = test.select(Axis(1), given);
            let observed = Observed::columns(given, cells.ncols(), values, 0.0).unwrap();
            let sampler = Sampler { scheme: Scheme::Matched, n_steps: 20 };
            let draws = sampler
                .sample_given(&bridge, &observed.repeated(DRAWS), Seed(1), &mut Silent)
                .unwrap()
                .select(Axis(1), hidden);
            within(&draws, &test.select(Axis(1), hidden), &mut covered);
            means(&draws)
        });
        let mean = used.iter().sum::<f64>() / used.len() as f64;
        score(&format!("sample, ε {mean:.2} by {by}"), said);
        let share = covered.0 as f64 / covered.1.max(1) as f64;
        println!("    within two deviations of the draws: {:.1} %", 100.0 * share);
        covered = (0, 0);
    }
}

/// ε by how well the hidden genes of cells held out are foretold.
fn foretelling(cells: &Snapshot, given: &[usize]) -> Epsilon {
    let mut map = Array2::zeros((given.len(), cells.dim()));
    for (mut row, &gene) in map.rows_mut().into_iter().zip(given) {
        row[gene] = 1.0;
    }
    let (map, seed) = (map.view(), Seed(0));
    ChosenBandwidth::for_prediction(cells, map, 0.0, None, seed, &mut Silent).unwrap().epsilon
}

/// The mean of the draws for each cell.
fn means(draws: &Array2<f64>) -> Array2<f64> {
    let mut means = Array2::zeros((draws.nrows() / DRAWS, draws.ncols()));
    for (mut mean, draws) in
        means.rows_mut().into_iter().zip(draws.axis_chunks_iter(Axis(0), DRAWS))
    {
        mean.assign(&draws.mean_axis(Axis(0)).unwrap());
    }
    means
}

/// Counts true values within two deviations of the mean of their draws.
fn within(draws: &Array2<f64>, truth: &Array2<f64>, counted: &mut (usize, usize)) {
    for (truth, draws) in truth.rows().into_iter().zip(draws.axis_chunks_iter(Axis(0), DRAWS)) {
        let (mean, spread) = (draws.mean_axis(Axis(0)).unwrap(), draws.std_axis(Axis(0), 1.0));
        for gene in 0..truth.len() {
            counted.0 += usize::from((truth[gene] - mean[gene]).abs() <= 2.0 * spread[gene]);
            counted.1 += 1;
        }
    }
}

/// What `method` says of the hidden genes of each batch from all others, side by side.
fn told(
    batches: &[Vec<usize>],
    n_genes: usize,
    mut method: impl FnMut(&[usize], &[usize]) -> Array2<f64>,
) -> Array2<f64> {
    let mut parts = Vec::new();
    for hidden in batches {
        let given: Vec<usize> = (0..n_genes).filter(|gene| !hidden.contains(gene)).collect();
        parts.push(method(hidden, &given));
    }
    let views: Vec<ArrayView2<'_, f64>> = parts.iter().map(|part| part.view()).collect();
    ndarray::concatenate(Axis(1), &views).unwrap()
}

fn nearest(
    train: &Array2<f64>,
    test: &Array2<f64>,
    hidden: &[usize],
    given: &[usize],
) -> Array2<f64> {
    let (seen, answers) = (train.select(Axis(1), given), train.select(Axis(1), hidden));
    let mut said = Array2::zeros((test.nrows(), hidden.len()));
    for (mut row, x) in said.rows_mut().into_iter().zip(test.select(Axis(1), given).rows()) {
        let mut order: Vec<(f64, usize)> = seen
            .rows()
            .into_iter()
            .enumerate()
            .map(|(i, cell)| (cell.iter().zip(x).map(|(a, b)| (a - b).powi(2)).sum(), i))
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        let rows: Vec<usize> = order[..K].iter().map(|entry| entry.1).collect();
        row.assign(&answers.select(Axis(0), &rows).mean_axis(Axis(0)).unwrap());
    }
    said
}

fn linear(
    train: &Array2<f64>,
    test: &Array2<f64>,
    hidden: &[usize],
    given: &[usize],
) -> Array2<f64> {
    let mean = train.mean_axis(Axis(0)).unwrap();
    let centred = train - &mean;
    let (x, y) = (centred.select(Axis(1), given), centred.select(Axis(1), hidden));
    let gram = x.t().dot(&x) / train.nrows() as f64;
    let ridge = 0.01 * gram.diag().mean().unwrap();
    let inverse = Spectrum::new(gram.view()).unwrap().map(|value| 1.0 / (value.max(0.0) + ridge));
    let slope = inverse.dot(&(x.t().dot(&y) / train.nrows() as f64));
    (test - &mean).select(Axis(1), given).dot(&slope) + &mean.select(Axis(0), hidden)
}
