//! Signs of work where this machine has it: the newest change under the path that a lock names, and the last commit that
//! touched it. Read only, bounded, and asked for where somebody looks.

use crate::model::work::{Work, Works};
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use crate::clock::set_ahead;
use crate::model::text::Text;
use crate::model::time::{Millis, millis};

/// Files that are looked at below one path.
const MOST_FILES: usize = 5_000;
/// How long git may take for one path.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks for resources in work trees. What lies in none of them is left out.
pub async fn find(trees: &[PathBuf], resources: &[String]) -> Works {
    let mut works = Works::new();
    for resource in resources {
        let trees = trees.to_vec();
        let name = resource.clone();
        let found = tokio::task::spawn_blocking(move || {
            let (tree, path) = place(&trees, &name)?;
            Some((newest(&tree, &path), tree, path))
        });
        let Ok(Some((changed, tree, path))) = found.await else { continue };
        let committed = last_commit(&tree, &path).await;
        let ahead = set_ahead();
        let here = |(name, at): (Text, Millis)| (name, at.saturating_sub(ahead));
        let (changed, committed) = (changed.map(here), committed.map(here));
        works.insert(resource.clone(), Work { changed, committed });
    }
    works
}

/// Where a resource lies: in which tree, and where there. It never leads out of the tree, by a link either.
fn place(trees: &[PathBuf], resource: &str) -> Option<(PathBuf, PathBuf)> {
    let name = Path::new(resource.trim_end_matches('/'));
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::RootDir);
    if name.as_os_str().is_empty() || !name.components().all(plain) {
        return None;
    }
    trees.iter().find_map(|tree| {
        let tree = tree.canonicalize().ok()?;
        let path = tree.join(name).canonicalize().ok()?;
        (path != tree && path.starts_with(&tree)).then_some((tree, path))
    })
}

/// The file at or below a path that changed last.
fn newest(tree: &Path, path: &Path) -> Option<(Text, Millis)> {
    let mut newest: Option<(PathBuf, SystemTime)> = None;
    let walk = ignore::WalkBuilder::new(path).hidden(false).follow_links(false).build();
    for entry in walk.flatten().take(MOST_FILES) {
        if entry.file_name() == ".git" || !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let Some(at) = entry.metadata().ok().and_then(|it| it.modified().ok()) else { continue };
        if newest.as_ref().is_none_or(|(_, known)| at > *known) {
            newest = Some((entry.into_path(), at));
        }
    }
    let (path, at) = newest?;
    let name = path.strip_prefix(tree).unwrap_or(&path).to_string_lossy().into_owned();
    Some((name.into(), millis(at.duration_since(SystemTime::UNIX_EPOCH).ok()?)))
}

/// The last commit that touched a path; nothing where there is no git, or it takes too long.
async fn last_commit(tree: &Path, path: &Path) -> Option<(Text, Millis)> {
    // Nothing that a repository configures is run, and nothing is written.
    let output = tokio::process::Command::new("git")
        .args(["-c", "core.fsmonitor=false", "-c", "log.showSignature=false", "-C"])
        .arg(tree)
        .args(["log", "-1", "--no-show-signature", "--no-color", "--format=%h %ct", "--"])
        .arg(path)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, output).await.ok()?.ok()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let (name, at) = printed.trim().split_once(' ')?;
    let seconds: Millis = at.parse().ok()?;
    (output.status.success() && name.len() <= 40).then(|| (Text::new(name), seconds.saturating_mul(1_000)))
}

/// The work tree that a folder is in: where a repository begins, else the folder itself.
#[must_use]
pub fn tree_of(folder: &Path) -> PathBuf {
    folder.ancestors().find(|above| above.join(".git").exists()).unwrap_or(folder).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_change_below_a_path_is_found_and_nothing_outside() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        std::fs::create_dir_all(tree.join("src/deep")).unwrap();
        let write = |name: &str, age: u64| {
            let file = std::fs::File::create(folder.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        };
        write("tree/src/old.rs", 500);
        write("tree/src/deep/new.rs", 20);
        write("outside.rs", 0);
        let resources = ["src", "src/old.rs", "../outside.rs", "nowhere", "", "/etc/passwd"].map(str::to_owned);
        let works = find(std::slice::from_ref(&tree), &resources).await;
        let names: Vec<_> = works.keys().map(String::as_str).collect();
        assert_eq!(names, ["src", "src/old.rs"]);
        let (name, at) = works["src"].changed.clone().unwrap();
        assert_eq!(name, "src/deep/new.rs");
        let age = crate::clock::wall_clock() - at;
        assert!((19_000..120_000).contains(&age), "{age}");
        std::os::unix::fs::symlink(folder.path().join("outside.rs"), tree.join("link.rs")).unwrap();
        assert!(find(std::slice::from_ref(&tree), &["link.rs".to_owned()]).await.is_empty());
        assert_eq!(tree_of(&tree.join("src")), tree.join("src"), "there is no repository");
    }
}
