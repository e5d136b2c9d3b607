//! Sizes, colours and titles of figures, from the options of `plot`.

use crate::error::{Error, Result};
use crate::io::chart::{Chart, PageSize, as_hex, palette};
use crate::pipeline::plot::{PlotKind, PlotOptions};
use crate::pipeline::shared::embedding::CellEmbedding;
use crate::pipeline::shared::embedding::ColouredGroups;

/// Size of ordinary text in points without another wish: 12 units of a chart.
const POINTS: f64 = 9.0;

impl PlotOptions {
    /// Checks ranges and colours before any work.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub(super) fn check(&self) -> Result<()> {
        let range = |name, value: Option<f64>, [low, high]: [f64; 2], must| match value {
            Some(value) if !(low..=high).contains(&value) => {
                Err(Error::Parameter { name, must, got: value.to_string() })
            }
            _ => Ok(()),
        };
        let side = [20.0, 2000.0];
        range("width", self.width, side, "from 20 to 2000 mm")?;
        range("height", self.height, side, "from 20 to 2000 mm")?;
        range("font_size", self.font_size, [3.0, 72.0], "from 3 to 72 points")?;
        range("dpi", Some(self.dpi), [30.0, 2400.0], "from 30 to 2400")?;
        if self.arrows && self.kind != PlotKind::Stream {
            let (name, must) = ("arrows", "left out for other kinds of figures than stream");
            return Err(Error::Parameter { name, must, got: self.kind.name().into() });
        }
        match self.palette.iter().find(|colour| as_hex(colour).is_none()) {
            None => Ok(()),
            Some(colour) => {
                let (name, must) = ("palette", "colours such as #0072b2");
                Err(Error::Parameter { name, must, got: colour.clone() })
            }
        }
    }

    /// Factor of all lengths from the size of text.
    fn factor(&self) -> f64 {
        self.font_size.unwrap_or(POINTS) / POINTS
    }

    /// The size that a figure is laid out in.
    pub(super) fn page(&self) -> PageSize {
        let size = PageSize::of_millimetres(self.width, self.height);
        let factor = self.factor();
        PageSize {
            width: size.width.map(|width| width / factor),
            height: size.height.map(|height| height / factor),
        }
    }

    /// A chart that was laid out in [`PlotOptions::page`], in its final size.
    pub(super) fn laid_out(&self, chart: Chart) -> Chart {
        self.finished(chart.scaled(self.factor()))
    }

    /// Refuses a palette for a kind of figure that has no colours of groups.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub(super) fn without_palette(&self) -> Result<()> {
        if self.palette.is_empty() {
            return Ok(());
        }
        let (name, must) = ("palette", "left out for this kind of figure");
        Err(Error::Parameter { name, must, got: self.palette.join(",") })
    }

    /// A chart that has a width but no height of its own choice: smaller if it is higher than asked.
    pub(super) fn within_height(&self, chart: Chart) -> Chart {
        let high = chart.size().1 * self.factor();
        match self.height {
            Some(height) if high > height => chart.scaled(height / high),
            _ => chart,
        }
    }

    fn finished(&self, chart: Chart) -> Chart {
        let chart = chart.with_dpi(self.dpi);
        match &self.title {
            Some(title) => chart.retitled(title),
            None => chart,
        }
    }

    /// The colours of `names`: of the palette that was asked for, else of `groups` by their names, else our own.
    ///
    /// # Errors
    /// [`Error::Parameter`] if the palette has too few colours.
    pub(super) fn colours(
        &self,
        names: &[String],
        groups: Option<&ColouredGroups>,
    ) -> Result<Vec<String>> {
        if self.palette.is_empty() {
            let own = palette(names.len());
            let of = |(name, own): (&String, String)| {
                let place = groups.and_then(|of| of.names.iter().position(|other| other == name));
                groups.zip(place).map_or(own, |(of, place)| of.colours[place].clone())
            };
            return Ok(names.iter().zip(own).map(of).collect());
        }
        if self.palette.len() < names.len() {
            let (name, must) = ("palette", "one colour for each group");
            let got = format!("{} colours for {} groups", self.palette.len(), names.len());
            return Err(Error::Parameter { name, must, got });
        }
        Ok(self.palette.iter().filter_map(|colour| as_hex(colour)).collect())
    }
}

/// `time (h)`, or `time` without a known unit.
pub(super) fn time_title(unit: &str) -> String {
    if unit.is_empty() { "time".into() } else { format!("time ({unit})") }
}

/// `96 h`, or `96` without a known unit.
pub(super) fn at_time(time: f64, unit: &str) -> String {
    if unit.is_empty() { time.to_string() } else { format!("{time} {unit}") }
}

/// `n = 2449 cells`, or `n = 46 of 48 cells (2 without a place)` on an embedding that lacks some.
pub(super) fn n_cells(map: &CellEmbedding) -> String {
    let (n, n_all) = (map.known().len(), map.points.nrows());
    if n == n_all {
        return format!("n = {n} cells");
    }
    format!("n = {n} of {n_all} cells ({} without a place)", n_all - n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> PlotOptions {
        PlotOptions::of(PlotKind::Sankey)
    }

    #[test]
    fn text_has_its_size_and_the_figure_its_width() {
        let of = options().with_width(Some(85.0)).with_font_size(Some(6.0));
        let width = of.page().width.unwrap();
        let chart = of.laid_out(crate::io::chart::draw_edges(&[], 1));
        // Smaller text has more room.
        assert!(width > 321.0 * 1.4);
        assert!(chart.size().0 > 0.0);
        let low = options().with_height(Some(20.0));
        let chart = low.laid_out(low.within_height(crate::io::chart::draw_edges(&[], 1)));
        assert!(chart.size().1 <= 20.0 + 1e-9);
        assert!(options().with_palette(vec!["#ff0000".into()]).without_palette().is_err());
    }

    #[test]
    fn values_out_of_range_and_wrong_colours_are_refused() {
        for (wrong, name) in [
            (options().with_width(Some(0.0)), "width"),
            (options().with_height(Some(f64::NAN)), "height"),
            (options().with_font_size(Some(1e9)), "font_size"),
            (options().with_dpi(0.0), "dpi"),
            (options().with_arrows(true), "arrows"),
            (options().with_palette(vec!["red".into()]), "palette"),
        ] {
            let error = wrong.check().unwrap_err();
            assert!(matches!(error, Error::Parameter { name: n, .. } if n == name), "{error}");
        }
        let names = ["a", "b"].map(String::from);
        let few = options().with_palette(vec!["#ff0000".into()]);
        assert!(few.colours(&names, None).is_err());
        assert_eq!(options().colours(&names, None).unwrap(), palette(2));
    }
}
