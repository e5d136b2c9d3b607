//! The three standard fonts of PDF that charts use: which code a character has in them, and its width.

/// A font that every reader of PDF has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Font {
    /// Helvetica in the encoding WinAnsi.
    Plain,
    /// Helvetica bold, in the same encoding.
    Bold,
    /// Greek letters, arrows and signs.
    Symbol,
}

impl Font {
    /// All fonts.
    pub(super) const ALL: [Self; 3] = [Self::Plain, Self::Bold, Self::Symbol];

    /// The name of the font in PDF.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "Helvetica",
            Self::Bold => "Helvetica-Bold",
            Self::Symbol => "Symbol",
        }
    }

    /// The name of the font in the resources of a page.
    pub(super) fn resource(self) -> &'static str {
        match self {
            Self::Plain => "F0",
            Self::Bold => "F1",
            Self::Symbol => "F2",
        }
    }
}

/// Characters of one font, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// Their font.
    pub(super) font: Font,
    /// Their codes.
    pub(super) codes: Vec<u8>,
    /// Their width, in thousandths of the size of the font.
    pub(super) width: u32,
}

/// `text` as runs of one font each. A character that no font has is `?`.
pub(super) fn runs(text: &str, bold: bool) -> Vec<Run> {
    let plain = if bold { Font::Bold } else { Font::Plain };
    let mut runs: Vec<Run> = Vec::new();
    for character in text.chars() {
        let (font, code, width) = glyph(character, plain).unwrap_or((plain, b'?', QUESTION));
        match runs.last_mut().filter(|run| run.font == font) {
            Some(run) => {
                run.codes.push(code);
                run.width += u32::from(width);
            }
            None => runs.push(Run { font, codes: vec![code], width: width.into() }),
        }
    }
    runs
}

/// Whether a font has this character.
pub(super) fn has(character: char) -> bool {
    glyph(character, Font::Plain).is_some()
}

/// Font, code and width of a character; `plain` is the font of ordinary characters.
fn glyph(character: char, plain: Font) -> Option<(Font, u8, u16)> {
    if let Some(code) = win_ansi(character) {
        let widths = if plain == Font::Bold { &BOLD } else { &PLAIN };
        return Some((plain, code, *widths.get(usize::from(code).checked_sub(32)?)?));
    }
    let place = SYMBOLS.binary_search_by_key(&character, |symbol| symbol.0).ok()?;
    let (_, code, width) = SYMBOLS[place];
    Some((Font::Symbol, code, width))
}

/// The code of a character in WinAnsi (Windows-1252).
fn win_ansi(character: char) -> Option<u8> {
    match u32::from(character) {
        code @ (0x20..=0x7e | 0xa0..=0xff) => u8::try_from(code).ok(),
        _ => HIGH.iter().find(|high| high.0 == character).map(|high| high.1),
    }
}

/// Width of a question mark.
const QUESTION: u16 = 556;

/// Characters of WinAnsi that Unicode has elsewhere.
const HIGH: [(char, u8); 27] = [
    ('€', 128),
    ('‚', 130),
    ('ƒ', 131),
    ('„', 132),
    ('…', 133),
    ('†', 134),
    ('‡', 135),
    ('ˆ', 136),
    ('‰', 137),
    ('Š', 138),
    ('‹', 139),
    ('Œ', 140),
    ('Ž', 142),
    ('‘', 145),
    ('’', 146),
    ('“', 147),
    ('”', 148),
    ('•', 149),
    ('–', 150),
    ('—', 151),
    ('˜', 152),
    ('™', 153),
    ('š', 154),
    ('›', 155),
    ('œ', 156),
    ('ž', 158),
    ('Ÿ', 159),
];

