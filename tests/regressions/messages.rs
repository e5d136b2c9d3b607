//! What is said of mistakes, and that it is safe to print.

use std::fs;
use std::io::Write;
use std::path::Path;

use hdf5_pure::{AttrValue, FileBuilder};
use ndarray::Array2;
use sbcell::data::Column;
use sbcell::io::h5ad::{H5adContent, MatrixContent, write_h5ad};

use crate::sandbox::{Answer, Sandbox, sample};

/// An HDF5 file: its name, groups and what is in them, `encoding-type`, and what is to be said of it.
type Layout<'a> = (&'a str, Vec<(&'a str, &'a [&'a str])>, Option<&'a str>, [&'a str; 2]);

/// Words that `text` must have.
fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no `{word}` in:\n{text}");
    }
}

/// `path` with a group for each of `groups`, which holds a small dataset for each name.
fn hdf5(path: &Path, groups: &[(&str, &[&str])], encoding: Option<&str>) {
    let mut file = FileBuilder::new();
    if let Some(encoding) = encoding {
        file.set_attr("encoding-type", AttrValue::String(encoding.into()));
    }
    for (name, parts) in groups {
        if parts.is_empty() {
            file.create_dataset(name).with_f64_data(&[1.0, 2.0]).with_shape(&[2]);
            continue;
        }
        let mut group = file.create_group(name);
        for part in *parts {
            group.create_dataset(part).with_f64_data(&[1.0, 2.0]).with_shape(&[2]);
        }
        file.add_group(group.finish());
    }
    fs::write(path, file.finish().unwrap()).unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Three times of cells with counts; genes `names`, a column `group` of `labels` in turn.
fn course(path: &Path, names: &[&str], column: &str, labels: &[&str]) {
    let n = 60;
    let counts = Array2::from_shape_fn((n, names.len()), |(i, g)| {
        ((i * 7 + g * 5 + i * g) % 11 + (i / 20) * ((g * 3) % 5)) as f32
    });
    let cells: Vec<String> = (0..n).map(|i| format!("=cell\u{1b}[1m{i}")).collect();
    let genes: Vec<String> = names.iter().map(ToString::to_string).collect();
    let time = Column::Floats((0..n).map(|i| (i / 20) as f64).collect());
    let group = (0..n).map(|i| Some(labels[i % labels.len()].to_string())).collect();
    let group = Column::Texts(group);
    let content = H5adContent {
        obs_names: &cells,
        var_names: &genes,
        obs: &[("time", &time), (column, &group)],
        x: Some(MatrixContent::Single(counts.view())),
        uns: &[("odd\u{1b}[7m", "x")],
        ..H5adContent::default()
    };
    write_h5ad(path, &content).unwrap();
}

#[test]
fn r110_files_of_other_kinds_are_named_with_the_line_that_converts_them() {
    let sandbox = Sandbox::new();
    let mut tar = vec![0_u8; 1024];
    tar[..4].copy_from_slice(b"a.h5");
    tar[257..262].copy_from_slice(b"ustar");
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    let mtx = b"%%MatrixMarket matrix coordinate integer general\n2 2 1\n1 1 3\n";
    let hdf5 = b"\x89HDF\r\n\x1a\n\0\0\0\0";
    let files: [(&str, Vec<u8>, [&str; 2]); 17] = [
        ("a.h5ad.gz", gzip(hdf5), ["compressed with gzip (inside: an HDF5", "gunzip -k a.h5ad.gz"]),
        ("b.zip", b"PK\x03\x04....".to_vec(), ["a zip archive", "unzip b.zip"]),
        ("c.tar", tar.clone(), ["a tar archive", "tar xf c.tar"]),
        ("c.tar.gz", gzip(&tar), ["compressed with gzip", "tar xzf c.tar.gz"]),
        ("d.h5ad", lfs.to_vec(), ["a pointer of Git LFS", "git lfs pull --include d.h5ad"]),
        (
            "e.rds",
            gzip(b"X\n\0\0\0\x03\0\x04"),
            ["R object (.rds)", "readRDS(\"e.rds\"), \"e.h5ad\""],
        ),
        ("e2.rds", b"\xfd7zXZ\0\0\0".to_vec(), ["compressed with xz", "readRDS(\"e2.rds\")"]),
        ("f.RData", gzip(b"RDX3\nX\n\0\0"), ["workspace of R", "load(\"f.RData\")"]),
        ("g.csv", b"cell,Sox2,T\nc1,1,2\nc2,0,1\n".to_vec(), ["(.csv)", "sc.read_csv('g.csv')"]),
        ("h.tsv", b"cell\tSox2\nc1\t1\n".to_vec(), ["(.tsv)", "sc.read_text('h.tsv')"]),
        ("i.mtx", mtx.to_vec(), ["Matrix Market", "sc.read_mtx('i.mtx').T"]),
        ("j.mtx.gz", gzip(mtx), ["Matrix Market", "sc.read_mtx('j.mtx.gz').T"]),
        ("k.h5ad", b"<!DOCTYPE html><p>Sign in".to_vec(), ["a web page", "browser"]),
        ("l.parquet", b"PAR1\x15\0\0".to_vec(), ["a parquet table", "write_h5ad"]),
        ("m.bz2", b"BZh9\xff\xfe".to_vec(), ["compressed with bzip2", "bunzip2"]),
        ("n.h5ad", vec![0; 5000], ["zeros from the beginning", "download the file again"]),
        ("o.npy", b"\x93NUMPY\x01".to_vec(), ["array of NumPy", "write_h5ad"]),
    ];
    for (name, bytes, words) in files {
        fs::write(sandbox.path(name), bytes).unwrap();
        let answer = sandbox.run(&format!("inspect {name}"));
        assert_eq!(answer.code, 3, "{name}: {}", answer.shown());
        has(&answer.stderr, &["error: cannot read `", "not an HDF5 file", "hint: "]);
        has(&answer.stderr, &words);
    }
    // The name of a file never becomes part of a command that a shell would run.
    let odd = "x$(touch y).h5ad.gz";
    fs::write(sandbox.path(odd), gzip(b"\x89HDF\r\n\x1a\n")).unwrap();
    let answer = sandbox.run(&format!("inspect '{odd}'"));
    has(&answer.stderr, &["`gunzip -k FILE`"]);
}

#[test]
fn r111_hdf5_of_other_layouts_is_named_with_the_line_that_converts_it() {
    let sandbox = Sandbox::new();
    let of_10x = ["barcodes", "data", "indices", "indptr", "shape", "features"];
    let v2 = ["barcodes", "data", "indices", "indptr", "shape", "genes", "gene_names"];
    let frame = ["_index"];
    let cases: Vec<Layout<'_>> = vec![
        (
            "v3.h5",
            vec![("matrix", &of_10x)],
            None,
            ["10x .h5", "sc.read_10x_h5('v3.h5').write_h5ad('v3.h5ad')"],
        ),
        ("v2.h5ad", vec![("GRCh38", &v2)], None, ["10x .h5", "write_h5ad('v2.converted.h5ad')"]),
        (
            "molecules.h5",
            vec![("barcode_idx", &[]), ("umi", &[]), ("count", &[])],
            None,
            ["molecules of Cell Ranger", "filtered_feature_bc_matrix.h5"],
        ),
        (
            "a.loom",
            vec![("matrix", &[]), ("row_attrs", &["Gene"]), ("col_attrs", &["CellID"])],
            None,
            ["a Loom file", "anndata.io.read_loom('a.loom').write_h5ad('a.h5ad')"],
        ),
        (
            "a.h5seurat",
            vec![("assays", &["RNA"]), ("cell.names", &[]), ("meta.data", &["x"])],
            None,
            ["an h5Seurat file", "SeuratDisk::Convert(\"a.h5seurat\", dest = \"h5ad\")"],
        ),
        (
            "a.h5mu",
            vec![("obs", &frame), ("mod", &["atac", "rna"])],
            Some("MuData"),
            ["MuData with the modalities `atac`, `rna`", "m['rna'].write_h5ad('a.h5ad')"],
        ),
        ("other.h5", vec![("layer_1", &["weights"])], None, ["holds `layer_1`", "write_h5ad"]),
    ];
    for (name, groups, encoding, words) in cases {
        hdf5(&sandbox.path(name), &groups, encoding);
        let answer = sandbox.run(&format!("inspect {name}"));
        assert_eq!(answer.code, 3, "{name}: {}", answer.shown());
        has(&answer.stderr, &words);
    }
}

#[test]
fn r112_folders_are_named_for_what_they_hold() {
    let sandbox = Sandbox::new();
    let folders: [(&str, &[&str], [&str; 2]); 7] = [
        (
            "x.zarr",
            &[".zgroup", ".zattrs"],
            ["a zarr folder", "read_zarr('x.zarr').write_h5ad('x.h5ad')"],
        ),
        ("y.zarr", &["zarr.json", "tables"], ["of SpatialData", "spatialdata.read_zarr('y.zarr')"]),
        (
            "10x",
            &["matrix.mtx.gz", "barcodes.tsv.gz", "features.tsv.gz"],
            ["Cell Ranger", "sc.read_10x_mtx('10x')"],
        ),
        (
            "geo",
            &["GSM1_matrix.mtx", "GSM1_barcodes.tsv", "GSM1_genes.tsv"],
            ["Cell Ranger", "('geo', prefix='GSM1_')"],
        ),
        ("model", &["model.json"], ["a model that `sbcell fit` wrote", "`--model`"]),
        ("data", &["a.h5ad", "notes.txt"], ["`data/a.h5ad`", "it is text, not an HDF5 file"]),
        (
            "notes",
            &["notes.txt"],
            ["it is a folder without `.h5ad` files", "the `.h5ad` files of one course"],
        ),
    ];
    for (name, files, words) in folders {
        fs::create_dir(sandbox.path(name)).unwrap();
        for file in files {
            fs::write(sandbox.path(name).join(file), "x").unwrap();
        }
        let answer = sandbox.run(&format!("fit {name} --timepoints"));
        assert_eq!(answer.code, 3, "{name}: {}", answer.shown());
        has(&answer.stderr, &words);
    }
    // A matrix in such a folder leads to the folder.
    fs::write(sandbox.path("geo/GSM1_matrix.mtx"), "%%MatrixMarket matrix\n").unwrap();
    has(&sandbox.run("inspect geo/GSM1_matrix.mtx").stderr, &["sc.read_10x_mtx('geo', prefix="]);
}

#[test]
fn r113_a_missing_file_is_unreadable_and_names_what_is_near() {
    let sandbox = Sandbox::new();
    course(&sandbox.path("course.h5ad"), &["Sox2", "T"], "group", &["a", "b"]);
    for line in ["inspect Corse.h5ad", "fit Corse.h5ad --timepoints", "evaluate Corse.h5ad"] {
        let answer = sandbox.run(line);
        assert_eq!(answer.code, 3, "{line}: {}", answer.shown());
        has(&answer.stderr, &["there is no file `Corse.h5ad`", "did you mean `course.h5ad`?"]);
    }
    let answer = sandbox.run("fit course.h5ad --timepoints time --genes list.txt");
    assert_eq!(answer.code, 3, "{}", answer.shown());
    has(&answer.stderr, &["there is no file `list.txt`"]);
    for (address, way_out) in [
        ("https://example.org/a.h5ad", "curl -LO"),
        ("s3://bucket/a.h5ad", "aws s3 cp"),
        ("gs://bucket/a.h5ad", "gcloud storage cp"),
    ] {
        let answer = sandbox.run(&format!("inspect {address}"));
        assert_eq!(answer.code, 3, "{}", answer.shown());
        has(&answer.stderr, &["it is an address", way_out]);
    }
}

#[test]
fn r114_files_that_are_not_whole_say_so() {
    let sandbox = Sandbox::new();
    course(&sandbox.path("whole.h5ad"), &["Sox2", "T"], "group", &["a", "b"]);
    let bytes = fs::read(sandbox.path("whole.h5ad")).unwrap();
    let half = &bytes[..bytes.len() / 2];
    fs::write(sandbox.path("half.h5ad"), half).unwrap();
    fs::write(sandbox.path("half.h5ad.part"), half).unwrap();
    fs::write(sandbox.path("begun.h5ad"), half).unwrap();
    fs::write(sandbox.path("begun.h5ad.aria2"), "x").unwrap();
    fs::write(sandbox.path("empty.h5ad"), "").unwrap();
    for (name, words) in [
        ("half.h5ad", ["truncated", "copy or download the file again"]),
        ("half.h5ad.part", ["truncated", "download is not finished"]),
        ("begun.h5ad", ["truncated", "download is not finished"]),
        ("empty.h5ad", ["the file is empty", "download it again"]),
    ] {
        let answer = sandbox.run(&format!("inspect {name}"));
        assert_eq!(answer.code, 3, "{}", answer.shown());
        has(&answer.stderr, &words);
    }
}

#[test]
fn r115_every_command_that_takes_cells_names_what_it_was_given() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    sandbox.done("fit data.h5ad --timepoints time --n-pcs 5 --n-gaussians 2");
    fs::write(sandbox.path("x.h5ad.gz"), gzip(b"\x89HDF\r\n\x1a\n")).unwrap();
    for line in [
        "fit x.h5ad.gz --timepoints",
        "fit x.h5ad.gz --timepoints --dry-run",
        "inspect x.h5ad.gz",
        "inspect x.h5ad.gz --json",
        "evaluate x.h5ad.gz",
        "annotate x.h5ad.gz --out y.h5ad",
        "strip x.h5ad.gz --out y.h5ad",
        "grn --data x.h5ad.gz",
        "fates --groupby day --data x.h5ad.gz",
        "trends --groupby day --data x.h5ad.gz",
        "perturb --knockout Sox2 --data x.h5ad.gz",
    ] {
        let answer = sandbox.run(line);
        assert_eq!(answer.code, 3, "{line}: {}", answer.shown());
        has(&answer.stderr, &["compressed with gzip", "gunzip -k x.h5ad.gz"]);
    }
}

