//! `velocity`: means that are known, one unit throughout, words about noise.

use crate::sandbox::{Sandbox, sample};
use crate::tables::{columns, numbers};

const FIT: &str = "fit data.h5ad --timepoints time --obs-filter time<=24 --no-validation \
                   --bend off --timing even";

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    sum / n
}

#[test]
fn the_mean_drift_carries_the_mean_of_the_cells() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    sandbox.done(&format!("{FIT} --solver gaussian"));
    sandbox.done("velocity --space both --out v.csv");
    let table = columns(&sandbox, "v.csv");
    // Expression of the cells themselves, as a population at the times of the snapshots.
    sandbox.done("interpolate --at 0,6,12,24 --space genes --out x.csv");
    let cells = columns(&sandbox, "x.csv");
    let (times, of) = (numbers(&table["time"]), numbers(&cells["time"]));
    let at = |column: &[String], times: &[f64], time: f64| {
        let here =
            numbers(column).into_iter().zip(times).filter(|pair| pair.1.total_cmp(&time).is_eq());
        mean(here.map(|pair| pair.0).collect::<Vec<_>>().into_iter())
    };
    for gene in ["Sox2", "Pou5f1", "Gata4"] {
        for (from, to) in [(0.0, 6.0), (6.0, 12.0), (12.0, 24.0)] {
            let expression = |time| at(&cells[gene], &of, time);
            let wanted = (expression(to) - expression(from)) / (to - from);
            let found = at(&table[&format!("velocity_{gene}")], &times, from);
            assert!((found - wanted).abs() < 1e-9, "{gene} {from}: {found} and {wanted}");
        }
    }
    let speed = numbers(&table["speed"]);
    let squares = |cell: usize| {
        let pcs = table.iter().filter(|column| column.0.starts_with("velocity_PC"));
        pcs.map(|column| column.1[cell].parse::<f64>().unwrap().powi(2)).sum::<f64>()
    };
    assert!((0..50).all(|cell| (speed[cell] - squares(cell).sqrt()).abs() < 1e-12));
}

#[test]
fn the_flow_is_the_drift_less_half_the_noise_times_the_score() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    sandbox.done(&format!("{FIT} --n-gaussians 2"));
    let model: serde_json::Value =
        serde_json::from_str(&sandbox.text("sbcell-out/model.json")).unwrap();
    let sigma2 = model["sigma2"].as_f64().unwrap();
    for line in ["velocity --out v.csv", "velocity --at 3,9 --seed 4 --out v.csv"] {
        let said = sandbox.done(line);
        assert!(said.stdout.contains("drift × Δt"), "{}", said.stdout);
        let table = columns(&sandbox, "v.csv");
        let of = |name: &str| numbers(&table[name]);
        let (drift, flow, score) = (of("velocity_PC3"), of("flow_PC3"), of("score_PC3"));
        let mut n_known = 0;
        for (i, time) in of("time").into_iter().enumerate() {
            if time.total_cmp(&0.0).is_eq() {
                assert!(flow[i].is_nan() && score[i].is_nan());
                continue;
            }
            let off = flow[i] - (drift[i] - 0.5 * sigma2 * score[i]);
            assert!(off.abs() < 1e-9 * (1.0 + flow[i].abs()), "{i}: {off}");
            n_known += 1;
        }
        assert!(n_known > 500, "{n_known}");
    }
}

#[test]
fn tables_are_the_same_and_options_that_cannot_be_are_refused() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    sandbox.done(&format!("{FIT} --solver ot"));
    let said = sandbox.done("velocity");
    assert!(said.stdout.contains("wrote sbcell-out/velocity.parquet"), "{}", said.stdout);
    assert!(sandbox.path("sbcell-out/velocity.parquet.run.json").exists());
    sandbox.done("velocity --space genes --genes Sox2 --threads 1 --out one.csv");
    sandbox.done("velocity --space genes --genes Sox2 --threads 2 --out two.csv");
    assert!(sandbox.text("one.csv") == sandbox.text("two.csv"));
    assert!(sandbox.text("one.csv").starts_with("id,time,speed,velocity_Sox2\n"));
    for (line, word) in [
        ("velocity --genes Sox2", "--space genes"),
        ("velocity --space genes --genes sox2", "did you mean `Sox2`?"),
        ("velocity --at 25", "outside"),
        ("velocity --out v.h5ad", ".parquet"),
    ] {
        let refused = sandbox.run(line);
        assert_eq!(refused.code, 2, "{line}: {}", refused.stderr);
        assert!(refused.stderr.contains(word), "{line}: {}", refused.stderr);
    }
}

#[test]
fn noise_that_hides_the_drift_is_named() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    sandbox.done(&format!("{FIT} --solver gaussian --epsilon 5"));
    let said = sandbox.done("velocity").stderr;
    assert!(said.contains("noise moves a cell further"), "{said}");
}
