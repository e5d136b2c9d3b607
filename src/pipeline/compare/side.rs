//! One condition of a comparison: its couplings, groups, batches and expression.

use std::collections::BTreeSet;

use ndarray::Array1;

use crate::error::Result;
use crate::io::model::OpenModel;
use crate::lineage::{Groups, Resampled};
use crate::pipeline::compare::edge_cells::EdgeSide;
use crate::pipeline::compare::options::CompareOptions;
use crate::pipeline::shared::course_of_cells::CourseOfCells;
use crate::pipeline::shared::expression::Expressed;
use crate::pipeline::shared::resampling::{Along, Resampling};
use crate::progress::Progress;
use crate::rng::Seed;

/// One condition.
pub(super) struct Side<'m> {
    pub(super) name: &'m str,
    pub(super) model: &'m OpenModel,
    pub(super) course: CourseOfCells,
    pub(super) groups: Groups,
    /// The batch of each cell, time after time.
    pub(super) batches: Option<Vec<Vec<String>>>,
    /// Expression of the genes that are compared, in the order of the model's cells.
    pub(super) expressed: Option<Expressed>,
    /// The cells in which edges are sought, if they are compared.
    pub(super) edges: Option<EdgeSide>,
    /// Number of its resamples. Two sides with the same number and the same batches get the same draws of batches.
    pub(super) number: u64,
}

impl<'m> Side<'m> {
    /// Restores the course of `model` and reads what `options` name.
    ///
    /// # Errors
    /// Those of the couplings, and of reading groups, batches and genes.
    pub(super) fn read(
        name: &'m str,
        model: &'m OpenModel,
        options: &CompareOptions,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let course =
            CourseOfCells::restore(model, options.coupling_epsilon, options.seed, progress)?;
        let groups = options.sets.read(model, &course, progress)?;
        let data = options.sets.data.as_deref();
        let batch = options.batch.as_deref();
        let resampling = Resampling { data, batch, n_resamples: options.bootstrap, seed: 0 };
        let batches = course.batches(model, &resampling, progress)?;
        let expressed = match &options.genes {
            None => None,
            Some(genes) => Some(Expressed::read(model, data, Some(genes), progress)?),
        };
        let edges = match options.edges {
            None => None,
            Some(_) => Some(EdgeSide::read(model, options, progress)?),
        };
        Ok(Self { name, model, course, groups, batches, expressed, edges, number: 0 })
    }

    /// Resamples of the cells or batches of all times.
    ///
    /// # Errors
    /// Those of reading the batches and of the scalings.
    pub(super) fn resampled(
        &self,
        options: &CompareOptions,
        progress: &mut dyn Progress,
    ) -> Result<Resampled<'_>> {
        let chain = self.course.chain(progress)?;
        let places: Vec<usize> = (0..self.times().len()).collect();
        self.resampled_along(Along { lineage: chain, places: &places }, options, progress)
    }

    /// As [`Side::resampled`], for the times of some couplings.
    ///
    /// # Errors
    /// As [`Side::resampled`].
    pub(super) fn resampled_along<'l>(
        &self,
        along: Along<'l, '_>,
        options: &CompareOptions,
        progress: &mut dyn Progress,
    ) -> Result<Resampled<'l>> {
        let resampling = Resampling {
            data: options.sets.data.as_deref(),
            batch: options.batch.as_deref(),
            n_resamples: options.bootstrap,
            seed: Seed(options.seed).child("compare", self.number).0,
        };
        along.resampled(self.batches.as_deref(), &resampling, progress)
    }

    /// The names of all batches.
    pub(super) fn batch_names(&self) -> BTreeSet<&String> {
        self.batches.iter().flatten().flatten().collect()
    }

    /// The times of the snapshots.
    pub(super) fn times(&self) -> &[f64] {
        self.course.times()
    }

    /// Whether each cell at `place` is in the group `name`; all cells for an empty name.
    pub(super) fn members(&self, place: usize, name: &str) -> Vec<bool> {
        let group = self.groups.names().iter().position(|other| other == name);
        let of = |own: &Option<usize>| name.is_empty() || (own.is_some() && *own == group);
        self.groups.at(place).iter().map(of).collect()
    }

    /// Expression of gene number `gene` in the cells at `place`.
    pub(super) fn expression(&self, place: usize, gene: usize) -> Array1<f64> {
        let value = |row: &usize| {
            self.expressed.as_ref().map_or(f64::NAN, |of| f64::from(of.values[[*row, gene]]))
        };
        self.course.rows[place].iter().map(value).collect()
    }
}
