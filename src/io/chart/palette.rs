//! Colours: of groups, of numbers, and hex notation, which people with colour vision deficiency can tell apart.

/// Colours of groups: those of Okabe and Ito without the light yellow, then an olive of Tol.
const GROUPS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#332288", "#999933"];

/// The colour of cells without a group, and of cells in the background.
pub(crate) const NO_GROUP: &str = "#c8c8c8";

/// Stops of viridis, from low to high.
const VIRIDIS: [[u8; 3]; 9] = [
    [68, 1, 84],
    [71, 44, 122],
    [59, 81, 139],
    [44, 113, 142],
    [33, 144, 141],
    [39, 173, 129],
    [92, 200, 99],
    [170, 220, 50],
    [253, 231, 37],
];

/// Stops from blue over white to red, for numbers with a sign.
const SIGNED: [[u8; 3]; 5] =
    [[33, 102, 172], [146, 197, 222], [247, 247, 247], [244, 165, 130], [178, 24, 43]];

/// `n` colours for groups, in hex notation (`#rrggbb`).
///
/// The first eight can be told apart with colour vision deficiency. Further ones are darker and lighter
/// versions of these; from 25 on they repeat, so that charts should also name the groups in place.
///
/// ```
/// use sbcell::io::chart::palette;
///
/// assert_eq!(palette(2), ["#0072b2", "#d55e00"]);
/// assert_eq!(palette(40).len(), 40);
/// ```
pub fn palette(n: usize) -> Vec<String> {
    let colour = |i: usize| {
        let base = channels(GROUPS[i % GROUPS.len()]).unwrap_or_default();
        match i / GROUPS.len() % 3 {
            0 => hex(base),
            1 => hex(base.map(|c| mixed(c, 0, 0.45))),
            _ => hex(base.map(|c| mixed(c, 255, 0.5))),
        }
    };
    (0..n).map(colour).collect()
}

/// A colour of viridis: dark for the share 0, light for the share 1. Shares outside are moved to the ends;
/// NaN is [`NO_GROUP`].
pub(crate) fn ramp(share: f64) -> String {
    of_stops(&VIRIDIS, share)
}

/// Blue for the share 0, white for one half, red for 1; otherwise as [`ramp`].
pub(crate) fn signed(share: f64) -> String {
    of_stops(&SIGNED, share)
}

/// A colour between stops at equal distances.
fn of_stops(stops: &[[u8; 3]], share: f64) -> String {
    if share.is_nan() {
        return NO_GROUP.into();
    }
    let at = share.clamp(0.0, 1.0) * (stops.len() - 1) as f64;
    let lower = (at.floor() as usize).min(stops.len() - 2);
    let (low, high) = (stops[lower], stops[lower + 1]);
    hex(std::array::from_fn(|c| mixed(low[c], high[c], at - lower as f64)))
}

/// A colour as `#rrggbb` in small letters: from `#rgb`, `#rrggbb` or `#rrggbbaa`, without the opacity; `None`
/// for another text.
///
/// ```
/// use sbcell::io::chart::as_hex;
///
/// assert_eq!(as_hex("#FF8000ff").as_deref(), Some("#ff8000"));
/// assert_eq!(as_hex("red"), None);
/// ```
pub fn as_hex(text: &str) -> Option<String> {
    channels(text.trim()).map(hex)
}

/// Red, green and blue.
pub(super) fn channels(text: &str) -> Option<[u8; 3]> {
    let digits = text.strip_prefix('#')?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pair = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    match digits.len() {
        3 => {
            let single = |at: usize| u8::from_str_radix(digits.get(at..=at)?, 16).ok();
            Some([single(0)? * 17, single(1)? * 17, single(2)? * 17])
        }
        6 | 8 => Some([pair(0)?, pair(2)?, pair(4)?]),
        _ => None,
    }
}

/// Notation of red, green and blue.
fn hex([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// A mixture of two intensities with this share of the second.
fn mixed(from: u8, to: u8, share: f64) -> u8 {
    (f64::from(from) + share * (f64::from(to) - f64::from(from))).round() as u8
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_first_24_groups_have_colours_of_their_own() {
        let colours: BTreeSet<String> = palette(24).into_iter().collect();
        assert_eq!(colours.len(), 24);
        assert!(palette(0).is_empty());
    }

    #[test]
    fn ramps_end_at_their_stops() {
        assert_eq!((ramp(-1.0), ramp(1.0)), ("#440154".into(), "#fde725".into()));
        assert_eq!(signed(0.5), "#f7f7f7");
        assert_eq!(ramp(f64::NAN), NO_GROUP);
        // Half-way between the first two stops.
        assert_eq!(ramp(1.0 / 16.0), "#461767");
    }

    #[test]
    fn hex_notation_is_checked() {
        assert_eq!(as_hex("#1aF").as_deref(), Some("#11aaff"));
        for text in ["", "#", "#12345", "#12345g", "#é2345", "red", "#\"><a>"] {
            assert_eq!(as_hex(text), None, "{text}");
        }
    }
}
