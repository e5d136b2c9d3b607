//! Several files that are read as one, against the one file with all their cells.

use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis, array, s};

use crate::data::{BLOCK_CELLS, CellBlocks, Column, Matrix, StoredValues};
use crate::error::Error;
use crate::io::h5ad::{H5ad, H5adContent, MatrixContent, MatrixSource, StorageFormat, write_h5ad};
use crate::linalg::Csr;
use crate::progress::Silent;

fn names(stem: &str, n: usize) -> Vec<String> {
    (0..n).map(|i| format!("{stem}{i}")).collect()
}

/// Values of which two thirds are zero, `(n, 7)`; not whole, so that the order of sums matters.
fn values(n: usize) -> Array2<f32> {
    Array2::from_shape_fn((n, 7), |(i, j)| {
        let k = i * 31 + j * 17 + i * j;
        if k % 3 == 0 { 0.1 + (k % 101) as f32 / 7.0 } else { 0.0 }
    })
}

/// How the matrix of a file is stored.
#[derive(Clone, Copy, PartialEq)]
enum Stored {
    Dense,
    Sparse,
    /// Sparse, with the genes in reverse order.
    Turned,
    /// Dense, with the genes in reverse order.
    TurnedDense,
}

/// Writes a file with the cells `cells` of `all`, whose names are `c0`, `c1`, …
fn write(path: &Path, all: &Array2<f32>, cells: std::ops::Range<usize>, stored: Stored) {
    let turned = matches!(stored, Stored::Turned | Stored::TurnedDense);
    let mut part = all.slice(s![cells.clone(), ..]).to_owned();
    let mut genes = names("g", all.ncols());
    if turned {
        genes.reverse();
        part = part.select(Axis(1), &(0..genes.len()).rev().collect::<Vec<_>>());
        part = part.as_standard_layout().into_owned();
    }
    let obs_names: Vec<String> = cells.clone().map(|i| format!("c{i}")).collect();
    let sparse = Csr::of_dense(&part);
    let x = match stored {
        Stored::Dense | Stored::TurnedDense => MatrixContent::Single(part.view()),
        Stored::Sparse | Stored::Turned => MatrixContent::Sparse(&sparse),
    };
    let points =
        Array2::from_shape_fn((cells.len(), 2), |(i, d)| (2 * (cells.start + i) + d) as f64);
    let obsm = [("X_pca", points.view())];
    let obsm_sparse = [("clones", &sparse)];
    let content = H5adContent {
        obs_names: &obs_names,
        var_names: &genes,
        x: Some(x),
        obsm: &obsm,
        obsm_sparse: &obsm_sparse,
        ..H5adContent::default()
    };
    write_h5ad(path, &content).unwrap();
}

/// A folder with `one.h5ad`, and the folder `parts` with the same cells in three files, cut within blocks.
struct Course(tempfile::TempDir);

impl Course {
    fn of(one: Stored, parts: [Stored; 3]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let n = 2 * BLOCK_CELLS + 100;
        let all = values(n);
        let ends = [0, 300, BLOCK_CELLS + 50, n];
        std::fs::create_dir(folder.path().join("parts")).unwrap();
        write(&folder.path().join("one.h5ad"), &all, 0..n, one);
        for (k, stored) in parts.into_iter().enumerate() {
            let path = folder.path().join(format!("parts/day{k}.h5ad"));
            write(&path, &all, ends[k]..ends[k + 1], stored);
        }
        Self(folder)
    }

    fn one(&self) -> H5ad {
        H5ad::open(&self.0.path().join("one.h5ad")).unwrap()
    }

    fn parts(&self) -> H5ad {
        H5ad::open(&self.0.path().join("parts")).unwrap()
    }
}

/// A block as it is seen.
#[derive(Debug, PartialEq)]
enum Block {
    Cells(Matrix),
    Values(StoredValues),
}

