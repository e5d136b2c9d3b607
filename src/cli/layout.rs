//! Tables on the terminal: columns that fit its width, and the same rows as JSON.
//!
//! A table is kept as texts until it is printed, because its width depends on where it goes. If it is too wide,
//!
//! 1. headers of several words, and cells of more than 30 characters, are broken between words;
//! 2. then columns are left out, from the last one on. Commands put the columns that matter most first. A line
//!    below the table names the columns left out; the files that the command writes have them all.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width};
use sbcell::error::visible;
use serde_json::{Map, Value};

use crate::cli::help;
use crate::cli::terminal::Lines;

/// Spaces before every column.
const GAP: usize = 2;

/// The longest cell that is never broken into lines. Longer cells are broken between words.
const UNBROKEN: usize = 30;

/// A table of text.
#[derive(Debug, Clone)]
pub(crate) struct Grid {
    /// Names of the columns.
    header: Vec<String>,
    /// Cells of each row, as many as there are columns, without control characters.
    rows: Vec<Vec<String>>,
}

/// Lays out rows in columns. Columns of numbers are aligned to the right, others to the left.
///
/// `header` and each row have the same length. The table is laid out when it is printed, within the width
/// of the terminal.
pub(crate) fn aligned(header: &[&str], rows: &[Vec<String>]) -> Lines {
    // A hidden character is printed as an escape, so that the width is that of the escape.
    let seen = |row: &Vec<String>| row.iter().map(|cell| visible(cell).into_owned()).collect();
    let header = header.iter().map(|name| visible(name).into_owned()).collect();
    Lines::of_grid(Grid { header, rows: rows.iter().map(seen).collect() })
}

impl Grid {
    /// The lines of the table, at most `width` characters wide.
    ///
    /// Headers and long texts are broken between words. Columns that still do not fit are left out, from the
    /// last one on, and named below the table.
    pub(crate) fn text(&self, width: usize) -> String {
        let least = self.least_widths();
        let fits = |n: usize| least.iter().take(n).map(|least| least + GAP).sum::<usize>() <= width;
        let n_shown = (1..=least.len()).rev().find(|&n| fits(n)).unwrap_or(1);
        let mut text = self.laid_out(least.get(..n_shown).unwrap_or(&least), width);
        let left_out: Vec<&str> = self.header.iter().skip(n_shown).map(String::as_str).collect();
        if !left_out.is_empty() {
            let line = format!("  (too wide for the terminal: {})", left_out.join(", "));
            text.push('\n');
            text.push_str(&filled(&line, width));
        }
        text
    }

    /// The first columns, one for each of `least`, each at least so wide.
    fn laid_out(&self, least: &[usize], width: usize) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        table.set_header(self.header.iter().take(least.len()));
        for row in &self.rows {
            table.add_row(row.iter().take(least.len()));
        }
        for (place, (column, least)) in table.column_iter_mut().zip(least).enumerate() {
            let least = u16::try_from(least + GAP).unwrap_or(u16::MAX);
            column.set_padding((GAP as u16, 0));
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
            if self.is_numeric(place) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_string()).collect();
        lines.join("\n")
    }

    /// The narrowest width of each column: that of its cells, and of the longest word of its header.
    fn least_widths(&self) -> Vec<usize> {
        let longest_word =
            |text: &str| text.split(' ').map(|word| word.chars().count()).max().unwrap_or(0);
        let of_cell = |text: &str| match text.chars().count() {
            n if n <= UNBROKEN => n,
            _ => longest_word(text),
        };
        let of = |(place, name): (usize, &String)| {
            let cells = self.rows.iter().filter_map(|row| row.get(place));
            let cells = cells.map(|cell| of_cell(cell)).max().unwrap_or(0);
            cells.max(longest_word(name))
        };
        self.header.iter().enumerate().map(of).collect()
    }

    /// Whether all cells of a column look like numbers.
    fn is_numeric(&self, place: usize) -> bool {
        self.rows.iter().filter_map(|row| row.get(place)).all(|cell| looks_numeric(cell))
    }

    /// The rows as JSON objects; a name that occurs twice gets that of the column before it.
    pub(crate) fn json(&self) -> Value {
        let mut names: Vec<String> = Vec::new();
        for (place, name) in self.header.iter().enumerate() {
            let before = place.checked_sub(1).and_then(|before| names.get(before));
            let name = match before {
                Some(before) if names.contains(name) => format!("{before} {name}"),
                _ => name.clone(),
            };
            names.push(name);
        }
        let object = |row: &Vec<String>| {
            let cells = names.iter().cloned().zip(row.iter().map(|cell| value_of(cell)));
            Value::Object(cells.collect::<Map<_, _>>())
        };
        Value::Array(self.rows.iter().map(object).collect())
    }
}

