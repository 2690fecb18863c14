//! The columns of the views as the operator shaped them.

use super::App;
use super::list::{ColumnInfo, MESH};
use super::shape::{SavedView, chosen};
use super::view_id::ViewId;
use super::views::VIEWS;

impl App {
    /// The columns that are wished for in a view; nothing for those that it has at first.
    #[must_use]
    pub fn wished(&self, view: ViewId) -> Option<&[String]> {
        let name = VIEWS[view.index()].name();
        let kept = self.shapes.columns.get(&name);
        kept.or_else(|| self.options.columns.get(&name)).map(Vec::as_slice)
    }

    /// The columns of the current view, each with its place among all of them.
    #[must_use]
    pub fn shown_columns(&self) -> Vec<(usize, ColumnInfo)> {
        let Some(list) = self.list() else { return Vec::new() };
        chosen(self.columns(), self.wished(self.view), list.name_column())
    }

    /// Every column of the current view but the mesh's: those that are shown in their order, then the others.
    #[must_use]
    pub fn column_choices(&self) -> Vec<(ColumnInfo, bool)> {
        let shown = self.shown_columns();
        let is_shown = |column: &ColumnInfo| shown.iter().any(|(_, known)| known.field == column.field);
        let hidden = self.columns().into_iter().filter(|column| !is_shown(column)).map(|column| (column, false));
        let shown = shown.iter().map(|(_, column)| (*column, true));
        shown.chain(hidden).filter(|(column, _)| column.field != MESH).collect()
    }

    /// The current view under a name.
    pub(super) fn as_saved(&self, name: &str) -> SavedView {
        let table = self.table();
        let sort = self.columns().get(table.column).map(|column| column.field.to_owned()).unwrap_or_default();
        SavedView {
            name: name.to_owned(),
            view: VIEWS[self.view.index()].name(),
            filter: table.filter.clone(),
            sort,
            descending: table.descending,
            columns: self.wished(self.view).map(<[String]>::to_vec),
        }
    }
}