#[test]
fn r116_tables_and_lists_say_what_was_given_in_their_place() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n";
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("Sox2\n".bytes().flat_map(|b| [b, 0])).collect();
    for (name, bytes, words) in [
        ("a.txt.gz", gzip(b"Sox2\n"), ["compressed with gzip", "gunzip -k a.txt.gz"]),
        ("b.txt", lfs.to_vec(), ["a pointer of Git LFS", "git lfs pull"]),
        ("c.txt", utf16, ["text in UTF-16", "save it as UTF-8"]),
        ("d.xlsx", b"PK\x03\x04\x14\0\xff".to_vec(), ["a zip archive", "text in UTF-8 is needed"]),
        ("e.txt", b"<html>no</html>".to_vec(), ["a web page", "browser"]),
    ] {
        fs::write(sandbox.path(name), bytes).unwrap();
        let answer = sandbox.run(&format!("fit data.h5ad --timepoints time --genes {name}"));
        assert_eq!(answer.code, 3, "{name}: {}", answer.shown());
        has(&answer.stderr, &words);
    }
    // Radixin, whose symbol is what a workspace of R begins with.
    fs::write(sandbox.path("f.txt"), "RDX2\nRDX\nPAR1\nSox2\nSparc\n").unwrap();
    let answer = sandbox.run("fit data.h5ad --timepoints time --genes f.txt --dry-run");
    assert_eq!(answer.code, 0, "{}", answer.shown());
}

