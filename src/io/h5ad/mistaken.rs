//! Recognises files that are given in place of an `.h5ad`, and names the command that converts them.

use std::fs;
use std::io::Read;
use std::path::Path;

use sbcell_hdf5::Group;

use crate::error::{Error, Result, did_you_mean};
use crate::io::content::{Content, HEAD, as_typed};
use crate::io::file;

/// Largest number of names of a folder that are examined.
const MOST: usize = 10_000;

/// Number of names that a message shows.
const SHOWN: usize = 5;

/// The remaining step after conversion to `.h5ad`: the times of the cells.
const THEN_TIMES: &str = "; then give each cell its time in a column of `obs`";

/// Suffixes of incomplete downloads.
const UNFINISHED: [&str; 6] = ["part", "partial", "crdownload", "download", "filepart", "tmp"];

/// Refuses everything but HDF5 files: folders, pipes, empty files, and files of other kinds by their first
/// bytes.
///
/// # Errors
/// [`Error::NoFile`]; [`Error::Unreadable`] with what it is and the line that converts it.
pub(super) fn check_file(path: &Path) -> Result<()> {
    // Checked before opening: opening a pipe waits for its writer.
    if let Ok(metadata) = fs::metadata(path) {
        if metadata.is_dir() {
            return Err(folder(path));
        }
        if !metadata.is_file() {
            let problem = "it is a pipe or a device, and an `.h5ad` is not read from first to last";
            let way_out = "write it to a file first".to_string();
            return Err(unreadable(path, problem.into(), Some(way_out)));
        }
    }
    let (mut file, length) = file::open(path)?;
    if length == 0 {
        let way_out = unfinished(path).unwrap_or_else(|| "copy or download it again".into());
        return Err(unreadable(path, "the file is empty".into(), Some(way_out)));
    }
    let mut head = vec![0; HEAD.min(usize::try_from(length).unwrap_or(HEAD))];
    if file.read_exact(&mut head).is_err() {
        return Ok(());
    }
    let Some(found) = Content::of(&head) else { return Ok(()) };
    if found == Content::Hdf5 {
        return Ok(());
    }
    let words = found.words();
    let problem = format!("it is {words}, not an HDF5 file, as every `.h5ad` is");
    Err(unreadable(path, problem, converted(&found, path)))
}

/// The hint for a truncated file.
pub(super) fn unfinished(path: &Path) -> Option<String> {
    let suffix = path.extension().map(|suffix| suffix.to_string_lossy().to_ascii_lowercase());
    let by_name = suffix.is_some_and(|suffix| UNFINISHED.contains(&suffix.as_str()));
    let mut beside = path.as_os_str().to_os_string();
    beside.push(".aria2");
    (by_name || Path::new(&beside).exists())
        .then(|| "its download is not finished: wait for it, or begin it again".into())
}

/// Refuses HDF5 files that hold cells in another layout than AnnData's: MuData even if it has `obs`,
/// others if they do not.
///
/// # Errors
/// [`Error::Unreadable`] with what it is and the line that converts it.
pub(super) fn check_layout(root: &Group) -> Result<()> {
    let path = root.file().path();
    if root.text_attribute("encoding-type") == Some("MuData")
        || (root.group("mod").is_ok_and(|group| group.is_some())
            && !root.child("X").is_ok_and(|node| node.is_some()))
    {
        return Err(mudata(root, path));
    }
    match root.child("obs") {
        Ok(None) => Err(no_obs(root, path)),
        _ => Ok(()),
    }
}

fn mudata(root: &Group, path: &Path) -> Error {
    let modalities = root
        .group("mod")
        .ok()
        .flatten()
        .and_then(|group| group.children().ok())
        .unwrap_or_default();
    let plain = |name: &&String| name.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c));
    let rna = modalities.iter().find(|name| name.as_str() == "rna");
    let first = rna.or_else(|| modalities.iter().find(plain)).filter(plain);
    let name = first.map_or("rna", String::as_str);
    let problem = format!("it is MuData with the modalities {}, not AnnData", quoted(&modalities));
    let (file, out) = (as_typed(path), output(path, name));
    let way_out = format!(
        "write one of them: `python -c \"import mudata; m = mudata.read_h5mu('{file}'); \
         m['{name}'].write_h5ad('{out}')\"`; where times are in the common `obs`, copy them first: \
         `m['{name}'].obs['day'] = m.obs['day']`"
    );
    unreadable(path, problem, Some(way_out))
}

