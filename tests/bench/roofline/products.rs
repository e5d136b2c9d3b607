//! Matrix products, Gram matrices and blocks of distances: flops against the peak.

use ndarray::Array2;
use rand::RngExt;
use sbcell::geometry::neighbours;
use sbcell::linalg::{Csr, Gram, add_product, product, product_nt_single};
use sbcell::{Seed, Silent};

use crate::machine::Limit;
use crate::timing::{each_alone, seconds, shared};
use crate::{Counted, Line};

fn values(shape: (usize, usize), index: u64) -> Array2<f64> {
    let mut stream = Seed(0).stream("bench/roofline/values", index);
    Array2::from_shape_simple_fn(shape, || stream.random_range(-1.0..1.0))
}

/// Products `(m, k) × (k, n)` in the shapes that occur, and one that is large.
pub(crate) fn plain() -> Vec<Line> {
    let double = [
        ("`add_product`, large", [1024, 1024, 1024]),
        ("`add_product`, a block of Sinkhorn's", [128, 50, 512]),
        ("`add_product`, features × coefficients of LightSB", [512, 101, 10]),
        ("`add_product`, shares × features of LightSB", [10, 512, 101]),
    ];
    let single = [
        ("`product_nt_single`, large", [1024, 1024, 1024]),
        ("`product_nt_single`, a tile of neighbours", [128, 51, 1024]),
    ];
    let counted = |[m, k, n]: [usize; 3], size: f64| {
        let each = |length: usize| 1.0 / length as f64;
        // Both sides are read once, the result read and written.
        Counted {
            element: "multiplication",
            flops: 2.0,
            bytes: size * (each(m) + each(n) + 2.0 * each(k)),
        }
    };
    let of_double = double.iter().map(|&(kernel, shape)| {
        let counted = counted(shape, 8.0);
        Line::new(kernel, &words(shape), counted, Limit::Double, multiplied(shape))
    });
    let of_single = single.iter().map(|&(kernel, shape)| {
        let counted = counted(shape, 4.0);
        Line::new(kernel, &words(shape), counted, Limit::Single, multiplied_single(shape))
    });
    of_double.chain(of_single).collect()
}

fn words([m, k, n]: [usize; 3]) -> String {
    format!("{m} × {k} × {n}")
}

/// `A B` with `B` as the transpose of what is in memory, as in Sinkhorn's blocks and densities; for
/// few rows `A` is the transpose, as in moments.
fn multiplied([m, k, n]: [usize; 3]) -> [f64; 2] {
    each_alone((m * k * n) as f64, || {
        let few = m < 16;
        let a = values(if few { (k, m) } else { (m, k) }, 1);
        let b = values(if few { (k, n) } else { (n, k) }, 2);
        let mut out = Array2::zeros((m, n));
        move || {
            seconds(|| {
                if few {
                    add_product(out.view_mut(), 1.0, a.t(), b.view());
                } else {
                    add_product(out.view_mut(), 1.0, a.view(), b.t());
                }
            })
        }
    })
}

fn multiplied_single([m, k, n]: [usize; 3]) -> [f64; 2] {
    each_alone((m * k * n) as f64, || {
        let single =
            |shape, index| values(shape, index).mapv(|x| x as f32).into_raw_vec_and_offset().0;
        let (a, b) = (single((m, k), 3), single((n, k), 4));
        let mut out = vec![0.0; m * n];
        move || seconds(|| product_nt_single(&mut out, &a, &b, k))
    })
}

/// Covariances: `AᵀA` of sparse rows, and of dense blocks.
pub(crate) fn gram() -> Vec<Line> {
    let (n_cells, n_genes, each) = (8_000, 2_000, 200);
    let a = sparse(n_cells, n_genes, each);
    let pairs = (n_cells * each * (each + 1) / 2) as f64;
    // Index and value are read, a sum is read and written.
    let counted = || Counted { element: "multiplication", flops: 2.0, bytes: 24.0 };
    let size = format!("{n_cells} × {n_genes}, {each} in a row");
    let ns = shared(pairs, || Gram::of_sparse(&a, &mut Silent).unwrap());
    let of_sparse = Line::new("`Gram::of_sparse`", &size, counted(), Limit::Scatter, ns);
    let ns = shared(pairs, || {
        rayon::broadcast(|_| product(values((256, 256), 7).view(), values((256, 256), 8).view()));
        Gram::of_sparse(&a, &mut Silent).unwrap()
    });
    let after = Line::new("the same after a product", &size, counted(), Limit::Scatter, ns);

    let depth = 4_096;
    let dense = values((n_genes, depth), 5);
    let multiplications = (n_genes * (n_genes + 128) / 2 * depth) as f64;
    let ns = shared(multiplications, || {
        let fill = |mut block: ndarray::ArrayViewMut2<'_, f64>,
                    rows: std::ops::Range<usize>,
                    columns: std::ops::Range<usize>| {
            block.assign(&dense.slice(ndarray::s![rows, columns]));
        };
        Gram::of_blocks(n_genes, depth, fill, &mut Silent).unwrap()
    });
    // Panels of 128 rows by all columns, 512 terms at a time.
    let bytes = 8.0 * (1.0 / 128.0 + 2.0 / 1000.0 + 2.0 / 512.0);
    let counted = Counted { element: "multiplication", flops: 2.0, bytes };
    let size = format!("{n_genes} × {depth}");
    vec![of_sparse, after, Line::new("`Gram::of_blocks`", &size, counted, Limit::Double, ns)]
}

/// `each` values in every row, spread evenly.
fn sparse(n_rows: usize, n_columns: usize, each: usize) -> Csr {
    let mut stream = Seed(0).stream("bench/roofline/sparse", 0);
    let step = n_columns / each;
    let place = |k: usize| (k % each * step + stream.random_range(0..step)) as u32;
    let indices: Vec<u32> = (0..n_rows * each).map(place).collect();
    let values = indices.iter().map(|index| 1.0 + (index % 5) as f32).collect();
    let indptr = (0..=n_rows).map(|i| i * each).collect();
    Csr::new(n_columns, indptr, indices, values).unwrap()
}

pub(crate) fn neighbourhoods() -> Vec<Line> {
    [50, 10].map(|dim| nearest(10_000, dim)).into()
}

/// Exact neighbours: every pair is scored by a product in single precision and compared.
fn nearest(n: usize, dim: usize) -> Line {
    let (points, k) = (values((n, dim), 6), 15);
    let ns = shared((n * n) as f64, || neighbours(points.view(), k, &mut Silent).unwrap());
    // A score is written and read again; coordinates of 1 024 columns are read for 128 rows.
    let flops = 2.0 * (dim + 1) as f64 + 1.0;
    let bytes = 8.0 + 4.0 * (dim + 1) as f64 / 128.0;
    let counted = Counted { element: "pair", flops, bytes };
    let size = format!("{n} × {dim}, k = {k}");
    Line::new("`neighbours`", &size, counted, Limit::Single, ns)
}
