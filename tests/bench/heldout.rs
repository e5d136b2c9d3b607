//! Held-out times: the table of docs/BENCHMARKS.md, with its ablations, made and not typed.
//!
//! `cargo bench --bench heldout` runs everything (about half an hour on two cores); `-- defaults`,
//! `-- ways`, `-- auto`, `-- embryoid`, `-- ablation` and `-- genes` one part. Scores are those of
//! `sbcell evaluate`; the lines that say "published" are from the works named.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench stops at the first surprise and prints what it finds"
)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use sbcell::Silent;
use sbcell::bridge::{
    GaussianSolver, LightSbSolver, Mass, Member, OtSolver, SinkhornSolver, SplineSolver, Width,
};
use sbcell::io::validation::{HeldOutRecord, Validation, Verdict};
use sbcell::pipeline::{
    Asynchrony, AutoSolver, AutoWay, Bending, EvaluateOptions, Evaluated, FitOptions, Method,
    Protocol, SolverChoice, Source, TimeOptions, Timing, evaluate,
};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let asked = |word: &str| words.is_empty() || words.iter().any(|other| other == word);
    if asked("defaults") {
        defaults();
    }
    if asked("ways") {
        ways();
    }
    if asked("auto") {
        candidates();
    }
    if asked("embryoid") {
        embryoid();
    }
    if asked("ablation") {
        ablation();
    }
    if asked("genes") {
        genes();
    }
}

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("data-samples/{name}.h5ad"))
}

fn method(name: &str, solver: SolverChoice) -> Method {
    Method { name: name.into(), solver }
}

fn spline(relaxation: Option<f64>, momentum: f64) -> SplineSolver {
    SplineSolver::default().with_members(vec![Member { relaxation, momentum }])
}

/// Exact pairs, kept wide without noise.
fn wide(width: Width) -> SolverChoice {
    SolverChoice::of(spline(None, 0.0).with_width(width))
}

fn auto() -> SolverChoice {
    SolverChoice::of(AutoSolver::default().with_mass(Mass::Relaxed))
}

/// The sample courses, each with its embedding if it has one.
const COURSES: [(&str, Option<&str>); 4] = [
    ("semrau2017_mesc_ra", None),
    ("kouno2013_thp1", None),
    ("chu2016_hesc_de", None),
    ("moon2019_embryoid_5pcs", Some("X_pca")),
];

/// The defaults on all sample courses: energy distance over that of `FL`, a null model fixed
/// beforehand, and over that of the best null model in hindsight, an oracle.
fn defaults() {
    let solver = FitOptions::default().solver;
    let name = solver.name();
    let found = COURSES.map(|(course, rep)| {
        run(course, vec![method(name, solver.clone())], Protocol::Honest, rep)
    });
    println!("\n## Defaults on all sample courses, protocol honest\n");
    println!(
        "| course | times | of FL | of the oracle | FL: better, worse | oracle: better, worse |"
    );
    println!("|---|---:|---:|---:|---:|---:|");
    let mut counts = [0; 4];
    for ((course, _), found) in COURSES.iter().zip(&found) {
        let (of_pooled, of_oracle) = ratios(found, name);
        let verdicts = || found.held_out.iter().flat_map(|held| &held.verdicts);
        let count = |pooled: bool, verdict: Verdict| {
            verdicts().filter(|v| (if pooled { v.pooled } else { v.oracle }) == verdict).count()
        };
        let of_course = [(true, Verdict::Better), (true, Verdict::Worse)]
            .into_iter()
            .chain([(false, Verdict::Better), (false, Verdict::Worse)])
            .map(|(pooled, verdict)| count(pooled, verdict));
        let of_course: Vec<usize> = of_course.collect();
        println!(
            "| {course} | {} | {:.2} | {:.2} | {}, {} | {}, {} |",
            of_pooled.len(),
            mean(&of_pooled),
            mean(&of_oracle),
            of_course[0],
            of_course[1],
            of_course[2],
            of_course[3]
        );
        counts.iter_mut().zip(of_course).for_each(|(sum, n)| *sum += n);
    }
    let [a, b, c, d] = counts;
    println!("| all: mean (median) | {} | {a}, {b} | {c}, {d} |", line(&found, name));
}

