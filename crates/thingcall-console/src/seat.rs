//! Who is logged in and asks for a page.
//!
//! **Invariant:** a page that shows anything takes a [`Seat`], which nobody has without a login.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::response::Redirect;
use serde_json::Value;
use thingcall_core::{AccessKey, UnixMillis};

use crate::desk::Desk;
use crate::lang::Lang;
use crate::operations::Answer;
use crate::refused::Refused;
use crate::role::Role;
use crate::session::{Session, cookie};

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
}

impl Seat {
    /// Performs an action of the API as the key that is logged in.
    pub(crate) async fn perform(&self, action: &str, params: &[(&str, &str)]) -> Answer {
        let params: Vec<_> = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.desk.operations.perform(self.key.clone(), action, &params).await
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
        self.must_be(Role::Operate)?;
        Refused::unless_told(self.desk.operations.change(path).await)
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
        match key.filter(|key| self.session.holds(&cookie, key, UnixMillis::now(), lasts)) {
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
            session.holds(&cookie, &key, UnixMillis::now(), desk.config.session).then_some((key, session))
        });
        match found {
            Some((key, session)) => Ok(Self { desk, key, session, lang, path }),
            None => Err(Redirect::to(&format!("/login?{}", next_page(&path)))),
        }
    }
}

fn next_page(path: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("next", path).finish()
}
