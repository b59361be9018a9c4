//! What packages install beside the program: man pages and completions, held by those who read them.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use thingcall_tests::run_ok;

/// What `thingcall generate` writes of this kind, by name.
fn generated(kind: &str) -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    run_ok([Path::new("generate"), Path::new(kind), folder.path()]);
    let files = std::fs::read_dir(folder.path()).expect("it was written").map(|file| file.expect("a file").path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    (folder, files)
}

/// What a command says, which must succeed.
fn says(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {said}{wrong}");
    said.into_owned()
}

#[test]
fn every_man_page_can_be_read_and_is_the_same_each_time() {
    let (_folder, pages) = generated("man");
    says(Command::new("mandoc").args(["-T", "lint", "-W", "error"]).args(&pages));
    let (_other, again) = generated("man");
    for (page, again) in pages.iter().zip(&again) {
        assert_eq!(std::fs::read(page).expect("a page"), std::fs::read(again).expect("a page"), "{}", page.display());
    }
    let page = pages.iter().find(|page| page.ends_with("thingcall-product-import.1")).expect("of each command");
    let read = says(Command::new("mandoc").args(["-T", "html"]).arg(page));
    assert!(read.contains("product") && read.contains("SYNOPSIS"), "{read}");
}

#[test]
fn each_shell_takes_its_completions_and_bash_completes() {
    let (_folder, files) = generated("completions");
    let names: Vec<_> = files.iter().map(|file| file.file_name().expect("a name").to_string_lossy()).collect();
    assert_eq!(names, ["_thingcall", "thingcall.bash", "thingcall.fish"]);
    for (shell, file) in ["zsh", "bash", "fish"].iter().zip(&files) {
        says(Command::new(shell).arg("-n").arg(file));
    }
    let completed = |words: &str, at: usize| {
        let last = words.rsplit(' ').next().unwrap_or_default();
        let script = format!(
            "source '{}'; COMP_WORDS=({words}); COMP_CWORD={at}; _thingcall thingcall '{last}' x; echo \"${{COMPREPLY[@]}}\"",
            files[1].display()
        );
        says(Command::new("bash").args(["-c", &script])).trim().to_owned()
    };
    assert_eq!(completed("thingcall prod", 1), "product");
    assert_eq!(completed("thingcall product imp", 2), "import");
    assert!(completed("thingcall serve --con", 2).contains("--config"));
}
