//! The operator's own commands, as the configuration file describes them.

use std::time::Duration;

use strum::VariantNames as _;

use crate::app::own::{Argument, Output, OwnCommand};
use crate::app::shape::view_named;
use crate::app::view_id::ViewId;
use crate::app::views::VIEWS;
use crate::config::ConfigError;
use crate::config::file::Entry;

/// How long a command may run where nothing is said.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What an entry may say.
const FIELDS: &[&str] = &["key", "title", "views", "argv", "confirm", "dangerous", "harmless", "output", "timeout"];

/// Types the entries of `[[command]]`.
pub fn commands(entries: &[Entry]) -> Result<Vec<OwnCommand>, ConfigError> {
    entries.iter().map(command).collect()
}

fn command(entry: &Entry) -> Result<OwnCommand, ConfigError> {
    if let Some((name, value)) = entry.values.iter().find(|(name, _)| !FIELDS.contains(&name.as_str())) {
        let what = format!("a command has no \"{}\"", crate::model::text::scrub(name));
        return Err(ConfigError::new(&value.origin, what, format!("write some of {}", FIELDS.join(", "))));
    }
    let texts = |name: &str| entry.values.get(name).map(|value| value.texts.as_slice()).unwrap_or_default();
    let place = |name: &str| entry.values.get(name).map_or(&entry.origin, |value| &value.origin);
    let wrong = |name: &str, what: String, todo: &str| ConfigError::new(place(name), what, todo.to_owned());
    let flag = |name: &str, first: bool| match texts(name) {
        [] => Ok(first),
        [word] if word == "true" => Ok(true),
        [word] if word == "false" => Ok(false),
        other => Err(wrong(name, format!("\"{}\" is no value for {name}", other.join(", ")), "write true or false")),
    };
    let one = |name: &str| match texts(name) {
        [] => Ok(None),
        [text] if !text.is_empty() => Ok(Some(text.clone())),
        _ => Err(wrong(name, format!("{name} is one text"), "write it in quotes")),
    };
    let title = one("title")?.ok_or_else(|| wrong("title", "a command needs a title".into(), "add title = \"...\""))?;
    let mut argv = Vec::new();
    for text in texts("argv") {
        argv.push(Argument::parse(text).map_err(|what| wrong("argv", what, "correct argv"))?);
    }
    if argv.is_empty() {
        let todo = "add argv = [\"program\", \"{name}\"]";
        return Err(wrong("argv", format!("command \"{title}\" names no program"), todo));
    }
    if argv[0].fields().next().is_some() {
        let what = "the program itself may not come from what is watched".to_owned();
        return Err(wrong("argv", what, "write the program's name as the first argument"));
    }
    let views = views(texts("views")).map_err(|what| wrong("views", what, "correct views"))?;
    let offered = VIEWS.iter().filter(|view| view.list.is_some() && (views.is_empty() || views.contains(&view.id)));
    for (view, list) in offered.filter_map(|view| Some((view, view.list?))) {
        let names = list.names();
        if let Some(odd) = argv.iter().flat_map(Argument::fields).find(|field| !names.contains(field)) {
            let what = format!("{} have no field \"{}\"", view.name(), crate::model::text::scrub(odd));
            let todo = format!("write some of {}, mesh; or name other views", names.join(", "));
            return Err(ConfigError::new(place("argv"), what, todo));
        }
    }
    let output = one("output")?.unwrap_or_else(|| "pager".into());
    let output = output.parse().map_err(|_| {
        let todo = format!("write one of {}", Output::VARIANTS.join(", "));
        ConfigError::new(place("output"), format!("\"{}\" is no output", crate::model::text::scrub(&output)), todo)
    })?;
    let timeout = match one("timeout")? {
        None => TIMEOUT,
        Some(text) => humantime::parse_duration(&text).ok().filter(|span| !span.is_zero()).ok_or_else(|| {
            wrong(
                "timeout",
                format!("\"{}\" is no time span", crate::model::text::scrub(&text)),
                "write one such as 10s",
            )
        })?,
    };
    let (harmless, dangerous) = (flag("harmless", false)?, flag("dangerous", false)?);
    if harmless && dangerous {
        let what = format!("command \"{title}\" is harmless and dangerous");
        return Err(wrong("dangerous", what, "leave one of them out"));
    }
    let confirm = flag("confirm", !harmless)?;
    let place = place("key").to_string();
    Ok(OwnCommand { title, key: one("key")?, views, argv, confirm, dangerous, harmless, output, timeout, place })
}

fn views(names: &[String]) -> Result<Vec<ViewId>, String> {
    let named = |name: &String| {
        let view = view_named(name).filter(|view| view.list.is_some());
        view.map(|view| view.id).ok_or_else(|| {
            let all: Vec<String> = VIEWS.iter().filter(|view| view.list.is_some()).map(|view| view.name()).collect();
            format!(
                "there is no view \"{}\" with a table; write some of {}",
                crate::model::text::scrub(name),
                all.join(", ")
            )
        })
    };
    names.iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::file::File;
    use crate::config::keys::Table;

    fn read(text: &str) -> Result<Vec<OwnCommand>, ConfigError> {
        commands(&File::parse(text, Path::new("c.toml"), &Table::with([]))?.commands)
    }

    #[test]
    fn a_command_is_read_with_what_it_leaves_out() {
        let text = "[[command]]\ntitle = \"log\"\nkey = \"f10\"\nviews = [\"locks\"]\nargv = [\"git\", \"log\", \"--\", \"{lock_key}\"]\nharmless = true\n\n[[command]]\ntitle = \"note\"\nargv = [\"note\", \"{mesh}\"]\n";
        let [log, note] = &read(text).unwrap()[..] else { panic!("two commands") };
        assert!(log.harmless && !log.confirm && log.suits(ViewId::Locks) && !log.suits(ViewId::Nodes));
        assert!(note.confirm && note.suits(ViewId::Nodes) && !note.suits(ViewId::Overview));
        assert_eq!((note.output, note.timeout, note.key.as_deref()), (Output::Pager, TIMEOUT, None));
    }

    #[rstest::rstest]
    #[case("argv = [\"x\"]", "c.toml:1: a command needs a title")]
    #[case("title = \"t\"", "names no program")]
    #[case(
        "title = \"t\"\nargv = [\"{lock_key}\"]\nviews = [\"locks\"]",
        "c.toml:3: the program itself may not come from"
    )]
    #[case("title = \"t\"\nargv = [\"x\", \"{lock\"]", "has { without }")]
    #[case("title = \"t\"\nargv = [\"x\", \"{lock_key}\"]", "nodes have no field \"lock_key\"")]
    #[case("title = \"t\"\nargv = [\"x\"]\nviews = [\"lokcs\"]", "c.toml:4: there is no view \"lokcs\"")]
    #[case("title = \"t\"\nargv = [\"x\"]\nshell = true", "c.toml:4: a command has no \"shell\"")]
    #[case("title = \"t\"\nargv = [\"x\"]\noutput = \"mail\"", "write one of pager, notice, nothing")]
    #[case("title = \"t\"\nargv = [\"x\"]\ntimeout = \"soon\"", "\"soon\" is no time span")]
    #[case("title = \"t\"\nargv = [\"x\"]\nconfirm = \"maybe\"", "write true or false")]
    #[case("title = \"t\"\nargv = [\"x\"]\nharmless = true\ndangerous = true", "harmless and dangerous")]
    fn mistakes_name_the_place_and_the_fix(#[case] text: &str, #[case] part: &str) {
        let error = read(&format!("[[command]]\n{text}\n")).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}
