//! Follows every link of a file once: whether groups contain themselves, and which kinds of links there are.

use std::collections::BTreeSet;

use crate::error::{Error, Problem, Result};
use crate::file::File;
use crate::links::{Link, links};

/// Groups inside groups that are followed; real files have about six.
const DEEPEST: usize = 64;

/// Links that are followed at most.
const MOST: usize = 10_000_000;

/// The kinds of links that a file has, besides one hard link to each object. Soft links are lost, and objects
/// with several names are copied, when a file is written anew ([`crate::rewrite`]).
///
/// ```
/// use sbcell_hdf5::{File, NewFile, survey};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut file = NewFile::new();
/// file.root().group("a", |a| a.group("b", |_| {}));
/// let mut bytes = Vec::new();
/// file.finish(&mut bytes)?;
/// assert!(survey(&*File::from_bytes(bytes)?)?.is_tree());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Survey {
    /// Whether there are soft links.
    pub soft: bool,
    /// Whether an object has more than one name.
    pub shared: bool,
    /// Whether the links of a group could not be read.
    pub unknown: bool,
}

impl Survey {
    /// Whether every object has exactly one name, and all groups could be read.
    pub fn is_tree(&self) -> bool {
        *self == Self::default()
    }
}

/// A group on the way down.
struct Open {
    address: u64,
    path: String,
    left: std::vec::IntoIter<(String, Link)>,
}

/// Follows all hard links of a file once.
///
/// Time: each group is read once; memory: one address for each object.
///
/// # Errors
/// [`Problem::Circle`] if a group holds itself, or there are too many levels of groups or too many links.
pub fn survey(file: &File) -> Result<Survey> {
    let mut found = Survey::default();
    let mut seen = BTreeSet::from([file.root]);
    let mut way = vec![opened(file, file.root, String::new(), &mut found)];
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
            return Err(circle(file, &path, "is a link to a group that holds it"));
        }
        if way.len() > DEEPEST || n_links > MOST {
            return Err(circle(file, &path, "lies in too many groups to be a real file"));
        }
        if seen.insert(address) {
            way.push(opened(file, address, path, &mut found));
        } else {
            found.shared = true;
        }
    }
    Ok(found)
}

/// A group with its links still to follow; notes in `found` if they cannot be read.
fn opened(file: &File, address: u64, path: String, found: &mut Survey) -> Open {
    let links = links(file, address);
    found.unknown |= links.is_none();
    let left: Vec<(String, Link)> = links.unwrap_or_default().into_iter().collect();
    Open { address, path, left: left.into_iter() }
}

fn circle(file: &File, path: &str, problem: &'static str) -> Error {
    Error::new(file.path(), Problem::Circle { path: path.to_string(), problem })
}
