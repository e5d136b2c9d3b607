//! Scores of held-out times on courses whose truth is known, and that nothing leaks into them.

use std::path::Path;

use ndarray::{Array2, Axis};
use rand_distr::{Distribution, StandardNormal};
use sbcell::bridge::{Mass, OtSolver, SinkhornSolver};
use sbcell::data::Column;
use sbcell::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use sbcell::io::validation::Validation;
use sbcell::pipeline::{
    Asynchrony, AutoSolver, Bending, EvaluateOptions, FitOptions, Method, Protocol, SolverChoice,
    Source, evaluate,
};
use sbcell::{Seed, Silent};

const PER_TIME: usize = 300;
const TIMES: [f64; 5] = [0.0, 1.0, 2.0, 4.0, 5.0];

/// Two types of cells that move apart at constant speed, in 12 genes, with noise; positive.
fn genes() -> Array2<f32> {
    let mut rng = Seed(5).stream("test", 0);
    Array2::from_shape_fn((PER_TIME * TIMES.len(), 12), |(cell, gene)| {
        let time = TIMES[cell / PER_TIME];
        let direction = if cell % 2 == 0 { 1.0 } else { -1.0 };
        let moved = match gene {
            0..4 => direction * (time + 2.0),
            4..8 => time,
            _ => 0.0,
        };
        let noise: f64 = StandardNormal.sample(&mut rng);
        (12.0 + 1.5 * moved + 0.5 * noise) as f32
    })
}

fn write(path: &Path, genes: &Array2<f32>) {
    let n = genes.nrows();
    let names: Vec<String> = (0..n).map(|cell| format!("c{cell}")).collect();
    let var: Vec<String> = (0..genes.ncols()).map(|gene| format!("g{gene}")).collect();
    let days = (0..n).map(|cell| TIMES[cell / PER_TIME]).collect();
    let batches = (0..n).map(|cell| format!("b{}", cell % 10 / 2)).collect::<Vec<_>>();
    let batches = Column::Texts(batches.into_iter().map(Some).collect());
    let content = H5adContent {
        obs_names: &names,
        obs: &[("day", &Column::Floats(days)), ("batch", &batches)],
        var_names: &var,
        x: Some(MatrixContent::Single(genes.view())),
        ..H5adContent::default()
    };
    write_h5ad(path, &content).unwrap();
}

fn options(protocol: Protocol) -> EvaluateOptions {
    // Cells of this course move in step, on straight lines.
    let fit = FitOptions::default()
        .with_n_pcs(6)
        .with_source(Source::X)
        .with_asynchrony(Asynchrony::Off)
        .with_bend(Bending::Off);
    let methods = vec![
        Method { name: "ot".into(), solver: SolverChoice::of(OtSolver::default()) },
        Method { name: "sinkhorn".into(), solver: SolverChoice::of(SinkhornSolver::default()) },
    ];
    EvaluateOptions::new(fit, methods).with_protocol(protocol).with_n_bootstrap(60)
}

fn scores(genes: &Array2<f32>, options: &EvaluateOptions) -> Validation {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("course.h5ad");
    write(&path, genes);
    evaluate(&path, options, &mut Silent).unwrap().validation
}

/// All numbers of a name at a time.
fn numbers(validation: &Validation, time: f64, name: &str) -> Vec<u64> {
    let rows = validation.rows.iter();
    // The width of the kernel of the discrepancy is that of the held-out cells.
    rows.filter(|row| row.interval_mid.total_cmp(&time).is_eq() && row.name == name)
        .filter(|row| row.metric != "mmd")
        .flat_map(|row| [row.value, row.lo, row.hi])
        .flatten()
        .map(f64::to_bits)
        .collect()
}

#[test]
fn a_course_of_constant_speed_is_explained_and_nulls_are_where_they_must_be() {
    let scores = scores(&genes(), &options(Protocol::Honest));
    assert_eq!(scores.held_out.len(), 3);
    assert_eq!(scores.leaks.len(), 0);
    for held in &scores.held_out {
        let value = |name: &str, metric: &str| {
            scores.row(held.time, name, metric).and_then(|row| row.value).unwrap()
        };
        for name in ["ot", "sinkhorn"] {
            let skill = value(name, "skill_energy");
            assert!((0.8..1.2).contains(&skill), "{} {name} {skill}", held.time);
            assert!((0.75..1.15).contains(&value(name, "variance_ratio")), "{} {name}", held.time);
        }
        // Cells of the time before are not there yet, cells of the time after are beyond.
        assert!(value("F", "energy") > 10.0 * value("ot", "energy").abs());
        assert!(value("L", "energy") > 10.0 * value("ot", "energy").abs());
        assert!(value("R", "variance_ratio") < 0.7);
        assert!((value("ot", "energy_half") * 2.0 - value("ot", "energy")).abs() < 1e-12);
        assert!(value("A", "energy") > value("F", "energy"));
        assert!(held.words.iter().any(|words| words.starts_with("ot: better than")), "{held:?}");
    }
    // Half-way between days 2 and 5 by real spacing is not day 4: spacing is used.
    let even = options(Protocol::Sf2m);
    let even = self::scores(&genes(), &even);
    let of = |v: &Validation| v.row(4.0, "ot", "energy").and_then(|row| row.value).unwrap();
    assert!(of(&even) > 0.5 && of(&scores).abs() < 0.2, "{} {}", of(&even), of(&scores));
}

