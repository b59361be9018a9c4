//! The public codes of refusals.
//!
//! **Invariant:** a closed list, which metrics have from the start. Never renamed, never reused.

use enum_map::Enum;
use strum::IntoStaticStr;

use super::GatewayError;

/// A public code of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
pub(crate) enum GatewayCode {
    /// Followed by the parameter's name where a caller reads it.
    Missing,
    #[strum(serialize = "UnsupportedHTTPMethod")]
    UnsupportedHttpMethod,
    #[strum(serialize = "InvalidAction.NotFound")]
    ActionNotFound,
    RequestUriTooLong,
    RequestBodyTooLarge,
    RequestTimeout,
    RequestHeaderTooLarge,
    ServiceUnavailable,
    UnsupportedContentType,
    InvalidFormat,
    InvalidParameter,
    InvalidVersion,
    #[strum(serialize = "InvalidAccessKeyId.NotFound")]
    KeyNotFound,
    #[strum(serialize = "InvalidAccessKeyId.Inactive")]
    KeyInactive,
    #[strum(serialize = "Forbidden.RAM")]
    Forbidden,
    SignatureDoesNotMatch,
    IncompleteSignature,
    SignatureNonceUsed,
    #[strum(serialize = "InvalidTimeStamp.Expired")]
    TimeExpired,
    #[strum(serialize = "InvalidTimeStamp.Format")]
    TimeFormat,
    #[strum(serialize = "InvalidSecurityToken.MismatchWithAccessKey")]
    TokenMismatch,
    #[strum(serialize = "InvalidSecurityToken.Expired")]
    TokenExpired,
    IdempotentParameterMismatch,
    #[strum(serialize = "Throttling.User")]
    ThrottlingUser,
    Throttling,
}

impl GatewayCode {
    /// As callers read it.
    pub(crate) fn as_str(self) -> &'static str {
        self.into()
    }
}

impl GatewayError {
    /// The public code, as metrics count it: whatever parameter is missing.
    pub(crate) const fn counted_as(&self) -> GatewayCode {
        match self {
            Self::Missing(_) => GatewayCode::Missing,
            Self::Method(_) => GatewayCode::UnsupportedHttpMethod,
            Self::Path(_) | Self::Action(_) => GatewayCode::ActionNotFound,
            Self::UriTooLong { .. } => GatewayCode::RequestUriTooLong,
            Self::BodyTooLarge { .. } => GatewayCode::RequestBodyTooLarge,
            Self::BodyTimeout(_) | Self::HeadTimeout(_) => GatewayCode::RequestTimeout,
            Self::HeadTooLarge { .. } | Self::TooManyHeaders { .. } => GatewayCode::RequestHeaderTooLarge,
            Self::BytesFull { .. } | Self::NoncesUnknown | Self::StreamsFull { .. } | Self::MessagesUnreadable => {
                GatewayCode::ServiceUnavailable
            }
            Self::BodyType(_) => GatewayCode::UnsupportedContentType,
            Self::BodyUnreadable | Self::Malformed => GatewayCode::InvalidFormat,
            Self::TooManyParameters { .. }
            | Self::Duplicate(_)
            | Self::Nul(_)
            | Self::Invalid { .. }
            | Self::SignatureMethod(_)
            | Self::ContentHash(_) => GatewayCode::InvalidParameter,
            Self::Version(_) => GatewayCode::InvalidVersion,
            Self::KeyUnknown => GatewayCode::KeyNotFound,
            Self::KeyInactive => GatewayCode::KeyInactive,
            Self::Forbidden { .. } => GatewayCode::Forbidden,
            Self::SignatureDoesNotMatch(_) => GatewayCode::SignatureDoesNotMatch,
            Self::IncompleteSignature(_) => GatewayCode::IncompleteSignature,
            Self::NonceUsed => GatewayCode::SignatureNonceUsed,
            Self::Expired { .. } | Self::BeforeStart { .. } | Self::BeforeMemory { .. } => GatewayCode::TimeExpired,
            Self::TimeFormat(_) => GatewayCode::TimeFormat,
            Self::TokenMismatch => GatewayCode::TokenMismatch,
            Self::TokenExpired => GatewayCode::TokenExpired,
            Self::OnceDiffers => GatewayCode::IdempotentParameterMismatch,
            Self::Throttled { .. } => GatewayCode::ThrottlingUser,
            Self::NoncesFull { .. } => GatewayCode::Throttling,
        }
    }
}
