//! Times, labels, names of genes and groups, edges and charts.

use std::fs;
use std::path::Path;

use ndarray::Array2;
use sbcell::Silent;
use sbcell::data::Column;
use sbcell::io::h5ad::{H5adContent, MatrixContent, write_h5ad};
use sbcell::io::model::{Model, OpenModel};
use sbcell::io::table::Cells;
use sbcell::pipeline::{self, CellSets, Direction, TrajectoryOptions, TrendOptions};

use crate::sandbox::{Answer, Sandbox, root};

const SYMBOLS: [&str; 16] = [
    "Sox2", "Pou5f1", "Nanog", "Gata6", "Gata4", "Klf4", "Myc", "Esrrb", "Tbx3", "Otx2", "T",
    "Foxa2", "Actb", "Gapdh", "Rpl3", "Tuba1a",
];

/// Counts of a small course: `days` labels, 24 cells of each in two groups that part.
struct Course {
    days: Vec<String>,
    genes: Vec<String>,
    groups: Vec<Option<String>>,
}

const PER_DAY: usize = 24;

impl Course {
    fn new(days: &[&str], genes: &[&str]) -> Self {
        let of = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let group = |i: usize| Some(if i.is_multiple_of(2) { "A" } else { "B" }.to_string());
        let groups = (0..days.len() * PER_DAY).map(group).collect();
        Self { days: of(days), genes: of(genes), groups }
    }

    fn cells(&self) -> Vec<String> {
        (0..self.days.len() * PER_DAY).map(|i| format!("c{i}")).collect()
    }

    fn write(&self, path: &Path) {
        let n = self.days.len() * PER_DAY;
        let mut state = 12_345_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1_u64 << 24) as f32
        };
        let counts = Array2::from_shape_fn((n, self.genes.len()), |(i, g)| {
            let (day, side) = ((i / PER_DAY) as f32, if i.is_multiple_of(2) { 1.0 } else { -1.0 });
            let mean = 6.0 + day * if g % 2 == 0 { side } else { 0.7 * (g % 3) as f32 };
            (mean.max(0.5) * 2.0 * noise()).round() + (g % 2) as f32
        });
        let day = |i: usize| Some(self.days[i / PER_DAY].clone());
        let days = Column::Texts((0..n).map(day).collect());
        let groups = Column::Texts(self.groups.clone());
        let content = H5adContent {
            obs_names: &self.cells(),
            obs: &[("day", &days), ("kind", &groups)],
            var_names: &self.genes,
            x: Some(MatrixContent::Single(counts.view())),
            ..H5adContent::default()
        };
        write_h5ad(path, &content).unwrap();
    }

    /// A folder with the file and a model of it.
    fn fitted(&self) -> Sandbox {
        let sandbox = Sandbox::new();
        self.write(&sandbox.path("data.h5ad"));
        sandbox.done("fit data.h5ad --timepoints day --n-pcs 3 --solver gaussian --no-validation");
        sandbox
    }
}

fn said(answer: &Answer) -> String {
    format!("{}{}", answer.stdout, answer.stderr)
}

/// Rows of a CSV file, with its header.
fn rows(sandbox: &Sandbox, name: &str) -> Vec<Vec<String>> {
    let text = sandbox.text(name);
    text.lines().map(|line| line.split(',').map(str::to_string).collect()).collect()
}

fn column(rows: &[Vec<String>], name: &str) -> Vec<String> {
    let place = rows[0].iter().position(|column| column == name).unwrap();
    rows[1..].iter().map(|row| row[place].clone()).collect()
}