/// A cell as JSON: a number, null for a dash, or text.
fn value_of(cell: &str) -> Value {
    if cell == "–" || cell.is_empty() {
        return Value::Null;
    }
    if let Ok(whole) = cell.parse::<i64>() {
        return whole.into();
    }
    match cell.parse::<f64>() {
        Ok(number) if number.is_finite() => number.into(),
        _ => cell.into(),
    }
}

/// Whether a cell is a number, a dash for a missing number, or a ratio such as `3/10`.
fn looks_numeric(cell: &str) -> bool {
    cell == "–" || cell.parse::<f64>().is_ok() || cell.split('/').all(|n| n.parse::<f64>().is_ok())
}

/// A line broken between words after at most `width` characters; further lines are indented a little more.
pub(crate) fn filled(line: &str, width: usize) -> String {
    let indent = line.chars().take_while(|c| *c == ' ').count();
    help::fill(line, indent + GAP, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(n_columns: usize) -> Grid {
        let header: Vec<String> = (0..n_columns).map(|k| format!("name of {k}")).collect();
        let rows = (0..3).map(|i| (0..n_columns).map(|k| format!("{}.5", 1000 * i + k)).collect());
        Grid { header, rows: rows.collect() }
    }

    #[test]
    fn a_table_that_fits_has_one_line_for_each_row_with_numbers_on_the_right() {
        let rows = [["a", "1"], ["bc", "10"]].map(|row| row.map(String::from).to_vec()).to_vec();
        let header = ["name", "n"].map(String::from).to_vec();
        let text = Grid { header, rows }.text(100);
        assert_eq!(text, "  name   n\n  a      1\n  bc    10");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_columns_left_out_are_named() {
        for width in [40, 60, 100] {
            for n_columns in [1, 3, 8, 30] {
                let text = grid(n_columns).text(width);
                let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
                assert!(widest <= width, "{widest} of {width}:\n{text}");
                // A column needs nine characters: two of space and seven of digits.
                let is_whole = n_columns * 9 <= width;
                assert_eq!(text.contains("too wide"), !is_whole, "{text}");
                assert_eq!(text.contains(&format!("{}.5", 2000 + n_columns - 1)), is_whole);
            }
        }
        let long = vec![vec!["x".to_string(), "word ".repeat(40).trim().to_string()]];
        let text = Grid { header: vec!["a".into(), "b".into()], rows: long }.text(50);
        assert_eq!(text.matches("word").count(), 40);
        assert!(text.lines().all(|line| line.chars().count() <= 50), "{text}");
    }

    #[test]
    fn rows_are_json_objects_with_numbers_and_names_of_their_own() {
        let header = ["W1", "floor", "energy", "floor"].map(String::from).to_vec();
        let rows = vec![["1.50", "–", "7", "a 3"].map(String::from).to_vec()];
        let json = Grid { header, rows }.json();
        let wanted =
            serde_json::json!([{"W1": 1.5, "floor": null, "energy": 7, "energy floor": "a 3"}]);
        assert_eq!(json, wanted);
    }
}
