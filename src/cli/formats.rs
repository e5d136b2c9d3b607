//! `--format` and the suffix of `--out`, which must not contradict each other.

use std::path::Path;

use sbcell::{Error, Result};

/// Suffixes that promise what is in a file.
const PROMISES: [&str; 18] = [
    "csv", "tsv", "txt", "tab", "parquet", "pq", "feather", "graphml", "xml", "json", "h5ad", "h5",
    "loom", "zarr", "xlsx", "gz", "zip", "zst",
];

/// Refuses a file whose suffix promises something else than `format`, whose files may have the suffixes
/// `fitting`; `must` says so in words. Other suffixes, or none, promise nothing.
pub(crate) fn check_suffix(
    out: &Path,
    format: &str,
    fitting: &[&str],
    must: &'static str,
) -> Result<()> {
    let suffix = out.extension().map(|suffix| suffix.to_string_lossy().to_ascii_lowercase());
    let Some(suffix) = suffix else { return Ok(()) };
    if fitting.contains(&suffix.as_str()) || !PROMISES.contains(&suffix.as_str()) {
        return Ok(());
    }
    let got = format!("`{}` with `--format {format}`", out.display());
    Err(Error::Parameter { name: "--out", must, got })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_suffix_that_promises_something_else_is_refused() {
        let check = |out: &str| check_suffix(Path::new(out), "csv", &["csv"], "a .csv");
        for out in ["a.csv", "a.CSV", "a", "a.links", "/dev/stdout", "-"] {
            assert!(check(out).is_ok(), "{out}");
        }
        for out in ["a.parquet", "a.csv.gz", "a.TSV"] {
            assert!(check(out).unwrap_err().to_string().contains("--format csv"), "{out}");
        }
    }
}
