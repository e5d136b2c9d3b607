//! PDF: the scene of a chart as one page of lines, curves and text in standard fonts.

mod font;
mod path;

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use kuva::render::color::Color;
use kuva::render::render::{Primitive, Scene, TextAnchor};
use pdf_writer::types::{LineCapStyle, LineJoinStyle};
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};

use self::font::Font;

/// Points of PDF in one unit of a chart, of which 96 are an inch.
const POINTS: f64 = 0.75;
/// Distance of the handles of a quarter of a circle of radius one (Bézier).
const QUARTER: f32 = 0.552_284_8;

/// The bytes of a PDF with `scene` on one page, `scale` times as large. Characters that the standard fonts
/// lack are `?`; see [`first_missing`].
///
/// # Errors
/// An error of compression, which does not happen in memory.
pub(super) fn bytes(scene: &Scene, scale: f64) -> std::io::Result<Vec<u8>> {
    let factor = POINTS * scale;
    let (width, height) = ((scene.width * factor) as f32, (scene.height * factor) as f32);
    let mut page = Page { content: Content::new(), opacities: BTreeMap::new() };
    let factor = factor as f32;
    // The y coordinate of a chart increases downwards.
    page.content.transform([factor, 0.0, 0.0, -factor, 0.0, height]);
    page.content.set_line_cap(LineCapStyle::ButtCap).set_line_join(LineJoinStyle::RoundJoin);
    for element in &scene.elements {
        page.draw(element);
    }
    let Page { content, opacities } = page;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(&content.finish())?;
    let packed = encoder.finish()?;
    let [catalog, tree, leaf, stream, info] = [1, 2, 3, 4, 5].map(Ref::new);
    let number_of = |place: usize| Ref::new(6 + place as i32);
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(tree);
    pdf.pages(tree).kids([leaf]).count(1);
    let mut of_page = pdf.page(leaf);
    of_page.media_box(Rect::new(0.0, 0.0, width, height)).parent(tree).contents(stream);
    let mut resources = of_page.resources();
    let mut fonts = resources.fonts();
    for (place, font) in Font::ALL.into_iter().enumerate() {
        fonts.pair(Name(font.resource().as_bytes()), number_of(place));
    }
    fonts.finish();
    let mut states = resources.ext_g_states();
    for (place, name) in opacities.values().enumerate() {
        states.pair(Name(name.as_bytes()), number_of(Font::ALL.len() + place));
    }
    states.finish();
    resources.finish();
    of_page.finish();
    for (place, font) in Font::ALL.into_iter().enumerate() {
        let mut written = pdf.type1_font(number_of(place));
        written.base_font(Name(font.name().as_bytes()));
        if font != Font::Symbol {
            written.encoding_predefined(Name(b"WinAnsiEncoding"));
        }
    }
    for (place, permille) in opacities.keys().enumerate() {
        let share = *permille as f32 / 1000.0;
        let mut state = pdf.ext_graphics(number_of(Font::ALL.len() + place));
        state.non_stroking_alpha(share).stroking_alpha(share);
    }
    pdf.stream(stream, &packed).filter(Filter::FlateDecode);
    let mut about = pdf.document_info(info);
    about.producer(TextStr("sbcell"));
    if let Some(title) = first_title(scene) {
        about.title(TextStr(&title));
    }
    about.finish();
    Ok(pdf.finish())
}

/// The first character of the texts of `scene` that the fonts of a PDF lack.
pub(super) fn first_missing(scene: &Scene) -> Option<char> {
    scene.elements.iter().find_map(|element| match element {
        Primitive::Text { content, .. } => content.chars().find(|c| !font::has(*c)),
        _ => None,
    })
}

/// The first bold text of a scene, which is the title of the chart.
fn first_title(scene: &Scene) -> Option<String> {
    scene.elements.iter().find_map(|element| match element {
        Primitive::Text { content, bold: true, .. } => Some(unescaped(content)),
        _ => None,
    })
}

/// Text without the escapes that the renderer of SVG and PNG needs.
fn unescaped(text: &str) -> String {
    text.replace("\\$", "$")
}

/// A page that is being written.
struct Page {
    content: Content,
    /// Opacities in thousandths, with their names in the resources.
    opacities: BTreeMap<u16, String>,
}

