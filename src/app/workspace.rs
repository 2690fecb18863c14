//! The meshes that are shown together, each as its newest snapshot. Nothing is joined between them: a node of one mesh is
//! none of another, whatever it is called.

use std::sync::Arc;

use unicode_width::UnicodeWidthStr;

use crate::mesh::derive::Snapshot;
use crate::model::text::Text;

/// A row of a list: of which mesh, and which one there. It stays while the thing does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row(usize);

/// Rows of a mesh are numbered below this.
const ROWS: usize = 1 << 48;

impl Row {
    /// A row of a mesh.
    #[must_use]
    pub fn new(mesh: usize, place: usize) -> Self {
        Self(mesh * ROWS + place)
    }
    /// The mesh it is of, by its place among those that are shown.
    #[must_use]
    pub fn mesh(self) -> usize {
        self.0 / ROWS
    }
    /// Its place in that mesh.
    #[must_use]
    pub fn place(self) -> usize {
        self.0 % ROWS
    }
}

/// What names a thing on screen: the mesh it is of, and what names it there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub mesh: usize,
    pub key: String,
}

impl Key {
    /// A thing of a mesh.
    #[must_use]
    pub fn new(mesh: usize, key: impl Into<String>) -> Self {
        Self { mesh, key: key.into() }
    }
}

/// What is shown. Cheap to copy.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    meshes: Vec<Member>,
}

/// One of the meshes.
#[derive(Debug, Clone)]
struct Member {
    name: Text,
    /// As it is shown: of one repository where one is chosen. Nothing where it was not heard of yet.
    snapshot: Option<Arc<Snapshot>>,
    /// All of it.
    whole: Option<Arc<Snapshot>>,
}

impl Workspace {
    /// Meshes by their names, of which nothing was heard yet.
    #[must_use]
    pub fn of(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let member = |name: &str| Member { name: Text::new(name), snapshot: None, whole: None };
        Self { meshes: names.into_iter().map(|name| member(name.as_ref())).collect() }
    }

    /// Takes the newest snapshot of a mesh, to be shown of one repository or of all.
    pub fn set(&mut self, mesh: usize, snapshot: Arc<Snapshot>, repository: Option<&str>) {
        let Some(member) = self.meshes.get_mut(mesh) else { return };
        let before = member.whole.as_deref().zip(member.snapshot.as_deref());
        let shown = repository.map(|repository| Arc::new(snapshot.only(repository, before)));
        (member.snapshot, member.whole) = (Some(shown.unwrap_or_else(|| snapshot.clone())), Some(snapshot));
    }

    /// Shows another repository, or all.
    pub fn show_repository(&mut self, repository: Option<&str>) {
        for mesh in 0..self.meshes.len() {
            if let Some(whole) = self.whole(mesh).cloned() {
                self.set(mesh, whole, repository);
            }
        }
    }

    /// All of a mesh, whatever repository is shown: what plans are made from.
    #[must_use]
    pub fn whole(&self, mesh: usize) -> Option<&Arc<Snapshot>> {
        self.meshes.get(mesh)?.whole.as_ref()
    }

    /// How many meshes there are, answered or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.meshes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.meshes.is_empty()
    }

    /// Whether things must be distinguished by their mesh.
    #[must_use]
    pub fn is_several(&self) -> bool {
        self.meshes.len() > 1
    }

    /// Whether anything was heard of any.
    #[must_use]
    pub fn has_answer(&self) -> bool {
        self.snapshots().next().is_some()
    }

    /// What a mesh is called.
    #[must_use]
    pub fn name(&self, mesh: usize) -> &str {
        self.meshes.get(mesh).map_or("", |member| member.name.as_str())
    }

    /// Columns that the longest of their names takes.
    #[must_use]
    pub fn name_width(&self) -> usize {
        self.meshes.iter().map(|member| member.name.as_str().width()).max().unwrap_or(0)
    }

    /// What a mesh is called before something, where there are several: `prod: `.
    #[must_use]
    pub fn prefix(&self, mesh: usize) -> String {
        if self.is_several() { format!("{}: ", self.name(mesh)) } else { String::new() }
    }

    /// All of them by name.
    #[must_use]
    pub fn label(&self) -> String {
        self.meshes.iter().map(|member| member.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The snapshot of a mesh.
    #[must_use]
    pub fn snapshot(&self, mesh: usize) -> Option<&Arc<Snapshot>> {
        self.meshes.get(mesh)?.snapshot.as_ref()
    }

    /// Every snapshot there is, with the place of its mesh.
    pub fn snapshots(&self) -> impl Iterator<Item = (usize, &Arc<Snapshot>)> + Clone {
        self.meshes.iter().enumerate().filter_map(|(mesh, member)| Some((mesh, member.snapshot.as_ref()?)))
    }
}

#[cfg(test)]
mod tests;
