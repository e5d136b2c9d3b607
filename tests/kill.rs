//! Runs killed at every step that changes a file: the next run works, and nothing is lost or mixed.
//!
//! Where `strace` is installed a run dies just before its n-th rename, write, removal, … ; elsewhere it
//! dies after more and more milliseconds. Some steps are tried, evenly spread, and all of them with
//! `SBCELL_LONG=1` in the environment.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

#[path = "support/course.rs"]
mod course;
#[path = "support/sandbox.rs"]
mod sandbox;

use course::Course;
use sandbox::Sandbox;

/// System calls that change what is on disk.
const CHANGES: [&str; 15] = [
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "unlink",
    "unlinkat",
    "rmdir",
    "link",
    "linkat",
    "write",
    "pwrite64",
    "ftruncate",
    "fsync",
    "chmod",
];

/// Steps of each course of events that are tried unless all are.
const TRIED: usize = 14;

const FIT: &str = "fit data.h5ad --timepoints day --n-pcs 2 --n-gaussians 1 --max-iterations 20 \
                   --threads 1 --quiet --no-validation";

const EVALUATE: &str = "evaluate data.h5ad --timepoints day --n-pcs 2 --n-gaussians 1 \
                        --max-iterations 20 --bootstrap 0 --draws 1 --threads 1 --quiet --out scores";

/// Where a run dies.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Death {
    /// Before the n-th call of this name by the main thread.
    At(String, usize),
    /// After so many milliseconds.
    After(u64),
}

/// What is killed, and what must come of it.
struct Killing<'a> {
    /// The folder before the run.
    template: &'a Sandbox,
    /// The run.
    line: &'a str,
    /// The run after it was killed; the same, or with `--resume`.
    again: &'a [&'a str],
    /// Whatever the moment, this holds before the next run.
    after: &'a dyn Fn(&Sandbox, &Death),
    /// Whether temporaries of the dead may stay beside the output.
    may_litter: bool,
    /// Whether what a run adds to its own result may differ in bytes from what it adds at first.
    may_repeat: bool,
}

impl Killing<'_> {
    fn check(&self) {
        let undisturbed = copy(self.template);
        let deaths = deaths(&undisturbed, self.line);
        assert!(!deaths.is_empty());
        let expected = self.contents(&undisturbed);
        let repeated = copy(&undisturbed);
        repeated.run(self.line);
        let repeated = self.contents(&repeated);
        for (place, death) in deaths.iter().enumerate() {
            for (number, again) in self.again.iter().enumerate() {
                if !is_long() && place % self.again.len() != number {
                    continue;
                }
                let sandbox = copy(self.template);
                kill(&sandbox, self.line, death);
                (self.after)(&sandbox, death);
                let answer = sandbox.run(again);
                let said = format!("{death:?}: `{again}`\n{}", answer.stderr);
                assert!([0, 4].contains(&answer.code), "{said}");
                let found = self.contents(&sandbox);
                let names = |files: &[(String, Vec<u8>)]| {
                    files.iter().map(|file| file.0.clone()).collect::<Vec<_>>()
                };
                assert_eq!(names(&found), names(&expected), "{said}");
                for ((file, once), twice) in found.iter().zip(&expected).zip(&repeated) {
                    let right = file == once || self.may_repeat && file == twice;
                    assert!(right, "{} differs\n{said}", file.0);
                }
            }
        }
    }

    fn contents(&self, sandbox: &Sandbox) -> Vec<(String, Vec<u8>)> {
        let mut files = sandbox.files(".");
        if self.may_litter {
            files.retain(|file| !file.0.rsplit('/').next().unwrap().starts_with('.'));
        }
        files
    }
}

#[allow(clippy::disallowed_methods, reason = "only the tests ask whether there is time")]
fn is_long() -> bool {
    std::env::var("SBCELL_LONG").is_ok_and(|value| value == "1")
}

/// Runs `line` to its end; where it could have died.
fn deaths(sandbox: &Sandbox, line: &str) -> Vec<Death> {
    let all = if has_strace() { steps(sandbox, line) } else { moments(sandbox, line) };
    if is_long() || all.len() <= TRIED {
        return all;
    }
    (0..TRIED).map(|k| all[k * (all.len() - 1) / (TRIED - 1)].clone()).collect()
}

fn has_strace() -> bool {
    let works = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    works.is_ok_and(|output| output.status.success())
}

