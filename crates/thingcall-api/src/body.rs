//! The body of a request: whether it is read at all, and how much of it.
//!
//! **Invariant:** nothing large is read for a request whose head says already that it will be refused.

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::Method;
use hyper::body::{Body as _, Incoming as Unread};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::http::request::Parts;
use thingcall_listen::Caller;
use tokio::time::timeout;

use crate::app::App;
use crate::config::Config;
use crate::gateway::GatewayError;

/// A body for which it is worth to read the head twice.
const LARGE_BYTES: usize = 8 * 1024;

/// What a form may have that nobody has signed.
const UNSIGNED_BYTES_MAX: usize = 4 * 1024;

/// Reads the body of a request that is worth it.
pub(crate) async fn read(app: &App, head: &Parts, body: Unread, caller: &Caller) -> Result<Bytes, GatewayError> {
    check_head(&app.config, head)?;
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    // Where nothing more is read, the answer must be told before the connection is reset.
    collect(app, head, body, caller).await.inspect_err(|_| caller.cut_short())
}

/// Reads a form that is none of an application's.
pub(crate) async fn form(config: &Config, head: &Parts, body: Unread, caller: &Caller) -> Result<Bytes, GatewayError> {
    let read = match check_length(config, head).and_then(|()| announced(head, UNSIGNED_BYTES_MAX)) {
        Ok(_) => limited(config, UNSIGNED_BYTES_MAX, (head, body), caller).await,
        Err(why) => Err(why),
    };
    read.inspect_err(|_| caller.cut_short())
}

async fn collect(app: &App, head: &Parts, body: Unread, caller: &Caller) -> Result<Bytes, GatewayError> {
    let max = app.config.body_bytes_max.get();
    if announced(head, max)?.is_none_or(|bytes| bytes > LARGE_BYTES) {
        app.foresee(head)?;
    }
    limited(&app.config, max, (head, body), caller).await
}

/// How long a body says that it is, which is not too long.
fn announced(head: &Parts, max: usize) -> Result<Option<usize>, GatewayError> {
    let announced = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > max) { Err(GatewayError::BodyTooLarge { max }) } else { Ok(announced) }
}

async fn limited(
    config: &Config,
    max: usize,
    (head, body): (&Parts, Unread),
    caller: &Caller,
) -> Result<Bytes, GatewayError> {
    let read = timeout(config.body_read_timeout, Limited::new(body, max).collect()).await;
    let bytes = match read {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(GatewayError::BodyTooLarge { max }),
        Ok(Err(_)) if caller.over_budget() => return Err(GatewayError::BytesFull { max: caller.budget().max() }),
        Ok(Err(_)) => return Err(GatewayError::BodyUnreadable),
        Err(_) => return Err(GatewayError::BodyTimeout(config.body_read_timeout)),
    };
    if bytes.is_empty() { Ok(bytes) } else { check_type(head).map(|()| bytes) }
}

fn check_head(config: &Config, head: &Parts) -> Result<(), GatewayError> {
    if head.uri.path() != "/" {
        return Err(GatewayError::Path(head.uri.path().chars().take(64).collect()));
    }
    if head.method != Method::GET && head.method != Method::POST {
        return Err(GatewayError::Method(head.method.as_str().chars().take(64).collect()));
    }
    check_length(config, head)
}

/// Refuses a path and query that are too long.
pub(crate) fn check_length(config: &Config, head: &Parts) -> Result<(), GatewayError> {
    let (bytes, max) = (head.uri.path_and_query().map_or(0, |text| text.as_str().len()), config.uri_bytes_max);
    if bytes > max { Err(GatewayError::UriTooLong { bytes, max }) } else { Ok(()) }
}

/// A body is a form; one without a type is taken for one.
fn check_type(head: &Parts) -> Result<(), GatewayError> {
    let Some(value) = head.headers.get(CONTENT_TYPE) else { return Ok(()) };
    let text = value.to_str().unwrap_or_default();
    let kind = text.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Ok(());
    }
    Err(GatewayError::BodyType(kind.chars().take(64).collect()))
}
