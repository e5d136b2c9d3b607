//! Writes the courses of all families with their networks, for other programs.

use std::fmt::Write;
use std::path::Path;

use sbcell::data::Column;
use sbcell::io::h5ad::{H5adContent, MatrixContent, write_h5ad};

use crate::families::all;
use crate::simulated::Simulated;

/// Writes FAMILY-NUMBER.h5ad and FAMILY-NUMBER.csv of each course into a folder.
pub(crate) fn export(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for family in all() {
        for (number, course) in family.courses.iter().enumerate() {
            write(&folder.join(format!("{}-{number}", family.name)), course);
        }
        println!("{}: {} courses", family.name, family.courses.len());
    }
}

fn write(path: &Path, course: &Simulated) {
    let cells: Vec<String> = (0..course.times.len()).map(|cell| format!("c{cell}")).collect();
    let content = H5adContent {
        obs_names: &cells,
        var_names: &course.genes,
        obs: &[("time", &Column::Floats(course.times.clone()))],
        x: Some(MatrixContent::Single(course.values.view())),
        ..H5adContent::default()
    };
    write_h5ad(&path.with_extension("h5ad"), &content).unwrap();
    let mut table = String::from("Gene1,Gene2,Type\n");
    let edges = course.network.iter().filter(|((regulator, target), _)| regulator != target);
    for ((regulator, target), sign) in edges {
        let sign = if *sign < 0 { '-' } else { '+' };
        writeln!(table, "{regulator},{target},{sign}").unwrap();
    }
    std::fs::write(path.with_extension("csv"), table).unwrap();
}
