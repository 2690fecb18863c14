//! As much of a shell as job control takes: a job in the foreground, which is continued when it stops.

use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpid};

/// Runs the job to its end; tells when it stops by Ctrl-Z, and continues it.
pub fn shell(program: &str, arguments: &[&str]) {
    #[allow(clippy::zombie_processes, reason = "waited for below, stops included")]
    let child = Command::new(program).args(arguments).process_group(0).spawn().expect("a job");
    let job = Pid::from_raw(child.id().cast_signed()).expect("its id");
    rustix::termios::tcsetpgrp(std::io::stdin(), job).expect("the foreground");
    loop {
        let (_, status) = waitpid(Some(job), WaitOptions::UNTRACED).expect("its state").expect("a change");
        match status.stopping_signal() {
            Some(signal) => {
                // It may have touched the terminal before it was in the foreground: that is no Ctrl-Z.
                if [Signal::TSTP, Signal::STOP].map(Signal::as_raw).contains(&signal) {
                    print!("job stopped\r\n");
                }
                kill_process_group(job, Signal::CONT).expect("continuing");
            }
            None => {
                assert_eq!(status.exit_status(), Some(0));
                return;
            }
        }
    }
}
