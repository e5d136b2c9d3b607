//! Matrices that scripts of `data-samples/reference` make too, and the tables that they write.

use std::path::Path;

use ndarray::Array2;
use sbcell::data::Matrix;
use sbcell::linalg::Csr;

/// One output of splitmix64 for the counter `state`.
pub(crate) fn mix(state: u64) -> u64 {
    let mut z = (state + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

pub(crate) fn sparse(x: &Array2<f32>) -> Matrix {
    let (mut indptr, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
    for row in x.rows() {
        for (j, &value) in row.iter().enumerate().filter(|entry| *entry.1 != 0.0) {
            indices.push(j as u32);
            values.push(value);
        }
        indptr.push(values.len());
    }
    Matrix::Sparse(Csr::new(x.ncols(), indptr, indices, values).unwrap())
}

/// Stored densely and in sparse rows.
pub(crate) fn both(x: &Array2<f32>) -> [Matrix; 2] {
    [Matrix::Dense(x.clone()), sparse(x)]
}

/// The rows of a table below its header.
pub(crate) fn table(name: &str) -> Array2<f64> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data-samples/reference").join(name);
    let rows: Vec<Vec<f64>> = csv::Reader::from_path(path)
        .unwrap()
        .records()
        .map(|row| row.unwrap().iter().map(|cell| cell.parse().unwrap()).collect())
        .collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}
