//! Perturbed genes of cells, from a column of labels, and the perturbations in a part of the cells.

use std::collections::{BTreeMap, BTreeSet};

use crate::data::GeneIndex;
use crate::error::{Error, Result, nearest};
use crate::grn::Perturbations;
use crate::lineage::Groups;
use crate::pipeline::grn::parts::{FEWEST_CELLS, Part};
use crate::progress::{self, Progress};

/// Labels of cells without a perturbation, in lower case. Empty labels and `nan` are controls as well.
const CONTROLS: [&str; 8] =
    ["control", "ctrl", "wt", "wild type", "wildtype", "none", "non-targeting", "nt"];

/// Separators of the genes of one label.
const SEPARATORS: [char; 2] = ['+', ','];

/// Number of names in one message.
const SHOWN: usize = 12;

/// The perturbation of every analysed cell.
pub(in crate::pipeline) struct Perturbed {
    /// Number of the group of each cell; group 0 are the controls.
    of_cells: Vec<usize>,
    groups: Vec<Group>,
}

/// Cells in which the same genes were perturbed.
struct Group {
    /// The genes, joined by `+`; empty for controls.
    name: String,
    /// Columns of the genes among the analysed genes. Genes that are not analysed have none.
    genes: Vec<usize>,
}

/// Names that labels are compared with.
pub(super) struct Known<'a> {
    /// All genes of the file.
    pub(super) all: &'a [String],
    /// Columns of the analysed genes among them, increasing.
    pub(super) analysed: &'a [usize],
    /// A further label of controls.
    pub(super) control: Option<&'a str>,
}

impl Perturbed {
    /// The perturbations that `labels` name, one label for each analysed cell.
    ///
    /// A label is the name of a gene, or several names joined by `+` or `,`. Labels of controls are listed in
    /// the documentation of [`GrnOptions::perturbation`](crate::pipeline::GrnOptions). A note names the perturbed
    /// genes that are not analysed.
    ///
    /// # Errors
    /// [`Error::GeneNotAmong`] for a label that is no gene of the file; [`Error::Parameter`] if no cell is a
    /// control, or if all are, or if no cell has the label `control`.
    pub(super) fn of_labels(
        labels: &[String],
        known: &Known<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Self> {
        let refuse = |name, must, got| Err(Error::Parameter { name, must, got });
        if let Some(control) = known.control
            && !labels.iter().any(|label| label.trim() == control.trim())
        {
            return refuse("control", "a label in the column of perturbations", control.into());
        }
        let index = GeneIndex::new(known.all);
        let mut of_labels: BTreeMap<&String, BTreeSet<usize>> = BTreeMap::new();
        for label in labels.iter().collect::<BTreeSet<_>>() {
            of_labels.insert(label, genes_of(label, known, &index)?);
        }
        let sets: BTreeSet<&BTreeSet<usize>> = of_labels.values().collect();
        if !sets.iter().any(|set| set.is_empty()) {
            let must = "a column with controls: cells without a label, or with `control`, `wt`, `non-targeting` or \
                        the label that the parameter `control` names";
            let got = format!("{} perturbed cells and no control", labels.len());
            return refuse("perturbation_key", must, got);
        }
        if sets.len() < 2 {
            let must = "a column that names the perturbed gene of some cells";
            return refuse("perturbation_key", must, format!("{} controls", labels.len()));
        }
        say_absent(&sets, known, progress)?;
        // The empty set of the controls is the first one.
        let numbers: BTreeMap<&BTreeSet<usize>, usize> =
            sets.iter().enumerate().map(|(number, set)| (*set, number)).collect();
        let of_cells = labels.iter().map(|label| numbers[&of_labels[label]]).collect();
        let groups = sets.iter().map(|set| Group {
            name: joined(set.iter().map(|&gene| known.all[gene].clone()), "+"),
            genes: set.iter().filter_map(|gene| known.analysed.binary_search(gene).ok()).collect(),
        });
        Ok(Self { of_cells, groups: groups.collect() })
    }

    /// Gives `part` its perturbations, and leaves out cells of a perturbation and time with fewer than ten cells,
    /// and those of a perturbation with fewer than two such times. Notes tell what is used and what is left out.
    /// `times` are those of all analysed cells and `label` is a name of the part.
    ///
    /// # Errors
    /// [`Error::Parameter`] if no two times of a perturbation are left; [`Error::Cancelled`].
    pub(super) fn divide(
        &self,
        part: &mut Part,
        times: &[f64],
        label: &str,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let mut strata: BTreeMap<(usize, u64), (f64, Vec<usize>)> = BTreeMap::new();
        for &row in &part.rows {
            let time = times[row];
            let stratum = strata.entry((self.of_cells[row], time.to_bits()));
            stratum.or_insert_with(|| (time, Vec::new())).1.push(row);
        }
        let (mut kept, mut small) = (Vec::new(), Vec::new());
        let mut used = vec![0; self.groups.len()];
        for (group, of) in self.groups.iter().enumerate() {
            let of_group = strata.iter().filter(|(key, _)| key.0 == group).map(|(_, rows)| rows);
            let (enough, few): (Vec<_>, Vec<_>) =
                of_group.partition(|(_, rows)| rows.len() >= FEWEST_CELLS);
            let name = if of.name.is_empty() { "controls" } else { &of.name };
            small.extend(
                few.iter().map(|(time, rows)| format!("{name} at {time} ({})", rows.len())),
            );
            if let [(time, rows)] = enough[..] {
                small.push(format!(
                    "{name}, which has enough cells at {time} only ({})",
                    rows.len()
                ));
            } else {
                let rows = enough.iter().flat_map(|(_, rows)| rows.iter().copied());
                let before = kept.len();
                kept.extend(rows);
                used[group] = kept.len() - before;
            }
        }
        self.say_used(&used, &small, label, progress)?;
        if kept.is_empty() {
            let must = "at least ten at each of two times of one perturbation";
            let got = format!("fewer in {label}");
            return Err(Error::Parameter { name: "number of cells", must, got });
        }
        kept.sort_unstable();
        let of_rows = kept.iter().map(|&row| self.of_cells[row]).collect();
        let genes = self.groups.iter().map(|group| group.genes.clone()).collect();
        let span = kept.iter().map(|&row| times[row]);
        part.span = span.fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), time| {
            (from.min(time), to.max(time))
        });
        part.perturbed = Some(Perturbations::new(of_rows, genes)?);
        part.rows = kept;
        Ok(())
    }

    /// Notes how many perturbed groups and cells are used, for which genes, and what is left out. `used` are the
    /// numbers of cells of each group.
    fn say_used(
        &self,
        used: &[usize],
        small: &[String],
        label: &str,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let perturbed: Vec<(&Group, usize)> =
            self.groups.iter().zip(used.iter().copied()).skip(1).filter(|of| of.1 > 0).collect();
        let n_cells: usize = perturbed.iter().map(|of| of.1).sum();
        let names: Vec<String> = perturbed.iter().map(|of| of.0.name.clone()).collect();
        let of_genes =
            if names.is_empty() { String::new() } else { format!(" ({})", short(&names)) };
        let text = format!(
            "{label}: {} perturbed groups{of_genes} with {n_cells} cells, and {} controls",
            names.len(),
            used.first().copied().unwrap_or(0)
        );
        progress::note(progress, text)?;
        if small.is_empty() {
            return Ok(());
        }
        let text = format!(
            "{label}: left out, because steps of time need ten cells of a perturbation at two times: {}",
            short(small)
        );
        progress::note(progress, text)
    }
}

