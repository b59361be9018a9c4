//! Where the Redis is, and as whom it is spoken to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, TlsCertificates};
use thingcall_core::{Check, Problem, Secret, Section};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

/// How a Redis is reached: the keys of `[shared]` that begin with `redis`.
#[derive(Debug, Clone)]
pub struct Config {
    /// `redis://host:port/database`, or `rediss://` for TLS. Its keys are these instances' alone.
    pub redis: String,
    /// The user, where it is not the default one.
    pub redis_username: Option<String>,
    /// The password.
    pub redis_password: Option<Secret>,
    /// Who may vouch for it with `rediss://`; the system's authorities if not given.
    pub redis_ca_file: Option<PathBuf>,
    /// How long an answer is waited for, and a connection.
    pub ask_timeout: Duration,
}

impl Config {
    /// Where it is, for people: without a password.
    pub(crate) fn place(&self) -> String {
        self.address().map_or_else(|_| "(unknown)".to_owned(), |(host, port, _, _)| format!("{host}:{port}"))
    }

    /// What a connection is made with.
    ///
    /// # Errors
    /// What is wrong with a value or a file.
    pub(crate) fn client(&self) -> Result<redis::Client, Problem> {
        let (host, port, database, tls) = self.address()?;
        let mut settings =
            RedisConnectionInfo::default().set_db(database).set_lib_name("thingcall", env!("CARGO_PKG_VERSION"));
        if let Some(name) = &self.redis_username {
            settings = settings.set_username(name);
        }
        if let Some(password) = &self.redis_password {
            settings = settings.set_password(password.expose());
        }
        let wrong = |error: redis::RedisError| Problem::new("redis", error, RIGHT);
        let address = if tls {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        let info: ConnectionInfo = address.into_connection_info().map_err(wrong)?;
        let info = info.set_redis_settings(settings).set_tcp_settings(TcpSettings::default().set_nodelay(true));
        if !tls {
            return redis::Client::open(info).map_err(wrong);
        }
        let root_cert = self.redis_ca_file.as_deref().map(certificate).transpose()?;
        redis::Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert }).map_err(wrong)
    }

    /// Host, port, number of the database, and whether it is spoken to by TLS.
    fn address(&self) -> Result<(String, u16, i64, bool), Problem> {
        read(&self.redis).ok_or_else(|| {
            // A password does not belong into a URL, and even less into an error.
            let at = self.redis.contains('@');
            let shown = if at { "(not shown: it holds an @)".to_owned() } else { format!("{:?}", self.redis) };
            Problem::new("redis", shown, RIGHT)
        })
    }
}

/// A file with one certificate or more, as it is: redis takes a file without any for one with none to believe.
fn certificate(file: &Path) -> Result<Vec<u8>, Problem> {
    let wrong = |why: &dyn std::fmt::Display| {
        let right = "a file with a certificate in PEM form that this user can read";
        Problem::file("redis_ca_file", file, why, right)
    };
    let text = std::fs::read(file).map_err(|error| wrong(&error))?;
    match CertificateDer::pem_slice_iter(&text).next() {
        Some(Ok(_)) => Ok(text),
        Some(Err(error)) => Err(wrong(&error)),
        None => Err(wrong(&"no certificate")),
    }
}

const RIGHT: &str =
    "redis://host:port/database or rediss://host:port/database, with user and password in keys of their own";

fn read(url: &str) -> Option<(String, u16, i64, bool)> {
    let (scheme, rest) = url.split_once("://")?;
    let tls = match scheme {
        "redis" => false,
        "rediss" => true,
        _ => return None,
    };
    let (place, database) = rest.split_once('/').unwrap_or((rest, ""));
    let database: u16 = if database.is_empty() { 0 } else { database.parse().ok()? };
    let (host, port) = match place.rsplit_once(':') {
        _ if place.ends_with(']') => (place, 6379),
        // The colons of a bare IPv6 address are not a port's.
        Some((host, _)) if !host.ends_with(']') && host.contains(':') => return None,
        Some((host, port)) => (host, port.parse().ok()?),
        None => (place, 6379),
    };
    let named = !host.is_empty() && !host.contains(['@', ' ', '?', '#']);
    named.then(|| (host.trim_matches(['[', ']']).to_owned(), port, database.into(), tls))
}

impl Section for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        match self.address() {
            Err(problem) => check.add(problem),
            Ok((_, _, _, tls)) => {
                let needed = tls || self.redis_ca_file.is_none();
                check.must(
                    needed,
                    "redis_ca_file",
                    "set",
                    "no such line, or rediss:// in redis: without TLS nothing is certified",
                );
            }
        }
        let named = self.redis_username.is_none() || self.redis_password.is_some();
        check.must(named, "redis_password", "missing", "a password, since there is a user name");
        check.into_problems()
    }

    fn problems_of_files(&self) -> Vec<Problem> {
        if self.problems().is_empty() { self.client().err().into_iter().collect() } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests;
