//! Logging in and out, and choosing a language.
//!
//! **Invariants:** a secret comes in the body of a form, over loopback or behind TLS, and is compared and forgotten. A login that
//! fails says the same whatever was wrong. Where a login leads to is a path of this server.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, RawQuery, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use cookie::{Cookie, SameSite};
use maud::{Markup, html};
use subtle::ConstantTimeEq;
use thingcall_core::{AccessKey, UnixMillis};
use tracing::{info, warn};

use crate::desk::Desk;
use crate::form::Form;
use crate::lang::{self, Lang};
use crate::layout::document;
use crate::metrics::Login;
use crate::refused::Refused;
use crate::session::Session;
use crate::trail::Trail;

/// Where a visitor who is logged in goes by default.
const HOME: &str = "/";

/// The page that asks for a key.
pub(crate) async fn ask(headers: HeaderMap, RawQuery(query): RawQuery) -> Markup {
    let next = field(query.unwrap_or_default().as_bytes(), "next");
    asking(Lang::of(&headers), &next, None)
}

fn asking(lang: Lang, next: &str, problem: Option<&str>) -> Markup {
    document(
        lang,
        lang.say("Log in", "登录"),
        &html! {
            main.login id="main" {
                h1 { "thingcall" }
                p { (lang.say("Log in with an access key of this server.", "请使用本服务器的 AccessKey 登录。")) }
                @if let Some(problem) = problem { div.problem role="alert" { (problem) } }
                form method="post" action="/login" {
                    input type="hidden" name="next" value=(next);
                    label for="id" { "AccessKey ID" }
                    input id="id" name="id" type="text" autocomplete="username" required autofocus;
                    label for="secret" { "AccessKey Secret" }
                    input id="secret" name="secret" type="password" autocomplete="current-password" required;
                    button.main type="submit" { (lang.say("Log in", "登录")) }
                }
                p.hint {
                    (lang.say("The first key is printed when the server starts for the first time; ", "首个密钥在服务器首次启动时显示；"))
                    code { "thingcall key add" } (lang.say(" makes another.", " 可再创建一个。"))
                }
            }
        },
    )
}

/// Lets in who has a key and its secret.
pub(crate) async fn enter(
    State(desk): State<Arc<Desk>>,
    Extension(trail): Extension<Trail>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let lang = Lang::of(&headers);
    let (id, secret, next) = (field(&body, "id"), field(&body, "secret"), field(&body, "next"));
    let id = id.trim();
    // Keys there are apart from what is no key: however many of those fail, they push out none of these.
    let lockout = if desk.operations.key(id).is_some() { &desk.lockout } else { &desk.lockout_of_nobody };
    let names = [id];
    if let Some(wait) = lockout.waits(&names) {
        note(&desk, &trail, id, Login::LockedOut);
        let seconds = wait.as_secs() + 1;
        let text = match lang {
            Lang::En => format!("Too many logins failed. Try again in {seconds} s."),
            Lang::Zh => format!("登录失败次数过多，请 {seconds} 秒后重试。"),
        };
        return (StatusCode::TOO_MANY_REQUESTS, asking(lang, &next, Some(&text))).into_response();
    }
    let Some(key) = known(&desk, id, secret.trim()) else {
        lockout.failed(&names);
        note(&desk, &trail, id, Login::Refused);
        // An id that no key has is not told: people write secrets into the wrong field.
        let known = desk.operations.key(id).map_or_else(String::new, |key| key.id.clone());
        warn!(
            key = known,
            "a login to the console was refused: no such key, another secret, or a key that does not count any more"
        );
        let text = lang.say(
            "There is no such key, its secret is another, or it is one that counts only with a security token.",
            "AccessKey 不存在、密钥不正确，或该密钥需要 SecurityToken。",
        );
        return (StatusCode::FORBIDDEN, asking(lang, &next, Some(text))).into_response();
    };
    let Ok(session) = Session::begin(&key.id, UnixMillis::now()) else {
        return (StatusCode::SERVICE_UNAVAILABLE, asking(lang, &next, Some("the system has no random bytes")))
            .into_response();
    };
    lockout.succeeded(&names);
    trail.is_of(&key.id);
    note(&desk, &trail, id, Login::Ok);
    info!(key = key.id, "logged in to the console");
    let cookie = made(&desk, desk.cookie.clone(), session.sealed(&key)).http_only(true).build();
    (AppendHeaders([(SET_COOKIE, cookie.to_string())]), Redirect::to(own_path(&next))).into_response()
}

/// Counts and notes a login. An id that no key has is not noted: people write secrets into the wrong field.
fn note(desk: &Desk, trail: &Trail, id: &str, end: Login) {
    desk.metrics.logins[end].inc();
    let target = if desk.operations.key(id).is_some() { format!("AccessKeyId={id}") } else { String::new() };
    let code: &str = end.into();
    let refused = (end != Login::Ok).then(|| Refused { code: code.to_owned(), text: String::new() });
    trail.step("LogIn", target, refused.as_ref());
}

/// The key, if this is its secret and it may be used alone.
fn known(desk: &Desk, id: &str, secret: &str) -> Option<Arc<AccessKey>> {
    // One that counts only with its token with every request is none for a browser.
    let alone =
        |key: &Arc<AccessKey>| key.stands(UnixMillis::now()) && key.security_token.is_none() && key.temporary.is_none();
    let key = desk.operations.key(id).filter(alone)?;
    let same: bool = key.secret.expose().as_bytes().ct_eq(secret.as_bytes()).into();
    same.then_some(key)
}

/// Logs out.
pub(crate) async fn leave(form: Form) -> Response {
    let desk = &form.seat.desk;
    form.noted("LogOut");
    desk.ended.end(&form.seat.session, UnixMillis::now(), desk.config.session);
    let gone =
        made(desk, desk.cookie.clone(), String::new()).http_only(true).max_age(cookie::time::Duration::ZERO).build();
    (AppendHeaders([(SET_COOKIE, gone.to_string())]), Redirect::to("/login")).into_response()
}

/// Keeps a visitor's language.
pub(crate) async fn language(form: Form) -> Response {
    let tag = Lang::of_tag(form.field("to")).unwrap_or_default().tag();
    let year = cookie::time::Duration::days(365);
    let kept = made(&form.seat.desk, lang::COOKIE.to_owned(), tag.to_owned()).max_age(year).build();
    (AppendHeaders([(SET_COOKIE, kept.to_string())]), Redirect::to(own_path(form.field("back")))).into_response()
}

fn made(desk: &Desk, name: String, value: String) -> cookie::CookieBuilder<'static> {
    Cookie::build((name, value)).path("/").same_site(SameSite::Strict).secure(desk.config.is_tls())
}

/// The path, if it is one of this server: browsers drop control characters, and take `\\` for `/`.
fn own_path(path: &str) -> &str {
    let own = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains(|char: char| char == '\\' || char.is_control());
    if own { path } else { HOME }
}

fn field(form: &[u8], name: &str) -> String {
    form_urlencoded::parse(form)
        .find(|(other, _)| other == name)
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
