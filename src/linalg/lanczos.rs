//! Block Lanczos: the largest eigenpairs of a symmetric operator given by its products.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut1, s};
use rand::RngExt;

use crate::error::{Error, Result};
use crate::linalg::{Eigenpairs, add_product, dense_eigenpairs, product, product_nt};
use crate::rng::Seed;

/// Number of vectors to which the operator is applied at a time.
pub(crate) const BLOCK: usize = 8;

/// Block Lanczos with full reorthogonalisation and thick restarts.
///
/// The iteration stops when every wanted pair satisfies `‖A v − θ v‖ ≤ tolerance · θ`, or `10⁻¹³` of
/// the largest θ, which is the level of rounding. A true eigenvalue then lies within this distance
/// of θ; in practice the error is far smaller. Memory `8 n (3 n_pairs + 48)` bytes.
///
/// Source: Golub and Underwood 1977 (blocks), Wu and Simon 2000 (thick restart).
#[derive(Debug, Clone, PartialEq)]
pub struct Lanczos {
    /// Number of wanted eigenpairs.
    pub n_pairs: usize,
    /// Largest residual of a wanted pair, relative to its eigenvalue.
    pub tolerance: f64,
    /// Largest number of blocks, that is, of applications of the operator.
    pub max_blocks: usize,
}

impl Default for Lanczos {
    fn default() -> Self {
        Self { n_pairs: 50, tolerance: 1e-8, max_blocks: 2000 }
    }
}

impl Lanczos {
    /// Largest number of vectors in the basis.
    fn capacity(&self) -> usize {
        3 * self.n_pairs + 4 * BLOCK
    }

    /// Whether an `(n, n)` operator is large enough for the basis and one more block.
    pub(crate) fn fits(&self, n: usize) -> bool {
        self.capacity() + BLOCK <= n
    }

    /// The largest eigenpairs of a positive semidefinite `(n, n)` operator.
    ///
    /// `apply` multiplies a row-major `(n, 8)` matrix by the operator. `seed` sets the random first
    /// block. Beside the products each block takes `64 n · size` flops for a basis of `size`
    /// vectors.
    ///
    /// # Errors
    /// [`Error::Numerical`] with the last residual if the iteration does not converge;
    /// [`Error::Parameter`] if `n` is too small (see [`Lanczos::fits`]); every error of `apply`.
    pub fn solve(
        &self,
        n: usize,
        seed: Seed,
        apply: &mut dyn FnMut(ArrayView2<'_, f64>) -> Result<Array2<f64>>,
    ) -> Result<Eigenpairs> {
        if !self.fits(n) || self.n_pairs == 0 {
            let must = "at least 1, with 3 n_pairs + 40 at most the size of the matrix";
            return Err(Error::Parameter { name: "n_pairs", must, got: self.n_pairs.to_string() });
        }
        let mut krylov = Krylov::new(self.capacity(), n, seed);
        let mut worst = f64::INFINITY;
        let mut before = None;
        for step in 1..=self.max_blocks {
            krylov.extend(apply)?;
            let full = krylov.filled + BLOCK > self.capacity();
            if full || (krylov.filled >= self.n_pairs + BLOCK && step % 4 == 0) {
                let ritz = krylov.ritz()?;
                worst = (0..self.n_pairs).map(|i| krylov.residual(&ritz, i)).fold(0.0, f64::max);
                if worst <= self.tolerance {
                    // Random vectors replace those of an exhausted space, and they can reveal more
                    // copies of an eigenvalue. In this case the values must agree twice.
                    let found = ritz.values.slice(s![..self.n_pairs]).to_owned();
                    let steady = |before: &Array1<f64>| {
                        before.iter().zip(&found).all(|(a, b)| (a - b).abs() <= 1e-9 * found[0])
                    };
                    if krylov.n_random == BLOCK as u64 || before.as_ref().is_some_and(steady) {
                        return Ok(krylov.pairs(&ritz, self.n_pairs));
                    }
                    before = Some(found);
                }
                if full {
                    krylov.restart(&ritz, self.n_pairs + (self.capacity() - self.n_pairs) / 2);
                }
            }
        }
        let blocks = self.max_blocks;
        let why = format!("relative residual {worst:.1e} after {blocks} blocks");
        Err(Error::Numerical { what: "block Lanczos", why })
    }
}

/// The Krylov decomposition `A Vᵀ = Vᵀ H + Qᵀ [0 R]`, where `[0 R]` acts on the last block of `V`.
struct Krylov {
    /// The orthonormal basis `V`, one vector per row.
    basis: Array2<f64>,
    /// Number of vectors in the basis.
    filled: usize,
    /// The projected operator `H = V A Vᵀ`.
    projected: Array2<f64>,
    /// The next block `Q`, orthonormal rows.
    next: Array2<f64>,
    /// The factor `R` of the next block.
    coupling: Array2<f64>,
    seed: Seed,
    /// Number of random vectors so far.
    n_random: u64,
}

impl Krylov {
    /// An empty basis and a random first block.
    fn new(capacity: usize, n: usize, seed: Seed) -> Self {
        let mut krylov = Self {
            basis: Array2::zeros((capacity, n)),
            filled: 0,
            projected: Array2::zeros((capacity, capacity)),
            next: Array2::zeros((BLOCK, n)),
            coupling: Array2::zeros((BLOCK, BLOCK)),
            seed,
            n_random: 0,
        };
        krylov.orthonormalize_next();
        krylov
    }

