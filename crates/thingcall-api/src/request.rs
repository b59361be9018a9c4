//! A request from its head to its answer.
//!
//! **Invariant:** every request that hyper can read gets an answer with a body in the form it asked for, is counted
//! once under a name of a closed list, and leaves one line in the log if it was refused. While a device is waited for,
//! nothing of the request is kept: hyper reads on into the same memory.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::{Body as _, Incoming as Unread};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response};
use thingcall_core::{AccessKey, ErrorCode, FleetOrder, Outcome};
use thingcall_listen::{Caller, Serve};
use tokio::time::Instant;
use tracing::debug;

use crate::actions::{
    Action, ActionKind, DirectoryAction, FleetAction, Ordered, RecordAction, SubscriptionAction, make_fleet_call,
    read_fleet_call,
};
use crate::answer::{About, Content, Fields, Format, HttpAnswer};
use crate::app::App;
use crate::config::Config;
use crate::error::ActionError;
use crate::events::{self, EventBody};
use crate::fleets::FleetDesk;
use crate::gateway::GatewayError;
use crate::incoming::Incoming;
use crate::metrics::Code;
use crate::once::{How, OnceAsk};
use crate::origin::Origin;
use crate::params::Params;
use crate::subscribing::SubscriptionDesk;
use crate::traced::Served;
use crate::{allowed, audit, body, enrol, headers, refused, sign, traced, unread};

/// How much of the string to sign is told where there is no room for more: enough for calls of usual size.
const ECHO_BYTES_BUSY: usize = 4 * 1024;

impl Serve for App {
    type Body = Either<Full<Bytes>, EventBody>;

    async fn answer(self: Arc<Self>, request: Request<Unread>, caller: Caller) -> Response<Self::Body> {
        if request.uri().path() == events::PATH && request.method() == Method::GET {
            return Box::pin(stream(self, request, caller)).await;
        }
        if let Some(registrar) = self.registrar.as_ref().filter(|_| request.uri().path() == enrol::PATH) {
            return Box::pin(enrol::answer(&self, registrar, request, caller)).await.map(Either::Left);
        }
        let received = Instant::now();
        let (head, body) = request.into_parts();
        let body = body::read(&self, &head, body, &caller).await;
        let (body, unread) = body.map_or_else(|why| (Bytes::new(), Some(why)), |body| (body, None));
        let received = Received { at: received, head, body, unread };
        handle(self, received, Origin::Network(caller)).await.map(Either::Left)
    }

    fn refuse(&self, unread: &thingcall_listen::Unread<'_>) -> HttpAnswer {
        unread::refuse(unread, self)
    }
}

/// A request whose body was read.
pub(crate) struct Received {
    /// When its head was there.
    pub(crate) at: Instant,
    /// Its head.
    pub(crate) head: Parts,
    /// Its body, as far as it was read.
    pub(crate) body: Bytes,
    /// Why its body was not read, if it was not.
    pub(crate) unread: Option<GatewayError>,
}

/// What a request asks for, once it may ask.
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is made, and most requests are calls")]
enum Asked<'a> {
    /// A device: nothing of the request is needed any more. With a token, it is called once for all who give that.
    Device(Ordered, Option<Box<OnceAsk>>),
    /// The directory, with the request's parameters.
    Directory(DirectoryAction),
    /// Groups and subscriptions, with the request's parameters.
    Subscription(SubscriptionAction, &'a SubscriptionDesk),
    /// Calls that are kept, with the request's parameters.
    Record(RecordAction),
    /// Calls of many devices, for this key's account. With a token, they are made once for all who give that.
    Fleet(FleetAsked<'a>),
}

/// What is asked of calls of many devices.
struct FleetAsked<'a> {
    action: FleetAction,
    desk: &'a FleetDesk,
    key: Arc<AccessKey>,
    once: Option<Box<OnceAsk>>,
}

