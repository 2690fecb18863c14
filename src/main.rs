//! The program: everything is in the library.

use std::process::ExitCode;

/// A mesh is many small things that come and go: this allocator gives their room back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(lockkeeper::commands::run::main())
}
