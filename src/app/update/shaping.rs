//! Which columns a view has, and views that are saved.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::Input;

use super::super::overlay::Overlay;
use super::super::shape::{MOST_SAVED, SavedView, view_named};
use super::super::views::VIEWS;
use super::super::{App, Effect};
use crate::columns::role::Role;

impl App {
    pub(super) fn open_columns(&mut self) {
        if self.list().is_some() {
            self.overlay = Some(Overlay::Columns { selected: 0 });
        } else {
            self.toast("the overview has no columns", Role::Dim);
        }
    }

    /// Keys while columns are chosen: space shows or hides one, Shift moves it.
    pub(super) fn key_in_columns(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some(Overlay::Columns { selected }) = self.overlay else { return Vec::new() };
        let choices = self.column_choices();
        let last = choices.len().saturating_sub(1);
        let shift = key.modifiers.contains(KeyModifiers::SHIFT);
        let to = match key.code {
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q' | 'C') => {
                self.overlay = None;
                return Vec::new();
            }
            KeyCode::Char('J') => return self.move_column(selected, 1),
            KeyCode::Char('K') => return self.move_column(selected, -1),
            KeyCode::Down if shift => return self.move_column(selected, 1),
            KeyCode::Up if shift => return self.move_column(selected, -1),
            KeyCode::Char(' ' | 'x') => return self.toggle_column(selected),
            KeyCode::Char('r') => {
                self.shapes.columns.remove(&VIEWS[self.view.index()].name());
                self.toast("columns as they were at first", Role::Dim);
                return self.keep_shapes();
            }
            KeyCode::Down | KeyCode::Char('j') => (selected + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') => selected.saturating_sub(1),
            KeyCode::Home | KeyCode::Char('g') => 0,
            KeyCode::End | KeyCode::Char('G') => last,
            _ => selected,
        };
        self.overlay = Some(Overlay::Columns { selected: to });
        Vec::new()
    }

    /// Shows or hides a column.
    pub(super) fn toggle_column(&mut self, at: usize) -> Vec<Effect> {
        let mut choices = self.column_choices();
        let shown = choices.iter().filter(|(_, shown)| *shown).count();
        let Some((column, is_shown)) = choices.get_mut(at) else { return Vec::new() };
        if *is_shown && shown == 1 {
            self.toast("a table keeps one column", Role::Alert);
            return Vec::new();
        }
        *is_shown = !*is_shown;
        let field = column.field;
        // What is shown anew stands after what was shown, as the choices do; the selection stays on it.
        let shown = choices.iter().filter(|(_, shown)| *shown);
        self.wish(shown.map(|(column, _)| column.field.to_owned()).collect());
        self.select_column(field);
        self.keep_shapes()
    }

    fn move_column(&mut self, at: usize, by: isize) -> Vec<Effect> {
        let choices = self.column_choices();
        let mut fields: Vec<&str> =
            choices.iter().filter(|(_, shown)| *shown).map(|(column, _)| column.field).collect();
        let Some(to) = at.checked_add_signed(by).filter(|to| at.max(*to) < fields.len()) else { return Vec::new() };
        fields.swap(at, to);
        self.wish(fields.into_iter().map(str::to_owned).collect());
        self.overlay = Some(Overlay::Columns { selected: to });
        self.keep_shapes()
    }

    fn wish(&mut self, fields: Vec<String>) {
        self.shapes.columns.insert(VIEWS[self.view.index()].name(), fields);
    }

    fn select_column(&mut self, field: &str) {
        let selected = self.column_choices().iter().position(|(column, _)| column.field == field).unwrap_or(0);
        self.overlay = Some(Overlay::Columns { selected });
    }

    fn keep_shapes(&self) -> Vec<Effect> {
        vec![Effect::KeepShapes(self.shapes.clone())]
    }

