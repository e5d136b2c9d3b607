//! The choice of the size: one Gaussian of each kind, then doubled sizes within a budget of counted work.

use std::ops::ControlFlow;

use crate::bridge::LightSbBridge;
use crate::bridge::lightsb::choice::Choice;
use crate::bridge::lightsb::covariance::Covariance;
use crate::bridge::lightsb::descent::{Descent, Until};
use crate::bridge::lightsb::ends::Ends;
use crate::bridge::lightsb::grown::grown;
use crate::bridge::lightsb::held_out::{MOST, Parts, Size, Tried, best_of, curve};
use crate::bridge::lightsb::mixture::Mixture;
use crate::bridge::lightsb::objective::{Objective, flops_of};
use crate::bridge::lightsb::solver::{LightSbSolver, most_gaussians};
use crate::bridge::lightsb::start::{StartSettings, one_gaussian};
use crate::error::Result;
use crate::linalg::{at_most, clearly_less};
use crate::progress::{Event, Progress, detail, report};
use crate::rng::Seed;

/// Largest number of steps of one size on one part.
const STEPS: usize = 20;

/// Evaluations of the objective for a halving of all Gaussians, in work.
const GROWTH: usize = 8;

/// Evaluations of a final fit with which the work of the comparison is compared.
const FINAL: usize = 250;

/// Flops that one full Gaussian may always take: less than a second.
const ALWAYS: f64 = 1e9;

/// Up to this number of Gaussians scalar matrices are tried as well.
const FEW: usize = 4;

/// Multiple of the tolerance at which a descent of the comparison stops.
const ROUGH: f64 = 10.0;

/// A size, with the mixtures that were fitted to parts of the cells.
pub(super) struct Chosen {
    /// The size.
    pub(super) size: Size,
    /// Mixtures of this size in the coordinates of the whole problem.
    pub(super) starts: Vec<Mixture>,
    /// Whether one full Gaussian is shrunk, as in the comparison.
    pub(super) shrinks: bool,
    /// Details for the report.
    pub(super) details: Vec<(String, f64)>,
}

impl Chosen {
    /// A size that needs no comparison.
    pub(super) fn given(size: Size) -> Self {
        Self { size, starts: Vec::new(), shrinks: false, details: Vec::new() }
    }
}

impl LightSbSolver {
    /// The size with the fewest parameters within one standard error of the best objective on
    /// held-out cells.
    ///
    /// One Gaussian of each kind is in closed form. Kinds that are worse there than the best kind
    /// by more than the standard error of the difference are not tried further. The others double,
    /// each size from the halves of the size before, until the objective on held-out cells rises
    /// clearly or twice in a row, or until the work of the comparison exceeds that of a final fit.
    pub(super) fn chosen(
        &self,
        ends: &Ends,
        seed: Seed,
        progress: &mut dyn Progress,
    ) -> Result<Chosen> {
        let kinds: &[Covariance] = match &self.covariance {
            Choice::Auto => &[Covariance::Diagonal, Covariance::Full, Covariance::Scalar],
            Choice::Is(kind) => std::slice::from_ref(kind),
        };
        let single = Size { covariance: kinds[0], n_gaussians: 1 };
        let mut chosen = Chosen { shrinks: true, ..Chosen::given(single) };
        let Some(parts) = ends.parts(seed)? else { return Ok(chosen) };
        let fitted = parts.fitted().map(Ends::new).collect::<Result<Vec<_>>>()?;
        let mut comparison = Comparison::new(self, ends, &parts, &fitted);
        let what = "choosing the number of Gaussians".into();
        report(progress, Event::Begin { what, total: comparison.total(kinds) })?;
        comparison.singles(kinds)?;
        for kind in comparison.promising() {
            comparison.climb(kind, progress)?;
        }
        let Comparison { mut tried, flops, .. } = comparison;
        tried.sort_by_key(|tried| kinds.iter().position(|kind| *kind == tried.size.covariance));
        if let Some((best, error)) = parts.chosen(&tried) {
            chosen.size = best.size;
            let epsilon = ends.epsilon.value();
            for (part, mixture) in fitted.iter().zip(&best.mixtures) {
                // The part is centred around its own means.
                let back = [&part.source.mean, &part.target.mean].map(|mean| -mean);
                chosen.starts.push(mixture.moved(back[0].view(), back[1].view(), epsilon));
            }
            chosen.details.push(("held_out".into(), best.held_out));
            chosen.details.push(("held_out_error".into(), error));
        }
        chosen.details.push(("compared_gflop".into(), flops / 1e9));
        detail(progress, curve(chosen.size, &tried))?;
        report(progress, Event::End)?;
        Ok(chosen)
    }
}

