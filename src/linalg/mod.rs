//! NUMBERS, knowing nothing of cells.

mod csr;
mod exp;
mod lbfgs;
mod product;

pub use csr::Csr;
pub use exp::{exp_in_place, log_sum_exp, softmax_rows};
pub use lbfgs::{Lbfgs, Smooth};
pub use product::{add_product, product, product_nt, product_tn};
