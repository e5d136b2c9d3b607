//! Tests of the page as a whole: escaping, size, missing parts and determinism.

use rand::RngExt;

use crate::io::edges::EdgeRow;
use crate::io::report::{
    Arrow, CellMap, Colouring, Colours, FateAt, Fates, FlowRow, Frame, GeneTrend, HeldOutScore,
    Interval95, Part, Populations, Provenance, Repeat, Report, ShownEdges, ShownFile, Streams,
    TimePoint, TrendLine, Trends, Values, of_times,
};
use crate::rng::Seed;

/// A name as an attacker would choose it.
const HOSTILE: &str = "</script><img src=x onerror=alert(1)>\"'&$x$";

fn with(value: f64) -> Interval95 {
    Interval95 { value, lo: value - 0.1, hi: value + 0.1 }
}

/// Names of `k` groups.
fn groups(k: usize, name: &str) -> Vec<String> {
    (0..k).map(|group| format!("{name}{group}")).collect()
}

/// Points at random.
fn points(n: usize, index: u64) -> Vec<[f64; 2]> {
    let mut stream = Seed(7).stream("test", index);
    (0..n).map(|_| [stream.random(), stream.random()]).collect()
}

/// The first of each point.
fn numbers(n: usize, index: u64) -> Vec<f64> {
    points(n, index).into_iter().map(|point| point[0]).collect()
}

fn times(n: usize, name: &str) -> Vec<TimePoint> {
    let at =
        |at: u32| TimePoint { time: f64::from(at), label: format!("{name}{at}"), n_cells: n / 6 };
    (0..6).map(at).collect()
}

/// A map of `n` cells with as many colourings as the pipeline makes.
fn map(n: usize, k: usize, name: &str) -> CellMap {
    let by = |name: &str, values| Colouring { name: name.into(), legend: name.into(), values };
    let of = |names: Vec<String>, colours, k: usize| Values::Categories {
        names,
        colours,
        codes: (0..n).map(|cell| Some(cell % k)).collect(),
    };
    let known = Colours::of(&groups(k, name), &[]).of_groups;
    let colours = known.into_iter().map(|entry| entry.1).collect();
    let mut colourings = vec![
        by("Time", of(times(n, name).into_iter().map(|at| at.label).collect(), of_times(6), 6)),
        by("Group", of(groups(k, name), colours, k)),
    ];
    for (fate, label) in groups(k, name).iter().take(if n > 20_000 { 4 } else { 8 }).enumerate() {
        let values = numbers(n, fate as u64);
        colourings.push(by(label, Values::Numbers { values, from: 0.0, to: 1.0 }));
    }
    let axes = [name.into(), name.into()];
    CellMap {
        name: name.into(),
        axes,
        points: points(n, 10),
        n_cells: 2 * n,
        n_without: 0,
        colourings,
    }
}

fn populations(n: usize) -> Populations {
    let frame = |at: u32| Frame {
        time: 0.5 * f64::from(at),
        measured: at.is_multiple_of(2),
        n_cells: n,
        points: points(n.min(1636), 20 + u64::from(at)),
    };
    Populations {
        name: "UMAP".into(),
        axes: ["UMAP 1".into(), "UMAP 2".into()],
        by_neighbours: true,
        frames: (0..11).map(frame).collect(),
    }
}

fn streams(n: usize, name: &str) -> Streams {
    let arrow = |(at, to)| Arrow { at, to, time: at[0] };
    let arrows = points(300, 40).into_iter().zip(points(300, 41)).map(arrow).collect();
    let axes = [name.into(), name.into()];
    Streams { name: name.into(), axes, points: points(n, 10), n_cells: n, arrows }
}

fn flows(n: usize, k: usize, name: &str) -> Vec<FlowRow> {
    let mut found = Vec::new();
    for pair in times(n, name).windows(2) {
        for source in groups(k, name) {
            for target in groups(k, name) {
                found.push(FlowRow {
                    from: pair[0].time,
                    to: pair[1].time,
                    source: source.clone(),
                    target,
                    mass: 1.0,
                    share: with(0.5),
                });
            }
        }
    }
    found
}

fn fates(n: usize, k: usize, name: &str) -> Fates {
    let at = |at: TimePoint| FateAt {
        time: at.time,
        undecided: 0.5,
        probabilities: vec![numbers(n / 6, 50); k],
    };
    Fates { names: groups(k, name), at: times(n, name).into_iter().map(at).collect() }
}

fn trends(k: usize, name: &str) -> Trends {
    let line = |set: String| TrendLine {
        set,
        times: times(6, name).iter().map(|at| at.time).collect(),
        means: vec![with(1.0); 6],
    };
    let gene =
        |gene: String| GeneTrend { gene, lines: groups(k, name).into_iter().map(line).collect() };
    let genes = groups((100 / k).min(12), name).into_iter().map(gene).collect();
    Trends { genes, n_genes: 2000, selected: name.into() }
}

fn edges(name: &str) -> ShownEdges {
    let edge = |i: usize| EdgeRow {
        regulator: format!("{name}R{}", i % 20),
        target: format!("{name}T{}", i % 61),
        importance: 1.0 / (1.0 + i as f64),
        activates: i.is_multiple_of(3),
        ..EdgeRow::default()
    };
    ShownEdges { rows: (0..2000).map(edge).collect(), n_edges: 5000 }
}