    /// Keys in the list of saved views.
    pub(super) fn key_in_saved(&mut self, key: KeyEvent) -> Vec<Effect> {
        let n = self.shapes.saved.len();
        let has_list = self.list().is_some();
        let Some(Overlay::Saved { selected, naming }) = &mut self.overlay else { return Vec::new() };
        if let Some(input) = naming {
            match key.code {
                KeyCode::Esc => *naming = None,
                KeyCode::Enter => {
                    let name = crate::model::text::scrub(input.value().trim()).into_owned();
                    *naming = None;
                    return self.save_view(&name);
                }
                _ => super::edit(input, key),
            }
            return Vec::new();
        }
        match key.code {
            KeyCode::Esc | KeyCode::Char('q' | 'V') => self.overlay = None,
            KeyCode::Down | KeyCode::Char('j') => *selected = (*selected + 1).min(n.saturating_sub(1)),
            KeyCode::Up | KeyCode::Char('k') => *selected = selected.saturating_sub(1),
            KeyCode::Char('s') if has_list => *naming = Some(Input::default()),
            KeyCode::Char('s') => self.toast("go to a view with a table, then save it", Role::Dim),
            KeyCode::Char('d') if *selected < n => {
                let at = *selected;
                *selected = at.min(n.saturating_sub(2));
                let gone = self.shapes.saved.remove(at);
                self.toast(format!("\"{}\" is no longer saved", gone.name), Role::Dim);
                return self.keep_shapes();
            }
            KeyCode::Enter => {
                let at = *selected;
                return self.open_saved(at);
            }
            _ => {}
        }
        Vec::new()
    }

    /// Saves the current view; one of the same name is replaced.
    fn save_view(&mut self, name: &str) -> Vec<Effect> {
        if name.is_empty() {
            self.toast("a saved view needs a name", Role::Alert);
            return Vec::new();
        }
        let view = self.as_saved(name);
        let at = match self.shapes.saved.iter().position(|known| known.name == name) {
            Some(at) => {
                self.shapes.saved[at] = view;
                at
            }
            None if self.shapes.saved.len() >= MOST_SAVED => {
                self.toast(format!("{MOST_SAVED} views are saved: delete one first"), Role::Alert);
                return Vec::new();
            }
            None => {
                self.shapes.saved.push(view);
                self.shapes.saved.len() - 1
            }
        };
        self.overlay = Some(Overlay::Saved { selected: at, naming: None });
        self.keep_shapes()
    }

    /// Shows a saved view.
    pub(super) fn open_saved(&mut self, at: usize) -> Vec<Effect> {
        let Some(SavedView { name, view, filter, sort, descending, columns }) = self.shapes.saved.get(at).cloned()
        else {
            self.toast(format!("no view is saved as number {}: V saves one", at + 1), Role::Dim);
            return Vec::new();
        };
        let Some(view) = view_named(&view).filter(|view| view.list.is_some()) else {
            self.toast(format!("there is no view \"{}\" any more", crate::model::text::scrub(&view)), Role::Alert);
            return Vec::new();
        };
        self.overlay = None;
        let before = self.shapes.clone();
        match columns {
            Some(columns) => _ = self.shapes.columns.insert(view.name(), columns),
            None => _ = self.shapes.columns.remove(&view.name()),
        }
        let table = &mut self.tables[view.id.index()];
        table.filter = filter;
        if let Some(column) = view.all_columns().iter().position(|column| column.field == sort) {
            (table.column, table.descending) = (column, descending);
        }
        self.show(view.id);
        self.toast(crate::model::text::scrub(&name).into_owned(), Role::Dim);
        if self.shapes == before { Vec::new() } else { self.keep_shapes() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::update;
    use super::*;
    use crate::app::Event;
    use crate::testing::{NOW, mesh, options, snapshot};

    fn app() -> App {
        let mut app = App::new(options(), NOW);
        update(&mut app, Event::Snapshot(0, snapshot(mesh(), NOW)));
        app
    }

    fn press(app: &mut App, keys: &str) -> Vec<Effect> {
        let code = |c| if c == '\r' { KeyCode::Enter } else { KeyCode::Char(c) };
        keys.chars().flat_map(|c| update(app, Event::Key(KeyEvent::from(code(c))))).collect()
    }

    fn shown(app: &App) -> Vec<&'static str> {
        app.shown_columns().iter().map(|(_, column)| column.field).collect()
    }

    fn selected(app: &App) -> &'static str {
        let Some(Overlay::Columns { selected }) = app.overlay else { panic!("no dialog") };
        app.column_choices()[selected].0.field
    }

