//! Seconds on the wall and of all threads of this process.

use std::fs;
use std::time::Instant;

pub(crate) struct Meter {
    wall: Instant,
    cpu: f64,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu_seconds() }
    }

    /// Wall and CPU seconds since the start.
    pub(crate) fn stop(&self) -> (f64, f64) {
        (self.wall.elapsed().as_secs_f64(), cpu_seconds() - self.cpu)
    }
}

/// CPU seconds of this process so far: those of its threads in nanoseconds, or, if threads have
/// ended and left that sum, what the process has in hundredths of a second.
fn cpu_seconds() -> f64 {
    let of_threads: f64 = fs::read_dir("/proc/self/task")
        .unwrap()
        .map(|task| {
            let text =
                fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap_or_default();
            text.split(' ').next().and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0)
        })
        .sum();
    let text = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    (1e-9 * of_threads).max(ticks / 100.0)
}