fn score(time: u32, name: &str) -> HeldOutScore {
    HeldOutScore {
        time: f64::from(time),
        method: name.into(),
        n_cells: 100,
        prediction: with(0.1),
        pooled: with(0.2),
        best: (name.into(), with(0.15)),
        floor: 0.01,
        ratio: with(0.8),
        too_narrow: time == 2,
        verdict: name.into(),
        sign: 1,
    }
}

/// A report of all parts, of `n` cells and `k` groups and fates, with names that begin with `name`.
fn full(n: usize, k: usize, name: &str) -> Report {
    Report {
        title: name.into(),
        unit: "h".into(),
        summary: [name.into(), name.into(), name.into()],
        facts: vec![(name.into(), name.into())],
        warnings: vec![name.into()],
        notes: vec![name.into()],
        details: vec![name.into()],
        times: times(n, name),
        map: Part::Shown(map(n, k, name)),
        populations: Part::Shown(populations(n)),
        streams: Part::Shown(streams(n, name)),
        transitions: Part::Shown(flows(n, k, name)),
        fates: Part::Shown(fates(n, k, name)),
        trends: Part::Shown(trends(k, name)),
        edges: Part::Shown(edges(name)),
        validation: Part::Shown((1..5).map(|time| score(time, name)).collect()),
        colours: Colours::of(&groups(k, name), &[]),
        provenance: Provenance {
            facts: vec![(name.into(), name.into())],
            commands: vec![Repeat { command: format!("sbcell {name}"), also: vec![name.into()] }],
            files: vec![ShownFile { name: name.into(), sha256: name.into() }],
        },
    }
}

#[test]
fn fifty_thousand_cells_take_at_most_a_million_bytes() {
    let page = full(50_000, 20, "group").html();
    let sizes: Vec<(usize, &str)> =
        page.split("<section ").map(|part| (part.len(), &part[..12])).collect();
    assert!(page.len() <= 1_000_000, "{} bytes: {sizes:?}", page.len());
    assert!(page.contains("n = 50\u{2009}000 of 100\u{2009}000 cells, drawn at random"));
}

#[test]
fn hostile_names_are_inert_everywhere() {
    let page = full(600, 3, HOSTILE).html();
    assert!(!page.contains("<img") && !page.contains("onerror=alert(1)>"));
    // The data and the script are the only two script elements, and each ends once.
    assert_eq!((page.matches("<script").count(), page.matches("</script>").count()), (2, 2));
    assert!(page.contains("&lt;/script&gt;&lt;img src=x"));
    let (_, data) = page.split_once("id=\"data\">").unwrap();
    let data: serde_json::Value =
        serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap();
    assert_eq!(data["map"]["by"][1]["names"][2], format!("{HOSTILE}2"));
}

#[test]
fn the_page_needs_no_network_and_forbids_foreign_scripts() {
    // The name of a namespace is no address that a browser opens.
    let page = full(600, 3, "a").html().replace("http://www.w3.org/", "");
    for word in ["http://", "https://", "url(", "@import", "<link", " src=", "<iframe"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'") && page.contains("script-src 'sha256-"));
}

#[test]
fn every_figure_has_title_numbers_text_and_table() {
    let page = full(600, 3, "a").html();
    let figures: Vec<&str> = page.split("<figure ").skip(1).collect();
    assert_eq!(figures.len(), 11);
    for figure in figures {
        let figure = figure.split("</figure>").next().unwrap();
        for word in
            ["<h3>", "<p class=\"n\">n = ", "role=\"img\"", "aria-label=\"", "<details>", "<td"]
        {
            assert!(figure.contains(word), "{word} is missing: {}", &figure[..200]);
        }
    }
}

#[test]
fn missing_parts_are_one_sentence_and_equal_reports_equal_bytes() {
    let why = "Fates were not computed: run `sbcell fates`.";
    let report = Report { fates: Part::Missing(why.into()), ..full(600, 3, "a") };
    let page = report.html();
    assert!(page.contains("Fates were not computed: run <code>sbcell fates</code>."));
    assert!(!page.contains("id=\"fig-fates\""));
    assert_eq!(page, report.clone().html());
    // An empty report is a page too.
    assert!(Report::default().html().ends_with("</html>\n"));
}

#[test]
fn words_of_the_command_line_become_part_of_its_commands() {
    let mut report = full(60, 2, "a");
    let also = ["the parameter `n_pcs = 5`", "the parameter `x.y = 1`"].map(String::from).to_vec();
    report.provenance.commands = vec![Repeat { command: "sbcell fit a".into(), also }];
    report.reword(&|text| {
        text.replace("the parameter `n_pcs = ", "`-n ").replace("the parameter ", "")
    });
    let expected = Repeat { command: "sbcell fit a -n 5".into(), also: vec!["`x.y = 1`".into()] };
    assert_eq!(report.provenance.commands, [expected]);
}

#[test]
fn the_table_for_multiqc_has_a_row_for_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sbcell_mqc.json");
    full(60, 2, "a.h5ad").write_multiqc(&path).unwrap();
    let read: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(read["plot_type"], "table");
    assert_eq!(read["data"].as_object().unwrap().len(), 6);
    assert_eq!(read["data"]["a 0 h"]["cells"], 10);
    assert_eq!(read["data"]["a 1 h"]["noise_floor"], 0.01);
}