#[test]
fn r117_a_gene_that_the_fit_left_out_is_told_from_one_that_is_not_there() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    fs::write(sandbox.path("kept.txt"), "Sox2\nZfp42\nEsrrb\nKlf4\nDppa2\nGata4\nSparc\n").unwrap();
    sandbox.done("fit data.h5ad --timepoints time --genes kept.txt --n-pcs 2 --n-gaussians 2");
    let inside = fs::read_to_string(sandbox.path("sbcell-out/run.json")).unwrap();
    assert!(inside.contains("\"genes\""));
    let left_out = "Gata6";
    for line in [
        format!("perturb --knockout {left_out}"),
        format!("velocity --space genes --genes {left_out} --out v.csv"),
        format!("grn --plot e.svg --plot-target {left_out}"),
    ] {
        let answer = sandbox.run(&line);
        assert_eq!(answer.code, 2, "{line}: {}", answer.shown());
        has(&answer.stderr, &["`Gata6` is in the file, but not among the ", "--genes"]);
        assert!(!answer.stderr.contains("same case"), "{}", answer.shown());
    }
    fs::write(sandbox.path("tfs.txt"), "Gata6\n").unwrap();
    let answer = sandbox.run("grn --source slope --tfs tfs.txt");
    assert_eq!(answer.code, 2, "{}", answer.shown());
    has(&answer.stderr, &["`Gata6` is in the file, but not among the ", "that the fit kept, of "]);
    fs::write(sandbox.path("given.csv"), "cell,Gata6\nx,1.5\n").unwrap();
    let answer = sandbox.run("sample --at 24 --given given.csv --space genes --out s.csv");
    assert_eq!(answer.code, 2, "{}", answer.shown());
    has(&answer.stderr, &["`Gata6` is in the file, but not among the ", "that the fit kept, of "]);
    // Not in the file either, and what may be meant.
    let answer = sandbox.run("perturb --knockout SOX2");
    assert_eq!(answer.code, 2, "{}", answer.shown());
    has(&answer.stderr, &["none of the requested genes exists", "did you mean `Sox2`?"]);
    // Without the file it is still said what the fit kept.
    fs::remove_file(sandbox.path("data.h5ad")).unwrap();
    let answer = sandbox.run("perturb --knockout Gata6");
    assert_eq!(answer.code, 2, "{}", answer.shown());
    has(
        &answer.stderr,
        &["`Gata6` is not among the ", "genes that the fit kept, of ", "did you mean `Gata4`?"],
    );
}

