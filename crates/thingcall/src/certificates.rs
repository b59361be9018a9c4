//! When the certificates of the configuration end, as gauges.
//!
//! **Invariant:** the files are read when they are asked for, so a new one is shown without a restart; one that cannot be read is 0, and
//! never missing.

use std::path::PathBuf;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};
use thingcall_transport::certificate_ends;

use crate::config::Config;

/// What the names of keys of certificates end with.
const KEY_END: &str = "cert_file";

/// The certificates.
struct Certificates {
    gauges: IntGaugeVec,
    files: Vec<(PathBuf, IntGauge)>,
}

/// Registers a gauge for each certificate that is configured, by its key.
///
/// # Errors
/// If they are registered already.
pub(crate) fn register(config: &Config, registry: &Registry) -> Result<(), prometheus::Error> {
    let help = "When the first certificate of a file ends, in seconds since 1970, by the key that names the file; 0 if it cannot be read";
    let gauges = IntGaugeVec::new(Opts::new("thingcall_certificate_expiry_timestamp_seconds", help), &["key"])?;
    let named = config.in_force.values().map(|(_, setting)| setting).filter(|setting| setting.key.ends_with(KEY_END));
    let files = named.filter_map(|setting| Some((setting.key.as_str(), setting.value.as_deref()?)));
    let files = files.map(|(key, file)| (PathBuf::from(file), gauges.with_label_values(&[key]))).collect::<Vec<_>>();
    if files.is_empty() {
        return Ok(());
    }
    registry.register(Box::new(Certificates { gauges, files }))
}

impl Collector for Certificates {
    fn desc(&self) -> Vec<&Desc> {
        self.gauges.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for (file, gauge) in &self.files {
            gauge.set(certificate_ends(file).unwrap_or(0));
        }
        self.gauges.collect()
    }
}
