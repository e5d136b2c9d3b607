//! A population of labelled clones that divide, decide on a fate, die and are sampled, with the expected future
//! of every cell in closed form.

use rand::RngExt;
use rand_distr::{Distribution, Exp, StandardNormal};
use sbcell::Seed;

use crate::families::{Family, MOST_FATES};

/// One number for each fate; those beyond the number of fates are zero.
pub(crate) type PerFate = [f64; MOST_FATES];

/// Nodes of the integral over times of decision.
const NODES: usize = 64;

/// A cell at one time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    /// Number of its founder.
    pub(crate) clone: usize,
    /// Factor of all births of its clone.
    pub(crate) vigour: f64,
    /// Logits of the fates of which expression shows something.
    pub(crate) visible: PerFate,
    /// Logits of the fates of which it shows nothing.
    pub(crate) hidden: PerFate,
    /// Fate and time of the decision.
    pub(crate) decided: Option<(usize, f64)>,
}

/// A sampled cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sampled {
    pub(crate) cell: Cell,
    /// Expected number of descendants of each fate at the last time, if the cell had been left alive.
    pub(crate) future: PerFate,
}

/// The cells that were sampled at one time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    pub(crate) cells: Vec<Sampled>,
    /// Sum of the expected numbers of descendants over all living cells, also those that were not sampled.
    pub(crate) of_all: PerFate,
}

/// All samples of a course.
pub(crate) fn grow(family: &Family, seed: Seed) -> Vec<Sample> {
    let mut samples = vec![Sample::default(); family.times.len()];
    for clone in 0..family.n_founders {
        let mut stream = seed.stream("fates/clone", clone as u64);
        let founder = founder(family, clone, &mut stream);
        let mut alive = vec![(0.0, founder)];
        while let Some((born, cell)) = alive.pop() {
            live(family, cell, born, &mut samples, &mut alive, &mut stream);
        }
    }
    samples
}

/// The first cell of a clone.
fn founder(family: &Family, clone: usize, stream: &mut impl RngExt) -> Cell {
    let mut cell = Cell { clone, vigour: 1.0, visible: [0.0; 4], hidden: [0.0; 4], decided: None };
    let noise: f64 = StandardNormal.sample(stream);
    // The mean factor is one.
    cell.vigour = (family.vigour * noise - 0.5 * family.vigour * family.vigour).exp();
    shift(&mut cell, family, family.leaning, stream);
    cell
}

/// Adds noise with standard deviation `scale` to the logits, shared among what shows and what does not.
fn shift(cell: &mut Cell, family: &Family, scale: f64, stream: &mut impl RngExt) {
    let parts = [(1.0 - family.hidden).sqrt(), family.hidden.sqrt()];
    for f in 0..family.fates.len() {
        let [a, b]: [f64; 2] = std::array::from_fn(|_| StandardNormal.sample(stream));
        cell.visible[f] += scale * parts[0] * a;
        cell.hidden[f] += scale * parts[1] * b;
    }
}

/// The life of a cell from its birth to its division, death, sampling or the end of the course. Daughters go to
/// `alive`.
fn live(
    family: &Family,
    mut cell: Cell,
    born: f64,
    samples: &mut [Sample],
    alive: &mut Vec<(f64, Cell)>,
    stream: &mut impl RngExt,
) {
    let mut t = born;
    let mut next_sample = family.times.partition_point(|time| *time <= t);
    let [opens, closes] = family.window;
    let mut decides = f64::INFINITY;
    if cell.decided.is_none() {
        decides = stream.random_range(t.max(opens)..closes);
    }
    loop {
        let [most_births, deaths] = most_rates(family, &cell);
        let waits: f64 = Exp::new(most_births + deaths).unwrap().sample(stream);
        let stop = family.times[next_sample].min(decides);
        if t + waits >= stop {
            // The waiting time has no memory: it is drawn again after the stop.
            t = stop;
            if t >= decides {
                let fate = draw(&probabilities(family, &cell), stream);
                (cell.decided, decides) = (Some((fate, t)), f64::INFINITY);
                continue;
            }
            let sample = &mut samples[next_sample];
            let future = future(family, &cell, t);
            sample.of_all.iter_mut().zip(future).for_each(|(sum, of_cell)| *sum += of_cell);
            if stream.random::<f64>() < family.sampled[next_sample] {
                sample.cells.push(Sampled { cell, future });
                return;
            }
            next_sample += 1;
            if next_sample == family.times.len() {
                return;
            }
            continue;
        }
        t += waits;
        let event = stream.random::<f64>() * (most_births + deaths);
        if event < deaths {
            return;
        }
        if event < deaths + births(family, &cell, t) {
            for _ in 0..2 {
                let mut daughter = cell;
                if t < family.times[0] {
                    shift(&mut daughter, family, family.drift, stream);
                }
                alive.push((t, daughter));
            }
            return;
        }
    }
}

/// Births per day of a cell at time `t`.
pub(crate) fn births(family: &Family, cell: &Cell, t: f64) -> f64 {
    cell.vigour
        * match cell.decided {
            None => family.undecided[0],
            Some((fate, since)) => {
                let rates = &family.fates[fate];
                rates.birth * (-(t - since) / family.slowing).exp() + rates.lasting
            }
        }
}

