//! Tells the program its compiler and, in a git checkout, its revision.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=../../.git/HEAD");
    println!("cargo::rerun-if-env-changed=THINGCALL_REVISION");
    let revision = std::env::var("THINGCALL_REVISION")
        .ok()
        .or_else(|| said(Command::new("git").args(["rev-parse", "--short=12", "HEAD"])));
    let rustc = std::env::var_os("RUSTC").and_then(|rustc| said(Command::new(rustc).arg("--version")));
    println!("cargo::rustc-env=THINGCALL_REVISION={}", revision.as_deref().unwrap_or("unknown"));
    println!("cargo::rustc-env=THINGCALL_RUSTC={}", rustc.as_deref().unwrap_or("unknown"));
}

/// The first line a command prints, if it succeeds.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned)
}
