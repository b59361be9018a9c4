//! Access keys: who may call.

use std::sync::Arc;
use std::time::Duration;

use thingcall_core::{AccessKey, AllowList, Keys, ResultShape, Secret, Temporary, UnixMillis};

use crate::change::Subject;
use crate::database::KeyChange;
use crate::failure::{SaysTrouble, Stop, Written, in_words};
use crate::shared::{Shared, WriteSide};
use crate::trouble::Trouble;
use crate::{Store, changes, ended_keys, random};

/// How long a temporary key may last.
const LIFETIME_MAX: Duration = Duration::from_hours(7 * 24);

/// Longest id of an access key.
const ID_BYTES_MAX: usize = 128;

/// What [`Store::add_key`] makes.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Its id, 1 to 128 letters, digits, `.`, `-`, `_`; made up if `None`.
    pub id: Option<String>,
    /// Its secret; a random one is made up if `None`.
    pub secret: Option<Secret>,
    /// Whom it belongs to: keys of one account share its quota.
    pub account: String,
    /// For a key used with STS: the token every request must carry.
    pub security_token: Option<Secret>,
    /// The shape of results for this key, where it differs from the server's.
    pub result: Option<ResultShape>,
    /// What it may do, where that is not everything.
    pub allow: Option<AllowList>,
}

impl Default for NewKey {
    /// Everything made up, of the account `default`.
    fn default() -> Self {
        Self { id: None, secret: None, account: "default".to_owned(), security_token: None, result: None, allow: None }
    }
}

/// What [`Store::add_temporary_key`] makes.
#[derive(Debug, Clone)]
pub struct NewTemporaryKey {
    /// The id of the key that it is made of: of its account, and it may do no more, and no longer.
    pub of: String,
    /// How long it lasts.
    pub lasts: Duration,
    /// What of that it may do, where that is not all.
    pub allow: Option<AllowList>,
}

/// Why a key was not made or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum KeyError {
    /// The id cannot stand in a request.
    #[error("{0:?} is not an access key id: 1 to 128 of A-Z a-z 0-9 . - _")]
    BadId(String),
    /// The secret is empty.
    #[error("an access key's secret must not be empty")]
    EmptySecret,
    /// The id is taken.
    #[error("access key {0} exists already")]
    Exists(String),
    /// No key has this id.
    #[error("access key {0} does not exist")]
    NoKey(String),
    /// A temporary key is to be made of one.
    #[error("access key {0} is temporary itself; make one of the key that it was made of")]
    IsTemporary(String),
    /// A temporary key is to be made of one that is good for nothing.
    #[error("access key {0} is disabled, so what is made of it would be, too")]
    Disabled(String),
    /// A temporary key is to last too long, or not at all.
    #[error("a temporary access key lasts 1 s to {} h", LIFETIME_MAX.as_secs() / 3600)]
    Lifetime,
    /// The limit is reached.
    #[error("there are {0} access keys and no more are allowed")]
    Full(usize),
    /// The limit of temporary ones is.
    #[error(
        "there are {0} temporary access keys and no more are allowed (store.temporary_keys_max); they end by themselves"
    )]
    TemporaryFull(usize),
    /// The store cannot be written or read; says whether the change was made.
    #[error("{0}")]
    Unwritable(String),
    /// The system has no randomness; nothing was written.
    #[error("{0}")]
    NoRandomness(String),
}

impl KeyError {
    /// The same in one word, for the audit log.
    pub fn word(&self) -> &'static str {
        self.into()
    }
}

impl Keys for Store {
    fn key(&self, id: &str) -> Option<Arc<AccessKey>> {
        self.shared().memory.key(id)
    }
}

impl Store {
    /// Makes an access key. [`Keys::key`] knows it when the function returns.
    ///
    /// # Errors
    /// When the id is malformed or taken, at the limit, or when nothing was written.
    pub async fn add_key(&self, new: NewKey) -> Result<AccessKey, KeyError> {
        let key = complete(new)?;
        let mut side = self.shared().write.lock().await;
        let added = self.insert_key(&mut side, &key).await;
        self.shared().ended(&mut side, added)?;
        Ok(key)
    }