/// Other held-out cells change no prediction: the distance between the times before and after,
/// in coordinates of this fold, and the scale that goes with it, stay the same to the last bit.
#[test]
fn held_out_cells_are_known_to_nothing_but_the_scores() {
    let held = 2;
    let original = genes();
    let mut other = original.clone();
    for mut cell in
        other.slice_axis_mut(Axis(0), (held * PER_TIME..(held + 1) * PER_TIME).into()).rows_mut()
    {
        // Other genes vary most, and by far more.
        cell[9] *= 1.0 + 3.0 * (cell[9] - 12.0).abs();
        cell[10] += 20.0;
    }
    let time = TIMES[held];
    let both = |protocol| {
        let options = options(protocol).with_at(vec![time]);
        [&original, &other].map(|genes| scores(genes, &options))
    };
    for protocol in [Protocol::Honest, Protocol::Wot] {
        let [a, b] = both(protocol);
        assert_eq!(numbers(&a, time, "A"), numbers(&b, time, "A"), "{protocol:?}");
        assert_eq!(a.held_out[0].solved, b.held_out[0].solved);
        assert_ne!(numbers(&a, time, "ot"), numbers(&b, time, "ot"));
    }
    // The habits of others let them leak, and say so.
    for protocol in [Protocol::Sf2m, Protocol::LightSb, Protocol::TrajectoryNet] {
        let [a, b] = both(protocol);
        assert_ne!(numbers(&a, time, "A"), numbers(&b, time, "A"), "{protocol:?}");
        assert!(!a.leaks.is_empty());
    }
}

/// What `auto` chooses for a held-out time is chosen without it; and it is not worse than the
/// straight bridge where cells turn.
#[test]
fn auto_chooses_without_the_held_out_time() {
    let mut turning = genes();
    for (cell, mut row) in turning.rows_mut().into_iter().enumerate() {
        let time = TIMES[cell / PER_TIME] as f32;
        // One more gene goes up and down again.
        row[8] += 8.0 * (0.9 * time).sin();
    }
    let mut other = turning.clone();
    let held = (2 * PER_TIME..3 * PER_TIME).into();
    other.slice_axis_mut(Axis(0), held).mapv_inplace(|value| value * 1.5);
    let auto = Method { name: "auto".into(), solver: SolverChoice::of(AutoSolver::default()) };
    let mut options = options(Protocol::Honest).with_at(vec![2.0]).with_select(true);
    options.methods.truncate(1);
    options.methods.push(auto);
    options.cells_per_time = Some(120);
    let [a, b] = [&turning, &other].map(|genes| scores(genes, &options));
    assert_eq!(a.held_out[0].solved, b.held_out[0].solved);
    let chosen = a.held_out[0].solved.iter().find(|solved| solved.name == "auto").unwrap();
    assert!(chosen.parameters["spline"]["members"].as_array().is_some(), "{chosen:?}");
    let energy = |name: &str| a.row(2.0, name, "energy").and_then(|row| row.value).unwrap();
    assert!(energy("auto") < energy("ot"), "{} {}", energy("auto"), energy("ot"));
    // `--select` takes one of the two, by name.
    let selected = energy("selected");
    assert!((selected - energy("auto")).abs().min((selected - energy("ot")).abs()) < 1e-15);
}

