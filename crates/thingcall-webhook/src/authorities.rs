//! Who may vouch for a target.

use std::path::Path;

use hyper_rustls::ConfigBuilderExt;
use thingcall_core::Problem;
use thingcall_transport::{certificates, no_authorities};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// How a target that is spoken to with TLS is known.
///
/// # Errors
/// If who may vouch for it cannot be read.
pub(crate) fn authorities(ca_file: Option<&Path>) -> Result<ClientConfig, Problem> {
    let Some(file) = ca_file else {
        let builder = ClientConfig::builder().with_native_roots();
        let wrong = |error: std::io::Error| Problem { key: "ca_file".to_owned(), ..no_authorities(error) };
        return Ok(builder.map_err(wrong)?.with_no_client_auth());
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca_file", file)? {
        let right = "a file with the authority's certificate";
        roots.add(certificate).map_err(|error| Problem::file("ca_file", file, error, right))?;
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}
