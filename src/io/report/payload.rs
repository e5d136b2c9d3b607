//! Numbers for the script of the page, packed so that 50 000 cells fit.
//!
//! A cell takes four characters of base64 for its place, and two thirds of a character for each colouring of at most
//! 15 values. `page.js` unpacks them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::io::report::axis::Axis;
use crate::io::report::data::{Colouring, Values};

/// Largest number of 12 bits: places of points are from 0 to 4095.
const MOST: f64 = 4095.0;

/// The data of the page by the name of the figure.
#[derive(Default)]
pub(super) struct Payload {
    entries: Vec<(&'static str, Value)>,
}

impl Payload {
    /// Adds the data of a figure.
    pub(super) fn add(&mut self, name: &'static str, value: Value) {
        self.entries.push((name, value));
    }

    /// All data as the text of a JSON object, with the names of the figures as keys.
    pub(super) fn json(&self) -> String {
        let all: serde_json::Map<String, Value> =
            self.entries.iter().map(|(name, value)| ((*name).to_string(), value.clone())).collect();
        Value::Object(all).to_string()
    }
}

/// Both axes over `points`, from 0 to 4095 with a margin of 4 % on each side. Each axis has its own scale, so that
/// the points fill a square.
pub(super) fn square<'a>(points: impl Iterator<Item = &'a [f64; 2]> + Clone) -> [Axis; 2] {
    let over = |k: usize| Axis::over(points.clone().map(move |point| point[k]), 0.04, [0.0, MOST]);
    [over(0), over(1)]
}

/// Points as pairs of 12 bits in base64: three bytes for each.
pub(super) fn packed(points: &[[f64; 2]], axes: &[Axis; 2]) -> String {
    let mut bytes = Vec::with_capacity(3 * points.len());
    for point in points {
        let [x, y] = [0, 1].map(|k| axes[k].at(point[k]).round().clamp(0.0, MOST) as u32);
        bytes.extend([(x >> 4) as u8, ((x & 15) << 4 | y >> 8) as u8, (y & 255) as u8]);
    }
    base64(&bytes)
}

/// A colouring: with at most 15 categories, or a number in 15 steps, half a byte for each cell, otherwise a
/// byte. The largest code is that of cells without a value.
pub(super) fn colouring(of: &Colouring) -> Value {
    let (codes, bits): (Vec<u8>, u32) = match &of.values {
        Values::Categories { names, codes, .. } => {
            let bits = if names.len() <= 15 { 4 } else { 8 };
            let none = (1usize << bits) - 1;
            let code = |code: &Option<usize>| code.map_or(none, |code| code.min(none - 1)) as u8;
            (codes.iter().map(code).collect(), bits)
        }
        Values::Numbers { values, from, to } => {
            let step = |value: &f64| {
                let part = ((value - from) / (to - from)).clamp(0.0, 1.0);
                if part.is_finite() { (part * 14.0).round() as u8 } else { 15 }
            };
            (values.iter().map(step).collect(), 4)
        }
    };
    let bytes = if bits == 4 {
        codes.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(15)).collect()
    } else {
        codes
    };
    let data = base64(&bytes);
    let (name, legend) = (&of.name, &of.legend);
    match &of.values {
        Values::Categories { names, colours, .. } => json!({
            "name": name, "legend": legend, "bits": bits, "names": names, "colours": colours, "data": data,
        }),
        Values::Numbers { from, to, .. } => {
            let ends = [*from, *to].map(crate::io::report::escape::number);
            json!({ "name": name, "legend": legend, "bits": bits, "ends": ends, "data": data })
        }
    }
}

/// `bytes` in base64.
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (text, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(text.as_bytes()), coded);
        }
    }

    #[test]
    fn points_are_pairs_of_twelve_bits() {
        let axes = [Axis { values: [0.0, 4095.0], places: [0.0, MOST] }; 2];
        // 0xabc and 0x123 side by side.
        assert_eq!(packed(&[[2748.0, 291.0]], &axes), base64(&[0xab, 0xc1, 0x23]));
        assert_eq!(packed(&[[-5.0, 1e9]], &axes), base64(&[0x00, 0x0f, 0xff]));
    }

    #[test]
    fn few_categories_and_numbers_take_half_a_byte() {
        let of = |values| {
            colouring(&Colouring { name: "n".into(), legend: "l".into(), values })["data"].clone()
        };
        let codes = vec![Some(1), None, Some(2)];
        let few = Values::Categories {
            names: vec!["a".into(); 3],
            colours: vec!["#000000".into(); 3],
            codes: codes.clone(),
        };
        assert_eq!(of(few), base64(&[0x1f, 0x2f]));
        let many = Values::Categories {
            names: vec!["a".into(); 16],
            colours: vec!["#000000".into(); 16],
            codes,
        };
        assert_eq!(of(many), base64(&[1, 255, 2]));
        let numbers = Values::Numbers { values: vec![0.0, 1.0, f64::NAN], from: 0.0, to: 1.0 };
        assert_eq!(of(numbers), base64(&[0x0e, 0xff]));
    }
}
