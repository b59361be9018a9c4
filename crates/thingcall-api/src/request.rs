//! A request from its head to its answer.
//!
//! **Invariant:** every request that hyper can read gets an answer with a body in the form it asked for, is counted
//! once under a name of a closed list, and leaves one line in the log if it was refused. While a device is waited for,
//! nothing of the request is kept: hyper reads on into the same memory.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Incoming as Unread;
use hyper::header::{HOST, HeaderName};
use hyper::http::request::Parts;
use thingcall_core::{AccessKey, ErrorCode, Executed, FailedAt, Outcome, PeerText, RequestId, UnixMillis};
use thingcall_listen::{Caller, Serve};
use thingcall_tsl::Directory;
use tokio::time::Instant;
use tracing::debug;

use crate::actions::Action;
use crate::answer::{About, Answer, Format};
use crate::auth::{Gate, Scheme};
use crate::config::Config;
use crate::error::Failure;
use crate::gateway::Refusal;
use crate::headers;
use crate::invoke::{Call, Calls};
use crate::metrics::Metrics;
use crate::params::Params;
use crate::quota::Quota;
use crate::{body, sign, unread};

/// How much of the string to sign is told where there is no room for more: enough for calls of usual size.
const ECHO_BYTES_BUSY: usize = 4 * 1024;

/// What requests are answered with. Shared by all connections.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) calls: Arc<dyn Calls>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) gate: Gate,
    pub(crate) quota: Quota,
    pub(crate) metrics: Metrics,
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Incoming<'a> {
    /// When its head was there.
    pub(crate) received: Instant,
    /// Names it in the answer and in logs.
    pub(crate) id: RequestId,
    /// Its head.
    pub(crate) head: &'a Parts,
    /// Its whole body.
    pub(crate) body: &'a [u8],
    /// Its parameters, of query and body.
    pub(crate) params: Params<'a>,
    /// How it is signed.
    pub(crate) scheme: Scheme,
}

impl<'a> Incoming<'a> {
    pub(crate) fn read(received: Instant, head: &'a Parts, body: &'a [u8]) -> Self {
        let params = Params::read(head.uri.query().unwrap_or_default(), body);
        let mut incoming = Self { received, id: RequestId::random(), head, body, params, scheme: Scheme::V1 };
        incoming.scheme = Scheme::of(&incoming);
        incoming
    }

    /// The text of a header; `None` if it is absent or not text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// A system parameter: in a header or among the parameters, as it is signed.
    fn system(&self, header: &HeaderName, parameter: &str) -> Option<&str> {
        match self.scheme {
            Scheme::Acs3 => self.header(header),
            Scheme::V1 => self.params.get(parameter),
        }
    }

    fn format(&self) -> Result<Format, Refusal> {
        let default = match self.scheme {
            Scheme::Acs3 => Format::Json,
            Scheme::V1 => Format::Xml,
        };
        let Some(word) = self.params.get("Format") else { return Ok(default) };
        Format::from_word(word).ok_or_else(|| Refusal::Invalid {
            name: "Format",
            problem: format!("it is {:?}; right is JSON or XML", word.chars().take(64).collect::<String>()),
        })
    }
}

/// What a request asks for, once it may ask.
enum Asked {
    /// A device: nothing of the request is needed any more.
    Device(Call),
    /// Anything else.
    Other(Action),
}

impl Serve for App {
    type Body = Full<Bytes>;

    fn answer(self: Arc<Self>, request: Request<Unread>, caller: Caller) -> impl Future<Output = Answer> + Send {
        handle(self, request, caller)
    }

    fn refuse(&self, unread: &thingcall_listen::Unread<'_>) -> Answer {
        unread::refuse(unread, self)
    }
}

/// Answers a request.
async fn handle(app: Arc<App>, request: Request<Unread>, caller: Caller) -> Answer {
    let received = Instant::now();
    let (head, body) = request.into_parts();
    let body = body::read(&app, &head, body, &caller).await;
    let (body, unread) = body.map_or_else(|refusal| (Bytes::new(), Some(refusal)), |body| (body, None));
    let incoming = Incoming::read(received, &head, &body);
    let name = incoming.system(&headers::ACTION, "Action");
    let action = name.and_then(Action::from_name);
    let format = incoming.format();
    let about = About {
        format: *format.as_ref().unwrap_or(&Format::Json),
        action: action.map_or("", Action::as_str),
        id: incoming.id,
    };
    let asked =
        unread.map_or(format, Err).map_err(Failure::from).and_then(|_| app.judge(&incoming, action, name, &caller));
    // What a device does wrong is no refusal, and only those name the host.
    let host = if matches!(asked, Ok(Asked::Device(_))) { String::new() } else { host(&head).to_owned() };
    let result = match asked {
        Ok(Asked::Device(call)) => {
            drop(incoming);
            drop((head, body));
            call.run(&app).await
        }
        Ok(Asked::Other(action)) => match action.run(&*app.directory, &incoming.params).await {
            Err(failure @ Failure::Gateway(_)) => Err(app.refused(&incoming, &caller, failure)),
            result => result,
        },
        Err(failure) => Err(app.refused(&incoming, &caller, failure)),
    };
    let response = match result {
        Ok(fields) => about.success(fields),
        Err(failure) => {
            log(&about, &failure);
            about.failure(&app.echoed(failure, &caller), &host)
        }
    };
    app.metrics.answered(action, response.status(), received.elapsed());
    response
}

