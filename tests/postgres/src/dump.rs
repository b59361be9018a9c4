//! Backups by PostgreSQL's own tools, called as thingcall says that they are.

use std::path::Path;
use std::process::Command;

use crate::{Database, program};

impl Database {
    /// A backup by PostgreSQL's own tool, as thingcall says that it is made.
    ///
    /// # Panics
    /// If it fails.
    pub fn dump(&self, file: &Path) {
        let file = format!("--file={}", file.display());
        done(Command::new(program("pg_dump")).args([
            "--format=custom",
            "--no-unlogged-table-data",
            &file,
            &self.url(),
        ]));
    }

    /// Restores such a backup into this database, which must be empty.
    ///
    /// # Panics
    /// If it fails.
    pub fn restore(&self, file: &Path) {
        let url = format!("--dbname={}", self.url());
        done(Command::new(program("pg_restore")).args(["--exit-on-error", "--no-owner", &url]).arg(file));
    }
}

fn done(command: &mut Command) {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
