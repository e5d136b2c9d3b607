//! A fit that is stopped half-way loses nothing that was found, and leaves nothing half-written.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sbcell::bridge::LightSbSolver;
use sbcell::pipeline::{FitOptions, Noise, Running, SolverChoice, TimeOptions, fit};
use sbcell::progress::{Event, Progress};
use sbcell::{Error, Silent};

fn again() -> Running {
    Running { resume: true, memory: None }
}

/// Presses the stop button when the interval number `interval` begins to be solved.
struct StopAt {
    interval: usize,
    begun: usize,
    notes: Vec<String>,
}

impl Progress for StopAt {
    fn report(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::Begin { what, .. } if what.contains(&format!("({} of", self.interval)) => {
                self.begun += 1;
                return ControlFlow::Break(());
            }
            Event::Note { text } | Event::Aside { text } => self.notes.push(text.clone()),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data-samples/semrau2017_mesc_ra.h5ad")
}

fn options() -> FitOptions {
    FitOptions::default()
        .with_time(TimeOptions::default().with_column(Some("time".into())).with_map(None))
        .with_filters(vec!["time<=24".into()])
        .with_n_pcs(5)
        .with_solver(SolverChoice::of(
            LightSbSolver::default()
                .with_n_gaussians(3.into())
                .with_max_iterations(200)
                .with_tolerance(1e-5),
        ))
}

fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            found.push((name, fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn an_interrupted_fit_is_taken_up_and_gives_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let (out, whole) = (folder.path().join("out"), folder.path().join("whole"));
    let mut stop = StopAt { interval: 3, begun: 0, notes: Vec::new() };
    let stopped = fit(&sample(), &out, &options(), Running::default(), &mut stop);
    assert!(matches!(stopped, Err(Error::Cancelled)));
    assert!(!out.exists(), "no model before it is whole");
    let partial = folder.path().join("out.partial");
    assert_eq!(fs::read_dir(partial.join("bridges")).unwrap().count(), 2);

    let mut listen = StopAt { interval: 99, begun: 0, notes: Vec::new() };
    fit(&sample(), &out, &options(), again(), &mut listen).unwrap();
    let taken = listen.notes.iter().filter(|note| note.contains("found before")).count();
    assert_eq!(taken, 2, "{:?}", listen.notes);
    assert!(!partial.exists());

    fit(&sample(), &whole, &options(), Running::default(), &mut Silent).unwrap();
    assert!(contents(&out) == contents(&whole), "every file, the run record included");
}

#[test]
fn a_fit_of_other_parameters_is_not_mixed_in() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut stop = StopAt { interval: 2, begun: 0, notes: Vec::new() };
    fit(&sample(), &out, &options(), Running::default(), &mut stop).unwrap_err();
    let other = options().with_noise(Noise::Epsilon(0.5));
    let refused = fit(&sample(), &out, &other, again(), &mut Silent).unwrap_err();
    assert!(matches!(refused, Error::OtherPlan { .. }), "{refused}");
    assert!(refused.hint().unwrap().contains("`resume`"));
    // Without --resume it starts over.
    fit(&sample(), &out, &other, Running::default(), &mut Silent).unwrap();
    assert!(out.join("model.json").exists());
}

#[test]
fn what_is_not_ours_is_never_overwritten_or_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (out, partial) = (folder.path().join("out"), folder.path().join("out.partial"));
    for (mine, path) in [("cells.parquet", &out), ("thesis.txt", &partial)] {
        fs::create_dir(path).unwrap();
        fs::write(path.join(mine), "precious").unwrap();
        let refused =
            fit(&sample(), &out, &options(), Running::default(), &mut Silent).unwrap_err();
        assert!(matches!(refused, Error::OutputTaken { .. }), "{refused}");
        assert_eq!(fs::read_to_string(path.join(mine)).unwrap(), "precious");
        fs::remove_dir_all(path).unwrap();
    }
}

#[test]
fn stopped_before_the_first_interval_there_is_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let mut stop = StopAt { interval: 1, begun: 0, notes: Vec::new() };
    fit(&sample(), &folder.path().join("out"), &options(), Running::default(), &mut stop)
        .unwrap_err();
    assert_eq!(stop.begun, 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
