//! The legend of a map: a dot, a name and a number of cells for each group, in columns.

use kuva::render::render::TextAnchor;

use crate::io::chart::Chart;
use crate::io::chart::map::{Colouring, MapPicture};
use crate::io::chart::page::ColourBar;
use crate::io::chart::palette::NO_GROUP;

/// Height of a row.
const ROW: f64 = 17.0;
/// Widest name in one column, and in each of several columns.
const NAMES: [f64; 2] = [190.0, 132.0];
/// Largest number of groups without numbers on the map: those whose colours can be told apart.
const UNNUMBERED: usize = 8;

/// The legend of a map.
pub(super) struct Legend {
    /// Colour, number and words of each row.
    rows: Vec<Row>,
    /// Rows in one column.
    per_column: usize,
    /// Width of each column.
    columns: Vec<f64>,
    /// Widest name.
    room: f64,
    /// Width of a scale of colours, if there is one.
    bar: f64,
    numbered: bool,
}

/// One row of a legend.
struct Row {
    colour: String,
    number: Option<usize>,
    words: String,
    /// The number of cells, which is never shortened.
    count: String,
}

impl Row {
    /// The width of the number, and the words shortened to `room`.
    fn text(&self, room: f64) -> (f64, String) {
        let number = if self.number.is_some() { 22.0 } else { 0.0 };
        let count = Chart::width_of(&self.count);
        (number, format!("{}{}", Chart::shortened(&self.words, room - number - count), self.count))
    }
}

impl Legend {
    /// The legend of `picture` beside a panel of this height. On a page of a given width, it takes less than half.
    pub(super) fn of(picture: &MapPicture, height: f64, width: Option<f64>) -> Self {
        let mut rows = Vec::new();
        let (mut numbered, mut bar) = (false, 0.0);
        match &picture.colouring {
            Colouring::Plain => {}
            Colouring::Lines { names, colours } => {
                rows.extend(names.iter().zip(colours).map(|(name, colour)| Row {
                    colour: colour.clone(),
                    number: None,
                    words: name.clone(),
                    count: String::new(),
                }));
            }
            Colouring::Numbers { title, .. } => {
                bar = (Chart::width_of(title) + 20.0).clamp(ColourBar::WIDTH, 170.0);
            }
            Colouring::Groups { names, colours, of_cells, ordered } => {
                numbered = !ordered && names.len() > UNNUMBERED;
                let mut counts = vec![0; names.len()];
                let mut others = 0;
                for group in of_cells {
                    match group.and_then(|group| counts.get_mut(group)) {
                        Some(count) => *count += 1,
                        None => others += 1,
                    }
                }
                for (place, (name, colour)) in names.iter().zip(colours).enumerate() {
                    let number = numbered.then_some(place + 1);
                    let count = format!(" ({})", counts[place]);
                    rows.push(Row { colour: colour.clone(), number, words: name.clone(), count });
                }
                if others > 0 {
                    let (words, count) = ("no group".into(), format!(" ({others})"));
                    rows.push(Row { colour: NO_GROUP.into(), number: None, words, count });
                }
            }
        }
        let per_column = ((height / ROW).floor() as usize).max(1);
        let n_columns = rows.len().div_ceil(per_column);
        let most =
            width.map_or(f64::INFINITY, |width| 0.42 * width / n_columns.max(1) as f64 - 24.0);
        let room = NAMES[usize::from(n_columns > 1)].min(most.max(40.0));
        let columns = rows
            .chunks(per_column)
            .map(|rows| {
                let widths = rows.iter().map(|row| {
                    let (number, words) = row.text(room);
                    number + Chart::width_of(&words)
                });
                widths.fold(0.0, f64::max) + 24.0
            })
            .collect();
        Self { rows, per_column, columns, room, bar, numbered }
    }

    /// Width of the legend with the space before it.
    pub(super) fn width(&self) -> f64 {
        let columns = self.columns.iter().sum::<f64>() + self.bar;
        if columns > 0.0 { columns + 16.0 } else { 0.0 }
    }

    /// Height of the longest column, or of a scale of colours.
    pub(super) fn height(&self) -> f64 {
        let rows = self.rows.len().min(self.per_column) as f64;
        if self.bar > 0.0 { 200.0 } else { ROW * rows }
    }

    /// Whether groups have numbers.
    pub(super) fn is_numbered(&self) -> bool {
        self.numbered
    }

    /// Draws the legend at this upper left corner.
    pub(super) fn draw(&self, chart: &mut Chart, corner: [f64; 2]) {
        let mut left = corner[0];
        for (rows, width) in self.rows.chunks(self.per_column).zip(&self.columns) {
            for (place, row) in rows.iter().enumerate() {
                let y = corner[1] + ROW * (place as f64 + 0.5);
                chart.spot((left + 5.0, y), 4.5, &row.colour);
                let (number, words) = row.text(self.room);
                if let Some(number) = row.number {
                    let at = (left + 29.0, y + 4.0);
                    chart.words(at, &number.to_string(), TextAnchor::End, "#444444");
                }
                chart.words((left + 14.0 + number, y + 4.0), &words, TextAnchor::Start, "#222222");
            }
            left += width;
        }
    }
}
