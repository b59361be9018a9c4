//! What a handler answers, and why it does not.

use serde::de::DeserializeOwned;
use serde::Serialize;

use crate::abi;

/// An answer: the device's, or the handler's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The Alink code: 200 is success, 202 an asynchronous command on its way.
    pub code: i32,
    /// The words that go with it; may be empty.
    pub message: String,
    json: Vec<u8>,
}

impl Reply {
    /// Success with this data, which must be a JSON object.
    ///
    /// # Errors
    /// If the data cannot be written as JSON.
    pub fn ok(data: &impl Serialize) -> Result<Self, Reject> {
        let json = serde_json::to_vec(data).map_err(|error| Reject::internal(&format!("the reply's data: {error}")))?;
        Ok(Self { code: abi::CODE_SUCCESS, message: String::new(), json })
    }

    pub(crate) fn from_parts(code: i32, message: String, json: Vec<u8>) -> Self {
        Self { code, message, json }
    }

    /// Whether the code says success.
    pub fn is_success(&self) -> bool {
        self.code == abi::CODE_SUCCESS
    }

    /// The data, read as this type.
    ///
    /// # Errors
    /// If it does not fit; the caller is told what did not.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, Reject> {
        let json: &[u8] = if self.json.is_empty() { b"{}" } else { &self.json };
        serde_json::from_slice(json).map_err(|error| Reject::internal(&format!("the device's data: {error}")))
    }

    /// The same answer with other data, which must be a JSON object.
    ///
    /// # Errors
    /// If the data cannot be written as JSON.
    pub fn with_data(self, data: &impl Serialize) -> Result<Self, Reject> {
        Ok(Self { json: Self::ok(data)?.json, ..self })
    }

    /// The data's JSON text.
    pub fn json(&self) -> &[u8] {
        &self.json
    }
}

/// Why a handler does not answer with a [`Reply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    pub(crate) status: i32,
    pub(crate) code: i32,
    pub(crate) message: String,
}

impl Reject {
    /// Refuses the call with this code, which the caller sees in place of a device's. With a code of success, 200 or 202,
    /// the call fails: a refusal must not look like one.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        let message = message.into();
        if matches!(code, abi::CODE_SUCCESS | abi::CODE_ACCEPTED) {
            return Self::internal(&format!("it refused with code {code}, which is success: {message}"));
        }
        Self { status: abi::OK, code, message }
    }

    pub(crate) fn status(status: i32, message: impl Into<String>) -> Self {
        Self { status, code: 0, message: message.into() }
    }

    fn internal(message: &str) -> Self {
        Self::status(abi::E_INTERNAL, message)
    }

    /// The code, where it has one.
    pub fn code(&self) -> Option<i32> {
        (self.status == abi::OK).then_some(self.code)
    }

    /// The words.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl std::fmt::Display for Reject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.code() {
            Some(code) => write!(f, "refused with code {code}: {}", self.message),
            None => write!(f, "failed ({}): {}", self.status, self.message),
        }
    }
}

impl std::error::Error for Reject {}

/// Why a command to the device has no reply. As a [`Reject`] the caller is told the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    status: i32,
    message: String,
}

impl Failed {
    pub(crate) fn new(status: i32, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// The device did not answer in time.
    pub fn is_timeout(&self) -> bool {
        self.status == abi::E_TIMEOUT
    }

    /// The device is not connected.
    pub fn is_offline(&self) -> bool {
        self.status == abi::E_OFFLINE
    }

    /// The call ended before the device answered.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.status, abi::E_CANCELLED | abi::E_STALE | abi::E_SHUTDOWN)
    }

    /// What happened, in words.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the device's command failed ({}): {}", self.status, self.message)
    }
}

impl std::error::Error for Failed {}

impl From<Failed> for Reject {
    fn from(failed: Failed) -> Self {
        Self::status(failed.status, failed.message)
    }
}
