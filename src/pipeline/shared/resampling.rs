//! How the cells of a course are resampled, and couplings under these resamples.

use crate::error::Result;
use crate::lineage::{Bootstrap, Lineage, Resampled};
use crate::progress::Progress;
use crate::rng::Seed;

/// How the cells of a course are resampled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resampling<'a> {
    /// Path of the fitted file, if it is not where the fit found it.
    pub(crate) data: Option<&'a str>,
    /// A column of `obs` whose values are resampled instead of cells.
    pub(crate) batch: Option<&'a str>,
    /// Number of resamples.
    pub(crate) n_resamples: usize,
    /// Seed of the resamples.
    pub(crate) seed: u64,
}

impl Resampling<'_> {
    /// The draws of times of `sizes` cells, or of their `batches`.
    ///
    /// # Errors
    /// Those of [`Bootstrap::new`].
    pub(crate) fn bootstrap(
        &self,
        sizes: Vec<usize>,
        batches: Option<&[Vec<String>]>,
    ) -> Result<Bootstrap> {
        let seed = Seed(self.seed).child("lineage/resamples", 0);
        Bootstrap::new(sizes, batches, self.n_resamples, seed)
    }
}

/// Couplings of some times of a course.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Along<'l, 'p> {
    /// The couplings.
    pub(crate) lineage: &'l Lineage,
    /// The places of their times in the course.
    pub(crate) places: &'p [usize],
}

impl<'l> Along<'l, '_> {
    /// Bootstrap resamples of the cells of each time, or of their batches.
    ///
    /// # Errors
    /// Those of [`Resampled::new`].
    pub(crate) fn resampled(
        self,
        batches: Option<&[Vec<String>]>,
        resampling: &Resampling<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Resampled<'l>> {
        let Along { lineage, places } = self;
        let here = batches.map(|batches| -> Vec<Vec<String>> {
            places.iter().map(|&place| batches[place].clone()).collect()
        });
        let sizes = (0..lineage.times().len()).map(|k| lineage.n_cells(k)).collect();
        let own: Vec<usize> = (0..lineage.times().len()).collect();
        Resampled::of(lineage, &resampling.bootstrap(sizes, here.as_deref())?, &own, progress)
    }
}