#[test]
fn r118_lists_of_what_there_is_say_what_may_be_meant() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    sandbox.done("fit data.h5ad --timepoints time --n-pcs 5 --n-gaussians 2");
    for (line, words) in [
        ("fit data.h5ad --timepoints tiem", "did you mean `time`?"),
        (
            "fit data.h5ad --timepoints time --layer X_count",
            "did you mean `counts`? the file has `counts`",
        ),
        ("fit data.h5ad --timepoints time --obs-filter 'time_label==24H'", "did you mean `24h`?"),
        ("fit data.h5ad --timepoints time --obs-filter 'Days==1'", "did you mean `day`?"),
        ("fates --groupby Time_Label", "did you mean `time_label`?"),
        ("transitions --groupby time_label --batch-key dya", "did you mean `day`?"),
        ("trajectory --groupby time_label=96H", "did you mean `96h`?"),
        ("trajectory --groupby time_label --at 97", "did you mean `96`?"),
    ] {
        let answer = sandbox.run(line);
        assert_eq!(answer.code, 2, "{line}: {}", answer.shown());
        has(&answer.stderr, &[words]);
    }
    let answer = sandbox.run("fit data.h5ad --timepoints zzz");
    assert!(!answer.stderr.contains("did you mean"), "{}", answer.shown());
    has(&answer.stderr, &["the file has `time`"]);
}

