//! Parts that several commands share: the fitted file, the cells of a model, gene names, outputs.

pub(super) mod asked_genes;
pub(super) mod cell_sets;
pub(super) mod chosen_genes;
pub(super) mod clone_couplings;
pub(super) mod clone_keys;
pub(super) mod coordinates;
pub(super) mod counted;
pub(super) mod coupling_epsilon;
pub(super) mod course_of_cells;
pub(super) mod embedding;
pub(super) mod example_model;
pub(super) mod expression;
pub(super) mod fitted_file;
pub(super) mod genes_left_out;
pub(super) mod growth_rates;
pub(super) mod halves;
pub(super) mod notes;
pub(super) mod placed;
pub(super) mod population;
pub(super) mod population_file;
pub(super) mod process;
pub(super) mod recorded;
pub(super) mod recorder;
pub(super) mod score_files;
pub(super) mod states;
pub(super) mod unique_names;
