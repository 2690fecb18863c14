//! One column, and the columns of one part.

use super::cell::Cell;
use super::role::Role;
use super::value::{Kind, Sort, Value};
use crate::model::time::Millis;

/// One column of rows of `T`.
pub struct Column<T: 'static> {
    /// Its name in JSON, which a filter takes too.
    pub name: &'static str,
    pub kind: Kind,
    /// Whether it may be unknown: then it is `null`.
    pub nullable: bool,
    /// What it says, for the schema.
    pub about: &'static str,
    pub value: fn(&T, Millis) -> Value<'_>,
    /// Whether JSON has it: not where other columns say the same.
    pub in_json: bool,
    /// Its title; nothing where only JSON has it.
    pub title: Option<&'static str>,
    /// Whether tables of text leave it out.
    pub screen_alone: bool,
    pub screen: Option<Screen<T>>,
}

/// How a column stands on the screen.
pub struct Screen<T: 'static> {
    /// For `field:value` and the sort menu.
    pub field: &'static str,
    /// Least and most columns wide; what is over goes to the widest that can grow.
    pub width: (u16, u16),
    /// Columns of a higher rank go first when there is no room.
    pub rank: u8,
    pub right: bool,
    /// Worst or newest first is what one wants to see.
    pub descending: bool,
    /// Of lesser weight than what stands beside it.
    pub dim: bool,
    /// Nothing where the value has an order of its own.
    sort: Option<fn(&T) -> Sort<'_>>,
    /// Nothing where the value is drawn as its kind is.
    cell: Option<fn(&T, Millis) -> Cell>,
}

impl<T> Clone for Screen<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Screen<T> {}

impl<T> Column<T> {
    /// A column that only JSON has, until it is listed or shown.
    #[must_use]
    pub const fn new(name: &'static str, kind: Kind, about: &'static str, value: fn(&T, Millis) -> Value<'_>) -> Self {
        let nullable = matches!(kind, Kind::Instant | Kind::Span | Kind::Count | Kind::Flag);
        Self { name, kind, nullable, about, value, in_json: true, title: None, screen_alone: false, screen: None }
    }

    /// It may be unknown, though its kind seldom is.
    #[must_use]
    pub const fn or_null(self) -> Self {
        Self { nullable: true, ..self }
    }
    /// It is never unknown, though its kind may be.
    #[must_use]
    pub const fn always(self) -> Self {
        Self { nullable: false, ..self }
    }
    /// JSON does not have it: other columns say the same.
    #[must_use]
    pub const fn screen_only(self) -> Self {
        Self { in_json: false, ..self }
    }
    /// It stands in tables of text.
    #[must_use]
    pub const fn listed(self, title: &'static str) -> Self {
        Self { title: Some(title), ..self }
    }
    /// It does not stand in tables of text: it is too long for them.
    #[must_use]
    pub const fn unlisted(self) -> Self {
        Self { screen_alone: true, ..self }
    }
    /// Its title in a table of text.
    pub(super) fn text_title(&self) -> Option<&'static str> {
        self.title.filter(|_| !self.screen_alone)
    }
    /// It stands in tables of text and on the screen: its field, title, least and most width, and rank.
    #[must_use]
    pub const fn shown(self, field: &'static str, title: &'static str, width: (u16, u16), rank: u8) -> Self {
        let right = matches!(self.kind, Kind::Span | Kind::Count);
        let descending = right || matches!(self.kind, Kind::State(_));
        let screen = Screen { field, width, rank, right, descending, dim: false, sort: None, cell: None };
        Self { title: Some(title), screen: Some(screen), ..self }
    }

    const fn with(self, screen: Screen<T>) -> Self {
        Self { screen: Some(screen), ..self }
    }
    const fn on_screen(&self) -> Screen<T> {
        match self.screen {
            Some(screen) => screen,
            None => panic!("only a column that is shown has a look"),
        }
    }
    /// Aligned right.
    #[must_use]
    pub const fn right(self) -> Self {
        let screen = Screen { right: true, ..self.on_screen() };
        self.with(screen)
    }
    /// Aligned left.
    #[must_use]
    pub const fn left(self) -> Self {
        let screen = Screen { right: false, ..self.on_screen() };
        self.with(screen)
    }
    /// Least or first on top when it is sorted by.
    #[must_use]
    pub const fn ascending(self) -> Self {
        let screen = Screen { descending: false, ..self.on_screen() };
        self.with(screen)
    }
    /// Largest or last on top when it is sorted by.
    #[must_use]
    pub const fn descending(self) -> Self {
        let screen = Screen { descending: true, ..self.on_screen() };
        self.with(screen)
    }
    /// Of lesser weight.
    #[must_use]
    pub const fn dim(self) -> Self {
        let screen = Screen { dim: true, ..self.on_screen() };
        self.with(screen)
    }
    /// Sorted by something else than its value.
    #[must_use]
    pub const fn sorted(self, sort: fn(&T) -> Sort<'_>) -> Self {
        let screen = Screen { sort: Some(sort), ..self.on_screen() };
        self.with(screen)
    }
    /// Drawn in its own way.
    #[must_use]
    pub const fn drawn(self, cell: fn(&T, Millis) -> Cell) -> Self {
        let screen = Screen { cell: Some(cell), ..self.on_screen() };
        self.with(screen)
    }
}

/// The columns of one part. Those of the screen come first, in their order.
pub struct Columns<T: 'static> {
    /// Its name in JSON and for `--view`.
    pub part: &'static str,
    pub title: &'static str,
    /// What the part holds, for the schema.
    pub about: &'static str,
    /// Whether a row is as of the last answer of an old source.
    pub is_old: fn(&T) -> bool,
    pub all: &'static [Column<T>],
}

impl<T> Columns<T> {
    /// Those that the screen can show.
    pub fn on_screen(&self) -> impl Iterator<Item = (&'static Column<T>, &'static Screen<T>)> {
        self.all.iter().map_while(|column| Some((column, column.screen.as_ref()?)))
    }

    /// A cell of the screen; nothing where there is no such column.
    pub fn cell(&self, row: &T, column: usize, now: Millis) -> Option<Cell> {
        let column = self.all.get(column)?;
        let screen = column.screen.as_ref()?;
        Some(match screen.cell {
            Some(cell) => cell(row, now),
            None => {
                let cell = Cell::of(&(column.value)(row, now), (self.is_old)(row));
                let lesser = screen.dim && cell.role == Role::Normal;
                if lesser { Cell { role: Role::Dim, ..cell } } else { cell }
            }
        })
    }

    /// What a row is sorted by; nothing where the screen has no such column.
    pub fn sort<'a>(&self, row: &'a T, column: usize) -> Option<Sort<'a>> {
        let column = self.all.get(column)?;
        Some(match column.screen.as_ref()?.sort {
            Some(sort) => sort(row),
            None => (column.value)(row, 0).sort(),
        })
    }
}
