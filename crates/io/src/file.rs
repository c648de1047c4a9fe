//! Files: mapped when they are read, replaced as a whole when they are written.

use fovea_core::{Error, ErrorKind, Result};
use memmap2::Mmap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// The error of a file that can't be read.
pub fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::data(format!("{} can't be read: {error}", path.display())).at("file").expected("a readable file")
}

/// `error`, found while `path` was read as a `kind` file; it names both.
pub fn invalid(path: &Path, kind: &str, error: &Error) -> Error {
    let fields = error.fields();
    if fields.kind != ErrorKind::Format {
        return error.clone();
    }
    let mut out = Error::format(format!("{} is not a valid {kind} file: {error}", path.display())).at("file");
    if let Some(expected) = &fields.expected {
        out = out.expected(expected);
    }
    if let Some(received) = &fields.received {
        out = out.received(received);
    }
    out
}

/// Calls `read` with the content of a file, which is mapped into memory rather than copied.
pub fn mapped<T>(path: &Path, kind: &str, read: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
    let about = fs::metadata(path).map_err(|e| unreadable(path, &e))?;
    if about.is_dir() {
        return Err(unreadable(path, &io::Error::from(io::ErrorKind::IsADirectory)));
    }
    if !about.is_file() {
        // Opening a pipe would wait for somebody to write.
        return Err(unreadable(path, &io::Error::other("it is a pipe or a device")));
    }
    let file = File::open(path).map_err(|e| unreadable(path, &e))?;
    if file.metadata().map_err(|e| unreadable(path, &e))?.len() == 0 {
        return read(&[]).map_err(|e| invalid(path, kind, &e));
    }
    // SAFETY: the mapping is private to this call and only read. Formats are replaced by renaming (see `replace`), which
    // leaves a mapped file as it was; whoever truncates one in place while it is loaded ends the process.
    let map = unsafe { Mmap::map(&file) }.map_err(|e| unreadable(path, &e))?;
    read(&map).map_err(|e| invalid(path, kind, &e))
}

/// Writes a file through a temporary one beside it, so that a crash or a full disk leaves the old file.
pub fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<()> {
    let failed = |e: io::Error| {
        Error::data(format!("{} can't be written: {e}", path.display())).at("file").expected("room to write")
    };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    // Threads of this process may write one path at the same time: each has a temporary file of its own.
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let write_number = WRITES.fetch_add(1, Ordering::Relaxed);
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}-{write_number}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let all = || {
        let mut out = BufWriter::new(File::create(&temporary)?);
        write(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&temporary, path)?;
        // Makes the new name last; not every system can sync a folder, and the content is safe either way.
        if let Ok(folder) = File::open(folder) {
            let _ = folder.sync_all();
        }
        Ok(())
    };
    all().map_err(|e| {
        let _ = fs::remove_file(&temporary);
        failed(e)
    })
}

/// [`replace`] with bytes that are there.
pub fn replace_with(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |out| out.write_all(bytes))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A folder of this process's own, removed when dropped.
    pub(crate) struct Folder(pub PathBuf);

    impl Folder {
        pub(crate) fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("fovea-io-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_else() {
        let folder = Folder::new("replace");
        let path = folder.0.join("a").join("file");
        replace_with(&path, b"old").unwrap();
        let error = replace(&path, |out| {
            out.write_all(b"ne")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Data);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.0.join("a")).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_or_a_missing_file_is_a_data_error() {
        let folder = Folder::new("mapped");
        for path in [folder.0.clone(), folder.0.join("none")] {
            assert_eq!(mapped(&path, "x", |_| Ok(())).unwrap_err().kind(), ErrorKind::Data);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_refused_rather_than_waited_for() {
        let folder = Folder::new("pipe");
        let path = folder.0.join("weights");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let error = mapped(&path, "x", |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("pipe or a device"), "{error}");
    }
}
