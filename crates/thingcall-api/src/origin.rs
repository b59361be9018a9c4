//! Where a request comes from.
//!
//! **Invariant:** what comes over the network is as good as its signature; what another part of this program asks, it asks
//! as an access key, whose rules and quota count as if that key had signed it.

use std::sync::Arc;

use thingcall_core::AccessKey;
use thingcall_listen::Caller;

use crate::app::App;
use crate::gateway::GatewayError;
use crate::incoming::Incoming;

/// Who asks.
#[derive(Debug)]
pub(crate) enum Origin {
    /// Somebody on a connection, whose request says by its signature who it is.
    Network(Caller),
    /// A part of this program, as this key.
    Inside(Arc<AccessKey>),
}

impl Origin {
    /// The key that asks.
    ///
    /// # Errors
    /// Where its signature is not right.
    pub(crate) async fn admit(&self, app: &App, incoming: &Incoming<'_>) -> Result<Arc<AccessKey>, GatewayError> {
        match self {
            Self::Network(caller) => {
                let key = app.admit(incoming).await?;
                caller.vouched();
                Ok(key)
            }
            Self::Inside(key) => incoming.params.check().map(|()| key.clone()),
        }
    }

    /// Whether it is known who asks.
    pub(crate) fn is_vouched(&self) -> bool {
        match self {
            Self::Network(caller) => caller.is_vouched(),
            Self::Inside(_) => true,
        }
    }

    /// Whether it may be told so many bytes more.
    pub(crate) fn may_be_told(&self, bytes: usize) -> bool {
        match self {
            Self::Network(caller) => caller.may_be_told(bytes),
            Self::Inside(_) => true,
        }
    }
}
