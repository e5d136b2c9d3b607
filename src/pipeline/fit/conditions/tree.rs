//! The courses of a tree of samples: one for each leaf, along the path from its root.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};

/// The paths from the roots to the leaves of the tree `parents`, each from root to leaf, in the order of the
/// names of the leaves. A name that occurs only as a parent is a root.
///
/// Time `O(s²)` for s samples.
///
/// # Errors
/// [`Error::Parameter`] if a sample is its own ancestor.
pub(super) fn paths(parents: &BTreeMap<String, Option<String>>) -> Result<Vec<Vec<String>>> {
    let mut all: BTreeSet<&String> = parents.keys().collect();
    all.extend(parents.values().flatten());
    let with_children: BTreeSet<&String> = parents.values().flatten().collect();
    let up = |sample: &String| -> Result<Vec<String>> {
        let mut path = vec![sample.clone()];
        let mut last = sample;
        while let Some(Some(parent)) = parents.get(last) {
            if path.contains(parent) {
                path.push(parent.clone());
                let (name, must) = ("parents", "a tree, in which no sample descends from itself");
                return Err(Error::Parameter { name, must, got: path.join(" ← ") });
            }
            path.push(parent.clone());
            last = parent;
        }
        path.reverse();
        Ok(path)
    };
    // Every sample is followed, since a cycle has no leaf.
    let every: Vec<(bool, Vec<String>)> = all
        .into_iter()
        .map(|sample| Ok((!with_children.contains(sample), up(sample)?)))
        .collect::<Result<_>>()?;
    Ok(every.into_iter().filter(|(leaf, _)| *leaf).map(|(_, path)| path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Vec<String>> {
        let parent = |name: &str| Some(name.to_string()).filter(|name| !name.is_empty());
        let table = pairs.iter().map(|(child, of)| ((*child).to_string(), parent(of))).collect();
        Ok(paths(&table)?.into_iter().map(|path| path.join(">")).collect())
    }

    #[test]
    fn each_leaf_is_a_course_and_several_roots_are_several_trees() {
        let tree = [("root", ""), ("A", "root"), ("B", "root"), ("A1", "A"), ("A2", "A")];
        assert_eq!(of(&tree).unwrap(), ["root>A>A1", "root>A>A2", "root>B"]);
        // The root need not have a line of its own.
        assert_eq!(of(&tree[1..]).unwrap(), ["root>A>A1", "root>A>A2", "root>B"]);
        let forest = [("A", "a"), ("B", "b"), ("c", "")];
        assert_eq!(of(&forest).unwrap(), ["a>A", "b>B", "c"]);
    }

    #[test]
    fn cycles_are_named() {
        let error = of(&[("a", "b"), ("b", "c"), ("c", "a"), ("x", "y")]).unwrap_err().to_string();
        assert!(error.contains("a ← b ← c ← a"), "{error}");
        assert!(of(&[("a", "a")]).is_err());
    }
}
