//! Environment variables that look like ours and are none: a key that was meant to be set, and is not.

use clap::Command;
use thingcall_core::Problem;

use crate::config::{Found, Place};

/// Each of these variables that looks like ours and is none, neither a key nor an option of this command or those below it.
///
/// They are told and no more: the variables of a container platform may begin like ours by themselves.
pub(crate) fn among(names: impl Iterator<Item = String>, command: &Command) -> Vec<Found> {
    let ours = variables(command);
    let looks_like_ours = |name: &String| name.starts_with("THINGCALL_") && !name.starts_with("THINGCALL__");
    let mut strangers: Vec<_> = names.filter(|name| looks_like_ours(name) && !ours.contains(name)).collect();
    strangers.sort();
    let right = "THINGCALL__SECTION__KEY, with two underscores";
    let problem = || Problem::new("", "no key and no option", right);
    strangers.into_iter().map(|name| Found { place: Place::Variable(name), problem: problem() }).collect()
}

/// The names of this process's environment.
pub(crate) fn environment() -> impl Iterator<Item = String> {
    std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())
}

/// The variables that stand for options of a command.
fn variables(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str().map(str::to_owned));
    own.chain(command.get_subcommands().flat_map(variables)).collect()
}

#[cfg(test)]
mod tests;
