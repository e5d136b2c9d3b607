//! NUMBERS, knowing nothing of cells.

mod csr;
mod eigen;
mod gram;
mod lanczos;
mod product;

pub use csr::Csr;
pub use eigen::{Eigenpairs, dense_eigenpairs};
pub use gram::Gram;
pub use lanczos::{BLOCK, Lanczos};
pub use product::{add_product, product, product_nt, product_tn};
