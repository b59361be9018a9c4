//! Why a request's signature is right or is not.

use std::collections::BTreeSet;
use std::sync::Arc;

use form_urlencoded::parse;
use thingcall_core::AccessKey;

use super::finding::{Certainty, Explanation, Finding, Verdict, mark};
use super::mistakes::together;
use super::ours::{Ours, incoming, name};
use super::pasted::{self, Pasted};
use super::said::{Said, said};
use super::tries::{Change, Proof, Way, named, search};
use super::wire::Wire;
use super::with::With;
use super::{acs3, checks, strings, v1};
use crate::auth::{self, Claim};
use crate::incoming::{Incoming, Scheme};

/// Why the signature in what is pasted is right or is not: of a curl command, an HTTP request, a signed URL, an answer or an
/// error that says what the server signed, or the string that was signed.
///
/// # Errors
/// If there is nothing in it that could be explained.
pub fn explain(text: &str, with: &With<'_>) -> Result<Explanation, Said> {
    let pasted = pasted::read(text)?;
    let Some(wire) = &pasted.request else { return Ok(strings::explain(&pasted, with)) };
    let mut explanation = request(wire, &pasted, with);
    explanation.findings.extend(pasted.found);
    explanation.findings.sort_by_key(|finding| match finding.certainty {
        Certainty::Proved => 0,
        Certainty::Seen => 1,
        Certainty::Note => 2,
    });
    let decided = explanation.findings.iter().any(|finding| finding.certainty != Certainty::Note);
    explanation.verdict = if decided { Verdict::Wrong } else { Verdict::Right };
    if explanation.verdict == Verdict::Right {
        explanation.findings.push(nonce());
    }
    Ok(explanation)
}

/// What is never known here.
fn nonce() -> Finding {
    Finding::note(
        "nonce",
        said(
            "Whether its nonce was used cannot be known here: a request that is sent twice is refused with SignatureNonceUsed.",
            "此处无法得知随机数是否已被使用：重复发送的请求会被 SignatureNonceUsed 拒绝。",
        ),
        said(
            "Take a new nonce for each request, also when it is tried again.",
            "每次请求（包括重试）都应使用新的随机数。",
        ),
    )
}

/// What a request is, with all that is found.
fn request(wire: &Wire, pasted: &Pasted, with: &With<'_>) -> Explanation {
    let (head, mut findings) = wire.parts();
    let incoming = incoming(&head, &wire.body);
    findings.extend(checks::lacking(&incoming));
    let ours = Ours::of(&incoming);
    let mut explanation = Explanation {
        signature: Some(name(incoming.scheme)),
        key_id: auth::claimed_key(&incoming).map(str::to_owned),
        verdict: Verdict::Wrong,
        findings,
        steps: ours.as_ref().map(Ours::steps).unwrap_or_default(),
    };
    let claim = match Claim::of(&incoming, &mut Vec::new()) {
        Ok(claim) => claim,
        Err(why) => {
            // What is missing was told, all of it.
            if explanation.findings.iter().all(|finding| finding.certainty == Certainty::Note) {
                explanation.findings.push(checks::refused(&why, &incoming));
            }
            return explanation;
        }
    };
    let key = match checks::key(claim.key_id, with) {
        Ok(key) => key,
        Err(unknown) => {
            explanation.findings.push(*unknown);
            return explanation;
        }
    };
    let found = &mut explanation.findings;
    found.extend(checks::key_state(&key, with.now));
    found.extend(checks::time(claim.time, with));
    found.extend(checks::token(&key, &claim));
    found.extend(checks::beside(&incoming));
    if let Some(ours) = ours {
        let compared = Compared { incoming: &incoming, claim: &claim, key: &key, ours: &ours, wire };
        match compared.signature(pasted, with) {
            Some(wrong) => found.push(wrong),
            None => found.extend(checks::unsorted_names(&incoming)),
        }
    }
    explanation
}

/// A signature and what it should be.
struct Compared<'a> {
    incoming: &'a Incoming<'a>,
    claim: &'a Claim<'a>,
    key: &'a Arc<AccessKey>,
    ours: &'a Ours,
    wire: &'a Wire,
}