/// The genes of a `label` as columns of the file; none for a control.
///
/// # Errors
/// [`Error::GeneNotAmong`] for a name that is no gene of the file.
fn genes_of(label: &str, known: &Known<'_>, index: &GeneIndex) -> Result<BTreeSet<usize>> {
    let is_control = |label: &str| {
        let label = label.trim();
        Groups::is_none(label)
            || CONTROLS.contains(&label.to_lowercase().as_str())
            || known.control.is_some_and(|control| label == control.trim())
    };
    if is_control(label) {
        return Ok(BTreeSet::new());
    }
    let mut genes = BTreeSet::new();
    for name in label.split(SEPARATORS).map(str::trim).filter(|name| !is_control(name)) {
        let found = index.find(name).ok_or_else(|| Error::GeneNotAmong {
            gene: name.to_string(),
            in_file: false,
            kept: known.all.len(),
            whose: "of the file, but a label of a perturbation".into(),
            near: nearest(name, known.all),
            way_out: "give the label of controls in the parameter `control`, or correct the column",
        })?;
        genes.extend(found.places);
    }
    Ok(genes)
}

/// Notes the genes of `sets` that are not analysed.
fn say_absent(
    sets: &BTreeSet<&BTreeSet<usize>>,
    known: &Known<'_>,
    progress: &mut dyn Progress,
) -> Result<()> {
    let genes: BTreeSet<usize> = sets.iter().flat_map(|set| set.iter().copied()).collect();
    let absent = genes.into_iter().filter(|gene| known.analysed.binary_search(gene).is_err());
    let absent: Vec<String> = absent.map(|gene| known.all[gene].clone()).collect();
    if absent.is_empty() {
        return Ok(());
    }
    let text = format!(
        "perturbed, but not among the analysed genes: {}. In these cells all analysed genes count as unperturbed; \
         name the genes in the parameter `tfs` or `genes` to analyse them",
        short(&absent)
    );
    progress::note(progress, text)
}

/// `names` joined by `by`.
fn joined(names: impl Iterator<Item = String>, by: &str) -> String {
    names.collect::<Vec<_>>().join(by)
}

/// The first [`SHOWN`] names, and how many more there are.
fn short(names: &[String]) -> String {
    let shown = joined(names.iter().take(SHOWN).cloned(), ", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
