//! The order of help: sections, the flags that the short help shows, and the groups of commands.

/// Sections of flags, in the order of every page. Others stand before the last two.
pub(super) const SECTIONS: [&str; 23] = [
    "Input",
    "Output",
    "Options",
    "Results outside of FOLDER",
    "Time",
    "Groups of cells",
    "Genes and cells",
    "Coordinates",
    "Noise",
    "Reference",
    "Clock",
    "Growth",
    "Solver",
    "Conditions",
    "Run",
    "Scores",
    "Couplings",
    "Clones",
    "Paths",
    "Estimate",
    "Edges",
    "Figure",
    "Bootstrap",
];

/// Flags whose section does not depend on the command.
pub(super) const PLACED: [(&str, &str); 12] = [
    ("model", "Input"),
    ("data", "Input"),
    ("out", "Output"),
    ("in_place", "Output"),
    ("format", "Output"),
    ("space", "Output"),
    ("plot", "Output"),
    ("plot_gene", "Output"),
    ("plot_network", "Output"),
    ("plot_heatmap", "Output"),
    ("paths_out", "Output"),
    ("groupby", "Groups of cells"),
];

/// The flags of each command that `-h` shows, most used first.
pub(super) const COMMON: [(&str, &[&str]); 30] = [
    ("verify", &["rerun"]),
    ("completions", &[]),
    ("man", &[]),
    ("doctor", &[]),
    ("inspect", &[]),
    (
        "fit",
        &["timepoints", "out", "layer", "use_rep", "solver", "growth", "no_validation", "dry_run"],
    ),
    ("run", &["timepoints", "groupby", "cells", "skip", "set", "config", "out"]),
    ("evaluate", &["timepoints", "out", "solver", "compare", "at", "max_cells", "clones"]),
    ("interpolate", &["at", "n_cells", "space", "format", "model", "out"]),
    ("sample", &["at", "n_cells", "given", "null", "space", "format", "model", "out"]),
    ("trajectory", &["groupby", "cells", "at", "paths", "paths_out", "model", "out"]),
    ("fates", &["groupby", "cells", "at", "terminal", "batch_key", "model", "out"]),
    ("transitions", &["groupby", "cells", "pairs", "batch_key", "model", "out"]),
    ("trends", &["groupby", "cells", "genes", "plot", "plot_gene", "model", "out"]),
    ("drivers", &["groupby", "cells", "at", "times", "genes", "model", "out"]),
    ("compare", &["reference", "conditions", "groupby", "edges", "plot", "model", "out"]),
    ("couplings", &["format", "least", "density", "model", "out"]),
    ("perturb", &["knockout", "set", "at", "until", "groupby", "model", "out"]),
    ("diagnose", &["groupby", "permutations", "model", "out"]),
    ("velocity", &["at", "space", "genes", "model", "out"]),
    ("plot", &["input", "groupby", "colour_by", "basis", "gene", "model", "out"]),
    ("annotate", &["in_place", "fates", "velocity", "key", "model", "out"]),
    ("strip", &["in_place", "key", "out"]),
    ("grn", &["tfs", "groupby", "by", "top", "plot", "plot_network", "model", "out"]),
    ("grn-score", &["truth", "candidates", "genes", "out"]),
    ("report", &["groupby", "fates", "transitions", "edges", "basis", "out"]),
    ("export", &["format", "out"]),
    ("plan", &["out", "no_trial"]),
    ("step", &["unit"]),
    ("merge", &[]),
];

/// Texts of `-h` for flags whose first sentence says too little: command, flag, text.
pub(super) const SHORTER: [(&str, &str, &str); 4] = [
    ("fit", "dry_run", "Print times, sizes and estimates of memory and time; do not fit"),
    ("fates", "at", "Time whose groups are the terminal states [default: the last time]"),
    ("fates", "terminal", "A further terminal state; `auto` finds all of them without labels"),
    ("evaluate", "at", "Times to hold out in turn [default: all inner times]"),
];

/// The commands by what a person wants.
pub(super) const WANTED: [(&str, &[&str]); 7] = [
    ("Start", &["run", "inspect", "fit"]),
    ("Predict", &["interpolate", "sample", "perturb"]),
    (
        "Explain",
        &["fates", "transitions", "trajectory", "trends", "drivers", "compare", "grn", "velocity"],
    ),
    ("Draw and export", &["report", "plot", "export", "annotate", "strip", "couplings"]),
    ("Check", &["evaluate", "diagnose", "grn-score"]),
    ("Divide among machines", &["plan", "step", "merge"]),
    ("sbcell itself", &["verify", "doctor", "completions", "man"]),
];
