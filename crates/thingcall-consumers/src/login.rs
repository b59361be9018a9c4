//! Whether a consumer may come in.
//!
//! **Invariants:** who it is has to be proved before anything else is said or counted against its group. What is not known now ends
//! as "not now", never as "no": several clients never come again after a "no". Why is in the log alone.

use std::net::SocketAddr;

use subtle::ConstantTimeEq;
use thingcall_core::{AccessKey, GroupId, Target, UnixMillis};
use thingcall_subscription::{BodyEncoding, CONSUME, Decision, User, UserFault};

use crate::group::{Guest, NoPlace};
use crate::groups::{Groups, Joined, NotJoined};
use crate::metrics::Login;

/// Why a consumer does not come in; for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotIn {
    #[error("{0}")]
    User(UserFault),
    #[error("there is no access key of this id")]
    NoKey,
    #[error("the access key is disabled")]
    Disabled,
    #[error("the temporary access key has ended")]
    Ended,
    #[error("the password is not the signature by this key's secret")]
    Password,
    #[error("the security token is not the key's")]
    Token,
    #[error("no rule of the access key allows {CONSUME} of this group")]
    Forbidden,
    #[error("there is no such consumer group")]
    NoGroup,
    #[error("the store cannot be read, so nobody can say whether key and group are there")]
    NotLookedUp,
    #[error("the group has as many clients as it may (subscription.clients_per_group_max)")]
    GroupFull,
    #[error("the group's clients connect too often (subscription.connects_per_minute_per_group_max)")]
    TooOften,
    #[error("as many consumers are connected as may be (subscription.connections_max)")]
    ConnectionsMax,
    #[error("the server stops")]
    Stopping,
}

impl NotIn {
    /// What the client is told. Nobody is told "no" who may come in another time.
    pub(crate) fn decision(&self) -> Decision {
        match self {
            Self::User(_)
            | Self::NoKey
            | Self::Disabled
            | Self::Ended
            | Self::Password
            | Self::Token
            | Self::Forbidden
            | Self::NoGroup => Decision::Refused,
            Self::NotLookedUp | Self::GroupFull | Self::TooOften | Self::ConnectionsMax | Self::Stopping => {
                Decision::Unavailable
            }
        }
    }

    /// As what it counts.
    pub(crate) fn login(&self) -> Login {
        match self {
            Self::User(_) | Self::NoKey | Self::Disabled | Self::Ended | Self::Password | Self::Token => {
                Login::Credentials
            }
            Self::Forbidden => Login::Forbidden,
            Self::NoGroup => Login::NoGroup,
            Self::NotLookedUp => Login::NotLookedUp,
            Self::GroupFull => Login::GroupFull,
            Self::TooOften => Login::TooOften,
            Self::ConnectionsMax => Login::ConnectionsMax,
            Self::Stopping => Login::Stopping,
        }
    }
}

/// Lets a consumer in.
pub(crate) fn admit(
    groups: &Groups,
    user: &str,
    password: &[u8],
    address: SocketAddr,
) -> Result<(Joined, BodyEncoding), NotIn> {
    if groups.stopping.is_cancelled() {
        return Err(NotIn::Stopping);
    }
    let user = User::read(user).map_err(NotIn::User)?;
    let unknown = |why| if (groups.around.knows)() { why } else { NotIn::NotLookedUp };
    let key = groups.around.keys.key(user.key_id).ok_or_else(|| unknown(NotIn::NoKey))?;
    if !key.enabled {
        return Err(NotIn::Disabled);
    }
    if key.has_ended(UnixMillis::now()) {
        return Err(NotIn::Ended);
    }
    if !user.proves(password, key.secret.expose().as_bytes()) {
        return Err(NotIn::Password);
    }
    if !is_token(&key, user.security_token) {
        return Err(NotIn::Token);
    }
    if !key.allows(CONSUME, Target::Group(user.group)) {
        return Err(NotIn::Forbidden);
    }
    let group = GroupId::read(user.group).ok_or(NotIn::NoGroup)?;
    let guest = Guest { client: user.client_id.to_owned(), key_id: user.key_id.to_owned(), address };
    let joined = groups.join(&group, guest).map_err(|why| match why {
        NotJoined::NoGroup | NotJoined::Group(NoPlace::Closed) => unknown(NotIn::NoGroup),
        NotJoined::Group(NoPlace::Full) => NotIn::GroupFull,
        NotJoined::Group(NoPlace::TooOften) => NotIn::TooOften,
        NotJoined::ConnectionsMax => NotIn::ConnectionsMax,
    })?;
    Ok((joined, user.body))
}

/// As with calls: a key with a token is used with it, any other without one.
fn is_token(key: &AccessKey, given: Option<&str>) -> bool {
    match (&key.security_token, given) {
        (None, None) => true,
        (Some(token), Some(given)) => token.expose().as_bytes().ct_eq(given.as_bytes()).into(),
        (None, Some(_)) | (Some(_), None) => false,
    }
}
