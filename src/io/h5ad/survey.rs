//! A look at every link of a file before it is edited: whether the groups end, and what is shared.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::io::h5ad::hdf5::Container;
use crate::io::h5ad::links::{Link, links};

/// Groups inside groups that are followed; real files have about six.
const DEEPEST: usize = 64;

/// Links that are followed at most.
const MOST: usize = 10_000_000;

/// What was found of the links of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Survey {
    /// Whether there are links that the HDF5 crate would not write again: soft ones.
    pub(super) soft: bool,
    /// Whether an object has more than one name.
    pub(super) shared: bool,
    /// Whether a group could not be read this way.
    pub(super) unknown: bool,
}

/// A group on the way down.
struct Open {
    address: u64,
    path: String,
    left: std::vec::IntoIter<(String, Link)>,
}

/// Follows all hard links once.
///
/// # Errors
/// [`Error::Unreadable`] if a group holds itself, or groups lie too deep or are too many.
pub(super) fn survey(container: &Container) -> Result<Survey> {
    let mut found = Survey::default();
    let mut seen = BTreeSet::from([container.root]);
    let mut way = vec![opened(container, container.root, String::new(), &mut found)];
    let mut n_links = 0;
    while let Some(group) = way.last_mut() {
        let Some((name, link)) = group.left.next() else {
            way.pop();
            continue;
        };
        let path = if group.path.is_empty() { name } else { format!("{}/{name}", group.path) };
        n_links += 1;
        let Link::Hard(address) = link else {
            found.soft = true;
            continue;
        };
        if way.iter().any(|above| above.address == address) {
            return Err(circle(container, &path, "is a link to a group that holds it"));
        }
        if way.len() > DEEPEST || n_links > MOST {
            return Err(circle(container, &path, "lies in too many groups to be a real file"));
        }
        if seen.insert(address) {
            way.push(opened(container, address, path, &mut found));
        } else {
            found.shared = true;
        }
    }
    Ok(found)
}

fn opened(container: &Container, address: u64, path: String, found: &mut Survey) -> Open {
    let links = links(container, address);
    found.unknown |= links.is_none();
    let left: Vec<(String, Link)> = links.unwrap_or_default().into_iter().collect();
    Open { address, path, left: left.into_iter() }
}

fn circle(container: &Container, node: &str, problem: &str) -> Error {
    Error::Unreadable {
        path: container.path().to_path_buf(),
        problem: format!("`{node}`: {problem}"),
        way_out: Some("remove this link, or write the data with anndata's `write_h5ad`".into()),
    }
}