/// Sizes compared so far on parts of the cells.
struct Comparison<'a> {
    /// The solver.
    solver: &'a LightSbSolver,
    /// The held-out cells.
    parts: &'a Parts,
    /// The fitted cells of each part, centred.
    fitted: &'a [Ends],
    /// The objective on the fitted cells of each part.
    objectives: Vec<Objective<'a>>,
    /// Lower bound of S for each part.
    floors: Vec<f64>,
    /// Cells of both snapshots in a final fit.
    n_final: f64,
    /// Number of dimensions d.
    dim: usize,
    /// The sizes tried.
    tried: Vec<Tried>,
    /// Flops so far.
    flops: f64,
    /// Flops of single Gaussians, which have a limit of their own.
    singles: f64,
}

impl<'a> Comparison<'a> {
    /// Before the first size.
    fn new(solver: &'a LightSbSolver, ends: &Ends, parts: &'a Parts, fitted: &'a [Ends]) -> Self {
        let objective = |ends: &'a Ends| {
            Objective::new(ends.source.view(), ends.target.view(), ends.epsilon.value())
        };
        let all = ends.source.cells.n_cells() + ends.target.cells.n_cells();
        Self {
            solver,
            parts,
            fitted,
            objectives: fitted.iter().map(objective).collect(),
            floors: fitted.iter().map(|e| solver.floor(&e.target, e.epsilon.value())).collect(),
            n_final: ends.begins_with().map_or(all, |some| 2 * some) as f64,
            dim: ends.source.cells.dim(),
            tried: Vec::new(),
            flops: 0.0,
            singles: 0.0,
        }
    }

    /// Cells of both snapshots in all fitted parts.
    fn n_fitted(&self) -> f64 {
        self.objectives.iter().map(|objective| objective.n_cells() as f64).sum()
    }

    /// Largest number of Gaussians of one kind that is compared.
    fn most(&self, kind: Covariance) -> usize {
        let cells = self.fitted.iter().map(|ends| ends.target.cells.n_cells()).min().unwrap_or(0);
        let by_cells = match kind {
            // A matrix for each Gaussian needs as many cells as it has entries.
            Covariance::Full => cells / kind.n_entries(self.dim),
            Covariance::Scalar | Covariance::Diagonal => cells,
        };
        most_gaussians(kind, cells, self.dim).min(by_cells).clamp(1, MOST)
    }

    /// Flops of one Gaussian in closed form on all parts.
    fn flops_of_single(&self, kind: Covariance) -> f64 {
        let (dim, cells) = (self.dim as f64, self.n_fitted());
        match kind {
            Covariance::Scalar | Covariance::Diagonal => 4.0 * cells * dim,
            // The covariances with their shrinkage, and three decompositions.
            Covariance::Full => {
                6.0 * cells * dim * dim + 60.0 * self.parts.len() as f64 * dim.powi(3)
            }
        }
    }

    /// Flops of one size on all parts, at most.
    fn flops_of_size(&self, size: Size) -> f64 {
        let steps = (STEPS + GROWTH) as f64;
        steps * flops_of(size.covariance, size.n_gaussians, self.dim, self.n_fitted())
    }

    /// Flops of the final fit of one size.
    fn flops_of_final(&self, size: Size) -> f64 {
        FINAL as f64 * flops_of(size.covariance, size.n_gaussians, self.dim, self.n_final)
    }

    /// Largest number of steps for the report of progress: megaflops.
    fn total(&self, kinds: &[Covariance]) -> u64 {
        let final_fit = |kind: &Covariance| {
            self.flops_of_final(Size { covariance: *kind, n_gaussians: self.most(*kind) })
        };
        let most = kinds.iter().map(final_fit).fold(0.0, f64::max);
        let singles: f64 = kinds.iter().map(|kind| self.flops_of_single(*kind)).sum();
        1 + ((most + singles) / 1e6) as u64
    }

    /// One Gaussian of each kind, in closed form. Full matrices are left out if they would take
    /// longer than the final fit of the largest diagonal mixture.
    fn singles(&mut self, kinds: &[Covariance]) -> Result<()> {
        let largest =
            Size { covariance: Covariance::Diagonal, n_gaussians: self.most(Covariance::Diagonal) };
        for &covariance in kinds {
            let work = self.flops_of_single(covariance);
            if !self.tried.is_empty() && work > self.flops_of_final(largest).max(ALWAYS) {
                continue;
            }
            self.flops += work;
            self.singles += work;
            let size = Size { covariance, n_gaussians: 1 };
            let mut mixtures = Vec::with_capacity(self.fitted.len());
            for (ends, &floor) in self.fitted.iter().zip(&self.floors) {
                let epsilon = ends.epsilon.value();
                let settings =
                    StartSettings { covariance, n_gaussians: 1, epsilon, floor, shrinks: true };
                mixtures.push(one_gaussian(ends.source.view(), ends.target.view(), settings)?);
            }
            self.judge(size, mixtures)?;
        }
        Ok(())
    }

    /// Kinds of which one Gaussian is within the standard error of the best, the best first.
    fn promising(&self) -> Vec<Covariance> {
        let Some(best) = best_of(&self.tried) else { return Vec::new() };
        let near =
            |tried: &&Tried| at_most(tried.held_out, best.held_out + self.parts.error(tried, best));
        let others = self.tried.iter().filter(near).map(|tried| tried.size.covariance);
        let others = others.filter(|kind| *kind != best.size.covariance);
        std::iter::once(best.size.covariance).chain(others).collect()
    }

    /// Doubles the number of Gaussians of one kind.
    fn climb(&mut self, kind: Covariance, progress: &mut dyn Progress) -> Result<()> {
        let best = best_of(&self.tried).map(|best| best.size);
        if kind == Covariance::Scalar && best.is_some_and(|best| best.n_gaussians > FEW) {
            return Ok(());
        }
        let is_kind = |tried: &&Tried| tried.size.covariance == kind;
        let Some(mut last) = self.tried.iter().find(is_kind).cloned() else { return Ok(()) };
        let (mut least, mut worse) = (last.clone(), 0);
        let most = self.most(kind);
        for n_gaussians in (1..).map(|power| 1 << power).take_while(|&n| n <= most) {
            let size = Size { covariance: kind, n_gaussians };
            let allowed = best.map_or(0.0, |best| self.flops_of_final(best));
            let allowed = allowed.max(self.flops_of_final(size));
            if self.flops - self.singles + self.flops_of_size(size) > allowed {
                break;
            }
            let mixtures = self.doubled(&last.mixtures, size, progress)?;
            self.judge(size, mixtures)?;
            last = self.tried[self.tried.len() - 1].clone();
            // An improvement within rounding does not count.
            let above = !clearly_less(last.held_out, least.held_out);
            let limit = least.held_out + 2.0 * self.parts.error(&last, &least);
            let clearly = clearly_less(limit, last.held_out);
            worse = if above { worse + 1 } else { 0 };
            if !above {
                least = last.clone();
            }
            // Two halves may be no better where four are.
            if clearly || (above && n_gaussians > 2) || worse == 2 {
                break;
            }
        }
        Ok(())
    }

    /// The mixtures of every part with twice as many Gaussians, after a rough descent.
    fn doubled(
        &mut self,
        mixtures: &[Mixture],
        size: Size,
        progress: &mut dyn Progress,
    ) -> Result<Vec<Mixture>> {
        let until = Until { share: ROUGH * self.solver.tolerance, steps: STEPS };
        let mut doubled = Vec::with_capacity(mixtures.len());
        for (part, mixture) in mixtures.iter().enumerate() {
            let (objective, floor) = (&mut self.objectives[part], self.floors[part]);
            let before = objective.flops();
            let next = grown(objective, mixture, size.n_gaussians, floor)?;
            let value = objective.evaluate(&next).value;
            let mut descent = Descent::begin(next, value);
            let n_cells = objective.n_cells() as f64;
            let step = flops_of(size.covariance, size.n_gaussians, self.dim, n_cells);
            let work = &mut Work { progress, done: self.flops, step };
            self.solver.round(objective, &mut descent, floor, until, work)?;
            self.flops += objective.flops() - before;
            doubled.push(descent.mixture);
        }
        Ok(doubled)
    }

    /// Evaluates mixtures of one size on the held-out cells.
    fn judge(&mut self, size: Size, mixtures: Vec<Mixture>) -> Result<()> {
        let bridges = self.fitted.iter().zip(&mixtures).map(|(ends, mixture)| {
            let (source, target) = (ends.source.mean.clone(), ends.target.mean.clone());
            LightSbBridge::new(mixture.clone(), source, target, ends.epsilon)
        });
        let bridges = bridges.collect::<Result<Vec<_>>>()?;
        let tried = self.parts.judge(size, mixtures, &bridges)?;
        self.tried.push(tried);
        Ok(())
    }
}

