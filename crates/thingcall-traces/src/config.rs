//! Where spans go, which, and how many.
//!
//! **Invariant:** without an endpoint nothing is traced. What stands in the file counts before the variables that OpenTelemetry
//! names.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use thingcall_core::{Check, Problem, Secret, Section};
use url::Url;

use crate::authorities::authorities;

/// The section `[traces]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The collector: `http://HOST:4318`, `https://...`; nothing is traced without.
    pub endpoint: Option<String>,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// What is sent beside each request, such as a key of whoever runs the collector.
    pub headers: BTreeMap<String, Secret>,
    /// A file with such headers, `NAME: VALUE` on each line.
    pub headers_file: Option<PathBuf>,
    /// Who may vouch for an `https://` collector; the system's authorities if not given.
    pub ca_file: Option<PathBuf>,
    /// Which part of requests is recorded, from 0 to 1, where their callers do not say it.
    pub sampled: f64,
    /// Whether callers say it: what they record is recorded, and what they do not is not.
    pub parent_based: bool,
    /// Spans a second; requests beyond are not recorded.
    pub spans_per_second_max: NonZeroU32,
    /// Spans that wait to be sent.
    pub queue_spans_max: NonZeroUsize,
    /// Spans in one request to the collector.
    pub batch_spans_max: NonZeroUsize,
    /// How long spans wait for others, at most.
    #[serde(with = "humantime_serde")]
    pub export_interval: Duration,
    /// How long a request to the collector may take.
    #[serde(with = "humantime_serde")]
    pub export_timeout: Duration,
    /// What this server is called in traces, `service.name`.
    pub service_name: Option<String>,
    /// What else is said of it.
    pub resource: BTreeMap<String, String>,
}

/// How a collector is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Protocol {
    /// OTLP over HTTP/1.1, in protobuf.
    #[default]
    #[serde(rename = "http/protobuf")]
    Http,
    /// OTLP over gRPC.
    #[serde(rename = "grpc")]
    Grpc,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: None,
            protocol: Protocol::default(),
            headers: BTreeMap::new(),
            headers_file: None,
            ca_file: None,
            sampled: 1.0,
            parent_based: true,
            spans_per_second_max: const { NonZeroU32::new(2000).unwrap() },
            queue_spans_max: const { NonZeroUsize::new(8192).unwrap() },
            batch_spans_max: const { NonZeroUsize::new(512).unwrap() },
            export_interval: Duration::from_secs(1),
            export_timeout: Duration::from_secs(10),
            service_name: None,
            resource: BTreeMap::new(),
        }
    }
}

const RIGHT_ENDPOINT: &str = "http://HOST:PORT or https://HOST:PORT, without user and password";
const RIGHT_HEADERS: &str = "names and values as HTTP headers have them";

/// The name of whoever is traced, where nothing names it.
const SERVICE: &str = "thingcall";

impl Config {
    /// Takes what the variables that OpenTelemetry names say and the configuration does not.
    pub fn with_variables(&mut self, variable: impl Fn(&str) -> Option<String>) {
        let said = |names: [&str; 2]| names.into_iter().find_map(|name| variable(name).filter(|text| !text.is_empty()));
        if self.endpoint.is_none() {
            // Whose path is whole is said by its name.
            let own = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").filter(|text| !text.is_empty());
            self.endpoint = own.or_else(|| said(["OTEL_EXPORTER_OTLP_ENDPOINT", ""]));
            let protocol = said(["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"]);
            if protocol.as_deref() == Some("grpc") {
                self.protocol = Protocol::Grpc;
            }
            let headers = said(["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"]);
            for (name, value) in headers.iter().flat_map(|text| pairs(text)) {
                self.headers.entry(name).or_insert_with(|| Secret::new(&value));
            }
        }
        if variable("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            self.endpoint = None;
        }
        self.service_name = self.service_name.take().or_else(|| said(["OTEL_SERVICE_NAME", ""]));
        for (name, value) in said(["OTEL_RESOURCE_ATTRIBUTES", ""]).iter().flat_map(|text| pairs(text)) {
            self.resource.entry(name).or_insert(value);
        }
    }