fn moments(sandbox: &Sandbox, line: &str) -> Vec<Death> {
    sandbox.run(line);
    (0..TRIED as u64).map(|k| Death::After(k * (k + 3))).collect()
}

/// The calls of the main thread that change files, in their order, as `strace` tells.
fn steps(sandbox: &Sandbox, line: &str) -> Vec<Death> {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let traced = format!("trace={}", listed(&CHANGES));
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", "0", "-e", &traced, "-o", log.to_str().unwrap()]);
    let ended = sbcell(&mut command, sandbox, line).output().unwrap();
    assert!([Some(0), Some(4)].contains(&ended.status.code()), "{ended:?}");
    let text = fs::read_to_string(&log).unwrap();
    let main = text.split_whitespace().next().unwrap().to_string();
    let mut counts = [0; CHANGES.len()];
    let mut steps = Vec::new();
    for call in text.lines().filter_map(|line| line.strip_prefix(&main)) {
        let Some((name, arguments)) = call.trim_start().split_once('(') else { continue };
        let Some(place) = CHANGES.iter().position(|change| *change == name) else { continue };
        counts[place] += 1;
        // What goes to the terminal or wakes a thread is no file.
        let to_file =
            !name.contains("write") || arguments.contains("</") && !arguments.contains("</dev/");
        if to_file && !arguments.contains("<pipe:") {
            steps.push(Death::At(name.to_string(), counts[place]));
        }
    }
    steps
}

/// Calls that need not exist on every machine.
fn listed(calls: &[&str]) -> String {
    calls.iter().map(|call| format!("?{call}")).collect::<Vec<_>>().join(",")
}

