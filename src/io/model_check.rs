//! A model as it was read, checked whole: what contradicts itself is refused before it is used.

use std::path::Path;

use ndarray::{Array1, Axis};

use crate::bridge::{Affine, BridgeRecord, FlowNetworks};
use crate::data::{Snapshot, grown};
use crate::error::{Error, Result};
use crate::io::model::{Header, Interval, IntervalGrowth, Model, ValuesRecord, bridge_file};
use crate::linalg::Mlp;

/// No number of a model is larger: counts in single precision end at 1e38, and squares of what is
/// below this can still be multiplied.
const LARGEST: f64 = 1e60;

/// No cell grows by more than the exponential of this over an interval.
const MOST_GROWTH: f64 = 2000.0;

/// No draw of a flow takes more steps over an interval.
const MOST_STEPS: usize = 1_000_000;

/// No weight of a trained network is larger.
const MOST_WEIGHT: f32 = 1e6;

/// How far the mass of a plan may be from one, if it keeps the source's marginal: tables of pairs
/// leave out the least of them.
const MASS_SLACK: f64 = 1e-2;

/// What is wrong with a file of a model.
type Checked = std::result::Result<(), (String, String)>;

/// The model that was `read` from `folder`, if all of it fits together.
///
/// # Errors
/// [`Error::Unreadable`] with the file that is wrong; the error of `read` with the way out.
pub(super) fn whole(folder: &Path, read: Result<Model>) -> Result<Model> {
    let model = read.map_err(fit_again)?;
    let checks = [cells, genes, intervals];
    match checks.iter().try_for_each(|check| check(&model)) {
        Ok(()) => Ok(model),
        Err((file, problem)) => Err(damaged(&folder.join(file), problem)),
    }
}

/// A file of a model that is not as a fit writes it.
pub(super) fn damaged(path: &Path, problem: impl ToString) -> Error {
    fit_again(Error::Unreadable {
        path: path.to_path_buf(),
        problem: problem.to_string(),
        way_out: None,
    })
}

/// An error of a file of a model, with the way out.
pub(super) fn fit_again(error: Error) -> Error {
    match error {
        Error::NoFile { path, .. } => damaged(&path, "it is not there"),
        Error::Unreadable { path, problem, way_out: None } => {
            // Matrices and odd words are quoted: all of it on one line, without control characters.
            let words: Vec<&str> =
                problem.split(|c: char| c.is_whitespace() || c.is_control()).collect();
            let problem = words.join(" ");
            let way_out = Some("run `sbcell fit` again".into());
            Error::Unreadable { path, problem, way_out }
        }
        Error::Io { source, path, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            damaged(&path, "it is missing")
        }
        other => other,
    }
}

/// `header` if its numbers can be those of a model; before anything else is looked for by them.
///
/// # Errors
/// [`Error::Unreadable`].
pub(super) fn header(path: &Path, header: Header) -> Result<Header> {
    match numbers_of_header(&header) {
        Ok(()) => Ok(header),
        Err(problem) => Err(damaged(path, problem)),
    }
}

fn numbers_of_header(header: &Header) -> std::result::Result<(), String> {
    let wrong = |problem: String| Err(problem);
    let times: Vec<f64> = header.snapshots.iter().map(|snapshot| snapshot.time).collect();
    if times.len() < 2 {
        return wrong(format!("it has {} snapshots, at least two are needed", times.len()));
    }
    if let Some(time) = times.iter().find(|time| !time.is_finite()) {
        return wrong(format!("a time must be finite, got {time}"));
    }
    if let Some(pair) = times.windows(2).find(|pair| pair[0] >= pair[1]) {
        let [earlier, later] = [pair[0], pair[1]];
        return wrong(format!("the time {later} comes after {earlier}"));
    }
    if header.dimensions.is_empty() {
        return wrong("it names no dimensions".into());
    }
    let mut positive = vec![("scale", header.scale), ("epsilon", header.epsilon)];
    if let Some(ValuesRecord::Counts { depth }) = header.values {
        positive.push(("depth", depth));
    }
    if let Some((name, value)) = positive.into_iter().find(|entry| !is_size(entry.1)) {
        return wrong(format!("`{name}` must be finite and > 0, got {value}"));
    }
    let others = header.explained_variance.iter().chain([&header.total_variance]);
    if let Some(value) = others.chain([&header.sigma2]).find(|value| !is_number(**value)) {
        return wrong(format!("a number must be of a usual size, got {value}"));
    }
    if header.sigma2 < 0.0 {
        return wrong(format!("`sigma2` must be ≥ 0, got {}", header.sigma2));
    }
    Ok(())
}

