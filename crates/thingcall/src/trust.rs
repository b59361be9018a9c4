//! TLS to a server: whom commands believe.
//!
//! **Invariant:** a server of this machine's own data folder is believed if it shows the very certificate that the folder names; any other
//! by an authority and its name, as everywhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use thingcall_core::Problem;
use thingcall_transport::{certificates, private_key};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// Whom to believe, as flags say it.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Trust {
    /// Speak TLS, and believe a server that an authority of this PEM file vouches for [default: the system's]
    #[arg(long, value_name = "FILE", env = "THINGCALL_CA")]
    pub(crate) ca: Option<PathBuf>,
    /// Our own certificate, PEM, where the server asks for one
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub(crate) client_cert: Option<PathBuf>,
    /// The key that goes with it
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(crate) client_key: Option<PathBuf>,
    /// The certificate that the server of a data folder shows.
    #[arg(skip)]
    pub(crate) shown: Option<PathBuf>,
}

impl Trust {
    /// The same for a server that shows this certificate.
    pub(crate) fn of_server(&self, shown: Option<&PathBuf>) -> Self {
        Self { shown: shown.cloned(), ..self.clone() }
    }

    /// Whether TLS is spoken with a server whose URL does not say.
    pub(crate) const fn is_tls(&self) -> bool {
        self.ca.is_some() || self.client_cert.is_some() || self.shown.is_some()
    }

    /// A connection to `HOST:PORT` becomes one with TLS.
    ///
    /// # Errors
    /// If a file cannot be read, or the server is not believed.
    pub(crate) async fn greet(&self, stream: TcpStream, address: &str) -> anyhow::Result<TlsStream<TcpStream>> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host).with_context(|| format!("{address} has no name that TLS knows"))?;
        let connector = TlsConnector::from(Arc::new(self.config()?));
        connector
            .connect(name, stream)
            .await
            .with_context(|| format!("no TLS with {address}; --ca FILE says whom to believe"))
    }

    fn config(&self) -> anyhow::Result<ClientConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let config = match (&self.ca, &self.shown) {
            (None, Some(shown)) => {
                let certificate = read(certificates("certificate", shown))?.into_iter().next();
                let certificate = certificate.context("it holds no certificate")?;
                config.dangerous().with_custom_certificate_verifier(Arc::new(Pinned { certificate, provider }))
            }
            (ca, _) => config.with_root_certificates(roots(ca.as_deref())?),
        };
        let mut config = match (&self.client_cert, &self.client_key) {
            (Some(cert), Some(key)) => {
                let (chain, key) =
                    (read(certificates("--client-cert", cert))?, read(private_key("--client-key", key))?);
                config.with_client_auth_cert(chain, key).context("--client-cert and --client-key")?
            }
            (None, _) | (_, None) => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn read<T>(found: Result<T, Problem>) -> anyhow::Result<T> {
    found.map_err(|problem| anyhow::anyhow!("{problem}"))
}

fn roots(ca: Option<&Path>) -> anyhow::Result<RootCertStore> {
    let found = match ca {
        Some(file) => read(certificates("--ca", file))?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let mut roots = RootCertStore::empty();
    anyhow::ensure!(roots.add_parsable_certificates(found).0 > 0, "no authority can be read; --ca FILE names one");
    Ok(roots)
}

/// Believes this certificate alone, whatever name it has.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *shown == self.certificate {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
