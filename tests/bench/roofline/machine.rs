//! What this machine does in plain loops: fused multiplications and additions, reading, scattering.
#![expect(clippy::inline_always, reason = "only code inlined into `dispatch` is vectorised")]

use std::hint::black_box;

use crate::Counted;
use crate::timing::{OneAndTwo, each_alone, seconds};

/// Values whose sum is read from the second-level cache (half a megabyte), and from memory.
const IN_CACHE: usize = 1 << 16;
const IN_MEMORY: usize = 1 << 24;

/// Sums side by side in a loop that reads.
const LANES: usize = 64;

/// Registers that a loop of fused multiplications works on, and how often.
const REGISTERS: usize = 12;
const ROUNDS: usize = 100_000;

/// Nanoseconds for each operation or byte.
pub(crate) struct Machine {
    double: OneAndTwo,
    single: OneAndTwo,
    cache: OneAndTwo,
    memory: OneAndTwo,
    exp: OneAndTwo,
    scatter: OneAndTwo,
}

/// Which plain loop a kernel is held against.
pub(crate) enum Limit {
    /// Fused multiplications in double precision, or bytes through the second-level cache: what
    /// takes longer.
    Double,
    /// The same in single precision.
    Single,
    /// Additions to places that an index says.
    Scatter,
    /// A loop of its own, with its nanoseconds per element.
    Measured(&'static str, OneAndTwo),
}

impl Machine {
    pub(crate) fn measured() -> Self {
        Self {
            double: fused(4, || pulp::Arch::new().dispatch(Double)),
            single: fused(8, || pulp::Arch::new().dispatch(Single)),
            cache: reading(IN_CACHE),
            memory: reading(IN_MEMORY),
            exp: exponentials(),
            scatter: scattering(),
        }
    }

    /// Both measurements, at each place what was faster: others use the machine too.
    pub(crate) fn better(self, other: &Self) -> Self {
        let least = |a: OneAndTwo, b: OneAndTwo| [a[0].min(b[0]), a[1].min(b[1])];
        Self {
            double: least(self.double, other.double),
            single: least(self.single, other.single),
            cache: least(self.cache, other.cache),
            memory: least(self.memory, other.memory),
            exp: least(self.exp, other.exp),
            scatter: least(self.scatter, other.scatter),
        }
    }

    /// The least time of an element in nanoseconds, and what takes it.
    pub(crate) fn bound(&self, limit: &Limit, counted: &Counted) -> (&'static str, OneAndTwo) {
        let (by, arithmetic) = match limit {
            Limit::Double => ("FMA f64", self.double.map(|ns| ns * counted.flops)),
            Limit::Single => ("FMA f32", self.single.map(|ns| ns * counted.flops)),
            Limit::Scatter => return ("scatter", self.scatter),
            Limit::Measured(by, ns) => return (by, *ns),
        };
        let cache = self.cache.map(|ns| ns * counted.bytes);
        if cache[0] > arithmetic[0] { ("L2", cache) } else { (by, arithmetic) }
    }

