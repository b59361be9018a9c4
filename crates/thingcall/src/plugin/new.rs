//! `thingcall plugin new`: a folder with a plugin that builds and passes its own test.
//!
//! **Invariant:** the templates are real files that build as they stand; only their name is replaced.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::output;

mod files;

use files::File;

/// The name in the templates, in the three ways it is written: package, module, type.
const TEMPLATE: Name<'static> =
    Name { package: "my-plugin", library: "my_plugin", module: "myPlugin", kind: "MyPlugin" };
/// As the loader has it.
const NAME_BYTES_MAX: usize = 40;
/// Names that cargo or the compiler has another use for.
const TAKEN: &[&str] = &["alloc", "core", "proc-macro", "std", "test", "thingcall-plugin"];

/// What to make.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  thingcall plugin new meter\n  thingcall plugin new meter --lang c --path \
    ~/plugins\n\nThe folder holds all it needs of thingcall, so it builds anywhere. Its README says how to go on.")]
pub(crate) struct Args {
    /// Its name: 1 to 40 of a-z, 0-9 and -, beginning with a letter
    #[arg(value_parser = checked)]
    name: String,
    /// The language
    #[arg(long, value_enum, default_value = "rust")]
    lang: Language,
    /// The folder to make its folder in
    #[arg(long, value_name = "DIR", default_value = ".")]
    path: PathBuf,
}

/// The languages there are templates for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Language {
    /// With `thingcall-plugin`, as an `async fn`
    Rust,
    /// With `thingcall_plugin.h`, as callbacks
    C,
}

/// Runs `thingcall plugin new`.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let folder = args.path.join(&args.name);
    if folder.exists() {
        bail!("{} is there already", folder.display());
    }
    for file in written(args.lang, &args.name) {
        let place = folder.join(&file.path);
        put(&place, &file.text).with_context(|| format!("{} cannot be written", place.display()))?;
    }
    output::line(next(args.lang, &folder));
    Ok(())
}

fn put(place: &Path, text: &str) -> std::io::Result<()> {
    place.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    std::fs::write(place, text)
}

/// What to do next.
fn next(language: Language, folder: &Path) -> String {
    let shown = folder.display();
    let test = match language {
        Language::Rust => "cargo test",
        Language::C => "make test",
    };
    format!(
        "{shown} is ready. Next:\n  cd {shown}\n  {test}\n  thingcall plugin build\nand move the file that it prints into \
        the server's plugin folder; README.md tells more."
    )
}

/// A file to write.
#[derive(Debug, PartialEq, Eq)]
struct NewFile {
    path: PathBuf,
    text: String,
}

/// The files of a plugin of this name.
fn written(language: Language, name: &str) -> Vec<NewFile> {
    let (own, shared): (_, &[&[File]]) = match language {
        Language::Rust => (files::RUST, &[files::SDK_MANIFEST, files::SDK]),
        Language::C => (files::C, &[files::HEADER]),
    };
    let (module, kind) = (joined(name, false), joined(name, true));
    let library = name.replace('-', "_");
    let name = Name { package: name, library: &library, module: &module, kind: &kind };
    let own = own.iter().map(|File { path, text }| NewFile { path: name.put(path).into(), text: name.put(text) });
    let shared = shared.iter().copied().flatten();
    let shared = shared.map(|File { path, text }| NewFile { path: path.into(), text: (*text).to_owned() });
    own.chain(shared).collect()
}

/// A plugin's name as it is written in different places.
struct Name<'a> {
    package: &'a str,
    library: &'a str,
    module: &'a str,
    kind: &'a str,
}

impl Name<'_> {
    /// The template's text with this name in the place of its own.
    fn put(&self, text: &str) -> String {
        text.replace(TEMPLATE.package, self.package)
            .replace(TEMPLATE.library, self.library)
            .replace(TEMPLATE.module, self.module)
            .replace(TEMPLATE.kind, self.kind)
    }
}

/// `water-meter` as `waterMeter`, or with a capital as `WaterMeter`.
fn joined(name: &str, capital: bool) -> String {
    let mut raise = capital;
    let mut joined = String::new();
    for letter in name.chars() {
        if letter == '-' {
            raise = true;
        } else {
            joined.push(if raise { letter.to_ascii_uppercase() } else { letter });
            raise = false;
        }
    }
    joined
}

fn checked(name: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if !begins || name.len() > NAME_BYTES_MAX || !name.bytes().all(fits) {
        return Err("a name is 1 to 40 of a-z, 0-9 and -, and begins with a letter".to_owned());
    }
    if TAKEN.contains(&name) {
        return Err(format!("{name} is the name of something else; choose another"));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests;
