//! A form of a page of this console.
//!
//! **Invariant:** what changes something takes a [`Form`], which nobody has without a login and the token of that login's own pages.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRef, FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::desk::Desk;
use crate::layout;
use crate::seat::{Seat, TOKEN};
use crate::trail::Trail;

/// A form that was sent by a page of this login.
pub(crate) struct Form {
    /// Who sent it.
    pub(crate) seat: Seat,
    fields: BTreeMap<String, String>,
}

impl Form {
    /// Whether it has a field of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// Something was done that no other part of the program knows of.
    pub(crate) fn noted(&self, action: &str) {
        if let Some(trail) = &self.seat.trail {
            trail.step(action, String::new(), None);
        }
    }

    /// What a field holds, without spaces around; empty if it is not there.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", |value| value.trim())
    }

    /// All of its fields as they were sent, but for its token.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (&**name, &**value)).filter(|(name, _)| *name != TOKEN)
    }
}

impl<S: Send + Sync> FromRequest<S> for Form
where
    Arc<Desk>: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let mut seat = Seat::from_request_parts(&mut parts, state).await.map_err(IntoResponse::into_response)?;
        let trail = parts.extensions.remove::<Trail>().unwrap_or_default();
        trail.is_of(&seat.key.id);
        let request = Request::from_parts(parts, body);
        let body = Bytes::from_request(request, state).await.map_err(|error| too_large(&seat, error))?;
        let fields: BTreeMap<_, _> = form_urlencoded::parse(&body).into_owned().collect();
        let token = fields.get(TOKEN).map_or("", String::as_str);
        if seat.session.is_form_token(&seat.key, token) {
            seat.trail = Some(trail);
            return Ok(Self { seat, fields });
        }
        let text = seat.lang.say(
            "This form is of another login. Go back, load the page again and send it once more.",
            "此表单属于另一次登录。请返回并刷新页面后重新提交。",
        );
        Err((StatusCode::FORBIDDEN, layout::plain(seat.lang, text)).into_response())
    }
}

/// A form that is larger than it may be, or that did not come whole.
fn too_large(seat: &Seat, error: BytesRejection) -> Response {
    let status = error.into_response().status();
    if status != StatusCode::PAYLOAD_TOO_LARGE {
        let text = seat.lang.say("The form did not come whole. Send it once more.", "表单未完整接收，请重新提交。");
        return (status, layout::plain(seat.lang, text)).into_response();
    }
    let most = seat.desk.config.body_bytes_max;
    let english =
        format!("The form has more bytes than one may have: {most} ([console] body_bytes_max), as it is sent.");
    let chinese = format!("表单超过允许的大小：{most} 字节（[console] body_bytes_max，按编码后计算）。");
    (status, layout::plain(seat.lang, seat.lang.say(&english, &chinese))).into_response()
}
