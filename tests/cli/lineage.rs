//! `trajectory`, `fates`, `transitions`, `trends`, `drivers`, `couplings`, `perturb`, `diagnose`: files,
//! sums that must come out, the same bytes on any number of threads, and refusals.

use std::collections::BTreeMap;
use std::fs;

use sbcell::Silent;
use sbcell::data::Matrix;
use sbcell::io::h5ad::{H5ad, MatrixSource};

use crate::sandbox::{Sandbox, root, sample};
use crate::tables::{columns, numbers};

/// A sandbox with a fitted model of four times, and the groups of its cells.
fn fitted(solver: &str) -> Sandbox {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let groups = root().join("data-samples/semrau2017_groups.csv");
    fs::copy(groups, sandbox.path("groups.csv")).unwrap();
    sandbox.done(&format!(
        "fit data.h5ad --timepoints time --obs-filter time>=48 --no-validation {solver}"
    ));
    sandbox
}

/// Ends of intervals; NaN for a cell that has none.
fn ends(of: &[String]) -> Vec<f64> {
    let end = |text: &String| if text.is_empty() { f64::NAN } else { text.parse().unwrap() };
    of.iter().map(end).collect()
}

/// Checks the columns of baselines, the limits of log-odds, and the words of `fates`.
fn fates_stand_beside_their_baselines(
    said: &str,
    fates: &BTreeMap<String, Vec<String>>,
    solver: &str,
) {
    assert!(
        said.contains("terminal cells") && said.contains("26 nearest terminal cells"),
        "{said}"
    );
    let of = |name: &str| ends(&fates[name]);
    let (xen, near, odds) = (of("XEN"), of("XEN_neighbours"), of("XEN_log_odds"));
    let (behind, undecided) = (of("terminal_cells"), of("undecided"));
    let n_terminal =
        (0..xen.len()).filter(|&i| fates["time"][i] == "96.0" && xen[i] >= 0.0).count();
    for i in 0..xen.len() {
        assert!(xen[i].is_nan() || (0.0..=1.0).contains(&undecided[i]), "{solver}");
        let (p, n) = (xen[i], if behind[i].is_nan() { n_terminal as f64 } else { behind[i] });
        assert!(odds[i].is_nan() || odds[i].abs() <= (n + 1.0).ln() + 1e-9, "{solver}: {p} {n}");
        let own = (p / (1.0 - p)).ln();
        assert!(own.is_nan() || own.abs() > (n + 1.0).ln() || (own - odds[i]).abs() < 1e-9);
        // Of 133 terminal cells a fifth are neighbours.
        let count = near[i] * 26.0;
        assert!(near[i].is_nan() || (count - count.round()).abs() < 1e-9, "{solver}");
        assert_eq!(near[i].is_nan(), fates["time"][i] == "96.0" && xen[i].is_nan(), "{solver}");
    }
}

const SOLVERS: [&str; 4] =
    ["--n-gaussians 3", "--solver sinkhorn --epsilon 1", "--solver ot", "--solver gaussian"];

