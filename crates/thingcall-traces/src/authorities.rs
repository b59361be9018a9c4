//! Who may vouch for a collector.

use std::path::Path;
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt;
use thingcall_core::Problem;
use thingcall_transport::{certificates, no_authorities};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

/// How a collector that is spoken to with TLS is known.
///
/// # Errors
/// If who may vouch for it cannot be read.
pub(crate) fn authorities(ca_file: Option<&Path>) -> Result<ClientConfig, Problem> {
    let Some(file) = ca_file else {
        let wrong = |error: std::io::Error| Problem { key: "ca_file".to_owned(), ..no_authorities(error) };
        return Ok(begun()?.with_native_roots().map_err(wrong)?.with_no_client_auth());
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca_file", file)? {
        let right = "a file with the authority's certificate";
        roots.add(certificate).map_err(|error| Problem::file("ca_file", file, error, right))?;
    }
    Ok(begun()?.with_root_certificates(roots).with_no_client_auth())
}

/// Of one that is spoken to without TLS.
///
/// # Errors
/// If there is no TLS at all.
pub(crate) fn nobody() -> Result<ClientConfig, Problem> {
    Ok(begun()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn begun() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Problem> {
    // Named: which one the process has by default depends on what else is built into it.
    let begun = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    begun.with_safe_default_protocol_versions().map_err(no_authorities)
}
