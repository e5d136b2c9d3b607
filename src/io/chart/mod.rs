//! CHARTS: of components, edges, networks, trends and validations, as SVG and PNG without system libraries.

mod axis;
mod coupling;
mod differences;
mod edges;
mod heatmap;
mod links;
mod network;
mod palette;
mod profiles;
mod scree;
mod trends;
mod validation;

use std::path::Path;

use kuva::render::color::Color;
use kuva::render::render::{PathData, Primitive, Scene, TextAnchor};
use kuva::{PngBackend, backend::svg::SvgBackend};

use crate::error::{Error, Result, visible};
use crate::io::file;

pub(crate) use coupling::draw_coupling_noise;
pub use differences::{Difference, draw_differences};
pub use edges::{draw_edges, draw_regulators};
pub use heatmap::draw_heatmap;
pub use network::draw_network;
pub use palette::{as_hex, palette};
pub use profiles::Profiles;
pub(crate) use scree::draw_scree;
pub(crate) use trends::draw_trends;
pub use validation::draw_validation;

/// A chart: a scene of lines, dots, bars and text. See [`draw_edges`] for an example.
///
/// Coordinates are in pixels of the SVG from the upper left corner; pairs are `(x, y)`.
#[derive(Debug)]
pub struct Chart {
    scene: Scene,
}

/// File format of a chart. This is the only place that relates formats of charts to suffixes.
///
/// ```
/// use std::path::Path;
/// use sbcell::io::chart::ChartFormat;
/// # fn main() -> sbcell::Result<()> {
/// assert_eq!(ChartFormat::of(Path::new("edges.SVG"))?, ChartFormat::Svg);
/// assert!(ChartFormat::of(Path::new("edges.pdf")).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartFormat {
    /// Scalable vector graphics.
    Svg,
    /// Portable network graphics, with two pixels for each unit of the chart.
    Png,
}

impl ChartFormat {
    /// The format with the suffix of `path`, in upper or lower case.
    ///
    /// # Errors
    /// [`Error::Parameter`] for another suffix than `.svg` or `.png`.
    pub fn of(path: &Path) -> Result<Self> {
        let suffix = path.extension().map(|suffix| suffix.to_string_lossy().to_ascii_lowercase());
        match suffix.as_deref() {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            _ => {
                let (name, must) = ("plot", "a file that ends in .svg or .png");
                Err(Error::Parameter { name, must, got: path.display().to_string() })
            }
        }
    }
}

/// Colours that people with colour vision deficiency can distinguish (Okabe and Ito).
const COLOURS: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/// Font size of ordinary text.
const WORDS: u32 = 12;

impl Chart {
    /// An empty chart.
    pub(super) fn new(width: f64, height: f64) -> Self {
        let mut scene = Scene::new(width, height);
        scene.font_family = Some("DejaVu Sans, Helvetica, Arial, sans-serif".into());
        scene.text_color = Some("#222222".into());
        Self { scene }
    }

    /// Upper estimate of the width of `text` in the font of ordinary text.
    pub(super) fn width_of(text: &str) -> f64 {
        let wide = |c: char| {
            if !c.is_ascii() || "WMmw".contains(c) {
                12.0
            } else if c.is_uppercase() {
                8.5
            } else if "ijlfrt .,".contains(c) {
                5.0
            } else {
                7.7
            }
        };
        visible(text).chars().map(wide).sum()
    }

    /// `text`, cut and with an ellipsis if it is wider than `width`. Hidden characters are escaped.
    pub(super) fn shortened(text: &str, width: f64) -> String {
        let text = visible(text);
        if Self::width_of(&text) <= width {
            return text.into_owned();
        }
        let mut room = width - Self::width_of("…");
        let fits = |c: &char| {
            room -= Self::width_of(c.encode_utf8(&mut [0; 4]));
            room >= 0.0
        };
        let mut short: String = text.chars().take_while(fits).collect();
        short.push('…');
        short
    }

