//! `thingcall health`: whether a server lives, or is ready, for checks of containers: quick, and quiet where all is well.

use std::process::ExitCode;
use std::time::Duration;

use hyper::{Method, StatusCode};

use crate::output;
use crate::running::{Running, ask_text};
use crate::tool::Place;

/// A server answers these from memory; checks of containers give up after a few seconds.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Which server.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  HEALTHCHECK CMD [\"thingcall\", \"health\", \"--data\", \"/var/lib/thingcall\"]\n  thingcall health \
    --ready --metrics 127.0.0.1:9464\n\nPrints nothing where all is well, else why not, on standard error. Without --ready, a server that \
    answers is well: one that waits for its broker must not be started anew for that. Exit status: 0 if it is so, else 1."
)]
pub(crate) struct Args {
    /// Ask whether it takes calls (/readyz), and not only whether it lives (/healthz)
    #[arg(long)]
    ready: bool,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    place: Place,
}

/// Runs `thingcall health`. Only a command line that cannot be read is wrong use: 2 has a meaning of its own to those who check.
pub(crate) async fn run(args: Args) -> ExitCode {
    match checked(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            output::note(format_args!("{why:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn checked(args: &Args) -> anyhow::Result<()> {
    let path = if args.ready { "/readyz" } else { "/healthz" };
    let (status, text) = ask_text(args.running.address(&args.place)?, Method::GET, path, ANSWER_TIMEOUT).await?;
    anyhow::ensure!(status == StatusCode::OK, "{}", text.trim_end());
    Ok(())
}