    async fn insert_key(&self, side: &mut WriteSide, key: &AccessKey) -> Result<(), Stop<KeyError>> {
        self.make_room(side, key).await?;
        let mut tx = side.conn.begin().await?;
        if !tx.insert_key(key, UnixMillis::now()).await? {
            return Err(Stop::Refused(KeyError::Exists(key.id.clone())));
        }
        changes::commit(tx, Subject::Key(key.id.clone())).await?;
        changes::follow(self.shared(), side).await
    }

    /// Sees that there may be one more key like this one.
    async fn make_room(&self, side: &mut WriteSide, key: &AccessKey) -> Result<(), Stop<KeyError>> {
        let Shared { memory, config, .. } = self.shared();
        if key.temporary.is_none() {
            let there_are = memory.counts().1;
            let full = there_are >= config.keys_max.get();
            return if full { Err(Stop::Refused(KeyError::Full(there_are))) } else { Ok(()) };
        }
        let is_full = || memory.temporary_keys() >= config.temporary_keys_max.get();
        if is_full() {
            ended_keys::remove(self.shared(), side, UnixMillis::now()).await?;
        }
        if is_full() { Err(Stop::Refused(KeyError::TemporaryFull(memory.temporary_keys()))) } else { Ok(()) }
    }

    /// Makes an access key of another one, with a secret and a security token, that ends by itself.
    ///
    /// # Errors
    /// When it cannot be made of that one, at the limit, or when nothing was written.
    pub async fn add_temporary_key(&self, new: NewTemporaryKey) -> Result<AccessKey, KeyError> {
        let NewTemporaryKey { of, lasts, allow } = new;
        if !(Duration::from_secs(1)..=LIFETIME_MAX).contains(&lasts) {
            return Err(KeyError::Lifetime);
        }
        let made_of = self.key(&of).ok_or_else(|| KeyError::NoKey(of.clone()))?;
        if made_of.temporary.is_some() {
            return Err(KeyError::IsTemporary(of));
        }
        if !made_of.enabled {
            return Err(KeyError::Disabled(of));
        }
        let secret = random::access_key_secret().map_err(no_randomness)?;
        let lasts = i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX);
        let key = AccessKey {
            id: random::temporary_key_id().map_err(no_randomness)?,
            secret: Secret::new(&secret),
            account: made_of.account.clone(),
            enabled: true,
            security_token: Some(Secret::new(&random::security_token().map_err(no_randomness)?)),
            result: made_of.result,
            allow: allow.map(Arc::new),
            temporary: Some(Temporary { of, ends_at: UnixMillis(UnixMillis::now().0.saturating_add(lasts)) }),
        };
        let mut side = self.shared().write.lock().await;
        let added = self.insert_key(&mut side, &key).await;
        self.shared().ended(&mut side, added)?;
        Ok(key)
    }

    /// Every access key, by id.
    pub fn keys(&self) -> Vec<Arc<AccessKey>> {
        self.shared().memory.keys()
    }

    /// Calls signed with this key are refused from now on, or taken again.
    ///
    /// # Errors
    /// [`KeyError::NoKey`], or `Unwritable` when nothing was written.
    pub async fn set_key_enabled(&self, id: &str, enabled: bool) -> Result<(), KeyError> {
        let mut side = self.shared().write.lock().await;
        let updated = self.update_key(&mut side, id, KeyChange::Enabled(enabled)).await;
        self.shared().ended(&mut side, updated)
    }

    /// From now on it may do this, and nothing else; everything, if `None`.
    ///
    /// # Errors
    /// [`KeyError::NoKey`], or `Unwritable` when nothing was written.
    pub async fn set_key_allow(&self, id: &str, allow: Option<&AllowList>) -> Result<(), KeyError> {
        let text = allow.map(AllowList::to_string);
        let mut side = self.shared().write.lock().await;
        let updated = self.update_key(&mut side, id, KeyChange::Allowed(text.as_deref())).await;
        self.shared().ended(&mut side, updated)
    }

    /// Forgets a key, and those that were made of it.
    ///
    /// # Errors
    /// [`KeyError::NoKey`], or `Unwritable` when nothing was written.
    pub async fn remove_key(&self, id: &str) -> Result<(), KeyError> {
        let mut side = self.shared().write.lock().await;
        let removed = self.delete_key(&mut side, id).await;
        self.shared().ended(&mut side, removed)
    }

    async fn delete_key(&self, side: &mut WriteSide, id: &str) -> Result<(), Stop<KeyError>> {
        let mut tx = side.conn.begin().await?;
        let gone = tx.delete_key(id).await?;
        if !gone.iter().any(|gone| gone == id) {
            return Err(Stop::Refused(KeyError::NoKey(id.to_owned())));
        }
        let subjects: Vec<_> = gone.into_iter().map(Subject::Key).collect();
        changes::commit_all(tx, &subjects).await?;
        changes::follow(self.shared(), side).await
    }

    async fn update_key(&self, side: &mut WriteSide, id: &str, change: KeyChange<'_>) -> Result<(), Stop<KeyError>> {
        let mut tx = side.conn.begin().await?;
        if !tx.change_key(id, change).await? {
            return Err(Stop::Refused(KeyError::NoKey(id.to_owned())));
        }
        changes::commit(tx, Subject::Key(id.to_owned())).await?;
        changes::follow(self.shared(), side).await
    }

    /// Makes the first access key if there is none at all, disabled ones counted; `None` if there is one.
    ///
    /// # Errors
    /// When nothing was written.
    pub async fn first_key(&self, wanted: NewKey) -> Result<Option<AccessKey>, KeyError> {
        if !self.keys().is_empty() {
            return Ok(None);
        }
        match self.add_key(wanted).await {
            // Another instance that starts at the same time was quicker.
            Err(KeyError::Exists(_)) => Ok(None),
            made => made.map(Some),
        }
    }
}

