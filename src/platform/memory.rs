//! The memory of the machine, the limits of control groups, and the free space of disks.
//!
//! Linux gives these numbers as text below `/proc` and `/sys/fs/cgroup`. On other systems they are not known.

use std::fs;
use std::path::{Path, PathBuf};

/// Memory in bytes. `None` where the system does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// Memory of the machine.
    pub total: Option<u64>,
    /// Memory that a new program can have without swapping.
    pub available: Option<u64>,
    /// The smallest limit of the control groups (containers, batch jobs) of this process.
    pub limit: Option<u64>,
    /// Memory that the group with this limit uses.
    pub used_of_limit: Option<u64>,
}

impl Memory {
    /// The numbers of this machine and process, now.
    pub fn now() -> Self {
        let machine = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let machine = Self::of_machine(&machine);
        let groups = groups("memory").into_iter();
        let limits = groups.filter_map(|group| {
            let limit = number(&group, &["memory.max", "memory.limit_in_bytes"])?;
            Some((limit, number(&group, &["memory.current", "memory.usage_in_bytes"])))
        });
        // Without a limit, the older control groups have a number near 2⁶³.
        let limits = limits.filter(|of| machine.total.is_none_or(|total| of.0 < total));
        let least = limits.min_by_key(|of| of.0);
        let used_of_limit = least.and_then(|of| of.1);
        Self { limit: least.map(|of| of.0), used_of_limit, ..machine }
    }

    /// Memory that this process can have: what is available, and at most what is left below the limit.
    pub fn free(&self) -> Option<u64> {
        let below = self.limit.map(|limit| limit.saturating_sub(self.used_of_limit.unwrap_or(0)));
        [self.available, below].into_iter().flatten().min()
    }

    /// The numbers in the text of `/proc/meminfo`, which are in units of 1024 bytes.
    fn of_machine(text: &str) -> Self {
        let field = |name| kibibytes(text, name);
        Self { total: field("MemTotal:"), available: field("MemAvailable:"), ..Self::default() }
    }
}

/// The most memory that this process has had so far, in bytes. `None` where the system does not tell.
///
/// ```
/// use sbcell::platform::memory::peak_of_process;
/// if let Some(peak) = peak_of_process() {
///     assert!(peak > 100_000);
/// }
/// ```
pub fn peak_of_process() -> Option<u64> {
    kibibytes(&fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// Begins to measure [`peak_of_process`] again, from the memory that the process has now. Does nothing where the
/// system has no such switch (Linux has one since version 4.0), so that the peak stays that of the whole run.
pub fn forget_peak() {
    let _unchanged = fs::write("/proc/self/clear_refs", "5");
}

/// The memory that Slurm gives to the job of this process, in bytes, by the values of its variables.
///
/// `variable` returns the value of an environment variable. Slurm states memory in units of 1024² bytes, for each
/// node or for each processor.
///
/// ```
/// use sbcell::platform::memory::of_slurm;
/// let job = |name: &str| match name {
///     "SLURM_MEM_PER_CPU" => Some("500".to_string()),
///     "SLURM_CPUS_ON_NODE" => Some("4".to_string()),
///     _ => None,
/// };
/// assert_eq!(of_slurm(&job), Some(2000 << 20));
/// ```
pub fn of_slurm(variable: &dyn Fn(&str) -> Option<String>) -> Option<u64> {
    let number = |name: &str| variable(name)?.trim().parse::<u64>().ok().filter(|value| *value > 0);
    let per_node = number("SLURM_MEM_PER_NODE");
    let per_processor =
        || number("SLURM_MEM_PER_CPU")?.checked_mul(number("SLURM_CPUS_ON_NODE").unwrap_or(1));
    per_node.or_else(per_processor)?.checked_mul(1 << 20)
}

/// Number of processors that the control groups of this process allow; it can be a fraction. `None` without a limit.
pub fn processor_limit() -> Option<f64> {
    let limits = groups("cpu").into_iter().filter_map(|group| {
        let read = |name: &str| fs::read_to_string(group.join(name)).ok();
        read("cpu.max").and_then(|text| quota(&text)).or_else(|| {
            let of = (read("cpu.cfs_quota_us")?, read("cpu.cfs_period_us")?);
            quota(&format!("{} {}", of.0.trim(), of.1.trim()))
        })
    });
    limits.min_by(f64::total_cmp)
}

/// The quotient of a quota and a period in microseconds: `150000 100000` is 1.5. `None` for `max`.
fn quota(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.trim().parse().ok()?);
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

/// The number after `name` in a text with units of 1024 bytes, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    number.checked_mul(1024)
}

/// The first of the files of a group that holds a number.
fn number(group: &Path, names: &[&str]) -> Option<u64> {
    let read = |name: &&str| fs::read_to_string(group.join(name)).ok()?.trim().parse().ok();
    names.iter().find_map(read)
}

/// Folders of the control groups of this process for `controller`, from its own to the root.
fn groups(controller: &str) -> Vec<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut found = Vec::new();
    for (root, group) in groups_in(&own, controller) {
        // In a container, the path may be that outside of it; the root is then the group of the container.
        let whole = root.join(group.trim_start_matches('/'));
        found.extend(
            whole.ancestors().take_while(|path| path.starts_with(&root)).map(PathBuf::from),
        );
    }
    found
}

