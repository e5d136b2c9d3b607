//! CHARTS: cells, fates, transitions, trends, edges and validations as SVG, PNG and PDF, without system libraries.

mod axis;
mod coupling;
mod differences;
mod edges;
mod export;
mod fates;
mod genes;
mod heatmap;
mod links;
mod map;
mod network;
mod page;
mod palette;
mod pdf;
mod profiles;
mod sankey;
mod scree;
mod trends;
mod validation;

use kuva::render::color::Color;
use kuva::render::render::{PathData, Primitive, Scene, TextAnchor};

use crate::error::visible;

pub(crate) use coupling::draw_coupling_noise;
pub use differences::{Difference, draw_differences};
pub use edges::{draw_edges, draw_regulators};
pub use export::ChartFormat;
pub use fates::{FatePicture, draw_fates};
pub use genes::{GenePicture, draw_genes};
pub use heatmap::draw_heatmap;
pub(crate) use heatmap::draw_heatmap_on;
pub use map::{Colouring, LineMark, MapLine, MapPicture, draw_map};
pub use network::draw_network;
pub(crate) use network::draw_network_on;
pub use page::PageSize;
pub(crate) use palette::{NO_GROUP, ramp};
pub use palette::{as_hex, palette};
pub use profiles::Profiles;
pub use sankey::{SankeyColumn, SankeyPicture, SankeyRibbon, draw_sankey};
pub(crate) use scree::{draw_scree, draw_scree_on};
pub(crate) use trends::{TrendWords, draw_trends};
pub use validation::draw_validation;
pub(crate) use validation::draw_validation_on;

/// A chart: a scene of lines, dots, bars and text. See [`draw_edges`] for an example.
///
/// Coordinates are in pixels of the SVG from the upper left corner; pairs are `(x, y)`.
#[derive(Debug)]
pub struct Chart {
    scene: Scene,
    /// Factor of all lengths when the chart is written.
    scale: f64,
    /// Pixels per inch of a PNG.
    dpi: f64,
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
        Self { scene, scale: 1.0, dpi: 192.0 }
    }

    /// Width of the layout, before it is scaled.
    pub(super) fn width(&self) -> f64 {
        self.scene.width
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

    /// Adds a filled circle without a line, such as a cell.
    pub(super) fn spot(&mut self, at: (f64, f64), radius: f64, colour: &str) {
        self.scene.add(Primitive::Circle {
            cx: at.0,
            cy: at.1,
            r: radius,
            fill: Color::from(colour),
            fill_opacity: None,
            stroke: None,
            stroke_width: None,
        });
    }

    /// Adds a line through `points`.
    pub(super) fn polyline(&mut self, points: Vec<(f64, f64)>, colour: &str, width: f64) {
        let (stroke, stroke_dasharray) = (Color::from(colour), None);
        self.scene.add(Primitive::PolyLine {
            points,
            stroke,
            stroke_width: width,
            stroke_dasharray,
        });
    }

    /// Adds a filled path with this opacity, in the language of SVG paths.
    pub(super) fn ribbon(&mut self, d: String, colour: &str, opacity: f64) {
        let data = PathData {
            d,
            fill: Some(Color::from(colour)),
            stroke: Color::None,
            stroke_width: 0.0,
            opacity: Some(opacity),
            stroke_dasharray: None,
        };
        self.scene.add(Primitive::Path(Box::new(data)));
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
}

/// `text` for the renderer: characters that XML forbids are made visible, and `$` is escaped, because
/// `kuva` interprets `$…$` as a formula.
fn printed(text: &str) -> String {
    visible(text).replace('$', "\\$")
}
