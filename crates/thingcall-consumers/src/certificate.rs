//! The certificate that consumers are shown, and its successor: the files are looked at now and then, and what is new in them is
//! shown to whoever connects next.
//!
//! **Invariant:** what cannot be used, or is not valid now, is told and changes nothing.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use thingcall_core::{Problem, Problems, UnixMillis};
use thingcall_transport::{Validity, certificates, not_valid, of_certificate, of_private_key, private_key};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{Error, ServerConfig};
use tracing::{info, warn};

/// A disk that takes longer is told of: where it hangs, nothing else tells.
const READ_MAX: Duration = Duration::from_secs(10);

/// A chain, and what shows it.
pub(crate) struct Read {
    chain: Vec<CertificateDer<'static>>,
    config: Arc<ServerConfig>,
}

/// Reads the certificate and its key.
///
/// # Errors
/// All that is wrong with them, by keys within the section.
pub(crate) fn read(cert_file: &Path, key_file: &Path) -> Result<Read, Vec<Problem>> {
    let chain = certificates("tls.cert_file", cert_file);
    let key = private_key("tls.key_file", key_file);
    let (chain, key) = match (chain, key) {
        (Ok(chain), Ok(key)) => (chain, key),
        (chain, key) => return Err(chain.err().into_iter().chain(key.err()).collect()),
    };
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain.clone(), key));
    match config {
        Ok(config) => Ok(Read { chain, config: Arc::new(config) }),
        Err(Error::InconsistentKeys(_)) => {
            Err(vec![of_private_key("tls.key_file", key_file, "it is the key of another certificate")])
        }
        Err(error) => Err(vec![of_certificate("tls.cert_file", cert_file, error)]),
    }
}

/// The one that is shown now.
pub(crate) struct Certificate {
    cert_file: PathBuf,
    key_file: PathBuf,
    shown: RwLock<Read>,
}

impl Certificate {
    /// # Errors
    /// All that is wrong with its files.
    pub(crate) fn new(cert_file: &Path, key_file: &Path) -> Result<Self, Problems> {
        let shown = RwLock::new(read(cert_file, key_file).map_err(Problems)?);
        Ok(Self { cert_file: cert_file.to_owned(), key_file: key_file.to_owned(), shown })
    }

    /// For one who connects now.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.shown.read().unwrap_or_else(PoisonError::into_inner).config.clone())
    }

    /// Looks at the files so often, for as long as it is polled.
    pub(crate) async fn follow(self: Arc<Self>, every: Duration) {
        let mut told = None;
        loop {
            sleep(every).await;
            let this = self.clone();
            let reading = tokio::task::spawn_blocking(move || read(&this.cert_file, &this.key_file));
            let Ok(found) = self.told_if_slow(reading).await else { continue };
            match found.and_then(|found| self.show(found, UnixMillis::now()).map_err(|problem| vec![problem])) {
                Ok(()) => told = None,
                // Once for each fault: while files are exchanged, one may be of before and the other of after.
                Err(problems) if told.as_ref() != Some(&problems) => {
                    warn!(problems = %Problems(problems.clone()), "[subscription] shows its certificate of before");
                    told = Some(problems);
                }
                Err(_) => {}
            }
        }
    }

    /// Waits for it as long as it takes: another would wait for the same disk.
    async fn told_if_slow<T>(&self, mut reading: JoinHandle<T>) -> Result<T, JoinError> {
        if let Ok(read) = timeout(READ_MAX, &mut reading).await {
            return read;
        }
        let (cert_file, key_file, seconds) = (self.cert_file.display(), self.key_file.display(), READ_MAX.as_secs());
        warn!(
            %cert_file, %key_file, seconds,
            "[subscription] the certificate's files are still not read; the one of before is shown until they are"
        );
        let read = reading.await;
        info!("[subscription] the certificate's files are read again");
        read
    }

    /// Shows this one from now on, if it is another.
    ///
    /// # Errors
    /// If it is not valid.
    fn show(&self, found: Read, now: UnixMillis) -> Result<(), Problem> {
        let mut shown = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        if shown.chain == found.chain {
            return Ok(());
        }
        if let Some(why) = Validity::of(&found.chain).and_then(|validity| validity.fault(now)) {
            return Err(not_valid("tls.cert_file", &self.cert_file, why));
        }
        *shown = found;
        info!(file = %self.cert_file.display(), "[subscription] shows a new certificate");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    //! Certificates of openssl's, looked at now and when they have ended.

    use std::process::Command;

    use super::*;

    #[test]
    fn one_that_is_not_valid_now_does_not_take_the_place_of_one_that_is() {
        let folder = tempfile::tempdir().unwrap();
        let make = || {
            let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -days 1 -keyout key -out cert";
            let made = Command::new("openssl").args(new.split(' ')).current_dir(&folder).output().unwrap();
            assert!(made.status.success(), "{made:?}");
        };
        make();
        let (cert, key) = (folder.path().join("cert"), folder.path().join("key"));
        let certificate = Certificate::new(&cert, &key).unwrap();
        let first = certificate.shown.read().unwrap().chain.clone();
        make();
        let now = UnixMillis::now();
        let then = UnixMillis(now.0 + 2 * 24 * 60 * 60 * 1000);
        let refused = certificate.show(read(&cert, &key).unwrap(), then).unwrap_err().to_string();
        assert!(refused.contains("it ended at") && certificate.shown.read().unwrap().chain == first, "{refused}");
        certificate.show(read(&cert, &key).unwrap(), now).unwrap();
        assert!(certificate.shown.read().unwrap().chain != first);
    }
}
