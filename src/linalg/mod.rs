//! NUMBERS, knowing nothing of cells.

mod csr;
mod network_simplex;
mod product;
mod spanning_tree;

pub use csr::Csr;
pub use network_simplex::{TransportPlan, exact_plan};
pub use product::{add_product, product, product_nt, product_tn};