    pub(crate) fn print(&self) {
        println!("| plain loop | one thread | two threads | |\n|---|---|---|---|");
        let rate = |name: &str, ns: OneAndTwo, unit: &str| {
            println!("| {name} | {:.1} | {:.1} | {unit} |", 1.0 / ns[0], 1.0 / ns[1]);
        };
        let bits = pulp::Arch::new().dispatch(Bits);
        rate(&format!("FMA in registers of {bits} bits, f64"), self.double, "GFlop/s");
        rate(&format!("FMA in registers of {bits} bits, f32"), self.single, "GFlop/s");
        rate("sum of an array of 512 kB", self.cache, "GB/s");
        rate("sum of an array of 128 MB", self.memory, "GB/s");
        let time = |name: &str, ns: OneAndTwo| {
            println!("| {name} | {:.3} | {:.3} | ns each |", ns[0], ns[1]);
        };
        time("`f64::exp` of the standard library", self.exp);
        time("`sums[index] += factor · value`, all in L1", self.scatter);
    }
}

/// Nanoseconds per flop of a loop of fused multiplications of vectors of `width` numbers.
fn fused(width: usize, work: impl Fn() + Sync) -> OneAndTwo {
    each_alone((2 * width * REGISTERS * ROUNDS) as f64, || || seconds(&work))
}

struct Bits;

impl pulp::WithSimd for Bits {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> usize {
        8 * size_of::<S::f64s>()
    }
}

struct Double;

impl pulp::WithSimd for Double {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        let (factor, term) = (simd.splat_f64s(black_box(0.5)), simd.splat_f64s(black_box(0.25)));
        let mut sums = [simd.splat_f64s(black_box(1.0)); REGISTERS];
        for _ in 0..ROUNDS * 4 * size_of::<f64>() / size_of::<S::f64s>() {
            for sum in &mut sums {
                *sum = simd.mul_add_f64s(*sum, factor, term);
            }
        }
        black_box(sums);
    }
}

struct Single;

impl pulp::WithSimd for Single {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        let (factor, term) = (simd.splat_f32s(black_box(0.5)), simd.splat_f32s(black_box(0.25)));
        let mut sums = [simd.splat_f32s(black_box(1.0)); REGISTERS];
        for _ in 0..ROUNDS * 8 * size_of::<f32>() / size_of::<S::f32s>() {
            for sum in &mut sums {
                *sum = simd.mul_add_f32s(*sum, factor, term);
            }
        }
        black_box(sums);
    }
}

/// Nanoseconds per byte that is read once to be summed.
fn reading(n_values: usize) -> OneAndTwo {
    each_alone((8 * n_values) as f64, || {
        let values = vec![1.0; n_values];
        move || {
            seconds(|| {
                let values = black_box(&values);
                pulp::Arch::new().dispatch(Sum(values))
            })
        }
    })
}

struct Sum<'a>(&'a [f64]);

impl pulp::NullaryFnOnce for Sum<'_> {
    type Output = [f64; LANES];

    #[inline(always)]
    fn call(self) -> [f64; LANES] {
        let mut lanes = [0.0; LANES];
        for values in self.0.as_chunks::<LANES>().0 {
            for (lane, value) in lanes.iter_mut().zip(values) {
                *lane += value;
            }
        }
        lanes
    }
}

/// Nanoseconds of one exponential of the standard library.
fn exponentials() -> OneAndTwo {
    let n = 1 << 12;
    each_alone(n as f64, || {
        let logs: Vec<f64> = (0..n).map(|i| -20.0 * (i as f64 * 0.37).sin().abs()).collect();
        let mut out = vec![0.0; n];
        move || {
            let took = seconds(|| {
                out.iter_mut().zip(black_box(&logs)).for_each(|(out, log)| *out = log.exp());
            });
            black_box(&out);
            took
        }
    })
}

/// Nanoseconds of one multiplication that is added to a place in an array of 16 kB: 200 sorted
/// places of 2 000, again and again.
fn scattering() -> OneAndTwo {
    const SIZE: usize = 2048;
    let (n, rounds) = (200_u32, 500);
    each_alone(f64::from(n) * f64::from(rounds), || {
        let places: Vec<u32> = (0..n).map(|i| i * 10 + i * i % 7).collect();
        let values: Vec<f32> = (0..n).map(|i| (i % 13) as f32).collect();
        let mut sums = [0.0; SIZE];
        move || {
            seconds(|| {
                for round in 0..rounds {
                    let factor = f64::from(round);
                    for (&place, &value) in black_box(&places).iter().zip(black_box(&values)) {
                        sums[place as usize % SIZE] += factor * f64::from(value);
                    }
                }
                black_box(&mut sums);
            })
        }
    })
}