#[test]
fn r090_times_of_single_and_half_precision_are_the_decimals_that_were_written() {
    for (column, filter) in
        [("day", "day<=0.7"), ("half", "half in 0.1,0.3,0.7"), ("stage", "stage!=5")]
    {
        let sandbox = Sandbox::with(&root().join("tests/fixtures/times/single.h5ad"));
        let filter =
            if column == "stage" { String::new() } else { format!("--obs-filter '{filter}'") };
        let fit = format!(
            "fit data.h5ad --timepoints {column} {filter} --n-pcs 3 --solver gaussian --no-validation"
        );
        let shown = said(&sandbox.done(&fit));
        assert!(shown.contains("0.3") && !shown.contains("0.300000"), "{shown}");
        let model = Model::read(&sandbox.path("sbcell-out")).unwrap();
        let times: Vec<String> =
            model.header.snapshots.iter().map(|at| format!("{} {}", at.label, at.time)).collect();
        assert_eq!(times, ["0.1 0.1", "0.3 0.3", "0.7 0.7"], "{column}");
        let shown = said(&sandbox.done("interpolate --at 0.3,0.7 --out at.csv"));
        assert_eq!(shown.matches("observed").count(), 2, "{shown}");
        sandbox.done("trajectory --groupby stage --at 0.3");
        sandbox.done("velocity --at 0.3 --out v.csv");
    }
    let sandbox = Sandbox::with(&root().join("tests/fixtures/times/single.h5ad"));
    let refused = sandbox.run("fit data.h5ad --timepoints day --obs-filter day==0.2");
    assert!(refused.stderr.contains("`0.1`, `0.3`, `0.7`"), "{}", refused.stderr);
}

#[test]
fn r091_labels_of_snapshots_are_times_wherever_times_are_given() {
    let sandbox = Course::new(&["D0", "D4", "D10"], &SYMBOLS).fitted();
    for line in [
        "interpolate --at D4,D7 --out a.csv",
        "sample --at D4 --n-cells 5 --out b.csv",
        "velocity --at D4 --out c.csv",
        "trajectory --groupby kind --at D4 --paths 2 --paths-out p.csv --to D10:A --out d.csv",
        "fates --groupby kind --at d10 --bootstrap 0 --out e.csv",
        "drivers --groupby kind --times D0,D4 --out f.csv",
        "transitions --groupby kind --pairs D0:D10,0:D4 --bootstrap 0 --out g.csv",
        "trends --groupby kind --at D4 --bootstrap 0 --out h.csv",
        "perturb --knockout Sox2 --from D0 --until D4 --bootstrap 0 --out i.csv",
    ] {
        sandbox.done(line);
    }
    let shown = said(&sandbox.done("interpolate --at D4,5 --out a.csv"));
    assert!(shown.contains("observed") && shown.contains("bridge"), "{shown}");
    let wide = sandbox.text("g.csv");
    assert!(wide.contains("\n0.0,10.0,A") && wide.contains("\n0.0,4.0,A"), "{wide}");
    for line in [
        "interpolate --at D_late",
        "fates --groupby kind --at early",
        "transitions --groupby kind --pairs D0:late",
        "perturb --knockout Sox2 --from late",
        "evaluate data.h5ad --timepoints day --at late",
    ] {
        let refused = sandbox.run(line);
        assert_eq!(refused.code, 2, "{line}");
        assert!(refused.stderr.contains("`D4` (4)"), "{line}: {}", refused.stderr);
    }
    sandbox.done(
        "evaluate data.h5ad --timepoints day --at D4 --n-pcs 3 --solver gaussian --bootstrap 0",
    );
}

#[test]
fn r092_charts_of_trends_draw_the_interval_of_the_table() {
    let sandbox = Course::new(&["0", "1", "2"], &SYMBOLS).fitted();
    let model = OpenModel::read(sandbox.path("sbcell-out")).unwrap();
    let data = sandbox.path("data.h5ad").to_string_lossy().into_owned();
    let sets = CellSets::default().with_groupby(Some("kind".into())).with_data(Some(data));
    let trajectory = TrajectoryOptions::default()
        .with_sets(sets)
        .with_only(Vec::new())
        .with_at(None)
        .with_direction(Direction::Both)
        .with_paths(0)
        .with_grid(1)
        .with_paths_to(None)
        .with_seed(0);
    let options =
        TrendOptions::default().with_trajectory(trajectory).with_genes(None).with_bootstrap(50);
    let found = pipeline::trends(&model, &options, &mut Silent).unwrap();
    let numbers = |name: &str| match found.long.column(name).unwrap() {
        Cells::Floats(values) => values.clone(),
        other => panic!("{other:?}"),
    };
    let drawn = |of: &dyn Fn(&sbcell::io::chart::Profiles) -> Array2<f64>| -> Vec<f64> {
        found.profiles.iter().flat_map(|set| of(&set.1).into_raw_vec_and_offset().0).collect()
    };
    let same = |a: &[f64], b: &[f64]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
    };
    assert!(same(&numbers("lo"), &drawn(&|of| of.lo.clone())));
    assert!(same(&numbers("hi"), &drawn(&|of| of.hi.clone())));
    assert!(same(&numbers("mean"), &drawn(&|of| of.mean.clone())));
}