/// The blocks of the cells `rows`, and the stored values of these blocks, with their first cells.
fn blocks(file: &H5ad, rows: &[usize]) -> [Vec<(usize, Block)>; 2] {
    let blocks = file.matrix_blocks(&MatrixSource::X, rows).unwrap().unwrap();
    let (mut cells, mut values) = (Vec::new(), Vec::new());
    let mut see = |first: usize, block: &Matrix| {
        cells.push((first, Block::Cells(block.clone())));
        Ok(())
    };
    blocks.each_block(&mut Silent, &mut see).unwrap();
    let mut see = |first: usize, block: &StoredValues| {
        values.push((first, Block::Values(block.clone())));
        Ok(())
    };
    blocks.each_values(&mut Silent, &mut see).unwrap();
    [cells, values]
}

#[test]
fn several_files_give_the_blocks_and_rows_of_one() {
    use Stored::{Dense, Sparse, Turned, TurnedDense};
    for (one, parts) in [
        (Sparse, [Sparse, Sparse, Sparse]),
        (Dense, [Dense, Dense, Dense]),
        (Sparse, [Sparse, Turned, Sparse]),
        (Dense, [Dense, Dense, TurnedDense]),
        (Sparse, [Dense, Sparse, Turned]),
        (Sparse, [Sparse, TurnedDense, Dense]),
    ] {
        let course = Course::of(one, parts);
        let (one, parts) = (course.one(), course.parts());
        assert_eq!(
            (one.n_cells(), one.obs_names().unwrap()),
            (parts.n_cells(), parts.obs_names().unwrap())
        );
        let x = &MatrixSource::X;
        assert_eq!(one.gene_names(x).unwrap(), parts.gene_names(x).unwrap());
        assert_eq!(one.matrix_info(x).unwrap().format, parts.matrix_info(x).unwrap().format);
        let whole = parts.matrix(x, &mut Silent).unwrap();
        assert_eq!(whole, one.matrix(x, &mut Silent).unwrap());
        if let Matrix::Dense(whole) = &whole {
            assert!(whole.is_standard_layout());
        }
        let n = one.n_cells();
        let all: Vec<usize> = (0..n).collect();
        let some: Vec<usize> =
            all.iter().copied().filter(|i| i % 11 != 5 && !(250..900).contains(i)).collect();
        let late: Vec<usize> = (n - 40..n).collect();
        for rows in [&all, &some, &late, &vec![3, 299, 300, n - 1], &vec![299], &Vec::new()] {
            assert_eq!(blocks(&one, rows), blocks(&parts, rows));
            let read = |file: &H5ad| file.matrix_rows(x, rows, &mut Silent).unwrap();
            assert_eq!(read(&one), read(&parts));
        }
        let mixed = [n - 1, 0, 301, 299, 0];
        let read = |file: &H5ad| file.matrix_rows(x, &mixed, &mut Silent).unwrap();
        assert_eq!(read(&one), read(&parts));
        assert_eq!(one.obsm("X_pca").unwrap(), parts.obsm("X_pca").unwrap());
        assert_eq!(parts.obsm_keys().unwrap(), one.obsm_keys().unwrap());
        let n_sampled = parts.sample_values(x, 1000).unwrap().len();
        assert!((500..1100).contains(&n_sampled), "{n_sampled}");
    }
}

#[test]
fn sparse_arrays_of_cells_are_joined() {
    let course = Course::of(Stored::Sparse, [Stored::Sparse; 3]);
    let of = |file: H5ad| file.obsm_matrix("clones").unwrap();
    assert_eq!(of(course.one()), of(course.parts()));
}

/// Writes a file of these cells, genes and columns.
fn small(
    folder: &Path,
    name: &str,
    cells: &[&str],
    genes: &[&str],
    obs: &[(&str, Column)],
) -> PathBuf {
    let texts = |of: &[&str]| of.iter().map(|text| (*text).to_string()).collect::<Vec<_>>();
    let (obs_names, var_names) = (texts(cells), texts(genes));
    let x = Array2::from_shape_fn((cells.len(), genes.len()), |(i, j)| (i + j) as f32);
    let obs: Vec<(&str, &Column)> = obs.iter().map(|(name, column)| (*name, column)).collect();
    let content = H5adContent {
        obs_names: &obs_names,
        var_names: &var_names,
        obs: &obs,
        x: Some(MatrixContent::Single(x.view())),
        ..H5adContent::default()
    };
    let path = folder.join(name).with_extension("h5ad");
    write_h5ad(&path, &content).unwrap();
    path
}