/// The kind of an HDF5 file without `obs`.
fn no_obs(root: &Group, path: &Path) -> Error {
    let names = root.children().unwrap_or_default();
    let has = |name: &str| names.iter().any(|other| other == name);
    let file = as_typed(path);
    let of_10x = |inside: &Group| {
        let parts = inside.children().unwrap_or_default();
        ["barcodes", "indptr", "indices", "data"].iter().all(|p| parts.iter().any(|q| q == p))
    };
    let is_10x = names.iter().any(|name| {
        let inside = root.group(name).ok().flatten();
        inside.is_some_and(|inside| of_10x(&inside))
    });
    if is_10x {
        let problem = "it is counts as Cell Ranger writes them (10x .h5), not AnnData".into();
        let line = python(&format!("import scanpy as sc; sc.read_10x_h5('{file}')"), path);
        return unreadable(path, problem, Some(format!("{line}{THEN_TIMES}")));
    }
    if has("barcode_idx") && has("umi") {
        let problem = "it is the molecules of Cell Ranger (molecule_info.h5), not cells".into();
        let way_out = "take `filtered_feature_bc_matrix.h5` from the same folder".to_string();
        return unreadable(path, problem, Some(way_out));
    }
    if has("matrix") && has("row_attrs") && has("col_attrs") {
        let problem = "it is a Loom file, not AnnData".into();
        let line = python(&format!("import anndata.io; anndata.io.read_loom('{file}')"), path);
        return unreadable(path, problem, Some(format!("{line} (needs the package loompy)")));
    }
    if has("assays") && (has("cell.names") || has("meta.data")) {
        let problem = "it is an h5Seurat file, not AnnData".into();
        let line = r(&format!("SeuratDisk::Convert(\"{file}\", dest = \"h5ad\")"));
        return unreadable(path, problem, Some(line));
    }
    let problem = format!(
        "there is no `obs`: it is HDF5, but not an AnnData file; it holds {}",
        quoted(&names)
    );
    unreadable(path, problem, Some("write the data with anndata's `write_h5ad`".into()))
}

/// The command that converts a file of another kind to `.h5ad`.
fn converted(found: &Content, path: &Path) -> Option<String> {
    let file = as_typed(path);
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
    let name = name.unwrap_or_default();
    let inside = if let Content::Gzip(Some(inside)) = found { inside } else { found };
    let out = output(path, "converted");
    match inside {
        Content::Rds => Some(r(&format!("anndataR::write_h5ad(readRDS(\"{file}\"), \"{out}\")"))),
        // R also compresses with other methods; only the file name shows which.
        Content::Gzip(None) | Content::Compressed(_) if suffix(&name, "rds") => {
            Some(r(&format!("anndataR::write_h5ad(readRDS(\"{file}\"), \"{out}\")")))
        }
        Content::RData => {
            Some(r(&format!("anndataR::write_h5ad(get(load(\"{file}\")[1]), \"{out}\")")))
        }
        Content::MatrixMarket => Some(matrix_market(path)),
        Content::Columns(mark) => {
            let read = if *mark == ',' { "read_csv" } else { "read_text" };
            let line = python(&format!("import scanpy as sc; sc.{read}('{file}')"), path);
            Some(format!(
                "{line} (lines are cells; `.T` before `.write_h5ad` if they are genes){THEN_TIMES}"
            ))
        }
        Content::Zip if suffix(&name, "xlsx") => {
            Some("save the sheet as CSV, and make an `.h5ad` of that".into())
        }
        Content::Zeros => unfinished(path).or_else(|| found.unpacking(path)),
        _ => found
            .unpacking(path)
            .or_else(|| Some("write the data with anndata's `write_h5ad`".into())),
    }
}

/// The command for a matrix whose cells and genes are in other files of the folder.
fn matrix_market(path: &Path) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let names = names_in(folder);
    let beside = |part: &str| names.iter().any(|name| name.contains(part));
    if beside("barcodes.tsv") && (beside("features.tsv") || beside("genes.tsv")) {
        return of_10x_folder(folder, &names);
    }
    let file = as_typed(path);
    let line = python(&format!("import scanpy as sc; sc.read_mtx('{file}').T"), path);
    format!("{line}, and give it the names of its cells and genes{THEN_TIMES}")
}

fn of_10x_folder(folder: &Path, names: &[String]) -> String {
    let matrix = names.iter().find(|name| is_matrix(name)).map_or("", String::as_str);
    let prefix = matrix.split("matrix.mtx").next().unwrap_or_default();
    let first = as_scanpy_reads(folder, prefix, names);
    let prefix = if prefix.is_empty() || as_typed(Path::new(prefix)) != prefix {
        String::new()
    } else {
        format!(", prefix='{prefix}'")
    };
    let shown = as_typed(folder);
    let line = python(&format!("import scanpy as sc; sc.read_10x_mtx('{shown}'{prefix})"), folder);
    format!("{first}{line}{THEN_TIMES}")
}