#[test]
fn r093_groups_of_fewer_than_ten_cells_are_said() {
    let mut course = Course::new(&["0", "1", "2"], &SYMBOLS);
    for i in [PER_DAY, PER_DAY + 3, PER_DAY + 6] {
        course.groups[i] = Some("rare".into());
    }
    let sandbox = course.fitted();
    for line in [
        "trajectory --groupby kind",
        "transitions --groupby kind --bootstrap 0",
        "fates --groupby kind --terminal 1:rare --bootstrap 0",
        "trends --groupby kind --bootstrap 20 --plot t.svg --plot-gene Sox2",
    ] {
        let shown = said(&sandbox.done(line));
        assert!(
            shown.contains("fewer than ten cells") && shown.contains("rare at 1 (3"),
            "{shown}"
        );
    }
    assert!(sandbox.text("t.svg").contains("fewer than ten cells"));
    let trends = rows(&sandbox, "trends.csv");
    let cells: Vec<f64> =
        column(&trends, "effective_cells").iter().map(|n| n.parse().unwrap()).collect();
    assert!(cells.iter().any(|n| (n - 3.0).abs() < 1e-9));
}

#[test]
fn r094_transcription_factors_of_another_species_are_refused() {
    let sandbox = Course::new(&["0", "1", "2"], &SYMBOLS).fitted();
    let grn = "grn --bootstrap 0 --permutations 0";
    let refused = sandbox.run(&format!("{grn} --tfs human"));
    assert_eq!(refused.code, 2, "{}", said(&refused));
    for word in ["1 of 1892", "in capitals", "one capital", "mouse"] {
        assert!(refused.stderr.contains(word), "{word}: {}", refused.stderr);
    }
    sandbox.done(&format!("{grn} --tfs mouse"));
    std::fs::write(sandbox.path("upper.txt"), "SOX2\nNANOG\nMYC\nT\n").unwrap();
    for line in [
        &format!("{grn} --genes upper.txt"),
        "fit data.h5ad --timepoints day --genes upper.txt --out other",
        "trends --groupby kind --genes upper.txt",
    ] {
        let refused = sandbox.run(line);
        assert_eq!(refused.code, 2, "{line}: {}", said(&refused));
        assert!(refused.stderr.contains("1 of 4"), "{line}: {}", refused.stderr);
    }
}

#[test]
fn r095_ensembl_numbers_are_found_whatever_their_version() {
    let genes: Vec<String> = (0..16).map(|g| format!("ENSMUSG{g:011}.{}", g % 9 + 1)).collect();
    let names: Vec<&str> = genes.iter().map(String::as_str).collect();
    let sandbox = Course::new(&["0", "1", "2"], &names).fitted();
    let list: String = (0..4).map(|g| format!("ENSMUSG{g:011}\n")).collect();
    std::fs::write(sandbox.path("list.txt"), list).unwrap();
    let shown = said(&sandbox.done("grn --bootstrap 0 --permutations 0 --tfs list.txt"));
    assert!(shown.contains("4 genes were found by their Ensembl number"), "{shown}");
    let edges = rows(&sandbox, "edges.csv");
    assert!(column(&edges, "TF").iter().any(|name| name == "ENSMUSG00000000000.1"));
    let shown = said(&sandbox.done("trends --groupby kind --genes list.txt --bootstrap 0"));
    assert!(shown.contains("whatever its version"), "{shown}");
}

