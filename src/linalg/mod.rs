//! NUMBERS, knowing nothing of cells.

mod csr;
mod product;

pub use csr::Csr;
pub use product::{add_product, product, product_nt, product_tn};
