//! NUMBERS: linear algebra, optimisation and neural networks without any notion of cells.
//!
//! This module is internal and hidden in the documentation. Users of the library need one type of it,
//! [`Csr`], which they import from the module `data`.

mod adamw;
mod anderson;
mod bessel;
mod cholesky;
mod clear;
mod csr;
mod eigen;
mod exp;
mod exp_sums;
mod gram;
mod lanczos;
mod lbfgs;
mod matmul;
mod mlp;
mod mlp_precise;
mod network_simplex;
mod product;
mod product_single;
mod selu;
mod spanning_tree;
mod stored;
mod symmetric;

pub use adamw::AdamW;
pub(crate) use anderson::Anderson;
pub(crate) use bessel::scaled_bessel;
pub use cholesky::Cholesky;
pub(crate) use clear::{at_most, clearly_less, first_least};
pub use csr::Csr;
pub use eigen::Eigenpairs;
pub(crate) use eigen::{dense_eigenpairs, fix_sign};
pub use exp::{exp_in_place, log_sum_exp, softmax_rows};
pub use exp_sums::{LogSums, exp_block};
pub use gram::Gram;
pub(crate) use lanczos::BLOCK;
pub use lanczos::Lanczos;
pub use lbfgs::{Lbfgs, Smooth};
pub use mlp::{Mlp, Pass};
pub(crate) use mlp_precise::PreciseMlp;
pub use network_simplex::{TransportPlan, exact_plan};
pub(crate) use product::cross_covariance;
pub use product::{add_product, product, product_nt, product_tn};
pub use product_single::product_nt_single;
pub(crate) use product_single::{product_columns_single, product_tn_single};
pub use stored::add_weighted;
pub(crate) use stored::add_weighted_rows;
pub use symmetric::Spectrum;
