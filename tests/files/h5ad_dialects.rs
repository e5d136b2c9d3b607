//! Every way to write one matrix that we know of, read back: content, or the words of the error.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ndarray::{Array2, array};
use sbcell::data::{CellBlocks, Column, Matrix};
use sbcell::error::Kind;
use sbcell::io::h5ad::{H5ad, MatrixSource, StorageFormat, duplicates};
use sbcell::{Error, Result, Silent};

/// The filter that is not read but named.
const FILTERS: [(&str, &str, u32); 1] = [("dense_f4_blosc2", "blosc2", 32_026)];

/// Files that cannot be read at all, or whose X cannot, with words of the error.
const REFUSED: [(&str, &[&str]); 9] = [
    ("X_with_nan", &["`X`", "NaN", "cell `6h-010`", "gene `BCL6`"]),
    ("X_with_inf", &["`X`", "inf", "cell `0h-003`", "gene `FOSB`"]),
    ("zero_cells", &["`obs`", "there are no cells"]),
    ("zero_genes", &["`X`", "there are no genes"]),
    ("truncated", &["truncated", "11232 of 22464 bytes"]),
    ("not_hdf5", &["not an HDF5 file"]),
    ("empty", &["the file is empty"]),
    ("bad_csr_indptr", &["`X`", "corrupt", "`indptr`"]),
    ("bad_csr_index_range", &["`X`", "corrupt", "index 999", "12 columns"]),
];

/// Files without X, whose values are in a layer.
const LAYER_ONLY: [&str; 2] = ["no_X_layer_only", "null_X_layer_only"];

/// Files whose `time` is written in a way of its own; see the tests below.
const ODD_TIME: [&str; 3] =
    ["time_strings_D_prefix", "time_nullable_int_with_NA", "time_float_with_nan"];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/h5ad-dialects")
}

fn open(name: &str) -> Result<H5ad> {
    H5ad::open(&folder().join(format!("{name}.h5ad")))
}

fn open_storage(name: &str) -> H5ad {
    H5ad::open(&folder().join(format!("../h5ad-storage/{name}.h5ad"))).unwrap()
}

fn read_x(name: &str) -> Result<Matrix> {
    open(name)?.matrix(&MatrixSource::X, &mut Silent)
}

struct Expected {
    genes: Vec<String>,
    /// Values of each cell by its name.
    x: BTreeMap<String, Vec<f32>>,
    /// `time` and `time_label` of each cell by its name.
    obs: BTreeMap<String, (f64, String)>,
}

fn expected() -> Expected {
    let lines = |file: &str| -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(folder().join(file)).unwrap();
        text.lines().map(|line| line.split(',').map(str::to_string).collect()).collect()
    };
    let table = lines("expected_X.csv");
    let numbers = |row: &[String]| row.iter().map(|value| value.parse().unwrap()).collect();
    Expected {
        genes: table[0][1..].to_vec(),
        x: table[1..].iter().map(|row| (row[0].clone(), numbers(&row[1..]))).collect(),
        obs: lines("expected_obs.csv")[1..]
            .iter()
            .map(|row| (row[0].clone(), (row[1].parse().unwrap(), row[2].clone())))
            .collect(),
    }
}

fn dense(matrix: &Matrix) -> Array2<f32> {
    match matrix {
        Matrix::Dense(x) => x.clone(),
        Matrix::Sparse(x) => {
            let mut out = Array2::zeros((x.n_rows(), x.n_cols()));
            for i in 0..x.n_rows() {
                let (columns, values) = x.row(i);
                for (&column, &value) in columns.iter().zip(values) {
                    out[(i, column as usize)] = value;
                }
            }
            out
        }
    }
}

/// Names in the manifest with what it expects, and the files written by anndata itself.
fn manifest() -> Vec<(String, bool)> {
    let text = std::fs::read_to_string(folder().join("MANIFEST.json")).unwrap();
    let entries: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut found: Vec<(String, bool)> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let name = entry["file"].as_str().unwrap().trim_end_matches(".h5ad");
            (name.to_string(), entry["same_X_as_expected"].as_bool().unwrap())
        })
        .collect();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(name) = name.strip_suffix(".h5ad")
            && !found.iter().any(|(known, _)| known == name)
        {
            found.push((name.to_string(), true));
        }
    }
    found.sort();
    found
}