#[test]
fn r119_long_lists_are_shortened() {
    let labels: Vec<String> = (0..50).map(|i| format!("cluster {i}")).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let sandbox = Sandbox::new();
    course(&sandbox.path("data.h5ad"), &["Sox2", "T", "Klf4"], "group", &labels);
    sandbox.done("fit data.h5ad --timepoints time --n-pcs 2 --n-gaussians 2");
    let answer = sandbox.run("trajectory --groupby group=other");
    has(&answer.stderr, &["there is no group `other`", "and 30 more"]);
}

const EVIL_GENES: [&str; 12] = [
    "<script>alert(1)</script>",
    "=cmd|'/C calc'!A0",
    "new\nline",
    "\u{1b}[31mRED\u{1b}[0m",
    "&amp;$x_1$",
    "+1+1",
    "../../etc/x",
    "]]>\u{7}bell",
    "\t=tab",
    "é\u{202e}x\u{2066}\u{9b}31m",
    "\u{fffe}\u{b}",
    "-2",
];

const EVIL_LABELS: [&str; 3] = ["evil\u{1b}]0;pwned\u{7}", "=HYPERLINK(\"x\")", "two\nlines"];

fn evil() -> Sandbox {
    let sandbox = Sandbox::new();
    course(&sandbox.path("evil.h5ad"), &EVIL_GENES, "group", &EVIL_LABELS);
    sandbox.done("fit evil.h5ad --timepoints time --n-pcs 3 --n-gaussians 2");
    sandbox
}

