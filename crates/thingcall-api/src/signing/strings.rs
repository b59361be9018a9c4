//! Why a string to sign is right or is not, where no request is at hand: what a server said that it signed, and what a client did.

use percent_encoding::percent_decode_str;
use thingcall_core::{AccessKey, Secret};

use super::finding::{Certainty, Explanation, Finding, Step, Verdict, mark};
use super::mistakes::together;
use super::pasted::Pasted;
use super::said::said;
use super::tries::{Change, Proof, Way, named};
use super::v1::V1Way;
use super::with::With;
use super::{checks, v1};
use crate::sign;

/// Explains it.
pub(super) fn explain(pasted: &Pasted, with: &With<'_>) -> Explanation {
    let server = pasted.told.as_ref().and_then(|told| told.string.clone());
    let any = server.as_ref().or(pasted.signed.as_ref());
    let of_v1 = any.filter(|string| !string.contains('\n')).and_then(|string| taken_apart(string));
    let mut explanation = Explanation {
        signature: any.map(|string| if string.contains('\n') { sign::ACS3 } else { "HMAC-SHA1" }),
        key_id: None,
        verdict: Verdict::Unknown,
        findings: Vec::new(),
        steps: Vec::new(),
    };
    match (&server, &pasted.signed) {
        (Some(server), Some(signed)) => explanation.findings.push(compared(server, signed)),
        (Some(_), None) => explanation.findings.push(no_signature()),
        (None, Some(signed)) => explanation.findings.push(by_itself(signed, of_v1.as_ref())),
        (None, None) => {}
    }
    if let Some(way) = &of_v1 {
        let value = |name: &str| way.pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
        explanation.key_id = value("AccessKeyId").map(str::to_owned);
        match value("AccessKeyId").map(|id| checks::key(id, with)) {
            Some(Ok(key)) => explanation.findings.extend(checks::key_state(&key, with.now)),
            Some(Err(unknown)) => explanation.findings.push(*unknown),
            None => {}
        }
        let time = value("Timestamp").or_else(|| value("TimeStamp"));
        explanation.findings.extend(time.and_then(|time| checks::time(time, with)));
    }
    if pasted.told.as_ref().is_some_and(|told| told.cut) {
        explanation.findings.push(cut_off());
    }
    let code = pasted.told.as_ref().and_then(|told| told.code.as_deref());
    explanation.findings.extend(code.and_then(of_code));
    explanation.steps.extend(any.map(|string| Step { name: "string to sign", text: string.clone() }));
    if explanation.findings.iter().any(|finding| finding.certainty != Certainty::Note) {
        explanation.verdict = Verdict::Wrong;
    }
    explanation
}

