//! How an operator shaped the views: which columns each has, and views that are saved by name. Kept in a file. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::list::{ColumnInfo, MESH};
use super::views::{VIEWS, View};
use crate::app::workspace::Workspace;

/// Views that are saved, at most.
pub const MOST_SAVED: usize = 50;

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shapes {
    /// Fields of columns in their order, by the name of the view.
    #[serde(default)]
    pub columns: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub saved: Vec<SavedView>,
}

/// A view as it was when it was saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedView {
    pub name: String,
    pub view: String,
    #[serde(default)]
    pub filter: String,
    /// The field of the column that it is sorted by.
    #[serde(default)]
    pub sort: String,
    #[serde(default)]
    pub descending: bool,
    /// Its columns; nothing for those that it had at first.
    #[serde(default)]
    pub columns: Option<Vec<String>>,
}

impl View {
    /// What it is called in a file.
    #[must_use]
    pub fn name(&self) -> String {
        self.title.to_lowercase()
    }

    /// Every column that its table can have, whatever is watched.
    #[must_use]
    pub fn all_columns(&self) -> Vec<ColumnInfo> {
        self.list.map(|list| list.columns(&Workspace::default())).unwrap_or_default()
    }

    /// Checks names of columns, and says which one is wrong.
    pub fn check_columns(&self, fields: &[String]) -> Result<(), String> {
        let known: Vec<&str> = self.all_columns().iter().map(|column| column.field).collect();
        let Some(odd) = fields.iter().find(|field| !known.contains(&field.as_str())) else { return Ok(()) };
        let odd = crate::model::text::scrub(odd);
        Err(format!("{} have no column \"{odd}\"; write some of {}", self.name(), known.join(", ")))
    }
}

/// The view of a name.
#[must_use]
pub fn view_named(name: &str) -> Option<&'static View> {
    VIEWS.iter().find(|view| view.name() == name)
}

/// Columns in the order that is wished; those that are not named are left out. What tells meshes apart stays.
#[must_use]
pub fn chosen(all: Vec<ColumnInfo>, wish: Option<&[String]>, name_column: usize) -> Vec<(usize, ColumnInfo)> {
    let all: Vec<(usize, ColumnInfo)> = all.into_iter().enumerate().collect();
    let Some(wish) = wish else { return all };
    let find = |field: &String| all.iter().find(|(_, column)| column.field == field.as_str()).copied();
    let mut shown: Vec<(usize, ColumnInfo)> = wish.iter().filter_map(find).collect();
    if shown.is_empty() {
        shown.extend(all.get(name_column).copied());
    }
    // What comes first is what is wanted most.
    for (rank, (_, column)) in (0u8..).zip(&mut shown) {
        column.rank = rank;
    }
    shown.extend(all.into_iter().filter(|(_, column)| column.field == MESH));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::view_id::ViewId;

    fn fields(of: &[(usize, ColumnInfo)]) -> Vec<&'static str> {
        of.iter().map(|(_, column)| column.field).collect()
    }

    #[test]
    fn columns_stand_as_they_are_wished_and_never_none() {
        let all = || VIEWS[ViewId::Nodes.index()].all_columns();
        let first = fields(&chosen(all(), None, 0));
        assert_eq!(first.len(), all().len());
        let wish = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let two = chosen(all(), Some(&wish(&[first[2], "no such one", first[0]])), 0);
        assert_eq!(fields(&two), [first[2], first[0]]);
        assert!(two[0].1.rank < two[1].1.rank);
        assert_eq!(fields(&chosen(all(), Some(&wish(&["gone"])), 0)), [first[0]]);
    }

    #[test]
    fn every_view_with_a_table_is_found_by_its_name_and_knows_its_columns() {
        for view in VIEWS.iter().filter(|view| view.list.is_some()) {
            assert!(view_named(&view.name()).is_some_and(|found| found.id == view.id));
            let all: Vec<String> = view.all_columns().iter().map(|column| column.field.to_owned()).collect();
            assert_eq!(view.check_columns(&all), Ok(()));
            let why = view.check_columns(&["nonsense".into()]).unwrap_err();
            assert!(why.contains("no column \"nonsense\"; write some of"), "{why}");
        }
    }
}
