//! Paths in the language of SVG, as far as charts use it: `M`, `L`, `Q`, `C` and `Z` with absolute places.

use pdf_writer::Content;

/// Adds the path `d` to `content`. Text that is not such a path ends it.
pub(super) fn add(content: &mut Content, d: &str) {
    let mut here = (0.0, 0.0);
    for (command, numbers) in commands(d) {
        let at = |place: usize| (numbers[2 * place], numbers[2 * place + 1]);
        match (command, numbers.len()) {
            ('M' | 'L', n) if n >= 2 => {
                for place in 0..n / 2 {
                    here = at(place);
                    let is_start = command == 'M' && place == 0;
                    if is_start {
                        content.move_to(here.0, here.1);
                    } else {
                        content.line_to(here.0, here.1);
                    }
                }
            }
            ('Q', 4) => {
                let (bend, end) = (at(0), at(1));
                // A quadratic curve as a cubic one.
                let towards = |from: (f32, f32)| {
                    (from.0 + 2.0 / 3.0 * (bend.0 - from.0), from.1 + 2.0 / 3.0 * (bend.1 - from.1))
                };
                let (one, two) = (towards(here), towards(end));
                content.cubic_to(one.0, one.1, two.0, two.1, end.0, end.1);
                here = end;
            }
            ('C', 6) => {
                let (one, two, end) = (at(0), at(1), at(2));
                content.cubic_to(one.0, one.1, two.0, two.1, end.0, end.1);
                here = end;
            }
            ('Z', 0) => {
                content.close_path();
            }
            _ => return,
        }
    }
}

/// The commands of a path with their numbers.
fn commands(d: &str) -> Vec<(char, Vec<f32>)> {
    let mut found: Vec<(char, Vec<f32>)> = Vec::new();
    let mut rest = d;
    while let Some(command) = rest.trim_start().chars().next() {
        let after = rest.trim_start().get(command.len_utf8()..).unwrap_or_default();
        let end = after.find(|c: char| "MLQCZ".contains(c)).unwrap_or(after.len());
        let (own, others) = after.split_at(end);
        let numbers = own.split([' ', ',']).filter(|text| !text.is_empty());
        found.push((command, numbers.map_while(|text| text.parse().ok()).collect()));
        rest = others;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(d: &str) -> String {
        let mut content = Content::new();
        add(&mut content, d);
        String::from_utf8(content.finish().to_vec()).unwrap()
    }

    #[test]
    fn lines_and_curves_have_their_operators() {
        assert_eq!(written("M1 2L3.5 4Z").trim(), "1 2 m\n3.5 4 l\nh");
        assert_eq!(written("M 0,0 C1 2 3 4 5 6").trim(), "0 0 m\n1 2 3 4 5 6 c");
        assert_eq!(written("M0 0Q3 3 6 0").trim(), "0 0 m\n2 2 4 2 6 0 c");
        assert_eq!(written("M0 0L1 1 2 2").trim(), "0 0 m\n1 1 l\n2 2 l");
    }

    #[test]
    fn other_text_ends_the_path() {
        for d in ["", "é", "M", "L1", "M0 0 A1 2", "Q1 2", "ZZZ1", "Mx y"] {
            let _ = written(d);
        }
        assert_eq!(written("M0 0Q1 2").trim(), "0 0 m");
    }
}