fn cells(model: &Model) -> Checked {
    let wrong = |problem: String| Err(("cells.parquet".to_string(), problem));
    let (n, snapshots) = (model.cells.len(), &model.header.snapshots);
    if let Some(got) = [model.cell_times.len(), model.points.nrows()].iter().find(|got| **got != n)
    {
        return wrong(format!("it has {n} names for {got} cells"));
    }
    let mut counts = vec![0_usize; snapshots.len()];
    for (cell, time) in model.cell_times.iter().enumerate() {
        // Times increase, as has been checked.
        match snapshots.binary_search_by(|snapshot| snapshot.time.total_cmp(time)) {
            Ok(place) => counts[place] += 1,
            Err(_) => {
                return wrong(format!("cell {cell} has the time {time}, which model.json lacks"));
            }
        }
    }
    for (snapshot, count) in snapshots.iter().zip(counts) {
        if snapshot.n_cells != count || count == 0 {
            let (time, n) = (snapshot.time, snapshot.n_cells);
            return wrong(format!("it has {count} cells at {time}, model.json says {n}"));
        }
    }
    if model.points.ncols() != model.header.dimensions.len() {
        return wrong(format!("it has {} coordinates", model.points.ncols()));
    }
    match model.points.indexed_iter().find(|entry| !is_number(*entry.1)) {
        Some(((cell, column), value)) => {
            let name = &model.header.dimensions[column];
            wrong(format!("`{name}` of cell {cell} is {value}"))
        }
        None => Ok(()),
    }
}

fn genes(model: &Model) -> Checked {
    let wrong = |problem: String| Err(("genes.parquet".to_string(), problem));
    let Some(pca) = &model.pca else {
        if model.header.explained_variance.is_empty() {
            return Ok(());
        }
        return wrong("it is missing".into());
    };
    let (n_genes, n_pcs) = (model.genes.len(), model.header.dimensions.len());
    if pca.n_genes() != n_genes || pca.n_pcs() != n_pcs {
        let (genes, pcs) = (pca.n_genes(), pca.n_pcs());
        return wrong(format!("it has {genes} × {pcs} loadings for {n_genes} genes × {n_pcs}"));
    }
    match pca.mean().iter().find(|value| !is_number(**value)) {
        Some(value) => wrong(format!("the mean of a gene is {value}")),
        None => Ok(()),
    }
}

fn intervals(model: &Model) -> Checked {
    let snapshots = snapshots(model).map_err(|e| ("cells.parquet".to_string(), e.to_string()))?;
    let times = model.header.snapshots.windows(2);
    let first = model.intervals.first();
    for ((interval, ends), times) in model.intervals.iter().zip(snapshots.windows(2)).zip(times) {
        let file = bridge_file(times[0].time, times[1].time);
        let here = |problem: String| (file.clone(), problem);
        let told = [interval.from, interval.to];
        let same = told.iter().zip(times).all(|(told, s)| told.total_cmp(&s.time).is_eq());
        if !same {
            return Err(here(format!("it is of {} → {}", told[0], told[1])));
        }
        let names = |of: &Interval| of.fit.iter().map(|entry| entry.0.clone()).collect::<Vec<_>>();
        if first.is_some_and(|first| names(first) != names(interval)) {
            return Err(here("its distances are not those of the first interval".into()));
        }
        numbers(interval).map_err(here)?;
        restorable(interval, &ends[0], &ends[1]).map_err(here)?;
    }
    Ok(())
}

/// The snapshots as bridges see them.
fn snapshots(model: &Model) -> Result<Vec<Snapshot>> {
    let at = |time: f64| {
        let here = |cell: &usize| model.cell_times[*cell].total_cmp(&time).is_eq();
        let rows: Vec<usize> = (0..model.cells.len()).filter(here).collect();
        Snapshot::new(model.points.select(Axis(0), &rows) / model.header.scale)
    };
    model.header.snapshots.iter().map(|snapshot| at(snapshot.time)).collect()
}

/// Whether every number of an interval is of a size that can be computed with.
fn numbers(interval: &Interval) -> std::result::Result<(), String> {
    let Interval { from, to, epsilon, report, fit, bridge, growth } = interval;
    if !is_size(*epsilon) {
        return Err(format!("`epsilon` must be finite and > 0, got {epsilon}"));
    }
    let mut told = vec![report.objective, report.start_objective];
    told.extend(report.details.iter().map(|entry| entry.1));
    told.extend(fit.iter().filter_map(|entry| entry.1));
    let mut lists: Vec<&[f64]> = vec![&told];
    of_record(bridge, &mut lists);
    if let Some(value) = lists.into_iter().flatten().find(|value| !is_number(**value)) {
        return Err(format!("a number must be of a usual size, got {value}"));
    }
    if let Some(IntervalGrowth { prior, posterior }) = growth {
        if prior.len() != posterior.len() {
            let (n, m) = (prior.len(), posterior.len());
            return Err(format!("it has {n} rates of growth before the fit and {m} after"));
        }
        let most = MOST_GROWTH / (to - from);
        if let Some(rate) =
            prior.iter().chain(posterior).find(|rate| rate.is_nan() || rate.abs() > most)
        {
            return Err(format!("a cell grows at the rate {rate}"));
        }
    }
    Ok(())
}