/// Where cells jump at random times, the pool of both neighbouring times is the truth and `auto` takes it;
/// where they move at constant speed, it takes pairs that move. A course of three times has no inner time.
#[test]
fn auto_takes_the_pool_where_cells_jump_and_pairs_where_they_move() {
    let mut rng = Seed(6).stream("test", 0);
    let jumping = Array2::from_shape_fn((PER_TIME * TIMES.len(), 12), |(cell, gene)| {
        let share = TIMES[cell / PER_TIME] / TIMES[TIMES.len() - 1];
        // The share of cells that have jumped is exactly that of the time which has passed.
        let jumped = (cell * 7 % PER_TIME) as f64 / (PER_TIME as f64) < share;
        let noise: f64 = StandardNormal.sample(&mut rng);
        let level = if jumped && gene < 6 { 20.0 } else { 10.0 };
        (level + 0.5 * noise) as f32
    });
    let auto = SolverChoice::of(AutoSolver::default().with_mass(Mass::Kept));
    let mut options = options(Protocol::Honest).with_at(vec![2.0]);
    options.methods = vec![Method { name: "auto".into(), solver: auto }];
    options.fit = options.fit.with_asynchrony(Asynchrony::Auto).with_bend(Bending::Auto);
    let family = |validation: &Validation| {
        let solved = &validation.held_out[0].solved;
        let auto = solved.iter().find(|solved| solved.name == "auto").unwrap();
        auto.parameters.as_object().unwrap().keys().next().unwrap().clone()
    };
    let found = scores(&jumping, &options);
    assert_eq!(family(&found), "ot");
    let energy = |found: &Validation, name: &str| {
        found.row(2.0, name, "energy").and_then(|row| row.value).unwrap()
    };
    // Half-way between the two states there is no cell.
    let (auto, pairs) = (energy(&found, "auto"), energy(&found, "R"));
    assert!(auto < 0.1 && pairs > 1.0, "{auto} {pairs}");
    let found = scores(&genes(), &options);
    let (auto, pool) = (energy(&found, "auto"), energy(&found, "FL"));
    assert!(auto < 0.1 * pool, "{auto} {pool}");
    // Times 0, 1 and 2, of which 1 is held out.
    let three = jumping.slice(ndarray::s![..3 * PER_TIME, ..]).to_owned();
    assert_eq!(family(&scores(&three, &options.with_at(vec![1.0]))), "spline");
}

/// Waddington-OT's components are those of the two neighbouring times: other times do not matter.
#[test]
fn the_wot_protocol_looks_at_the_two_neighbours_only() {
    let original = genes();
    let mut other = original.clone();
    other.slice_axis_mut(Axis(0), (0..PER_TIME).into()).mapv_inplace(|value| value * 1.5 + 1.0);
    let time = TIMES[2];
    let at = |genes, protocol| scores(genes, &options(protocol).with_at(vec![time]));
    for name in ["ot", "A", "floor"] {
        let of = |genes, protocol| numbers(&at(genes, protocol), time, name);
        assert_eq!(of(&original, Protocol::Wot), of(&other, Protocol::Wot), "{name}");
        assert_ne!(of(&original, Protocol::Honest), of(&other, Protocol::Honest), "{name}");
    }
}

#[test]
fn whole_populations_are_compared_where_the_protocol_says_so() {
    let fewer = genes().slice(ndarray::s![..PER_TIME * 4 + 40, ..]).to_owned();
    let at = |protocol| {
        let options = options(protocol).with_at(vec![4.0]);
        let validation = scores(&fewer, &options);
        validation.row(4.0, "L", "w1").unwrap().n
    };
    // Half of the 40 cells of the last time.
    assert_eq!(at(Protocol::Honest), 20);
    assert_eq!(at(Protocol::Sf2m), 40);
    let n = |name: &str| {
        let options = options(Protocol::Sf2m).with_at(vec![2.0]);
        scores(&fewer, &options).row(2.0, name, "w1").unwrap().n
    };
    assert_eq!((n("ot"), n("floor")), (PER_TIME, PER_TIME / 2));
}

/// Batches that differ: their resamples say more uncertainty than those of cells, and `P` is the
/// distance between them.
#[test]
fn batches_are_resampled_whole() {
    let mut genes = genes();
    for (cell, mut row) in genes.rows_mut().into_iter().enumerate() {
        row[11] += 2.0 * (cell % 10 / 2) as f32;
    }
    let with = |batch: Option<&str>| {
        let batch = batch.map(str::to_string);
        scores(&genes, &options(Protocol::Honest).with_batch(batch).with_at(vec![2.0]))
    };
    let (cells, batches) = (with(None), with(Some("batch")));
    let width = |v: &Validation, metric: &str| {
        let row = v.row(2.0, "ot", metric).unwrap();
        row.hi.unwrap() - row.lo.unwrap()
    };
    assert!(width(&batches, "energy") > 1.5 * width(&cells, "energy"));
    assert!(cells.row(2.0, "P", "energy").is_none());
    let between = batches.row(2.0, "P", "energy").unwrap();
    assert_eq!(between.rep, 10, "pairs of five batches");
    assert!(between.value.unwrap() > 0.1);
}

#[test]
fn times_that_cannot_be_held_out_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("course.h5ad");
    write(&path, &genes());
    for (at, said) in [(0.0, "`at`"), (5.0, "`at`"), (3.0, "no cells were observed at 3")] {
        let options = options(Protocol::Honest).with_at(vec![at]);
        let error = evaluate(&path, &options, &mut Silent).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    write(&path, &genes().slice(ndarray::s![..2 * PER_TIME, ..]).to_owned());
    let error = evaluate(&path, &options(Protocol::Honest), &mut Silent).unwrap_err().to_string();
    assert!(error.contains("three"), "{error}");
}