    #[test]
    fn a_column_is_hidden_shown_and_moved_and_the_selection_stays_on_it() {
        let mut app = app();
        press(&mut app, "3jC");
        let row = app.table().selected.clone();
        let first = shown(&app);
        let effects = press(&mut app, "j ");
        assert_eq!(selected(&app), first[1]);
        assert!(!shown(&app).contains(&first[1]));
        assert!(
            matches!(&effects[..], [Effect::KeepShapes(shapes)] if shapes.columns["locks"].len() == first.len() - 1)
        );
        press(&mut app, " ");
        assert_eq!((shown(&app).last().copied(), selected(&app)), (Some(first[1]), first[1]));
        press(&mut app, "KK");
        assert_eq!(selected(&app), first[1]);
        assert_eq!(shown(&app).iter().rposition(|field| *field == first[1]), Some(first.len() - 3));
        assert_eq!(app.table().selected, row);
        press(&mut app, "r\r");
        assert_eq!(shown(&app), first);
        assert!(app.overlay.is_none());
    }

    #[test]
    fn the_last_column_stays_and_what_is_sorted_by_may_be_hidden() {
        let mut app = app();
        press(&mut app, "2C");
        for _ in 0..40 {
            press(&mut app, "g ");
        }
        assert_eq!(shown(&app).len(), 1);
        press(&mut app, "\rS");
        assert!(!app.table().rows.is_empty());
    }

    #[test]
    fn a_view_is_saved_opened_again_and_deleted() {
        let mut app = app();
        press(&mut app, "3/lexer\rCjj \rV");
        let effects = press(&mut app, "smine\r");
        let hidden = shown(&app);
        let Some(Effect::KeepShapes(shapes)) = effects.last() else { panic!("{effects:?}") };
        assert_eq!((shapes.saved[0].filter.as_str(), shapes.saved[0].view.as_str()), ("lexer", "locks"));
        press(&mut app, "qCr\r");
        update(&mut app, Event::Key(KeyEvent::from(KeyCode::Esc)));
        press(&mut app, "1");
        assert!(app.tables[2].filter.is_empty());
        update(&mut app, Event::Key(KeyEvent::from(KeyCode::F(2))));
        assert_eq!((app.table().filter.as_str(), shown(&app)), ("lexer", hidden));
        // The same name once.
        press(&mut app, "Vsmine\r");
        assert_eq!(app.shapes.saved.len(), 1);
        press(&mut app, "d");
        assert!(app.shapes.saved.is_empty());
        press(&mut app, "q");
        update(&mut app, Event::Key(KeyEvent::from(KeyCode::F(9))));
        assert!(app.toast.as_ref().is_some_and(|toast| toast.text.contains("number 8")));
    }

    proptest::proptest! {
        /// Whatever is sorted, filtered, hidden or refreshed: a thing that is still there stays selected.
        #[test]
        fn the_selection_stays_on_the_thing(
            start in 0usize..5,
            steps in proptest::collection::vec(proptest::sample::select(vec![
                "S", "Cj \r", "CjJ\r", "C \r", "Cr\r", "sj\r", "sjjj\r", "/e\r", "/held\r", "/file:\r", "refresh",
            ]), 1..12),
        ) {
            let mut app = app();
            press(&mut app, "3");
            press(&mut app, &"j".repeat(start));
            for step in steps {
                let before = app.table().selected.clone();
                if step == "refresh" {
                    update(&mut app, Event::Snapshot(0, snapshot(mesh(), NOW)));
                } else {
                    press(&mut app, step);
                }
                let list = app.list().unwrap();
                let still = app.table().rows.iter().any(|row| Some(list.key(&app.workspace, *row)) == before);
                proptest::prop_assert!(!still || app.table().selected == before, "after {step:?}");
            }
        }
    }
}
