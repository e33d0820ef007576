//! Which directories' trust dialog may be answered.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Whether `dir` is a trusted directory or lies below one. Both sides are whole paths without links
/// ([`resolved_trust`], `fs::canonicalize`); a path with `..` in it is trusted by nobody.
pub fn is_trusted(dir: &Path, trust: &[PathBuf]) -> bool {
    let climbs = |path: &Path| path.components().any(|part| part == Component::ParentDir);
    dir.is_absolute()
        && !climbs(dir)
        && trust.iter().any(|trusted| trusted.is_absolute() && !climbs(trusted) && dir.starts_with(trusted))
}

/// The entries of `trust` with links resolved; one that does not exist stays as it was written.
pub fn resolved_trust(trust: &[PathBuf]) -> Vec<PathBuf> {
    trust.iter().map(|dir| fs::canonicalize(dir).unwrap_or_else(|_| dir.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_covers_a_directory_and_what_lies_below() {
        let trust = [PathBuf::from("/home/me/project"), PathBuf::from("/srv/x/")];
        for (dir, expected) in [
            ("/home/me/project", true),
            ("/home/me/project/", true),
            ("/home/me/project/src", true),
            ("/home/me/project2", false),
            ("/home/me", false),
            ("/home/me/project/../other", false),
            ("project", false),
            ("/srv/x", true),
            ("/", false),
        ] {
            assert_eq!(is_trusted(Path::new(dir), &trust), expected, "{dir}");
        }
        assert!(!is_trusted(Path::new("/a"), &[]));
    }

    #[test]
    fn a_link_in_the_list_trusts_what_it_names() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let (real, link) = (root.join("real"), root.join("link"));
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(resolved_trust(&[link, root.join("gone")]), [real, root.join("gone")]);
    }
}
