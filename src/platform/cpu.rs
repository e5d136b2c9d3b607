//! The choice of vector instructions for the loops of this crate, and the features of the processor.
//!
//! Loops over many numbers are compiled once for each width of vectors. `arch` chooses among these codes at run
//! time, in every call of a loop. By default it takes the widest that the processor has. [`limit`] restricts it to
//! narrower ones, so that one machine can run the code of another.
//!
//! The limit concerns the loops of this crate: exponentials, sums, neighbours, sparse products, networks. It does
//! not concern dependencies, which choose by themselves: matrix products and decompositions of `faer`
//! ([`products`]), and decompression. The operations of the loops and their order do not depend on the
//! width, and none are fused, so that the loops give the same bits on every path.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

use pulp::Arch;

use crate::error::{Error, Result};

/// Vector instructions that the loops of this crate use, from narrow to wide.
///
/// ```
/// use sbcell::platform::cpu::{self, Vectors};
///
/// assert_eq!("avx2".parse::<Vectors>()?, Vectors::Avx2);
/// // Every processor can run the plain code.
/// assert!(cpu::available().contains(&Vectors::Plain));
/// # Ok::<(), sbcell::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vectors {
    /// Those of every processor of the target, such as SSE2.
    Plain,
    /// NEON, 128 bits, on processors of ARM.
    Neon,
    /// AVX2 with fused multiply-add, 256 bits (x86-64-v3).
    Avx2,
    /// AVX-512, 512 bits (x86-64-v4).
    Avx512,
}

/// The widest instructions that [`arch`] may choose, by the place in [`ALL`].
static MOST: AtomicU8 = AtomicU8::new(u8::MAX);

/// All instructions, from narrow to wide.
const ALL: [Vectors; 4] = [Vectors::Plain, Vectors::Neon, Vectors::Avx2, Vectors::Avx512];

impl Vectors {
    /// The name, as [`FromStr`] reads it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// The code of these instructions; `None` if this processor does not have them.
    fn arch(self) -> Option<Arch> {
        match self {
            Self::Plain => Some(Arch::Scalar),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => Some(Arch::new()).filter(|arch| !matches!(arch, Arch::Scalar)),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Avx2 => pulp::x86::V3::try_new().map(Arch::V3),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Avx512 => pulp::x86::V4::try_new().map(Arch::V4),
            _ => None,
        }
    }
}

impl fmt::Display for Vectors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Vectors {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = ALL.into_iter().find(|vectors| vectors.name() == text);
        found.ok_or_else(|| refused(text))
    }
}

/// Instructions that this processor has, from narrow to wide.
pub fn available() -> Vec<Vectors> {
    ALL.into_iter().filter(|vectors| vectors.arch().is_some()).collect()
}

/// Restricts the loops of this process to `most` and narrower instructions. Call it before any work.
///
/// # Errors
/// [`Error::Parameter`] if this processor does not have `most`.
pub fn limit(most: Vectors) -> Result<()> {
    if most.arch().is_none() {
        return Err(refused(most.name()));
    }
    let place = ALL.iter().position(|vectors| *vectors == most).unwrap_or(0);
    MOST.store(u8::try_from(place).unwrap_or(u8::MAX), Ordering::Relaxed);
    Ok(())
}

/// The error for a name that stands for no instructions of this processor.
fn refused(got: &str) -> Error {
    let must = match ALL.map(|vectors| vectors.arch().is_some()) {
        [_, _, true, true] => "plain, avx2 or avx512, which this processor has",
        [_, _, true, false] => "plain or avx2, which this processor has",
        [_, true, ..] => "plain or neon, which this processor has",
        _ => "plain: this processor has no other instructions that sbcell uses",
    };
    Error::Parameter { name: "SBCELL_CPU", must, got: got.to_string() }
}

/// The instructions that the loops of this crate use now.
pub fn chosen() -> Vectors {
    let arch = format!("{:?}", arch());
    let is = |vectors: &Vectors| vectors.arch().is_some_and(|other| format!("{other:?}") == arch);
    ALL.into_iter().rev().find(is).unwrap_or(Vectors::Plain)
}

/// The code that loops dispatch to: the widest that the processor has and [`limit`] allows.
#[inline]
pub(crate) fn arch() -> Arch {
    let most = MOST.load(Ordering::Relaxed);
    if most == u8::MAX {
        return Arch::new();
    }
    let allowed = ALL.iter().take(usize::from(most) + 1).rev();
    allowed.copied().find_map(Vectors::arch).unwrap_or(Arch::Scalar)
}

/// The instructions of matrix products and decompositions, which `faer` chooses by itself.
///
/// The conditions are those of `faer` 0.24; no limit changes them.
pub fn products() -> Vectors {
    let found = detected();
    let has = |name: &str| found.contains(&name);
    match () {
        () if has("avx512f") => Vectors::Avx512,
        () if has("avx2") && has("fma") => Vectors::Avx2,
        () if has("neon") => Vectors::Neon,
        () => Vectors::Plain,
    }
}