/// Nothing that steers a terminal or turns text round; of control characters line breaks alone.
fn is_safe(text: &str, what: &str) {
    let odd = |c: char| {
        (c.is_control() && c != '\n')
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
            || "\u{fffe}\u{ffff}".contains(c)
    };
    assert!(!text.contains(odd), "{what}: {text:?}");
}

#[test]
fn r120_nothing_of_a_file_steers_the_terminal() {
    let sandbox = evil();
    let lines = [
        "inspect evil.h5ad",
        "inspect evil.h5ad --json",
        "fit evil.h5ad --timepoints time --n-pcs 3 --n-gaussians 2 --out again",
        "fit evil.h5ad --timepoints group --out other",
        "fit evil.h5ad --timepoints 'time\u{1b}[2J'",
        "fit evil.h5ad --timepoints time --obs-filter group==x --out other",
        "fates --groupby group",
        "fates --groupby 'gruop\u{7}'",
        "transitions --groupby group",
        "trajectory --groupby group",
        "trajectory --groupby 'group=evil\u{1b}'",
        "trends --groupby group",
        "drivers --groupby group",
        "diagnose --groupby group",
        "grn --bootstrap 3 --permutations 0",
        "grn --group group --bootstrap 0 --permutations 0 --out g.csv",
        "perturb --knockout '\u{1b}[31mRED\u{1b}[0m'",
        "perturb --knockout '\u{1b}[31mRET\u{1b}[0m'",
        "velocity --space genes --genes 'bell\u{7}' --out v.csv",
        "annotate evil.h5ad --out annotated.h5ad",
        "strip annotated.h5ad --out stripped.h5ad",
        "inspect 'no\u{1b}[5mfile.h5ad'",
        "grn --format 'c\u{1b}sv'",
        "interpolate --at 0.5 --space genes --out i.csv",
    ];
    for line in lines {
        let answer = sandbox.run(line);
        assert!((0..=4).contains(&answer.code), "{line}: {}", answer.shown());
        is_safe(&answer.stdout, line);
        is_safe(&answer.stderr, line);
    }
    // A name with a line break is one line, and is seen as it is.
    let answer = sandbox.done("transitions --groupby group");
    has(&answer.stdout, &["two\\nlines", "evil\\u{1b}]0;pwned\\u{7}"]);
    assert!(!answer.stdout.lines().any(|line| line.starts_with("lines")), "{}", answer.stdout);
    let answer = sandbox.run("trajectory --groupby group=nothing");
    assert_eq!(answer.stderr.lines().count(), 4, "{}", answer.stderr);
    let answer: Answer = sandbox.done("inspect evil.h5ad --json");
    let json: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
    assert!(json.to_string().contains("group"));
}

