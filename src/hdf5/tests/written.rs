//! Files that this crate writes and edits, read back.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;

use sbcell_hdf5::{
    Attribute, Editor, Element, Extended, File, NewAttribute, NewDataset, NewFile, NewGroup,
    Problem, Storage, Values, edit_copy, live_bytes, rewrite,
};

fn content(root: &mut NewGroup<'_>) {
    root.attribute("kind", NewAttribute::Text("a".into()));
    root.group("inside", |inside| {
        inside.attribute("names", NewAttribute::Texts(vec!["x".into(), "é".into()]));
        inside.attribute("none", NewAttribute::Texts(Vec::new()));
        inside.attribute("shape", NewAttribute::Integers(vec![3, 2]));
        inside.attribute("one", NewAttribute::Byte(1));
        let values: Vec<f32> = (0..6).map(|value| value as f32).collect();
        let matrix = NewDataset::new(Values::F32(&values)).shape(&[3, 2]);
        inside.dataset("x", &matrix.clone().gzip());
        inside.dataset("plain", &matrix);
        inside.dataset("flags", &NewDataset::new(Values::Bools(&[true, false])));
        inside.dataset("texts", &NewDataset::new(Values::Texts(&["a", "", "é"])));
        inside.dataset("scalar", &NewDataset::new(Values::Texts(&["one"])).shape(&[]).gzip());
        inside.dataset("empty", &NewDataset::new(Values::I64(&[])).gzip());
    });
}

fn write(path: &Path, mut file: NewFile) {
    content(&mut file.root());
    file.finish(&mut std::fs::File::create(path).unwrap()).unwrap();
}

fn check(path: &Path) {
    let root = File::open(path).unwrap().root().unwrap();
    assert_eq!(root.text_attribute("kind"), Some("a"));
    let inside = root.group("inside").unwrap().unwrap();
    let attribute = |name: &str| inside.attribute(name).cloned().unwrap();
    assert_eq!(attribute("names"), Attribute::Texts(vec!["x".into(), "é".into()]));
    assert_eq!(attribute("none"), Attribute::Texts(Vec::new()));
    assert_eq!(attribute("shape"), Attribute::Integers(vec![3, 2]));
    assert_eq!(attribute("one"), Attribute::Integers(vec![1]));
    for name in ["x", "plain"] {
        let x = inside.dataset(name).unwrap();
        let storage = Storage::new(&x).unwrap();
        assert_eq!(storage.numbers::<u32>(1..3).unwrap(), [2, 3, 4, 5], "{name}");
        assert_eq!((storage.n_rows(), storage.row_length()), (3, 2));
    }
    let flags = inside.dataset("flags").unwrap();
    assert!(matches!(flags.element(), Element::Number(number) if number.is_bool()));
    let texts = |name: &str| Storage::new(&inside.dataset(name).unwrap()).unwrap().texts();
    assert_eq!(texts("texts").unwrap(), ["a", "", "é"]);
    assert_eq!(texts("scalar").unwrap(), ["one"]);
    assert!(texts("empty").unwrap_err().to_string().contains("`inside/empty`"));
}

#[test]
fn new_files_are_read_back_and_are_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let (path, again) = (folder.path().join("a.h5"), folder.path().join("b.h5"));
    write(&path, NewFile::new());
    check(&path);
    write(&again, NewFile::new());
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&again).unwrap());
}

#[test]
fn compatible_files_have_a_superblock_of_hdf5_1_8() {
    let mut file = NewFile::compatible();
    file.root().dataset("x", &NewDataset::new(Values::F64(&[1.0])));
    let mut bytes = Vec::new();
    file.finish(&mut bytes).unwrap();
    assert!(bytes[8] <= 2, "version {}", bytes[8]);
    assert_eq!(File::from_bytes(bytes).unwrap().root().unwrap().children().unwrap(), ["x"]);
}

#[test]
fn edits_add_replace_and_delete_and_leave_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let (source, copy) = (folder.path().join("a.h5"), folder.path().join("b.h5"));
    write(&source, NewFile::new());
    std::fs::copy(&source, &copy).unwrap();
    let large = vec![7.0; 1 << 15];
    let apply = |path: &Path| {
        let editor = Editor::open(path)?;
        editor.delete("inside/flags")?;
        editor.dataset("inside/flags", &NewDataset::new(Values::I8(&[5])))?;
        editor.group("other", content)?;
        editor.dataset("large", &NewDataset::new(Values::F64(&large)))?;
        editor.attribute("inside", "one", NewAttribute::Integers(vec![9]))?;
        editor.commit()?;
        editor.close()
    };
    assert_eq!(edit_copy(&source, &copy, &["inside"], &apply).unwrap(), Extended::InPlace);
    let root = File::open(&copy).unwrap().root().unwrap();
    assert_eq!(root.children().unwrap(), ["inside", "large", "other"]);
    let flags = root.dataset("inside/flags").unwrap();
    assert_eq!(Storage::new(&flags).unwrap().numbers::<i64>(0..1).unwrap(), [5]);
    let texts = root.dataset("other/inside/texts").unwrap();
    assert_eq!(Storage::new(&texts).unwrap().texts().unwrap(), ["a", "", "é"]);
    let inside = root.group("inside").unwrap().unwrap();
    assert_eq!(inside.attribute("one"), Some(&Attribute::Integers(vec![9])));

    // Deleted, the large dataset stays in the file until it is written anew.
    let editor = Editor::open(&copy).unwrap();
    editor.delete("large").unwrap();
    editor.commit().unwrap();
    editor.close().unwrap();
    let length = |path: &Path| std::fs::metadata(path).unwrap().len();
    let live = live_bytes(&File::open(&copy).unwrap().root().unwrap()).unwrap();
    assert!(live < 1 << 15 && length(&copy) > 1 << 18);
    let anew = folder.path().join("c.h5");
    rewrite(&copy, &anew).unwrap();
    assert!(length(&anew) < 1 << 17);
    assert_eq!(File::open(&anew).unwrap().root().unwrap().children().unwrap(), ["inside", "other"]);
}

#[test]
fn an_edit_that_fails_says_why_and_names_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let (source, copy) = (folder.path().join("a.h5"), folder.path().join("b.h5"));
    write(&source, NewFile::new());
    std::fs::copy(&source, &copy).unwrap();
    let apply = |path: &Path| {
        let editor = Editor::open(path)?;
        editor.delete("nothing/there")?;
        editor.commit()
    };
    let error = edit_copy(&source, &copy, &[], &apply).unwrap_err();
    assert!(matches!(error.problem, Problem::NotEdited(_)), "{error}");
    assert_eq!(error.file, source);
}

#[test]
fn files_that_are_not_hdf5_are_told_apart() {
    let problem = |bytes: &[u8]| File::from_bytes(bytes.to_vec()).unwrap_err().problem;
    assert!(matches!(problem(b""), Problem::Empty));
    assert!(matches!(problem(b"something else"), Problem::NotHdf5));
    let mut file = NewFile::new();
    file.root().dataset("x", &NewDataset::new(Values::F64(&[1.0; 100])));
    let mut bytes = Vec::new();
    file.finish(&mut bytes).unwrap();
    bytes.truncate(bytes.len() - 1);
    assert!(matches!(problem(&bytes), Problem::Truncated { .. }));
    let missing = File::open(Path::new("no/such/file.h5")).unwrap_err();
    assert!(matches!(missing.problem, Problem::Io { action: "read", .. }));
}
