//! What is said when it cannot be done: one `error:`, one `hint:`, the right exit code.

use std::fs;

use sbcell::data::Column;
use sbcell::io::h5ad::{H5adContent, write_h5ad};

use crate::sandbox::{Sandbox, dialect, root, sample};

#[test]
fn a_missing_file_and_a_file_that_is_no_hdf5() {
    let sandbox = Sandbox::new();
    let missing = sandbox.run("fit nowhere.h5ad --timepoints");
    assert_eq!(missing.code, 3);
    assert!(missing.stderr.contains("error: there is no file `nowhere.h5ad`"));
    for name in ["not_hdf5", "empty", "truncated", "bad_csr_indptr", "bad_csr_index_range"] {
        let sandbox = Sandbox::with(&dialect(name));
        let answer = sandbox.run("fit data.h5ad --timepoints time");
        assert_eq!(answer.code, 3, "{name}: {}", answer.stderr);
        assert!(answer.stderr.contains("error: ") && answer.stderr.contains("data.h5ad"));
        assert!(
            !sandbox.path("sbcell-out").exists() && !sandbox.path("sbcell-out.partial").exists()
        );
    }
}

#[test]
fn an_unknown_column_lists_those_there_are() {
    let answer = Sandbox::with(&sample("semrau2017_mesc_ra")).run("fit data.h5ad --timepoints dya");
    assert_eq!(answer.code, 2);
    insta::assert_snapshot!(answer.shown());
}

#[test]
fn nan_names_the_cell_and_the_gene() {
    let answer = Sandbox::with(&dialect("X_with_nan")).run("fit data.h5ad --timepoints time");
    assert_eq!(answer.code, 3);
    insta::assert_snapshot!(answer.shown());
}

#[test]
fn no_x_says_which_layer_could_be_used() {
    let answer = Sandbox::with(&dialect("no_X_layer_only")).run("fit data.h5ad --timepoints time");
    assert_eq!(answer.code, 2);
    insta::assert_snapshot!(answer.shown());
}

#[test]
fn one_time_is_not_a_course() {
    let answer = Sandbox::with(&dialect("single_time")).run("fit data.h5ad --timepoints time");
    assert_eq!(answer.code, 2);
    insta::assert_snapshot!(answer.shown());
}

#[test]
fn growth_that_cannot_be_had_says_what_is_missing() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    fs::write(sandbox.path("growth.csv"), "id,cell_growth_rate\nnobody,1.5\n").unwrap();
    for (flags, code, words) in [
        ("--growth-key nothing", 2, ["there is no column", "nothing"]),
        ("--growth-file growth.csv", 2, ["growth.csv", "gives no growth for"]),
        ("--growth-genes human", 2, ["ANLN", "the data look like mouse"]),
        ("--growth-unit factor", 2, ["factor", "rate/TIME"]),
        ("--prolif growth.csv", 2, ["--apop", "required"]),
        ("--growth-key day --growth-genes mouse", 2, ["--growth-key", "cannot be used with"]),
    ] {
        let answer = sandbox.run(&format!("fit data.h5ad --timepoints {flags}"));
        assert_eq!(answer.code, code, "{flags}: {}", answer.stderr);
        assert!(words.iter().all(|word| answer.stderr.contains(word)), "{}", answer.stderr);
    }
}

#[test]
fn memory_is_kept_to_or_refused_before_anything_is_written() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let refused = sandbox.run("fit data.h5ad --timepoints time --memory 10M");
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    assert!(refused.stderr.contains("more than the 10 MB allowed"), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: ") && refused.stderr.contains("--n-pcs"));
    assert!(!sandbox.path("sbcell-out").exists() && !sandbox.path("sbcell-out.partial").exists());
    for size in ["4", "0G", "G", "-1G", "4X"] {
        let answer = sandbox.run(&format!("fit data.h5ad --timepoints time --memory={size}"));
        assert_eq!(answer.code, 2, "{size}: {}", answer.stderr);
        assert!(answer.stderr.contains("such as 4G"), "{}", answer.stderr);
    }
}

#[test]
fn parameters_out_of_range_name_their_flag() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    for (flags, word) in [
        ("--epsilon 0", "`--epsilon`"),
        ("--growth-iters 0", "`--growth-iters`"),
        ("--growth-iters 3", "see `--lambda1`"),
        ("--epsilon nan", "`--epsilon`"),
        ("--sigma2 -1", "--sigma2"),
        ("--n-pcs 0", "`--n-pcs`"),
        ("--tolerance nan", "`--tolerance`"),
        ("--threads 0", "`--threads`"),
        ("--obs-filter time~3", "time~3"),
        ("--epsilon 0.1 --sigma2 1", "cannot be used with"),
    ] {
        let answer = sandbox.run(&format!("fit data.h5ad --timepoints time {flags}"));
        assert_eq!(answer.code, 2, "{flags}: {}", answer.stderr);
        assert!(answer.stderr.contains(word), "{flags}: {}", answer.stderr);
    }
}

#[test]
fn reading_a_model_that_is_not_there() {
    let answer = Sandbox::new().run("interpolate");
    assert_eq!(answer.code, 2);
    insta::assert_snapshot!(answer.shown());
}