/// The solvers with and without pace, curve and clocks.
fn ways() {
    let names = ["lightsb", "gaussian", "sinkhorn", "ot"];
    let methods = || {
        vec![
            method(names[0], SolverChoice::of(LightSbSolver::default())),
            method(names[1], SolverChoice::of(GaussianSolver::default())),
            method(names[2], SolverChoice::of(SinkhornSolver::default())),
            method(names[3], SolverChoice::of(OtSolver::default())),
        ]
    };
    println!("\n## Ways between the snapshots, 20 held-out times, protocol honest\n");
    println!("| way | solver | times | of FL | of the oracle |\n|---|---|---:|---:|---:|");
    for (way, timing, bend, asynchrony) in [
        ("straight, even, in step", Timing::Even, Bending::Off, Asynchrony::Off),
        ("pace", Timing::Auto, Bending::Off, Asynchrony::Off),
        ("curve", Timing::Even, Bending::Auto, Asynchrony::Off),
        ("pace and curve", Timing::Auto, Bending::Auto, Asynchrony::Off),
        ("κ = 1", Timing::Even, Bending::Off, Asynchrony::Kappa(1.0)),
        ("pace and curve, κ = 1", Timing::Auto, Bending::Auto, Asynchrony::Kappa(1.0)),
        ("pace and curve, κ = 0", Timing::Auto, Bending::Auto, Asynchrony::Kappa(0.0)),
        ("pace and curve, κ = 2", Timing::Auto, Bending::Auto, Asynchrony::Kappa(2.0)),
        ("pace and curve, κ chosen", Timing::Auto, Bending::Auto, Asynchrony::Auto),
        ("pace and curve, κ = 4", Timing::Auto, Bending::Auto, Asynchrony::Kappa(4.0)),
    ] {
        let found = COURSES.map(|(course, rep)| {
            let fit = |fit: FitOptions| {
                fit.with_timing(timing).with_bend(bend).with_asynchrony(asynchrony)
            };
            let options = |options: EvaluateOptions| {
                options.with_n_bootstrap(0).with_cells_per_time(Some(1000))
            };
            evaluated(course, methods(), Protocol::Honest, rep, fit, options).validation
        });
        for name in names {
            println!("| {way} | {name} | {} |", line(&found, name));
        }
    }
}

/// Each way among which `auto` chooses, and `auto`.
fn candidates() {
    let kept = || AutoSolver::default().with_mass(Mass::Kept);
    let one = |way: AutoWay| SolverChoice::of(kept().with_ways(vec![way]));
    let name = |way: AutoWay| format!("{way:?}").to_lowercase();
    let methods = || {
        let mut all: Vec<Method> =
            AutoWay::ALL.into_iter().map(|way| method(&name(way), one(way))).collect();
        all.push(method("auto", SolverChoice::of(kept())));
        all
    };
    let found = COURSES.map(|(course, rep)| run(course, methods(), Protocol::Honest, rep));
    println!("\n## Candidates of auto, energy distance over that of FL\n");
    let names: Vec<String> = AutoWay::ALL.into_iter().map(name).chain(["auto".into()]).collect();
    println!(
        "| time | {} | oracle |\n|---|{}---:|",
        names.join(" | "),
        "---:|".repeat(names.len())
    );
    for ((course, _), found) in COURSES.iter().zip(&found) {
        for (place, held) in found.held_out.iter().enumerate() {
            let each: Vec<String> =
                names.iter().map(|name| format!("{:.2}", ratios(found, name).0[place])).collect();
            let (of_pooled, of_oracle) = ratios(found, "auto");
            let oracle = of_pooled[place] / of_oracle[place];
            println!("| {course} {} | {} | {oracle:.2} |", held.time, each.join(" | "));
        }
    }
    println!("\n| way | times | of FL | of the oracle |\n|---|---:|---:|---:|");
    for name in &names {
        println!("| {name} | {} |", line(&found, name));
    }
}

