//! Heat map of genes over the times of a trajectory, or of edges.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::io::chart::{Chart, GenePicture, Profiles, draw_genes, draw_heatmap};
use crate::pipeline::plot::edges::rows;
use crate::pipeline::plot::read::Source;
use crate::pipeline::plot::style::{at_time, time_title};
use crate::pipeline::plot::trends::{genes_to_draw, profiles};
use crate::progress::{self, Progress};

/// Largest number of genes that are drawn without names.
const DRAWN: usize = 60;

/// Draws a table of `sbcell trends` as genes over time, or any other table as a list of edges.
///
/// # Errors
/// Those of reading the table; [`Error::UnknownGroup`] for a set that it does not have.
pub(super) fn heatmap(source: &Source<'_>, progress: &mut dyn Progress) -> Result<Chart> {
    let options = source.options;
    let table = source.table()?;
    if !table.has(&["set", "gene"]) {
        return options.fixed(draw_heatmap(&rows(source)?));
    }
    if !options.palette.is_empty() {
        let (name, must) = ("palette", "left out where colours show numbers");
        return Err(Error::Parameter { name, must, got: options.palette.join(",") });
    }
    let sets = profiles(&table)?;
    let names: Vec<String> = sets.iter().map(|set| set.0.clone()).collect();
    let chosen = match &options.set {
        None => 0,
        Some(name) => names
            .iter()
            .position(|other| other == name)
            .ok_or_else(|| Error::UnknownGroup { name: name.clone(), groups: names.clone() })?,
    };
    if options.set.is_none() && names.len() > 1 {
        let text = format!(
            "genes along {}; choose among {} with the parameter `set`",
            names[0],
            names.join(", ")
        );
        progress::note(progress, text)?;
    }
    let one = &sets[chosen..=chosen];
    let genes = genes_to_draw(one, options, DRAWN)?;
    let (name, of) = &one[0];
    let columns = genes.iter().map(|gene| of.genes.iter().position(|other| other == gene));
    let columns: Vec<usize> = columns.flatten().collect();
    let unit = source.unit();
    let all = of.genes.len();
    let subtitle = if genes.len() < all && options.genes.is_empty() {
        format!("the {} of {all} genes whose mean expression changes most", genes.len())
    } else {
        format!("mean expression of {} genes", genes.len())
    };
    let picture = GenePicture {
        title: title(name, of, &source.parameters(), &unit),
        subtitle,
        time_title: time_title(&unit),
        mean: of.mean.select(ndarray::Axis(1), &columns).reversed_axes(),
        times: of.times.clone(),
        genes,
    };
    Ok(options.laid_out(draw_genes(&picture, options.page())))
}

/// `Ancestors of XEN, 96 h`, as far as the record of the run tells.
fn title(set: &str, of: &Profiles, parameters: &Value, unit: &str) -> String {
    let trajectory = parameters.get("trajectory").unwrap_or(&Value::Null);
    let at = trajectory.get("at").and_then(Value::as_f64);
    let last = of.times.last().copied();
    let is_last = at.zip(last).is_some_and(|(at, last)| at >= last);
    let is_first = at.zip(of.times.first()).is_some_and(|(at, first)| at <= *first);
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

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_title_says_who_is_shown() {
        let none = Array2::zeros((2, 0));
        let of = Profiles {
            genes: Vec::new(),
            times: vec![0.0, 96.0],
            mean: none.clone(),
            lo: none.clone(),
            hi: none.clone(),
            n_cells: none,
        };
        let title = |at: Value, direction: &str| {
            let parameters = json!({ "trajectory": { "at": at, "direction": direction } });
            title("XEN", &of, &parameters, "h")
        };
        assert_eq!(title(json!(96.0), "both"), "Ancestors of XEN, 96 h");
        assert_eq!(title(json!(0.0), "both"), "Descendants of XEN, 0 h");
        assert_eq!(title(json!(48.0), "both"), "Ancestors and descendants of XEN, 48 h");
        assert_eq!(title(Value::Null, "backward"), "Ancestors of XEN");
        assert_eq!(super::title("XEN", &of, &Value::Null, ""), "Trajectory of XEN");
    }
}
