//! Seeds and their named streams: the same numbers on any number of threads.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// The seed of a run. Every random step draws from a stream with a name of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seed(pub u64);

impl Seed {
    /// The stream `name` number `index` of this seed.
    ///
    /// Streams of different names or indices are independent. Parallel loops take one stream
    /// for each chunk of fixed size, never one for each thread.
    pub fn stream(self, name: &str, index: u64) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(self.digest(name, index))
    }

    /// A seed derived from this one, for a part of the work that names its own streams.
    #[must_use]
    pub fn child(self, name: &str, index: u64) -> Self {
        let digest = self.digest(name, index);
        let mut bytes = [0_u8; 8];
        bytes.copy_from_slice(&digest[..8]);
        Self(u64::from_le_bytes(bytes))
    }

    fn digest(self, name: &str, index: u64) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.0.to_le_bytes());
        hash.update(index.to_le_bytes());
        hash.update(name.as_bytes());
        hash.finalize().into()
    }
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
}
