//! `demo --serve DIR`: the mesh without a screen, for other terminals and for tests.

use std::path::Path;

use anyhow::Context as _;

use super::Demo;
use crate::commands::cli::DemoArgs;

/// Runs the mesh in a folder until the process is told to stop.
pub async fn serve(folder: &Path, arguments: &DemoArgs) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let database = folder.join("mesh.db");
    anyhow::ensure!(
        !database.exists(),
        "{} exists already; name an empty folder, so that nothing of yours is overwritten",
        database.display()
    );
    let demo = Demo::start(folder, arguments).await?;
    let stale = humantime::format_duration(demo.stale);
    println!("The simulated mesh is running. Time runs {} times as fast, so windows are shorter.\n", arguments.speed);
    println!("  export LOCKKEEPER_THRESHOLDS_STALE=\"{stale}\" LOCKKEEPER_THRESHOLDS_STUCK=\"{stale}\"");
    println!("  lockkeeper --db {} --control {}", demo.database.display(), demo.control);
    println!("  lockkeeper --db {}", demo.hrana);
    if let Some((tree, leases)) = &demo.project {
        println!("  lockkeeper --harn {} (host leases: {})", tree.display(), leases.display());
    }
    println!("\nCtrl-C stops it.");
    wait_for_end().await?;
    demo.stop().await;
    Ok(())
}

/// Returns when the process is asked to end.
async fn wait_for_end() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut term, mut hup) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
        tokio::select! {
            outcome = tokio::signal::ctrl_c() => outcome?,
            _ = term.recv() => {}
            _ = hup.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}