/// Root folder and path of each group in the text of `/proc/self/cgroup`, of versions 1 and 2.
fn groups_in(text: &str, controller: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new("/sys/fs/cgroup");
    let of = |line: &str| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let first = controllers.split(',').any(|name| name == controller);
        match controllers {
            "" => Some((root.to_path_buf(), path.to_string())),
            _ if first => Some((root.join(controller), path.to_string())),
            _ => None,
        }
    };
    text.lines().filter_map(of).collect()
}

/// Bytes that this user can still write to the disk of `folder`; `None` where the system does not tell.
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub fn free_space(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

/// Bytes that this user can still write to the disk of `folder`: not known on this system.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub fn free_space(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_machine_are_in_bytes() {
        let text = "MemTotal:       24576000 kB\nMemFree: 1 kB\nMemAvailable:   2048 kB\n";
        let found = Memory::of_machine(text);
        assert_eq!(found.total, Some(24_576_000 * 1024));
        assert_eq!(found.available, Some(2048 * 1024));
        assert_eq!(Memory::of_machine("MemTotal: many kB"), Memory::default());
    }

    #[test]
    fn free_memory_is_below_the_limit_of_the_group() {
        let memory = Memory { available: Some(100), ..Memory::default() };
        assert_eq!(memory.free(), Some(100));
        let limited = Memory { limit: Some(80), used_of_limit: Some(30), ..memory };
        assert_eq!(limited.free(), Some(50));
        assert_eq!(Memory { used_of_limit: Some(90), ..limited }.free(), Some(0));
        assert_eq!(Memory::default().free(), None);
    }

    #[test]
    fn groups_of_both_versions_are_found() {
        let root = Path::new("/sys/fs/cgroup");
        assert_eq!(groups_in("0::/job/1\n", "memory"), [(root.into(), "/job/1".into())]);
        let old = "5:cpu,cpuacct:/a\n3:memory:/b:c\n";
        assert_eq!(groups_in(old, "memory"), [(root.join("memory"), "/b:c".into())]);
        assert_eq!(groups_in(old, "cpu"), [(root.join("cpu"), "/a".into())]);
    }

    #[test]
    fn quotas_are_numbers_of_processors() {
        assert!((quota("150000 100000\n").unwrap() - 1.5).abs() < 1e-12);
        assert!(quota("max 100000").is_none() && quota("-1 100000").is_none());
    }

    #[cfg(any(target_os = "linux", target_os = "macos"))]
    #[test]
    fn a_folder_has_free_space_and_a_missing_one_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(0 < free_space(folder.path()).unwrap());
        assert!(free_space(&folder.path().join("none")).is_none());
    }
}
