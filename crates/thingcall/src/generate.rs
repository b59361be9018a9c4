//! `thingcall generate`: man pages and completions, from the definition of the command line.
//!
//! **Invariant:** each command that the help shows has its page, and nothing here is written twice.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap_complete::Shell;

use crate::output;

/// The name of the program.
const NAME: &str = "thingcall";
/// The shells that completions are written for.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// What to write.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// A man page of each command, `thingcall.1`, `thingcall-call.1` and so on
    Man(Folder),
    /// Completions for bash (`thingcall.bash`), zsh (`_thingcall`) and fish (`thingcall.fish`)
    Completions(Folder),
}

/// Where to.
#[derive(Debug, clap::Args)]
pub(crate) struct Folder {
    /// The folder, which is made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs `thingcall generate ...`.
///
/// # Errors
/// If a file cannot be written.
pub(crate) fn run(command: &Command, program: clap::Command) -> anyhow::Result<()> {
    let (Command::Man(Folder { folder }) | Command::Completions(Folder { folder })) = command;
    let failed = || format!("cannot write to {}", folder.display());
    std::fs::create_dir_all(folder).with_context(failed)?;
    match command {
        Command::Man(_) => man(program, folder).with_context(failed)?,
        Command::Completions(_) => completions(program, folder).with_context(failed)?,
    }
    output::line(folder.display());
    Ok(())
}

fn man(program: clap::Command, folder: &Path) -> std::io::Result<()> {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    page(&program, NAME, folder)
}

/// The page of a command, and those of all below it.
fn page(command: &clap::Command, name: &str, folder: &Path) -> std::io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        page(below, &format!("{name}-{}", below.get_name()), folder)?;
    }
    // In place of a time: the same program writes the same pages.
    let version = concat!("thingcall ", env!("CARGO_PKG_VERSION"));
    let command = command.clone().display_name(name.to_owned());
    let man = clap_mangen::Man::new(command).title(name).date(version).source(version).manual("thingcall");
    man.generate_to(folder).map(drop)
}

fn completions(mut program: clap::Command, folder: &Path) -> std::io::Result<()> {
    for shell in SHELLS {
        clap_complete::generate_to(shell, &mut program, NAME, folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    //! That nothing is left out.

    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn pages(command: &clap::Command, name: &str) -> Vec<String> {
        let below = command.get_subcommands().filter(|below| !below.is_hide_set());
        let below = below.flat_map(|below| pages(below, &format!("{name}-{}", below.get_name())));
        std::iter::once(format!("{name}.1")).chain(below).collect()
    }

    #[test]
    fn every_command_that_is_shown_has_its_page() {
        let folder = tempfile::tempdir().expect("a folder");
        let command = Command::Man(Folder { folder: folder.path().join("man") });
        run(&command, Cli::command()).expect("it writes");
        let files = std::fs::read_dir(folder.path().join("man")).expect("the pages").flatten();
        let mut written: Vec<_> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
        let mut shown = pages(&Cli::command(), NAME);
        written.sort();
        shown.sort();
        assert_eq!(written, shown);
        assert!(written.len() > 60 && !written.contains(&"thingcall-generate.1".to_owned()), "{}", written.len());
    }
}
