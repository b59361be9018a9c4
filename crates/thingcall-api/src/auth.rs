//! Whether a request may come in: its key, its age, its signature, its nonce, its token.
//!
//! **Invariant:** in this order, and a nonce is noted only once the signature is right, so that nobody without the
//! secret can use up a key's memory; where instances share what they noted, they are asked last. Whatever is compared with
//! a secret or a signature is compared in constant time.

mod acs3;
mod prepared;
mod v1;

use std::cell::RefCell;
use std::ops::BitOr;
use std::sync::Arc;
use std::time::Duration;

use subtle::ConstantTimeEq;
use thingcall_core::{AccessKey, Keys, UnixMillis};
use tokio::time::Instant;

use self::prepared::PreparedKeys;
use crate::clock::{self, Clock};
use crate::config::Config;
use crate::gateway::GatewayError;
use crate::incoming::{Incoming, Scheme};
use crate::nonce::{NonceError, Nonces};
use crate::shared_nonces::SharedSet;

/// The string to sign of a usual request fits into so much; what a larger one took is given back.
const STRING_KEPT_BYTES_MAX: usize = 16 * 1024;

thread_local! {
    /// Where the string to sign is written, request after request.
    static STRING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lets requests in.
pub(crate) struct Authenticator {
    keys: Arc<dyn Keys>,
    prepared: PreparedKeys,
    nonces: Arc<Nonces>,
    nonces_max: usize,
    skew: Duration,
    clock: Clock,
    memory: Memory,
}

/// How far back nonces are remembered.
enum Memory {
    /// Since this instance began to, by its clock in whole seconds, as requests tell their time.
    Own { began: UnixMillis, began_at: Instant },
    /// As far as all instances' set says of each.
    Shared(Arc<SharedSet>),
}

/// A request that may come in, unless another instance let it in before.
#[derive(Debug)]
pub(crate) struct Admitted<'a> {
    pub(crate) key: Arc<AccessKey>,
    nonce: &'a str,
    at: UnixMillis,
    now: UnixMillis,
}

/// What a request says of itself, not yet believed.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    scheme: Scheme,
    pub(crate) key_id: &'a str,
    pub(crate) signature: &'a str,
    pub(crate) time: &'a str,
    nonce: &'a str,
    pub(crate) token: Option<&'a str>,
}

impl<'a> Claim<'a> {
    /// What this request says, by the signature that it has; `string` becomes the string to sign.
    pub(crate) fn of(incoming: &'a Incoming<'_>, string: &mut Vec<u8>) -> Result<Self, GatewayError> {
        match incoming.scheme {
            Scheme::V1 => v1::claim(incoming, string),
            Scheme::Acs3 => acs3::claim(incoming, string),
        }
    }
}

impl Authenticator {
    /// One that knows these keys, and remembers nonces with other instances where they share a set.
    pub(crate) fn new(keys: Arc<dyn Keys>, config: &Config, clock: Clock, shared: Option<Arc<SharedSet>>) -> Self {
        let own = || Memory::Own { began: whole_seconds(clock()), began_at: Instant::now() };
        Self {
            keys,
            prepared: PreparedKeys::default(),
            nonces: Arc::new(Nonces::new(config.nonces_max.get(), config.clock_skew)),
            nonces_max: config.nonces_max.get(),
            skew: config.clock_skew,
            memory: shared.map_or_else(own, Memory::Shared),
            clock,
        }
    }

