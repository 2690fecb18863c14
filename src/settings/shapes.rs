//! The file that keeps how views are shaped, beside the journal.

use std::io::Write as _;
use std::path::Path;

use crate::app::shape::Shapes;
use crate::os::folder_of;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Reads what was kept; nothing where nothing was. The error says why it cannot be read.
pub fn read(path: &Path) -> Result<Shapes, String> {
    let place = path.display();
    match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Shapes::default()),
        Ok(meta) if meta.len() > MAX_FILE => return Err(format!("{place}: larger than 1 MiB, views are as at first")),
        _ => {}
    }
    let text = std::fs::read_to_string(path).map_err(|e| format!("{place}: {e}, views are as at first"))?;
    serde_json::from_str(&text).map_err(|e| format!("{place}: {e}, views are as at first"))
}

/// Keeps them: all of the new file, or the old one. A file that cannot be read is moved aside, not lost.
pub fn write(path: &Path, shapes: &Shapes) -> std::io::Result<()> {
    let folder = folder_of(path);
    std::fs::create_dir_all(folder)?;
    if read(path).is_err() {
        std::fs::rename(path, path.with_extension("json.unread"))?;
    }
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer_pretty(&mut file, shapes)?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::shape::SavedView;

    #[test]
    fn what_is_kept_is_read_again_and_what_cannot_be_read_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/views.json");
        assert_eq!(read(&path), Ok(Shapes::default()));
        let mut shapes = Shapes::default();
        shapes.columns.insert("nodes".into(), vec!["age".into()]);
        shapes.saved.push(SavedView {
            name: "mine".into(),
            view: "locks".into(),
            filter: "state:orphaned".into(),
            sort: "age".into(),
            descending: true,
            columns: None,
        });
        write(&path, &shapes).unwrap();
        assert_eq!(read(&path), Ok(shapes.clone()));
        std::fs::write(&path, "{ torn").unwrap();
        assert!(read(&path).unwrap_err().contains("views are as at first"));
        write(&path, &shapes).unwrap();
        assert_eq!(read(&path), Ok(shapes));
        assert_eq!(std::fs::read_to_string(path.with_extension("json.unread")).unwrap(), "{ torn");
    }
}