fn check_matrix(name: &str, file: &H5ad, matrix: &Matrix, expected: &Expected) {
    let x = dense(matrix);
    let cells = file.obs_names().unwrap();
    assert_eq!((x.nrows(), x.ncols()), (cells.len(), expected.genes.len()), "{name}");
    for (cell, row) in cells.iter().zip(x.rows()) {
        assert_eq!(row.to_vec(), expected.x[cell], "{name}, cell {cell}");
    }
}

fn check_obs(name: &str, file: &H5ad, expected: &Expected) {
    let cells = file.obs_names().unwrap();
    let columns = file.obs_columns().unwrap();
    assert!(columns.starts_with(&["time".to_string(), "time_label".to_string()]), "{name}");
    let (time, label) = (file.obs("time").unwrap(), file.obs("time_label").unwrap());
    for (i, cell) in cells.iter().enumerate() {
        let (expected_time, expected_label) = &expected.obs[cell];
        if !ODD_TIME.contains(&name) {
            let found = time.number(i).or_else(|| time.label(i)?.parse().ok());
            assert_eq!(found, Some(*expected_time), "{name}, time of {cell}");
        }
        if name != "categorical_missing_code_and_unused" {
            assert_eq!(label.label(i).as_ref(), Some(expected_label), "{name}, label of {cell}");
        }
    }
}

