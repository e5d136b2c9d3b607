//! The programs in `examples` run, and their assertions hold.

#[path = "../../examples/custom_solver.rs"]
mod custom_solver;
#[path = "../../examples/edges.rs"]
mod edges;
#[path = "../../examples/fates.rs"]
mod fates;
#[path = "../../examples/fit_arrays.rs"]
mod fit_arrays;
#[path = "../../examples/interpolate.rs"]
mod interpolate;

#[test]
fn arrays_are_fitted() {
    fit_arrays::main().unwrap();
}

#[test]
fn a_solver_of_yours_is_compared_with_a_bridge() {
    custom_solver::main().unwrap();
}

#[test]
fn a_file_is_fitted_and_interpolated() {
    interpolate::main().unwrap();
}

#[test]
fn cells_are_followed_to_their_fates() {
    fates::main().unwrap();
}

#[test]
fn edges_are_searched() {
    edges::main().unwrap();
}