#[test]
fn a_folder_that_is_not_ours_is_left_alone() {
    let sandbox = Sandbox::with(&dialect("dense_float32"));
    fs::create_dir(sandbox.path("sbcell-out")).unwrap();
    fs::write(sandbox.path("sbcell-out/run.json"), "precious").unwrap();
    let answer = sandbox.run("fit data.h5ad --timepoints time");
    assert_eq!(answer.code, 2);
    assert!(answer.stderr.contains("hint: choose another output"));
    assert_eq!(sandbox.text("sbcell-out/run.json"), "precious");
}

#[test]
fn labels_that_are_no_times_ask_for_a_map_and_take_it() {
    let sandbox = Sandbox::with(&sample("moon2019_embryoid_5pcs"));
    let line = "fit data.h5ad --timepoints day_range --use-rep X_pca --n-gaussians 3";
    let answer = sandbox.run(line);
    assert_eq!(answer.code, 2);
    assert!(answer.stderr.contains("--time-map"), "{}", answer.stderr);
    let map = "label,time\nDay 00-03,1.5\nDay 06-09,7.5\nDay 12-15,13.5\nDay 18-21,19.5\nDay 24-27,25.5\n";
    fs::write(sandbox.path("days.csv"), map).unwrap();
    let answer = sandbox.done(&format!("{line} --time-map days.csv --dry-run"));
    assert!(answer.stdout.contains("13.5"), "{}", answer.stdout);
}

#[test]
fn columns_that_disagree_are_listed_and_none_is_taken() {
    let sandbox = Sandbox::new();
    let names: Vec<String> = (0..6).map(|i| format!("c{i}")).collect();
    let time = Column::Floats(vec![0.0, 0.0, 1.0, 1.0, 2.0, 2.0]);
    let day = Column::Floats(vec![2.0, 0.0, 1.0, 2.0, 0.0, 1.0]);
    let points = ndarray::Array2::from_shape_fn((6, 2), |(i, d)| (i * 2 + d) as f64);
    let content = H5adContent {
        obs_names: &names,
        obs: &[("time", &time), ("day", &day)],
        obsm: &[("X_pca", points.view())],
        ..H5adContent::default()
    };
    write_h5ad(&sandbox.path("data.h5ad"), &content).unwrap();
    let answer = sandbox.run("fit data.h5ad --timepoints --use-rep X_pca");
    assert_eq!(answer.code, 2);
    insta::assert_snapshot!(answer.shown());
    sandbox.done("fit data.h5ad --timepoints day --use-rep X_pca");
}

/// Whatever is in the file: an answer or an error, never a panic, never half a model.
#[test]
fn no_file_of_any_dialect_makes_it_panic() {
    let folder = root().join("tests/fixtures/h5ad-dialects");
    let mut n_read = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|suffix| suffix != "h5ad") {
            continue;
        }
        let sandbox = Sandbox::with(&path);
        let answer = sandbox.run("fit data.h5ad --timepoints time --n-gaussians 2");
        let said = format!("{}: {}", path.display(), answer.stderr);
        assert!([0, 2, 3].contains(&answer.code), "{said}");
        assert!(!answer.stderr.contains("panicked"), "{said}");
        assert_eq!(answer.code == 0, sandbox.path("sbcell-out/model.json").exists(), "{said}");
        assert!(!sandbox.path("sbcell-out.partial").exists(), "{said}");
        if answer.code == 0 {
            n_read += 1;
            sandbox.done("interpolate --space genes --format h5ad");
        } else {
            assert!(answer.stderr.contains("error: "), "{said}");
        }
    }
    assert!(n_read >= 75, "only {n_read} files were fitted");
}

#[test]
fn a_flag_of_another_solver_is_refused_with_the_solvers_that_know_it() {
    let sandbox = Sandbox::with(&sample("semrau2017_mesc_ra"));
    let answer = sandbox.run("fit data.h5ad --timepoints time --cost geodesic-path");
    assert_eq!(answer.code, 2, "{}", answer.shown());
    assert!(answer.stderr.contains("`--cost` does not apply to `--solver lightsb`"));
    assert!(answer.stderr.contains("`--solver sinkhorn|ot|sf2m|ot-cfm`"), "{}", answer.stderr);
    assert!(!sandbox.path("sbcell-out").exists());
}

#[test]
fn flags_of_edges_that_would_do_nothing_together_are_refused() {
    let sandbox = Sandbox::with(&dialect("dense_float32"));
    sandbox.done("fit data.h5ad --timepoints time");
    for (flags, words) in [
        ("--source slope --by time", "`--source slope` or `jacobian`"),
        ("--source jacobian --data data.h5ad", "`--data`"),
        ("--coupling model --lag 2", "`--coupling`"),
        ("--lag 99", "less than the times"),
        ("--permutations 2", "at least 3"),
    ] {
        let answer = sandbox.run(&format!("grn {flags}"));
        assert_eq!(answer.code, 2, "{flags}: {}", answer.stderr);
        assert!(answer.stderr.contains(words), "{flags}: {}", answer.stderr);
        assert!(!sandbox.path("edges.csv").exists());
    }
}
