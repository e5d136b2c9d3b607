//! Checks of a model that was read, or is about to be written: whether its parts agree.

use std::path::Path;

use ndarray::Axis;

use crate::data::Snapshot;
use crate::error::{Error, Result};
use crate::io::bridge_check::{self, is_number, is_place, is_size, same};
use crate::io::model::{Header, Interval, Model, ValuesRecord, bridge_file};

/// `Ok`, or the name of a file of the model and a description of its problem.
type Checked = std::result::Result<(), (String, String)>;

/// The model that was `read` from `folder`, if its parts agree.
///
/// # Errors
/// [`Error::Unreadable`] with the file that is wrong; the error of `read` with the advice to fit again.
pub(super) fn whole(folder: &Path, read: Result<Model>) -> Result<Model> {
    let model = read.map_err(fit_again)?;
    match parts(&model) {
        Ok(()) => Ok(model),
        Err((file, problem)) => Err(damaged(&folder.join(file), problem)),
    }
}

/// Checks that a model could be read again before it is written.
///
/// # Errors
/// [`Error::Numerical`] if it could not.
pub(super) fn writable(model: &Model) -> Result<()> {
    let header = numbers_of_header(&model.header).map_err(|problem| ("model.json".into(), problem));
    header.and_then(|()| parts(model)).map_err(|(file, problem)| {
        let why = format!(
            "{file} could not be read again: {problem}; values are too large for numerical computations"
        );
        Error::Numerical { what: "the model that was found", why }
    })
}

/// Checks cells, genes and intervals.
fn parts(model: &Model) -> Checked {
    [cells, genes, intervals].iter().try_for_each(|check| check(model))
}

/// The error for a file of a model that is not as a fit writes it.
pub(super) fn damaged(path: &Path, problem: impl ToString) -> Error {
    fit_again(Error::Unreadable {
        path: path.to_path_buf(),
        problem: problem.to_string(),
        way_out: None,
    })
}

/// The error of a file of a model, with the advice to fit again.
pub(super) fn fit_again(error: Error) -> Error {
    match error {
        Error::NoFile { path, .. } => damaged(&path, "it is not there"),
        Error::Unreadable { path, problem, way_out: None } => {
            // A problem may quote the file: put it on one line and remove control characters.
            let words: Vec<&str> =
                problem.split(|c: char| c.is_whitespace() || c.is_control()).collect();
            let problem = words.join(" ");
            let way_out = Some("run `sbcell fit` again".into());
            Error::Unreadable { path, problem, way_out }
        }
        other => other,
    }
}

/// The `header` if its numbers can be those of a model. Call this before the header is used to find the
/// other files.
///
/// # Errors
/// [`Error::Unreadable`] if they cannot.
pub(super) fn header(path: &Path, header: Header) -> Result<Header> {
    match numbers_of_header(&header) {
        Ok(()) => Ok(header),
        Err(problem) => Err(damaged(path, problem)),
    }
}

/// Checks the numbers of a header: times are finite and increase, scale and ε are positive, others are
/// of a usual size.
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
    if let Some(epsilon) = header.coupling_epsilon {
        positive.push(("coupling_epsilon", epsilon));
    }
    if let Some((name, value)) = positive.into_iter().find(|entry| !is_size(entry.1)) {
        return wrong(format!("`{name}` must be finite and > 0, got {value}"));
    }
    let others = header.explained_variance.iter().chain([&header.total_variance]);
    if let Some(value) = others.chain([&header.sigma2]).find(|value| !is_number(**value)) {
        return wrong(format!("a number must not be too large for computations, got {value}"));
    }
    if header.sigma2 < 0.0 {
        return wrong(format!("`sigma2` must be ≥ 0, got {}", header.sigma2));
    }
    Ok(())
}

/// Checks that `cells.parquet` has the cells that `model.json` counts, with finite coordinates.
fn cells(model: &Model) -> Checked {
    let wrong = |problem: String| Err(("cells.parquet".to_string(), problem));
    let (n, snapshots) = (model.cells.len(), &model.header.snapshots);
    if let Some(got) = [model.cell_times.len(), model.points.nrows()].iter().find(|got| **got != n)
    {
        return wrong(format!("it has {n} names for {got} cells"));
    }
    let mut counts = vec![0_usize; snapshots.len()];
    for (cell, time) in model.cell_times.iter().enumerate() {
        // The search needs increasing times, which the check of the header guarantees.
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
    let scale = model.header.scale;
    match model.points.indexed_iter().find(|entry| !is_place(*entry.1, scale)) {
        Some(((cell, column), value)) => {
            let name = &model.header.dimensions[column];
            wrong(format!("`{name}` of cell {cell} is {value:?}"))
        }
        None => Ok(()),
    }
}

/// Checks that `genes.parquet` has one row of loadings for each gene, if there are components.
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

/// Checks that each interval has the times and the ε of the header, that all have the same distances,
/// and that each bridge is sound ([`bridge_check::sound`]).
fn intervals(model: &Model) -> Checked {
    let snapshots = snapshots(model).map_err(|e| ("cells.parquet".to_string(), e.to_string()))?;
    let times = model.header.snapshots.windows(2);
    let first = model.intervals.first();
    for ((interval, ends), times) in model.intervals.iter().zip(snapshots.windows(2)).zip(times) {
        let file = bridge_file(times[0].time, times[1].time);
        let here = |problem: String| (file.clone(), problem);
        let told = [interval.from, interval.to];
        let at_ends = told.iter().zip(times).all(|(told, s)| told.total_cmp(&s.time).is_eq());
        if !at_ends {
            return Err(here(format!("it is of {} → {}", told[0], told[1])));
        }
        let names = |of: &Interval| of.fit.iter().map(|entry| entry.0.clone()).collect::<Vec<_>>();
        if first.is_some_and(|first| names(first) != names(interval)) {
            return Err(here("its distances are not those of the first interval".into()));
        }
        let epsilon = noise_of(&model.header, interval.to - interval.from);
        if !same(interval.epsilon, epsilon) {
            let told = interval.epsilon;
            return Err(here(format!(
                "it belongs to another fit than model.json: its `epsilon` is {told:?}, not {epsilon:?}"
            )));
        }
        bridge_check::sound(interval, &ends[0], &ends[1]).map_err(here)?;
    }
    Ok(())
}

/// ε of an interval of this `length`, in scaled units: `σ² Δt / scale²`.
fn noise_of(header: &Header, length: f64) -> f64 {
    header.sigma2 * length / (header.scale * header.scale)
}

/// The snapshots in the scaled coordinates of the bridges.
fn snapshots(model: &Model) -> Result<Vec<Snapshot>> {
    let at = |time: f64| {
        let here = |cell: &usize| model.cell_times[*cell].total_cmp(&time).is_eq();
        let rows: Vec<usize> = (0..model.cells.len()).filter(here).collect();
        Snapshot::new(model.points.select(Axis(0), &rows) / model.header.scale)
    };
    model.header.snapshots.iter().map(|snapshot| at(snapshot.time)).collect()
}
