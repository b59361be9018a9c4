//! Why a question is not answered with yes.
//!
//! **Invariant:** each reason that is counted has its word in [`Denial::WORDS`].

use thingcall_alink as alink;

use crate::fields::Unreadable;

/// The reason, for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denial {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
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

impl Denial {
    /// The words for the reasons that are counted: not those of questions that were not understood, nor of the one
    /// that is asked about everybody.
    pub(crate) const WORDS: [&str; 11] = [
        "not_ours",
        "credential",
        "password",
        "disabled",
        "dotted_name",
        "client_id_taken",
        "client_id_free",
        "client_ids_full",
        "vhost",
        "resource",
        "topic",
    ];

    /// The word for this reason.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::NotOurs => "not_ours",
            Self::Credential(_) => "credential",
            Self::Password => "password",
            Self::Disabled => "disabled",
            Self::Dotted => "dotted_name",
            Self::ClientIdTaken => "client_id_taken",
            Self::ClientIdFree => "client_id_free",
            Self::ClientIdsFull => "client_ids_full",
            Self::Vhost => "vhost",
            Self::Resource => "resource",
            Self::Topic => "topic",
            Self::Superuser => "superuser",
        }
    }
}
