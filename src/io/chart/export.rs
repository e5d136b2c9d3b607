//! Writing of charts as SVG, PNG and PDF, at any size and resolution.

use std::path::Path;

use flate2::Crc;
use kuva::render::render::Primitive;
use kuva::{PngBackend, backend::svg::SvgBackend};

use crate::error::{Error, Result};
use crate::io::chart::page::wrapped;
use crate::io::chart::{Chart, pdf, printed};
use crate::io::file;

/// Units of a chart in one inch, as in SVG.
const PER_INCH: f64 = 96.0;
/// Millimetres in one inch.
const MILLIMETRES: f64 = 25.4;
/// Largest number of pixels along one side of a PNG.
const MOST_PIXELS: f64 = 20_000.0;

/// File format of a chart. This is the only place that relates formats of charts to suffixes.
///
/// ```
/// use std::path::Path;
/// use sbcell::io::chart::ChartFormat;
/// # fn main() -> sbcell::Result<()> {
/// assert_eq!(ChartFormat::of(Path::new("edges.SVG"))?, ChartFormat::Svg);
/// assert_eq!(ChartFormat::of(Path::new("edges.pdf"))?, ChartFormat::Pdf);
/// assert!(ChartFormat::of(Path::new("edges.eps")).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartFormat {
    /// Scalable vector graphics.
    Svg,
    /// Portable network graphics, with 192 pixels per inch unless [`Chart::with_dpi`] says otherwise.
    Png,
    /// Portable document format, with the standard fonts Helvetica and Symbol. Characters that they lack,
    /// such as those of Chinese, are `?`; [`Chart::missing_in`] names the first one.
    Pdf,
}

impl ChartFormat {
    /// The suffixes in words, for messages.
    pub const SUFFIXES: &'static str = "a file that ends in .svg, .png or .pdf";

    /// The format with the suffix of `path`, in upper or lower case.
    ///
    /// # Errors
    /// [`Error::Parameter`] for another suffix than `.svg`, `.png` or `.pdf`.
    pub fn of(path: &Path) -> Result<Self> {
        let suffix = path.extension().map(|suffix| suffix.to_string_lossy().to_ascii_lowercase());
        match suffix.as_deref() {
            Some("svg") => Ok(Self::Svg),
            Some("png") => Ok(Self::Png),
            Some("pdf") => Ok(Self::Pdf),
            _ => {
                let (name, must) = ("plot", Self::SUFFIXES);
                Err(Error::Parameter { name, must, got: path.display().to_string() })
            }
        }
    }
}

impl Chart {
    /// Width and height in millimetres.
    pub fn size(&self) -> (f64, f64) {
        let millimetres = |units: f64| units * self.scale / PER_INCH * MILLIMETRES;
        (millimetres(self.scene.width), millimetres(self.scene.height))
    }

    /// The same chart, `scale` times as large, with its text.
    #[must_use]
    pub fn scaled(mut self, scale: f64) -> Self {
        self.scale *= scale;
        self
    }

    /// The same chart, whose PNG has this many pixels per inch.
    #[must_use]
    pub fn with_dpi(mut self, dpi: f64) -> Self {
        self.dpi = dpi;
        self
    }

    /// The same chart with another title, on as many lines as the first title has. A chart without a title stays
    /// without one.
    #[must_use]
    pub fn retitled(mut self, title: &str) -> Self {
        let width = self.scene.width - 24.0;
        let is_title = |of: &Primitive| matches!(of, Primitive::Text { bold: true, .. });
        let all = self.scene.elements.iter_mut().skip_while(|of| !is_title(of));
        let mut slots: Vec<&mut Primitive> = all.take_while(|of| is_title(of)).collect();
        let mut rest = title.to_string();
        let last = slots.len().saturating_sub(1);
        for (place, slot) in slots.iter_mut().enumerate() {
            let Primitive::Text { content, x, .. } = slot else { continue };
            let room = (width - *x) / 1.25;
            if place == last {
                *content = printed(&Self::shortened(&rest, room));
            } else {
                let mut lines = wrapped(&rest, room);
                *content = printed(&lines.remove(0));
                rest = lines.join(" ");
            }
        }
        self
    }

    /// The first character of the chart that files of `format` do not show.
    pub fn missing_in(&self, format: ChartFormat) -> Option<char> {
        match format {
            ChartFormat::Pdf => pdf::first_missing(&self.scene),
            ChartFormat::Svg | ChartFormat::Png => None,
        }
    }

    /// Writes the chart in the format with the suffix of `path` ([`ChartFormat::of`]). The file is
    /// replaced as a whole.
    ///
    /// # Errors
    /// [`Error::Parameter`] for another suffix than `.svg`, `.png` or `.pdf`; those of writing the format.
    pub fn write(&self, path: &Path) -> Result<()> {
        match ChartFormat::of(path)? {
            ChartFormat::Svg => self.write_svg(path),
            ChartFormat::Png => self.write_png(path),
            ChartFormat::Pdf => self.write_pdf(path),
        }
    }

