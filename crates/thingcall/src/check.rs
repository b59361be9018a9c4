//! `thingcall check`: says everything that is wrong with a configuration and a thing model, and starts nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::config;
use crate::models::Files;
use crate::output::{self, Output};
use crate::serve::Listening;
use crate::tool::Place;

/// What to check.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  thingcall check --config /etc/thingcall.toml\n  thingcall check model.json \
    testFb.json\n\nWithout --config it checks the defaults with the THINGCALL__ variables. Exit status: 0 if all is \
    well, else 1.")]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    listening: Listening,
    /// The files of one thing model: the default module's, and those of custom modules
    #[arg(value_name = "MODEL.json")]
    models: Vec<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// Runs `thingcall check`.
pub(crate) fn run(args: &Args) -> ExitCode {
    let mut problems: Vec<(String, Value)> = Vec::new();
    let found = args.place.read(args.listening.flags()).problems.0;
    if found.is_empty() {
        good(args.output, "configuration", args.place.config.as_ref().map(|path| path.display().to_string()));
    } else {
        bad(args.output, "configuration");
    }
    problems.extend(found.iter().map(|found| (found.to_string(), found.json())));
    if !args.models.is_empty() {
        match models(&args.models) {
            Ok((services, warnings)) => {
                good(args.output, "thing model", Some(services));
                for warning in warnings {
                    match args.output.json {
                        true => output::line(json!({ "warning": warning })),
                        false => output::line(format_args!("warning: {warning}")),
                    }
                }
            }
            Err(found) => {
                bad(args.output, "thing model");
                problems.extend(found.into_iter().map(|line| (line.clone(), json!({ "problem": line }))));
            }
        }
    }
    for stranger in config::strangers::told(config::strangers::environment()) {
        if args.output.json { output::line(json!({ "warning": stranger })) } else { output::line(stranger) }
    }
    for (sentence, json) in &problems {
        if args.output.json { output::line(json) } else { output::line(sentence) }
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn good(output: Output, what: &str, which: Option<String>) {
    if output.json {
        return output::object(json!({ "checked": what, "right": true, "which": which }));
    }
    output::line(format_args!("{what}{} is right", which.map(|which| format!(" ({which})")).unwrap_or_default()));
}

/// Its problems follow.
fn bad(output: Output, what: &str) {
    if output.json {
        output::object(json!({ "checked": what, "right": false }));
    }
}

/// What services there are, and warnings; or what is wrong, one line each.
fn models(paths: &[PathBuf]) -> Result<(String, Vec<String>), Vec<String>> {
    let files = Files::read(paths).map_err(|error| vec![error.to_string()])?;
    let (model, warnings) = files.parsed().map_err(|problems| files.lines(problems.iter()))?;
    let services: Vec<_> = model.services().map(|(id, _)| id.to_string()).collect();
    Ok((if services.is_empty() { "no services".to_owned() } else { services.join(", ") }, warnings))
}
