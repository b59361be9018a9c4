//! How a request is signed, step by step, until it can be sent.

use serde::Serialize;
use thingcall_core::UnixMillis;

use super::finding::Step;
use super::ours::{Ours, incoming};
use super::said::{Said, said};
use super::wire::Wire;
use crate::incoming::Scheme;
use crate::sign::{self, Signer};
use crate::{canonical, clock};

/// Which signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `HMAC-SHA1`: everything in parameters.
    V1,
    /// `ACS3-HMAC-SHA256`: system parameters in headers.
    Acs3,
}

/// By which method it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Parameters in the query.
    Get,
    /// Those of the older signature in a form, those of the newer one in the query.
    Post,
}

/// What is to be signed.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// `HOST[:PORT]`, or `http://` or `https://` before it.
    pub endpoint: &'a str,
    /// The action.
    pub action: &'a str,
    /// The action's own parameters.
    pub params: &'a [(&'a str, &'a str)],
    /// Which signature.
    pub style: Style,
    /// By which method.
    pub verb: Verb,
    /// Who signs.
    pub signer: &'a Signer,
    /// The moment that it says.
    pub at: UnixMillis,
    /// What makes it the only one of its kind.
    pub nonce: &'a str,
}

/// A request that is signed, and how it came about. It holds the signature and not the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signed {
    /// Each step, from the parameters to the signature.
    pub steps: Vec<Step>,
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// The headers to send.
    pub headers: Vec<(String, String)>,
    /// The body to send.
    pub body: String,
    /// All of it as a command.
    pub curl: String,
}

/// Signs a request and shows each step.
///
/// # Errors
/// If the endpoint is none.
pub fn steps(ask: &Ask<'_>) -> Result<Signed, Said> {
    let mut wire = ask.endpoint()?;
    let (scheme, given) = match ask.style {
        Style::V1 => (Scheme::V1, ask.as_parameters(&mut wire)),
        Style::Acs3 => (Scheme::Acs3, ask.as_headers(&mut wire)),
    };
    let malformed = || said("The request cannot be written so.", "无法写成这样的请求。");
    let unsigned = given(&wire, "0");
    let (head, found) = unsigned.parts();
    if let Some(wrong) = found.into_iter().next() {
        return Err(wrong.what);
    }
    let ours = Ours::of(&incoming(&head, &unsigned.body)).ok_or_else(malformed)?;
    let signature = scheme.sign(&ours.string, ask.signer.secret.expose());
    let wire = given(&wire, &signature);
    let mut steps = ours.steps();
    steps.push(Step { name: "signature", text: signature });
    if let Some(text) = wire.header("Authorization") {
        steps.push(Step { name: "authorization", text: text.to_owned() });
    }
    let authority = wire.authority.clone().unwrap_or_default();
    Ok(Signed {
        steps,
        curl: wire.curl(),
        url: format!("{}://{authority}{}", wire.scheme, wire.target),
        method: wire.method,
        headers: wire.headers,
        body: String::from_utf8_lossy(&wire.body).into_owned(),
    })
}

/// Writes a signature into a request.
type Given<'a> = Box<dyn Fn(&Wire, &str) -> Wire + 'a>;

impl Ask<'_> {
    fn endpoint(&self) -> Result<Wire, Said> {
        let url =
            if self.endpoint.contains("://") { self.endpoint.to_owned() } else { format!("http://{}", self.endpoint) };
        let method = match self.verb {
            Verb::Get => "GET",
            Verb::Post => "POST",
        };
        let wire = Wire::of_url(method, &url);
        let right = wire.target == "/" && matches!(&*wire.scheme, "http" | "https") && !url.contains('@');
        let host = wire.authority.as_deref().is_some_and(|host| host.parse::<hyper::http::uri::Authority>().is_ok());
        if right && host {
            return Ok(wire);
        }
        Err(said(
            "The endpoint is none; right is HOST[:PORT], with http:// or https:// before it perhaps.",
            "接入点不正确；应为 HOST[:PORT]，前面可带 http:// 或 https://。",
        ))
    }

    /// The older signature.
    fn as_parameters<'s>(&'s self, wire: &mut Wire) -> Given<'s> {
        let time = clock::stamp(self.at);
        let all = sign::v1_parameters(self.action, self.params, self.signer, (&time, self.nonce));
        let all: Vec<_> = all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if self.verb == Verb::Post {
            wire.or_header("Content-Type", "application/x-www-form-urlencoded");
        }
        Box::new(move |wire, signature| {
            let query = canonical::query(sign::sorted(&all));
            let query = format!("{query}&{}", canonical::query([("Signature", signature)]));
            let mut wire = wire.clone();
            match self.verb {
                Verb::Get => wire.target = format!("/?{query}"),
                Verb::Post => wire.body = query.into_bytes(),
            }
            wire
        })
    }

    /// The newer one.
    fn as_headers<'s>(&'s self, wire: &mut Wire) -> Given<'s> {
        let query = canonical::query(sign::sorted(self.params));
        if !query.is_empty() {
            wire.target = format!("/?{query}");
        }
        let host = wire.authority.clone().unwrap_or_default();
        let usual = if wire.scheme == "https" { ":443" } else { ":80" };
        let host = host.strip_suffix(usual).unwrap_or(&host).to_owned();
        let headers = sign::acs3_headers(&host, self.action, self.signer, (&clock::stamp(self.at), self.nonce));
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value));
        wire.headers.extend(headers);
        Box::new(move |wire, signature| {
            let mut wire = wire.clone();
            let key = &self.signer.key_id;
            let text = format!("{} Credential={key},SignedHeaders={names},Signature={signature}", sign::ACS3);
            wire.or_header("Authorization", &text);
            wire
        })
    }
}

#[cfg(test)]
mod tests;
