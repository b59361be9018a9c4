//! The certificates of our own listeners that speak HTTP (API, operator's, console, gate), and their successors.
//!
//! **Invariant:** what cannot be used, or is not valid now, changes nothing, and is told once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use prometheus::{IntCounter, IntGauge, Registry};
use thingcall_core::{Problem, Problems, UnixMillis};
use thingcall_listen::{Shown, Tls};
use thingcall_metrics::Maker;
use thingcall_transport::{
    Validity, certificates, doubt_of_certificate, not_valid, of_certificate, of_private_key, private_key,
};
use tokio::time::sleep;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{Error, RootCertStore, ServerConfig};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::config::Config;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// A listener with TLS: its section, and its name in metrics and in `server.json`.
pub(crate) type Listener<'a> = (&'static str, &'static str, &'a Tls);

/// Those that the configuration names.
pub(crate) fn listeners(config: &Config) -> Vec<Listener<'_>> {
    let console = config.console.tls.as_ref().filter(|_| config.console.enabled);
    let gate = config.gate.tls.as_ref().filter(|_| config.gate.listen.is_some());
    let all = [
        ("api", "api", config.api.tls.as_ref()),
        ("metrics", "operator", config.metrics.tls.as_ref()),
        ("console", "console", console),
        ("gate", "gate", gate),
    ];
    all.into_iter().filter_map(|(section, name, tls)| Some((section, name, tls?))).collect()
}

/// Where the certificates of listeners are, by the names of `server.json`.
pub(crate) fn files(config: &Config) -> BTreeMap<String, PathBuf> {
    let absolute = |file: &Path| std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let all = listeners(config).into_iter();
    all.map(|(section, _, tls)| (section.to_owned(), absolute(&tls.cert_file))).collect()
}

/// What is wrong with their files, by key.
pub(crate) fn problems(config: &Config) -> Vec<Problem> {
    let of = |(section, _, tls): Listener<'_>| {
        let found = read(tls).err().unwrap_or_default();
        found.into_iter().map(move |problem| problem.within(section)).collect::<Vec<_>>()
    };
    listeners(config).into_iter().flat_map(of).collect()
}

/// What is doubtful about them: certificates that end soon.
pub(crate) fn doubts(config: &Config) -> Vec<Problem> {
    let of =
        |(section, _, tls): Listener<'_>| Some(doubt_of_certificate("tls.cert_file", &tls.cert_file)?.within(section));
    listeners(config).into_iter().filter_map(of).collect()
}

/// A chain, and what shows it.
struct Read {
    chain: Vec<CertificateDer<'static>>,
    config: Arc<ServerConfig>,
}

fn read(tls: &Tls) -> Result<Read, Vec<Problem>> {
    let (cert, key) = (&tls.cert_file, &tls.key_file);
    let mut problems = Vec::new();
    let mut keep = |problem| problems.push(problem);
    let chain = certificates("tls.cert_file", cert).map_err(&mut keep).ok();
    let private = private_key("tls.key_file", key).map_err(&mut keep).ok();
    let authorities = tls.client_ca_file.as_deref().map(|file| (file, certificates("tls.client_ca_file", file)));
    let authorities = match authorities {
        Some((file, found)) => found.map_err(&mut keep).ok().map(|found| (file, found)),
        None => None,
    };
    let (Some(chain), Some(private), true) = (chain, private, problems.is_empty()) else { return Err(problems) };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let config = config.map_err(|error| vec![of_certificate("tls.cert_file", cert, error)])?;
    let config = match authorities {
        None => config.with_no_client_auth(),
        Some((file, found)) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(found);
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            let wrong = |error| vec![of_certificate("tls.client_ca_file", file, error)];
            config.with_client_cert_verifier(verifier.map_err(wrong)?)
        }
    };
    match config.with_single_cert(chain.clone(), private) {
        Ok(mut config) => {
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Ok(Read { chain, config: Arc::new(config) })
        }
        Err(Error::InconsistentKeys(_)) => {
            Err(vec![of_private_key("tls.key_file", key, "it is the key of another certificate")])
        }
        Err(error) => Err(vec![of_certificate("tls.cert_file", cert, error)]),
    }
}

/// The certificates that are shown, by the names of listeners, for as long as this is kept.
#[derive(Default)]
pub(crate) struct Certificates {
    shown: BTreeMap<&'static str, Arc<Shown>>,
    following: Vec<AbortOnDropHandle<()>>,
}

/// One of them, and its files.
struct Followed {
    name: &'static str,
    section: &'static str,
    tls: Tls,
    chain: Vec<CertificateDer<'static>>,
    shown: Arc<Shown>,
    ends: IntGauge,
    refused: IntCounter,
}

impl Certificates {
    /// Shows them, and what takes their place.
    ///
    /// # Errors
    /// What is wrong with a file, or a metric that is registered already.
    pub(crate) fn start(config: &Config, metering: &Registry) -> anyhow::Result<Self> {
        let make = Maker::new(metering);
        let ends = make.gauge_family(
            "certificate_not_after_timestamp_seconds",
            "When the certificate ends that a listener shows",
            ["listener"],
        )?;
        let refused = make.counter_family(
            "certificates_refused_total",
            "New certificates of a listener that could not be used; the one of before is shown",
            ["listener"],
        )?;
        let mut all = Self::default();
        for (section, name, tls) in listeners(config) {
            let Read { chain, config } =
                read(tls).map_err(|found| Problems(found.into_iter().map(|one| one.within(section)).collect()))?;
            let shown = Shown::new(config);
            all.shown.insert(name, shown.clone());
            let (ends, refused) = (ends.series([name]), refused.series([name]));
            let followed = Followed { name, section, tls: tls.clone(), chain, shown, ends, refused };
            followed.tell();
            all.following.push(AbortOnDropHandle::new(tokio::spawn(followed.follow())));
        }
        Ok(all)
    }

    /// What the listener of this name shows.
    pub(crate) fn of(&self, name: &str) -> Option<Arc<Shown>> {
        self.shown.get(name).cloned()
    }
}

impl Followed {
    /// Looks at the files now and then.
    async fn follow(mut self) {
        let mut told = None;
        loop {
            sleep(LOOK_EVERY).await;
            let tls = self.tls.clone();
            let Ok(found) = tokio::task::spawn_blocking(move || read(&tls)).await else { continue };
            match found.and_then(|found| self.show(found).map_err(|problem| vec![problem])) {
                Ok(()) => told = None,
                // Once for each fault: while files are exchanged, one may be of before and the other of after.
                Err(problems) if told.as_ref() != Some(&problems) => {
                    self.refused.inc();
                    let (listener, problems) = (self.name, Problems(problems));
                    warn!(listener, %problems, "the certificate of before is shown");
                    told = Some(problems.0);
                }
                Err(_) => {}
            }
        }
    }

    fn show(&mut self, found: Read) -> Result<(), Problem> {
        if self.chain == found.chain {
            return Ok(());
        }
        if let Some(why) = Validity::of(&found.chain).and_then(|validity| validity.fault(UnixMillis::now())) {
            return Err(not_valid("tls.cert_file", &self.tls.cert_file, why).within(self.section));
        }
        self.chain = found.chain;
        self.shown.show(found.config);
        self.tell();
        info!(listener = self.name, file = %self.tls.cert_file.display(), "a new certificate is shown");
        Ok(())
    }

    fn tell(&self) {
        self.ends.set(Validity::of(&self.chain).map_or(0, |validity| validity.until()));
    }
}
