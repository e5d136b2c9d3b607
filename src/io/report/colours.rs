//! Colours that people with colour vision deficiency can distinguish.

use crate::io::report::data::Colours;

/// Colours of groups: those of Okabe and Ito, then muted ones of Tol (yellow and black left out: they
/// vanish on white and on dark paper).
const GROUPS: [&str; 14] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#882255", "#117733",
    "#88ccee", "#aa4499", "#999933", "#332288", "#cc6677", "#44aa99",
];

/// Colour of cells without a group or value.
pub(super) const NONE: &str = "#b4b8bd";

/// Viridis in nine steps, without its darkest and lightest ends.
const SCALE: [[f64; 3]; 9] = [
    [86.0, 50.0, 140.0],
    [72.0, 80.0, 155.0],
    [51.0, 99.0, 141.0],
    [39.0, 130.0, 142.0],
    [31.0, 158.0, 137.0],
    [63.0, 182.0, 116.0],
    [115.0, 203.0, 84.0],
    [176.0, 211.0, 50.0],
    [232.0, 214.0, 37.0],
];

/// The colour at `place`, 0 to 1, of a scale from dark blue to yellow.
pub(super) fn scale(place: f64) -> String {
    let place =
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 } * (SCALE.len() - 1) as f64;
    let below = (place.floor() as usize).min(SCALE.len() - 2);
    let part = place - below as f64;
    let mixed =
        |k: usize| (SCALE[below][k] * (1.0 - part) + SCALE[below + 1][k] * part).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mixed(0), mixed(1), mixed(2))
}

/// Colours of `n` times, from the first to the last.
pub(crate) fn of_times(n: usize) -> Vec<String> {
    (0..n).map(|i| scale(i as f64 / (n.max(2) - 1) as f64)).collect()
}

/// Whether `text` is a colour such as `#0072b2`. Other notations are not taken from files.
pub(crate) fn is_colour(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or_default();
    [6, 8].contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_hexdigit())
}

impl Colours {
    /// Colours of the groups `names`: those that `known` gives, and others in a fixed order. A colour that
    /// is no `#rrggbb` is not used.
    pub(crate) fn of(names: &[String], known: &[(String, String)]) -> Self {
        let given = |name: &String| {
            let found = known.iter().find(|entry| entry.0 == *name && is_colour(&entry.1))?;
            found.1.get(..7).map(str::to_string)
        };
        let mut free = GROUPS.iter().cycle();
        let of_groups = names
            .iter()
            .map(|name| {
                let colour = given(name).or_else(|| free.next().map(ToString::to_string));
                (name.clone(), colour.unwrap_or_else(|| NONE.into()))
            })
            .collect();
        Self { of_groups }
    }

    /// The colour of the group `name`; grey for a name that is no group.
    pub(super) fn get(&self, name: &str) -> &str {
        self.of_groups.iter().find(|entry| entry.0 == name).map_or(NONE, |entry| &entry.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_of_files_are_used_only_if_they_are_colours() {
        let names = ["a", "b", "c"].map(String::from);
        let known = [("a", "#123456ff"), ("b", "red;}</style>")];
        let known = known.map(|(name, colour)| (name.to_string(), colour.to_string()));
        let colours = Colours::of(&names, &known);
        assert_eq!((colours.get("a"), colours.get("b")), ("#123456", "#0072b2"));
        assert_eq!((colours.get("c"), colours.get("else")), ("#d55e00", NONE));
    }

    #[test]
    fn the_scale_has_its_ends_and_takes_any_number() {
        assert_eq!((scale(0.0).as_str(), scale(1.0).as_str()), ("#56328c", "#e8d625"));
        assert_eq!(scale(f64::NAN), scale(-3.0));
        assert_eq!(of_times(1).len(), 1);
    }
}