    /// Appends the next block to the basis and computes the block after it.
    ///
    /// The image of the block is made orthogonal to the whole basis; the coefficients are new rows
    /// and columns of the projected operator.
    fn extend(
        &mut self,
        apply: &mut dyn FnMut(ArrayView2<'_, f64>) -> Result<Array2<f64>>,
    ) -> Result<()> {
        let (start, end) = (self.filled, self.filled + BLOCK);
        self.basis.slice_mut(s![start..end, ..]).assign(&self.next);
        self.filled = end;
        let image = apply(self.next.t().as_standard_layout().view())?;
        self.next = image.t().as_standard_layout().into_owned();
        let basis = self.basis.slice(s![..end, ..]);
        let mut coefficients = Array2::zeros((BLOCK, end));
        // The second pass removes the rounding errors of the first; a third is not needed.
        for _ in 0..2 {
            let part = product_nt(self.next.view(), basis);
            add_product(self.next.view_mut(), -1.0, part.view(), basis);
            coefficients += &part;
        }
        self.projected.slice_mut(s![start..end, ..end]).assign(&coefficients);
        self.projected.slice_mut(s![..end, start..end]).assign(&coefficients.t());
        self.orthonormalize_next();
        Ok(())
    }

    /// Factors `next = R Q` with orthonormal rows of `Q`, by Gram–Schmidt with a second pass.
    ///
    /// A row vanishes if the space so far is invariant; a random vector then replaces it.
    fn orthonormalize_next(&mut self) {
        let scale = self.projected.diag().iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        self.coupling.fill(0.0);
        for i in 0..BLOCK {
            let (done, mut rest) = self.next.view_mut().split_at(ndarray::Axis(0), i);
            let mut row = rest.row_mut(0);
            let before = self.coupling.slice_mut(s![i, ..i]);
            remove_parts(&mut row, done.view(), before);
            let norm = row.dot(&row).sqrt();
            if norm > 1e-14 * scale && norm > 0.0 {
                row /= norm;
                self.coupling[[i, i]] = norm;
            } else {
                let mut stream = self.seed.stream("lanczos", self.n_random);
                self.n_random += 1;
                row.mapv_inplace(|_| stream.random::<f64>() - 0.5);
            }
            if norm <= 1e-6 * scale {
                // Rounding errors are large relative to a small remainder, so it is made orthogonal
                // to all vectors again.
                let basis = self.basis.slice(s![..self.filled, ..]);
                for _ in 0..2 {
                    for other in basis.rows().into_iter().chain(done.rows()) {
                        let part = other.dot(&row);
                        row.scaled_add(-part, &other);
                    }
                    let norm = row.dot(&row).sqrt();
                    row /= norm;
                }
            }
        }
    }

    /// All eigenpairs of the projected operator.
    fn ritz(&self) -> Result<Eigenpairs> {
        let entry = |i, j| self.projected[[i, j]];
        dense_eigenpairs(self.filled, self.filled, entry)
    }

    /// The relative residual `‖A v − θ v‖ / θ` of Ritz pair `i`, from the coupling alone.
    ///
    /// Zero if the residual is at most 1e-13 of the largest Ritz value.
    fn residual(&self, ritz: &Eigenpairs, i: usize) -> f64 {
        let last: ArrayView1<'_, f64> = ritz.vectors.slice(s![i, self.filled - BLOCK..]);
        let rest = last.dot(&self.coupling);
        let norm = rest.dot(&rest).sqrt();
        if norm <= 1e-13 * ritz.values[0] { 0.0 } else { norm / ritz.values[i].max(0.0) }
    }

    /// The first `k` Ritz pairs, with vectors of the full space.
    fn pairs(&self, ritz: &Eigenpairs, k: usize) -> Eigenpairs {
        let basis = self.basis.slice(s![..self.filled, ..]);
        let vectors = product(ritz.vectors.slice(s![..k, ..]), basis);
        Eigenpairs { values: ritz.values.slice(s![..k]).to_owned(), vectors }
    }

    /// Replaces the basis by the `k` largest Ritz vectors (thick restart).
    fn restart(&mut self, ritz: &Eigenpairs, k: usize) {
        let kept = self.pairs(ritz, k);
        self.basis.slice_mut(s![..k, ..]).assign(&kept.vectors);
        self.projected.fill(0.0);
        self.projected.diag_mut().slice_mut(s![..k]).assign(&kept.values);
        self.filled = k;
    }
}

/// Subtracts from `row` its components along orthonormal `others` in two passes.
///
/// The function adds the components to `parts`.
fn remove_parts(
    row: &mut ArrayViewMut1<'_, f64>,
    others: ArrayView2<'_, f64>,
    mut parts: ArrayViewMut1<'_, f64>,
) {
    for _ in 0..2 {
        for (other, total) in others.rows().into_iter().zip(parts.iter_mut()) {
            let part = other.dot(row);
            row.scaled_add(-part, &other);
            *total += part;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A diagonal operator hidden by a reflection `1 − 2 u uᵀ`.
    fn reflect(v: ArrayView2<'_, f64>, values: &[f64]) -> Array2<f64> {
        let n = values.len();
        let u = ndarray::Array1::from_elem(n, 1.0 / (n as f64).sqrt());
        let mirror = |mut v: Array2<f64>| {
            let parts = u.dot(&v);
            for (i, mut row) in v.rows_mut().into_iter().enumerate() {
                row.scaled_add(-2.0 * u[i], &parts);
            }
            v
        };
        let mut inner = mirror(v.to_owned());
        inner.rows_mut().into_iter().zip(values).for_each(|(mut row, value)| row *= *value);
        mirror(inner)
    }

    fn check(values: &[f64], n_pairs: usize) {
        let mut sorted = values.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let lanczos = Lanczos { n_pairs, ..Default::default() };
        let mut apply = |v: ArrayView2<'_, f64>| Ok(reflect(v, values));
        let pairs = lanczos.solve(values.len(), Seed(3), &mut apply).unwrap();
        for (found, expected) in pairs.values.iter().zip(&sorted) {
            assert!((found - expected).abs() <= 1e-9 * sorted[0], "{found} {expected}");
        }
        let gram = pairs.vectors.dot(&pairs.vectors.t());
        assert!(gram.indexed_iter().all(|((i, j), x)| (x - f64::from(i == j)).abs() < 1e-10));
        let columns = pairs.vectors.t().to_owned();
        let residual = reflect(columns.view(), values) - &columns * &pairs.values;
        assert!(residual.iter().all(|x| x.abs() <= 1e-7 * sorted[0]));
    }

    #[test]
    fn finds_the_largest_of_a_slowly_falling_spectrum() {
        check(&(1..=600).map(|k| 1.0 / f64::from(k).sqrt()).collect::<Vec<_>>(), 20);
        check(&(1..=900).map(|k| f64::from(k) + 1000.0).collect::<Vec<_>>(), 10);
    }

    #[test]
    fn finds_repeated_eigenvalues_and_survives_low_rank() {
        let mut values = vec![1.0; 300];
        values[..20].fill(5.0);
        check(&values, 22);
        let mut low = vec![0.0; 300];
        low[..4].copy_from_slice(&[4.0, 3.0, 3.0, 1.0]);
        check(&low, 10);
        let mut half = vec![0.0; 200];
        (0..59_u8).for_each(|k| half[k as usize] = 40.0 - 0.5 * f64::from(k));
        check(&half, 30);
    }

    #[test]
    fn the_residual_is_that_of_the_pair() {
        let values: Vec<f64> = (1..=300).map(|k| 1.0 / f64::from(k)).collect();
        let mut krylov = Krylov::new(56, 300, Seed(5));
        let mut apply = |v: ArrayView2<'_, f64>| Ok(reflect(v, &values));
        for step in 0..10 {
            krylov.extend(&mut apply).unwrap();
            let ritz = krylov.ritz().unwrap();
            let pairs = krylov.pairs(&ritz, 6);
            let columns = pairs.vectors.t().to_owned();
            let rest = reflect(columns.view(), &values) - &columns * &pairs.values;
            for i in 0..6 {
                let expected = rest.column(i).dot(&rest.column(i)).sqrt() / pairs.values[i];
                let got = krylov.residual(&ritz, i);
                assert!(
                    (got - expected).abs() < 1e-9 * (1.0 + expected),
                    "{step} {got} {expected}"
                );
            }
            if krylov.filled + BLOCK > 56 {
                krylov.restart(&ritz, 24);
            }
        }
    }

    #[test]
    fn says_when_it_does_not_converge_or_cannot_start() {
        let values: Vec<f64> = (1..=900).map(|k| f64::from(k) + 1e5).collect();
        let mut apply = |v: ArrayView2<'_, f64>| Ok(reflect(v, &values));
        let lanczos = Lanczos { n_pairs: 10, tolerance: 1e-12, max_blocks: 8 };
        assert!(matches!(lanczos.solve(900, Seed(0), &mut apply), Err(Error::Numerical { .. })));
        assert!(Lanczos::default().solve(100, Seed(0), &mut apply).is_err());
    }
}
