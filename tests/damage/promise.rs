//! What is promised of every input, and what happens to one that breaks it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;

use sbcell::error::Kind;
use sbcell::{Error, Result};

/// How many inputs of a kind were answered, and how many refused.
pub(crate) struct Promise {
    kind: &'static str,
    answered: u64,
    refused: BTreeMap<String, u64>,
    broken: u64,
}

impl Promise {
    pub(crate) fn of(kind: &'static str) -> Self {
        // Panics that are caught are reported with their input.
        static QUIET: Once = Once::new();
        QUIET.call_once(|| {
            let usual = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                let text = panic.payload().downcast_ref::<String>();
                if text.is_some_and(|text| text.contains("broken promises")) {
                    usual(panic);
                }
            }));
        });
        Self { kind, answered: 0, refused: BTreeMap::new(), broken: 0 }
    }

    /// Runs on input `k`, which is the file or folder `input`.
    pub(crate) fn keep(&mut self, k: u64, input: &Path, run: impl FnOnce() -> Result<()>) {
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(())) => self.answered += 1,
            Ok(Err(error)) => {
                let expected = matches!(error.kind(), Kind::Unreadable | Kind::Usage)
                    || matches!(error, Error::Io { .. });
                if !expected {
                    self.broken(k, input, &format!("{:?}: {error}", error.kind()));
                }
                *self.refused.entry(format!("{:?}", error.kind())).or_default() += 1;
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                self.broken(k, input, &format!("panic: {}", text.unwrap_or_default()));
            }
        }
        if let Some(peak) = peak_mib().filter(|&peak| peak > MOST_MIB) {
            self.broken(k, input, &format!("asked for {peak} MiB"));
        }
    }

    /// Says which promise was broken and keeps the input; the others are still to be seen.
    fn broken(&mut self, k: u64, input: &Path, what: &str) {
        self.broken += 1;
        let kept = kept_at(&format!("{}-{k}", self.kind.replace(' ', "-")), input);
        let what: String = what.chars().take(LONGEST).collect();
        println!("broken promise, {} {k}: {what}\n  kept in {}", self.kind, kept.display());
        assert!(self.broken < MOST_BROKEN, "too many broken promises");
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let Self { kind, answered, refused, broken } = self;
        println!("damage: {kind}: {answered} answered, refused {refused:?}");
        assert!(*broken == 0 || std::thread::panicking(), "{broken} broken promises, {kind}");
    }
}

/// So many inputs are kept of a kind, at most.
const MOST_BROKEN: u64 = 30;

/// Characters of what is said of each.
const LONGEST: usize = 2000;

/// Threads reserve address space for their stacks and heaps; a file of 60 KB needs nothing.
const MOST_MIB: usize = 6144;

/// The most memory this process ever asked for, in MiB, where the system tells.
fn peak_mib() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmPeak:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? / 1024)
}

fn kept_at(name: &str, input: &Path) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("damage").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    copy_all(input, &folder.join(input.file_name().unwrap()));
    folder
}

/// Copies a file or a folder with all in it.
pub(crate) fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    if !from.is_dir() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        copy_all(&path, &to.join(path.file_name().unwrap()));
    }
}