#[test]
fn shares_of_trajectories_and_probabilities_of_fates_sum_to_one() {
    for solver in SOLVERS {
        let sandbox = fitted(solver);
        sandbox.done("trajectory --cells groups.csv --at 72");
        let found = columns(&sandbox, "trajectory.csv");
        for set in ["XEN", "ectoderm"] {
            let mut sums: BTreeMap<&String, f64> = BTreeMap::new();
            for (time, share) in found["time"].iter().zip(numbers(&found[set])) {
                *sums.entry(time).or_default() += share;
            }
            assert_eq!(sums.len(), 4, "{solver}");
            assert!(sums.values().all(|sum| (sum - 1.0).abs() < 1e-9), "{solver}: {sums:?}");
        }
        let said = sandbox.done("fates --cells groups.csv --bootstrap 20").stdout;
        assert!(said.contains("undecided"), "{said}");
        let fates = columns(&sandbox, "fates.csv");
        assert_eq!(fates["id"].len(), 922);
        let (xen, ectoderm) = (numbers(&fates["XEN"]), numbers(&fates["ectoderm"]));
        let (lo, hi) = (ends(&fates["XEN_lo"]), ends(&fates["XEN_hi"]));
        for i in 0..xen.len() {
            // Cells that nothing leads from to a fate have none.
            assert!(xen[i].is_nan() || (xen[i] + ectoderm[i] - 1.0).abs() < 1e-9, "{solver}");
            assert_eq!(lo[i].is_nan(), xen[i].is_nan());
            assert!(lo[i].is_nan() || lo[i] <= hi[i]);
        }
        fates_stand_beside_their_baselines(&said, &fates, solver);
        // Cells that already are XEN at 72 mostly stay; that is what fates are for.
        let mean = |group: &str| {
            let groups = sandbox.text("groups.csv");
            let of: Vec<&str> = groups.lines().filter_map(|l| l.strip_suffix(group)).collect();
            let rows = (0..xen.len()).filter(|&i| {
                fates["time"][i] == "72.0" && of.contains(&format!("{},", fates["id"][i]).as_str())
            });
            let values: Vec<f64> = rows.map(|i| xen[i]).filter(|p| !p.is_nan()).collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        assert!(mean("XEN") > mean("ectoderm") + 0.05, "{solver}");
    }
}

#[test]
fn states_without_labels_are_terminal_groups_with_names_and_arrivals() {
    let sandbox = fitted("--solver sinkhorn --epsilon 1");
    // The cells of this course are a continuum at the end, so the number is set.
    let line = "fates --cells groups.csv --terminal auto --n-states 2 --bootstrap 5";
    let said = sandbox.done(line);
    assert!(said.stderr.contains("terminal states at 96: "), "{}", said.stderr);
    assert!(said.stderr.contains("no gap separates"), "{}", said.stderr);
    let states = columns(&sandbox, "fates.states.csv");
    let terminal = states["kind"].iter().filter(|kind| *kind == "terminal").count();
    assert_eq!(terminal, 2);
    let fates = columns(&sandbox, "fates.csv");
    let (first, second) =
        (numbers(&fates[&states["state"][0]]), numbers(&fates[&states["state"][1]]));
    let arrival = numbers(&fates["arrival_time"]);
    for i in 0..first.len() {
        assert!((first[i] + second[i] - 1.0).abs() < 1e-9);
        let time: f64 = fates["time"][i].parse().unwrap();
        // Nobody arrives before the cell is there, or after the end.
        assert!(time - 1e-9 <= arrival[i] && arrival[i] <= 96.0 + 1e-9, "{time} {}", arrival[i]);
        assert!(time < 96.0 || states["state"].contains(&fates["state"][i]));
        assert_eq!(time > 48.0, fates["origin"][i].is_empty());
    }
    sandbox.done("trajectory --terminal auto --n-states 2 --out sets.csv");
    assert_eq!(columns(&sandbox, "sets.csv")["state_1"].len(), 922);
    let refused = sandbox.run("fates --terminal auto --terminal 96:XEN --cells groups.csv");
    assert!(refused.stderr.contains("auto alone"), "{}", refused.stderr);
    let refused = sandbox.run("fates --terminal auto --n-states 1 --out x.csv");
    assert!(refused.stderr.contains("at least 2"), "{}", refused.stderr);
    for (line, message) in [
        ("fates --terminal auto --n-states 9999 --out x.csv", "at most the number of cells"),
        ("fates --terminal auto --groupby time_label=96h --out x.csv", "a column without groups"),
        ("trajectory --terminal auto --groupby time_label=96h", "a column without groups"),
    ] {
        let refused = sandbox.run(line);
        assert_eq!(refused.code, 2, "{line}: {}", refused.stderr);
        assert!(refused.stderr.contains(message), "{line}: {}", refused.stderr);
    }
    // Standard output takes the fates; the note tells how to have the states.
    let said = sandbox.done("fates --terminal auto --n-states 2 --bootstrap 5 --out -");
    assert!(said.stdout.starts_with("id,time,"), "{}", said.stdout);
    assert!(said.stderr.contains("also writes FILE.states.csv"), "{}", said.stderr);
    let refused = sandbox.run("fates --terminal auto --at 48 --out x.csv");
    assert!(refused.stderr.contains("later than the first time"), "{}", refused.stderr);
}

#[test]
fn rows_of_transitions_sum_to_one_and_mass_to_the_whole() {
    let sandbox = fitted("--solver sinkhorn --epsilon 1");
    sandbox.done("transitions --cells groups.csv --pairs 48:60,48:96 --bootstrap 10");
    let found = columns(&sandbox, "transitions.csv");
    let mut rows: BTreeMap<(String, String), f64> = BTreeMap::new();
    let mut mass: BTreeMap<String, f64> = BTreeMap::new();
    let ends = found["t1"].iter().zip(&found["source"]);
    let values = numbers(&found["prob"]).into_iter().zip(numbers(&found["mass"]));
    for ((t1, source), (share, moved)) in ends.zip(values) {
        *rows.entry((t1.clone(), source.clone())).or_default() += share;
        *mass.entry(t1.clone()).or_default() += moved;
    }
    assert_eq!(rows.len(), 6);
    assert!(rows.values().chain(mass.values()).all(|sum| (sum - 1.0).abs() < 1e-5), "{rows:?}");
    let wide = sandbox.text("transitions.wide.csv");
    assert!(
        wide.starts_with("t0,t1,from source (rows) to target (columns),(no group),XEN,ectoderm\n")
    );
    // A batch for each time says nothing of the scatter between batches.
    let line = "transitions --cells groups.csv --pairs 48:60 --bootstrap 5 --out one.csv";
    let said = sandbox.done(&format!("{line} --batch-key time_label"));
    assert!(
        said.stderr.contains("`time_label` has a single value at 48, 60, 72, 96"),
        "{}",
        said.stderr
    );
    let line = "transitions --cells groups.csv --pairs 48:60 --bootstrap 5 --out one.csv";
    let refused = sandbox.run(&format!("{line} --batch-key donor"));
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("donor") && refused.stderr.contains("time_label"));
}

