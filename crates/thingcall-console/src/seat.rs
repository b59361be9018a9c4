//! Who is logged in and asks for a page.
//!
//! **Invariants:** a page that shows anything takes a [`Seat`], which nobody has without a login. A seat that is not of a form changes
//! nothing, and what one of a form changes is noted here, for the audit log.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::response::Redirect;
use serde_json::{Value, json};
use thingcall_core::{AccessKey, PeerText, Target, UnixMillis, audit_target, only_reads};

use crate::desk::Desk;
use crate::in_force::LogChange;
use crate::key_change::{KeyChange, KeyRefused};
use crate::lang::Lang;
use crate::operations::Answer;
use crate::refused::Refused;
use crate::role::{Role, administered_after};
use crate::session::{Session, cookie};
use crate::trail::Trail;

/// A visitor who is logged in.
#[derive(Clone)]
pub(crate) struct Seat {
    /// All that pages ask.
    pub(crate) desk: Arc<Desk>,
    /// Whose rights count.
    pub(crate) key: Arc<AccessKey>,
    /// The login.
    pub(crate) session: Session,
    /// The language.
    pub(crate) lang: Lang,
    /// The path that was asked for, without its query.
    pub(crate) path: String,
    /// What it changes; only who sent a form changes anything.
    pub(crate) trail: Option<Trail>,
}

impl Seat {
    /// Performs an action of the API as the key that is logged in.
    pub(crate) async fn perform(&self, action: &str, params: &[(&str, &str)]) -> Answer {
        if only_reads(action) {
            return self.desk.operations.perform(self.key.clone(), action, &owned(params)).await;
        }
        let Some(trail) = &self.trail else {
            let Refused { code, text } = Refused::no_form(action);
            return Answer { status: 405, body: json!({ "Code": code, "ErrorMessage": text }) };
        };
        let answer = self.desk.operations.perform(self.key.clone(), action, &owned(params)).await;
        trail.step(action, audit_target(params.iter().copied()), Refused::of_action(&answer).as_ref());
        answer
    }

    /// The same; what went wrong as a text.
    ///
    /// # Errors
    /// The code and the text that a caller of the API would have read.
    pub(crate) async fn performed(&self, action: &str, params: &[(&str, &str)]) -> Result<Value, Refused> {
        Refused::unless_done(self.perform(action, params).await)
    }

    /// Asks what concerns the whole server.
    ///
    /// # Errors
    /// If this key may not look, or nothing is told.
    pub(crate) async fn ask(&self, path: &str) -> Result<Value, Refused> {
        self.must_be(Role::Look)?;
        Refused::unless_told(self.desk.operations.ask(path).await)
    }

    /// Has something done to calls or plugins.
    ///
    /// # Errors
    /// If this key may not, or it was not done.
    pub(crate) async fn change(&self, path: &str) -> Result<Value, Refused> {
        let what = path.split_once('?').map_or(path, |(path, _)| path);
        self.noting(what, String::new(), async {
            self.must_be(Role::Operate)?;
            Refused::unless_told(self.desk.operations.change(path).await)
        })
        .await
    }

    /// Does this to an access key; the key, where one was made.
    ///
    /// # Errors
    /// If this key may not administer, nobody would be left who does, or it was not done.
    pub(crate) async fn change_key(&self, change: KeyChange) -> Result<Option<AccessKey>, Refused> {
        let Some(trail) = &self.trail else { return Err(Refused::no_form(change.action())) };
        let (action, of) = (change.action(), change.key().to_owned());
        let done = self.key_changed(change).await;
        let made = done.as_ref().ok().and_then(|made| Some(made.as_ref()?.id.as_str())).filter(|made| *made != of);
        let named = [("AccessKeyId.1", of.as_str()), ("AccessKeyId.2", made.unwrap_or_default())];
        trail.step(action, audit_target(named.into_iter()), done.as_ref().err());
        done
    }

    async fn key_changed(&self, change: KeyChange) -> Result<Option<AccessKey>, Refused> {
        self.must_be(Role::Administer)?;
        let operations = &self.desk.operations;
        if !administered_after(&operations.keys(), &change) {
            let text = self.lang.say(
                "No key would be left that may do ConsoleAdminister about everything. Give that to another one first.",
                "操作后将没有密钥拥有 ConsoleAdminister 权限，请先授予其他密钥。",
            );
            return Err(Refused { code: "last_administrator".to_owned(), text: text.to_owned() });
        }
        let done = operations.change_key(change).await;
        done.map_err(|KeyRefused { code, text }| Refused { code: code.to_owned(), text })
    }

