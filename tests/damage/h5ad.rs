//! Truncated, altered and contradicting `.h5ad` files.

use std::path::Path;

use hdf5_pure::{AttrValue, FileBuilder, GroupBuilder};
use sbcell::data::Column;
use sbcell::error::Kind;
use sbcell::io::h5ad::{H5ad, H5adEdit, MatrixSource, edit_h5ad};
use sbcell::{Error, Result, Silent};

use crate::dice::{Dice, count};
use crate::promise::Promise;
use crate::seeds::fixture;

/// One file of each kind: contiguous, chunked with filters, sparse by rows and columns,
/// categorical, records with strings of fixed size and on the heap, the newest HDF5 formats.
const FILES: [&str; 14] = [
    "h5ad-dialects/dense_float32",
    "h5ad-dialects/dense_chunked_odd_shuffle_fletcher",
    "h5ad-dialects/csr_float64_gzip",
    "h5ad-dialects/csc_int64_lzf",
    "h5ad-dialects/dense_f4_blosc",
    "h5ad-dialects/dense_f4_bitshuffle",
    "h5ad-dialects/dense_f4_lz4",
    "h5ad-dialects/nullable_bool_unicode",
    "h5ad-dialects/legacy_06_compound_obs_dense",
    "h5ad-dialects/written_by_anndata_0.6.22.post1_csr",
    "h5ad-dialects/libver_latest",
    "h5ad-storage/latest_chunks",
    "h5ad-storage/latest_csr_grows",
    "h5ad-storage/soft_links_old",
];

fn original(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

/// Reads all there is; goes on after an error to reach everything. The number of errors.
fn read_everything(path: &Path) -> Result<usize> {
    let file = H5ad::open(path)?;
    let mut errors = Vec::new();
    let mut note = |error: Option<Error>| errors.extend(error);
    note(file.obs_names().err());
    for column in file.obs_columns().unwrap_or_default() {
        note(file.obs(&column).err());
    }
    for source in [MatrixSource::X, MatrixSource::RawX, MatrixSource::Layer("counts".into())] {
        note(file.gene_names(&source).err());
        note(file.matrix_info(&source).err());
        note(file.matrix(&source, &mut Silent).err());
        note(file.matrix_rows(&source, &[0, 2, 3], &mut Silent).err());
        for column in file.var_columns(&source).unwrap_or_default() {
            note(file.var(&source, &column).err());
        }
    }
    note(file.matrices().err());
    note(file.dialect().err());
    note(file.sample_values(&MatrixSource::X, 100).err());
    for (key, _) in file.obsm_keys().unwrap_or_default() {
        note(file.obsm(&key).err());
    }
    for key in file.uns_keys().unwrap_or_default() {
        note(file.uns_text(&key).err());
    }
    for error in &errors {
        let expected = matches!(error.kind(), Kind::Unreadable | Kind::Usage)
            || matches!(error, Error::Io { .. });
        assert!(expected, "{error}");
    }
    Ok(errors.len())
}

#[test]
fn truncated_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let mut promise = Promise::of("h5ad cut");
    for name in FILES {
        let (bytes, path) = (original(name), folder.path().join("altered.h5ad"));
        std::fs::write(&path, &bytes).unwrap();
        let whole = read_everything(&path).unwrap();
        for length in (0..bytes.len()).step_by(512) {
            std::fs::write(&path, &bytes[..length]).unwrap();
            promise.keep(length as u64, &path, || match read_everything(&path) {
                Err(error) => {
                    assert_eq!(error.kind(), Kind::Unreadable, "{name} {length}");
                    Err(error)
                }
                Ok(errors) => {
                    assert!(errors > whole, "{name}: {length} bytes read like all");
                    Ok(())
                }
            });
        }
    }
}

