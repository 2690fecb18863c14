//! The configuration was read again while the program runs.

use super::super::{App, Effect, Options, Toast};
use super::LONG_TOAST_MS;
use crate::columns::role::Role;

impl App {
    /// Takes what changed in the configuration. What did not keeps what the operator chose since.
    pub(super) fn configured(&mut self, before: &Options, now: Options, reopened: bool) -> Vec<Effect> {
        let mut effects = Vec::new();
        let options = &mut self.options;
        if now.theme != before.theme {
            options.theme.clone_from(&now.theme);
        }
        if now.interval != before.interval {
            options.interval = now.interval;
            effects.push(Effect::Interval(now.interval));
        }
        if now.mouse != before.mouse {
            options.mouse = now.mouse;
            effects.push(Effect::Mouse(now.mouse));
        }
        if now.local_clock != before.local_clock {
            options.local_clock = now.local_clock;
        }
        (options.themes, options.keymap, options.columns, options.own) = (now.themes, now.keymap, now.columns, now.own);
        (options.calls, options.frames, options.meshes) = (now.calls, now.frames, now.meshes);
        if now.wall.is_some() {
            options.wall = now.wall;
        }
        if reopened {
            let names = |open: &[crate::app::MeshConfig]| open.iter().map(|mesh| mesh.name.clone()).collect::<Vec<_>>();
            let moved = names(&options.open) != names(&now.open);
            options.open = now.open;
            if moved {
                // What is marked is of a mesh by its place, and another one may stand there now.
                for table in &mut self.tables {
                    table.forget_things();
                }
                self.overview = crate::app::overview::Selection::default();
            }
            self.workspace = self.options.workspace();
            (self.frozen, self.overlay, self.running) = (None, None, None);
            (self.wish, self.anchor) = (None, None);
            self.announced.clear();
            (self.histories, self.trail) = Default::default();
            effects.push(Effect::Interval(self.options.interval));
        }
        self.refresh_tables();
        self.toast("the configuration was read again", Role::Dim);
        effects
    }

    /// Says that a changed configuration is not used, for so long that somebody reads it.
    pub(super) fn misconfigured(&mut self, why: &str) {
        // The name of the file is enough: it was just written.
        let text = match why.split_once(": ") {
            Some((place, rest)) => format!("not used: {}: {rest}", place.rsplit('/').next().unwrap_or(place)),
            None => format!("not used: {why}"),
        };
        self.toast = Some(Toast { text, role: Role::Alert, until_ms: self.now_ms + LONG_TOAST_MS });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::app::Event;
    use crate::app::update::update;
    use crate::testing::{NOW, mesh, options, snapshot};

    #[test]
    fn what_changed_is_taken_and_what_was_chosen_since_stays() {
        let mut app = App::new(options(), NOW);
        update(&mut app, Event::Snapshot(0, snapshot(mesh(), NOW)));
        app.options.theme = "mono".into();
        app.tables[2].filter = "lexer".into();
        let mut now = options();
        now.interval = Duration::from_secs(7);
        now.columns.insert("locks".into(), vec!["lock".into()]);
        let configured = |now: &Options, reopened| Event::Configured {
            before: Box::new(options()),
            now: Box::new(now.clone()),
            reopened,
        };
        let effects = update(&mut app, configured(&now, false));
        assert_eq!(effects, [Effect::Interval(Duration::from_secs(7))]);
        assert_eq!((app.options.theme.as_str(), app.options.columns.len()), ("mono", 1));
        assert!(app.workspace.has_answer());
        now.theme = "light".into();
        update(&mut app, configured(&now, true));
        assert_eq!((app.options.theme.as_str(), app.tables[2].filter.as_str()), ("light", "lexer"));
        assert!(!app.workspace.has_answer());
    }

    #[test]
    fn a_wrong_one_is_said_by_the_name_of_its_file_and_stays_to_be_read() {
        let mut app = App::new(options(), NOW);
        update(&mut app, Event::Misconfigured("/etc/lockkeeper/config.toml:3: \"x\" is no value; write y".into()));
        update(&mut app, Event::Tick(NOW + 30_000));
        assert_eq!(app.toast.as_ref().unwrap().text, "not used: config.toml:3: \"x\" is no value; write y");
        update(&mut app, Event::Tick(NOW + 61_000));
        assert!(app.toast.is_none());
    }
}
