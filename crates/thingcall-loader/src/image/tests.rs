//! Facts about `image.rs`.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::testsite::{answering, compile, text};

/// Opens a plugin compiled so; what is opened stays mapped, so each has a path of its own.
fn opened(macros: &[&str]) -> Result<PluginApi, ImageError> {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("plugin.so");
    let (name, claims) = (text("NAME", "a"), text("CLAIMS", "[]"));
    compile(&file, &[&[&*name, &*claims], macros].concat(), &[]);
    open(&file)
}

#[test]
fn whole_table_is_copied() {
    let table = opened(&["WITH_CODEC"]).unwrap();
    assert_eq!((table.struct_size as usize, table.abi_major, table.abi_minor), (size_of::<PluginApi>(), 1, 7));
    assert!(table.create.is_some() && table.begin.is_some() && table.encode.is_some() && table.destroy.is_some());
    assert!(table.poll.is_none());
}

#[test]
fn shorter_table_of_an_older_minor_version_is_copied_as_far_as_it_goes() {
    let table = opened(&["WITH_CODEC", "TABLE_SIZE=24"]).unwrap();
    assert!(table.create.is_some() && table.begin.is_some());
    assert!(table.encode.is_none() && table.destroy.is_none(), "what lies behind the table was read");
}

#[test]
fn longer_table_of_a_newer_minor_version_is_copied_as_far_as_it_is_known() {
    assert!(opened(&["TABLE_SIZE=4096"]).unwrap().destroy.is_some());
}

#[test]
fn table_that_cannot_be_used_is_refused() {
    for macros in [&["NO_TABLE"], &["TABLE_SIZE=0"], &["TABLE_SIZE=15"]] {
        assert_eq!(opened(macros).unwrap_err().to_string(), "plugin table is missing or too short", "{macros:?}");
    }
}

#[test]
fn table_of_another_major_version_is_refused() {
    assert_eq!(opened(&["TABLE_MAJOR=2"]).unwrap_err().to_string(), "plugin table of ABI 2, host has 1");
}

#[test]
fn missing_entry_is_told() {
    assert_eq!(opened(&["NO_ENTRY"]).unwrap_err().to_string(), "thingcall_plugin_entry_v1 is not exported");
}

#[test]
fn what_the_systems_loader_refuses_is_told_in_its_words() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("plugin.so");
    std::fs::write(&file, "no library").unwrap();
    assert_eq!(open(&file).unwrap_err().to_string(), "the system cannot load it: file too short");
    let gone: PathBuf = folder.path().join("gone.so");
    assert!(open(&gone).unwrap_err().to_string().contains("No such file"));
}

#[test]
fn new_file_under_an_opened_path_would_be_the_old_library() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("plugin.so");
    answering(&file, "a", "[]", "old");
    let old = open(&file).unwrap();
    answering(&file, "a", "[]", "new");
    // Why every load has a path of its own: this is not what was asked for.
    assert_eq!(open(&file).unwrap().begin.map(|begin| begin as usize), old.begin.map(|begin| begin as usize));
    let other = folder.path().join("other.so");
    std::fs::copy(&file, &other).unwrap();
    assert_ne!(open(&other).unwrap().begin.map(|begin| begin as usize), old.begin.map(|begin| begin as usize));
}

#[test]
fn hints_fit_the_systems_words() {
    assert!(hint("version `GLIBC_2.99' not found").contains("newer system"));
    assert!(hint("failed to map segment from shared object").contains("noexec"));
    assert!(hint("undefined symbol: foo").contains("-z,defs"));
    assert_eq!(hint("file too short"), "");
}
