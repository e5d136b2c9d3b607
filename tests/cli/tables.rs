//! CSV files that the binary wrote.

use std::collections::BTreeMap;

use crate::sandbox::Sandbox;

/// Columns of a CSV file by name.
pub(crate) fn columns(sandbox: &Sandbox, name: &str) -> BTreeMap<String, Vec<String>> {
    let text = sandbox.text(name);
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let rows: Vec<Vec<&str>> = lines.collect();
    let column = |c: usize| rows.iter().map(|row| row[c].to_string()).collect();
    header.iter().enumerate().map(|(c, name)| (name.to_string(), column(c))).collect()
}

pub(crate) fn numbers(of: &[String]) -> Vec<f64> {
    // An empty cell is a missing number.
    let number = |text: &String| if text.is_empty() { f64::NAN } else { text.parse().unwrap() };
    of.iter().map(number).collect()
}
