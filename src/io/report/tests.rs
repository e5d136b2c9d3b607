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

/// A report of all parts, of `n` cells and `k` groups and fates, with names that begin with `name`.
fn full(n: usize, k: usize, name: &str) -> Report {
    let mut stream = Seed(7).stream("test", 0);
    let mut number = || stream.random::<f64>();
    let names: Vec<String> = (0..k).map(|group| format!("{name}{group}")).collect();
    let points: Vec<[f64; 2]> = (0..n).map(|_| [number(), number()]).collect();
    let codes: Vec<Option<usize>> = (0..n).map(|cell| Some(cell % k)).collect();
    let times: Vec<TimePoint> = (0..6u32)
        .map(|at| TimePoint { time: f64::from(at), label: format!("{name}{at}"), n_cells: n / 6 })
        .collect();
    let colours = Colours::of(&names, &[]);
    let by = |name: &str, values| Colouring { name: name.into(), legend: name.into(), values };
    let mut colourings = vec![
        by(
            "Time",
            Values::Categories {
                names: times.iter().map(|at| at.label.clone()).collect(),
                colours: of_times(6),
                codes: (0..n).map(|cell| Some(cell % 6)).collect(),
            },
        ),
        by(
            "Group",
            Values::Categories {
                names: names.clone(),
                colours: colours.of_groups.iter().map(|entry| entry.1.clone()).collect(),
                codes,
            },
        ),
    ];
    for fate in names.iter().take(if n > 20_000 { 4 } else { 8 }) {
        let values = (0..n).map(|_| number()).collect();
        colourings.push(by(fate, Values::Numbers { values, from: 0.0, to: 1.0 }));
    }
    let axes = ["UMAP 1".to_string(), "UMAP 2".to_string()];
    let frames = (0..11u32)
        .map(|at| Frame {
            time: 0.5 * f64::from(at),
            measured: at % 2 == 0,
            n_cells: n,
            points: (0..n.min(1636)).map(|_| [number(), number()]).collect(),
        })
        .collect();
    let arrows = (0..300u32)
        .map(|i| Arrow {
            at: [number(), number()],
            to: [number(), number()],
            time: f64::from(i) / 300.0,
        })
        .collect();
    let flows = times
        .windows(2)
        .flat_map(|pair| names.iter().flat_map(move |a| names_of(a, pair)))
        .flat_map(|(from, to, source)| {
            names.iter().map(move |target| FlowRow {
                from,
                to,
                source: source.clone(),
                target: target.clone(),
                mass: 1.0,
                share: with(0.5),
            })
        })
        .collect();
    let at = times
        .iter()
        .map(|at| FateAt {
            time: at.time,
            undecided: 0.5,
            probabilities: vec![(0..n / 6).map(|_| number()).collect(); k],
        })
        .collect();
    let line = |set: &String| TrendLine {
        set: set.clone(),
        times: times.iter().map(|at| at.time).collect(),
        means: vec![with(1.0); 6],
    };
    let genes = (0..(100 / k).min(12))
        .map(|gene| GeneTrend {
            gene: format!("{name}{gene}"),
            lines: names.iter().map(line).collect(),
        })
        .collect();
    let edge = |i: usize| EdgeRow {
        regulator: format!("{name}R{}", i % 20),
        target: format!("{name}T{}", i % 61),
        importance: 1.0 / (1.0 + i as f64),
        activates: i.is_multiple_of(3),
        ..EdgeRow::default()
    };
    let score = |time: f64| HeldOutScore {
        time,
        method: name.into(),
        n_cells: 100,
        prediction: with(0.1),
        pooled: with(0.2),
        best: (name.into(), with(0.15)),
        floor: 0.01,
        verdict: name.into(),
        sign: 1,
    };
    Report {
        title: name.into(),
        unit: "h".into(),
        summary: [name.into(), name.into(), name.into()],
        facts: vec![(name.into(), name.into())],
        warnings: vec![name.into()],
        notes: vec![name.into()],
        details: vec![name.into()],
        map: Part::Shown(CellMap {
            name: name.into(),
            axes: [name.into(), name.into()],
            points: points.clone(),
            n_cells: 2 * n,
            colourings,
        }),
        populations: Part::Shown(Populations { axes: axes.clone(), frames }),
        streams: Part::Shown(Streams { name: name.into(), axes, points, n_cells: n, arrows }),
        transitions: Part::Shown(flows),
        fates: Part::Shown(Fates { names: names.clone(), at }),
        trends: Part::Shown(Trends { genes, n_genes: 2000, selected: name.into() }),
        edges: Part::Shown(ShownEdges { rows: (0..2000).map(edge).collect(), n_edges: 5000 }),
        validation: Part::Shown((1..5u32).map(|time| score(f64::from(time))).collect()),
        colours,
        provenance: Provenance {
            facts: vec![(name.into(), name.into())],
            commands: vec![Repeat { command: format!("sbcell {name}"), also: vec![name.into()] }],
            files: vec![ShownFile { name: name.into(), sha256: name.into() }],
        },
        times,
    }
}

/// A source at both ends of an interval.
fn names_of(source: &str, pair: &[TimePoint]) -> Option<(f64, f64, String)> {
    let [from, to] = pair else { return None };
    Some((from.time, to.time, source.to_string()))
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
