//! Check of recorded potentials: the row sums of the coupling must be those of its marginal.

use ndarray::Axis;

use crate::bridge::sinkhorn::kernel::DenseKernel;
use crate::bridge::sinkhorn::sides::{Kernel, Side};
use crate::bridge::{Bridge, SinkhornBridge};
use crate::error::{Error, Result};

/// About how many pairs are checked: all of them up to five hundred cells on each side.
const PAIRS: usize = 1 << 18;

/// Largest deviation of the logarithm of a row sum, for a coupling that keeps its source marginal.
const SLACK: f64 = 1.0;

/// Additional deviation for each unit of C/ε, of which rounding is a fraction.
const ROUNDING: f64 = 1e-9;

/// Upper bound of the deviation. Beyond it rounding could hide any row sum.
const MOST_SLACK: f64 = 50.0;

/// Largest logarithm of a row sum relative to the marginal, for a relaxed coupling.
const MOST: f64 = 100.0;

impl SinkhornBridge {
    /// Checks the row sums of the coupling. The source potential is optimal for that of the target,
    /// so the sum of row i is `p_i exp(−f_i/λ)`, or `p_i` if the marginal is kept.
    ///
    /// If there are few pairs, all rows are checked; otherwise the rows with the largest potentials
    /// and a sample of the others. Every row depends on all potentials of the target. Takes `O(d)`
    /// time for each of 260 000 pairs.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a row whose sum differs or is not finite.
    pub(super) fn check_masses(&self) -> Result<()> {
        let (source, target) = self.centred();
        let (f, _) = self.potentials();
        let (n, epsilon) = (source.nrows(), self.epsilon().value());
        let rows = rows(f.iter().copied(), (PAIRS / target.nrows().max(1)).max(8));
        let points = source.select(Axis(0), &rows);
        let kernel = DenseKernel::points(points.view(), target, epsilon);
        let sums = kernel.log_sums(Side::Source, &self.logs().target);
        let slack = SLACK + ROUNDING * kernel.most_cost().unwrap_or(0.0);
        let slack = slack.min(MOST_SLACK);
        let relaxed = self.is_relaxed();
        for (&i, sum) in rows.iter().zip(sums) {
            let log = sum + f[i] / epsilon;
            let fits = if relaxed { log <= MOST + slack } else { log.abs() <= slack };
            if !fits {
                let got = format!("{f} of source cell {i} of {n}", f = f[i]);
                let must = "such that the cell keeps its mass";
                return Err(Error::Parameter { name: "potential", must, got });
            }
        }
        Ok(())
    }
}

/// At most `most` row numbers, or all: half of them with the largest potentials, the others evenly
/// spread.
fn rows(potentials: impl Iterator<Item = f64>, most: usize) -> Vec<usize> {
    let potentials: Vec<f64> = potentials.collect();
    let n = potentials.len();
    let mut rows: Vec<usize> = (0..n).collect();
    if n <= most {
        return rows;
    }
    rows.sort_by(|&a, &b| potentials[b].total_cmp(&potentials[a]));
    rows.truncate(most / 2);
    rows.extend((0..n).step_by(n.div_ceil(most - most / 2)));
    rows.sort_unstable();
    rows.dedup();
    rows
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::bridge::{BridgeProblem, BridgeRecord, SinkhornRecord, SinkhornSolver};
    use crate::data::Snapshot;
    use crate::geometry::Epsilon;
    use crate::progress::Silent;

    fn waves(n: usize, factor: f64) -> Snapshot {
        let wave = |(i, d)| (factor * (1 + i * 3 + d) as f64).sin() * 1.5 + 0.4 * d as f64;
        Snapshot::new(Array2::from_shape_fn((n, 2), wave)).unwrap()
    }

    fn record(problem: &BridgeProblem, solver: &SinkhornSolver) -> SinkhornRecord {
        let bridge = solver.fit(problem, &mut Silent).unwrap().0;
        let BridgeRecord::Sinkhorn(record) = bridge.record() else { panic!("another record") };
        record
    }

    #[test]
    fn what_a_solver_finds_has_its_masses_and_what_was_changed_has_not() {
        // 700 × 600 pairs are more than are looked at; ε from sharp to wide, early stops, relaxed.
        for (n, m) in [(30, 20), (700, 600)] {
            let (source, target) = (waves(n, 1.3), waves(m, 0.7));
            for (epsilon, most, relaxed) in
                [(1e-3, 50, None), (0.1, 1, None), (0.1, 5000, None), (0.1, 5000, Some(0.5))]
            {
                let ends = (source.clone(), target.clone());
                let problem =
                    BridgeProblem::new(ends.0, ends.1, Epsilon::new(epsilon).unwrap()).unwrap();
                let solver = SinkhornSolver {
                    max_iterations: most,
                    tolerance: 1e-6,
                    source_relaxation: relaxed,
                    ..SinkhornSolver::default()
                };
                let good = record(&problem, &solver);
                assert!(good.clone().restore(&source, &target).is_ok(), "{n} {epsilon} {most}");
                let mut bad = good.clone();
                bad.source_potential[n / 3] += 1e3;
                assert!(bad.restore(&source, &target).is_err(), "{n} {epsilon} {most}");
                let mut bad = good;
                bad.target_potential[m / 3] = 1e9;
                assert!(bad.restore(&source, &target).is_err(), "{n} {epsilon} {most}");
            }
        }
    }

    #[test]
    fn rows_of_large_potential_are_among_those_that_are_looked_at() {
        assert_eq!(rows([3.0, 1.0, 2.0].into_iter(), 8), [0, 1, 2]);
        let some = rows((0..1000).map(f64::from), 10);
        assert!(some.len() <= 10 && (995..1000).all(|row| some.contains(&row)), "{some:?}");
    }
}
