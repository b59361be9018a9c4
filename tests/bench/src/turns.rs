//! Contenders that are measured in turns, so that what else the machine does is shared out.
//!
//! **Invariant:** each is started for its turn and ended after it, or stopped while others have theirs, so nobody else's
//! process runs, and no broker carries an answer to somebody who did not ask.

use serde_json::{Value, json};
use thingcall_loader::Execution;

use crate::args::{Args, What};
use crate::deployment::Deployment;
use crate::pace::Plan;
use crate::peer::Peer;
use crate::posting::{Posted, Posts};
use crate::report::{Report, median};
use crate::rest::Resting;
use crate::target::Setup;
use crate::through::Through;
use crate::{bare, echo, output, target};

/// Who is measured.
#[derive(Debug, Clone, Copy)]
enum Contender<'a> {
    Calls(Setup<'a>),
    /// Reports of devices alone.
    Posts(Setup<'a>),
    Reference,
    Echo,
    Peer(&'a Peer),
}

/// Measures each in turn, `rounds` times, and compares them.
///
/// # Errors
/// What could not be started or measured.
pub(crate) async fn run(args: &Args, what: &[What]) -> anyhow::Result<()> {
    let (plan, resting) = (args.plan(), Resting(&args.taking));
    let contenders = contenders(args, what);
    let mut found: Vec<Vec<Report>> = vec![Vec::new(); contenders.len()];
    for _ in 0..args.rounds {
        for (contender, found) in contenders.iter().zip(&mut found) {
            let broker = contender.broker(args);
            resting.turn_of(&[contender.name(), broker.as_deref().unwrap_or_default()])?;
            let (report, posted) = contender.turn(args, plan).await?;
            print(args, contender, plan, (&report, posted.as_ref()));
            found.push(report);
        }
    }
    if args.rounds > 1 || contenders.len() > 1 {
        compare(args, &contenders, &found);
    }
    Ok(())
}

fn contenders<'a>(args: &'a Args, what: &[What]) -> Vec<Contender<'a>> {
    let mut all = Vec::new();
    for what in what {
        match what {
            What::Calls => {
                let calls = Setup { through: Through::BuiltIn, deployment: Deployment::Alone, posts: None };
                all.push(Contender::Calls(calls));
                all.extend(posts(args).map(|posts| Contender::Calls(Setup { posts, ..calls })));
                let executions = [Execution::Pool, Execution::Inline];
                let wanted = if args.inline { &executions[..] } else { &executions[..1] };
                let plugins = args.plugin.iter().flat_map(|file| wanted.iter().map(move |how| (file, *how)));
                let plugins = plugins.map(|(file, how)| Setup { through: Through::Plugin(file, how), ..calls });
                all.extend(plugins.map(Contender::Calls));
                let shared = Deployment::SHARED.iter().filter(|_| args.shared);
                let records = Deployment::RECORDS.iter().filter(|_| args.records);
                let scaling = if args.scaling { Deployment::scaling() } else { Vec::new() };
                let deployed = shared.chain(records).copied().chain(scaling);
                all.extend(deployed.map(|deployment| Contender::Calls(Setup { deployment, ..calls })));
            }
            What::Posts => {
                let alone = |posts| Setup { through: Through::BuiltIn, deployment: Deployment::Alone, posts };
                all.extend(posts(args).map(|posts| Contender::Posts(alone(posts))));
            }
            What::Reference => all.push(Contender::Reference),
            What::Echo => all.push(Contender::Echo),
            What::Peers => all.extend(args.peers.iter().map(Contender::Peer)),
            What::Both
            | What::Handlers
            | What::Devices
            | What::Messages
            | What::Idle
            | What::Growth
            | What::Overload
            | What::EchoServer => {}
        }
    }
    all
}

/// Reports that nobody reads, and the same where each is written: what writing them costs is the difference.
fn posts(args: &Args) -> impl Iterator<Item = Option<Posts>> {
    let rate = args.posts.into_iter();
    rate.flat_map(|rate| [false, true].map(|written| Some(Posts { rate, written })))
}