impl Compared<'_> {
    /// What is wrong with the signature, or that it is right by another method; `None` if it is right.
    fn signature(&self, pasted: &Pasted, with: &With<'_>) -> Option<Finding> {
        let right = self.incoming.scheme.sign(&self.ours.string, self.key.secret.expose());
        if auth::same(&right, self.claim.signature) {
            return None;
        }
        if let Some(signed) = &pasted.signed {
            return Some(self.held_against(signed));
        }
        let proof = match self.incoming.scheme {
            Scheme::V1 => self.tried(&self.v1(), |way| v1::changes(way, self.key, with.others, self.v1_parts())),
            Scheme::Acs3 => self.acs3().and_then(|way| {
                self.tried(&way, |way| acs3::changes(way, self.key, with.others, self.acs3_parts(with)))
            }),
        };
        let Some(Proof { mistakes, text }) = proof else { return Some(unproved()) };
        if pasted.is_url && matches!(&*mistakes, [only] if only.id == "method") {
            return Some(by_post());
        }
        let (of, ours) = self.ours.text();
        together(mistakes).map(|mistake| mistake.found(Certainty::Proved, mark(of, &text, ours)))
    }

    fn tried<W: Way>(&self, way: &W, changes: impl FnOnce(&W) -> Vec<Change<W>>) -> Option<Proof> {
        search(way, &changes(way), self.claim.signature)
    }

    /// Against what the client says that it signed.
    fn held_against(&self, signed: &str) -> Finding {
        let (of, ours) = self.ours.text();
        let ours =
            if signed.contains('\n') && !signed.starts_with(crate::sign::ACS3) { ours } else { &self.ours.string };
        if signed == ours {
            return strings::other_secret();
        }
        let named = match self.incoming.scheme {
            Scheme::V1 => named(&self.v1(), &v1::changes(&self.v1(), self.key, &[], self.v1_parts()), signed),
            Scheme::Acs3 => self.acs3().and_then(|way| {
                let parts = acs3::Parts { headers: self.wire.headers.clone(), ..acs3::Parts::default() };
                named(&way, &acs3::changes(&way, self.key, &[], parts), signed)
            }),
        };
        let place = mark(of, signed, ours);
        strings::named_so(named).at(place)
    }

    /// The parameters in the order in which they were sent.
    fn pairs(query: &str, form: &[u8]) -> Vec<(String, String)> {
        let all = parse(query.as_bytes()).into_owned().chain(parse(form).into_owned());
        all.filter(|(name, _)| name != "Signature").take(crate::params::Params::COUNT_MAX).collect()
    }

    fn v1(&self) -> v1::V1Way {
        let pairs = Self::pairs(self.wire.query(), &self.wire.body);
        v1::V1Way::right(self.incoming.head.method.as_str(), pairs, &self.key.secret)
    }

    fn v1_parts(&self) -> v1::Parts {
        let (query, form) = (self.wire.query(), String::from_utf8_lossy(&self.wire.body));
        let plus = query.contains('+') || form.contains('+');
        v1::Parts {
            plus_kept: plus.then(|| Self::pairs(&query.replace('+', "%2B"), form.replace('+', "%2B").as_bytes())),
            of_query: (!form.is_empty()).then(|| Self::pairs(query, b"")),
        }
    }

    fn acs3(&self) -> Option<acs3::Acs3Way> {
        // The pairs of the query are the only ones that stand in the text.
        let pairs = parse(self.wire.query().as_bytes()).into_owned().collect();
        acs3::Acs3Way::right(self.ours.canonical.as_deref()?, pairs, &self.key.secret)
    }

    fn acs3_parts(&self, with: &With<'_>) -> acs3::Parts {
        let (query, wire) = (self.wire.query(), self.wire);
        let read =
            |query: &str, form: &[u8]| parse(query.as_bytes()).into_owned().chain(parse(form).into_owned()).collect();
        acs3::Parts {
            plus_kept: query.contains('+').then(|| read(&query.replace('+', "%2B"), b"")),
            raw_query: query.to_owned(),
            with_form: (!wire.body.is_empty()).then(|| read(query, &wire.body)),
            hosts: hosts(wire, with),
            headers: wire.headers.clone(),
        }
    }
}

/// Hosts that a request may have been signed for, other than the one it says.
fn hosts(wire: &Wire, with: &With<'_>) -> Vec<String> {
    const PORTS: [&str; 3] = [":80", ":443", ":8080"];
    const REGIONS: [&str; 6] =
        ["cn-shanghai", "ap-southeast-1", "ap-northeast-1", "us-west-1", "us-east-1", "eu-central-1"];
    let said = wire.header("host").unwrap_or_default();
    let mut all = Vec::new();
    let with_ports = |host: &str| {
        let bare = host.rsplit_once(':').map_or(host, |(bare, _)| bare).to_owned();
        let ports = PORTS.iter().map(|port| format!("{bare}{port}")).collect::<Vec<_>>();
        [host.to_owned(), bare, host.to_lowercase()].into_iter().chain(ports)
    };
    for known in
        [wire.authority.as_deref().unwrap_or_default(), said].into_iter().chain(with.hosts.iter().map(|host| &**host))
    {
        all.extend(with_ports(known));
    }
    all.extend(REGIONS.iter().map(|region| format!("iot.{region}.aliyuncs.com")));
    all.push("localhost".to_owned());
    all.push(String::new());
    let mut told = BTreeSet::new();
    all.retain(|host| host != said && told.insert(host.clone()));
    all.truncate(64);
    all
}

fn by_post() -> Finding {
    Finding::note(
        "method",
        said(
            "A URL does not say by which method it is sent: this signature is right if that is POST, and wrong by GET.",
            "URL 本身不说明请求方法：若以 POST 发送则签名正确，以 GET 发送则错误。",
        ),
        said("Send it by POST.", "应以 POST 发送。"),
    )
}

fn unproved() -> Finding {
    Finding::seen(
        "secret_or_text",
        said(
            "The signature is not the one of this request with this key's secret, and none of the mistakes that are known leads to it: the \
             secret is another one, or something else was signed.",
            "该签名不是此请求用该密钥得出的签名，也不是任何已知错误的结果：要么密钥不对，要么签名的是别的内容。",
        ),
        said(
            "Print the string that your code signs and paste it below the request: if it is the one shown here, the secret is the wrong one; \
             else the first difference is shown.",
            "请打印代码实际签名的字符串，粘贴在请求下面：若与此处所示相同，则密钥有误；否则会指出第一处差异。",
        ),
    )
}
