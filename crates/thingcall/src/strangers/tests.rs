//! Which variables are strangers.

use clap::CommandFactory;

use super::*;
use crate::cli::Cli;

#[test]
fn variable_that_looks_like_ours_and_is_none_is_named() {
    let names = ["THINGCALL_API__LISTEN", "THINGCALL__API__LISTEN", "THINGCALL_CONFIG", "THINGCALL_KEY_ID", "PATH"];
    let told = among(names.iter().map(ToString::to_string), &Cli::command());
    assert_eq!(told.len(), 1, "{told:?}");
    let right = "environment variable THINGCALL_API__LISTEN: is no key and no option; right is THINGCALL__SECTION__KEY, \
                 with two underscores";
    assert_eq!(told[0].to_string(), right);
}