fn kill(sandbox: &Sandbox, line: &str, death: &Death) {
    match death {
        Death::At(call, n) => {
            let inject = format!("inject={call}:signal=KILL:when={n}");
            let mut command = Command::new("strace");
            command.args(["-f", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
            sbcell(&mut command, sandbox, line).output().unwrap();
        }
        Death::After(milliseconds) => {
            let mut command = Command::new("env");
            let mut child = sbcell(&mut command, sandbox, line).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(*milliseconds));
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

fn sbcell<'a>(command: &'a mut Command, sandbox: &Sandbox, line: &str) -> &'a mut Command {
    command
        .arg(env!("CARGO_BIN_EXE_sbcell"))
        .args(line.split_whitespace())
        .current_dir(sandbox.path("."))
        .env_remove("SLURM_CPUS_PER_TASK")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
}

fn copy(from: &Sandbox) -> Sandbox {
    let to = Sandbox::new();
    copy_folder(&from.path("."), &to.path("."));
    to
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn with_course() -> Sandbox {
    let sandbox = Sandbox::new();
    Course::new().write(&sandbox.path("data.h5ad"));
    sandbox
}

/// A course with a model of other noise, what was made from it, and what is not ours.
fn with_older_model() -> Sandbox {
    let sandbox = with_course();
    sandbox.done(&format!("{FIT} --epsilon 0.5"));
    sandbox.done("interpolate --at 2 --quiet");
    fs::write(sandbox.path("sbcell-out/thesis.txt"), "kept").unwrap();
    fs::create_dir(sandbox.path("sbcell-out/notes")).unwrap();
    fs::write(sandbox.path("sbcell-out/notes/a.txt"), "kept").unwrap();
    sandbox
}

/// Whether the files of the model are those that its record names, without asking sbcell.
fn is_whole(sandbox: &Sandbox) -> bool {
    let Ok(text) = fs::read_to_string(sandbox.path("sbcell-out/run.json")) else { return false };
    let run: Value = serde_json::from_str(&text).unwrap();
    run["outputs"].as_array().unwrap().iter().all(|output| {
        let path = sandbox.path(&format!("sbcell-out/{}", output["file"].as_str().unwrap()));
        sbcell::io::file::sha256(&path, &mut sbcell::Silent)
            .is_ok_and(|found| output["sha256"] == found.as_str())
    })
}

/// What the velocities of the model are, if there is a model; in a copy, since a reader puts in its
/// place what a dead fit had finished.
fn velocities(sandbox: &Sandbox) -> Option<String> {
    let probe = copy(sandbox);
    let answer = probe.run("velocity --quiet --out probe.csv");
    if answer.code == 2 && answer.stderr.contains("no fitted model") {
        return None;
    }
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    Some(probe.text("probe.csv"))
}

#[test]
fn a_first_fit() {
    let template = with_course();
    let done = copy(&template);
    done.done(FIT);
    let expected = velocities(&done).unwrap();
    Killing {
        template: &template,
        line: FIT,
        again: &[FIT, &format!("{FIT} --resume")],
        after: &|sandbox, death| {
            if let Some(found) = velocities(sandbox) {
                assert!(found == expected, "{death:?}");
            }
        },
        may_litter: false,
        may_repeat: false,
    }
    .check();
}

#[test]
fn a_fit_over_an_older_model() {
    let template = with_older_model();
    let older = velocities(&template).unwrap();
    let done = copy(&template);
    done.done(FIT);
    let newer = velocities(&done).unwrap();
    assert_ne!(older, newer);
    assert!(!done.path("sbcell-out/interpolated.parquet").exists());
    Killing {
        template: &template,
        line: FIT,
        again: &[FIT, &format!("{FIT} --resume")],
        after: &|sandbox, death| {
            let waiting = sandbox.path("sbcell-out.partial/.sbcell-whole.json").exists();
            assert!(is_whole(sandbox) || waiting, "{death:?}: a model of two fits");
            let found = velocities(sandbox).unwrap();
            assert!(found == older || found == newer, "{death:?}");
            assert_eq!(sandbox.text("sbcell-out/thesis.txt"), "kept", "{death:?}");
            assert_eq!(sandbox.text("sbcell-out/notes/a.txt"), "kept", "{death:?}");
        },
        may_litter: false,
        may_repeat: false,
    }
    .check();
}

#[test]
fn a_fit_that_takes_up_another() {
    let template = with_older_model();
    // An older death, when one interval was there.
    let partial = |sandbox: &Sandbox| {
        let found = fs::read_dir(sandbox.path("sbcell-out.partial/bridges"));
        found.map_or(0, Iterator::count)
    };
    let Some(half) = deaths_of_all(&template).into_iter().find_map(|death| {
        let sandbox = copy(&template);
        kill(&sandbox, FIT, &death);
        (partial(&sandbox) == 1).then_some(sandbox)
    }) else {
        // Without strace no moment need be the right one.
        assert!(!has_strace());
        return;
    };
    let line = format!("{FIT} --resume");
    Killing {
        template: &half,
        line: &line,
        again: &[&line, FIT],
        after: &|sandbox, death| {
            assert!(velocities(sandbox).is_some(), "{death:?}");
            assert_eq!(sandbox.text("sbcell-out/thesis.txt"), "kept", "{death:?}");
        },
        may_litter: false,
        may_repeat: false,
    }
    .check();
}

/// Every third step, which is enough to meet every state of the bridges.
fn deaths_of_all(template: &Sandbox) -> Vec<Death> {
    let undisturbed = copy(template);
    if !has_strace() {
        return moments(&undisturbed, FIT);
    }
    steps(&undisturbed, FIT).into_iter().step_by(3).collect()
}

#[test]
fn an_evaluation_over_an_older_one() {
    let template = with_course();
    template.run(&format!("{EVALUATE} --epsilon 0.5"));
    fs::write(template.path("scores/thesis.txt"), "kept").unwrap();
    Killing {
        template: &template,
        line: EVALUATE,
        again: &[EVALUATE],
        after: &|sandbox, death| {
            assert_eq!(sandbox.text("scores/thesis.txt"), "kept", "{death:?}");
        },
        may_litter: false,
        may_repeat: false,
    }
    .check();
}

#[test]
fn a_table_over_an_older_one() {
    let template = with_course();
    template.done(FIT);
    template.done("interpolate --at 2 --quiet");
    let line = "interpolate --at 0.5 --quiet --threads 1";
    Killing {
        template: &template,
        line,
        again: &[line],
        after: &|sandbox, death| assert!(velocities(sandbox).is_some(), "{death:?}"),
        may_litter: false,
        may_repeat: false,
    }
    .check();
}

#[test]
fn a_file_annotated_in_place() {
    let template = with_course();
    template.done(FIT);
    let line = "annotate data.h5ad --in-place --quiet --threads 1";
    let before = fs::read(template.path("data.h5ad")).unwrap();
    let done = copy(&template);
    done.done(line);
    let after = fs::read(done.path("data.h5ad")).unwrap();
    Killing {
        template: &template,
        line,
        again: &[line],
        after: &|sandbox, death| {
            let found = fs::read(sandbox.path("data.h5ad")).unwrap();
            assert!(found == before || found == after, "{death:?}");
        },
        may_litter: true,
        may_repeat: true,
    }
    .check();
}