/// Characters that only the font Symbol has, with their codes and widths, in the order of Unicode.
const SYMBOLS: [(char, u8, u16); 54] = [
    ('Γ', 71, 603),
    ('Δ', 68, 612),
    ('Θ', 81, 741),
    ('Λ', 76, 686),
    ('Ξ', 88, 645),
    ('Π', 80, 768),
    ('Σ', 83, 592),
    ('Φ', 70, 763),
    ('Ψ', 89, 795),
    ('Ω', 87, 768),
    ('α', 97, 631),
    ('β', 98, 549),
    ('γ', 103, 411),
    ('δ', 100, 494),
    ('ε', 101, 439),
    ('ζ', 122, 494),
    ('η', 104, 603),
    ('θ', 113, 521),
    ('ι', 105, 329),
    ('κ', 107, 549),
    ('λ', 108, 549),
    ('μ', 109, 576),
    ('ν', 110, 521),
    ('ξ', 120, 493),
    ('ο', 111, 549),
    ('π', 112, 549),
    ('ρ', 114, 549),
    ('ς', 86, 439),
    ('σ', 115, 603),
    ('τ', 116, 439),
    ('υ', 117, 576),
    ('φ', 102, 521),
    ('χ', 99, 549),
    ('ψ', 121, 686),
    ('ω', 119, 686),
    ('′', 162, 247),
    ('″', 178, 411),
    ('←', 172, 987),
    ('↑', 173, 603),
    ('→', 174, 987),
    ('↓', 175, 603),
    ('↔', 171, 1042),
    ('∂', 182, 494),
    ('∇', 209, 713),
    ('∈', 206, 713),
    ('−', 45, 549),
    ('√', 214, 549),
    ('∝', 181, 713),
    ('∞', 165, 713),
    ('∫', 242, 274),
    ('≈', 187, 549),
    ('≠', 185, 549),
    ('≤', 163, 549),
    ('≥', 179, 549),
];

/// Widths in Helvetica of the codes from 32 on; 0 for codes without a character.
const PLAIN: [u16; 224] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
    0, 556, 0, 222, 556, 333, 1000, 556, 556, 333, 1000, 667, 333, 1000, 0, 611, 0, 0, 222, 222,
    333, 333, 350, 556, 1000, 333, 1000, 500, 333, 944, 0, 500, 667, 278, 333, 556, 556, 556, 556,
    260, 556, 333, 737, 370, 556, 584, 333, 737, 333, 400, 584, 333, 333, 333, 556, 537, 278, 333,
    333, 365, 556, 834, 834, 834, 611, 667, 667, 667, 667, 667, 667, 1000, 722, 667, 667, 667, 667,
    278, 278, 278, 278, 722, 722, 778, 778, 778, 778, 778, 584, 778, 722, 722, 722, 722, 667, 667,
    611, 556, 556, 556, 556, 556, 556, 889, 500, 556, 556, 556, 556, 278, 278, 278, 278, 556, 556,
    556, 556, 556, 556, 556, 584, 611, 556, 556, 556, 556, 500, 556, 500,
];

/// Widths in Helvetica bold.
const BOLD: [u16; 224] = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667,
    611, 778, 722, 278, 556, 722, 611, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 333, 278, 333, 584, 556, 333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556,
    278, 889, 611, 611, 611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584,
    0, 556, 0, 278, 556, 500, 1000, 556, 556, 333, 1000, 667, 333, 1000, 0, 611, 0, 0, 278, 278,
    500, 500, 350, 556, 1000, 333, 1000, 556, 333, 944, 0, 500, 667, 278, 333, 556, 556, 556, 556,
    280, 556, 333, 737, 370, 556, 584, 333, 737, 333, 400, 584, 333, 333, 333, 611, 556, 278, 333,
    333, 365, 556, 834, 834, 834, 611, 722, 722, 722, 722, 722, 722, 1000, 722, 667, 667, 667, 667,
    278, 278, 278, 278, 722, 722, 778, 778, 778, 778, 778, 584, 778, 722, 722, 722, 722, 667, 667,
    611, 556, 556, 556, 556, 556, 556, 889, 556, 556, 556, 556, 556, 278, 278, 278, 278, 611, 611,
    611, 611, 611, 611, 611, 584, 611, 611, 611, 611, 611, 556, 611, 556,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_in_their_fonts_and_others_are_question_marks() {
        assert!(SYMBOLS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let found = runs("ε = 0.1 → é…", false);
        let fonts: Vec<Font> = found.iter().map(|run| run.font).collect();
        assert_eq!(fonts, [Font::Symbol, Font::Plain, Font::Symbol, Font::Plain]);
        assert_eq!(found[3].codes, [b' ', 0xe9, 0x85]);
        assert_eq!(runs("細胞\u{1f9ec}", true)[0].codes, b"???");
        assert!(has('σ') && has('ß') && !has('細') && !has('\u{7f}') && !has('\u{81}'));
    }

    #[test]
    fn widths_are_those_of_the_metrics_of_adobe() {
        assert_eq!(runs("AW i", false)[0].width, 667 + 944 + 278 + 222);
        assert_eq!(runs("AW i", true)[0].width, 722 + 944 + 278 + 278);
        assert_eq!(runs("Δ→", false)[0].width, 612 + 987);
    }
}
