//! Ctrl-C: nothing half-written, and what was found can be taken up.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::sandbox::{Sandbox, sample};

/// How long the first interval may take before the test gives up (it takes about a second).
const PATIENCE: Duration = Duration::from_secs(240);

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_whole_intervals_and_resume_takes_them_up() {
    let sandbox = Sandbox::with(&sample("moon2019_embryoid_5pcs"));
    // A tolerance that is never met, so that later intervals take long.
    let line = "fit data.h5ad --timepoints --use-rep X_pca --n-gaussians 60 --tolerance 1e-12 \
                --max-iterations";
    let mut child = Command::new(env!("CARGO_BIN_EXE_sbcell"))
        .args(line.split_whitespace())
        .arg("2000")
        .current_dir(sandbox.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let first = sandbox.path("sbcell-out.partial/bridges/0_1.json");
    let begun = Instant::now();
    while !first.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be stopped");
        assert!(begun.elapsed() < PATIENCE, "no interval was found in time");
        std::thread::sleep(Duration::from_millis(5));
    }
    // The shell's own `kill`: the program of that name is not everywhere.
    Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("--resume") && said.contains("error: interrupted"), "{said}");
    assert!(!sandbox.path("sbcell-out").exists());
    for (name, bytes) in sandbox.files("sbcell-out.partial") {
        assert!(!name.contains(".tmp-"), "{name}");
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap();
    }
    let other = sandbox.run(&format!("{line} 3 --resume"));
    assert_eq!(other.code, 2, "{}", other.stderr);
    assert!(other.stderr.contains("other data or parameters"));
}
