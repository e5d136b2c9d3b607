//! `sbcell strip`: remove everything that `annotate` wrote into an `.h5ad` file.

use std::path::{Path, PathBuf};

use clap::Args;
use sbcell::Result;
use sbcell::error::{did_you_mean, nearest};
use sbcell::io::h5ad::DataFiles;
use sbcell::pipeline;

use crate::cli::Outcome;
use crate::cli::annotate::{KeyArgs, TargetArgs};
use crate::cli::places::usual_model;
use crate::cli::shared::{shown, with_help};
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  sbcell strip data.h5ad --in-place
      remove everything that `sbcell annotate` wrote, under any key
  sbcell strip data.h5ad --key other -o without-other.h5ad
      remove what `sbcell annotate --key other` wrote

sbcell removes the keys that its entry in uns lists, and this entry. All other parts stay the same
byte for byte. A file without an entry stays unchanged (with --out it is copied); this is no
error. Keys that an annotation with --overwrite replaced do not come back.";

/// Remove everything that annotate wrote
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("key", |key| with_help(key, " [default: all annotations]")))]
pub(crate) struct StripArgs {
    /// An annotated file
    #[arg(value_name = "DATA.h5ad")]
    data: PathBuf,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    key: KeyArgs,
}

/// Runs `sbcell strip`: removes the keys and prints each of them.
///
/// # Errors
/// As [`pipeline::strip`].
pub(crate) fn run(args: StripArgs, terminal: &Terminal) -> Result<Outcome> {
    let StripArgs { data, target, key: KeyArgs { key } } = args;
    let in_place = target.in_place();
    DataFiles::find(&data)?.check_one("strip")?;
    let out = target.of(&data)?;
    let source = if in_place { &out } else { &data };
    // The default model of `annotate` may have recorded this file; it continues with the new one.
    let (model, silent) = (&usual_model(), &mut sbcell::Silent);
    let fitted = in_place && pipeline::is_fitted_file(source, model, silent)?;
    let strip = |out: &Path| pipeline::strip(source, out, key.as_deref());
    let done = if in_place {
        strip(&out)?
    } else {
        let parameters = serde_json::json!({ "key": key });
        pipeline::write_recorded_without_model(&out, "strip", &data, &parameters, strip)?
    };
    if fitted {
        pipeline::remember_annotated(source, model, silent)?;
    }
    let shown_out = shown(if in_place { &data } else { &out });
    let left = if done.left.is_empty() {
        String::new()
    } else {
        format!("; left: {}", done.left.join(", "))
    };
    if !in_place {
        terminal.wrote(&out);
    }
    if done.marks.is_empty() {
        let of_key = key.as_ref().map(|key| format!(" under the key `{key}`")).unwrap_or_default();
        let kept = if in_place { "unchanged" } else { "a copy" };
        let meant = key.and_then(|key| did_you_mean(&nearest(&key, &done.left)));
        let meant = meant.map(|meant| format!("; {meant}")).unwrap_or_default();
        terminal
            .say(&format!("no annotation of sbcell{of_key}{left}: {shown_out} is {kept}{meant}"));
        return Ok(Outcome::Done);
    }
    terminal.wrote(if in_place { &data } else { &out });
    terminal.record("removed", &done.removed);
    terminal.record("left", &done.left);
    for path in &done.removed {
        let (slot, name) = path.split_once('/').unwrap_or((path, ""));
        terminal.say(&format!("  removed {slot}['{name}']"));
    }
    terminal.say(&format!("wrote {shown_out}{left}"));
    Ok(Outcome::Done)
}
