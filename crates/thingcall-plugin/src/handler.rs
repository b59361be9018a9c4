//! What an author implements.

use async_trait::async_trait;

use crate::{Call, Device, Reject, Reply};

/// Handles calls: a middleware around the device.
///
/// One value serves all calls of a plugin, many at once and on several threads. A future is dropped at its call's
/// deadline, or when the caller hangs up.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Handles one call. Without it, calls pass to the device and back unchanged.
    ///
    /// # Errors
    /// What the caller is told instead of an answer.
    async fn handle(&self, call: Call<'_>, device: Device<'_>) -> Result<Reply, Reject> {
        Ok(device.call_json(call.args_json(), None).await?)
    }

    /// The bytes a device gets instead of the Alink request `json`, where the plugin's codecs name its product.
    ///
    /// # Errors
    /// Why there are none: a text for the log.
    fn encode(&self, message: CodecInput<'_>) -> Result<Vec<u8>, String> {
        let _ = message;
        Err("this plugin does not encode".to_owned())
    }

    /// The Alink reply that a device's bytes stand for.
    ///
    /// # Errors
    /// Why there is none: a text for the log.
    fn decode(&self, message: CodecInput<'_>) -> Result<Vec<u8>, String> {
        let _ = message;
        Err("this plugin does not decode".to_owned())
    }
}

/// What is translated.
#[derive(Debug, Clone, Copy)]
pub struct CodecInput<'a> {
    /// The product.
    pub product_key: &'a str,
    /// The device.
    pub device_name: &'a str,
    /// The service; empty where bytes are read and it is not known which call they answer.
    pub identifier: &'a str,
    /// An Alink message's JSON, or the device's bytes.
    pub bytes: &'a [u8],
}
