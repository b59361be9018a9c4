//! Where an external broker is, read from a URL.

use thingcall_core::Problem;

/// How a URL begins, and what that says.
#[derive(Debug, Clone, Copy)]
pub struct Scheme {
    /// What stands before `://`.
    pub name: &'static str,
    /// Whether it is spoken to by TLS.
    pub tls: bool,
    /// The port where the URL has none.
    pub port: u16,
}

/// A host and a port, read from a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerAddress {
    /// Whether it is spoken to by TLS.
    pub tls: bool,
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Scheme {
    /// A scheme without TLS.
    pub const fn plain(name: &'static str, port: u16) -> Self {
        Self { name, tls: false, port }
    }

    /// A scheme with TLS.
    pub const fn tls(name: &'static str, port: u16) -> Self {
        Self { name, tls: true, port }
    }
}

impl BrokerAddress {
    /// Reads `scheme://host:port`, the port being the scheme's where it is left out. Of `schemes`, the first of each kind
    /// is what the error recommends.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(url: &str, schemes: &[Scheme]) -> Result<Self, Problem> {
        Self::parse(url, schemes).ok_or_else(|| {
            // A password does not belong into a URL, and even less into an error.
            let shown = if url.contains('@') { "(not shown: it holds an @)".to_owned() } else { format!("{url:?}") };
            let first = |tls| schemes.iter().find(|scheme| scheme.tls == tls);
            let right: Vec<_> = [first(false), first(true)].into_iter().flatten().map(example).collect();
            Problem::new("url", shown, right.join(" or "))
        })
    }

    fn parse(url: &str, schemes: &[Scheme]) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let Scheme { tls, port: default_port, .. } = *schemes.iter().find(|known| known.name == scheme)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            // The colons of a bare IPv6 address are not a port's.
            Some((host, _)) if !host.ends_with(']') && host.contains(':') => return None,
            Some((host, port)) => (host, port.parse().ok()?),
            None => (rest, default_port),
        };
        let named = !host.is_empty() && !host.contains(['/', '@', ' ']);
        named.then(|| Self { tls, host: host.trim_matches(['[', ']']).to_owned(), port })
    }
}

fn example(scheme: &Scheme) -> String {
    format!("{}://host:port", scheme.name)
}
