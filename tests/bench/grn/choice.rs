//! Settings by cross-validation over networks: chosen on eight of them, scored on the ninth.

use sbcell::grn::{Binning, EdgeSearch, Smoothing};

use crate::simulated::{NETWORKS, all_courses, thinnings};

fn settings() -> Vec<(&'static str, EdgeSearch)> {
    let plain = EdgeSearch::default;
    let ridge = |change: fn(&mut EdgeSearch)| {
        let mut search = EdgeSearch::default();
        change(&mut search);
        search
    };
    let bins = |numbers: &[usize], offsets: &[f64]| -> Vec<Binning> {
        let pairs = numbers.iter().flat_map(|n| offsets.iter().map(move |offset| (*n, *offset)));
        pairs.map(|(n_bins, offset)| Binning { n_bins, offset }).collect()
    };
    let clock =
        |n_neighbours, own| EdgeSearch::default().with_smoothing(Smoothing { n_neighbours, own });
    let both = [0.0, 0.5];
    vec![
        ("default", plain()),
        ("penalty 0.1", ridge(|s| s.ridge.penalty = 0.1)),
        ("penalty 1", ridge(|s| s.ridge.penalty = 1.0)),
        ("2 rounds", ridge(|s| s.ridge.rounds = 2)),
        ("8 rounds", ridge(|s| s.ridge.rounds = 8)),
        ("floor 0.02", ridge(|s| s.ridge.floor = 0.02)),
        ("no snapshots", plain().with_snapshot_weight(0.0)),
        ("snapshots 1", plain().with_snapshot_weight(1.0)),
        ("no information", plain().with_information_weight(0.0)),
        ("information 0.5", plain().with_information_weight(0.5)),
        ("12 bins", plain().with_binnings(bins(&[12], &both))),
        ("24 bins", plain().with_binnings(bins(&[24], &both))),
        ("8, 12, 16 bins", plain().with_binnings(bins(&[8, 12, 16], &[0.0]))),
        ("10 neighbours", clock(10, 2.0)),
        ("40 neighbours", clock(40, 2.0)),
        ("own time 1", clock(20, 1.0)),
        ("own time 4", clock(20, 4.0)),
        ("memory 0.7", plain().with_most_memory(0.7)),
        ("memory 1", plain().with_most_memory(1.0)),
    ]
}

pub(crate) fn run() {
    println!("\n## Settings, by times kept: mean average precision over 18 courses\n");
    let (courses, thinnings) = (all_courses(), thinnings());
    let titles: Vec<&str> = thinnings.iter().map(|(title, _)| *title).collect();
    println!("| | {} | all |\n|---|{}---|", titles.join(" | "), "---|".repeat(titles.len()));
    // By setting, thinning and course.
    let mut found: Vec<Vec<Vec<f64>>> = Vec::new();
    let settings = settings();
    for (name, search) in &settings {
        let of_setting: Vec<Vec<f64>> = thinnings
            .iter()
            .map(|(_, keep)| {
                let thinned = courses.iter().map(|course| course.at(keep));
                thinned.map(|c| c.score(&c.search(search)).average_precision).collect()
            })
            .collect();
        let means: Vec<f64> = of_setting.iter().map(|of| mean(of)).collect();
        let cells: Vec<String> = means.iter().map(|mean| format!("{mean:.3}")).collect();
        println!("| {name} | {} | {:.3} |", cells.join(" | "), mean(&means));
        found.push(of_setting);
    }
    // Clean and dropout courses of a network are next to each other.
    let mut scores = vec![Vec::new(); thinnings.len()];
    println!("\nleft out, best on the others:");
    for (n, network) in NETWORKS.iter().enumerate() {
        let left_out = [2 * n, 2 * n + 1];
        let on_others = |setting: &Vec<Vec<f64>>| {
            let of = setting.iter().flat_map(|courses| {
                courses.iter().enumerate().filter(|(c, _)| !left_out.contains(c)).map(|(_, ap)| *ap)
            });
            mean(&of.collect::<Vec<f64>>())
        };
        let best = (0..found.len())
            .max_by(|&a, &b| on_others(&found[a]).total_cmp(&on_others(&found[b])))
            .unwrap();
        println!("  {network}: {}", settings[best].0);
        for (scores, courses) in scores.iter_mut().zip(&found[best]) {
            scores.extend(left_out.map(|course| courses[course]));
        }
    }
    let cells: Vec<String> = scores.iter().map(|of| format!("{:.3}", mean(of))).collect();
    println!("\nof networks left out, by times kept: {}", cells.join(", "));
}

fn mean(of: &[f64]) -> f64 {
    of.iter().sum::<f64>() / of.len() as f64
}
