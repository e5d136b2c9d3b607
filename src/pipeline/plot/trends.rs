//! Genes along trajectories.

use std::collections::BTreeMap;

use ndarray::Array2;
use serde_json::Value;

use crate::data::GeneIndex;
use crate::error::Result;
use crate::io::chart::{Chart, Profiles, TrendWords, draw_trends};
use crate::io::columns::Columns;
use crate::pipeline::plot::PlotOptions;
use crate::pipeline::plot::read::{Source, distinct, times_of};
use crate::pipeline::plot::style::{at_time, time_title};
use crate::pipeline::shared::genes_left_out::not_among;

/// Number of genes that are drawn without names.
const DRAWN: usize = 4;

/// Draws genes of a table of `sbcell trends` along its trajectories.
///
/// # Errors
/// Those of reading the table; [`crate::Error::GeneNotAmong`] for a gene that it does not have;
/// [`crate::Error::Parameter`] for more sets than colours.
pub(super) fn trends(source: &Source<'_>) -> Result<Chart> {
    let sets = profiles(&source.table()?)?;
    let genes = genes_to_draw(&sets, source.options, DRAWN)?;
    let options = source.options;
    options.without_palette()?;
    let unit = source.unit();
    let names: Vec<&str> = sets.iter().map(|set| set.0.as_str()).collect();
    let times = sets.first().map_or(&[][..], |set| &set.1.times);
    let words = TrendWords {
        title: Some(trajectory_title(&names.join(", "), times, &source.parameters(), &unit)),
        time_title: &time_title(&unit),
    };
    Ok(options.laid_out(draw_trends(&sets, &genes, &words, options.page())?))
}

/// `Ancestors of XEN, 96 h`, as far as the record of the run tells.
pub(super) fn trajectory_title(set: &str, times: &[f64], parameters: &Value, unit: &str) -> String {
    let trajectory = parameters.get("trajectory").unwrap_or(&Value::Null);
    let at = trajectory.get("at").and_then(Value::as_f64);
    let last = times.last().copied();
    let is_last = at.zip(last).is_some_and(|(at, last)| at >= last);
    let is_first = at.zip(times.first()).is_some_and(|(at, first)| at <= *first);
    let who = match trajectory.get("direction").and_then(Value::as_str) {
        Some("backward") => "Ancestors",
        Some("forward") => "Descendants",
        Some("both") if is_last => "Ancestors",
        Some("both") if is_first => "Descendants",
        Some("both") => "Ancestors and descendants",
        _ => "Trajectory",
    };
    match at {
        Some(at) => format!("{who} of {set}, {}", at_time(at, unit)),
        None => format!("{who} of {set}"),
    }
}

/// The profiles of each set of a table of trends.
///
/// # Errors
/// Those of reading columns.
pub(super) fn profiles(table: &Columns) -> Result<Vec<(String, Profiles)>> {
    let (sets, genes, times) = (table.texts("set")?, table.texts("gene")?, table.numbers("time")?);
    let numbers = ["mean", "lo", "hi", "effective_cells"].map(|name| table.numbers(name));
    let [mean, lo, hi, n_cells] = numbers;
    let numbers = [mean?, lo?, hi?, n_cells?];
    if times.iter().any(|time| !time.is_finite()) {
        return Err(table.unreadable("a time is missing".into()));
    }
    let names = distinct(&genes);
    let number: BTreeMap<&String, usize> =
        names.iter().enumerate().map(|(number, name)| (name, number)).collect();
    let of_set = |set: String| {
        let rows: Vec<usize> = (0..sets.len()).filter(|&row| sets[row] == set).collect();
        let own = times_of(&rows.iter().map(|&row| times[row]).collect::<Vec<_>>());
        let [mut mean, mut lo, mut hi, mut n_cells] =
            [(); 4].map(|()| Array2::from_elem((own.len(), names.len()), f64::NAN));
        for row in rows {
            let at = [own.partition_point(|time| *time < times[row]), number[&genes[row]]];
            for (all, numbers) in
                [&mut mean, &mut lo, &mut hi, &mut n_cells].into_iter().zip(&numbers)
            {
                all[at] = numbers[row];
            }
        }
        (set, Profiles { genes: names.clone(), times: own, mean, lo, hi, n_cells })
    };
    Ok(distinct(&sets).into_iter().map(of_set).collect())
}