/// Number of times, and means (medians) of both ratios over all courses.
fn line(found: &[Validation], name: &str) -> String {
    let (mut of_pooled, mut of_oracle) = (Vec::new(), Vec::new());
    for found in found {
        let (pooled, oracle) = ratios(found, name);
        of_pooled.extend(pooled);
        of_oracle.extend(oracle);
    }
    let n = of_pooled.len();
    let shown = |values: &mut [f64]| format!("{:.3} ({:.3})", mean(values), median(values));
    format!("{n} | {} | {}", shown(&mut of_pooled), shown(&mut of_oracle))
}

/// The energy distance of a method over that of `FL`, and over that of the best null model, at
/// each time.
fn ratios(found: &Validation, name: &str) -> (Vec<f64>, Vec<f64>) {
    let at = |held: &HeldOutRecord| {
        let energy = |name: &str| found.row(held.time, name, "energy").unwrap().value.unwrap();
        let least = ["F", "L", "M", "FL", "R"].map(energy).into_iter().fold(f64::MAX, f64::min);
        // An oracle at the noise floor can be zero by chance.
        (energy(name) / energy("FL"), energy(name) / least.max(1e-6))
    };
    found.held_out.iter().map(at).unzip()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

/// The field's table: embryoid bodies, 5 components, W1 between whole populations.
fn embryoid() {
    let methods = vec![
        method("ot", SolverChoice::of(OtSolver::default())),
        method("sinkhorn", SolverChoice::of(SinkhornSolver::default())),
        method("lightsb", SolverChoice::of(LightSbSolver::default())),
        method("spline", SolverChoice::of(SplineSolver::default())),
        method("auto", auto()),
    ];
    let found = run("moon2019_embryoid_5pcs", methods, Protocol::Sf2m, Some("X_pca"));
    println!("\n## Embryoid bodies, 5 components, protocol sf2m\n");
    by_time(&found, &["F", "L", "M", "FL", "R"]);
    println!(
        "| published: `[SF]²M` 0.793, OT-CFM 0.790, metric flow matching 0.713; 0.641 with a checkpoint chosen on the held-out time | | | | | | |"
    );
}

/// What each part of a spline does, on the same data.
fn ablation() {
    let with = |change: fn(&mut SplineSolver)| {
        let mut solver = SplineSolver::default();
        change(&mut solver);
        SolverChoice::of(solver)
    };
    let methods = vec![
        method("straight", SolverChoice::of(spline(None, 0.0))),
        method("momentum", SolverChoice::of(spline(None, 1.0))),
        method("growth", SolverChoice::of(spline(Some(0.5), 0.0))),
        method("growth+momentum", SolverChoice::of(spline(Some(0.5), 1.0))),
        method("…+pull", with(|solver| (solver.pull, solver.pull_width) = (0.5, 1.0))),
        method("…+noise", with(|solver| solver.noise_back = 0.5)),
    ];
    let found = run("moon2019_embryoid_5pcs", methods, Protocol::Sf2m, Some("X_pca"));
    println!("\n## What each part does: embryoid bodies, protocol sf2m\n");
    by_time(&found, &[]);
}

/// Expression of few genes, all components, nothing known of the held-out time.
fn genes() {
    for (name, title) in [
        ("semrau2017_mesc_ra", "Semrau 2017, 41 components"),
        ("kouno2013_thp1", "Kouno 2013, 45 components"),
        ("chu2016_hesc_de", "Chu 2016, 50 components of 100 genes"),
    ] {
        let noisy = spline(None, 0.0).with_noise_back(1.0);
        let methods = vec![
            method("ot", SolverChoice::of(OtSolver::default())),
            method("sinkhorn", SolverChoice::of(SinkhornSolver::default())),
            method("lightsb", SolverChoice::of(LightSbSolver::default())),
            method("ot+noise", SolverChoice::of(noisy)),
            method("ends", wide(Width::Ends)),
            method("map", wide(Width::Map)),
            method("spline", SolverChoice::of(SplineSolver::default())),
            method("auto", auto()),
        ];
        let found = run(name, methods, Protocol::Honest, None);
        println!("\n## {title}, protocol honest\n");
        means(&found);
        against_straight(&found);
    }
}

fn run(name: &str, methods: Vec<Method>, protocol: Protocol, rep: Option<&str>) -> Validation {
    let clock = Instant::now();
    let n_bootstrap = if protocol == Protocol::Honest { 200 } else { 0 };
    let options = |options: EvaluateOptions| options.with_n_bootstrap(n_bootstrap);
    let found = evaluated(name, methods, protocol, rep, |fit| fit, options);
    println!("\n{name}: {:.0} s", clock.elapsed().as_secs_f64());
    for note in found.notes.iter().filter(|note| note.contains("auto:")) {
        println!("  {note}");
    }
    found.validation
}

/// An evaluation with changes of the default options.
fn evaluated(
    name: &str,
    methods: Vec<Method>,
    protocol: Protocol,
    rep: Option<&str>,
    fit: impl Fn(FitOptions) -> FitOptions,
    options: impl Fn(EvaluateOptions) -> EvaluateOptions,
) -> Evaluated {
    let column = if rep.is_some() { None } else { Some("time".to_string()) };
    let plain = FitOptions::default()
        .with_time(TimeOptions::default().with_column(column).with_map(None))
        .with_source(rep.map_or(Source::X, |key| Source::Rep(key.into())));
    let plain = EvaluateOptions::new(fit(plain), methods).with_protocol(protocol);
    evaluate(&sample(name), &options(plain), &mut Silent).unwrap()
}

/// W1 at each time, then the means.
fn by_time(found: &Validation, nulls: &[&str]) {
    let times: Vec<f64> = found.held_out.iter().map(|held| held.time).collect();
    let heads: Vec<String> = times.iter().map(|time| format!("W1 at {time}")).collect();
    println!("| method | {} | mean W1 | mean energy | variance ratio |", heads.join(" | "));
    println!("|---|{}", "---:|".repeat(times.len() + 3));
    let shown = |name: &&str| !["A", "P", "F", "L", "M", "FL", "R", "Rg"].contains(name);
    let names = found.names().into_iter().filter(shown).chain(nulls.iter().copied());
    for name in names {
        let at = |time: &f64| found.row(*time, name, "w1").and_then(|row| row.value);
        let cells: Vec<String> = times.iter().map(|time| three(at(time))).collect();
        println!(
            "| {name} | {} | {} | {} | {} |",
            cells.join(" | "),
            three(found.mean(name, "w1")),
            four(found.mean(name, "energy")),
            three(found.mean(name, "variance_ratio"))
        );
    }
}

fn means(found: &Validation) {
    println!("| method | energy | W1 | variance ratio |\n|---|---:|---:|---:|");
    for name in found.names() {
        println!(
            "| {name} | {} | {} | {} |",
            four(found.mean(name, "energy")),
            three(found.mean(name, "w1")),
            three(found.mean(name, "variance_ratio"))
        );
    }
}

/// At how many times a method is worse than the straight bridge by more than its own interval, and
/// better by more.
fn against_straight(found: &Validation) {
    for metric in ["energy", "w1"] {
        for name in ["spline", "spline:weighted", "auto", "auto:weighted"] {
            let (mut worse, mut better) = (0, 0);
            for held in &found.held_out {
                let straight = found.row(held.time, "ot", metric).and_then(|row| row.value);
                let row = found.row(held.time, name, metric);
                let Some((straight, row)) = straight.zip(row) else { continue };
                worse += usize::from(row.lo.is_some_and(|lo| lo > straight));
                better += usize::from(row.hi.is_some_and(|hi| hi < straight));
            }
            let n = found.held_out.len();
            println!("{metric}: {name} worse than ot at {worse} of {n} times, better at {better}");
        }
    }
}

fn three(value: Option<f64>) -> String {
    value.map_or("–".into(), |value| format!("{value:.3}"))
}

fn four(value: Option<f64>) -> String {
    value.map_or("–".into(), |value| format!("{value:.4}"))
}