/// The parameters of a string of the older signature, whether or not it is right.
fn taken_apart(string: &str) -> Option<V1Way> {
    let mut parts = string.splitn(3, '&');
    let (method, _path, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let decoded = if rest.contains('=') { rest.into() } else { percent_decode_str(rest).decode_utf8_lossy() };
    let pairs = form_urlencoded::parse(decoded.as_bytes()).into_owned().take(crate::params::Params::COUNT_MAX);
    Some(V1Way::right(&method.to_ascii_uppercase(), pairs.collect(), &Secret::new("")))
}

/// The client's against the server's.
fn compared(server: &str, signed: &str) -> Finding {
    if server == signed {
        return other_secret();
    }
    let of =
        if signed.contains('\n') && !signed.starts_with(sign::ACS3) { "canonical request" } else { "string to sign" };
    if server.starts_with(sign::ACS3) && of == "canonical request" {
        let hash = sign::acs3_string(signed.as_bytes());
        return if hash == server { other_secret() } else { other_text() };
    }
    let place = mark(of, signed, server);
    // The order in which the client has them is in its own string alone.
    let right = taken_apart(server).map(|right| match taken_apart(signed) {
        Some(own) if sign::sorted(&own.pairs) == sign::sorted(&right.pairs) => {
            V1Way::right(&right.method, own.pairs, &right.secret)
        }
        Some(_) | None => right,
    });
    let named = right.and_then(|right| named(&right, &changes(&right), signed));
    named_so(named).at(place)
}

/// The client's alone, against how it would be written.
fn by_itself(signed: &str, way: Option<&V1Way>) -> Finding {
    let Some(way) = way else { return no_signature() };
    let right = way.text();
    if right == signed {
        return no_signature();
    }
    let named = named(way, &changes(way), signed);
    let place = mark("string to sign", signed, &right);
    named_so(named).at(place)
}

/// What was signed by mistakes that are known, or by others.
pub(super) fn named_so(named: Option<Proof>) -> Finding {
    let mistake = named.and_then(|proof| together(proof.mistakes));
    mistake.map_or_else(other_text, |mistake| mistake.found(Certainty::Seen, None))
}

/// Mistakes that a text shows; those of secrets are in none.
fn changes(way: &V1Way) -> Vec<Change<V1Way>> {
    let nobody = AccessKey {
        id: String::new(),
        secret: Secret::new(""),
        account: String::new(),
        enabled: true,
        security_token: None,
        result: None,
        allow: None,
        temporary: None,
    };
    v1::changes(way, &nobody, &[], v1::Parts::default())
}

/// What was signed is right, and the signature is not.
pub(super) fn other_secret() -> Finding {
    Finding {
        id: "secret".to_owned(),
        certainty: Certainty::Proved,
        what: said(
            "What was signed is what this server has, character by character: the secret is another one, or it is used in another way.",
            "签名的内容与服务器完全一致：是密钥不对，或者使用密钥的方式不对。",
        ),
        right: said(
            "Look at the secret: its first and last characters, blanks, and whether it belongs to this key. The older signature is keyed \
             with the secret and one & behind it, the newer one with the secret alone.",
            "请检查密钥：首尾字符、空白、是否属于该 AccessKeyId。旧版签名的密钥为 Secret 加一个 &，新版只用 Secret。",
        ),
        mark: None,
    }
}

/// What was signed is something else, and it is not known by which mistake.
fn other_text() -> Finding {
    Finding::seen(
        "text",
        said("What was signed is not what this server has.", "签名的内容与服务器的不同。"),
        said("See where they begin to differ.", "见第一处差异的位置。"),
    )
}

fn no_signature() -> Finding {
    Finding::note(
        "no_signature",
        said(
            "There is no signature in it to compare, and nothing that shows a mistake.",
            "其中没有可供比对的签名，也看不出错误。",
        ),
        said(
            "Paste the request that was sent, or the string that your code signed below the server's.",
            "请粘贴实际发送的请求，或在服务器的字符串下面粘贴代码实际签名的字符串。",
        ),
    )
}

fn cut_off() -> Finding {
    Finding::note(
        "cut_off",
        said("The server told only the beginning of its string.", "服务器只返回了待签名字符串的开头部分。"),
        said("[api] string_to_sign_bytes_max says how much it tells.", "长度由 [api] string_to_sign_bytes_max 决定。"),
    )
}

/// What a code means that an error names.
fn of_code(code: &str) -> Option<Finding> {
    let (what, right) = match code {
        "SignatureNonceUsed" => (
            (
                "The nonce was used already: the same signed request was sent twice.",
                "随机数已被使用：同一个已签名的请求发送了两次。",
            ),
            ("Sign each request anew, also when it is tried again.", "每次请求（包括重试）都要重新签名。"),
        ),
        "InvalidTimeStamp.Expired" => (
            ("The request's time is too far from the server's clock.", "请求时间与服务器时钟相差过大。"),
            (
                "Set the caller's clock and write its time in UTC; a request is taken for as long as [api] clock_skew says.",
                "请校准调用方时钟并使用 UTC；允许的偏差由 [api] clock_skew 决定。",
            ),
        ),
        "InvalidAccessKeySecret" => (
            (
                "The SDK compared its string with the server's and found them the same: the secret is another one.",
                "SDK 比对后发现其字符串与服务器一致：密钥不对。",
            ),
            ("Use the secret of this key.", "请使用该密钥对应的 Secret。"),
        ),
        "InvalidAccessKeyId.NotFound" => (
            ("The server has no such access key.", "服务器上没有该 AccessKeyId。"),
            ("`thingcall key list` shows the keys there are.", "`thingcall key list` 可列出现有的密钥。"),
        ),
        _ => return None,
    };
    Some(Finding::seen(code, said(what.0, what.1), said(right.0, right.1)))
}
