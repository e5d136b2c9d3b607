//! Commands about sbcell itself: completions, manual pages, the version, the machine, and its vector instructions.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::sandbox::{Sandbox, sample};

/// The words that bash offers for the last of `words`, with the script of `sbcell completions bash`.
///
/// `None` if there is no bash.
fn offered(script: &str, words: &[&str]) -> Option<Vec<String>> {
    let ask = format!(
        "{script}\nCOMP_WORDS=({})\nCOMP_CWORD={}\nCOMPREPLY=()\n\
         _sbcell sbcell \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        words.join(" "),
        words.len() - 1
    );
    let output = Command::new("bash").args(["--norc", "-c", &ask]).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(str::to_string).collect())
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let script = Sandbox::new().done("completions bash").stdout;
    let Some(commands) = offered(&script, &["sbcell", "fi"]) else { return };
    assert_eq!(commands, ["fit"]);
    assert_eq!(offered(&script, &["sbcell", "fit", "--sol"]).unwrap(), ["--solver"]);
    let all = offered(&script, &["sbcell", "grn", "--"]).unwrap();
    for flag in ["--tfs", "--model", "--seed", "--json"] {
        assert!(all.iter().any(|offered| offered == flag), "{flag}: {all:?}");
    }
    let shells = offered(&script, &["sbcell", "completions", "z"]).unwrap();
    assert_eq!(shells, ["zsh"]);
}

#[test]
fn the_scripts_of_all_shells_are_sound_as_far_as_these_shells_are_there() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let answer = sandbox.done(&format!("completions {shell} --quiet"));
        assert_eq!(answer.stderr, "");
        for command in ["fit", "grn-score", "doctor"] {
            assert!(answer.stdout.contains(command), "{shell} {command}");
        }
        assert!(!answer.stdout.contains('\u{1b}'));
        let path = sandbox.path(shell);
        fs::write(&path, &answer.stdout).unwrap();
        // bash, zsh and fish only read the script with -n.
        if ["bash", "zsh", "fish"].contains(&shell)
            && let Ok(output) = Command::new(shell).arg("-n").arg(&path).output()
        {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && said.is_empty(), "{shell}: {said}");
        }
    }
    let read: Value =
        serde_json::from_str(&sandbox.done("completions bash --json").stdout).unwrap();
    assert_eq!(read["summary"]["shell"], "bash");
    assert!(read["summary"]["script"].as_str().unwrap().contains("_sbcell()"));
    assert_eq!(sandbox.run("completions tcsh").code, 2);
}

/// The commands of the help, with their names in the groups of `sbcell -h`.
fn commands(sandbox: &Sandbox) -> Vec<String> {
    let help = sandbox.done("-h").stdout;
    let listed = help.lines().skip_while(|line| *line != "Start:").filter_map(|line| {
        let name = line.strip_prefix("  ")?.split(' ').next()?;
        name.starts_with(|c: char| c.is_ascii_lowercase()).then(|| name.to_string())
    });
    listed.collect()
}