/// The commands that scanpy needs first to read a folder. It looks for compressed files beside
/// `features.tsv`, and for plain ones beside `genes.tsv`, as the versions of Cell Ranger write them.
fn as_scanpy_reads(folder: &Path, prefix: &str, names: &[String]) -> String {
    let there = |name: &String| names.contains(name);
    let either = |part: &str| [format!("{prefix}{part}"), format!("{prefix}{part}.gz")];
    let is_old = !either("features.tsv").iter().any(there) && either("genes.tsv").iter().any(there);
    let genes = if is_old { "genes.tsv" } else { "features.tsv" };
    let shown = as_typed(folder);
    let wrong: Vec<String> = ["matrix.mtx", genes, "barcodes.tsv"]
        .into_iter()
        .filter_map(|part| {
            let [plain, packed] = either(part);
            let (needed, found) = if is_old { (plain, packed) } else { (packed, plain) };
            (!there(&needed) && there(&found)).then(|| format!("{shown}/{found}"))
        })
        .collect();
    if wrong.is_empty() {
        return String::new();
    }
    let program = if is_old { "gunzip" } else { "gzip" };
    format!("scanpy needs other files there: `{program} -k {}`; then ", wrong.join(" "))
}

fn is_matrix(name: &str) -> bool {
    ["matrix.mtx", "matrix.mtx.gz"].iter().any(|end| name.ends_with(end))
}

/// Refuses folders that are known to be something else than the `.h5ad` files of a course.
///
/// # Errors
/// [`Error::Unreadable`] with what the folder is and the line that converts it.
pub(super) fn check_folder(path: &Path) -> Result<()> {
    let names = names_in(path);
    let has = |name: &str| names.iter().any(|other| other == name);
    let shown = as_typed(path);
    let refuse = |problem: &str, way_out: String| {
        Err(unreadable(path, format!("it is {problem}, not a file"), Some(way_out)))
    };
    if [".zgroup", ".zattrs", ".zmetadata", "zarr.json"].iter().any(|name| has(name)) {
        if has("tables") {
            let read = format!(
                "import spatialdata; next(iter(spatialdata.read_zarr('{shown}').tables.values()))"
            );
            return refuse("a zarr folder of SpatialData", python(&read, path));
        }
        let read = format!("import anndata.io; anndata.io.read_zarr('{shown}')");
        return refuse("a zarr folder", python(&read, path));
    }
    if names.iter().any(|name| is_matrix(name)) {
        return refuse(
            "a folder of counts as Cell Ranger writes them",
            of_10x_folder(path, &names),
        );
    }
    if has("model.json") {
        return refuse(
            "a model that `sbcell fit` wrote",
            "give the `.h5ad` file; models are named with the parameter `model`".into(),
        );
    }
    if path.join("model").join("model.json").is_file() {
        return refuse(
            "a folder with results of `sbcell run`",
            "give the `.h5ad` file; these results are named with the parameter `model`".into(),
        );
    }
    Ok(())
}

/// The error for a folder that is given as a file, by its content.
fn folder(path: &Path) -> Error {
    if let Err(error) = check_folder(path) {
        return error;
    }
    let files: Vec<String> = names_in(path)
        .iter()
        .filter(|name| suffix(name, "h5ad"))
        .map(|name| path.join(name).display().to_string())
        .collect();
    let meant = if files.len() <= 3 { did_you_mean(&files) } else { None };
    let way_out = meant.unwrap_or_else(|| match files.as_slice() {
        [] => "give an `.h5ad` file".into(),
        _ => format!("give one of its files: {}", quoted(&files)),
    });
    unreadable(path, "it is a folder, not a file".into(), Some(way_out))
}

/// Names in a folder, sorted; at most the first of a very large folder.
fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let entries = entries.take(MOST).flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// `python -c "READ.write_h5ad('NAME.h5ad')"`.
fn python(read: &str, path: &Path) -> String {
    let out = output(path, "converted");
    format!("convert it: `python -c \"{read}.write_h5ad('{out}')\"`")
}

fn r(call: &str) -> String {
    format!("convert it: `Rscript -e '{call}'`")
}

/// A name for the new file that is not that of the old one.
fn output(path: &Path, other: &str) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let known = [".gz", ".h5", ".h5mu", ".loom", ".mtx", ".csv", ".tsv", ".txt", ".rds", ".zarr"];
    let mut stem = name.as_str();
    for suffix in known.iter().chain(&known) {
        let cut = stem.len().saturating_sub(suffix.len());
        if stem.get(cut..).is_some_and(|end| end.eq_ignore_ascii_case(suffix)) {
            stem = &stem[..cut];
        }
    }
    let stem = stem.strip_suffix(".h5ad").unwrap_or(stem);
    let taken = format!("{stem}.h5ad") == name;
    if stem.is_empty() || as_typed(Path::new(stem)) != stem {
        return "data.h5ad".into();
    }
    if taken { format!("{stem}.{other}.h5ad") } else { format!("{stem}.h5ad") }
}

/// Whether a name has this suffix, whatever the case.
fn suffix(name: &str, wanted: &str) -> bool {
    Path::new(name).extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case(wanted))
}

fn quoted(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".into();
    }
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

fn unreadable(path: &Path, problem: String, way_out: Option<String>) -> Error {
    Error::Unreadable { path: path.to_path_buf(), problem, way_out }
}
