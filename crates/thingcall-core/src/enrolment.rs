//! Devices that come without a secret of their own and prove their product's: dynamic registration.
//!
//! **Invariant:** what a device gets it gets until it has logged in with it, and not after that: who knows the product's secret
//! alone learns nothing of devices that are in use.

use async_trait::async_trait;

use crate::{DeviceKey, LookUpFailed, ProductKey, Secret};

/// What a device asks that has no secret yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// Who it says it is.
    pub device: DeviceKey,
    /// What it made up for this once.
    pub random: String,
    /// How it signed; the documented default if it does not say.
    pub sign_method: Option<String>,
    /// Its signature, keyed with its product's secret.
    pub sign: Vec<u8>,
    /// What it wants.
    pub wants: EnrolsFor,
}

/// What a device without a secret may want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnrolsFor {
    /// Its secret (`authType=register`).
    Secret,
    /// A client id, and a token in place of a password (`authType=regnwl`).
    Token,
}

/// What it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enrolled {
    /// Its secret.
    Secret(Secret),
    /// What it connects with.
    Token {
        /// What stands before the bar of its client id.
        client_id: String,
        /// Its password.
        token: Secret,
    },
}

/// Why it gets nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEnrolled {
    /// There is no such product, or its devices are registered otherwise.
    #[error("product {0} does not exist, or has no dynamic registration (`thingcall product registration`)")]
    Off(ProductKey),
    /// The sign method is none that is known.
    #[error("sign method {0:?} is unknown; right is hmacmd5, hmacsha1 or hmacsha256")]
    SignMethod(String),
    /// The signature is not that of the product's secret.
    #[error("device {0} sent a wrong signature: its product's secret, or what it signed, differs")]
    Sign(DeviceKey),
    /// It is not registered, and has to be.
    #[error("device {0} is not registered, and devices of its product have to be before they come")]
    Unknown(DeviceKey),
    /// It has logged in before.
    #[error("device {0} has logged in before, and its secret is told no more; remove it to have it come anew")]
    Activated(DeviceKey),
    /// It is disabled.
    #[error("device {0} is disabled")]
    Disabled(DeviceKey),
    /// Too many come.
    #[error("more devices come for their secrets than may ({0} a second, registration.per_second_max)")]
    TooOften(u32),
    /// It could not be registered.
    #[error("{0}")]
    NotRegistered(String),
    /// It could not be looked up.
    #[error("the device could not be looked up: {0}")]
    NotLookedUp(#[from] LookUpFailed),
}

/// Who registers devices that come by themselves.
#[async_trait]
pub trait Registrar: Send + Sync {
    /// Gives a device what it asks for, if it may have it.
    ///
    /// # Errors
    /// Why it gets nothing.
    async fn enrol(&self, asked: &Enrolment) -> Result<Enrolled, NotEnrolled>;
}