/// Answers a request.
pub(crate) async fn handle(app: Arc<App>, request: Received, origin: Origin) -> HttpAnswer {
    let Received { at: received, mut head, body, unread } = request;
    let mut incoming = Incoming::read(received, &head, &body);
    let served = app.tracer.as_ref().map(|tracer| Served::begin(tracer, &mut incoming));
    let name = incoming.action();
    let action = name.and_then(|name| name.parse::<Action>().ok());
    let format = incoming.format();
    let about = About {
        format: *format.as_ref().unwrap_or(&Format::Json),
        action: action.map_or("", Action::as_str),
        answer_name: action.map_or("", Action::answer_name),
        id: incoming.id,
    };
    let asked = match unread.map_or(format, Err) {
        Ok(_) => judge(&app, &incoming, action, name, &origin).await,
        Err(why) => Err(why.into()),
    };
    // What a device does wrong is no refusal, and only those name the host; that a token is another call's is one.
    let host = if matches!(asked, Ok(Asked::Device(_, None))) { String::new() } else { host(&head).to_owned() };
    let mut headers = HeaderMap::new();
    let result = match asked {
        Ok(Asked::Device(call, once)) => {
            let once = once.map(|once| (once, refused::Said::by(&incoming)));
            drop(incoming);
            headers = headers::emptied(std::mem::take(&mut head.headers));
            drop((head, body));
            match once {
                None => call.run(&app.desk).await,
                Some((once, said)) => Box::pin(run_once(app.clone(), (*once, said), call)).await.map(Content::Fields),
            }
        }
        Ok(Asked::Directory(action)) => {
            let result = action.run(&*app.directory, &incoming.params).await;
            after(&app, &incoming, &origin, result).map(Content::Fields)
        }
        Ok(Asked::Subscription(action, desk)) => {
            let result = action.run(desk, &incoming.params).await;
            after(&app, &incoming, &origin, result).map(Content::Fields)
        }
        Ok(Asked::Record(action)) => {
            let result = action.run(&app.records, &incoming.params).await;
            after(&app, &incoming, &origin, result).map(Content::Fields)
        }
        Ok(Asked::Fleet(asked)) => {
            let result = Box::pin(asked.run(&app, &incoming.params)).await;
            after(&app, &incoming, &origin, result).map(Content::Fields)
        }
        Err(error) => Err(note_refused(&app, &incoming, &origin, error)),
    };
    let (code, failed) = (Code::of(&result), result.as_ref().err().map(ActionError::code));
    let response = match result {
        Ok(content) => about.success(content, headers),
        Err(error) => {
            log(&about, &error);
            about.failure(&echoed(&app.config, error, &origin), &host)
        }
    };
    traced::answered(served, response.status(), failed);
    app.metrics.answered(action, (response.status(), code), received.elapsed());
    response
}

/// Answers a request for events.
async fn stream(app: Arc<App>, request: Request<Unread>, caller: Caller) -> Response<Either<Full<Bytes>, EventBody>> {
    let received = Instant::now();
    let (head, body) = request.into_parts();
    let mut checked = body::check_length(&app.config, &head);
    if checked.is_ok() && !body.is_end_stream() {
        caller.cut_short();
        checked = Err(GatewayError::BodyTooLarge { max: 0 });
    }
    drop(body);
    let incoming = Incoming::read(received, &head, &[]);
    let format = checked.and_then(|()| incoming.format());
    let about = About {
        format: *format.as_ref().unwrap_or(&Format::Json),
        action: events::ACTION,
        answer_name: events::ACTION,
        id: incoming.id,
    };
    let begun = match format {
        Ok(_) => begin_stream(&app, &incoming, &caller).await,
        Err(why) => Err(why.into()),
    };
    let code = Code::of(&begun);
    let answer = match begun {
        Ok(events) => Response::new(Either::Right(events)),
        Err(error) => {
            let origin = Origin::Network(caller);
            let error = note_refused(&app, &incoming, &origin, error);
            about.failure(&echoed(&app.config, error, &origin), host(&head)).map(Either::Left)
        }
    };
    app.metrics.events_answered((answer.status(), code), received.elapsed());
    if matches!(answer.body(), Either::Right(_)) { as_events(answer) } else { answer }
}

