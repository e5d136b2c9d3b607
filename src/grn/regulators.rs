//! The lists of human and mouse transcription factors that sbcell contains.

use crate::preprocess::Species;

const HUMAN: &str = include_str!("tf_lists/human.txt");
const MOUSE: &str = include_str!("tf_lists/mouse.txt");

/// Gene symbols of the transcription factors of `species`: 1 892 for human, 1 860 for mouse.
///
/// Source: the lists of pySCENIC (Aibar 2017), as in github.com/theislab/moscot (BSD-3-Clause).
///
/// ```
/// use sbcell::{grn::transcription_factors, preprocess::Species};
/// assert!(transcription_factors(Species::Mouse).iter().any(|name| name == "Sox2"));
/// ```
pub fn transcription_factors(species: Species) -> Vec<String> {
    let text = match species {
        Species::Human => HUMAN,
        Species::Mouse => MOUSE,
    };
    text.lines().map(str::trim).filter(|name| !name.is_empty()).map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_whole() {
        for (species, n_names, one) in
            [(Species::Human, 1892, "POU5F1"), (Species::Mouse, 1860, "Pou5f1")]
        {
            let names = transcription_factors(species);
            assert_eq!(names.len(), n_names);
            assert!(names.iter().any(|name| name == one));
            let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
            assert_eq!(distinct.len(), names.len());
        }
    }
}