    /// The chart as the text of an SVG element, such as for a page of HTML.
    pub fn svg(&self) -> String {
        let text = SvgBackend::new().render_scene(&self.scene);
        let Some((head, rest)) = text.split_once('>') else { return text };
        let (width, height) = (self.scene.width, self.scene.height);
        let family = head.find(" font-family").map_or("", |at| &head[at..]);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {} {}\"{family}>{rest}",
            short(width * self.scale),
            short(height * self.scale),
            short(width),
            short(height)
        )
    }

    /// Writes the chart as SVG.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written.
    pub(crate) fn write_svg(&self, path: &Path) -> Result<()> {
        let text = self.svg();
        file::replace(path, |writer| writer.write_all(text.as_bytes()))
    }

    /// Writes the chart as PNG.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written; [`Error::Numerical`] if the chart cannot be rendered;
    /// [`Error::Parameter`] if it would have more than 20 000 pixels along one side.
    pub(crate) fn write_png(&self, path: &Path) -> Result<()> {
        let factor = self.scale * self.dpi / PER_INCH;
        let most = factor * self.scene.width.max(self.scene.height);
        if most.is_nan() || most > MOST_PIXELS {
            let (name, must) = ("dpi", "small enough for a PNG of at most 20000 pixels on a side");
            return Err(Error::Parameter { name, must, got: format!("{} pixels", most.round()) });
        }
        let bytes = PngBackend::new()
            .with_scale(factor as f32)
            .render_scene(&self.scene)
            .map_err(|why| Error::Numerical { what: "drawing a chart", why })?;
        let bytes = with_resolution(bytes, self.dpi);
        file::replace(path, |writer| writer.write_all(&bytes))
    }

    /// Writes the chart as PDF.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written; [`Error::Numerical`] if the page cannot be compressed.
    pub(crate) fn write_pdf(&self, path: &Path) -> Result<()> {
        let bytes = pdf::bytes(&self.scene, self.scale)
            .map_err(|why| Error::Numerical { what: "drawing a chart", why: why.to_string() })?;
        file::replace(path, |writer| writer.write_all(&bytes))
    }
}

/// A number with at most two digits.
fn short(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// A PNG with its resolution in a chunk `pHYs` after the header, so that programs place it in its size.
fn with_resolution(png: Vec<u8>, dpi: f64) -> Vec<u8> {
    /// Length of the signature and of the chunk `IHDR`.
    const HEAD: usize = 33;
    if png.len() < HEAD || png.get(12..16) != Some(b"IHDR") {
        return png;
    }
    let per_metre = (dpi / MILLIMETRES * 1000.0).round() as u32;
    let mut chunk = b"pHYs".to_vec();
    chunk.extend(per_metre.to_be_bytes());
    chunk.extend(per_metre.to_be_bytes());
    chunk.push(1);
    let mut sum = Crc::new();
    sum.update(&chunk);
    let mut out = png[..HEAD].to_vec();
    out.extend((chunk.len() as u32 - 4).to_be_bytes());
    out.extend(&chunk);
    out.extend(sum.sum().to_be_bytes());
    out.extend(&png[HEAD..]);
    out
}

#[cfg(test)]
mod tests {
    use kuva::render::render::TextAnchor;

    use super::*;

    /// The checksum of PNG, bit by bit.
    fn crc(bytes: &[u8]) -> [u8; 4] {
        let mut sum = u32::MAX;
        for byte in bytes {
            sum ^= u32::from(*byte);
            for _ in 0..8 {
                sum = if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 };
            }
        }
        (!sum).to_be_bytes()
    }

    #[test]
    fn writes_each_format_with_what_was_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let mut chart = Chart::new(100.0, 50.0);
        chart.title((2.0, 20.0), "old");
        chart.words((10.0, 40.0), "a < b", TextAnchor::Start, "#000000");
        let chart = chart.retitled("a & b").scaled(2.0).with_dpi(96.0);
        let read = |name: &str| {
            let path = folder.path().join(name);
            chart.write(&path).unwrap();
            std::fs::read(path).unwrap()
        };
        let text = String::from_utf8(read("c.svg")).unwrap();
        assert!(text.starts_with("<svg") && text.contains("a &lt; b"), "{text}");
        assert!(text.contains("width=\"200\" height=\"100\" viewBox=\"0 0 100 50\" font-family"));
        assert!(text.contains("a &amp; b") && !text.contains(">old<"), "{text}");
        let png = read("c.png");
        assert!(png.starts_with(b"\x89PNG"));
        // 200 × 100 pixels at 3780 per metre.
        assert_eq!(png[16..24], [0, 0, 0, 200, 0, 0, 0, 100]);
        assert_eq!(png[37..41], *b"pHYs");
        assert_eq!(png[41..45], 3780_u32.to_be_bytes());
        // The checksum of libpng for this chunk.
        assert_eq!(png[50..54], crc(&png[37..50]));
        assert!(read("c.PDF").starts_with(b"%PDF"));
        assert!((chart.size().0 - 200.0 / 96.0 * 25.4).abs() < 1e-9);
        assert_eq!(chart.missing_in(ChartFormat::Pdf), None);
        let huge = chart.scaled(1e3).write(&folder.path().join("h.png"));
        assert!(matches!(huge, Err(Error::Parameter { name: "dpi", .. })));
        assert!(!folder.path().join("h.png").exists());
    }
}
