//! `--progress`: lines for log files, and nothing where nothing was asked for.

use crate::sandbox::{Sandbox, sample};

/// A fit that takes about a second.
const FIT: &str = "fit data.h5ad --timepoints time --obs-filter time<=12 --n-gaussians 3 \
                   --no-validation --coupling-epsilon 1";

#[test]
fn plain_progress_has_one_line_for_each_step_on_stderr() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let lines = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("sbcell: ")).map(String::from).collect()
    };
    let plain = sandbox.done(&format!("{FIT} --progress plain"));
    let told = lines(&plain.stderr);
    assert!(told.contains(&"sbcell: reading X".to_string()), "{}", plain.stderr);
    assert!(told.contains(&"sbcell: principal components".to_string()), "{}", plain.stderr);
    assert!(told.iter().any(|line| line.contains("0 → 6 (1 of 2): fitting the mixture")));
    for how in ["", "--progress none", "--progress plain --quiet"] {
        let other = sandbox.done(&format!("{FIT} {how}"));
        assert_eq!(lines(&other.stderr), Vec::<String>::new(), "{how}");
        if !how.contains("quiet") {
            assert_eq!(other.stdout, plain.stdout, "{how}");
        }
    }
    let wrong = sandbox.run(&format!("{FIT} --progress loud"));
    assert_eq!(wrong.code, 2);
}