    /// Where requests go.
    pub(crate) fn url(&self) -> Option<Url> {
        let mut url = Url::parse(self.endpoint.as_deref()?).ok()?;
        let fits = matches!(url.scheme(), "http" | "https") && url.has_host();
        if !fits || !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        match self.protocol {
            Protocol::Grpc => url.set_path("/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
            Protocol::Http if url.path().ends_with("/v1/traces") => {}
            Protocol::Http => {
                let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
                url.set_path(&path);
            }
        }
        Some(url)
    }

    /// What this server says of itself.
    pub(crate) fn resource(&self) -> BTreeMap<String, String> {
        let mut all = self.resource.clone();
        if let Some(name) = &self.service_name {
            all.insert("service.name".to_owned(), name.clone());
        }
        all.entry("service.name".to_owned()).or_insert_with(|| SERVICE.to_owned());
        all.entry("service.version".to_owned()).or_insert_with(|| env!("CARGO_PKG_VERSION").to_owned());
        all
    }

    /// What is sent beside each request.
    ///
    /// # Errors
    /// If they cannot be read, or are none.
    pub(crate) fn all_headers(&self) -> Result<Vec<(HeaderName, HeaderValue)>, Problem> {
        let mut all = Vec::new();
        for (name, value) in &self.headers {
            let one = header(name, value.expose());
            all.push(one.ok_or_else(|| {
                Problem::new("headers", format_args!("wrong: {name:?} (its value is not shown)"), RIGHT_HEADERS)
            })?);
        }
        let Some(file) = &self.headers_file else { return Ok(all) };
        let right = "a file that this user can read, with NAME: VALUE on each line";
        let text = std::fs::read_to_string(file).map_err(|error| Problem::file("headers_file", file, error, right))?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let one = line.split_once(':').and_then(|(name, value)| header(name, value.trim()));
            all.push(one.ok_or_else(|| Problem::file("headers_file", file, "a line of it is no header", right))?);
        }
        Ok(all)
    }
}

fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some((name.trim().parse().ok()?, value))
}

/// `NAME=VALUE,NAME=VALUE`, as OpenTelemetry's variables have it; values are percent-encoded.
fn pairs(text: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decode_str(text.trim()).decode_utf8_lossy().into_owned();
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

impl Section for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        if let Some(endpoint) = &self.endpoint {
            // A password does not belong into a URL, and even less into an error.
            let shown = if endpoint.contains('@') { "(not shown: it holds an @)" } else { endpoint };
            check.must(self.url().is_some(), "endpoint", format_args!("{shown:?}"), RIGHT_ENDPOINT);
            let plain = self.url().is_some_and(|url| url.scheme() == "http");
            let right = "no such line, or https:// in endpoint: without TLS nothing is certified";
            check.must(!(plain && self.ca_file.is_some()), "ca_file", "set", right);
        }
        let fits = (0.0..=1.0).contains(&self.sampled);
        check.must(fits, "sampled", self.sampled, "a number from 0 to 1");
        check.at_most("queue_spans_max", self.queue_spans_max.get(), 1_000_000);
        check.at_most("batch_spans_max", self.batch_spans_max.get(), 10_000);
        check.between("export_interval", self.export_interval, Duration::from_millis(10), Duration::from_secs(60));
        check.between("export_timeout", self.export_timeout, Duration::from_millis(10), Duration::from_secs(600));
        if self.headers_file.is_none() {
            self.all_headers().err().into_iter().for_each(|problem| check.add(problem));
        }
        check.into_problems()
    }

    fn problems_of_files(&self) -> Vec<Problem> {
        let headers = self.headers_file.as_ref().and_then(|_| self.all_headers().err());
        let tls = self.url().is_some_and(|url| url.scheme() == "https");
        let authorities = if tls { authorities(self.ca_file.as_deref()).err() } else { None };
        headers.into_iter().chain(authorities).collect()
    }
}

#[cfg(test)]
mod tests;
