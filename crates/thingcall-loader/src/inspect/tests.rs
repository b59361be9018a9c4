//! Facts about `inspect.rs`.

use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::testsite::{compile, text};

/// How many of the system's libraries are looked at, and how many damaged files.
const LIBRARIES_MAX: usize = 400;
const DAMAGED_FILES: u64 = 20_000;

fn plugin(macros: &[&str], flags: &[&str]) -> Vec<u8> {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("plugin.so");
    compile(&file, macros, flags);
    std::fs::read(&file).unwrap()
}

fn simple(flags: &[&str]) -> Vec<u8> {
    let macros = [text("NAME", "meter"), text("CLAIMS", "[\"testFb:*\"]"), text("CODECS", "[\"*\"]")];
    plugin(&macros.each_ref().map(String::as_str), flags)
}

fn with_manifest(symbol: &str, manifest: &str) -> Result<Inspected, InspectError> {
    inspect(&plugin(&[&format!("MANIFEST_SYMBOL={symbol}"), &text("MANIFEST", manifest)], &[]))
}

#[test]
fn manifest_is_read_with_what_the_library_needs() {
    let bytes = simple(&["-lm", "-Wl,--no-as-needed"]);
    let found = inspect(&bytes).unwrap();
    assert_eq!((found.manifest.name.as_str(), found.manifest.version.as_str()), ("meter", "1.0.0"));
    assert_eq!((found.manifest.claims, found.manifest.codecs), (vec!["testFb:*".to_owned()], vec!["*".to_owned()]));
    assert_eq!((found.machine.as_str(), found.static_tls, found.size), (HOST_MACHINE, false, bytes.len() as u64));
    assert!(found.needed.iter().any(|library| library.starts_with("libc.so")), "{:?}", found.needed);
}

#[test]
fn stripped_libraries_and_either_hash_table_are_read() {
    for flags in [&["-s"][..], &["-Wl,--hash-style=sysv"], &["-Wl,--hash-style=gnu"], &["-Wl,-z,noseparate-code"]] {
        assert_eq!(inspect(&simple(flags)).unwrap().manifest.name, "meter", "{flags:?}");
    }
}

#[test]
fn library_without_section_headers_is_read_as_the_system_reads_it() {
    let mut bytes = simple(&[]);
    // e_shoff, e_shnum and e_shstrndx.
    bytes[0x28..0x30].fill(0);
    bytes[0x3c..0x40].fill(0);
    assert_eq!(inspect(&bytes).unwrap().manifest.name, "meter");
}

#[test]
fn bytes_may_lie_anywhere_in_memory() {
    let mut shifted = vec![0];
    shifted.extend(simple(&[]));
    assert_eq!(inspect(&shifted[1..]).unwrap().manifest.name, "meter");
}

#[test]
fn nothing_of_the_library_runs() {
    let folder = TempDir::new().unwrap();
    let (file, trace) = (folder.path().join("plugin.so"), folder.path().join("trace"));
    let macros = [text("NAME", "a"), text("CLAIMS", "[\"*\"]"), text("CONSTRUCTED", trace.to_str().unwrap())];
    compile(&file, &macros.each_ref().map(String::as_str), &[]);
    assert!(inspect(&std::fs::read(&file).unwrap()).is_ok());
    assert!(!trace.exists(), "the constructor ran");
    crate::image::open(&file).unwrap();
    assert!(trace.exists(), "the constructor does run when the library is opened");
}

#[test]
fn other_versions_manifest_is_recognised_by_its_symbol() {
    let error = with_manifest("thingcall_plugin_manifest_v2", "whatever 2 says").unwrap_err();
    assert_eq!(error.to_string(), "built for plugin ABI 2; this host speaks ABI 1");
    let error = with_manifest("thingcall_plugin_manifest_vx", "{}").unwrap_err();
    assert_eq!(error, InspectError::NotPlugin);
}

#[test]
fn unreadable_manifest_is_told() {
    let error = with_manifest("thingcall_plugin_manifest_v1", "{").unwrap_err();
    assert!(matches!(error, InspectError::Manifest(ManifestError::Json(_))), "{error}");
    let long = "x".repeat(MANIFEST_BYTES_MAX);
    let error = with_manifest("thingcall_plugin_manifest_v1", &long).unwrap_err();
    assert_eq!(error.to_string(), "thingcall_plugin_manifest_v1 is not a NUL-terminated text of at most 65536 bytes");
}

#[test]
fn what_is_no_library_is_told() {
    let told = |bytes: &[u8]| inspect(bytes).unwrap_err().to_string();
    for bytes in [&b""[..], b"\x7fELF", b"root:x:0:0:root:/root:/bin/bash\n", b"#!/bin/sh\n"] {
        assert_eq!(told(bytes), "not a 64-bit ELF file");
    }
    let cut = &simple(&[])[..200];
    assert_eq!(told(cut), "a damaged library: program headers are cut off");
}

#[test]
fn static_tls_is_told() {
    let macros = [text("NAME", "a"), text("CLAIMS", "[\"*\"]"), "STATIC_TLS".to_owned()];
    let bytes = plugin(&macros.each_ref().map(String::as_str), &["-fvisibility=default"]);
    assert!(inspect(&bytes).unwrap().static_tls);
}

#[test]
fn the_systems_libraries_are_no_plugins_and_no_danger() {
    let mut looked = 0;
    for folder in ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"] {
        let Ok(entries) = std::fs::read_dir(Path::new(folder)) else { continue };
        for entry in entries.flatten().take(4 * LIBRARIES_MAX) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if looked < LIBRARIES_MAX && name.contains(".so") && entry.path().is_file() {
                let error = inspect(&std::fs::read(entry.path()).unwrap()).unwrap_err();
                let known = matches!(error, InspectError::NotPlugin | InspectError::NotElf | InspectError::Damaged(_));
                assert!(known, "{name}: {error}");
                looked += 1;
            }
        }
    }
    assert!(looked > 0, "this system has its libraries elsewhere");
}

#[test]
fn damaged_files_are_refused_or_read_but_never_a_panic() {
    let whole = simple(&[]);
    let mut random = numbers(42);
    let mut refused = 0;
    for _ in 0..DAMAGED_FILES {
        let mut bytes = whole.clone();
        for _ in 0..=random() % 8 {
            // Half of the damage goes where the headers are.
            let range = if random().is_multiple_of(2) { 1024 } else { bytes.len() as u64 };
            let at = usize::try_from(random() % range).unwrap();
            bytes[at] = match random() % 4 {
                0 => 0,
                1 => 0xff,
                2 => bytes[at] ^ (1 << (random() % 8)),
                _ => u8::try_from(random() % 256).unwrap(),
            };
        }
        if random().is_multiple_of(8) {
            bytes.truncate(usize::try_from(random() % whole.len() as u64).unwrap());
        }
        refused += u64::from(inspect(&bytes).is_err());
    }
    assert!(refused > DAMAGED_FILES / 20 && refused < DAMAGED_FILES, "{refused} of {DAMAGED_FILES} refused");
}

/// The same numbers in every run (xorshift).
fn numbers(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}
