//! Bridges, perturbations and what is said of fits that did not converge.