fn told(error: &Error) -> String {
    format!("{error}; {}", error.hint().unwrap_or_default())
}

#[test]
fn different_genes_are_refused_by_the_file_and_the_first_of_them() {
    let folder = tempfile::tempdir().unwrap();
    small(folder.path(), "a", &["x"], &["A", "B", "C"], &[]);
    small(folder.path(), "b", &["y"], &["A", "D"], &[]);
    let file = H5ad::open(folder.path()).unwrap();
    let error = told(&file.matrix(&MatrixSource::X, &mut Silent).unwrap_err());
    for part in
        ["b.h5ad", "2 genes", "has 3", "lacks 2 genes, such as `B`, `C`", "`D`", "anndata.concat"]
    {
        assert!(error.contains(part), "{part}: {error}");
    }
    // Names of cells do not need genes.
    assert_eq!(file.obs_names().unwrap(), ["x", "y"]);
    small(folder.path(), "b", &["y"], &["B", "A", "A"], &[]);
    small(folder.path(), "a", &["x"], &["A", "B", "A"], &[]);
    let file = H5ad::open(folder.path()).unwrap();
    let error = told(&file.gene_names(&MatrixSource::X).unwrap_err());
    assert!(error.contains("more than once") && error.contains("var_names_make_unique"), "{error}");
}

#[test]
fn columns_that_all_files_have_are_joined_and_others_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let groups = |names: &[&str], codes: &[u32]| Column::Categories {
        codes: codes.iter().map(|&code| Some(code)).collect(),
        categories: Box::new(Column::Texts(
            names.iter().map(|name| Some((*name).into())).collect(),
        )),
    };
    let first = [
        ("day", Column::Integers(vec![Some(0), None])),
        ("type", groups(&["late", "early"], &[1, 0])),
        ("note", Column::Floats(vec![f64::NAN, f64::NAN])),
        ("batch", Column::Bools(vec![Some(true), Some(false)])),
    ];
    let second = [
        ("day", Column::Floats(vec![1.5])),
        ("type", groups(&["new", "late"], &[1])),
        ("note", Column::Texts(vec![Some("dim".into())])),
    ];
    small(folder.path(), "a", &["x", "y"], &["A"], &first);
    small(folder.path(), "b", &["z"], &["A"], &second);
    let file = H5ad::open(folder.path()).unwrap();
    assert_eq!(file.obs_columns().unwrap(), ["day", "type", "note", "file"]);
    let labels = |name: &str| {
        let column = file.obs(name).unwrap();
        (0..3).map(|i| column.label(i).unwrap_or_else(|| "–".into())).collect::<Vec<_>>()
    };
    assert_eq!(labels("day"), ["0.0", "–", "1.5"]);
    assert_eq!(labels("type"), ["early", "late", "late"]);
    assert_eq!(labels("note"), ["–", "–", "dim"]);
    assert_eq!(labels("file"), ["a", "a", "b"]);
    let Column::Categories { categories, .. } = file.obs("type").unwrap() else { panic!() };
    assert_eq!(
        *categories,
        Column::Texts(["late", "early", "new"].map(|s| Some(s.into())).to_vec())
    );
    let error = told(&file.obs("batch").unwrap_err());
    assert!(error.contains("1 of its 2 files") && error.contains("b.h5ad"), "{error}");
    assert!(error.contains("`day`"), "{error}");
    assert!(matches!(file.obs("none"), Err(Error::UnknownKey { .. })));
    let notes = file.notes().unwrap();
    assert_eq!(notes[0], "2 files are read as one course: a (2 cells), b (1 cells)");
    assert_eq!(notes[1], "columns of obs that some files lack are left out: `batch`");
}