#[test]
fn every_dialect_reads_with_its_full_content() {
    let expected = expected();
    let names = manifest();
    assert_eq!(names.len(), 91);
    let mut read = 0;
    for (name, same_x) in &names {
        let name = name.as_str();
        if REFUSED.iter().any(|(refused, _)| *refused == name)
            || FILTERS.iter().any(|(filter, ..)| *filter == name)
        {
            continue;
        }
        let file = open(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        if !LAYER_ONLY.contains(&name) {
            let matrix = read_x(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            if *same_x {
                check_matrix(name, &file, &matrix, &expected);
            }
        }
        check_obs(name, &file, &expected);
        let genes = file.gene_names(&MatrixSource::X).unwrap();
        if !["weird_gene_names", "duplicate_var_names", "raw_wider_than_X"].contains(&name) {
            assert_eq!(genes, expected.genes, "{name}");
        }
        read += 1;
    }
    assert_eq!(read, 91 - REFUSED.len() - FILTERS.len());
}

#[test]
fn what_cannot_be_read_is_refused_with_node_and_reason() {
    for (name, words) in REFUSED {
        let error = read_x(name).expect_err(name);
        let message = error.to_string();
        assert_eq!(error.kind(), Kind::Unreadable, "{name}: {message}");
        assert!(message.contains(&format!("{name}.h5ad")), "{message}");
        for word in words {
            assert!(message.contains(word), "{name}: {message}");
        }
    }
}

#[test]
fn filters_are_read_or_named_with_a_way_out() {
    let expected = expected();
    for (name, filter, id) in FILTERS {
        let file = open(name).unwrap();
        match file.matrix(&MatrixSource::X, &mut Silent) {
            Ok(matrix) => check_matrix(name, &file, &matrix, &expected),
            Err(error) => {
                let message = error.to_string();
                assert!(message.contains(&format!("filter {filter} (id {id})")), "{message}");
                assert_eq!(error.kind(), Kind::Unreadable);
                assert!(error.hint().unwrap().contains("compression=\"gzip\""));
            }
        }
        // The rest of such a file can be used.
        check_obs(name, &file, &expected);
    }
}

#[test]
fn without_x_the_hint_lists_the_layers() {
    for name in LAYER_ONLY {
        let file = open(name).unwrap();
        let error = file.matrix(&MatrixSource::X, &mut Silent).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert_eq!(
            error.hint().unwrap(),
            "choose a layer with the parameter `layer`; the file has `counts`"
        );
        let layer = MatrixSource::Layer("counts".into());
        assert_eq!(file.matrices().unwrap(), std::slice::from_ref(&layer));
        let matrix = file.matrix(&layer, &mut Silent).unwrap();
        check_matrix(name, &file, &matrix, &expected());
        assert!(!file.has_matrix(&MatrixSource::RawX).unwrap());
    }
    let absent = open("dense_float32").unwrap().matrix(&MatrixSource::RawX, &mut Silent);
    assert!(absent.unwrap_err().to_string().contains("no matrix `raw/X`"));
}

#[test]
fn unknown_names_are_usage_errors_that_list_what_there_is() {
    let file = open("everything").unwrap();
    let hint = |error: Error| {
        assert_eq!(error.kind(), Kind::Usage);
        error.hint().unwrap()
    };
    assert_eq!(hint(file.obs("day").unwrap_err()), "the file has `time`, `time_label`");
    assert_eq!(hint(file.obsm("X_umap").unwrap_err()), "the file has `X_pca`, `df`, `sp`");
    let layer = MatrixSource::Layer("counts".into());
    assert_eq!(hint(file.matrix(&layer, &mut Silent).unwrap_err()), "the file has `csc`, `dense`");
    let column = file.var(&MatrixSource::X, "highly_variable").unwrap_err();
    assert_eq!(hint(column), "the file has none");
}

#[test]
fn layers_embeddings_loadings_and_uns_are_read() {
    let (file, expected) = (open("everything").unwrap(), expected());
    for layer in ["csc", "dense"] {
        let matrix = file.matrix(&MatrixSource::Layer(layer.into()), &mut Silent).unwrap();
        assert_eq!(matches!(matrix, Matrix::Sparse(_)), layer == "csc");
        check_matrix(layer, &file, &matrix, &expected);
    }
    let keys = [("X_pca", (60, 3)), ("df", (60, 2)), ("sp", (60, 4))];
    assert_eq!(file.obsm_keys().unwrap(), keys.map(|(key, shape)| (key.to_string(), shape)));
    assert_eq!(file.varm_keys().unwrap(), [("PCs".to_string(), (12, 3))]);
    assert_eq!(file.varm("PCs").unwrap().dim(), (12, 3));
    let first_three = |row: &Vec<f32>| [row[0], row[1], row[2], row[3]].map(f64::from);
    let first = first_three(&expected.x["0h-001"]);
    assert_eq!(file.obsm("X_pca").unwrap().row(0).to_vec(), first[..3]);
    assert_eq!(file.obsm("sp").unwrap().row(0).to_vec(), first);
    assert_eq!(file.obsm("df").unwrap().row(1), array![1.0, 1.0]);
    assert_eq!(file.uns_keys().unwrap(), ["nested"]);
    assert_eq!(file.uns_text("nested/s").unwrap(), Some("txt".into()));
    assert_eq!(file.uns_text("nested/a").unwrap(), None);
    assert!(!file.uns_log1p().unwrap());
}

#[test]
fn files_of_every_anndata_hold_the_same_columns_raw_and_embedding() {
    let expected = expected();
    for version in ["0.6.22.post1", "0.7.8", "0.8.0", "0.9.2", "0.10.9"] {
        for format in ["dense", "csr", "csc"] {
            let name = format!("written_by_anndata_{version}_{format}");
            let file = open(&name).unwrap();
            assert_eq!(file.obs_columns().unwrap(), ["time", "time_label", "flag", "s"]);
            let (flag, s) = (file.obs("flag").unwrap(), file.obs("s").unwrap());
            assert!(matches!(s, Column::Categories { .. }), "{name}");
            for i in 0..60 {
                assert_eq!(flag.label(i).unwrap(), ["True", "False"][i % 2], "{name}");
                assert_eq!(s.label(i).unwrap(), ["x", "y", "z"][i % 3], "{name}");
            }
            let raw = file.matrix(&MatrixSource::RawX, &mut Silent).unwrap();
            check_matrix(&name, &file, &raw, &expected);
            assert_eq!(file.gene_names(&MatrixSource::RawX).unwrap(), expected.genes);
            assert_eq!(file.var_columns(&MatrixSource::RawX).unwrap(), ["n"]);
            let n = file.var(&MatrixSource::X, "n").unwrap();
            assert_eq!(n, Column::Integers((0..12).map(Some).collect()), "{name}");
            assert_eq!(file.obsm("X_pca").unwrap().dim(), (60, 3));
            let info = file.matrix_info(&MatrixSource::X).unwrap();
            let expected_format = match format {
                "dense" => StorageFormat::Dense,
                "csr" => StorageFormat::Csr,
                _ => StorageFormat::Csc,
            };
            assert_eq!((info.format, info.dtype.as_str()), (expected_format, "float32"));
        }
    }
}

#[test]
fn missing_entries_of_columns_stay_missing() {
    let time = open("time_nullable_int_with_NA").unwrap().obs("time").unwrap();
    let Column::Integers(values) = &time else { panic!("{time:?}") };
    assert_eq!((values[2], values[3], values[59]), (Some(0), None, Some(96)));
    let time = open("time_float_with_nan").unwrap().obs("time").unwrap();
    assert_eq!((time.number(4), time.number(5)), (Some(0.0), None));
    let time = open("time_strings_D_prefix").unwrap().obs("time").unwrap();
    assert_eq!((time.label(0).unwrap(), time.label(59).unwrap()), ("D0".into(), "D96".into()));
    assert!(!time.is_numeric());

    let file = open("categorical_missing_code_and_unused").unwrap();
    let label = file.obs("time_label").unwrap();
    assert_eq!((label.label(6), label.label(7)), (Some("0h".into()), None));
    let Column::Categories { categories, .. } = label else { panic!("not a categorical") };
    assert_eq!(categories.label(5), Some("unused".into()));

    let file = open("nullable_bool_unicode").unwrap();
    let flag = file.obs("flag").unwrap();
    let Column::Bools(values) = &flag else { panic!("{flag:?}") };
    assert_eq!(values[..4], [Some(true), Some(false), None, Some(true)]);
    assert_eq!(file.obs("b").unwrap().label(1), Some("False".into()));
    assert_eq!(file.obs("note").unwrap().label(0), Some("é–µ".into()));

    let s = open("nullable_string_array").unwrap().obs("s").unwrap();
    assert_eq!([0, 1, 2].map(|i| s.label(i)), [Some("a".into()), None, Some("c".into())]);
}

#[test]
fn categories_may_be_numbers_and_keep_their_order() {
    let time = open("time_categorical_of_floats").unwrap().obs("time").unwrap();
    assert!(time.is_numeric());
    let time = open("time_categorical_of_strings").unwrap().obs("time").unwrap();
    assert!(!time.is_numeric());
    let Column::Categories { categories, .. } = time else { panic!("not a categorical") };
    assert_eq!(categories.label(1), Some("12.0".into()));
}

#[test]
fn raw_may_have_more_genes_and_names_may_be_odd() {
    let file = open("raw_wider_than_X").unwrap();
    let (x, raw) = (MatrixSource::X, MatrixSource::RawX);
    assert_eq!(file.matrix(&x, &mut Silent).unwrap().n_genes(), 5);
    let wide = file.matrix(&raw, &mut Silent).unwrap();
    check_matrix("raw_wider_than_X", &file, &wide, &expected());
    assert_eq!(file.gene_names(&x).unwrap(), expected().genes[..5]);
    assert_eq!(file.gene_names(&raw).unwrap(), expected().genes);

    let names = open("weird_gene_names").unwrap().gene_names(&x).unwrap();
    let odd = ["Gène α", "基因2", "a/b c", "x\ty", "\"q\"", "it's", "NA", "", "nan", "  pad "];
    assert_eq!(names[..10], odd);
    let names = open("duplicate_var_names").unwrap().gene_names(&x).unwrap();
    assert_eq!(duplicates(&names), ["BCL6"]);
    assert!(duplicates(&expected().genes).is_empty());
}

#[test]
fn values_of_the_files_with_their_own_x_are_right() {
    let expected = expected();
    let positive = dense(&read_x("bool_X").unwrap());
    for (cell, row) in open("bool_X").unwrap().obs_names().unwrap().iter().zip(positive.rows()) {
        let signs: Vec<f32> =
            expected.x[cell].iter().map(|&x| if x > 0.0 { 1.0 } else { 0.0 }).collect();
        assert_eq!(row.to_vec(), signs);
    }
    assert!(dense(&read_x("X_negative").unwrap()).iter().any(|&value| value < 0.0));
    let constant = dense(&read_x("constant_gene_and_empty_cell").unwrap());
    assert!(constant.row(9).iter().all(|&value| value == 0.0));
    assert_eq!(open("single_time").unwrap().n_cells(), 15);
    assert_eq!(open("one_cell_snapshot").unwrap().n_cells(), 30);
}

#[test]
fn selected_rows_are_the_rows_of_the_whole() {
    let names = [
        "dense_float32",
        "dense_chunked_odd_shuffle_fletcher",
        "csr_float64_gzip",
        "csc_int64_lzf",
        "csr_duplicate_entries",
        "written_by_anndata_0.6.22.post1_csc",
    ];
    for name in names {
        let whole = dense(&read_x(name).unwrap());
        let file = open(name).unwrap();
        for rows in [&[0, 1, 2, 30, 59][..], &[7, 6, 8], &[59, 0, 59], &[], &[13]] {
            let part = file.matrix_rows(&MatrixSource::X, rows, &mut Silent).unwrap();
            let selected = whole.select(ndarray::Axis(0), rows);
            assert_eq!(dense(&part), selected, "{name}, rows {rows:?}");
        }
        assert!(file.matrix_rows(&MatrixSource::X, &[60], &mut Silent).is_err());
    }
    let file = open("X_with_nan").unwrap();
    assert!(file.matrix_rows(&MatrixSource::X, &[0], &mut Silent).is_ok());
    let cell = file.obs_names().unwrap().iter().position(|name| name == "6h-010").unwrap();
    let error = file.matrix_rows(&MatrixSource::X, &[cell, 1], &mut Silent).unwrap_err();
    assert!(error.to_string().contains("cell `6h-010`"), "{error}");
}

/// All values of some rows, and those that are stored of each.
type Read = (Array2<f32>, Vec<Vec<f32>>);

/// The blocks of some rows, put together again.
fn blocks(file: &H5ad, rows: &[usize]) -> Result<Option<Read>> {
    let Some(blocks) = file.matrix_blocks(&MatrixSource::X, rows)? else { return Ok(None) };
    assert_eq!(blocks.n_cells(), rows.len());
    let (mut whole, mut values) = (Array2::zeros((rows.len(), blocks.n_genes())), Vec::new());
    blocks.each_block(&mut Silent, &mut |first, block| {
        let part = dense(block);
        whole.slice_mut(ndarray::s![first..first + part.nrows(), ..]).assign(&part);
        Ok(())
    })?;
    blocks.each_values(&mut Silent, &mut |_, block| {
        values.extend((0..block.n_cells()).map(|i| block.cell(i).to_vec()));
        Ok(())
    })?;
    Ok(Some((whole, values)))
}

#[test]
fn blocks_are_the_rows_of_the_whole_in_every_dialect() {
    let mut n_read = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        let Ok(whole) = read_x(name) else { continue };
        let (whole, file) = (dense(&whole), open(name).unwrap());
        let some: Vec<usize> = (0..whole.nrows()).filter(|i| i % 7 != 2).collect();
        for rows in [(0..whole.nrows()).collect(), some] {
            let Some((found, values)) = blocks(&file, &rows).unwrap() else {
                let format = file.matrix_info(&MatrixSource::X).unwrap().format;
                assert_eq!(format, StorageFormat::Csc, "{name}");
                continue;
            };
            assert_eq!(found, whole.select(ndarray::Axis(0), &rows), "{name}");
            for (&row, values) in rows.iter().zip(&values) {
                let (sum, expected): (f32, f32) = (values.iter().sum(), whole.row(row).sum());
                assert!((sum - expected).abs() <= 1e-5 * expected.abs(), "{name}, row {row}");
            }
            n_read += 1;
        }
    }
    assert!(n_read > 40, "{n_read}");
}

#[test]
fn what_is_wrong_with_a_block_is_said_as_of_the_whole() {
    let file = open("X_with_nan").unwrap();
    let rows: Vec<usize> = (0..file.n_cells()).collect();
    let error = blocks(&file, &rows).unwrap_err().to_string();
    assert!(error.contains("cell `6h-010`") && error.contains("gene `BCL6`"), "{error}");
    let found = file.matrix_blocks(&MatrixSource::X, &rows).unwrap().unwrap();
    let error = found.each_values(&mut Silent, &mut |_, _| Ok(())).unwrap_err().to_string();
    assert!(error.contains("cell `6h-010`"), "{error}");
    for name in ["bad_csr_indptr", "bad_csr_index_range"] {
        let error = blocks(&open(name).unwrap(), &[0, 1]).unwrap_err().to_string();
        assert!(error.contains("`X`") && error.contains("corrupt"), "{error}");
    }
    let file = open("csr_float64_gzip").unwrap();
    for rows in [&[1, 0][..], &[0, 0], &[60]] {
        assert!(file.matrix_blocks(&MatrixSource::X, rows).is_err());
    }
}

#[test]
fn the_dialect_is_named() {
    let dialect = |name| open(name).unwrap().dialect().unwrap();
    assert_eq!(dialect("written_by_anndata_0.6.22.post1_csr"), "anndata 0.6 or older");
    assert_eq!(dialect("written_by_anndata_0.7.8_dense"), "anndata 0.7");
    assert_eq!(dialect("written_by_anndata_0.8.0_csc"), "anndata 0.8 or newer");
    let encoding = open("dense_float32").unwrap().encoding();
    assert_eq!(encoding, Some(("anndata".into(), "0.1.0".into())));
}

#[test]
fn chunk_indices_of_the_newest_formats_are_read() {
    let expected = expected();
    let names = [
        "latest_chunks_gzip",
        "latest_chunks",
        "latest_one_chunk_gzip",
        "latest_grows_in_rows",
        "latest_grows_in_columns",
        "latest_may_grow_to",
        "latest_csr_grows",
        "v110_long_chunks",
    ];
    for name in names {
        let file = open_storage(name);
        let matrix = file.matrix(&MatrixSource::X, &mut Silent);
        let matrix = matrix.unwrap_or_else(|error| panic!("{name}: {error}"));
        check_matrix(name, &file, &matrix, &expected);
        check_obs(name, &file, &expected);
    }
    // 1200 chunks: the index has pages.
    let wide = open_storage("latest_chunks_gzip").obsm("wide").unwrap();
    assert_eq!(wide, Array2::from_shape_fn((60, 40), |(i, j)| (i * 40 + j) as f64));
}

#[test]
fn soft_links_are_followed_but_not_in_circles() {
    let expected = expected();
    for name in ["soft_links_old", "soft_links_new"] {
        let file = open_storage(name);
        let matrix = file.matrix(&MatrixSource::X, &mut Silent).unwrap();
        check_matrix(name, &file, &matrix, &expected);
        check_obs(name, &file, &expected);
        assert_eq!(file.layers().unwrap(), ["again", "kept"]);
        assert!(file.obsm("circle").unwrap_err().to_string().contains("circle"));
        assert_eq!(file.obsm("nowhere").unwrap_err().kind(), Kind::Usage);
    }
}

#[test]
fn an_index_may_be_categorical_or_numbers() {
    let (file, expected) = (open_storage("odd_indices"), expected());
    check_obs("odd_indices", &file, &expected);
    let genes: Vec<String> = (100..112).map(|gene| gene.to_string()).collect();
    assert_eq!(file.gene_names(&MatrixSource::X).unwrap(), genes);
    let early = file.obs("early").unwrap();
    assert_eq!([29, 30].map(|i| early.label(i).unwrap()), ["True", "False"]);
    let score = file.obs("score").unwrap();
    let Column::Integers(values) = &score else { panic!("{score:?}") };
    assert_eq!(values[40..43], [Some(40), None, Some(42)]);
}

#[test]
fn filters_of_third_parties_are_read_in_blocks() {
    let file = open_storage("filters");
    let expected = Array2::from_shape_fn((60, 1203), |(i, j)| ((i * 1203 + j) % 97) as f64);
    let keys = file.obsm_keys().unwrap();
    assert_eq!(keys.len(), 20);
    for (key, _) in keys {
        let found = file.obsm(&key).unwrap_or_else(|error| panic!("{key}: {error}"));
        if key == "blosc_noise" {
            // numpy.random.default_rng(0).random((60, 5)) in single precision.
            assert_eq!(found[(0, 0)] as f32, 0.636_961_7);
            assert_eq!(found[(59, 4)] as f32, 0.823_781_4);
        } else {
            assert_eq!(found, expected, "{key}");
        }
    }
}