#[test]
fn r096_genes_of_grn_restrict_targets_only() {
    let sandbox = Course::new(&["0", "1", "2"], &SYMBOLS).fitted();
    std::fs::write(sandbox.path("targets.txt"), "Actb\nGapdh\n").unwrap();
    std::fs::write(sandbox.path("tfs.txt"), "Sox2\nMyc\nActb\n").unwrap();
    let grn = "grn --bootstrap 0 --permutations 0 --genes targets.txt";
    let edges = |line: &str| -> Vec<(String, String)> {
        sandbox.done(line);
        let rows = rows(&sandbox, "edges.csv");
        column(&rows, "TF").into_iter().zip(column(&rows, "target")).collect()
    };
    let all = edges(grn);
    // Every gene may regulate two targets, but not itself.
    assert_eq!(all.len(), 2 * 15);
    assert!(all.iter().all(|(_, target)| target == "Actb" || target == "Gapdh"));
    let some = edges(&format!("{grn} --tfs tfs.txt"));
    assert_eq!(some.len(), 5);
    assert!(some.iter().all(|(_, target)| target == "Actb" || target == "Gapdh"), "{some:?}");
}

#[test]
fn r097_a_format_and_a_suffix_that_contradict_each_other_are_refused() {
    let sandbox = Course::new(&["0", "1", "2"], &SYMBOLS).fitted();
    for line in [
        "grn --format parquet --out edges.csv",
        "grn --format csv --out edges.parquet",
        "grn --format graphml --out edges.tsv",
        "grn --format beeline --out edges.parquet",
        "grn --format celloracle --out edges.tsv",
        "interpolate --format h5ad --out a.csv",
        "interpolate --format csv --out a.parquet",
        "sample --format parquet --out a.h5ad",
    ] {
        let refused = sandbox.run(line);
        assert_eq!(refused.code, 2, "{line}: {}", said(&refused));
        assert!(refused.stderr.contains("--format"), "{line}: {}", refused.stderr);
    }
    sandbox.done("grn --bootstrap 0 --permutations 0 --format parquet");
    let bytes = std::fs::read(sandbox.path("edges.parquet")).unwrap();
    assert!(bytes.starts_with(b"PAR1"));
    sandbox.done("grn --bootstrap 0 --permutations 0 --format beeline --out rankedEdges.csv");
    assert!(sandbox.text("rankedEdges.csv").starts_with("Gene1\tGene2\t"));
}

#[test]
fn r098_celloracle_gets_coefficients() {
    let sandbox = Course::new(&["0", "1", "2"], &SYMBOLS).fitted();
    let grn = "grn --bootstrap 0 --permutations 3";
    sandbox.done(&format!("{grn} --out ours.csv"));
    sandbox.done(&format!("{grn} --format celloracle --out theirs.csv"));
    let (ours, theirs) = (rows(&sandbox, "ours.csv"), rows(&sandbox, "theirs.csv"));
    assert_eq!(theirs[0].join(","), "source,target,coef_mean,coef_abs,p,-logp");
    // Other tools get their rows by importance, not by confidence.
    let sorted = |mut of: Vec<String>| {
        of.sort();
        of
    };
    assert_eq!(sorted(column(&theirs, "coef_mean")), sorted(column(&ours, "effect")));
    assert_eq!(sorted(column(&theirs, "p")), sorted(column(&ours, "p_time")));
    for (mean, size) in column(&theirs, "coef_mean").iter().zip(column(&theirs, "coef_abs")) {
        assert_eq!(mean.trim_start_matches('-'), size);
    }
    let refused = sandbox.run(&format!("{grn} --format celloracle --source mi"));
    assert_eq!(refused.code, 2, "{}", said(&refused));
}

#[test]
fn r099_all_pairs_of_twenty_thousand_genes_are_scored_without_being_written_out() {
    let folder = tempfile::tempdir().unwrap();
    let (list, network) = (folder.path().join("e.csv"), folder.path().join("t.csv"));
    let n = 20_000;
    let ring = |weight: &dyn Fn(usize) -> String| -> String {
        (0..n).map(|g| format!("g{g},g{},{}\n", (g + 1) % n, weight(g))).collect()
    };
    std::fs::write(&network, format!("TF,target,x\n{}", ring(&|_| "1".into()))).unwrap();
    // Half of the edges are foretold, by the same importance.
    let half: String =
        ring(&|_| "0.5".into()).lines().take(n / 2).map(|l| format!("{l}\n")).collect();
    std::fs::write(&list, format!("TF,target,importance\n{half}")).unwrap();
    let options = pipeline::GrnScoreOptions::default();
    let found = pipeline::grn_score(&list, &network, &options).unwrap().scores;
    let pairs = n * (n - 1);
    assert_eq!((found.n_candidates, found.n_present), (pairs, n));
    // One half is ahead of all others, the other half tied with all that is no edge.
    assert!((found.auroc - 0.75).abs() < 1e-12, "{}", found.auroc);
    let expected = 0.5 + 0.5 * n as f64 / pairs as f64;
    assert!((found.average_precision - expected).abs() < 1e-12, "{}", found.average_precision);
    assert!((found.early_precision - 1.0).abs() < 1e-12);
}