#[test]
fn every_command_has_a_manual_page_without_traces_of_clap() {
    let sandbox = Sandbox::new();
    let read: Value = serde_json::from_str(&sandbox.done("man a/pages --json").stdout).unwrap();
    let names: Vec<String> = sandbox.files("a/pages").into_iter().map(|file| file.0).collect();
    let commands = commands(&sandbox);
    assert!(25 < commands.len());
    assert_eq!(read["summary"]["n_pages"], commands.len() + 1);
    assert_eq!(names.len(), commands.len() + 1, "{names:?}");
    for command in &commands {
        let page = sandbox.text(&format!("a/pages/sbcell-{command}.1"));
        assert!(page.contains(".TH \"sbcell-"), "{command}");
        for part in
            [".SH NAME", ".SH SYNOPSIS", ".SH EXAMPLES", "FLAGS OF EVERY COMMAND", "SEE ALSO"]
        {
            assert!(page.contains(part), "{command}: {part}");
        }
        let mut headings: Vec<&str> =
            page.lines().filter(|line| line.starts_with(".SH ")).collect();
        let n_headings = headings.len();
        headings.sort_unstable();
        headings.dedup();
        assert_eq!(headings.len(), n_headings, "{command} has a heading twice: {headings:?}");
        assert!(page.starts_with(".ie") && page.matches(".ie ").count() == 1, "{command}");
        for trace in
            ["\u{1b}", "[OPTIONS]", "{usage", "{all-args}", "{about", "{before", "[aliases", "\n\n"]
        {
            assert!(!page.contains(trace), "{command}: {trace:?}");
        }
    }
    let (_, arguments) = sandbox
        .text("a/pages/sbcell-inspect.1")
        .split_once(".SH ARGUMENTS\n")
        .map(|(before, after)| (before.to_string(), after.to_string()))
        .unwrap();
    assert!(arguments.split(".SH ").next().unwrap().contains("DATA.h5ad"), "{arguments}");
    let first = sandbox.text("a/pages/sbcell.1");
    assert!(
        first.contains("sbcell\\-fit(1)")
            && first.contains("--seed") | first.contains("\\-\\-seed")
    );
    lint(&sandbox);
}

/// The pages have no error of roff, where `mandoc` or `groff` is installed.
fn lint(sandbox: &Sandbox) {
    for (name, _) in sandbox.files("a/pages") {
        let path = sandbox.path("a/pages").join(&name);
        if let Ok(output) =
            Command::new("mandoc").args(["-T", "lint", "-W", "warning"]).arg(&path).output()
        {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            // Pages have no date, so that the same version gives the same bytes.
            let told = said.lines().filter(|line| !line.contains("missing date"));
            assert_eq!(told.count(), 0, "{name}: {said}");
        }
        if let Ok(output) = Command::new("groff")
            .args(["-K", "utf8", "-man", "-Tutf8", "-ww", "-z"])
            .arg(&path)
            .output()
        {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && said.is_empty(), "{name}: {said}");
        }
    }
}

#[test]
fn manual_pages_leave_other_files_as_they_are() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("pages")).unwrap();
    for name in ["sbcell-git.1", "precious"] {
        fs::write(sandbox.path(&format!("pages/{name}")), name).unwrap();
    }
    fs::write(sandbox.path("pages/sbcell-fit.1"), "an older version").unwrap();
    sandbox.done("man pages");
    assert_eq!(sandbox.text("pages/precious"), "precious");
    assert_eq!(sandbox.text("pages/sbcell-git.1"), "sbcell-git.1");
    assert!(sandbox.text("pages/sbcell-fit.1").contains(".TH"));
    let before = sandbox.files("pages");
    sandbox.done("man pages");
    assert!(sandbox.files("pages") == before);
    fs::write(sandbox.path("file"), "").unwrap();
    let refused = sandbox.run("man file/pages");
    assert_ne!(refused.code, 0);
    assert_eq!(fs::read_dir(sandbox.path(".")).unwrap().count(), 2);
}

#[test]
fn the_version_as_json_tells_the_build_the_processor_and_the_formats() {
    let sandbox = Sandbox::new();
    for line in ["--version --json", "--json --version", "-V --json"] {
        let answer = sandbox.done(line);
        let read: Value = serde_json::from_str(&answer.stdout).unwrap();
        assert_eq!(read["command"], "version");
        assert_eq!(read["version"], env!("CARGO_PKG_VERSION"));
        assert!(read["target"].as_str().unwrap().starts_with(std::env::consts::ARCH));
        assert_eq!(read["profile"], if cfg!(debug_assertions) { "debug" } else { "release" });
        assert_eq!(read["model_format"], 1);
        assert!(read["cpu"]["available"].as_array().unwrap().contains(&"plain".into()));
        assert_eq!(answer.stderr, "");
    }
}