#[test]
fn everything_is_the_same_on_any_number_of_threads() {
    let sandbox = fitted("--n-gaussians 3");
    for line in [
        "trajectory --cells groups.csv --at 48 --paths 5 --paths-out P.csv",
        "trajectory --cells groups.csv --at 48 --paths 5 --to 96:XEN --paths-out P.csv",
        "fates --cells groups.csv --bootstrap 10",
        "transitions --cells groups.csv --bootstrap 10",
        "trends --cells groups.csv --bootstrap 10",
        "drivers --cells groups.csv",
        "perturb --knockout Sox2 --cells groups.csv --bootstrap 10",
        "diagnose --cells groups.csv --deals 2",
    ] {
        for threads in [1, 2] {
            let line = line.replace("P.csv", &format!("paths{threads}.csv"));
            sandbox.done(&format!("{line} --threads {threads} --out out{threads}.csv --seed 3"));
        }
        assert!(sandbox.text("out1.csv") == sandbox.text("out2.csv"), "{line}");
        assert!(sandbox.path("out1.csv.run.json").exists());
        if line.contains("--paths") {
            assert!(sandbox.text("paths1.csv") == sandbox.text("paths2.csv"), "{line}");
        }
    }
}

#[test]
fn paths_start_and_end_where_they_were_asked_to() {
    let sandbox = fitted("--solver sinkhorn --epsilon 1");
    sandbox.done(
        "trajectory --cells groups.csv --at 48 --paths 20 --to 96:XEN --grid 4 --paths-out p.csv",
    );
    let found = columns(&sandbox, "p.csv");
    let groups = sandbox.text("groups.csv");
    let is = |cell: &str, group: &str| groups.contains(&format!("{cell},{group}\n"));
    let mut ends = 0;
    let rows = found["time"].iter().zip(&found["cell"]).zip(&found["set"]);
    for ((time, cell), set) in rows {
        match time.as_str() {
            "48.0" => assert!(is(cell, set)),
            "96.0" => {
                assert!(is(cell, "XEN"), "{cell}");
                ends += 1;
            }
            "60.0" | "72.0" => assert!(cell.starts_with("cell_")),
            _ => assert_eq!(cell, ""),
        }
    }
    // Two groups have cells at 48: 20 paths each, 3 intervals of 4 steps and the start.
    assert_eq!((ends, found["time"].len()), (40, 40 * 13));
}