/// The instructions that decide the last digits of results, as run records have them: those of loops and products.
pub fn path() -> String {
    let (loops, products) = (chosen(), products());
    if loops == products {
        return loops.to_string();
    }
    format!("{loops} loops, {products} products")
}

/// Features of the processor that this program was compiled for and uses without asking.
pub fn compiled() -> Vec<&'static str> {
    macro_rules! compiled {
        ($($name:tt),*) => { [$((cfg!(target_feature = $name), $name)),*] };
    }
    let all = compiled!(
        "sse2", "sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "avx", "avx2", "fma", "bmi1",
        "bmi2", "avx512f", "avx512bw", "avx512dq", "avx512vl", "neon"
    );
    all.iter().filter(|feature| feature.0).map(|feature| feature.1).collect()
}

/// Features of the processor of this machine that sbcell or its dependencies ask for.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
pub fn detected() -> Vec<&'static str> {
    macro_rules! detected {
        ($($name:tt),*) => { [$((std::arch::is_x86_feature_detected!($name), $name)),*] };
    }
    let all = detected!(
        "sse2",
        "sse3",
        "ssse3",
        "sse4.1",
        "sse4.2",
        "popcnt",
        "avx",
        "avx2",
        "fma",
        "bmi1",
        "bmi2",
        "avx512f",
        "avx512bw",
        "avx512cd",
        "avx512dq",
        "avx512vl",
        "sha",
        "pclmulqdq"
    );
    all.iter().filter(|feature| feature.0).map(|feature| feature.1).collect()
}

/// Features of the processor of this machine that sbcell or its dependencies ask for.
#[cfg(target_arch = "aarch64")]
pub fn detected() -> Vec<&'static str> {
    macro_rules! detected {
        ($($name:tt),*) => { [$((std::arch::is_aarch64_feature_detected!($name), $name)),*] };
    }
    let all = detected!("neon", "fcma", "fp16", "sha2", "crc");
    all.iter().filter(|feature| feature.0).map(|feature| feature.1).collect()
}

/// Features of the processor of this machine that sbcell or its dependencies ask for.
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
pub fn detected() -> Vec<&'static str> {
    compiled()
}

/// The name of the processor, as the system gives it; `None` where it gives none.
pub fn model() -> Option<String> {
    model_in(&std::fs::read_to_string("/proc/cpuinfo").ok()?)
}

/// The first model name in the text of `/proc/cpuinfo`.
fn model_in(text: &str) -> Option<String> {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let name = fields.find(|field| field.0.trim() == "model name")?.1.trim();
    (!name.is_empty()).then(|| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::{exp_in_place, softmax_rows};

    /// The bits of loops with these instructions.
    fn bits(vectors: Vectors) -> Vec<u64> {
        let values: Vec<f64> = (0..1000).map(|k| f64::from(k) / 7.0 - 80.0).collect();
        limit(vectors).unwrap();
        let (mut exponentials, mut shares) = (values.clone(), values);
        exp_in_place(&mut exponentials);
        let mut totals = [0.0; 40];
        softmax_rows(&mut shares, 25, &[0.5; 40], &mut totals);
        let all = [exponentials, shares, totals.to_vec()].concat();
        all.into_iter().map(f64::to_bits).collect()
    }

    /// The limit is one for the whole process, so that one test sets all of them.
    #[test]
    fn a_limit_is_kept_and_changes_no_bit_and_what_is_not_there_is_refused() {
        let all = available();
        let plain = bits(Vectors::Plain);
        assert!(all.iter().all(|&vectors| bits(vectors) == plain));
        MOST.store(u8::MAX, Ordering::Relaxed);
        assert_eq!(all.first(), Some(&Vectors::Plain));
        assert_eq!(Some(&chosen()), all.last());
        for vectors in ALL {
            let allowed = limit(vectors);
            if all.contains(&vectors) {
                allowed.unwrap();
                assert_eq!(chosen(), vectors);
                assert_eq!(vectors.name().parse::<Vectors>().unwrap(), vectors);
            } else {
                let error = allowed.unwrap_err().to_string();
                assert!(error.contains("SBCELL_CPU") && error.contains("plain"), "{error}");
            }
        }
        MOST.store(u8::MAX, Ordering::Relaxed);
        assert!("sse9".parse::<Vectors>().is_err());
    }

    #[test]
    fn what_was_compiled_is_there() {
        let found = detected();
        assert!(compiled().iter().all(|feature| found.contains(feature)), "{found:?}");
        assert!(available().contains(&products()));
    }

    #[test]
    fn the_name_of_the_processor_is_the_first() {
        let text = "processor\t: 0\nmodel name\t: AMD EPYC: 7\nmodel name\t: other\n";
        assert_eq!(model_in(text).unwrap(), "AMD EPYC: 7");
        assert!(model_in("Hardware : board").is_none());
    }
}
