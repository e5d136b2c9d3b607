//! Seeds and named random streams, which do not depend on the number of threads.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// The seed of a run, from which every random step takes a stream with its own name.
///
/// ```
/// use rand::Rng;
/// use sbcell::Seed;
///
/// let mut first = Seed(1).stream("noise", 0);
/// let mut again = Seed(1).stream("noise", 0);
/// let mut other = Seed(1).stream("noise", 1);
/// let number = first.next_u64();
/// assert_eq!(number, again.next_u64());
/// assert_ne!(number, other.next_u64());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seed(pub u64);

impl Seed {
    /// The random stream with this name and index.
    ///
    /// The key of the ChaCha8 generator is the SHA-256 digest of seed, index and name, so streams
    /// of different names or indices are independent. A parallel loop takes one stream for each
    /// chunk of fixed size, never one for each thread; its results then do not depend on the
    /// number of threads.
    pub fn stream(self, name: &str, index: u64) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(self.digest(name, index))
    }

    /// A seed derived from this one, for a part of the work with its own stream names.
    ///
    /// Children of different names or indices are independent.
    #[must_use]
    pub fn child(self, name: &str, index: u64) -> Self {
        let digest = self.digest(name, index);
        let mut bytes = [0_u8; 8];
        bytes.copy_from_slice(&digest[..8]);
        Self(u64::from_le_bytes(bytes))
    }

    /// The SHA-256 digest of seed, index (both little-endian, 8 bytes) and name.
    fn digest(self, name: &str, index: u64) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.0.to_le_bytes());
        hash.update(index.to_le_bytes());
        hash.update(name.as_bytes());
        hash.finalize().into()
    }
}

/// The index at which the running sum of `weights` (not negative) passes `level`: a draw by weight
/// if `level` is uniform between 0 and the sum of all.
///
/// An index of weight zero is never drawn. If rounding keeps the sum at or below `level`, the last
/// index of positive weight is drawn. `None` if no weight is positive.
pub(crate) fn weighted_index(weights: impl IntoIterator<Item = f64>, level: f64) -> Option<usize> {
    let (mut sum, mut last) = (0.0, None);
    for (index, weight) in weights.into_iter().enumerate() {
        if weight > 0.0 {
            sum += weight;
            last = Some(index);
            if level < sum {
                break;
            }
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn a_stream_is_the_same_each_time_and_differs_by_seed_name_and_index() {
        let first = |seed: u64, name: &str, index| Seed(seed).stream(name, index).next_u64();
        assert_eq!(first(1, "a", 0), first(1, "a", 0));
        assert_ne!(first(1, "a", 0), first(2, "a", 0));
        assert_ne!(first(1, "a", 0), first(1, "b", 0));
        assert_ne!(first(1, "a", 0), first(1, "a", 1));
    }

    #[test]
    fn an_index_of_weight_zero_is_never_drawn() {
        let weights = [0.0, 0.25, 0.0, 0.5, 0.0];
        let drawn = |level| weighted_index(weights, level);
        // At both ends, at the edges between indices, and beyond the sum.
        for (level, index) in [(0.0, 1), (0.2, 1), (0.25, 3), (0.7, 3), (0.75, 3), (2.0, 3)] {
            assert_eq!(drawn(level), Some(index), "{level}");
        }
        assert_eq!(weighted_index([0.0, 0.0], 0.0), None);
        assert_eq!(weighted_index([], 0.5), None);
    }
}
