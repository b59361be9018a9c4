//! What the front counts.
//!
//! **Invariant:** labels come from closed lists; every series is there from the start, at zero.

use std::time::Duration;

use hyper::StatusCode;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};
use thingcall_core::Outcome;

use crate::actions::Action;
use crate::gateway::GatewayError;

pub(crate) mod fullness;

/// Seconds; one bound is exactly the time a synchronous call may take.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 8.0, 10.0];

/// The route of requests that name no action there is.
const OTHER: &str = "other";

/// What became of a request at the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AuthResult {
    /// Let in.
    Ok,
    /// Its claim is wrong.
    Denied,
    /// It has no claim that could be judged.
    Error,
    /// It may be right, and there is no room to remember it.
    Throttled,
}

impl AuthResult {
    const WORDS: [&str; 4] = ["ok", "denied", "error", "throttled"];
}

/// The front's counters.
#[derive(Debug)]
pub(crate) struct Metrics {
    routes: Vec<Route>,
    auth: Vec<IntCounter>,
}

#[derive(Debug)]
struct Route {
    seconds: Histogram,
    by_status: Vec<(StatusCode, IntCounter)>,
}

impl Metrics {
    /// Registers everything at zero.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new("thingcall_http_requests_total", "Requests answered, by action and HTTP status"),
            &["route", "code"],
        )?;
        let seconds = HistogramVec::new(
            HistogramOpts::new("thingcall_http_request_duration_seconds", "From a request's head to its answer")
                .buckets(BUCKETS.to_vec()),
            &["route"],
        )?;
        let auth =
            IntCounterVec::new(Opts::new("thingcall_auth_total", "Requests judged by their signature"), &["result"])?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(auth.clone()))?;
        let names = Action::ALL.iter().map(|action| action.as_str()).chain([OTHER]);
        let routes = names.map(|name| Route::new(name, &requests, &seconds)).collect::<Result<_, _>>()?;
        let auth = AuthResult::WORDS.iter().map(|word| auth.get_metric_with_label_values(&[word]));
        Ok(Self { routes, auth: auth.collect::<Result<_, _>>()? })
    }

    /// Counts an answered request.
    pub(crate) fn answered(&self, action: Option<Action>, status: StatusCode, took: Duration) {
        let index = action.map_or(Action::ALL.len(), |action| action as usize);
        let Some(route) = self.routes.get(index) else { return };
        route.seconds.observe(took.as_secs_f64());
        if let Some((_, counter)) = route.by_status.iter().find(|(code, _)| *code == status) {
            counter.inc();
        }
    }

    /// Counts what could not be read as a request. How long it took is not known.
    pub(crate) fn unread(&self, status: StatusCode) {
        let counted = self.routes.last().and_then(|other| other.by_status.iter().find(|(code, _)| *code == status));
        if let Some((_, counter)) = counted {
            counter.inc();
        }
    }

    /// Counts a request that was let in.
    pub(crate) fn admitted(&self) {
        self.judged(AuthResult::Ok);
    }

    /// Counts a request that was not let in.
    pub(crate) fn refused(&self, why: &GatewayError) {
        let outcome = why.outcome();
        let denied = outcome == Outcome::Denied;
        // Overload is never counted as unknown or malformed.
        let throttled = matches!(outcome, Outcome::Throttled | Outcome::Overloaded);
        self.judged(match (denied, throttled) {
            (true, _) => AuthResult::Denied,
            (false, true) => AuthResult::Throttled,
            (false, false) => AuthResult::Error,
        });
    }

    fn judged(&self, result: AuthResult) {
        if let Some(counter) = self.auth.get(result as usize) {
            counter.inc();
        }
    }
}

impl Route {
    fn new(name: &str, requests: &IntCounterVec, seconds: &HistogramVec) -> Result<Self, prometheus::Error> {
        let by_status = std::iter::once(StatusCode::OK)
            .chain(GatewayError::STATUSES)
            .map(|status| Ok((status, requests.get_metric_with_label_values(&[name, status.as_str()])?)));
        Ok(Self {
            seconds: seconds.get_metric_with_label_values(&[name])?,
            by_status: by_status.collect::<Result<_, prometheus::Error>>()?,
        })
    }
}
