//! The two programs under test: netsky as it ships, and the one with failpoints.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::world::NETSKY;

/// netsky as it ships.
pub fn real() -> &'static Path {
    Path::new(NETSKY)
}

/// netsky with failpoints. Built when it is first asked for, so that it is never an old one.
pub fn with_failpoints() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let name = "netsky-failpoints";
        let output = Command::new(cargo)
            .args(["build", "--locked", "--quiet", "--features", "failpoints", "--example", name])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo does not run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let built = real().with_file_name("examples").join(name);
        // Under its own name: what runs in a pane is known by it.
        let dir = real().with_file_name("failpoints");
        std::fs::create_dir_all(&dir).unwrap();
        let program = dir.join("netsky");
        let fresh = dir.join(format!("netsky-{}", std::process::id()));
        std::fs::copy(&built, &fresh).unwrap();
        std::fs::rename(&fresh, &program).unwrap();
        program
    })
}