/// Whether such a key could be made.
///
/// # Errors
/// What is wrong with its id or its secret.
pub fn check_new_key(new: &NewKey) -> Result<(), KeyError> {
    if let Some(id) = &new.id {
        checked(id.clone())?;
    }
    if new.secret.as_ref().is_some_and(|secret| secret.expose().is_empty()) {
        Err(KeyError::EmptySecret)
    } else {
        Ok(())
    }
}

fn complete(new: NewKey) -> Result<AccessKey, KeyError> {
    let id = match new.id {
        Some(id) => checked(id)?,
        None => random::access_key_id().map_err(no_randomness)?,
    };
    let secret = match new.secret {
        Some(secret) if secret.expose().is_empty() => return Err(KeyError::EmptySecret),
        Some(secret) => secret,
        None => Secret::new(&random::access_key_secret().map_err(no_randomness)?),
    };
    let NewKey { account, security_token, result, allow, .. } = new;
    let allow = allow.map(Arc::new);
    Ok(AccessKey { id, secret, account, enabled: true, security_token, result, allow, temporary: None })
}

/// A dot, too: temporary keys of STS look like `STS.xxx`.
fn checked(id: String) -> Result<String, KeyError> {
    let fits = (1..=ID_BYTES_MAX).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    if fits { Ok(id) } else { Err(KeyError::BadId(id.chars().take(64).collect())) }
}

impl SaysTrouble for KeyError {
    fn says(trouble: Trouble, written: Written) -> Self {
        Self::Unwritable(in_words(trouble, written))
    }
}

fn no_randomness(problem: random::NoRandomness) -> KeyError {
    KeyError::NoRandomness(problem.to_string())
}