    /// Has something else logged.
    ///
    /// # Errors
    /// If this key may not administer, or it was not done.
    pub(crate) async fn change_log(&self, change: LogChange) -> Result<(), Refused> {
        let target = match &change {
            LogChange::To { level, .. } => PeerText::new(level).to_string(),
            LogChange::Back => "as configured".to_owned(),
        };
        self.noting("SetLogLevel", target, async {
            self.must_be(Role::Administer)?;
            let done = self.desk.operations.change_log(change).await;
            done.map_err(|text| Refused { code: "422".to_owned(), text })
        })
        .await
    }

    /// Does what changes something, and notes it.
    ///
    /// # Errors
    /// Those of `work`; and if this is of no form.
    pub(crate) async fn noting<T>(
        &self,
        action: &str,
        target: String,
        work: impl Future<Output = Result<T, Refused>>,
    ) -> Result<T, Refused> {
        let Some(trail) = &self.trail else { return Err(Refused::no_form(action)) };
        let done = work.await;
        trail.step(action, target, done.as_ref().err());
        done
    }

    /// Asks what concerns something that this action may be about.
    ///
    /// # Errors
    /// If this key may not do it with that, or nothing is told.
    pub(crate) async fn ask_about(&self, action: &str, target: Target<'_>, path: &str) -> Result<Value, Refused> {
        self.must_allow(action, target)?;
        Refused::unless_told(self.desk.operations.ask(path).await)
    }

    /// Refuses a key whose rules do not let it do this with that.
    ///
    /// # Errors
    /// With the rule that is missing.
    pub(crate) fn must_allow(&self, action: &str, target: Target<'_>) -> Result<(), Refused> {
        if self.key.allows(action, target) {
            return Ok(());
        }
        let text = format!("the rules of this key do not allow {action} about {target}");
        Err(Refused { code: "Forbidden.RAM".to_owned(), text })
    }

    /// Refuses a key whose rules do not let it.
    ///
    /// # Errors
    /// With the rule that is missing.
    pub(crate) fn must_be(&self, role: Role) -> Result<(), Refused> {
        if role.is_of(&self.key) {
            return Ok(());
        }
        let text = format!("the rules of this key do not allow {} about everything", role.action());
        Err(Refused { code: "Forbidden.RAM".to_owned(), text })
    }

    /// The same seat with the key as it is now, for what goes on for long.
    ///
    /// # Errors
    /// If the login does not count any more.
    pub(crate) fn again(&self) -> Result<Self, Refused> {
        let key = self.desk.operations.key(&self.key.id);
        let cookie = self.session.sealed(&self.key);
        let lasts = self.desk.config.session;
        let counts = |key: &Arc<AccessKey>| {
            self.session.holds(&cookie, key, UnixMillis::now(), lasts) && !self.desk.ended.has(&self.session, lasts)
        };
        match key.filter(counts) {
            Some(key) => Ok(Self { key, ..self.clone() }),
            None => {
                let text = self.lang.say("this login has ended; log in again", "登录已失效，请重新登录");
                Err(Refused { code: "Login".to_owned(), text: text.to_owned() })
            }
        }
    }

    /// The token of this login's forms.
    pub(crate) fn form_token(&self) -> String {
        self.session.form_token(&self.key)
    }
}

/// The field of a form that holds its token.
pub(crate) const TOKEN: &str = "form_token";

impl<S: Send + Sync> FromRequestParts<S> for Seat
where
    Arc<Desk>: FromRef<S>,
{
    type Rejection = Redirect;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Redirect> {
        let desk = Arc::<Desk>::from_ref(state);
        let path = parts.uri.path().to_owned();
        let lang = Lang::of(&parts.headers);
        let found = cookie(&parts.headers, &desk.cookie).and_then(|cookie| {
            let session = Session::claimed(&cookie)?;
            let key = desk.operations.key(&session.key_id)?;
            let counts = session.holds(&cookie, &key, UnixMillis::now(), desk.config.session)
                && !desk.ended.has(&session, desk.config.session);
            counts.then_some((key, session))
        });
        match found {
            Some((key, session)) => Ok(Self { desk, key, session, lang, path, trail: None }),
            None => Err(Redirect::to(&format!("/login?{}", next_page(&path)))),
        }
    }
}

fn owned(params: &[(&str, &str)]) -> Vec<(String, String)> {
    params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn next_page(path: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("next", path).finish()
}
