//! Normalisation and gene selection against scanpy (`data-samples/reference/genes.py`).

use ndarray::{Array2, s};
use sbcell::Silent;
use sbcell::data::Matrix;
use sbcell::preprocess::{GeneSelector, LogScale, log1p, normalize_total};

use crate::matrices::{both, mix, table};

/// The counts of the script, by the same integer arithmetic.
fn counts(n_cells: u64, n_genes: u64, seed: u64) -> Array2<f32> {
    Array2::from_shape_fn((n_cells as usize, n_genes as usize), |(i, j)| {
        let (i, j) = (i as u64, j as u64);
        let z = mix(seed * 1_000_003 + i * n_genes + j);
        if z % 1024 < 60 + 55 * (j % 17) {
            (1 + (z >> 10) % (1 + (i % 4) * (j % 5)) + 2 * (j % 17) * (j % 3)) as f32
        } else {
            0.0
        }
    })
}

fn value(x: &Matrix, i: usize, j: usize) -> f64 {
    f64::from(match x {
        Matrix::Dense(x) => x[[i, j]],
        Matrix::Sparse(x) => {
            let (columns, values) = x.row(i);
            columns.binary_search(&(j as u32)).map_or(0.0, |place| values[place])
        }
    })
}

/// Values are stored in single precision, and scanpy computes in it: a few times 6e-8.
fn close(got: f64, expected: f64) -> bool {
    (got - expected).abs() <= 5e-7 * expected.abs()
}

/// Dispersions: squares are rounded to single precision by scanpy before they are summed, and
/// normalised dispersions before they are stored.
fn compare(x: &Matrix, n_genes: usize, name: &str) {
    let selector = GeneSelector { n_genes, ..Default::default() };
    let expected = table(name);
    let found = selector.statistics(x, &LogScale::AsIs, &mut Silent).unwrap();
    assert_eq!(found.len(), expected.nrows());
    for (j, (gene, row)) in found.iter().zip(expected.rows()).enumerate() {
        assert!((gene.mean - row[0]).abs() < 1e-6, "{name} gene {j}: {gene:?} {row:?}");
        for (got, expected) in [(gene.dispersion, row[1]), (gene.normalized, row[2])] {
            let same = (got - expected).abs() < 2e-5 || got.is_nan() && expected.is_nan();
            assert!(same, "{name} gene {j}: {gene:?} {row:?}");
        }
    }
    let selected: Vec<usize> = (0..expected.nrows()).filter(|&j| expected[[j, 3]] != 0.0).collect();
    assert_eq!(selector.select(x, &LogScale::AsIs, &mut Silent).unwrap(), selected, "{name}");
}

#[test]
fn normalisation_logarithm_and_selection_agree_with_scanpy() {
    let mut x = counts(200, 150, 1);
    x.row_mut(7).fill(0.0);
    x.column_mut(20).fill(0.0);
    x.column_mut(99).fill(0.0);
    let expected = table("genes_normalized.csv");
    assert!(expected.nrows() > 100);
    for mut matrix in both(&x) {
        for row in expected.rows() {
            assert!(close(value(&matrix, row[0] as usize, row[1] as usize), row[2]), "{row:?}");
        }
        normalize_total(&mut matrix, None).unwrap();
        for row in expected.rows() {
            assert!(close(value(&matrix, row[0] as usize, row[1] as usize), row[3]), "{row:?}");
        }
        log1p(&mut matrix).unwrap();
        for row in expected.rows() {
            assert!(close(value(&matrix, row[0] as usize, row[1] as usize), row[4]), "{row:?}");
        }
        compare(&matrix, 30, "genes_normalized_selection.csv");
    }
}

#[test]
fn ties_empty_and_constant_genes_are_selected_as_scanpy_does() {
    let mut x = counts(90, 120, 2).mapv(|count| count.min(3.0));
    for j in 0..120 {
        if j % 3 != 0 {
            x.column_mut(j).fill(0.0);
        } else if j % 4 == 0 && j > 0 {
            let copied = x.slice(s![.., j - 3]).to_owned();
            x.column_mut(j).assign(&copied);
        }
    }
    x.column_mut(51).fill(1.0);
    for mut matrix in both(&x) {
        log1p(&mut matrix).unwrap();
        compare(&matrix, 11, "genes_ties_selection.csv");
    }
}

#[test]
fn genes_alone_in_their_bin_are_selected_as_scanpy_does() {
    let mut x = counts(150, 40, 3);
    x.column_mut(5).mapv_inplace(|count| count * 40.0);
    x.column_mut(11).mapv_inplace(|count| count * 15.0);
    for mut matrix in both(&x) {
        normalize_total(&mut matrix, Some(1e4)).unwrap();
        log1p(&mut matrix).unwrap();
        compare(&matrix, 6, "genes_single_bins_selection.csv");
    }
}
