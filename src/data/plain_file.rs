//! Files that are read whole: plain ones, and no more of them than is wanted.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

use crate::os::file::not_waiting;

/// Opens a plain file for reading. Whatever else stands there, such as a pipe, is an error and is not waited for.
pub fn open(path: &Path) -> io::Result<File> {
    let file = not_waiting(OpenOptions::new().read(true)).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "no plain file"))
    }
}

/// Reads at most so many bytes of a plain file.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_file_is_read_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let (file, pipe) = (folder.path().join("file"), folder.path().join("pipe"));
        std::fs::write(&file, "abcdef").unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        assert_eq!(read(&file, 4).unwrap(), b"abcd");
        for other in [pipe.as_path(), folder.path()] {
            assert_eq!(read(other, 4).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }
}