#[test]
fn a_column_named_file_is_that_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let own = [("file", Column::Texts(vec![Some("own".into())]))];
    small(folder.path(), "a", &["x"], &["A"], &own);
    small(folder.path(), "b", &["z"], &["A"], &own);
    let file = H5ad::open(folder.path()).unwrap();
    assert_eq!(file.obs("file").unwrap().label(1).as_deref(), Some("own"));
    assert_eq!(file.obs_columns().unwrap(), ["file"]);
    small(folder.path(), "c", &["w"], &["A"], &[]);
    let file = H5ad::open(folder.path()).unwrap();
    assert!(told(&file.obs("file").unwrap_err()).contains("c.h5ad"));
    assert!(file.obs_columns().unwrap().is_empty());
}

#[test]
fn names_in_common_begin_with_the_file_and_repeats_within_a_file_do_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    small(folder.path(), "a", &["x", "x"], &["A"], &[]);
    small(folder.path(), "b", &["z"], &["A"], &[]);
    let open = || H5ad::open(folder.path()).unwrap();
    assert_eq!(open().obs_names().unwrap(), ["x", "x", "z"]);
    small(folder.path(), "b", &["z", "x"], &["A"], &[]);
    assert_eq!(open().obs_names().unwrap(), ["a:x", "a:x", "b:z", "b:x"]);
    assert!(open().notes().unwrap()[1].contains("such as `a:x`"));
}

#[test]
fn a_value_that_is_not_finite_is_named_by_its_own_file() {
    let folder = tempfile::tempdir().unwrap();
    small(folder.path(), "a", &["x"], &["A", "B"], &[]);
    let (cells, genes) = (names("c", 2), ["B", "A"].map(String::from));
    let x = array![[1.0_f32, 2.0], [f32::NAN, 0.0]];
    let x = Some(MatrixContent::Single(x.view()));
    let content = H5adContent { obs_names: &cells, var_names: &genes, x, ..H5adContent::default() };
    write_h5ad(&folder.path().join("b.h5ad"), &content).unwrap();
    let file = H5ad::open(folder.path()).unwrap();
    let whole = file.matrix(&MatrixSource::X, &mut Silent).unwrap_err();
    let blocks = file.matrix_blocks(&MatrixSource::X, &[0, 2]).unwrap().unwrap();
    let by_block = blocks.each_values(&mut Silent, &mut |_, _| Ok(())).unwrap_err();
    for error in [whole, by_block] {
        let Error::NotFinite { path, cell, gene, .. } = &error else { panic!("{error}") };
        assert!(path.ends_with("b.h5ad"), "{error}");
        assert_eq!((cell.as_str(), gene.as_str()), ("c1", "B"));
    }
}

#[test]
fn matrices_and_arrays_that_some_files_lack_are_not_listed() {
    let folder = tempfile::tempdir().unwrap();
    let cells = names("c", 1);
    let (x, wide) = (array![[1.0_f32]], array![[1.0, 2.0]]);
    let matrix = MatrixContent::Single(x.view());
    let genes = ["A".to_string()];
    let basic = H5adContent {
        obs_names: &cells,
        var_names: &genes,
        x: Some(matrix),
        ..H5adContent::default()
    };
    let narrow = array![[1.0]];
    let (layers, obsm) = ([("counts", matrix)], [("X_umap", wide.view())]);
    let first = H5adContent { layers: &layers, obsm: &obsm, ..basic };
    write_h5ad(&folder.path().join("a.h5ad"), &first).unwrap();
    write_h5ad(
        &folder.path().join("b.h5ad"),
        &H5adContent { obsm: &[("X_umap", narrow.view())], ..basic },
    )
    .unwrap();
    let file = H5ad::open(folder.path()).unwrap();
    assert_eq!(file.matrices().unwrap(), [MatrixSource::X]);
    assert!(file.obsm_keys().unwrap().is_empty());
    let error = told(&file.obsm("X_umap").unwrap_err());
    assert!(error.contains("b.h5ad") && error.contains("has 1 columns, and 2"), "{error}");
    let counts = MatrixSource::Layer("counts".into());
    let error = told(&file.matrix(&counts, &mut Silent).unwrap_err());
    assert!(error.contains("b.h5ad"), "{error}");
    assert_eq!(file.matrix_info(&MatrixSource::X).unwrap().format, StorageFormat::Dense);
}