#[cfg(unix)]
#[test]
fn r100_a_list_without_end_is_given_up() {
    let sandbox = Course::new(&["0", "1", "2"], &SYMBOLS).fitted();
    std::fs::write(sandbox.path("edges.csv"), "TF,target,importance\na,b,1\n").unwrap();
    for line in [
        "grn-score --truth /dev/zero edges.csv",
        "grn-score --truth edges.csv /dev/zero",
        "grn-score --truth edges.csv edges.csv --genes /dev/zero",
        "grn --tfs /dev/zero --out found.csv",
        "grn --genes /dev/zero --out found.csv",
        "fit data.h5ad --timepoints day --time-map /dev/zero --out o",
        "fit data.h5ad --timepoints day --genes /dev/zero --out o",
        "fit data.h5ad --timepoints day --growth-file /dev/zero --out o",
        "fates --cells /dev/zero",
        "sample --at 1 --given /dev/zero",
        "annotate data.h5ad --table /dev/zero --out o.h5ad",
    ] {
        let refused = sandbox.run(line);
        assert_eq!(refused.code, 3, "{line}: {}", said(&refused));
        assert!(
            refused.stderr.contains("where text in UTF-8 is needed"),
            "{line}: {}",
            refused.stderr
        );
    }
}

#[test]
fn r101_a_terminal_group_of_an_earlier_time_keeps_the_fates_of_the_last() {
    let mut course = Course::new(&["0", "1", "2"], &SYMBOLS);
    for i in 0..12 {
        course.groups[PER_DAY + i] = Some("gone".into());
    }
    let sandbox = course.fitted();
    let header = |line: &str| -> Vec<String> {
        sandbox.done(line);
        let all = rows(&sandbox, "fates.csv").swap_remove(0);
        all.into_iter().filter(|name| ["A", "B", "gone"].contains(&name.as_str())).collect()
    };
    let fates = "fates --groupby kind --bootstrap 0";
    assert_eq!(header(fates), ["A", "B"]);
    assert_eq!(header(&format!("{fates} --terminal 1:gone")), ["A", "B", "gone"]);
    assert_eq!(header(&format!("{fates} --terminal 1:gone --terminal 2:A")), ["gone", "A"]);
    assert_eq!(header(&format!("{fates} --at 2 --terminal 1:gone")), ["A", "B", "gone"]);
}

#[test]
fn r102_cells_without_a_label_are_in_no_group() {
    let mut course = Course::new(&["0", "1", "2"], &SYMBOLS);
    for day in 0..3 {
        for (i, label) in [None, Some("nan"), Some("<NA>"), None].into_iter().enumerate() {
            course.groups[day * PER_DAY + i] = label.map(str::to_string);
        }
    }
    let sandbox = course.fitted();
    for line in
        ["fates --groupby kind --bootstrap 0", "grn --group kind --bootstrap 0 --permutations 0"]
    {
        let shown = said(&sandbox.done(line));
        assert!(shown.contains("12 of 72 cells have no `kind`"), "{shown}");
    }
    let fates = rows(&sandbox, "fates.csv");
    assert!(fates[0].contains(&"A".to_string()) && !fates[0].contains(&"nan".to_string()));
    let shown = said(&sandbox.done("transitions --groupby kind --batch-key kind --bootstrap 5"));
    assert!(shown.contains("resampled as one") && shown.contains("(no group)"), "{shown}");
}

