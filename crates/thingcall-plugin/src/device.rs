//! The way to the call's device.

use std::marker::PhantomData;
use std::time::Duration;

use serde::Serialize;

use crate::operation::Operation;
use crate::reply::Failed;
use crate::{abi, Reply};

/// The device that the call names, or the next plugin in front of it. Commands may run at the same time.
#[derive(Debug, Clone, Copy)]
pub struct Device<'a> {
    token: abi::Token,
    call: PhantomData<&'a ()>,
}

impl Device<'_> {
    pub(crate) fn new(token: abi::Token) -> Self {
        Self { token, call: PhantomData }
    }

    /// Sends a command with these arguments, which must be a JSON object, and waits for the device's answer.
    ///
    /// # Errors
    /// Why there is none; with `?` the caller is told the same.
    pub async fn call(&self, args: &impl Serialize) -> Result<Reply, Failed> {
        self.call_json(&json(args)?, None).await
    }

    /// The same, and gives up after this time.
    ///
    /// # Errors
    /// As [`Self::call`]; [`Failed::is_timeout`] when the time is over.
    pub async fn call_within(&self, time: Duration, args: &impl Serialize) -> Result<Reply, Failed> {
        self.call_json(&json(args)?, Some(time)).await
    }

    /// The same with arguments that are JSON text already.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_json(&self, args: &[u8], within: Option<Duration>) -> Result<Reply, Failed> {
        Operation::forward(self.token, args, within).await
    }
}

fn json(args: &impl Serialize) -> Result<Vec<u8>, Failed> {
    serde_json::to_vec(args).map_err(|error| Failed::new(abi::E_INVAL, format!("arguments: {error}")))
}