    /// How many nonces are remembered of the key that has most, whenever it is asked for.
    pub(crate) fn fullest(&self) -> impl Fn() -> usize + Send + Sync + 'static {
        let (nonces, clock) = (self.nonces.clone(), self.clock.clone());
        move || nonces.fullest(clock())
    }

    /// The key that signed this request, as far as this instance knows.
    pub(crate) fn admit<'a>(&self, incoming: &'a Incoming<'_>) -> Result<Admitted<'a>, GatewayError> {
        STRING.with_borrow_mut(|string| {
            let admitted = self.admit_by(incoming, string);
            if string.capacity() > STRING_KEPT_BYTES_MAX {
                *string = Vec::new();
            }
            admitted
        })
    }

    fn admit_by<'a>(&self, incoming: &'a Incoming<'_>, string: &mut Vec<u8>) -> Result<Admitted<'a>, GatewayError> {
        let claim = Claim::of(incoming, string)?;
        let now = (self.clock)();
        let key = self.key(claim.key_id, now)?;
        let at = self.check_time(claim.time, now)?;
        if !self.prepared.signed(&key, claim.scheme, (string, claim.signature)) {
            return Err(GatewayError::SignatureDoesNotMatch(String::from_utf8_lossy(string).into_owned()));
        }
        self.nonces.note(&key.id, claim.nonce, at, now).map_err(|error| match error {
            NonceError::Used => GatewayError::NonceUsed,
            NonceError::Full(wait) => GatewayError::NoncesFull { nonces_max: self.nonces_max, wait },
        })?;
        match (&key.security_token, claim.token) {
            (None, None) => {}
            (Some(_), None) => return Err(GatewayError::Missing("SecurityToken")),
            (Some(token), Some(given)) if same(token.expose(), given) => {}
            (_, Some(_)) => return Err(GatewayError::TokenMismatch),
        }
        Ok(Admitted { nonce: claim.nonce, key, at, now })
    }

    /// Waits until what is signed now can be told from what was sent before; at most so long.
    pub(crate) async fn begun(&self, within: Duration) {
        if let Memory::Shared(set) = &self.memory {
            set.begun(&self.clock, within).await;
        }
    }

    /// The set that says whether another instance let a request in before; `None` where there is none.
    pub(crate) fn shared(&self) -> Option<&Arc<SharedSet>> {
        match &self.memory {
            Memory::Own { .. } => None,
            Memory::Shared(set) => Some(set),
        }
    }

    /// Refuses a request whose head alone says already that it will be: its key is unknown, or its time is off. Where the
    /// head does not say, the body will.
    pub(crate) fn foresee(&self, incoming: &Incoming<'_>) -> Result<(), GatewayError> {
        let (key_id, time) = match incoming.scheme {
            Scheme::V1 => v1::foreseen(incoming),
            Scheme::Acs3 => acs3::foreseen(incoming)?,
        };
        if let Some(key_id) = key_id {
            self.key(key_id, (self.clock)())?;
        }
        time.map_or(Ok(()), |time| self.check_time(time, (self.clock)()).map(drop))
    }

    /// The key of this id, if it is good for anything.
    fn key(&self, id: &str, now: UnixMillis) -> Result<Arc<AccessKey>, GatewayError> {
        let key = self.keys.key(id).ok_or(GatewayError::KeyUnknown)?;
        if !key.enabled {
            return Err(GatewayError::KeyInactive);
        }
        if key.has_ended(now) { Err(GatewayError::TokenExpired) } else { Ok(key) }
    }

    fn check_time(&self, text: &str, now: UnixMillis) -> Result<UnixMillis, GatewayError> {
        let at = clock::parse(text).ok_or_else(|| GatewayError::TimeFormat(text.chars().take(64).collect()))?;
        let off = Duration::from_millis(at.0.abs_diff(now.0));
        if off > self.skew {
            return Err(GatewayError::Expired { off_seconds: off.as_secs(), max_seconds: self.skew.as_secs() });
        }
        self.check_known(at, now)?;
        Ok(at)
    }

    /// Refuses what was signed before this server began: its nonce may have been used with the one before it. The clock
    /// may have been set back since.
    fn check_known(&self, at: UnixMillis, now: UnixMillis) -> Result<(), GatewayError> {
        let Memory::Own { began, began_at } = &self.memory else { return Ok(()) };
        if at >= *began {
            return Ok(());
        }
        let ran = i64::try_from(began_at.elapsed().as_millis()).unwrap_or(i64::MAX);
        let began = (*began).min(whole_seconds(UnixMillis(now.0.saturating_sub(ran))));
        if at >= began { Ok(()) } else { Err(GatewayError::BeforeStart { seconds: (began.0 - at.0) / 1000 }) }
    }
}

impl Admitted<'_> {
    /// Refuses a request that another instance let in before.
    pub(crate) async fn confirm(&self, set: &SharedSet) -> Result<(), GatewayError> {
        set.note((&self.key.id, self.nonce), (self.at, self.now)).await
    }
}

/// The key that a request says it is signed with.
pub(crate) fn claimed_key<'a>(incoming: &'a Incoming<'_>) -> Option<&'a str> {
    match incoming.scheme {
        Scheme::V1 => v1::foreseen(incoming).0,
        Scheme::Acs3 => acs3::foreseen(incoming).ok()?.0,
    }
}

fn whole_seconds(time: UnixMillis) -> UnixMillis {
    UnixMillis(time.0 - time.0.rem_euclid(1000))
}

/// The canonical request of one that is signed with headers; of the older signature there is none.
pub(crate) fn canonical_request(incoming: &Incoming<'_>) -> Result<Option<Vec<u8>>, GatewayError> {
    match incoming.scheme {
        Scheme::V1 => Ok(None),
        Scheme::Acs3 => acs3::canonical(incoming).map(Some),
    }
}

/// Whether these are the same, in a time that does not tell where they differ.
pub(crate) fn same(ours: &str, theirs: &str) -> bool {
    same_bytes(ours.as_bytes(), theirs.as_bytes())
}

/// Eight bytes at a time: one at a time is what costs.
fn same_bytes(ours: &[u8], theirs: &[u8]) -> bool {
    let ((ours, our_rest), (theirs, their_rest)) = (ours.as_chunks::<8>(), theirs.as_chunks::<8>());
    let differs = |(ours, theirs): (&[u8; 8], &[u8; 8])| u64::from_ne_bytes(*ours) ^ u64::from_ne_bytes(*theirs);
    let difference = ours.iter().zip(theirs).map(differs).fold(0, BitOr::bitor);
    bool::from(difference.ct_eq(&0) & our_rest.ct_eq(their_rest)) && ours.len() == theirs.len()
}

#[cfg(test)]
mod tests;