impl Page {
    /// Adds an element of a scene. Kinds that charts do not use are left out.
    fn draw(&mut self, element: &Primitive) {
        match element {
            Primitive::Circle { cx, cy, r, fill, fill_opacity: None, stroke: None, .. } => {
                self.spot((*cx, *cy), *r, fill);
            }
            Primitive::Circle { cx, cy, r, fill, fill_opacity, stroke, stroke_width } => {
                self.with_opacity(*fill_opacity, |page| {
                    circle(&mut page.content, (*cx, *cy), *r);
                    let line = stroke.as_ref().map(|colour| (colour, stroke_width.unwrap_or(1.0)));
                    page.paint(Some(fill), line, None);
                });
            }
            Primitive::Line { x1, y1, x2, y2, stroke, stroke_width, stroke_dasharray } => {
                self.content.move_to(short(*x1), short(*y1)).line_to(short(*x2), short(*y2));
                self.paint(None, Some((stroke, *stroke_width)), stroke_dasharray.as_deref());
            }
            Primitive::PolyLine { points, stroke, stroke_width, stroke_dasharray } => {
                for (place, at) in points.iter().enumerate() {
                    if place == 0 {
                        self.content.move_to(short(at.0), short(at.1));
                    } else {
                        self.content.line_to(short(at.0), short(at.1));
                    }
                }
                self.paint(None, Some((stroke, *stroke_width)), stroke_dasharray.as_deref());
            }
            Primitive::Rect { x, y, width, height, fill, stroke, stroke_width, opacity } => {
                self.with_opacity(*opacity, |page| {
                    page.content.rect(short(*x), short(*y), short(*width), short(*height));
                    let line = stroke.as_ref().map(|colour| (colour, stroke_width.unwrap_or(1.0)));
                    page.paint(Some(fill), line, None);
                });
            }
            Primitive::Path(data) => self.with_opacity(data.opacity, |page| {
                path::add(&mut page.content, &data.d);
                let line = Some((&data.stroke, data.stroke_width));
                page.paint(data.fill.as_ref(), line, data.stroke_dasharray.as_deref());
            }),
            Primitive::Text { x, y, content, size, anchor, rotate, bold, color } => {
                let words = Words { at: (*x, *y), size: f64::from(*size), turn: *rotate };
                self.text(&words, &font::runs(&unescaped(content), *bold), *anchor, color.as_ref());
            }
            _ => {}
        }
    }

    /// Adds a circle without a line as a point of a wide pen with a round tip, a fifth of the bytes of four curves.
    fn spot(&mut self, at: (f64, f64), radius: f64, fill: &Color) {
        let Some([red, green, blue]) = intensities(fill) else { return };
        let (x, y) = (short(at.0), short(at.1));
        self.content
            .set_line_cap(LineCapStyle::RoundCap)
            .set_stroke_rgb(red, green, blue)
            .set_line_width(short(2.0 * radius))
            .set_dash_pattern([], 0.0)
            .move_to(x - TIP, y)
            .line_to(x + TIP, y)
            .stroke()
            .set_line_cap(LineCapStyle::ButtCap);
    }

    /// Calls `draw` with this opacity of everything that it adds.
    fn with_opacity(&mut self, opacity: Option<f64>, draw: impl FnOnce(&mut Self)) {
        let Some(opacity) = opacity.filter(|share| (0.0..1.0).contains(share)) else {
            return draw(self);
        };
        let permille = (opacity * 1000.0).round() as u16;
        let name = self.opacities.entry(permille).or_insert_with(|| format!("G{permille}"));
        self.content.save_state().set_parameters(Name(name.as_bytes()));
        draw(self);
        self.content.restore_state();
    }

    /// Fills and strokes the path that was just added. `line` is a colour and a width.
    fn paint(&mut self, fill: Option<&Color>, line: Option<(&Color, f64)>, dashes: Option<&str>) {
        let fill = fill.and_then(intensities);
        let line = line.and_then(|(colour, width)| Some((intensities(colour)?, width)));
        let line = line.filter(|(_, width)| *width > 0.0);
        if let Some([red, green, blue]) = fill {
            self.content.set_fill_rgb(red, green, blue);
        }
        if let Some(([red, green, blue], width)) = line {
            self.content.set_stroke_rgb(red, green, blue).set_line_width(short(width));
            let dashes = dashes.unwrap_or_default().split([' ', ',']);
            self.content.set_dash_pattern(dashes.filter_map(|text| text.parse().ok()), 0.0);
        }
        match (fill.is_some(), line.is_some()) {
            (true, true) => self.content.fill_nonzero_and_stroke(),
            (true, false) => self.content.fill_nonzero(),
            (false, true) => self.content.stroke(),
            (false, false) => self.content.end_path(),
        };
    }

    /// Adds text.
    fn text(
        &mut self,
        words: &Words,
        runs: &[font::Run],
        anchor: TextAnchor,
        colour: Option<&Color>,
    ) {
        let width = |run: &font::Run| f64::from(run.width) / 1000.0 * words.size;
        let total: f64 = runs.iter().map(width).sum();
        let mut along = match anchor {
            TextAnchor::Start => 0.0,
            TextAnchor::Middle => -0.5 * total,
            TextAnchor::End => -total,
        };
        let (sin, cos) = words.turn.unwrap_or(0.0).to_radians().sin_cos();
        let [red, green, blue] = colour.and_then(intensities).unwrap_or(TEXT);
        self.content.set_fill_rgb(red, green, blue);
        for run in runs {
            let (x, y) = (words.at.0 + along * cos, words.at.1 + along * sin);
            // Letters stand upright although y increases downwards.
            let matrix = [cos, sin, sin, -cos, x, y].map(short);
            self.content
                .begin_text()
                .set_font(Name(run.font.resource().as_bytes()), words.size as f32)
                .set_text_matrix(matrix)
                .show(Str(&run.codes))
                .end_text();
            along += width(run);
        }
    }
}