#[test]
fn r103_cells_of_sets_that_are_not_there_or_of_several_times_are_said() {
    let sandbox = Course::new(&["0", "1", "2"], &SYMBOLS).fitted();
    let of = |range: std::ops::Range<usize>| {
        range.map(|i| format!("c{i}")).collect::<Vec<_>>().join("\t")
    };
    let sets = format!(
        "late\tna\t{}\nghost\tna\tnope1\tnope2\nmixed\tna\t{}\t{}\n",
        of(48..58),
        of(0..12),
        of(60..72)
    );
    std::fs::write(sandbox.path("sets.gmt"), sets).unwrap();
    let shown = said(&sandbox.done("trajectory --cells sets.gmt"));
    for words in [
        "2 of 36 cells of sets.gmt are not in the model",
        "no cell of ghost (in sets.gmt) is in the model",
        "sets with cells of several times: mixed (12 of 0, 12 of 2)",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

#[test]
fn r104_a_label_that_is_another_time_is_refused_rather_than_guessed() {
    let sandbox = Sandbox::new();
    Course::new(&["1", "2", "3"], &SYMBOLS).write(&sandbox.path("data.h5ad"));
    std::fs::write(sandbox.path("map.csv"), "1,0\n2,24\n3,48\n").unwrap();
    sandbox.done(
        "fit data.h5ad --timepoints day --time-map map.csv --n-pcs 3 --solver gaussian --no-validation",
    );
    let refused = sandbox.run("interpolate --at 2 --out a.csv");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("label of time 24"), "{}", refused.stderr);
    sandbox.done("interpolate --at 2.0 --out a.csv");
    let shown = said(&sandbox.done("trajectory --groupby kind --at 2"));
    assert!(shown.contains("24"), "{shown}");
}

#[test]
fn r105_orders_of_categories_do_not_order_times_and_labels_without_number_are_refused() {
    let mut course = Course::new(&["30", "7", "3"], &SYMBOLS);
    let sandbox = course.fitted();
    let model = Model::read(&sandbox.path("sbcell-out")).unwrap();
    let times: Vec<f64> = model.header.snapshots.iter().map(|at| at.time).collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    course.days = ["d3_rep0", "d7_rep1", "d30_rep0"].map(String::from).to_vec();
    course.write(&sandbox.path("data.h5ad"));
    let refused = sandbox.run("fit data.h5ad --timepoints day --out other");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("--time-map"), "{}", refused.stderr);
}

/// The ends of the intervals in `columns` of the rows that `is_asked` picks: empty, or numbers.
fn ends(rows: &[Vec<String>], names: [&str; 2], is_asked: impl Fn(usize) -> bool) -> Vec<String> {
    let picked = |name: &str| {
        let all = column(rows, name).into_iter().enumerate();
        all.filter(|(row, _)| is_asked(*row)).map(|(_, cell)| cell).collect::<Vec<_>>()
    };
    names.iter().flat_map(|name| picked(name)).collect()
}

#[test]
fn r150_groups_of_one_or_two_cells_have_no_interval() {
    let mut course = Course::new(&["0", "1", "2"], &SYMBOLS);
    for i in [0, 1] {
        course.groups[2 * PER_DAY + i] = Some("rare".to_string());
    }
    let sandbox = course.fitted();
    let shown = said(&sandbox.done("transitions --groupby kind --bootstrap 30"));
    assert!(shown.contains("no confidence interval: rare at 2 (2 cells)"), "{shown}");
    let table = rows(&sandbox, "transitions.csv");
    let targets = column(&table, "target");
    for names in [["mass_lo", "mass_hi"], ["prob_lo", "prob_hi"]] {
        let of = |rare: bool| ends(&table, names, |row| (targets[row] == "rare") == rare);
        assert!(!of(true).is_empty() && of(true).iter().all(String::is_empty), "{table:?}");
        assert!(of(false).iter().all(|end| end.parse::<f64>().is_ok()), "{table:?}");
    }
    let shown = said(&sandbox.done("fates --groupby kind --bootstrap 30"));
    assert!(shown.contains("no confidence interval: rare at 2 (2 cells)"), "{shown}");
    let table = rows(&sandbox, "fates.csv");
    let times = column(&table, "time");
    let before = |name: [&str; 2]| ends(&table, name, |row| times[row] != "2.0");
    assert!(before(["rare_lo", "rare_hi"]).iter().all(String::is_empty));
    assert!(before(["A_lo", "A_hi"]).iter().all(|end| end.parse::<f64>().is_ok()));
    // Without resamples there is no interval either, and nothing to be said of it.
    let shown = said(&sandbox.done("fates --groupby kind --bootstrap 0"));
    assert!(!shown.contains("no confidence interval"), "{shown}");
    let table = rows(&sandbox, "fates.csv");
    assert!(ends(&table, ["A_lo", "A_hi"], |_| true).iter().all(String::is_empty));
}

