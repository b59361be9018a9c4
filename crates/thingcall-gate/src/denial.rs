//! Why a question is not answered with yes.
//!
//! **Invariant:** each reason that is counted is one of [`Reason`].

use enum_map::Enum;
use strum::IntoStaticStr;
use thingcall_alink as alink;
use thingcall_core::LookUpFailed;

use crate::fields::Unreadable;

/// The reason, for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denial {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("the device could not be looked up: {0}")]
    NotLookedUp(#[from] LookUpFailed),
    #[error("the user is no device and not in the configuration")]
    NotOurs,
    #[error(transparent)]
    Credential(#[from] alink::Refusal),
    #[error("the user's password is wrong")]
    Password,
    #[error("the device is disabled")]
    Disabled,
    #[error("the device's name has a dot, which RabbitMQ takes for the end of a topic level")]
    Dotted,
    #[error("the client id belongs to another device")]
    ClientIdTaken,
    #[error("the client id is free text, which the configuration forbids")]
    ClientIdFree,
    #[error("no more client ids of free text can be remembered")]
    ClientIdsFull,
    #[error("the virtual host is not for devices")]
    Vhost,
    #[error("the device may not use this queue or exchange")]
    Resource,
    #[error("the device may not use this topic")]
    Topic,
    #[error("devices are no superusers")]
    Superuser,
}

/// The reasons that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Reason {
    NotOurs,
    Credential,
    Password,
    Disabled,
    DottedName,
    ClientIdTaken,
    ClientIdFree,
    ClientIdsFull,
    Vhost,
    Resource,
    Topic,
}

impl Denial {
    /// As what it is counted: not where the question was not understood or has no answer now, nor the one that is asked about everybody.
    pub(crate) const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Unreadable(_) | Self::NotLookedUp(_) | Self::Superuser => None,
            Self::NotOurs => Some(Reason::NotOurs),
            Self::Credential(_) => Some(Reason::Credential),
            Self::Password => Some(Reason::Password),
            Self::Disabled => Some(Reason::Disabled),
            Self::Dotted => Some(Reason::DottedName),
            Self::ClientIdTaken => Some(Reason::ClientIdTaken),
            Self::ClientIdFree => Some(Reason::ClientIdFree),
            Self::ClientIdsFull => Some(Reason::ClientIdsFull),
            Self::Vhost => Some(Reason::Vhost),
            Self::Resource => Some(Reason::Resource),
            Self::Topic => Some(Reason::Topic),
        }
    }
}