/// All numbers of a bridge; every field is named, so that a new one is not forgotten.
fn of_record<'a>(record: &'a BridgeRecord, lists: &mut Vec<&'a [f64]>) {
    use std::slice::from_ref;
    let rows = |rows: &'a [Vec<f64>], lists: &mut Vec<&'a [f64]>| {
        lists.extend(rows.iter().map(Vec::as_slice));
    };
    match record {
        BridgeRecord::Gaussian(record) => {
            lists.extend([from_ref(&record.epsilon), &record.source_mean, &record.target_mean]);
            rows(&record.source_covariance, lists);
            rows(&record.slope, lists);
        }
        BridgeRecord::LightSb(record) => {
            lists.extend([from_ref(&record.epsilon), &record.source_mean, &record.target_mean]);
            lists.push(&record.log_alpha);
            rows(&record.r, lists);
            rows(&record.s, lists);
        }
        BridgeRecord::Flow(record) => {
            let Affine {
                source_mean,
                target_mean,
                source_variance,
                target_variance,
                covariance,
                least_variance,
                slopes: _,
            } = &record.affine;
            lists.extend([source_mean.as_slice(), target_mean, source_variance, target_variance]);
            lists.extend([covariance, from_ref(least_variance), &record.clock]);
            lists.push(from_ref(&record.epsilon));
        }
        BridgeRecord::Sinkhorn(record) => {
            lists.extend([from_ref(&record.epsilon), &record.source_potential]);
            lists.push(&record.target_potential);
            for lambda in [&record.source_relaxation, &record.target_relaxation] {
                lists.extend(lambda.as_ref().map(from_ref));
            }
        }
        BridgeRecord::Plan(record) => {
            lists.extend([from_ref(&record.epsilon), &record.mass, &record.factor]);
            for table in [&record.leave, &record.reach, &record.noise] {
                rows(table, lists);
            }
            if let Some((strength, width)) = &record.attraction {
                lists.extend([from_ref(strength), from_ref(width)]);
            }
        }
        BridgeRecord::Ends(record) => {
            lists.extend([from_ref(&record.epsilon), &record.mass]);
            rows(&record.forward, lists);
            rows(&record.backward, lists);
        }
        BridgeRecord::OrnsteinUhlenbeck(record) => {
            lists.extend([from_ref(&record.pull), &record.centre]);
            of_record(&record.inner, lists);
        }
    }
}

/// Whether the bridge of an interval can be had from its numbers and the cells of its ends.
fn restorable(
    interval: &Interval,
    source: &Snapshot,
    target: &Snapshot,
) -> std::result::Result<(), String> {
    let said = |error: Error| error.to_string();
    match &interval.bridge {
        BridgeRecord::Flow(record) => {
            let clock = record.clock[1] > 0.0 && record.n_steps <= MOST_STEPS;
            if !clock {
                let steps = record.n_steps;
                return Err(format!("its clock is {:?}, with {steps} steps", record.clock));
            }
            record.networks.as_deref().map_or(Ok(()), weights)?;
        }
        BridgeRecord::Plan(record) => mass(&record.mass, record.relaxed)?,
        BridgeRecord::Ends(record) => mass(&record.mass, record.relaxed)?,
        BridgeRecord::Gaussian(_)
        | BridgeRecord::LightSb(_)
        | BridgeRecord::Sinkhorn(_)
        | BridgeRecord::OrnsteinUhlenbeck(_) => {}
    }
    let record = interval.bridge.clone();
    let bridge = match &interval.growth {
        None => record.restore(source, target),
        Some(growth) => {
            let prior = Array1::from(growth.prior.clone());
            let length = interval.to - interval.from;
            grown(source, prior.view(), length).and_then(|grown| record.restore(&grown, target))
        }
    };
    let epsilon = bridge.map_err(said)?.epsilon().value();
    // A reference that pulls has a clock of its own.
    let own = matches!(interval.bridge, BridgeRecord::OrnsteinUhlenbeck(_));
    let same = own || (epsilon / interval.epsilon - 1.0).abs() < 1e-6;
    if is_size(epsilon) && same {
        return Ok(());
    }
    Err(format!("`epsilon` of its bridge is {epsilon}, of the interval {}", interval.epsilon))
}

fn mass(masses: &[f64], relaxed: bool) -> std::result::Result<(), String> {
    let total: f64 = masses.iter().sum();
    let slack = if relaxed { LARGEST } else { MASS_SLACK };
    if 0.0 < total && (total - 1.0).abs() <= slack {
        return Ok(());
    }
    Err(format!("the masses of its pairs must sum to 1, got {total}"))
}

fn weights(networks: &FlowNetworks) -> std::result::Result<(), String> {
    let all = [Some(networks.flow()), networks.score()].into_iter().flatten();
    let wrong = |value: &&f32| value.is_nan() || value.abs() > MOST_WEIGHT;
    match all.flat_map(Mlp::parameters).find(wrong) {
        Some(weight) => Err(format!("a weight of its networks is {weight}")),
        None => Ok(()),
    }
}

/// A number that can be squared and multiplied without leaving what is finite.
fn is_number(value: f64) -> bool {
    value.abs() <= LARGEST
}

/// A number that can be divided by, too.
fn is_size(value: f64) -> bool {
    (1.0 / LARGEST..=LARGEST).contains(&value)
}
