//! How the calls of a product are treated.

use thingcall_core::{SyncTopic, TransportName};

use crate::registration::Registration;

/// How the calls of a product are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct ProductSettings {
    /// Whether calls are checked against the model.
    pub validation: Validation,
    /// How exact arguments must be where they are checked.
    pub args_check: ArgsCheck,
    /// What the devices speak.
    pub data_format: DataFormat,
    /// How the answers of devices that speak their own bytes find their calls.
    pub raw_answers: RawAnswers,
    /// What happens to a reply that does not fit the model.
    pub reply_check: ReplyCheck,
    /// Where its devices take synchronous calls, for transports that cannot learn it from the device.
    pub sync_topic: Option<SyncTopic>,
    /// When the next call of a device leaves.
    #[serde(skip_serializing_if = "Pacing::is_default")]
    pub pacing: Pacing,
    /// The transport that serves its devices, where none is set for the device itself.
    pub transport: Option<TransportName>,
    /// How its devices come to their secrets by themselves; `None`: they do not. Programs of before know no such member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration: Option<Registration>,
}

impl ProductSettings {
    /// Whether its devices' answers do not say what they answer.
    pub fn answers_in_order(&self) -> bool {
        self.data_format == DataFormat::Custom && self.raw_answers == RawAnswers::InOrder
    }
}

/// CreateProduct's `ValidateType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validation {
    /// Arguments must fit the model (`ValidateType` 1, Alibaba's "weak").
    #[default]
    Model,
    /// Verification-free (`ValidateType` 2): nothing is checked and every call is asynchronous.
    Free,
}

/// How exact arguments must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArgsCheck {
    /// What is given must be in the model and fit its type; inputs may be left out. Single quotes, bare keys and whole
    /// numbers written with a decimal point are mended before the device sees them.
    #[default]
    Weak,
    /// Every input must be there, unless the model says `"required": false`, and nothing is mended.
    Strict,
}

/// CreateProduct's `DataFormat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataFormat {
    /// Alink JSON (`DataFormat` 1).
    #[default]
    Alink,
    /// The device's own bytes (`DataFormat` 0), translated by a plugin.
    Custom,
}

/// How an answer in a device's own bytes finds its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RawAnswers {
    /// By the id in the bytes, or in the topic.
    #[default]
    ById,
    /// An answer without an id is for the oldest asynchronous call of its device, and there is one at a time.
    InOrder,
}

/// When the next call of a device leaves, for devices that can take only so much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pacing {
    /// At once.
    #[default]
    AllAtOnce,
    /// When the message of the one before was acknowledged.
    AfterAck,
    /// When the one before was answered.
    AfterAnswer,
}

impl Pacing {
    /// Instances of before read no such member.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What happens to a reply that does not fit the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyCheck {
    /// Replies are not checked.
    Off,
    /// It is counted and logged, and the caller gets it.
    #[default]
    Warn,
    /// The call fails with `invalid_reply`.
    Reject,
}
