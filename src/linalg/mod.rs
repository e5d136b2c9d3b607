//! NUMBERS, knowing nothing of cells.

mod adamw;
mod bessel;
mod cholesky;
mod csr;
mod eigen;
mod exp;
mod exp_sums;
mod gram;
mod lanczos;
mod lbfgs;
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
pub use bessel::scaled_bessel;
pub use cholesky::Cholesky;
pub use csr::Csr;
pub use eigen::{Eigenpairs, dense_eigenpairs};
pub use exp::{exp_in_place, log_sum_exp, softmax_rows};
pub use exp_sums::{LogSums, exp_block};
pub use gram::Gram;
pub use lanczos::{BLOCK, Lanczos};
pub use lbfgs::{Lbfgs, Smooth};
pub use mlp::{Mlp, Pass};
pub use mlp_precise::PreciseMlp;
pub use network_simplex::{TransportPlan, exact_plan};
pub use product::{add_product, cross_covariance, product, product_nt, product_tn};
pub use product_single::{product_nt_single, product_tn_single};
pub use stored::{add_weighted, add_weighted_rows};
pub use symmetric::Spectrum;