#[test]
fn r151_nothing_that_passes_through_a_time_of_two_cells_has_an_interval() {
    let mut course = Course::new(&["0", "1", "2"], &SYMBOLS);
    for i in 2..PER_DAY {
        course.groups[PER_DAY + i] = Some("out".to_string());
    }
    let sandbox = Sandbox::new();
    course.write(&sandbox.path("data.h5ad"));
    sandbox.done(
        "fit data.h5ad --timepoints day --obs-filter kind!=out --n-pcs 3 --solver gaussian \
         --no-validation",
    );
    let shown =
        said(&sandbox.done("transitions --groupby kind --coupling-epsilon fit --bootstrap 30"));
    assert!(shown.contains("time 1 (2 cells)"), "{shown}");
    let table = rows(&sandbox, "transitions.csv");
    assert!(ends(&table, ["prob_lo", "prob_hi"], |_| true).iter().all(String::is_empty));
    // Couplings of the bridges go from time to time; those of the default go straight to the last one.
    for (epsilon, passes) in [("fit", true), ("auto", false)] {
        sandbox.done(&format!("fates --groupby kind --coupling-epsilon {epsilon} --bootstrap 30"));
        let table = rows(&sandbox, "fates.csv");
        let times = column(&table, "time");
        let at = |time: &'static str| ends(&table, ["A_lo", "A_hi"], |row| times[row] == time);
        assert!(at("0.0").iter().all(|end| end.is_empty() == passes), "{epsilon}");
        // What goes from there passes through no such time.
        assert!(at("1.0").iter().all(|end| end.parse::<f64>().is_ok()));
    }
    let shown = said(&sandbox.done("trends --groupby kind --bootstrap 30"));
    assert!(shown.contains("no confidence interval: A at 1 (2 cells)"), "{shown}");
    let table = rows(&sandbox, "trends.csv");
    let times = column(&table, "time");
    for (time, empty) in [("0.0", false), ("1.0", true)] {
        let found = ends(&table, ["lo", "hi"], |row| times[row] == time);
        assert!(!found.is_empty() && found.iter().all(|end| end.is_empty() == empty), "{time}");
    }
    let shown = said(&sandbox.done("perturb --knockout Sox2 --from 1 --bootstrap 30"));
    assert!(shown.contains("2 cells at 1: too few to resample"), "{shown}");
    let table = rows(&sandbox, "perturb.csv");
    assert!(ends(&table, ["lo", "hi"], |_| true).iter().all(String::is_empty));
}

#[test]
fn r152_one_batch_a_time_gives_no_interval_and_no_verdict() {
    let semrau = Sandbox::with(&root().join("data-samples/semrau2017_mesc_ra.h5ad"));
    let line = "evaluate data.h5ad --timepoints time --at 24 --solver gaussian --n-pcs 3 \
                --max-cells 60 --bootstrap 30 --batch-key time_label";
    let shown = said(&semrau.done(line));
    // Half of the cells of each other time.
    assert!(shown.contains("time 12 (142 cells of 1 batch)"), "{shown}");
    assert!(shown.contains("no verdict") && !shown.contains("better"), "{shown}");
    let table = rows(&semrau, "sbcell-validation/validation.csv");
    let names = column(&table, "name");
    let found = ends(&table, ["lo", "hi"], |row| names[row] == "gaussian");
    assert!(!found.is_empty() && found.iter().all(String::is_empty), "{table:?}");
    // Two batches at each time.
    let sandbox = Sandbox::new();
    Course::new(&["0", "1", "2"], &SYMBOLS).write(&sandbox.path("data.h5ad"));
    let line = "evaluate data.h5ad --timepoints day --solver gaussian --n-pcs 3 --bootstrap 30";
    sandbox.done(&format!("{line} --batch-key kind"));
    let table = rows(&sandbox, "sbcell-validation/validation.csv");
    let (names, metrics) = (column(&table, "name"), column(&table, "metric"));
    let is_asked = |row: usize| names[row] == "gaussian" && metrics[row] == "energy";
    let found = ends(&table, ["lo", "hi"], is_asked);
    assert!(!found.is_empty() && found.iter().all(|end| end.parse::<f64>().is_ok()), "{found:?}");
}

