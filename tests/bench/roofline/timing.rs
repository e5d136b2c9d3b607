//! The fastest of many repeats, on one thread and on two.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// One thread, two threads.
pub(crate) type OneAndTwo = [f64; 2];

const LEAST_RUNS: usize = 5;
/// Short work is repeated for so long in a round.
const ROUND: Duration = Duration::from_millis(1);
const LEAST_TIME: Duration = Duration::from_millis(500);

/// Seconds that `work` takes.
pub(crate) fn seconds<T>(work: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    drop(std::hint::black_box(work()));
    start.elapsed().as_secs_f64()
}

/// The least of what `run` says it took.
fn fastest(mut run: impl FnMut() -> f64) -> f64 {
    let (start, mut runs, mut least) = (Instant::now(), 0, f64::INFINITY);
    while runs < LEAST_RUNS || start.elapsed() < LEAST_TIME {
        least = least.min(run());
        runs += 1;
    }
    least
}

/// Nanoseconds per element of work on `elements` of them that knows one thread: by one thread, and
/// by two that do the same at the same time, each with what `worker` makes for it. A worker says
/// how many seconds it took, so that it can prepare its arrays outside of them.
///
/// Threads start each round together, and the slower of them counts: a round in which one had to
/// wait for a core is not the fastest.
pub(crate) fn each_alone<W: FnMut() -> f64>(
    elements: f64,
    worker: impl Fn() -> W + Sync,
) -> OneAndTwo {
    let mut work = worker();
    let once = (0..5).map(|_| work()).fold(f64::INFINITY, f64::min);
    let runs = (ROUND.as_secs_f64() / once).ceil().max(1.0);
    let n_rounds = (LEAST_TIME.as_secs_f64() / (runs * once)) as usize + LEAST_RUNS;
    [1, 2].map(|n_threads| {
        let gate = Gate { arrived: AtomicUsize::new(0), n_threads };
        let rounds = || {
            let mut work = worker();
            let round = |k| {
                gate.pass(k);
                (0..runs as usize).map(|_| work()).sum::<f64>()
            };
            (0..n_rounds).map(round).collect::<Vec<f64>>()
        };
        let of_threads: Vec<Vec<f64>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(rounds)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let slowest = |k: usize| of_threads.iter().map(|rounds| rounds[k]).fold(0.0, f64::max);
        let fastest = (0..n_rounds).map(slowest).fold(f64::INFINITY, f64::min);
        fastest / runs * 1e9 / (elements * n_threads as f64)
    })
}

/// Where threads wait for each other without going to sleep.
struct Gate {
    arrived: AtomicUsize,
    n_threads: usize,
}

impl Gate {
    fn pass(&self, round: usize) {
        self.arrived.fetch_add(1, Ordering::AcqRel);
        while self.arrived.load(Ordering::Acquire) < self.n_threads * (round + 1) {
            std::hint::spin_loop();
        }
    }
}

/// Nanoseconds per element of work on `elements` of them that spreads itself over the threads of
/// rayon, of which there are one and two: the time that the busiest of them was on a core.
///
/// Alone on the machine that is the time on the wall; beside others it leaves out most of what they
/// took.
pub(crate) fn shared<T: Send>(elements: f64, work: impl Fn() -> T + Sync) -> OneAndTwo {
    // Threads inherit the registers of the one that starts them. A product leaves their upper parts
    // in use, which slows code in short vectors; what goes through `dispatch` clears them.
    sbcell::linalg::exp_in_place(&mut [0.0; 8]);
    [1, 2].map(|n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let run = || {
            let before = rayon::broadcast(|_| on_core());
            let wall = seconds(&work);
            let after = rayon::broadcast(|_| on_core());
            let of_thread = |(before, after): (&Option<f64>, &Option<f64>)| {
                before.zip(*after).map_or(wall, |(before, after)| after - before)
            };
            before.iter().zip(&after).map(of_thread).fold(0.0, f64::max).min(wall)
        };
        pool.install(|| fastest(run)) * 1e9 / elements
    })
}

/// Seconds that this thread has been on a core, where Linux says so.
fn on_core() -> Option<f64> {
    // The count is brought up to date when a thread gives way.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse::<f64>().ok().map(|nanoseconds| nanoseconds * 1e-9)
}