#[test]
fn r121_graphs_and_charts_are_xml_whatever_genes_are_called() {
    let sandbox = evil();
    sandbox.done("grn --bootstrap 0 --permutations 0 --out e.graphml");
    let genes = EVIL_GENES.map(|gene| format!("'--plot-target={gene}'"));
    // The sandbox splits at single quotes, which one gene has.
    let genes: Vec<String> =
        genes.into_iter().filter(|gene| gene.matches('\'').count() == 2).collect();
    let targets = genes.join(" ");
    sandbox.done(&format!("grn --bootstrap 0 --permutations 0 --out e.csv --plot p.svg {targets}"));
    let plots = genes.join(" ").replace("--plot-target", "--plot-gene");
    sandbox.done(&format!("trends --groupby group --bootstrap 5 --plot t.svg {plots}"));
    sandbox.done("grn --bootstrap 0 --permutations 0 --out e.csv --plot p.png");
    let mut n_pictures = 0;
    for (name, bytes) in sandbox.files("") {
        let is_xml = [".svg", ".graphml"].iter().any(|suffix| name.ends_with(suffix));
        is_safe(&name, "the name of a file");
        if is_xml {
            let text = String::from_utf8(bytes).unwrap();
            is_safe(&text, &name);
            assert!(!text.contains("<script") && !text.contains("]]>"), "{name}");
            n_pictures += 1;
        }
    }
    // p.svg, one for each target, t.svg, e.graphml, those of the validation and of the noise of couplings.
    assert_eq!(n_pictures, genes.len() + 5, "a file for each gene");
    let chart = sandbox.text("t.svg");
    has(&chart, &["&amp;amp;$x_1$", "\\u{1b}[31mRED"]);
}

#[test]
fn r122_spreadsheets_get_no_formulas_where_so_asked_and_exact_names_elsewhere() {
    let sandbox = evil();
    let line = "grn --bootstrap 0 --permutations 0 --out";
    sandbox.done(&format!("{line} exact.csv"));
    sandbox.done(&format!("{line} safe.csv --spreadsheet-safe"));
    sandbox.done(&format!("{line} safe.tsv --format beeline --spreadsheet-safe"));
    let records = |name: &str, delimiter: u8| -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .from_path(sandbox.path(name))
            .unwrap();
        let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_string).collect());
        rows.collect()
    };
    let formula = |cell: &String| {
        cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && cell.parse::<f64>().is_err()
    };
    let exact = records("exact.csv", b',');
    assert!(exact.iter().flatten().any(formula));
    assert!(exact.iter().any(|row| row[0] == EVIL_GENES[1]), "{exact:?}");
    let safe = records("safe.csv", b',');
    assert!(!safe.iter().flatten().any(formula), "{safe:?}");
    assert!(!records("safe.tsv", b'\t').iter().flatten().any(formula));
    assert_eq!(exact.len(), safe.len());
    for (exact, safe) in exact.iter().zip(&safe) {
        for (exact, safe) in exact.iter().zip(safe) {
            // Numbers stay, negative ones and the gene called -2 too.
            assert_eq!(exact, safe.strip_prefix('\'').unwrap_or(safe));
        }
    }
    for line in [
        "trends --groupby group --bootstrap 0 --out",
        "transitions --groupby group --bootstrap 0 --out",
        "velocity --space genes --out",
        "interpolate --at 0.5 --space genes --out",
        "sample --at 1 --space genes --out",
        "perturb --knockout +1+1 --out",
        "fates --groupby group --bootstrap 0 --out",
    ] {
        sandbox.done(&format!("{line} s.csv --spreadsheet-safe"));
        assert!(!records("s.csv", b',').iter().flatten().any(formula), "{line}");
    }
    sandbox.done("couplings --export csv --spreadsheet-safe --out c");
    for (name, _) in sandbox.files("c").into_iter().filter(|(name, _)| !name.ends_with("json")) {
        let rows = records(&format!("c/{name}"), b',');
        assert!(!rows.iter().flatten().any(formula) && rows[1][0].starts_with("'=cell"), "{name}");
    }
}