impl Contender<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Calls(Setup { posts: Some(Posts { written: false, .. }), .. }) => "posts-unread",
            Self::Calls(Setup { posts: Some(Posts { written: true, .. }), .. }) => "posts-written",
            Self::Calls(Setup { through, deployment: Deployment::Alone, .. }) => through.name(),
            Self::Calls(Setup { deployment, .. }) => deployment.name(),
            Self::Posts(Setup { posts: Some(Posts { written: false, .. }), .. }) => "unread",
            Self::Posts(_) => "written",
            Self::Reference => "reference",
            Self::Echo => "echo",
            Self::Peer(peer) => &peer.name,
        }
    }

    /// Its broker's name; none where none takes part, or nobody here knows which.
    fn broker(&self, args: &Args) -> Option<String> {
        match self {
            Self::Calls(_) | Self::Posts(_) => Some(args.broker.to_string()),
            Self::Reference => Some(args.reference_broker().to_string()),
            Self::Echo | Self::Peer(_) => None,
        }
    }

    async fn turn(&self, args: &Args, plan: Plan) -> anyhow::Result<(Report, Option<Posted>)> {
        let report = match self {
            Self::Calls(setup) => return target::turn(args, *setup, plan).await,
            Self::Posts(setup) => return target::turn(args, *setup, plan.without_calls()).await,
            Self::Reference => bare::turn(args, plan).await?,
            Self::Echo => echo::turn(args, plan).await?,
            Self::Peer(peer) => peer.turn(args.devices, plan).await?,
        };
        Ok((report, None))
    }
}

fn print(args: &Args, contender: &Contender<'_>, plan: Plan, (report, posted): (&Report, Option<&Posted>)) {
    let broker = contender.broker(args);
    if !args.json {
        if !matches!(contender, Contender::Posts(_)) {
            output::line(report.text(contender.name(), broker.as_deref().unwrap_or("-")));
        }
        let cores = report.cpu_cores().unwrap_or_default();
        let said = |posted: &Posted| output::line(posted.text(contender.name(), cores));
        return posted.into_iter().for_each(said);
    }
    let mut object = report.json();
    object.extend(posted.map(Posted::json).unwrap_or_default());
    let about = [
        ("what", json!(contender.name())),
        ("broker", json!(broker)),
        ("inFlight", json!(plan.in_flight)),
        ("rate", json!(plan.rate)),
        ("devices", json!(args.devices)),
        ("qos", json!(args.qos.digit().parse::<u8>().ok())),
        ("asynchronous", json!(args.asynchronous)),
        ("signature", json!(format!("{:?}", args.signature).to_lowercase())),
    ];
    object.extend(about.map(|(name, value)| (name.to_owned(), value)));
    output::object(object);
}

/// The medians of each, and of its share of another's calls in the same round: the reference's where there is one, else
/// the server's without a plugin, else the first one's.
fn compare(args: &Args, contenders: &[Contender<'_>], found: &[Vec<Report>]) {
    let base = ["reference", "calls"].iter().find_map(|name| contenders.iter().position(|one| one.name() == *name));
    let base = base.unwrap_or(0);
    let Some((against, theirs)) = contenders.get(base).zip(found.get(base)) else { return };
    let (against, theirs) = (against.name(), theirs.iter().map(Report::per_second).collect::<Vec<_>>());
    for (contender, reports) in contenders.iter().zip(found) {
        let name = contender.name();
        let shares = reports.iter().map(Report::per_second).zip(&theirs).map(|(own, theirs)| own / theirs).collect();
        let share = median(shares);
        let mut medians = Report::medians(reports);
        if args.json {
            let about = [
                ("what", json!("median")),
                ("of", json!(name)),
                ("rounds", json!(args.rounds)),
                ("share", json!(share)),
                ("shareOf", json!(against)),
            ];
            medians.extend(about.map(|(name, value)| (name.to_owned(), value)));
            output::object(medians);
        } else {
            let calls = medians.get("callsPerSecond").and_then(Value::as_f64).unwrap_or_default();
            output::line(format_args!("{name:<9}  median {calls:.0} calls/s, {:.1} % of {against}", share * 100.0));
        }
    }
}