#[test]
fn a_wrong_flag_beside_the_version_is_an_error_with_the_nearest_one() {
    let sandbox = Sandbox::new();
    for line in ["--version --jsonn", "--jsonn --version", "-V --jsonn"] {
        let answer = sandbox.run(line);
        assert_eq!((answer.code, answer.stdout.as_str()), (2, ""), "{line}");
        assert!(answer.stderr.contains("--jsonn") && answer.stderr.contains("'--json'"));
    }
    let line = sandbox.done("--version --quiet").stdout;
    assert_eq!(line, format!("sbcell {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_doctor_finds_nothing_here_and_says_what_it_compared() {
    let sandbox = Sandbox::new();
    let answer = sandbox.done("doctor");
    for part in ["version", "processor", "memory", "temporary folder", "self-test", "no problem"] {
        assert!(answer.stdout.contains(part), "{part}\n{}", answer.stdout);
    }
    let read: Value = serde_json::from_str(&sandbox.done("doctor --json").stdout).unwrap();
    assert_eq!(read["summary"]["n_problems"], 0);
    assert!(0 < read["threads"]["used"].as_u64().unwrap());
    let tests = read["findings"].as_array().unwrap().iter();
    let tests: Vec<&Value> = tests.filter(|finding| finding["check"] == "self-test").collect();
    assert_eq!(tests.len(), 2);
    for test in tests {
        assert!(test["found"].as_str().unwrap().contains("within 1e-"), "{test}");
    }
    assert_eq!(fs::read_dir(sandbox.path(".")).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn a_temporary_folder_that_is_missing_is_a_problem_with_a_way_out() {
    let sandbox = Sandbox::new();
    let answer = sandbox.run_with(&[("TMPDIR", "/nowhere")], "doctor");
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    assert!(answer.stdout.contains("PROBLEM") && answer.stdout.contains("set TMPDIR"));
    let answer = sandbox.run_with(&[("TMPDIR", "/nowhere")], "doctor --json");
    let read: Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!((answer.code, &read["summary"]["n_problems"]), (1, &1.into()));
}

/// The loops fuse no operations and keep their order, so that they give the same bits with any instructions.
#[test]
fn every_path_of_the_processor_gives_the_same_fit() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let version: Value = serde_json::from_str(&sandbox.done("--version --json").stdout).unwrap();
    let paths = version["cpu"]["available"].as_array().unwrap();
    let solvers = ["lightsb --n-gaussians 1", "sinkhorn"];
    for (number, solver) in solvers.iter().enumerate() {
        let mut first: Option<Vec<(String, Vec<u8>)>> = None;
        for path in paths {
            let path = path.as_str().unwrap();
            let out = format!("{path}{number}");
            let line = format!(
                "fit data.h5ad --timepoints time --obs-filter time<=6 --n-pcs 2 --coupling-epsilon 1 --no-validation --solver {solver} --out {out}"
            );
            let answer = sandbox.run_with(&[("SBCELL_CPU", path)], &line);
            assert!([0, 4].contains(&answer.code), "{path}: {}", answer.stderr);
            let mut files = sandbox.files(&out);
            files.retain(|file| file.0 != "run.json");
            match &first {
                Some(plain) => assert!(*plain == files, "{solver}: {path} differs"),
                None => first = Some(files),
            }
        }
    }
    let refused = sandbox.run_with(&[("SBCELL_CPU", "mmx")], "inspect data.h5ad");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("SBCELL_CPU") && refused.stderr.contains("plain"));
    let doctor = sandbox.run_with(&[("SBCELL_CPU", "plain")], "doctor");
    assert_eq!(doctor.code, 0, "{}", doctor.stderr);
    assert_eq!(doctor.stdout.contains("restricted by SBCELL_CPU"), 1 < paths.len());
}

#[test]
fn what_standard_output_does_not_take_is_an_error() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    for arguments in [["completions", "bash"].as_slice(), &["doctor"], &["--version", "--json"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = std::process::Command::new(env!("CARGO_BIN_EXE_sbcell"))
            .args(arguments)
            .stdout(full)
            .output()
            .unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("standard output"), "{said}");
    }
}
