//! Plugins as shared libraries: those that cargo built, and those that a C compiler builds for one test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::process::beside_tests;

/// The library of a plugin that cargo built with the tests, by the name of its package.
///
/// # Panics
/// If it was not built.
pub fn rust_plugin(package: &str) -> PathBuf {
    beside_tests(&shared_library(package))
}

/// A file that `tests/run` had built in another way, by its path in cargo's target folder.
///
/// # Panics
/// If it was not built.
pub fn build_output(path: &str) -> PathBuf {
    beside_tests(path)
}

/// How cargo names the shared library of a package.
pub fn shared_library(package: &str) -> String {
    format!("lib{}.so", package.replace('-', "_"))
}

/// Compiles a plugin from this file of the repository into `folder`, with these macros (`NAME` or `NAME=VALUE`) and the
/// flags in `PLUGIN_CFLAGS`.
///
/// # Panics
/// If it does not compile.
pub fn c_plugin(source: &str, macros: &[&str], folder: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let stem = Path::new(source).file_stem().expect("a file").to_string_lossy().into_owned();
    let library = folder.join(format!("{stem}-{}.so", unique()));
    let output = Command::new("cc")
        .args(["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread"])
        // What a memory checker needs, and not the checker itself.
        .args(std::env::var("PLUGIN_CFLAGS").unwrap_or_default().split_whitespace())
        .env_remove("LD_PRELOAD")
        .args(macros.iter().map(|one| format!("-D{one}")))
        .arg("-I")
        .arg(root.join("crates/thingcall-plugin/include"))
        .arg("-o")
        .arg(&library)
        .arg(root.join(source))
        .output()
        .expect("a C compiler");
    assert!(output.status.success(), "{source}: {}", String::from_utf8_lossy(&output.stderr));
    library
}

/// Puts a library into a plugin folder as an operator should: written beside, then moved. Returns where it is.
///
/// # Panics
/// If it cannot be written.
pub fn install(library: &Path, folder: &Path) -> PathBuf {
    std::fs::create_dir_all(folder).expect("the plugin folder");
    let name = library.file_name().expect("a file").to_string_lossy().into_owned();
    let (beside, place) = (folder.join(format!(".{name}.{}", unique())), folder.join(name));
    std::fs::copy(library, &beside).expect("the library can be copied");
    std::fs::rename(&beside, &place).expect("the library can be moved");
    place
}

fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
