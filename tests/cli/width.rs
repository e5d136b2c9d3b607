//! The width of texts and tables: at most 100 columns where there is no terminal.

use std::fs;

use crate::help::write_conditions;
use crate::sandbox::{Sandbox, root, sample};

#[test]
fn no_line_is_wider_than_100_columns_without_a_terminal() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    fs::copy(root().join("data-samples/semrau2017_groups.csv"), sandbox.path("groups.csv"))
        .unwrap();
    write_conditions(&sandbox.path("conditions.h5ad"));
    let some = "--timepoints time --obs-filter time<=12 --n-gaussians 2 --coupling-epsilon 1";
    let few = "--cells groups.csv --bootstrap 3";
    for line in [
        format!("fit data.h5ad {some} -v"),
        "evaluate data.h5ad --timepoints time --obs-filter time<=12 --n-gaussians 2 \
         --cells-per-time 60 -v"
            .into(),
        "grn --bootstrap 0 --permutations 0".into(),
        format!("fates {few}"),
        format!("transitions {few}"),
        "diagnose --permutations 1".into(),
        "inspect data.h5ad".into(),
        "velocity".into(),
        "fit conditions.h5ad --timepoints day --obs-filter day<=0.5 --n-gaussians 2 --coupling-epsilon 1 \
         --no-validation --condition-key treatment --out models"
            .into(),
        "compare --model models --cells groups.csv --permutations 9 --bootstrap 9 --test-cells 60".into(),
    ] {
        let answer = sandbox.done(&line);
        let wide = answer.stdout.lines().find(|line| 100 < line.chars().count());
        assert_eq!(wide, None, "`sbcell {line}`");
        assert!(answer.stdout.lines().count() > 1, "`sbcell {line}`");
    }
}