/// Deaths per day of a cell.
pub(crate) fn deaths(family: &Family, cell: &Cell) -> f64 {
    cell.decided.map_or(family.undecided[1], |(fate, _)| family.fates[fate].death)
}

/// An upper limit of births per day, and deaths per day.
fn most_rates(family: &Family, cell: &Cell) -> [f64; 2] {
    [births(family, cell, cell.decided.map_or(0.0, |of| of.1)), deaths(family, cell)]
}

/// The probability that an undecided cell decides for each fate; its fate for a cell that has decided.
pub(crate) fn probabilities(family: &Family, cell: &Cell) -> PerFate {
    let mut of = [0.0; MOST_FATES];
    if let Some((fate, _)) = cell.decided {
        of[fate] = 1.0;
        return of;
    }
    for (f, rates) in family.fates.iter().enumerate() {
        of[f] = cell.visible[f] + cell.hidden[f] + rates.logit;
    }
    softmax(&mut of[..family.fates.len()]);
    of
}

/// Exponentials over their sum.
pub(crate) fn softmax(of: &mut [f64]) {
    let most = of.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for x in of.iter_mut() {
        *x = (*x - most).exp();
        sum += *x;
    }
    for x in of {
        *x /= sum;
    }
}

fn draw(of: &PerFate, stream: &mut impl RngExt) -> usize {
    let level: f64 = stream.random();
    let mut sum = 0.0;
    for (f, p) in of.iter().enumerate() {
        sum += p;
        if level < sum {
            return f;
        }
    }
    of.iter().rposition(|p| *p > 0.0).unwrap()
}

/// Expected number of descendants of each fate at the last time of a cell that lives at time `t`.
///
/// A cell of fate f that decided at `s` grows by the integral G of births less deaths. An undecided cell grows at
/// its own rate g until it decides, at any time that is left with the same probability:
///
/// ```text
/// N_f = p_f ∫ ds / (w₁ − w) exp(g (s − t) + G_f(0, T − s)),   s from w = max(t, w₀) to w₁
/// ```
pub(crate) fn future(family: &Family, cell: &Cell, t: f64) -> PerFate {
    let end = family.times[family.times.len() - 1];
    let mut of = [0.0; MOST_FATES];
    let growth = |fate: usize, from: f64, to: f64| {
        let (rates, slowing) = (&family.fates[fate], family.slowing);
        let decaying = slowing * ((-from / slowing).exp() - (-to / slowing).exp());
        let births = rates.birth * decaying + rates.lasting * (to - from);
        cell.vigour * births - rates.death * (to - from)
    };
    if let Some((fate, since)) = cell.decided {
        of[fate] = growth(fate, t - since, end - since).exp();
        return of;
    }
    let [opens, closes] = family.window;
    let from = t.max(opens);
    let own = cell.vigour * family.undecided[0] - family.undecided[1];
    let p = probabilities(family, cell);
    for f in 0..family.fates.len() {
        let at = |node: usize| {
            let s = from + (closes - from) * (node as f64 + 0.5) / NODES as f64;
            (own * (s - t) + growth(f, 0.0, end - s)).exp()
        };
        of[f] = p[f] * (0..NODES).map(at).sum::<f64>() / NODES as f64;
    }
    of
}

/// Compares [`future`] with the descendants of many copies of a cell, and the cells of a course with its future.
pub(crate) fn check(family: &Family) {
    const COPIES: usize = 20_000;
    let family = Family { sampled: vec![0.0, 1.0], times: vec![0.5, 6.0], ..family.clone() };
    let mut stream = Seed(1).stream("fates/check", 0);
    let mut worst: f64 = 0.0;
    for decided in [None, Some((0, 0.2)), Some((1, 0.5))] {
        let cell = Cell { decided, ..founder(&family, 0, &mut stream) };
        let expected = future(&family, &cell, 0.5);
        // Sum and sum of squares of the descendants of a copy.
        let mut sums = [[0.0; 2]; MOST_FATES];
        for _ in 0..COPIES {
            let mut samples = vec![Sample::default(); 2];
            let mut alive = vec![(0.5, cell)];
            while let Some((born, cell)) = alive.pop() {
                live(&family, cell, born, &mut samples, &mut alive, &mut stream);
            }
            let mut found = [0.0; MOST_FATES];
            for sampled in &samples[1].cells {
                found[sampled.cell.decided.unwrap().0] += 1.0;
            }
            for (sum, n) in sums.iter_mut().zip(found) {
                *sum = [sum[0] + n, sum[1] + n * n];
            }
        }
        for (expected, sum) in expected.iter().zip(sums) {
            let [mean, square] = sum.map(|sum| sum / COPIES as f64);
            let error = ((square - mean * mean) / COPIES as f64).sqrt();
            if error > 0.0 {
                worst = worst.max((mean - expected).abs() / error);
            } else {
                assert!(*expected < 1e-12, "{expected} descendants expected, none found");
            }
        }
    }
    println!("expected descendants: off by {worst:.1} standard errors of {COPIES} copies at most");
    // The largest of some eight deviations; beyond four by chance once in 2 000 runs.
    assert!(worst < 4.0, "expected numbers of descendants are not those of the simulation");
}
