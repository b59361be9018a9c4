//! A request from its head to its answer.
//!
//! **Invariant:** every request that hyper can read gets an answer with a body in the form it asked for, is counted
//! once under a name of a closed list, and leaves one line in the log if it failed. While a device is waited for,
//! nothing of the request is kept: hyper reads on into the same memory.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming as Unread};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName};
use hyper::http::request::Parts;
use hyper::{Method, Request};
use thingcall_core::{AccessKey, ErrorCode, Outcome, RequestId};
use thingcall_tsl::Directory;
use tokio::time::{Instant, timeout};
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
use crate::sign;

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
    fn read(received: Instant, head: &'a Parts, body: &'a [u8]) -> Self {
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

/// Answers a request.
pub(crate) async fn handle(app: Arc<App>, request: Request<Unread>) -> Result<Answer, Infallible> {
    let received = Instant::now();
    let (head, body) = request.into_parts();
    let body = read_body(&app.config, &head, body).await;
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
    let asked = unread.map_or(format, Err).map_err(Failure::from).and_then(|_| app.judge(&incoming, action, name));
    // What a device does wrong is no refusal, and only those name the host.
    let host = if matches!(asked, Ok(Asked::Device(_))) { String::new() } else { host(&head).to_owned() };
    let result = match asked {
        Ok(Asked::Device(call)) => {
            drop(incoming);
            drop((head, body));
            call.run(&app).await
        }
        Ok(Asked::Other(action)) => action.run(&*app.directory, &incoming.params).await,
        Err(failure) => Err(failure),
    };
    let response = match result {
        Ok(fields) => about.success(fields),
        Err(failure) => {
            log(&about, &failure);
            about.failure(&failure, &host)
        }
    };
    app.metrics.answered(action, response.status(), received.elapsed());
    Ok(response)
}

impl App {
    fn judge(&self, incoming: &Incoming<'_>, action: Option<Action>, name: Option<&str>) -> Result<Asked, Failure> {
        let key = self.admit(incoming)?;
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

/// Reads the body of a request that is worth it.
async fn read_body(config: &Config, head: &Parts, body: Unread) -> Result<Bytes, Refusal> {
    check_head(config, head)?;
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let max = config.body_bytes_max;
    let announced = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > max) {
        return Err(Refusal::BodyTooLarge { max });
    }
    let read = timeout(config.body_read_timeout, Limited::new(body, max).collect()).await;
    let bytes = match read {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(Refusal::BodyTooLarge { max }),
        Ok(Err(_)) => return Err(Refusal::BodyUnreadable),
        Err(_) => return Err(Refusal::BodyTimeout(config.body_read_timeout)),
    };
    if bytes.is_empty() { Ok(bytes) } else { check_type(head).map(|()| bytes) }
}

fn check_head(config: &Config, head: &Parts) -> Result<(), Refusal> {
    if head.uri.path() != "/" {
        return Err(Refusal::Path(head.uri.path().chars().take(64).collect()));
    }
    if head.method != Method::GET && head.method != Method::POST {
        return Err(Refusal::Method(head.method.as_str().chars().take(64).collect()));
    }
    let (bytes, max) = (head.uri.path_and_query().map_or(0, |text| text.as_str().len()), config.uri_bytes_max);
    if bytes > max { Err(Refusal::UriTooLong { bytes, max }) } else { Ok(()) }
}

/// A body is a form; one without a type is taken for one.
fn check_type(head: &Parts) -> Result<(), Refusal> {
    let Some(value) = head.headers.get(CONTENT_TYPE) else { return Ok(()) };
    let text = value.to_str().unwrap_or_default();
    let kind = text.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Ok(());
    }
    Err(Refusal::BodyType(kind.chars().take(64).collect()))
}

fn host(head: &Parts) -> &str {
    head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
}

fn log(about: &About<'_>, failure: &Failure) {
    let outcome = failure.outcome();
    match failure {
        Failure::Gateway(refusal) => {
            debug!(request = %about.id, action = about.action, code = %refusal.code(), %outcome, "request refused");
        }
        Failure::Service(error) => {
            debug!(request = %about.id, action = about.action, code = error.code.as_str(), %outcome, "request failed");
        }
    }
}
