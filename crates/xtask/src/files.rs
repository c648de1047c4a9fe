//! Generated files on disk.

use std::path::Path;

/// Writes what differs and names it.
pub fn write(root: &Path, files: &[(&str, String)]) -> Result<(), String> {
    for (path, text) in files {
        if is_fresh(root, path, text) {
            continue;
        }
        let target = root.join(path);
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        }
        std::fs::write(&target, text).map_err(|e| format!("{}: {e}", target.display()))?;
        println!("wrote {path}");
    }
    Ok(())
}

/// Fails where a file isn't what would be written.
pub fn check(root: &Path, files: &[(&str, String)]) -> Result<(), String> {
    let stale: Vec<&str> =
        files.iter().filter(|(path, text)| !is_fresh(root, path, text)).map(|(path, _)| *path).collect();
    match stale[..] {
        [] => Ok(()),
        _ => Err(format!("stale: {}; run `npm run generate`", stale.join(", "))),
    }
}

fn is_fresh(root: &Path, path: &str, text: &str) -> bool {
    std::fs::read_to_string(root.join(path)).is_ok_and(|old| old == text)
}