#[test]
fn genes_follow_fates_and_trajectories() {
    let sandbox = fitted("--solver sinkhorn --epsilon 1");
    let said = sandbox.done("drivers --cells groups.csv").stdout;
    assert!(said.contains("XEN"), "{said}");
    let found = columns(&sandbox, "drivers.csv");
    let place = |fate: &str, gene: &str| {
        let mut of = (0..found["gene"].len()).filter(|&i| found["fate"][i] == fate);
        of.position(|i| found["gene"][i] == gene).unwrap()
    };
    // Markers of the extraembryonic endoderm against one of the ectoderm.
    assert!(place("XEN", "Sparc") < 8 && place("XEN", "Lamb1") < 8);
    assert!(place("ectoderm", "Sparc") > 30);
    let line = "trends --cells groups.csv --at 96 --backward --plot t.svg --plot-gene Sparc";
    sandbox.done(line);
    let trends = columns(&sandbox, "trends.csv");
    // Two sets at four times; of the 41 genes those that vary.
    assert!(trends["gene"].len().is_multiple_of(8) && trends["gene"].len() > 8 * 35);
    let at = |set: &str, time: &str| {
        let rows = 0..trends["gene"].len();
        let mut of = rows.filter(|&i| trends["set"][i] == set && trends["time"][i] == time);
        let row = of.find(|&i| trends["gene"][i] == "Sparc").unwrap();
        ["lo", "mean", "hi"].map(|name| trends[name][row].parse::<f64>().unwrap())
    };
    let (xen, ectoderm) = (at("XEN", "96.0"), at("ectoderm", "96.0"));
    assert!(xen[0] <= xen[1] && xen[1] <= xen[2] && xen[0] > ectoderm[2]);
    assert!(sandbox.text("t.svg").contains("along XEN, ectoderm"));
    let refused = sandbox.run(&format!("{line} --plot-gene SPARC"));
    assert_eq!(refused.code, 2, "{}", refused.stderr);
}

#[test]
fn a_knock_out_takes_the_gene_away_and_says_what_it_is() {
    let sandbox = fitted("--n-gaussians 3 --n-pcs 38");
    let said = sandbox.done("perturb --knockout Sparc --cells groups.csv");
    // Cells follow the bridges: no note on couplings between observed cells.
    assert!(!said.stderr.contains("couplings"), "{}", said.stderr);
    let said = said.stdout;
    assert!(said.contains("not validated") && said.contains("% of control"), "{said}");
    let found = columns(&sandbox, "perturb.csv");
    let row = found["gene"].iter().position(|gene| gene == "Sparc").unwrap();
    assert_eq!(found["held_down"][row], "true");
    let knocked: f64 = found["knockout"][row].parse().unwrap();
    let control: f64 = found["control"][row].parse().unwrap();
    assert!(knocked.abs() < 0.1 && control > 1.0, "{knocked} {control}");
    // A gene that is hardly there is named.
    let warned = sandbox.done("perturb --knockout Dppa3 --out o.csv").stdout;
    assert!(warned.contains("warning: Dppa3 is above its lowest level in"), "{warned}");
    // The file may be elsewhere, with or without groups.
    fs::rename(sandbox.path("data.h5ad"), sandbox.path("moved.h5ad")).unwrap();
    let said = sandbox.done("perturb --knockout Dppa3 --data moved.h5ad --out o.csv").stdout;
    assert!(said.contains("warning: Dppa3") && !said.contains("% of control"), "{said}");
    for (line, message) in [
        ("diagnose --data moved.h5ad", "given with --groupby"),
        ("perturb --knockout Nanog", "`Nanog` is not among the 41 genes"),
        ("perturb --knockout Sox2 --from 96", "--until"),
        ("perturb --knockout Sox2 --from 50", "no cells were observed at 50"),
        ("perturb", "--knockout"),
    ] {
        let refused = sandbox.run(line);
        assert_eq!(refused.code, 2, "{line}: {}", refused.stderr);
        assert!(refused.stderr.contains(message), "{line}: {}", refused.stderr);
    }
}

#[test]
fn a_plan_that_knows_nothing_is_told_in_words() {
    let sandbox = fitted("--solver sinkhorn --epsilon 10000 --coupling-epsilon 10000");
    let said = sandbox.done("diagnose --cells groups.csv --deals 2").stdout;
    assert!(said.contains("no lineage signal"), "{said}");
    assert!(said.contains("groups split in proportion"), "{said}");
    assert!(said.contains("know more than chance? No: "), "{said}");
    let found = columns(&sandbox, "diagnose.csv");
    assert!(numbers(&found["information_bits"]).iter().all(|bits| *bits < 0.15));
    let cells = columns(&sandbox, "diagnose.cells.csv");
    assert!(numbers(&cells["later_cells"]).iter().all(|later| *later > 50.0));
    let sharp = fitted("--solver ot");
    let said = sharp.done("diagnose --deals 2 --coupling-epsilon fit").stdout;
    assert!(said.contains("follows single cells") && !said.contains("no lineage signal"), "{said}");
    for answer in ["know more than chance? Yes: ", "Are there jumps? ", "No cell can die"] {
        assert!(said.contains(answer), "{said}");
    }
}