fn as_events<B>(mut answer: Response<B>) -> Response<B> {
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

async fn begin_stream(app: &App, incoming: &Incoming<'_>, caller: &Caller) -> Result<EventBody, ActionError> {
    let key = app.admit(incoming).await?;
    caller.vouched();
    check_version(incoming)?;
    let name = incoming.action().ok_or(GatewayError::Missing("Action"))?;
    let desk = app.events.as_ref().filter(|_| name == events::ACTION);
    let desk = desk.ok_or_else(|| {
        let shown: String = name.chars().take(64).collect();
        GatewayError::Action(format!("Events are asked for by the action {}; this is {shown:?}.", events::ACTION))
    })?;
    check_instance(&app.config, &incoming.params)?;
    let ask = app.desk.take(incoming, &key, |_, _| Ok(desk.read(incoming)?))?;
    ask.must_be_allowed(&key).inspect_err(|_| app.metrics.forbidden())?;
    Ok(desk.open(ask, &key, caller).await?)
}

/// Counts a request that is not allowed; a call is one that was denied, too.
fn note_forbidden(app: &App, action: Action, why: &ActionError) {
    if why.outcome() == Outcome::Denied {
        app.metrics.forbidden();
    }
    match action.kind() {
        ActionKind::Device(_) => app.desk.count_refused(why.outcome()),
        ActionKind::Directory(_) | ActionKind::Subscription(_) | ActionKind::Record(_) | ActionKind::Fleet(_) => {}
    }
}

fn check_version(incoming: &Incoming<'_>) -> Result<(), GatewayError> {
    let version = incoming.version().ok_or(GatewayError::Missing("Version"))?;
    if version == sign::VERSION { Ok(()) } else { Err(GatewayError::Version(version.chars().take(64).collect())) }
}

async fn judge<'a>(
    app: &'a App,
    incoming: &Incoming<'_>,
    action: Option<Action>,
    name: Option<&str>,
    origin: &Origin,
) -> Result<Asked<'a>, ActionError> {
    let admitted = origin.admit(app, incoming).await;
    traced::authenticated(incoming.trace.as_ref(), incoming.received, admitted.as_ref().err().map(GatewayError::code));
    let key = admitted?;
    check_version(incoming)?;
    let name = name.ok_or(GatewayError::Missing("Action"))?;
    let unknown = || Action::unknown(name);
    let action = action.ok_or_else(unknown)?;
    check_instance(&app.config, &incoming.params)?;
    if let Some(rules) = &key.allow {
        let judged = allowed::judge(rules, action, &incoming.params, &*app.directory);
        Box::pin(judged).await.inspect_err(|why| note_forbidden(app, action, why))?;
    }
    match action.kind() {
        ActionKind::Device(device) => {
            let call = device.read(&app.desk, incoming, &key)?;
            let once = once_of(app, incoming, action, &key);
            Ok(Asked::Device(call, once.inspect_err(|why| app.desk.count_refused(why.outcome()))?))
        }
        ActionKind::Directory(action) => Ok(Asked::Directory(action)),
        ActionKind::Record(action) => Ok(Asked::Record(action)),
        ActionKind::Subscription(action) => {
            let desk = app.subscriptions.as_ref().ok_or_else(unknown)?;
            Ok(Asked::Subscription(action, desk))
        }
        ActionKind::Fleet(action) => {
            let desk = app.fleets.as_ref().ok_or_else(unknown)?;
            let once = match action {
                FleetAction::CreateFleetCall => once_of(app, incoming, Action::CreateFleetCall, &key)?,
                FleetAction::QueryFleetCall
                | FleetAction::QueryFleetCallList
                | FleetAction::QueryFleetCallDevices
                | FleetAction::CancelFleetCall => None,
            };
            Ok(Asked::Fleet(FleetAsked { action, desk, key, once }))
        }
    }
}

/// What a request says of its token, if it has one.
fn once_of(
    app: &App,
    incoming: &Incoming<'_>,
    action: Action,
    key: &AccessKey,
) -> Result<Option<Box<OnceAsk>>, GatewayError> {
    let once = OnceAsk::of(incoming, action.as_str(), key, incoming.received + app.desk.reply_timeout())?;
    if once.is_some() && app.once.is_none() {
        let problem = "nobody keeps tokens here, so it would be of no use".to_owned();
        return Err(GatewayError::Invalid { name: "ClientToken", problem });
    }
    Ok(once)
}