/// One byte after another, then runs of eight: sizes and addresses of any value. Any answer will do: a
/// wrong byte in a value cannot be seen.
#[test]
fn files_with_wrong_bytes_all_over_are_read_or_refused() {
    const PATTERNS: [u8; 4] = [0xff, 0x01, 0x80, 0x7f];
    let folder = tempfile::tempdir().unwrap();
    let mut promise = Promise::of("h5ad swept");
    // As many places as inputs are asked for, over all files.
    let each = count(1700) as usize / FILES.len() + 1;
    for (start, name) in FILES.into_iter().enumerate() {
        let (whole, path) = (original(name), folder.path().join("altered.h5ad"));
        let step = (whole.len() / each).max(1);
        for (k, place) in (start % step..whole.len() - 8).step_by(step).enumerate() {
            let mut bytes = whole.clone();
            match k % 2 {
                0 => bytes[place] ^= PATTERNS[k / 2 % PATTERNS.len()],
                _ => bytes[place / 8 * 8..][..8].fill([0xff, 0x00, 0x7f][k / 2 % 3]),
            }
            std::fs::write(&path, &bytes).unwrap();
            promise.keep(place as u64, &path, || read_everything(&path).map(drop));
        }
    }
}

#[test]
fn files_with_random_damage_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("altered.h5ad");
    let mut promise = Promise::of("h5ad bytes");
    for k in 0..count(1500) {
        let mut dice = Dice::of("h5ad bytes", k);
        let mut bytes = original(dice.one_of(&FILES));
        dice.damage(&mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        promise.keep(k, &path, || read_everything(&path).map(drop));
    }
}

/// An edit of a damaged file is refused or done; the file that is edited stays as it was.
#[test]
fn damaged_files_are_edited_or_refused_and_stay_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let (path, out) = (folder.path().join("altered.h5ad"), folder.path().join("out.h5ad"));
    let mut promise = Promise::of("h5ad edits");
    for k in 0..count(300) {
        let mut dice = Dice::of("h5ad edits", k);
        let mut bytes = original(dice.one_of(&FILES));
        dice.damage(&mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        let n = H5ad::open(&path).map_or(60, |file| file.n_cells());
        let obs = vec![("sbcell_test".to_string(), Column::Floats(vec![0.5; n.min(1000)]))];
        let edit = H5adEdit { obs, ..H5adEdit::default() };
        promise.keep(k, &path, || {
            let done = edit_h5ad(&path, &out, &edit).map(drop);
            assert!(std::fs::read(&path).unwrap() == bytes, "the input was changed");
            done
        });
    }
}

/// A part of a file as it is made: what is right or one of the ways in which it can be wrong.
struct Faults<'a>(&'a mut Dice);

