//! Colours that people with colour vision deficiency can distinguish.

use crate::io::chart::{as_hex, palette, ramp};
use crate::io::report::data::Colours;

/// Colour of cells without a group or value.
pub(super) const NONE: &str = "#b4b8bd";

/// The colour at `place`, 0 to 1, of a scale from dark blue to yellow: viridis without its ends, which vanish on dark
/// and on white paper. A place that is no number has the first colour.
pub(super) fn scale(place: f64) -> String {
    let place = if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 };
    ramp(0.18 + 0.74 * place)
}

/// Colours of `n` times, from the first to the last.
pub(crate) fn of_times(n: usize) -> Vec<String> {
    (0..n).map(|i| scale(i as f64 / (n.max(2) - 1) as f64)).collect()
}

impl Colours {
    /// Colours of the groups `names`: those that `known` gives, and for others the colours of
    /// [`palette`] that no known group has, in their order. A colour that is no `#rrggbb` is not used.
    pub(crate) fn of(names: &[String], known: &[(String, String)]) -> Self {
        let known: Vec<(&String, String)> = known
            .iter()
            .filter_map(|(name, colour)| as_hex(colour).map(|colour| (name, colour)))
            .collect();
        let is_free = |colour: &String| known.iter().all(|entry| entry.1 != *colour);
        let free: Vec<String> =
            palette(names.len() + known.len()).into_iter().filter(is_free).collect();
        let mut free = free.iter().cycle();
        let colour = |name: &String| {
            let given = known.iter().find(|entry| entry.0 == name).map(|entry| entry.1.clone());
            given.or_else(|| free.next().cloned()).unwrap_or_else(|| NONE.into())
        };
        let colours: Vec<String> = names.iter().map(colour).collect();
        Self { of_groups: names.iter().cloned().zip(colours).collect() }
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
        // A colour of the file is not given to another group.
        let known = [("b".to_string(), "#0072B2".to_string())];
        let colours = Colours::of(&names, &known);
        assert_eq!([colours.get("a"), colours.get("b")], ["#d55e00", "#0072b2"]);
    }

    #[test]
    fn the_scale_has_its_ends_and_takes_any_number() {
        assert_eq!((scale(0.0).as_str(), scale(1.0).as_str()), ("#423c81", "#c8e02d"));
        assert_eq!(scale(f64::NAN), scale(-3.0));
        assert_eq!(of_times(1).len(), 1);
    }
}