/// The genes that options name, or the `most` whose mean expression changes most.
///
/// # Errors
/// [`crate::Error::GeneNotAmong`].
pub(super) fn genes_to_draw(
    sets: &[(String, Profiles)],
    options: &PlotOptions,
    most: usize,
) -> Result<Vec<String>> {
    let all = sets.first().map_or(&[][..], |(_, of)| &of.genes);
    if !options.genes.is_empty() {
        let index = GeneIndex::new(all);
        let named = |gene: &String| match index.find(gene) {
            Some(found) => Ok(all[found.places[0]].clone()),
            None => Err(not_among(gene, all, "of these trends")),
        };
        return options.genes.iter().map(named).collect();
    }
    let change = |gene: usize| {
        let values = || {
            let columns = sets.iter().map(move |(_, of)| of.mean.column(gene));
            columns.flatten().copied().filter(|x| x.is_finite())
        };
        let range =
            values().fold(f64::NEG_INFINITY, f64::max) - values().fold(f64::INFINITY, f64::min);
        if range.is_finite() { range } else { 0.0 }
    };
    let mut order: Vec<(f64, usize)> = (0..all.len()).map(|gene| (change(gene), gene)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    Ok(order.into_iter().take(most).map(|(_, gene)| all[gene].clone()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pipeline::plot::PlotKind;

    #[test]
    fn profiles_are_those_of_the_table_and_the_genes_that_change_most_come_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trends.csv");
        let text = "set,time,gene,mean,lo,hi,effective_cells\n\
            a,6,x,1,0.5,2,9\na,0,x,1.5,,,8\na,0,y,5,4,6,8\na,6,y,9,8,10,9\nb,6,x,3,2,4,7\n";
        std::fs::write(&path, text).unwrap();
        let table = Columns::read(&path, "trends").unwrap();
        let sets = profiles(&table).unwrap();
        let (name, of) = &sets[0];
        assert_eq!((name.as_str(), &of.times[..]), ("a", &[0.0, 6.0][..]));
        assert!((of.mean[[1, 1]] - 9.0).abs() < 1e-12 && of.lo[[0, 0]].is_nan());
        assert!(sets[1].1.mean[[0, 1]].is_nan());
        let options = PlotOptions::of(PlotKind::Trends);
        assert_eq!(genes_to_draw(&sets, &options, 9).unwrap(), ["y", "x"]);
        let options = options.with_genes(vec!["x".into()]);
        assert!(genes_to_draw(&sets, &options, 9).is_ok_and(|genes| genes == ["x"]));
        let options = options.with_genes(vec!["nowhere".into()]);
        assert!(genes_to_draw(&sets, &options, 9).is_err());
    }

    #[test]
    fn the_title_says_who_is_shown() {
        let title = |at: Value, direction: &str| {
            let parameters = json!({ "trajectory": { "at": at, "direction": direction } });
            trajectory_title("XEN", &[0.0, 96.0], &parameters, "h")
        };
        assert_eq!(title(json!(96.0), "both"), "Ancestors of XEN, 96 h");
        assert_eq!(title(json!(0.0), "both"), "Descendants of XEN, 0 h");
        assert_eq!(title(json!(48.0), "both"), "Ancestors and descendants of XEN, 48 h");
        assert_eq!(title(Value::Null, "backward"), "Ancestors of XEN");
        assert_eq!(trajectory_title("XEN", &[0.0, 96.0], &Value::Null, ""), "Trajectory of XEN");
    }
}