impl App {
    fn judge(
        &self,
        incoming: &Incoming<'_>,
        action: Option<Action>,
        name: Option<&str>,
        caller: &Caller,
    ) -> Result<Asked, Failure> {
        let key = self.admit(incoming)?;
        caller.vouched();
        let version = incoming.system(&headers::VERSION, "Version").ok_or(Refusal::Missing("Version"))?;
        if version != sign::VERSION {
            return Err(Refusal::Version(version.chars().take(64).collect()).into());
        }
        let name = name.ok_or(Refusal::Missing("Action"))?;
        let action = action.ok_or_else(|| Refusal::Action(name.chars().take(64).collect()))?;
        self.check_instance(&incoming.params)?;
        if action == Action::InvokeThingService {
            return Call::read(self, incoming, &key).map(Asked::Device);
        }
        Ok(Asked::Other(action))
    }

    fn admit(&self, incoming: &Incoming<'_>) -> Result<Arc<AccessKey>, Refusal> {
        incoming
            .params
            .check()
            .and_then(|()| self.gate.admit(incoming))
            .inspect(|_| self.metrics.admitted())
            .inspect_err(|refusal| self.metrics.refused(refusal))
    }

    /// Notes a request that was refused.
    fn refused(&self, incoming: &Incoming<'_>, caller: &Caller, failure: Failure) -> Failure {
        self.calls.refused(refused(incoming, &failure), caller.is_vouched());
        failure
    }

    /// Cuts what a refusal tells of the request, where it is more than is told, or more than there is room for.
    fn echoed(&self, failure: Failure, caller: &Caller) -> Failure {
        let Failure::Gateway(Refusal::SignatureDoesNotMatch(string)) = &failure else { return failure };
        let max = self.config.string_to_sign_bytes_max;
        let max = if caller.may_be_told(string.len().min(max)) { max } else { max.min(ECHO_BYTES_BUSY) };
        let Failure::Gateway(refusal) = failure else { return failure };
        refusal.cut(max).into()
    }

    fn check_instance(&self, params: &Params<'_>) -> Result<(), Failure> {
        let Some(ours) = self.config.instance_id.as_deref() else { return Ok(()) };
        let given = params.get("IotInstanceId");
        if given == Some(ours) {
            return Ok(());
        }
        let problem = given.map_or("is missing".to_owned(), |given| format!("{given:?} does not exist"));
        let text = format!("IotInstanceId {problem}; right is {ours:?}");
        Err(Failure::service(ErrorCode::InstanceNotFound, Outcome::UnknownTarget, text))
    }
}

fn host(head: &Parts) -> &str {
    head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
}

/// As much of what a refused caller wrote is kept.
const REFUSED_CHARS_MAX: usize = 300;

/// A refused request, as whoever looks for it later sees it.
fn refused(incoming: &Incoming<'_>, failure: &Failure) -> thingcall_core::Failure {
    let (code, text) = match failure {
        // The string to sign holds the arguments, which belong into no log.
        Failure::Gateway(refusal @ Refusal::SignatureDoesNotMatch(_)) => {
            (refusal.code(), "Specified signature is not matched with our calculation".to_owned())
        }
        Failure::Gateway(refusal) => (refusal.code(), refusal.to_string()),
        Failure::Service(failure) => (failure.code.as_str().into(), failure.text.clone()),
    };
    let given = |name| incoming.params.get(name).unwrap_or_default();
    let device = match given("IotId") {
        "" if given("ProductKey").is_empty() && given("DeviceName").is_empty() => String::new(),
        "" => format!("{}/{}", PeerText::new(given("ProductKey")), PeerText::new(given("DeviceName"))),
        id => PeerText::new(id).to_string(),
    };
    thingcall_core::Failure {
        device,
        service: PeerText::new(given("Identifier")).to_string(),
        elapsed: incoming.received.elapsed(),
        ..not_let_in(incoming.id, failure.outcome(), code, &text)
    }
}

/// A request that came no further than this, and of which nothing more is known.
pub(crate) fn not_let_in(
    id: RequestId,
    outcome: Outcome,
    code: Cow<'static, str>,
    text: &str,
) -> thingcall_core::Failure {
    thingcall_core::Failure {
        at: UnixMillis::now(),
        request_id: id.to_string(),
        call_id: None,
        device: String::new(),
        service: String::new(),
        outcome,
        code: Some(code),
        executed: Executed::No,
        stage: FailedAt::Front,
        text: PeerText::at_most(text, REFUSED_CHARS_MAX).to_string(),
        hint: None,
        elapsed: Duration::ZERO,
        transport: None,
        plugin: None,
    }
}

fn log(about: &About<'_>, failure: &Failure) {
    match failure {
        // It has its line already.
        Failure::Gateway(_) => {}
        Failure::Service(error) => {
            let outcome = failure.outcome();
            debug!(request = %about.id, action = about.action, code = error.code.as_str(), %outcome, "request failed");
        }
    }
}