#[test]
fn r153_genes_are_found_by_their_ensembl_numbers_wherever_one_is_named() {
    let genes: Vec<String> = (1..=16).map(|i| format!("ENSMUSG{i:011}.4")).collect();
    let genes: Vec<&str> = genes.iter().map(String::as_str).collect();
    let sandbox = Course::new(&["0", "1", "2"], &genes).fitted();
    let asked = "ENSMUSG00000000003";
    let shown = said(&sandbox.done(&format!("perturb --knockout {asked} --bootstrap 0")));
    assert!(shown.contains(&format!("`{asked}` is `{asked}.4`")), "{shown}");
    let table = rows(&sandbox, "perturb.csv");
    let held = column(&table, "held_down").iter().position(|held| held == "true").unwrap();
    assert_eq!(column(&table, "gene")[held], format!("{asked}.4"));
    let line = "grn --bootstrap 0 --permutations 0 --plot e.svg --plot-target";
    let shown = said(&sandbox.done(&format!("{line} {asked}.7")));
    assert!(shown.contains(&format!("`{asked}.7` is `{asked}.4`")), "{shown}");
    assert!(sandbox.text(&format!("e.{asked}.7.svg")).contains(&format!("{asked}.4")));
    sandbox.done(&format!("velocity --space genes --genes {asked} --out v.csv"));
    let refused = sandbox.run("perturb --knockout ENSMUSG00000000099");
    assert_ne!(refused.code, 0);
}

#[test]
fn r154_a_gene_can_be_held_at_another_level_than_zero() {
    let sandbox = Course::new(&["0", "1", "2"], &SYMBOLS).fitted();
    sandbox.done("perturb --set Sox2=1.25 --knockout Nanog --bootstrap 0");
    let table = rows(&sandbox, "perturb.csv");
    let number = |name: &str, gene: &str| -> f64 {
        let row = column(&table, "gene").iter().position(|other| other == gene).unwrap();
        column(&table, name)[row].parse().unwrap()
    };
    for (gene, level) in [("Sox2", 1.25), ("Nanog", 0.0)] {
        assert!((number("knockout", gene) - level).abs() < 1e-12);
        // What the simulated cells have of it: their mean is that of the control and the shift.
        let simulated = number("control", gene) + number("shift", gene);
        assert!((simulated - level).abs() < 1e-9, "{gene}: {simulated}");
    }
    let shown = said(&sandbox.done("perturb --set Sox2=99 --bootstrap 0"));
    assert!(shown.contains("no cell has Sox2 at 99"), "{shown}");
    for line in ["--set Sox2", "--set Sox2=much", "--set =1", "--set Sox2=NaN"] {
        let refused = sandbox.run(&format!("perturb {line}"));
        assert!(refused.code == 2 && refused.stderr.contains("--set"), "{}", refused.stderr);
    }
    let refused = sandbox.run("perturb --set Sox2=1 --knockout Sox2");
    assert!(refused.stderr.contains("one level for each gene"), "{}", refused.stderr);
    assert_eq!(sandbox.run("perturb").code, 2);
}

#[test]
fn r191_fates_without_a_group_at_the_last_time_are_an_error_and_no_panic() {
    let semrau = Sandbox::with(&root().join("data-samples/semrau2017_mesc_ra.h5ad"));
    semrau.done("fit data.h5ad --timepoints time --n-pcs 3 --solver gaussian --no-validation");
    fs::write(semrau.path("early.csv"), "cell,group\ncell_0,A\ncell_1,B\n").unwrap();
    let answer = semrau.run("fates --cells early.csv");
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    let words: Vec<&str> = answer.stderr.split_whitespace().collect();
    assert!(words.join(" ").contains("no cell of the last time has a group"), "{words:?}");
}
