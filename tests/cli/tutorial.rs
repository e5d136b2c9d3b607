//! The tutorial: every command of it runs, in order, in one folder.

use std::fs;

use crate::sandbox::{Sandbox, root, sample};

#[test]
fn every_command_of_the_tutorial_runs() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("data-samples")).unwrap();
    for name in ["semrau2017_mesc_ra", "chu2016_hesc_de", "kouno2013_thp1"] {
        let to = sandbox.path(&format!("data-samples/{name}.h5ad"));
        fs::copy(sample(name), to).unwrap();
    }
    let groups = "data-samples/semrau2017_groups.csv";
    fs::copy(root().join(groups), sandbox.path(groups)).unwrap();
    let text = fs::read_to_string(root().join("docs/TUTORIAL.md")).unwrap();
    let mut inside = false;
    let mut n_run = 0;
    for line in text.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            _ if inside => {
                let command = line.strip_prefix("sbcell ").unwrap_or_else(|| panic!("{line}"));
                sandbox.done(command);
                n_run += 1;
            }
            _ => {}
        }
    }
    assert!(n_run >= 10, "only {n_run} commands were found");
}