    /// Adds a straight line.
    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
        self.scene.add(Primitive::Line {
            x1: from.0,
            y1: from.1,
            x2: to.0,
            y2: to.1,
            stroke: Color::from(colour),
            stroke_width: width,
            stroke_dasharray: None,
        });
    }

    /// Adds a straight dashed line.
    pub(super) fn dashes(&mut self, from: (f64, f64), to: (f64, f64), colour: &str) {
        self.scene.add(Primitive::Line {
            x1: from.0,
            y1: from.1,
            x2: to.0,
            y2: to.1,
            stroke: Color::from(colour),
            stroke_width: 1.5,
            stroke_dasharray: Some("6 4".into()),
        });
    }

    /// Adds a filled or hollow circle.
    pub(super) fn dot(&mut self, at: (f64, f64), radius: f64, colour: &str, filled: bool) {
        self.scene.add(Primitive::Circle {
            cx: at.0,
            cy: at.1,
            r: radius,
            fill: Color::from(if filled { colour } else { "#ffffff" }),
            fill_opacity: None,
            stroke: Some(Color::from(colour)),
            stroke_width: Some(1.5),
        });
    }

    /// Adds a filled rectangle with this upper left `corner`.
    pub(super) fn band(&mut self, corner: (f64, f64), size: (f64, f64), colour: &str) {
        self.rectangle(corner, size, colour, None);
    }

    /// Adds a filled rectangle, opaque unless `opacity` is given.
    fn rectangle(
        &mut self,
        corner: (f64, f64),
        size: (f64, f64),
        colour: &str,
        opacity: Option<f64>,
    ) {
        self.scene.add(Primitive::Rect {
            x: corner.0,
            y: corner.1,
            width: size.0,
            height: size.1,
            fill: Color::from(colour),
            stroke: None,
            stroke_width: None,
            opacity,
        });
    }

    /// Adds a filled circle with a thin line of another colour around it.
    pub(super) fn circle(&mut self, at: (f64, f64), radius: f64, fill: &str, line: &str) {
        self.scene.add(Primitive::Circle {
            cx: at.0,
            cy: at.1,
            r: radius,
            fill: Color::from(fill),
            fill_opacity: None,
            stroke: Some(Color::from(line)),
            stroke_width: Some(1.2),
        });
    }

    /// Adds a nearly opaque white rectangle, on which text is legible above lines.
    pub(super) fn veil(&mut self, corner: (f64, f64), size: (f64, f64)) {
        self.rectangle(corner, size, "#ffffff", Some(0.75));
    }

    /// Adds the outline of a rectangle.
    pub(super) fn frame(&mut self, corner: (f64, f64), size: (f64, f64), colour: &str) {
        let (right, bottom) = (corner.0 + size.0, corner.1 + size.1);
        self.line(corner, (right, corner.1), colour, 1.0);
        self.line((right, corner.1), (right, bottom), colour, 1.0);
        self.line((right, bottom), (corner.0, bottom), colour, 1.0);
        self.line((corner.0, bottom), corner, colour, 1.0);
    }

    /// Adds a curve in the language of SVG paths.
    pub(super) fn curve(&mut self, path: String, colour: &str, width: f64) {
        self.path(path, Color::None, Color::from(colour), width);
    }

    /// Adds a filled polygon.
    pub(super) fn polygon(&mut self, corners: &[(f64, f64)], colour: &str) {
        let points: Vec<String> =
            corners.iter().map(|at| format!("{:.2} {:.2}", at.0, at.1)).collect();
        self.path(format!("M{}Z", points.join("L")), Color::from(colour), Color::None, 0.0);
    }

    /// Adds a path.
    fn path(&mut self, d: String, fill: Color, stroke: Color, stroke_width: f64) {
        let (opacity, stroke_dasharray) = (None, None);
        let fill = Some(fill);
        let data = PathData { d, fill, stroke, stroke_width, opacity, stroke_dasharray };
        self.scene.add(Primitive::Path(Box::new(data)));
    }

    /// Adds ordinary text that is read upwards from the place `at`.
    pub(super) fn upright(&mut self, at: (f64, f64), text: &str, colour: &str) {
        self.scene.add(Primitive::Text {
            x: at.0,
            y: at.1,
            content: printed(text),
            size: WORDS,
            anchor: TextAnchor::Start,
            rotate: Some(-90.0),
            bold: false,
            color: Some(Color::from(colour)),
        });
    }

    /// Adds ordinary text at its baseline.
    pub(super) fn words(&mut self, at: (f64, f64), text: &str, anchor: TextAnchor, colour: &str) {
        self.scene.add(Primitive::Text {
            x: at.0,
            y: at.1,
            content: printed(text),
            size: WORDS,
            anchor,
            rotate: None,
            bold: false,
            color: Some(Color::from(colour)),
        });
    }

    /// Adds bold text that is a sixth larger than ordinary text.
    pub(super) fn title(&mut self, at: (f64, f64), text: &str) {
        self.scene.add(Primitive::Text {
            x: at.0,
            y: at.1,
            content: printed(text),
            size: WORDS + 2,
            anchor: TextAnchor::Start,
            rotate: None,
            bold: true,
            color: None,
        });
    }

    /// Writes the chart in the format with the suffix of `path` ([`ChartFormat::of`]). The file is
    /// replaced as a whole.
    ///
    /// # Errors
    /// [`Error::Parameter`] for another suffix than `.svg` or `.png`; those of writing the format.
    pub fn write(&self, path: &Path) -> Result<()> {
        match ChartFormat::of(path)? {
            ChartFormat::Svg => self.write_svg(path),
            ChartFormat::Png => self.write_png(path),
        }
    }

    /// Writes the chart as SVG.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written.
    pub(crate) fn write_svg(&self, path: &Path) -> Result<()> {
        let text = SvgBackend::new().render_scene(&self.scene);
        file::replace(path, |writer| writer.write_all(text.as_bytes()))
    }

    /// Writes the chart as PNG with two pixels for each unit.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written; [`Error::Numerical`] if the chart cannot be rendered.
    pub(crate) fn write_png(&self, path: &Path) -> Result<()> {
        let bytes = PngBackend::new()
            .with_scale(2.0)
            .render_scene(&self.scene)
            .map_err(|why| Error::Numerical { what: "drawing a chart", why })?;
        file::replace(path, |writer| writer.write_all(&bytes))
    }
}

/// `text` for the renderer: characters that XML forbids are made visible, and `$` is escaped, because
/// `kuva` interprets `$…$` as a formula.
fn printed(text: &str) -> String {
    visible(text).replace('$', "\\$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_both_formats_with_what_was_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let mut chart = Chart::new(100.0, 50.0);
        chart.words((10.0, 20.0), "a < b", TextAnchor::Start, "#000000");
        let (svg, png) = (folder.path().join("c.svg"), folder.path().join("c.png"));
        chart.write_svg(&svg).unwrap();
        chart.write_png(&png).unwrap();
        let text = std::fs::read_to_string(svg).unwrap();
        assert!(text.starts_with("<svg") && text.contains("a &lt; b"), "{text}");
        assert!(std::fs::read(png).unwrap().starts_with(b"\x89PNG"));
    }
}