/// Reports the steps of a descent as megaflops of the whole comparison.
struct Work<'a> {
    /// The receiver.
    progress: &'a mut dyn Progress,
    /// Flops before the descent.
    done: f64,
    /// Flops of a step.
    step: f64,
}

impl Progress for Work<'_> {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        let event = match event {
            Event::Step { done } => {
                let flops = self.done + self.step * *done as f64;
                Event::Step { done: (flops / 1e6) as u64 }
            }
            _ => Event::Pulse,
        };
        self.progress.report(&event)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use rand_distr::{Distribution, StandardNormal};

    use super::*;
    use crate::bridge::BridgeProblem;
    use crate::data::Snapshot;
    use crate::geometry::Epsilon;

    /// Keeps the notes, the total of the comparison, and its steps.
    #[derive(Default)]
    struct Seen {
        notes: Vec<String>,
        total: u64,
        steps: Vec<u64>,
        comparing: bool,
    }

    impl Progress for Seen {
        fn report(&mut self, event: &Event) -> ControlFlow<()> {
            match event {
                Event::Begin { what, total } if what.starts_with("choosing") => {
                    (self.total, self.comparing) = (*total, true);
                }
                Event::Step { done } if self.comparing => self.steps.push(*done),
                Event::End => self.comparing = false,
                Event::Detail { text } => self.notes.push(text.clone()),
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }

    fn normal(n: usize, seed: u64) -> Array2<f64> {
        let mut stream = Seed(seed).stream("test/normal", 0);
        Array2::from_shape_simple_fn((n, 3), || StandardNormal.sample(&mut stream))
    }

    fn fitted(y: Array2<f64>) -> (LightSbBridge, crate::bridge::FitReport, Seen) {
        let snapshots = [normal(500, 1), y].map(|cells| Snapshot::new(cells).unwrap());
        let [source, target] = snapshots;
        let problem = BridgeProblem::new(source, target, Epsilon::new(0.2).unwrap()).unwrap();
        let mut seen = Seen::default();
        let fit = LightSbSolver::default().fit(&problem, Seed(0), &mut seen).unwrap();
        (fit.0, fit.1, seen)
    }

    #[test]
    fn kinds_that_lose_with_one_gaussian_are_not_doubled() {
        let shear = array![[1.0, 0.9, 0.0], [0.0, 0.4, 0.0], [0.0, 0.0, 1.0]];
        let (_, _, seen) = fitted(normal(500, 2).dot(&shear));
        let [note] = &seen.notes[..] else { panic!("{:?}", seen.notes) };
        let kinds: Vec<&str> = note.split_once(':').unwrap().1.split(';').collect();
        assert!(kinds[0].starts_with(" 1 diagonal") && !kinds[0].contains(','), "{note}");
        assert!(kinds[1].starts_with(" 1 full") && kinds[1].contains(", 2 "), "{note}");
        assert!(kinds[2].starts_with(" 1 scalar") && !kinds[2].contains(','), "{note}");
    }

    #[test]
    fn the_work_of_the_comparison_is_bounded_and_its_steps_are_reported() {
        let mut parted = normal(500, 2) * 0.3;
        for (i, mut cell) in parted.rows_mut().into_iter().enumerate() {
            cell[0] += [-4.0, -1.0, 1.0, 4.0][i % 4];
        }
        let (bridge, report, seen) = fitted(parted);
        assert_eq!(bridge.mixture().n_gaussians(), 4, "{:?}", seen.notes);
        let largest = seen.notes[0].split([',', ':', ';']).filter_map(|text| {
            text.trim().split(' ').next().and_then(|number| number.parse::<usize>().ok())
        });
        let largest = largest.max().unwrap();
        let kind = bridge.mixture().covariance;
        let limit = FINAL as f64 * flops_of(kind, largest, 3, 1000.0);
        let compared = report.detail("compared_gflop").unwrap() * 1e9;
        assert!(0.0 < compared && compared < 1.1 * limit, "{compared:e} {limit:e}");
        assert!(seen.steps.len() > 20 && seen.steps.is_sorted());
        assert!(seen.steps.iter().all(|step| *step <= seen.total), "{:?}", seen.total);
    }
}
