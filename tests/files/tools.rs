//! The binary, and the Python in which other tools are installed.

use std::path::Path;
use std::process::Command;

/// `$SBCELL_PYTHON`, else `python3`.
fn python() -> String {
    std::env::var_os("SBCELL_PYTHON")
        .map_or_else(|| "python3".into(), |path| path.to_string_lossy().into_owned())
}

pub(crate) fn sbcell(folder: &Path, line: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_sbcell"))
        .args(line.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a script that stands beside this file on `folder`, where there is Python.
pub(crate) fn check(script: &str, folder: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(script);
    let Ok(output) = Command::new(python()).arg(script).arg(folder).output() else {
        println!("skipped: no {} here", python());
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
