//! Groups: their attributes, the names in them, and the objects these names lead to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use hdf5_pure::FormatError;

use crate::dataset::Dataset;
use crate::element::{Attribute, attributes, text};
use crate::error::{Error, Result};
use crate::file::File;
use crate::links;

/// Soft links that lead to soft links are followed this far.
const DEEPEST: usize = 8;

/// Groups that a path may lead through.
const LONGEST: usize = 64;

/// A group or a dataset.
#[derive(Debug)]
pub enum Node {
    /// A group.
    Group(Group),
    /// A dataset.
    Dataset(Dataset),
}

/// A group, with its attributes.
///
/// ```
/// use sbcell_hdf5::{File, NewAttribute, NewFile};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut file = NewFile::new();
/// file.root().group("obs", |obs| obs.attribute("_index", NewAttribute::Text("cell".into())));
/// let mut bytes = Vec::new();
/// file.finish(&mut bytes)?;
/// let root = File::from_bytes(bytes)?.root()?;
/// let obs = root.group("obs")?.unwrap();
/// assert_eq!(obs.text_attribute("_index"), Some("cell"));
/// assert!(root.group("var")?.is_none());
/// # Ok(())
/// # }
/// ```
pub struct Group {
    file: Arc<File>,
    inner: hdf5_pure::Group,
    path: String,
    attributes: BTreeMap<String, Attribute>,
}

impl fmt::Debug for Group {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Group").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Group {
    pub(crate) fn new(
        file: Arc<File>,
        inner: hdf5_pure::Group,
        path: String,
        attributes: BTreeMap<String, Attribute>,
    ) -> Self {
        Self { file, inner, path, attributes }
    }

    /// Path from the root, without leading slash; empty for the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The file that holds the group.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The attribute `name`.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.get(name)
    }

    /// The text attribute `name`. A list of one text counts as a text.
    pub fn text_attribute(&self, name: &str) -> Option<&str> {
        text(self.attributes.get(name))
    }

    /// An [`Error`] about this group.
    pub fn error(&self, problem: impl fmt::Display) -> Error {
        self.file.error(&self.path, problem)
    }

    /// Names of the groups and datasets inside, sorted, soft links among them.
    ///
    /// # Errors
    /// [`crate::Problem::Object`] if the links are corrupt.
    pub fn children(&self) -> Result<Vec<String>> {
        let listed = self.file.guard(&self.path, || {
            let mut names = self.inner.groups()?;
            names.extend(self.inner.datasets()?);
            Ok(names)
        });
        let mut names = match listed {
            Ok(names) => names,
            // hdf5-pure fails for groups of the old format that hold a soft link.
            Err(error) => links::names(self).ok_or(error)?,
        };
        names.extend(links::soft_links(self).into_keys());
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The group or dataset `name` inside, if there is one. Soft links are followed; `name` may be a path.
    ///
    /// # Errors
    /// [`crate::Problem::Object`] if it is corrupt, or soft links lead in a circle.
    pub fn child(&self, name: &str) -> Result<Option<Node>> {
        self.child_at(name, 0)
    }

    /// The group `name` inside, if there is one.
    ///
    /// # Errors
    /// As [`Group::child`].
    pub fn group(&self, name: &str) -> Result<Option<Group>> {
        Ok(match self.child(name)? {
            Some(Node::Group(group)) => Some(group),
            _ => None,
        })
    }

    /// The dataset `name` inside, which must be there.
    ///
    /// # Errors
    /// [`crate::Problem::Object`] if it is missing, a group, or corrupt.
    pub fn dataset(&self, name: &str) -> Result<Dataset> {
        match self.child(name)? {
            Some(Node::Dataset(dataset)) => Ok(dataset),
            Some(Node::Group(_)) => {
                Err(self.file.error(&self.join(name), "is a group, not a dataset"))
            }
            None => Err(self.file.error(&self.join(name), "is missing")),
        }
    }

    /// [`Group::child`] after `depth` soft links.
    fn child_at(&self, name: &str, depth: usize) -> Result<Option<Node>> {
        if name.split('/').count() > LONGEST {
            return Err(self.error("a link leads through too many groups"));
        }
        let path = self.join(name);
        let found = self.file.guard(&path, || match self.inner.dataset(name) {
            Ok(dataset) => Ok(Some(Ok(dataset))),
            Err(hdf5_pure::Error::NotADataset(_)) => {
                self.inner.group(name).map(|group| Some(Err(group)))
            }
            Err(hdf5_pure::Error::Format(FormatError::PathNotFound(_))) => Ok(None),
            Err(error) => Err(error),
        });
        match found {
            Ok(Some(Ok(dataset))) => {
                Dataset::new(&self.file, dataset, path).map(Node::Dataset).map(Some)
            }
            Ok(Some(Err(group))) => {
                let attributes = self.file.guard(&path, || group.attrs().map(attributes))?;
                Ok(Some(Node::Group(Self::new(Arc::clone(&self.file), group, path, attributes))))
            }
            // The object is missing, or behind a soft link, at which hdf5-pure fails in groups of the old format.
            absent => match (links::soft_links(self).remove(name), absent) {
                (Some(_), _) if depth >= DEEPEST => {
                    Err(self.file.error(&path, "is a soft link that leads in a circle"))
                }
                (Some(target), _) if target.starts_with('/') => {
                    self.file.root()?.child_at(target.trim_matches('/'), depth + 1)
                }
                (Some(target), _) => self.child_at(&target, depth + 1),
                (None, absent) => match (name.split_once('/'), absent) {
                    // The soft link may be a part of the path.
                    (Some((first, rest)), _) => match self.child_at(first, depth)? {
                        Some(Node::Group(group)) => group.child_at(rest, depth),
                        _ => Ok(None),
                    },
                    (None, Err(error)) => Err(error),
                    (None, Ok(_)) => Ok(None),
                },
            },
        }
    }

    fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_string() } else { format!("{}/{name}", self.path) }
    }
}