/// Calls a device once for all requests with the same token.
async fn run_once(app: Arc<App>, (ask, said): (OnceAsk, refused::Said), call: Ordered) -> Result<Fields, ActionError> {
    let Some(once) = app.once.clone() else { return call.run(&app.desk).await.map(Content::into_fields) };
    let calling = app.clone();
    let (how, answered) =
        once.answer(ask, move || async move { call.run(&calling.desk).await.map(Content::into_fields) }).await;
    match how {
        // The engine counted and noted it.
        How::Made => {}
        How::Differs | How::NotYet | How::NotClaimed => {
            answered.as_ref().inspect_err(|why| app.desk.count_refused(why.outcome())).ok();
        }
        How::Joined | How::Kept | How::Lost => {}
    }
    if let (Err(why), true) = (&answered, how != How::Made) {
        app.desk.note_refused(refused::noted_later(said, why), true);
    }
    answered
}

impl FleetAsked<'_> {
    async fn run(self, app: &Arc<App>, params: &Params<'_>) -> Result<Fields, ActionError> {
        let Self { action, desk, key, once } = self;
        let result = match once {
            None => action.run(desk, params, &key).await,
            Some(once) => make_once(app, *once, read_fleet_call(desk, params, &key)?).await,
        };
        result.inspect_err(|error| {
            if error.outcome() == Outcome::Denied {
                app.metrics.forbidden();
            }
        })
    }
}

/// Makes a fleet call once for all requests with the same token.
async fn make_once(app: &Arc<App>, ask: OnceAsk, order: FleetOrder) -> Result<Fields, ActionError> {
    let making = app.clone();
    let make = async move {
        let Some(desk) = &making.fleets else { return Err(Action::unknown("CreateFleetCall").into()) };
        make_fleet_call(desk, order).await
    };
    let Some(once) = &app.once else { return make.await };
    once.answer(ask, move || make).await.1
}

/// Notes what became of a request that its action answered.
fn after(
    app: &App,
    incoming: &Incoming<'_>,
    origin: &Origin,
    result: Result<Fields, ActionError>,
) -> Result<Fields, ActionError> {
    match result {
        Err(error @ ActionError::Gateway(_)) => Err(note_refused(app, incoming, origin, error)),
        Ok(_) | Err(ActionError::Service(_)) => {
            audit::note(app, incoming, origin, result.as_ref().err());
            result
        }
    }
}

/// Notes a request that was refused.
fn note_refused(app: &App, incoming: &Incoming<'_>, origin: &Origin, error: ActionError) -> ActionError {
    app.desk.note_refused(refused::noted(incoming, &error), origin.is_vouched());
    audit::note(app, incoming, origin, Some(&error));
    error
}

/// Cuts what a refusal tells of the request, where it is more than is told, or more than there is room for.
fn echoed(config: &Config, error: ActionError, origin: &Origin) -> ActionError {
    let ActionError::Gateway(GatewayError::SignatureDoesNotMatch(string)) = &error else { return error };
    let max = config.string_to_sign_bytes_max;
    let max = if origin.may_be_told(string.len().min(max)) { max } else { max.min(ECHO_BYTES_BUSY) };
    let ActionError::Gateway(error) = error else { return error };
    error.cut(max).into()
}

fn check_instance(config: &Config, params: &Params<'_>) -> Result<(), ActionError> {
    let Some(ours) = config.instance_id.as_deref() else { return Ok(()) };
    let given = params.get("IotInstanceId");
    if given == Some(ours) {
        return Ok(());
    }
    let problem = given.map_or("is missing".to_owned(), |given| format!("{given:?} does not exist"));
    let text = format!("IotInstanceId {problem}; right is {ours:?}");
    Err(ActionError::service(ErrorCode::InstanceNotFound, Outcome::UnknownTarget, text))
}

fn host(head: &Parts) -> &str {
    head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
}

fn log(about: &About<'_>, error: &ActionError) {
    match error {
        // It has its line already.
        ActionError::Gateway(_) => {}
        ActionError::Service(failure) => {
            let outcome = error.outcome();
            debug!(request = %about.id, action = about.action, code = failure.code.as_str(), %outcome, "request failed");
        }
    }
}