#[test]
fn couplings_have_the_shapes_that_were_asked_for() {
    let sandbox = fitted("--solver sinkhorn --epsilon 1");
    let said = sandbox.done("couplings --export csv --out csv --least 0").stdout;
    assert!(said.contains("wrote csv/48_60.csv ("), "{said}");
    let found = columns(&sandbox, "csv/48_60.csv");
    let total: f64 = numbers(&found["mass"]).iter().sum();
    assert!((total - 1.0).abs() < 1e-6, "{total}");
    sandbox.done("couplings --export wot --out wot");
    let growth = sandbox.text("wot/tmaps_g.txt");
    assert!(growth.starts_with("id\tg0\tg1\n") && growth.lines().count() == 1 + 785);
    let file = H5ad::open(&sandbox.path("wot/tmaps_72_96.h5ad")).unwrap();
    let (maps, growth) =
        (file.matrix(&MatrixSource::X, &mut Silent).unwrap(), file.obs("g0").unwrap());
    let Matrix::Sparse(maps) = maps else { panic!("maps are sparse") };
    for i in 0..maps.n_rows() {
        let row: f64 = maps.row(i).1.iter().map(|mass| f64::from(*mass)).sum();
        assert!((row - growth.number(i).unwrap()).abs() < 1e-5, "{i}: {row}");
    }
    sandbox.done("couplings --export cellrank --out cellrank");
    let inside = sandbox.done("inspect cellrank/cellrank.h5ad").stdout;
    assert!(inside.contains("922") && inside.contains("sbcell_time"), "{inside}");
    // Without expression, as the help says.
    assert!(inside.contains("no genes") && !inside.contains("matrices"), "{inside}");
    assert!(sandbox.done("couplings --help").stdout.contains("but no X"));
    sandbox.done("couplings --export moscot --out moscot");
    assert!(sandbox.path("moscot/48_60.parquet").exists());
    assert_eq!(sandbox.run("couplings --least 2").code, 2);
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_way_out() {
    let sandbox = fitted("--solver ot");
    fs::write(sandbox.path("none.txt"), "nobody\n").unwrap();
    for (line, message) in [
        ("fates", "`--groupby` must be given, or `--cells` in its place"),
        ("fates --groupby cell_type", "cell_type"),
        ("fates --cells none.txt", "names of cells of the model"),
        ("fates --cells missing.txt", "missing.txt"),
        ("fates --cells groups.csv --at 50", "times are 48, 60, 72, 96"),
        ("fates --cells groups.csv --terminal XEN", "a time and a group"),
        ("fates --cells groups.csv --terminal auto", "one group without a gap"),
        ("fates --cells groups.csv --n-states 2", "--terminal"),
        ("fates --cells groups.csv --terminal 96:Neuron", "no group `Neuron`"),
        ("fates --cells groups.csv --terminal 96:XEN", "at least two"),
        ("fates --groupby time_label --cells groups.csv", "cannot be used with"),
        ("transitions --cells groups.csv --pairs 60", "two times, such as"),
        ("transitions --cells groups.csv --pairs 96:60", "an earlier and a later time"),
        ("trajectory --cells groups.csv --paths 5", "--paths-out"),
        ("trajectory --cells groups.csv --out t.xlsx", ".csv, .tsv or .parquet"),
        (
            "trajectory --cells groups.csv --at 72 --paths 5 --to 60:XEN --paths-out p.csv",
            "at a later time than",
        ),
        ("drivers --cells groups.csv --times 96", "before the last terminal time"),
        ("fates -m nowhere --cells groups.csv", "nowhere"),
    ] {
        let refused = sandbox.run(line);
        assert!(matches!(refused.code, 1..=3), "{line}: {} {}", refused.code, refused.stderr);
        assert!(refused.stderr.contains(message), "{line}: {}", refused.stderr);
        assert!(!refused.stderr.contains("panicked"));
    }
    for file in ["fates.csv", "transitions.csv", "trajectory.csv", "drivers.csv", "p.csv"] {
        assert!(!sandbox.path(file).exists(), "{file} was left behind");
    }
    // Without its file a model still follows cells that are named.
    fs::remove_file(sandbox.path("data.h5ad")).unwrap();
    sandbox.done("fates --cells groups.csv --bootstrap 0");
    let refused = sandbox.run("fates --groupby time_label");
    assert!(refused.stderr.contains("`--data FILE`"), "{}", refused.stderr);
}