#[test]
fn r160_what_may_be_meant_is_said_of_keys_species_labels_and_suffixes() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    sandbox.done("fit data.h5ad --timepoints time --n-pcs 5 --n-gaussians 2");
    sandbox.done("annotate data.h5ad --in-place --key-added other");
    let shown = sandbox.done("strip data.h5ad --in-place --key othr").stdout;
    let words: Vec<&str> = shown.split_whitespace().collect();
    assert!(words.join(" ").contains("did you mean `other`?"), "{shown}");
    for (line, words) in [
        ("grn --tfs humna", "did you mean `human`?"),
        ("grn --tfs Mouse", "did you mean `mouse`?"),
        ("evaluate data.h5ad --timepoints time_label --at 12hh", "did you mean `12h`?"),
        ("evaluate data.h5ad --timepoints time --at 13", "did you mean `12`?"),
        ("trends --groupby time_label --out x.cvs", "did you mean `.csv`"),
        ("grn --plot x.pgn", "did you mean `.png`?"),
    ] {
        let refused = sandbox.run(line);
        assert!(refused.code != 0 && refused.stderr.contains(words), "{line}: {}", refused.stderr);
    }
    std::fs::write(sandbox.path("genes.txt"), "Sox2\nEsrb\nGata6\n").unwrap();
    let shown = sandbox.done("trends --groupby time_label --genes genes.txt --bootstrap 0").stderr;
    assert!(shown.contains("`Esrb` (did you mean `Esrrb`?)"), "{shown}");
}

#[test]
fn r161_folders_are_named_for_what_they_are_by_every_command() {
    let sandbox = Sandbox::new();
    for (folder, files) in [
        ("zarr", &[".zgroup"][..]),
        ("new", &["matrix.mtx.gz", "features.tsv.gz", "barcodes.tsv.gz"]),
        ("old", &["matrix.mtx", "genes.tsv", "barcodes.tsv"]),
        ("star", &["matrix.mtx", "features.tsv", "barcodes.tsv.gz"]),
        ("gzipped", &["a_matrix.mtx.gz", "a_genes.tsv.gz", "a_barcodes.tsv.gz"]),
    ] {
        std::fs::create_dir(sandbox.path(folder)).unwrap();
        for file in files {
            std::fs::write(sandbox.path(&format!("{folder}/{file}")), "x").unwrap();
        }
    }
    for command in ["inspect", "fit --timepoints day", "strip --in-place"] {
        let refused = sandbox.run(&format!("{command} zarr"));
        assert!(refused.code == 3 && refused.stderr.contains("zarr folder"), "{command}");
    }
    for (folder, first) in [
        ("new", "convert it: `python"),
        ("old", "convert it: `python"),
        ("star", "`gzip -k star/matrix.mtx star/features.tsv`; then convert it: `python"),
        ("gzipped", "`gunzip -k gzipped/a_matrix.mtx.gz gzipped/a_genes.tsv.gz"),
    ] {
        let hint = sandbox.run(&format!("inspect {folder}")).stderr;
        assert!(hint.contains(first) && hint.contains("read_10x_mtx"), "{hint}");
        assert_eq!(hint.contains("scanpy needs"), first.contains("zip"), "{hint}");
    }
}

#[test]
fn r162_a_remark_is_made_once() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    sandbox.done("fit data.h5ad --timepoints time --n-pcs 5 --n-gaussians 2");
    sandbox.done("annotate data.h5ad --out other.h5ad");
    let line = "transitions --groupby time_label --batch-key time_label --data other.h5ad";
    let shown = sandbox.done(&format!("{line} --bootstrap 3")).stderr;
    assert_eq!(shown.matches("is not the file that was fitted").count(), 1, "{shown}");
}
