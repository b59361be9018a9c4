//! Secrets made ready to sign with, so that a request's signature does not begin with its key.
//!
//! **Invariant:** a prepared key is used for the very secret that it was made of: another key of the same id, or the same
//! with another secret, is prepared anew.

use std::sync::Arc;

use dashmap::DashMap;
use thingcall_core::AccessKey;

use super::same_bytes;
use crate::incoming::Scheme;
use crate::sign::SigningKey;

/// Some 300 bytes each. Who has more keys in use at a time pays for their preparation now and then.
const PREPARED_MAX: usize = 4096;

/// What was prepared, by the key's id.
#[derive(Debug, Default)]
pub(super) struct PreparedKeys {
    by_id: DashMap<String, Prepared, foldhash::quality::RandomState>,
}

#[derive(Debug)]
struct Prepared {
    key: Arc<AccessKey>,
    signing: Arc<SigningKey>,
}

impl PreparedKeys {
    /// Whether this string has this signature by the key.
    pub(super) fn signed(&self, key: &Arc<AccessKey>, scheme: Scheme, (string, signature): (&[u8], &str)) -> bool {
        // Nothing is locked while a string is hashed, which may be long.
        let known = self.by_id.get(key.id.as_str()).filter(|known| Arc::ptr_eq(&known.key, key));
        if let Some(signing) = known.map(|known| known.signing.clone()) {
            return is(&signing, scheme, (string, signature));
        }
        let prepared = Prepared { key: key.clone(), signing: Arc::new(SigningKey::new(key.secret.expose())) };
        let right = is(&prepared.signing, scheme, (string, signature));
        // Nobody without the secret takes up room.
        if right {
            if self.by_id.len() >= PREPARED_MAX {
                self.by_id.clear();
            }
            self.by_id.insert(key.id.clone(), prepared);
        }
        right
    }
}

fn is(key: &SigningKey, scheme: Scheme, (string, signature): (&[u8], &str)) -> bool {
    let mut text = [0; 64];
    let ours = match scheme {
        Scheme::V1 => key.v1_sign(string, &mut text),
        Scheme::Acs3 => key.acs3_sign(string, &mut text),
    };
    same_bytes(ours, signature.as_bytes())
}
