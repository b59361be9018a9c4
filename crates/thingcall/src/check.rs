//! `thingcall check`: says everything that is wrong with a configuration and a thing model, and starts nothing.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::config::Found;
use crate::models::Files;
use crate::output::{self, Output};
use crate::preflight::{Asks, Preflight, preflight};
use crate::serve::Listening;
use crate::tool::Place;

/// What to check.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  thingcall check --config /etc/thingcall.toml\n  thingcall check model.json \
    testFb.json\n\nLooks at all that `serve` looks at before it starts: values, certificates, ports, the data folder, the \
    store, and plugin files, whose code is not run. Run it as the user that serves. It may run beside the server of the \
    data folder. A thing model named alone is checked without a look at ports and files. Exit status: 0 if all is well; \
    else 1, also where a server would start and some calls would fail: a plugin that would be refused, a device whose \
    transport is not configured, a certificate that is not valid now or ends within days.")]
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

/// Runs `thingcall check`. `strangers` are variables that look like ours.
pub(crate) async fn run(args: &Args, strangers: &[Found]) -> ExitCode {
    let mut problems: Vec<(String, Value)> = Vec::new();
    let (wrong, doubts, mut warnings) = configuration(args).await;
    if wrong.is_empty() && doubts.is_empty() {
        good(args.output, "configuration", args.place.config.as_ref().map(|path| path.display().to_string()));
    } else {
        bad(args.output, "configuration");
    }
    let starts = wrong.is_empty() && !doubts.is_empty();
    let of_configuration = |found: Found, starts: bool| {
        let mut json = found.json();
        json.extend([("serverStarts".to_owned(), json!(starts))]);
        (found.to_string(), Value::Object(json))
    };
    problems.extend(wrong.into_iter().map(|found| of_configuration(found, false)));
    problems.extend(doubts.into_iter().map(|found| of_configuration(found, true)));
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
    warnings.extend_from_slice(strangers);
    for stranger in &warnings {
        let mut json = stranger.json();
        json.remove("problem");
        json.extend([("warning".to_owned(), json!(stranger.to_string()))]);
        if args.output.json {
            output::line(Value::Object(json))
        } else {
            output::line(format_args!("warning: {stranger}"))
        }
    }
    for (sentence, json) in &problems {
        if args.output.json { output::line(json) } else { output::line(sentence) }
    }
    if problems.is_empty() {
        return ExitCode::SUCCESS;
    }
    if starts && !args.output.json {
        output::note("a server would start with this configuration all the same");
    }
    ExitCode::FAILURE
}

/// What is wrong with the configuration and around it, what would let calls fail but no start, and what should be otherwise. Of a thing model alone
/// nobody asks what is around.
async fn configuration(args: &Args) -> (Vec<Found>, Vec<Found>, Vec<Found>) {
    let flags = args.listening.flags();
    let model_alone = !args.models.is_empty() && args.place.is_default() && flags.is_empty();
    let mut reading = args.place.read(flags);
    let warnings = std::mem::take(&mut reading.warnings.0);
    if model_alone {
        return (reading.problems.0, Vec::new(), warnings);
    }
    let Preflight { problems, doubts, .. } = Box::pin(preflight(reading, Asks::Person)).await;
    (problems.0, doubts.0, warnings)
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
