//! Temporary: component matrices of courses in a folder.
#![allow(clippy::all, missing_docs)]
use ndarray::{Array1, Array2};
use sbcell::Silent;
use sbcell::grn::{CourseCells, EdgeSearch, Estimator, Expression, Lag, correlations};
use sbcell::io::h5ad::{H5ad, MatrixSource};
use std::io::Write;
use std::path::Path;

fn save(path: &Path, a: &Array2<f64>) {
    let mut f = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    for row in a.rows() {
        for v in row {
            f.write_all(&(*v as f32).to_le_bytes()).unwrap();
        }
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|w| w != "--bench").collect();
    let out = Path::new(&words[0]);
    for file in &words[1..] {
        let path = Path::new(file);
        let h = H5ad::open(path).unwrap();
        let values = match h.matrix(&MatrixSource::X, &mut Silent).unwrap() {
            sbcell::data::Matrix::Dense(v) => v,
            sbcell::data::Matrix::Sparse(_) => panic!("sparse"),
        };
        let col = h.obs("time").unwrap();
        let times: Array1<f64> = (0..values.nrows()).map(|i| col.number(i).unwrap()).collect();
        let n = values.ncols();
        let regs: Vec<usize> = (0..n).collect();
        let e = Expression::new(values, &regs).unwrap();
        let all: Vec<usize> = (0..e.n_cells()).collect();
        let points = e.standardised(&all);
        let cells = CourseCells {
            expression: &e,
            points: &points,
            times: times.clone(),
            weights: Array1::ones(e.n_cells()),
            growth: None,
            perturbed: None,
        };
        let dir = out.join(path.file_stem().unwrap());
        std::fs::create_dir_all(&dir).unwrap();
        let snaps = cells.snapshots();
        save(&dir.join("corr.f32"), &correlations(&e, &snaps, cells.weights.view()));
        let run = |e: &Expression, name: &str| {
            let points = e.standardised(&all);
            let cells = CourseCells {
                expression: e,
                points: &points,
                times: times.clone(),
                weights: Array1::ones(e.n_cells()),
                growth: None,
                perturbed: None,
            };
            let m = EdgeSearch::default().run(&cells, None).unwrap();
            save(&dir.join(format!("{name}.imp.f32")), &m.importance);
            save(&dir.join(format!("{name}.str.f32")), &m.strength);
            let m =
                EdgeSearch::default().with_estimator(Estimator::Moments).run(&cells, None).unwrap();
            save(&dir.join(format!("{name}mom.str.f32")), &m.strength);
        };
        run(&e, "new");
        for k in 0..4u64 {
            let mut x = e.values().to_owned();
            let mut seed = 88172645463325252u64 ^ (k + 1);
            for rows in &snaps {
                for g in 0..n {
                    for i in (1..rows.len()).rev() {
                        seed ^= seed << 13;
                        seed ^= seed >> 7;
                        seed ^= seed << 17;
                        let j = (seed >> 11) as usize % (i + 1);
                        let (a, b) = (rows[i], rows[j]);
                        let t = x[[a, g]];
                        x[[a, g]] = x[[b, g]];
                        x[[b, g]] = t;
                    }
                }
            }
            let e2 = Expression::new(x, &regs).unwrap();
            run(&e2, &format!("sh{k}"));
        }
        println!("{file}");
    }
}
