//! `demo --serve DIR`: the mesh without a screen, for other terminals and for tests.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

use super::{Demo, STALE, Simulation, Wanted, scaled};
use crate::config::Layers;
use crate::os::signals::Signals;

/// Runs the mesh in a folder until the process is told to stop.
pub async fn serve(
    folder: &Path,
    wanted: &Wanted,
    layers: &Layers,
    simulations: &[&dyn Simulation],
) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut there = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    anyhow::ensure!(
        there.next().is_none(),
        "{} is not empty; name an empty folder, so that nothing of yours is overwritten",
        folder.display()
    );
    let demo = Demo::start(folder, wanted, layers, simulations).await?;
    let stale = std::time::Duration::from_millis(scaled(STALE, wanted.speed).unsigned_abs());
    let stale = humantime::format_duration(stale);
    let mut said = format!(
        "The simulated mesh is running. Time runs {} times as fast, so windows are shorter.\n\n  \
         export LOCKKEEPER_THRESHOLDS_STALE=\"{stale}\" LOCKKEEPER_THRESHOLDS_STUCK=\"{stale}\"\n",
        wanted.speed
    );
    for arguments in demo.meshes.iter().flat_map(|mesh| &mesh.watched_by) {
        said += &format!("  lockkeeper {arguments}\n");
    }
    said += "\nCtrl-C stops it.\n";
    // Whoever read it may have gone; the mesh runs on.
    let mut out = std::io::stdout();
    let _ = out.write_all(said.as_bytes()).and_then(|()| out.flush());
    wait_for_end().await?;
    demo.stop().await;
    Ok(())
}

/// Returns when the process is asked to end.
async fn wait_for_end() -> anyhow::Result<()> {
    Signals::listen_for_end()?.next().await;
    Ok(())
}
