//! What the front counts.
//!
//! **Invariant:** labels come from closed lists; every series is there from the start, at zero.

use std::time::Duration;

use enum_map::{Enum, EnumMap};
use hyper::StatusCode;
use prometheus::{Histogram, IntCounter, Registry};
use strum::IntoStaticStr;
use thingcall_core::{ErrorCode, Outcome};
use thingcall_metrics::Maker;

use crate::actions::Action;
use crate::error::ActionError;
use crate::gateway::{GatewayCode, GatewayError};

pub(crate) mod fullness;

/// Seconds; one bound is exactly the time a synchronous call may take.
const BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 8.0, 10.0];

/// What became of a request at the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum AuthResult {
    /// Let in.
    Ok,
    /// Its claim is wrong.
    Denied,
    /// It has no claim that could be judged.
    Error,
    /// It may be right, and there is no room to remember it.
    Throttled,
    /// It may be right, and nobody can say whether it was sent before.
    Unknown,
}

/// What callers read of how their request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
pub(crate) enum Code {
    /// It was done.
    #[strum(serialize = "ok")]
    Ok,
    /// The action failed.
    #[strum(transparent)]
    Failed(ErrorCode),
    /// It was not let in.
    #[strum(transparent)]
    Refused(GatewayCode),
}

impl Code {
    /// Of what an action came to.
    pub(crate) fn of<T>(result: &Result<T, ActionError>) -> Self {
        match result {
            Ok(_) => Self::Ok,
            Err(ActionError::Gateway(why)) => Self::Refused(why.counted_as()),
            Err(ActionError::Service(why)) => Self::Failed(why.code),
        }
    }
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
enum Route {
    #[strum(transparent)]
    To(Action),
    /// A stream of events.
    #[strum(serialize = "StreamMessages")]
    Events,
    /// It names no action there is.
    #[strum(serialize = "other")]
    Other,
}

/// The front's counters.
#[derive(Debug)]
pub(crate) struct Metrics {
    requests: EnumMap<Route, Vec<(StatusCode, IntCounter)>>,
    seconds: EnumMap<Route, Histogram>,
    answers: EnumMap<Code, IntCounter>,
    auth: EnumMap<AuthResult, IntCounter>,
    forbidden: IntCounter,
    /// Refusals that are not in the audit log, since so many of their keys are.
    pub(crate) audit_left_out: IntCounter,
}

impl Metrics {
    /// Registers everything at zero.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let make = Maker::new(registry);
        let requests = make.counter_family(
            "http_requests_total",
            "Requests answered, by action and HTTP status",
            ["route", "code"],
        )?;
        let statuses = || std::iter::once(StatusCode::OK).chain(GatewayError::STATUSES);
        let by_status =
            |route: Route| statuses().map(|of| (of, requests.series([route.into(), of.as_str()]))).collect();
        Ok(Self {
            requests: EnumMap::from_fn(by_status),
            seconds: make.histograms(
                "http_request_duration_seconds",
                "From a request's head to its answer",
                BUCKETS,
                ["route"],
            )?,
            answers: make.counters(
                "answers_total",
                "Answers to requests, by the code that callers read; ok is none, and Missing that of any missing parameter",
                ["code"],
            )?,
            auth: make.counters("auth_total", "Requests judged by their signature", ["result"])?,
            audit_left_out: make.counter(
                "api_audit_left_out_total",
                "Refused changes that the audit log has no entry of, since it has enough of their key in that minute",
            )?,
            forbidden: make.counter("forbidden_requests_total", "Requests that no rule of their access key allows")?,
        })
    }

    /// Counts an answered request.
    pub(crate) fn answered(&self, action: Option<Action>, (status, code): (StatusCode, Code), took: Duration) {
        let route = action.map_or(Route::Other, Route::To);
        self.seconds[route].observe(took.as_secs_f64());
        self.count(route, status, code);
    }

    /// Counts a request for events that was answered; how long its stream lasts is none of that.
    pub(crate) fn events_answered(&self, (status, code): (StatusCode, Code), took: Duration) {
        self.seconds[Route::Events].observe(took.as_secs_f64());
        self.count(Route::Events, status, code);
    }

    /// Counts what could not be read as a request. How long it took is not known.
    pub(crate) fn unread(&self, why: &GatewayError) {
        self.count(Route::Other, why.status(), Code::Refused(why.counted_as()));
    }

    fn count(&self, route: Route, status: StatusCode, code: Code) {
        self.answers[code].inc();
        if let Some((_, counter)) = self.requests[route].iter().find(|(code, _)| *code == status) {
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
        // Overload is never counted as unknown or malformed.
        self.judged(if outcome == Outcome::Denied {
            AuthResult::Denied
        } else if matches!(outcome, Outcome::Throttled | Outcome::Overloaded) {
            AuthResult::Throttled
        } else if *why == GatewayError::NoncesUnknown {
            AuthResult::Unknown
        } else {
            AuthResult::Error
        });
    }

    /// Counts a request that was let in, and that its key may not make.
    pub(crate) fn forbidden(&self) {
        self.forbidden.inc();
    }

    fn judged(&self, result: AuthResult) {
        self.auth[result].inc();
    }
}
