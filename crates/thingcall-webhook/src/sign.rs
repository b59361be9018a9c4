//! The signature of a request, by the Standard Webhooks convention, version `v1`.
//!
//! **Invariant:** what is signed is `ID.SECONDS.BODY`, and nothing else is said to be signed.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thingcall_core::Secret;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// How long its bytes are, in the convention.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// How long those of a new one are.
const NEW_BYTES: usize = 32;

/// What would be right for a secret.
pub(crate) const RIGHT: &str = "whsec_ and 24 to 64 bytes in base64, as `thingcall webhook secret` makes it; of two with a space between, both sign";

/// The secrets of a target: while one takes the place of another, both.
#[derive(Clone)]
pub(crate) struct SigningKeys(Vec<Vec<u8>>);

impl SigningKeys {
    /// Secrets as a person wrote them, with white space between them. `None` if there is none, or one is not right.
    pub(crate) fn read(secret: &Secret) -> Option<Self> {
        let key = |word: &str| {
            let bytes = STANDARD.decode(word.strip_prefix(PREFIX)?).ok()?;
            BYTES.contains(&bytes.len()).then_some(bytes)
        };
        let keys: Vec<_> = secret.expose().split_ascii_whitespace().map(key).collect::<Option<_>>()?;
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// The header `webhook-signature`: one signature for each secret.
    pub(crate) fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut all = String::new();
        for key in &self.0 {
            // A key of any length is one.
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { continue };
            mac.update(format!("{id}.{seconds}.").as_bytes());
            mac.update(body);
            let between = if all.is_empty() { "" } else { " " };
            // Writing to a String cannot fail.
            let _written = write!(all, "{between}v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        }
        all
    }
}

/// A secret that nobody has yet.
pub fn new_secret(random: [u8; NEW_BYTES]) -> Secret {
    Secret::new(&format!("{PREFIX}{}", STANDARD.encode(random)))
}

#[cfg(test)]
mod tests {
    //! The convention's own vector. What its library says of our requests stands in the end-to-end tests.

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn signed(secret: &str) -> Option<String> {
        let keys = SigningKeys::read(&Secret::new(secret))?;
        Some(keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#))
    }

    #[test]
    fn the_conventions_vector_holds() {
        assert_eq!(signed(SECRET).as_deref(), Some(SIGNED));
    }

    #[test]
    fn both_of_two_secrets_sign() {
        let other = new_secret([7; 32]);
        let both = signed(&format!("{} {SECRET}\n", other.expose())).expect("both are right");
        let (first, second) = both.split_once(' ').expect("two signatures");
        assert!(first.starts_with("v1,") && first != SIGNED && second == SIGNED, "{both}");
    }

    #[test]
    fn what_is_no_secret_of_the_convention_is_refused() {
        for wrong in ["", " ", "secret", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert_eq!(signed(wrong), None, "{wrong:?}");
        }
    }
}
