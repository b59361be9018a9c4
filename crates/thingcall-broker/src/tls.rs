//! The certificate that devices are shown.

use std::path::Path;
use std::sync::Arc;

use thingcall_core::Problem;
use thingcall_transport::{certificates, of_certificate, of_private_key, private_key};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{Error, ServerConfig};

/// Reads it and its key.
///
/// # Errors
/// All that is wrong with them, by keys within the broker's section.
pub(crate) fn acceptor(cert_file: &Path, key_file: &Path) -> Result<TlsAcceptor, Vec<Problem>> {
    let chain = certificates("tls.cert_file", cert_file);
    let key = private_key("tls.key_file", key_file);
    let (chain, key) = match (chain, key) {
        (Ok(chain), Ok(key)) => (chain, key),
        (chain, key) => return Err(chain.err().into_iter().chain(key.err()).collect()),
    };
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
    match config {
        Ok(config) => Ok(TlsAcceptor::from(Arc::new(config))),
        Err(Error::InconsistentKeys(_)) => {
            Err(vec![of_private_key("tls.key_file", key_file, "it is the key of another certificate")])
        }
        Err(error) => Err(vec![of_certificate("tls.cert_file", cert_file, error)]),
    }
}
