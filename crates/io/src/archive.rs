//! Zip archives with a bound on what they may expand to.

use crate::file;
use fovea_core::{Error, Result};
use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// What an archive may expand to, by its own size.
pub const EXPANSION: u64 = 100;

/// Bytes that any archive may expand to.
pub const ALLOWANCE: u64 = 64 << 20;

/// An archive in memory that counts what has been read of it.
pub struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    left: u64,
}

/// What compressed content of `size` bytes may expand to.
pub fn most(size: usize) -> u64 {
    (size as u64).saturating_mul(EXPANSION).saturating_add(ALLOWANCE)
}

fn broken(error: &zip::result::ZipError) -> Error {
    Error::format(format!("it is no sound zip archive ({error})")).expected("a zip archive")
}

impl<'a> Archive<'a> {
    pub fn open(raw: &'a [u8]) -> Result<Archive<'a>> {
        let zip = ZipArchive::new(Cursor::new(raw)).map_err(|e| broken(&e))?;
        Ok(Archive { zip, left: most(raw.len()) })
    }

    /// The names of all entries, folders included.
    pub fn names(&self) -> Result<Vec<String>> {
        self.zip.file_names().map(|name| name.map(Into::into).map_err(|e| broken(&e))).collect()
    }

    /// The content of an entry. Errors: there is none, it is damaged, or the archive expands past its bound.
    pub fn read(&mut self, name: &str) -> Result<Vec<u8>> {
        let missing = || Error::format(format!("it lacks the entry {name}")).expected(name);
        let index = self.zip.index_for_name(name).ok_or_else(missing)?;
        let mut entry = self.zip.by_index(index).map_err(|e| broken(&e))?;
        let size = entry.size();
        if size > self.left {
            return Err(Error::format(format!(
                "entry {name} expands to {size} bytes: the archive would grow too large"
            ))
            .expected(format!("at most {} bytes more", self.left))
            .received(format!("{size} bytes")));
        }
        let mut out = Vec::new();
        let damaged = |e: std::io::Error| Error::format(format!("entry {name} is damaged ({e})"));
        (&mut entry).take(size).read_to_end(&mut out).map_err(damaged)?;
        let mut one = [0];
        if out.len() as u64 != size || entry.read(&mut one).map_err(damaged)? != 0 {
            return Err(Error::format(format!("entry {name} has another length than the archive says"))
                .expected(format!("{size} bytes")));
        }
        self.left -= size;
        Ok(out)
    }
}

/// Writes an archive of stored entries, one after the other.
pub fn save(path: &Path, entries: &[(String, Vec<&[u8]>)]) -> Result<()> {
    file::replace(path, |out| {
        let mut zip = ZipWriter::new(out);
        for (name, parts) in entries {
            let large = parts.iter().map(|part| part.len()).sum::<usize>() > u32::MAX as usize / 2;
            let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(large);
            zip.start_file(name, options)?;
            for part in parts {
                zip.write_all(part)?;
            }
        }
        zip.finish()?;
        Ok(())
    })
}

/// Unpacks an archive into a folder. Entries that would leave it, and links, are refused.
pub fn extract(path: &Path, folder: &Path) -> Result<()> {
    file::mapped(path, "zip", |raw| {
        let mut archive = Archive::open(raw)?;
        for index in 0..archive.zip.len() {
            let entry = archive.zip.by_index(index).map_err(|e| broken(&e))?;
            let name: String = entry.name().map_err(|e| broken(&e))?.into();
            let refused = |why: &str| Error::format(format!("entry {name} {why}")).expected("files below the folder");
            let inside = entry.enclosed_name().ok_or_else(|| refused("leads out of the archive"))?;
            if entry.is_symlink() {
                return Err(refused("is a link"));
            }
            let is_folder = entry.is_dir();
            drop(entry);
            let target = folder.join(inside);
            let failed =
                |e: std::io::Error| Error::data(format!("{} can't be written: {e}", target.display())).at("dir");
            if is_folder {
                fs::create_dir_all(&target).map_err(failed)?;
                continue;
            }
            if let Some(above) = target.parent() {
                fs::create_dir_all(above).map_err(failed)?;
            }
            fs::write(&target, archive.read(&name)?).map_err(failed)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::tests::Folder;

    /// An archive of compressed entries.
    fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, data) in entries {
            let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
            zip.start_file(*name, options).unwrap();
            zip.write_all(data).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn a_bomb_is_refused_before_it_expands() {
        let zeros = vec![0; 80 << 20];
        let raw = zipped(&[("a", &zeros)]);
        assert!(raw.len() < 100_000, "{} bytes", raw.len());
        let error = Archive::open(&raw).unwrap().read("a").unwrap_err();
        assert!(error.to_string().contains("too large"), "{error}");
        let raw = zipped(&[("a", &zeros[..40 << 20]), ("b", &zeros[..40 << 20])]);
        let mut archive = Archive::open(&raw).unwrap();
        assert!(archive.read("a").is_ok());
        assert!(archive.read("b").is_err(), "together they are too large");
        assert!(archive.read("c").is_err());
    }

    #[test]
    fn entries_that_leave_the_folder_are_refused() {
        let folder = Folder::new("extract");
        let path = folder.0.join("a.zip");
        fs::write(&path, zipped(&[("in/side.txt", b"yes")])).unwrap();
        extract(&path, &folder.0.join("out")).unwrap();
        assert_eq!(fs::read(folder.0.join("out/in/side.txt")).unwrap(), b"yes");
        for name in ["../outside.txt", "/outside.txt", "a/../../outside.txt"] {
            fs::write(&path, zipped(&[(name, b"no")])).unwrap();
            let outcome = extract(&path, &folder.0.join("out"));
            assert!(outcome.is_err() || !folder.0.join("outside.txt").exists(), "{name}");
            assert!(!Path::new("/outside.txt").exists());
        }
    }
}
