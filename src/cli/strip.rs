//! `sbcell strip`: everything that `annotate` wrote, out of an `.h5ad` again.

use std::path::{Path, PathBuf};

use clap::Args;
use sbcell::Result;
use sbcell::error::{did_you_mean, nearest};
use sbcell::pipeline;

use crate::cli::Outcome;
use crate::cli::annotate::TargetArgs;
use crate::cli::shared::{MODEL_FOLDER, shown};
use crate::cli::terminal::Terminal;

const EXAMPLES: &str = "\
Examples:
  sbcell strip data.h5ad --in-place
      without all that `sbcell annotate` wrote, under any key
  sbcell strip data.h5ad --key other -o without-other.h5ad
      without what was written with --key-added other

What is removed is what the entry in uns lists, and that entry; all else stays byte for byte. A
file without such an entry is left as it is (a copy with --out), which is no error. What an
annotation with --overwrite replaced does not come back.";

/// Remove everything that annotate wrote
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StripArgs {
    /// An annotated file
    #[arg(value_name = "DATA.h5ad")]
    data: PathBuf,
    #[command(flatten)]
    target: TargetArgs,
    /// Only what was written under this key [default: all keys]
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
}

pub(crate) fn run(args: StripArgs, terminal: &Terminal) -> Result<Outcome> {
    let StripArgs { data, target, key } = args;
    let in_place = target.in_place();
    let out = target.of(&data)?;
    let source = if in_place { &out } else { &data };
    // The model that `annotate` uses unless told otherwise goes on with the file.
    let (model, silent) = (Path::new(MODEL_FOLDER), &mut sbcell::Silent);
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
    if done.marks.is_empty() {
        let of_key = key.as_ref().map(|key| format!(" under the key `{key}`")).unwrap_or_default();
        let kept = if in_place { "unchanged" } else { "a copy" };
        let meant = key.and_then(|key| did_you_mean(&nearest(&key, &done.left)));
        let meant = meant.map(|meant| format!("; {meant}")).unwrap_or_default();
        terminal
            .say(&format!("nothing of sbcell in it{of_key}{left}: {shown_out} is {kept}{meant}"));
        return Ok(Outcome::Done);
    }
    for path in &done.removed {
        let (slot, name) = path.split_once('/').unwrap_or((path, ""));
        terminal.say(&format!("  removed {slot}['{name}']"));
    }
    terminal.say(&format!("wrote {shown_out}{left}"));
    Ok(Outcome::Done)
}