impl Faults<'_> {
    /// `right`, or in one of twelve cases one of `wrong`.
    fn or<T: Clone>(&mut self, right: T, wrong: &[T]) -> T {
        if self.0.below(12) == 0 { self.0.one_of(wrong) } else { right }
    }

    fn text(&mut self, right: &str, wrong: &[&str]) -> AttrValue {
        AttrValue::VarLenString(self.or(right, wrong).to_string())
    }

    fn mark(&mut self, group: &mut GroupBuilder, kind: &str) {
        if self.or(true, &[false]) {
            let others = ["dict", "dataframe", "array", "csc_matrix", "categorical", "", "null"];
            group.set_attr("encoding-type", self.text(kind, &others));
            group.set_attr("encoding-version", self.text("0.2.0", &["9.9", "", "x"]));
        }
    }

    fn names(&mut self, group: &mut GroupBuilder, n: usize) {
        let n = self.or(n, &[0, 1, n + 1]);
        let names: Vec<String> = (0..n).map(|i| format!("n{}", self.or(i, &[0]))).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let own = self.or("_index", &["index", "time", "x/y"]);
        match self.0.below(12) {
            0 => drop(group.create_dataset(own).with_f64_data(&vec![0.5; n])),
            1 => drop(group.create_dataset(own).with_i64_data(&vec![7; n])),
            _ => drop(group.create_dataset(own).with_vlen_strings(&names)),
        }
        group.set_attr("_index", self.text("_index", &["index", "nothing", "", "../obs"]));
        let columns = vec![self.or("time", &["gone", "kind", ""]).to_string(), "kind".into()];
        group.set_attr("column-order", AttrValue::VarLenStringArray(columns));
    }

    fn frame(&mut self, file: &mut FileBuilder, name: &str, n: usize) {
        let mut group = file.create_group(name);
        self.mark(&mut group, "dataframe");
        self.names(&mut group, n);
        let odd = [f64::NAN, f64::INFINITY, 1e308, -1e308, 1e-320];
        let m = self.or(n, &[0, 1, n + 1]);
        let times: Vec<f64> = (0..m).map(|i| self.or((i % 3) as f64, &odd)).collect();
        group.create_dataset("time").with_f64_data(&times);
        let mut kind = group.create_group("kind");
        self.mark(&mut kind, "categorical");
        let codes: Vec<i8> = (0..n).map(|i| self.or((i % 2) as i8, &[-1, -2, 2, 127])).collect();
        kind.create_dataset("codes").with_i8_data(&codes);
        if self.or(true, &[false]) {
            kind.create_dataset("categories").with_vlen_strings(&["a", self.or("b", &["a", ""])]);
        }
        group.add_group(kind.finish());
        file.add_group(group.finish());
    }

    fn sparse(&mut self, file: &mut FileBuilder, n: usize, genes: usize) {
        let mut group = file.create_group("X");
        let kind = self.or("csr_matrix", &["csc_matrix"]);
        self.mark(&mut group, kind);
        let rows = self.or(n as i64, &[-1, 0, i64::MAX, 1 << 40, n as i64 + 1]);
        let columns = self.or(genes as i64, &[-1, 0, i64::MAX, 1 << 33, 1]);
        group.set_attr("shape", AttrValue::I64Array(vec![rows, columns]));
        let odd = [-1, i64::MAX, i64::MIN, 1 << 40, 0];
        let starts: Vec<i64> = (0..=n).map(|i| self.or(2 * i as i64, &odd)).collect();
        let indices: Vec<i32> =
            (0..2 * n).map(|e| self.or((e % 2 + e / 2 % 3) as i32, &[-1, i32::MAX, 0])).collect();
        let stored = self.or(2 * n, &[0, 1, 2 * n + 1]);
        group.create_dataset("data").with_f32_data(&vec![1.5; stored]);
        group.create_dataset("indices").with_i32_data(&indices);
        group.create_dataset("indptr").with_i64_data(&starts);
        file.add_group(group.finish());
    }

    fn dense(&mut self, file: &mut FileBuilder, n: usize, genes: usize) {
        let rows = self.or(n, &[0, 1, n + 1]);
        let mut odd = || self.or(2.0, &[f32::NAN, f32::INFINITY, -1.0, f32::MAX, 1e-45]);
        let values: Vec<f32> = (0..rows * genes).map(|_| odd()).collect();
        let shape: Vec<u64> = match self.0.below(12) {
            0 => vec![(rows * genes) as u64],
            1 => vec![rows as u64, genes as u64, 1],
            2 => vec![genes as u64, rows as u64],
            _ => vec![rows as u64, genes as u64],
        };
        file.create_dataset("X").with_f32_data(&values).with_shape(&shape);
    }

    fn file(&mut self) -> Vec<u8> {
        let (n, genes) = (3 + self.0.below(6), 4);
        let mut file = FileBuilder::new();
        file.set_attr("encoding-type", self.text("anndata", &["raw", "", "MuData"]));
        if self.0.below(2) == 0 {
            self.sparse(&mut file, n, genes);
        } else {
            self.dense(&mut file, n, genes);
        }
        self.frame(&mut file, "obs", n);
        let of_genes = self.or("var", &["uns"]);
        self.frame(&mut file, of_genes, genes);
        let mut obsm = file.create_group("obsm");
        let rows = self.or(n, &[0, n + 1]);
        let points: Vec<f64> = (0..rows * 2).map(|_| self.or(0.5, &[f64::NAN, 1e308])).collect();
        obsm.create_dataset("X_pca").with_f64_data(&points).with_shape(&[rows as u64, 2]);
        file.add_group(obsm.finish());
        file.finish().unwrap_or_default()
    }
}

/// Sound HDF5 whose parts do not fit together: shapes, marks, codes, pointers, names.
#[test]
fn files_whose_parts_contradict_each_other_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.h5ad");
    let mut promise = Promise::of("h5ad parts");
    for k in 0..count(1200) {
        let mut dice = Dice::of("h5ad parts", k);
        std::fs::write(&path, Faults(&mut dice).file()).unwrap();
        promise.keep(k, &path, || {
            read_everything(&path)?;
            sbcell::pipeline::inspect(&path).map(drop)
        });
    }
}