/// The place of a text.
struct Words {
    at: (f64, f64),
    size: f64,
    /// Degrees clockwise.
    turn: Option<f64>,
}

/// Half of the length of a point: some readers (pdfium) widen points without a length.
const TIP: f32 = 0.01;

/// Colour of text without one.
const TEXT: [f32; 3] = [0.133, 0.133, 0.133];

/// Red, green and blue from 0 to 1; `None` without a colour.
fn intensities(colour: &Color) -> Option<[f32; 3]> {
    match colour {
        Color::Rgb(red, green, blue) => {
            Some([*red, *green, *blue].map(|c| short(f64::from(c) / 255.0)))
        }
        Color::None => None,
        Color::Css(_) => Some([0.0; 3]),
    }
}

/// A number with three digits, which are enough on paper.
fn short(number: f64) -> f32 {
    // Adding zero turns −0 into 0.
    ((number * 1000.0).round() / 1000.0 + 0.0) as f32
}

/// Adds a circle.
fn circle(content: &mut Content, at: (f64, f64), radius: f64) {
    let (x, y, r) = (short(at.0), short(at.1), short(radius));
    let k = short(f64::from(QUARTER * r));
    content
        .move_to(x + r, y)
        .cubic_to(x + r, y + k, x + k, y + r, x, y + r)
        .cubic_to(x - k, y + r, x - r, y + k, x - r, y)
        .cubic_to(x - r, y - k, x - k, y - r, x, y - r)
        .cubic_to(x + k, y - r, x + r, y - k, x + r, y)
        .close_path();
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::ZlibDecoder;

    use super::*;
    use crate::io::chart::Chart;

    /// The operators of the page.
    fn operators(pdf: &[u8]) -> String {
        let find = |word: &[u8]| pdf.windows(word.len()).position(|w| w == word).unwrap();
        let begin = find(b"stream\n") + 7;
        let end = find(b"\nendstream");
        let mut text = Vec::new();
        ZlibDecoder::new(&pdf[begin..end]).read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }

    fn example() -> Chart {
        let mut chart = Chart::new(100.0, 50.0);
        chart.title((10.0, 20.0), "Fates (<&\"> \\ 細胞) $5");
        chart.line((0.0, 0.0), (10.0, 5.0), "#ff0000", 2.0);
        chart.dashes((0.0, 0.0), (10.0, 5.0), "#00ff00");
        chart.dot((5.0, 5.0), 2.0, "#0000ff", true);
        chart.spot((7.0, 6.0), 2.5, "#ff00ff");
        chart.veil((0.0, 0.0), (5.0, 5.0));
        chart.words((50.0, 40.0), "ε → σ²", TextAnchor::Middle, "#222222");
        chart.upright((50.0, 40.0), "up", "#222222");
        chart
    }

    #[test]
    fn the_page_has_the_size_of_the_chart_in_points_and_all_of_its_parts() {
        let pdf = bytes(&example().scene, 2.0).unwrap();
        assert!(pdf.starts_with(b"%PDF-1.") && pdf.ends_with(b"%%EOF"));
        let text = String::from_utf8_lossy(&pdf);
        assert!(text.contains("/MediaBox [0 0 150 75]"), "{text}");
        let page = operators(&pdf);
        assert!(page.starts_with("1.5 0 0 -1.5 0 75 cm"), "{page}");
        for part in [
            "1 0 0 RG\n2 w",
            "[6 4] 0 d",
            "0 0 1 rg",
            "1 J\n1 0 1 RG\n5 w\n[] 0 d\n6.99 6 m\n7.01 6 l\nS\n0 J",
            "/G750 gs",
            "(Fates (<&\"> \\\\ ??) $5) Tj",
            "/F2 12 Tf",
            "0 -1 -1 0 50 40 Tm",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }

    #[test]
    fn the_same_chart_gives_the_same_bytes_and_missing_characters_are_named() {
        let bytes = || bytes(&example().scene, 1.0).unwrap();
        assert_eq!(bytes(), bytes());
        assert_eq!(first_missing(&example().scene), Some('細'));
        assert_eq!(first_missing(&Chart::new(1.0, 1.0).scene), None);
    }

    #[test]
    fn text_ends_or_is_centred_by_its_own_width() {
        let mut chart = Chart::new(100.0, 50.0);
        chart.words((50.0, 40.0), "WW", TextAnchor::End, "#222222");
        chart.words((50.0, 40.0), "WW", TextAnchor::Middle, "#222222");
        let page = operators(&bytes(&chart.scene, 1.0).unwrap());
        // Two letters of 944 thousandths of 12.
        assert!(page.contains("1 0 0 -1 27.344 40 Tm"), "{page}");
        assert!(page.contains("1 0 0 -1 38.672 40 Tm"), "{page}");
    }
}
