//! What is wrong with a request beside its signature: what it lacks, its key, its time, its token.
//!
//! **Invariant:** what is a finding here is refused by the front, too, and by its own code where that can be asked.

use std::sync::Arc;

use hyper::header::CONTENT_TYPE;
use thingcall_core::{AccessKey, UnixMillis};

use super::finding::Finding;
use super::said::said;
use super::wire::cut;
use super::with::With;
use crate::actions::{Action, action_names};
use crate::auth::{self, Claim};
use crate::gateway::GatewayError;
use crate::headers::System;
use crate::incoming::{Incoming, Scheme};
use crate::{clock, sign};

/// What the newer signature needs, and what is right in it.
const HEADERS: [(&str, &str); 6] = [
    ("x-acs-action", "InvokeThingService"),
    ("x-acs-version", sign::VERSION),
    ("host", "127.0.0.1:8080"),
    ("x-acs-date", "2026-01-02T03:04:05Z"),
    ("x-acs-signature-nonce", "d410180a5abf7fe235dd9b74aca91fc0"),
    ("x-acs-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
];

/// What the older one needs.
const PARAMETERS: [(&str, &str); 8] = [
    ("Action", "InvokeThingService"),
    ("Version", sign::VERSION),
    ("AccessKeyId", "LTAI..."),
    ("SignatureMethod", "HMAC-SHA1"),
    ("SignatureVersion", "1.0"),
    ("SignatureNonce", "9e030f6b-03a2-40f0-a6ba-157d44532fd0"),
    ("Timestamp", "2026-01-02T03:04:05Z"),
    ("Signature", "gLJ+he38PgH923LLzM09LutoR+0="),
];

/// Everything that the form of the signature needs and the request does not have.
pub(super) fn lacking(incoming: &Incoming<'_>) -> Vec<Finding> {
    match incoming.scheme {
        Scheme::Acs3 => of_headers(incoming),
        Scheme::V1 => of_parameters(incoming),
    }
}

fn of_parameters(incoming: &Incoming<'_>) -> Vec<Finding> {
    let has = |name: &str| incoming.params.get(name).is_some();
    if let Some(other) = incoming.said(System::Authorization) {
        let word = cut(other.split(' ').next().unwrap_or_default());
        return vec![Finding::seen(
            "signature_method",
            said(
                format!("Authorization begins with {word:?}, which is no signature of this API."),
                format!("Authorization 以 {word:?} 开头，不是此 API 的签名。"),
            ),
            said(
                "It is ACS3-HMAC-SHA256 Credential=...,SignedHeaders=...,Signature=...; or sign by parameters, without this header.",
                "应为 ACS3-HMAC-SHA256 Credential=...,SignedHeaders=...,Signature=...；或使用参数签名，不带此请求头。",
            ),
        )];
    }
    if !has("Signature") && !has("AccessKeyId") {
        return vec![Finding::seen(
            "not_signed",
            said("The request is not signed.", "请求没有签名。"),
            said(
                "Sign it with the header Authorization (ACS3-HMAC-SHA256) or with the parameter Signature (HMAC-SHA1).",
                "请使用 Authorization 请求头（ACS3-HMAC-SHA256）或 Signature 参数（HMAC-SHA1）签名。",
            ),
        )];
    }
    let missing = PARAMETERS.iter().filter(|(name, _)| !(has(name) || *name == "Timestamp" && has("TimeStamp")));
    missing
        .map(|(name, example)| {
            Finding::seen(
                "parameter_missing",
                said(format!("The parameter {name} is missing."), format!("缺少参数 {name}。")),
                said(
                    format!("Send it, and sign it with the others: {name}={example}."),
                    format!("应发送 {name}={example}（Signature 以外的参数都要参与签名）。"),
                ),
            )
        })
        .collect()
}

/// The names that the header `Authorization` says are signed.
pub(super) fn signed_names<'a>(incoming: &'a Incoming<'_>) -> Vec<&'a str> {
    let text = incoming.said(System::Authorization).unwrap_or_default();
    let names = text.split([',', ' ']).find_map(|part| part.trim().strip_prefix("SignedHeaders="));
    names.map_or_else(Vec::new, |names| names.split(';').collect())
}

fn of_headers(incoming: &Incoming<'_>) -> Vec<Finding> {
    let signed = signed_names(incoming);
    let sent = |name: &str| incoming.head.headers.get(name).is_some_and(|value| !value.is_empty());
    let mut found = Vec::new();
    for (name, example) in HEADERS {
        if !sent(name) {
            found.push(Finding::seen(
                "header_missing",
                said(format!("The header {name} is missing."), format!("缺少请求头 {name}。")),
                said(format!("Send it and sign it: {name}: {example}"), format!("应发送并参与签名：{name}: {example}")),
            ));
        } else if !signed.is_empty() && !signed.contains(&name) {
            found.push(Finding::seen(
                "header_not_signed",
                said(
                    format!("The header {name} is sent and is not in SignedHeaders."),
                    format!("请求头 {name} 已发送，但不在 SignedHeaders 中。"),
                ),
                said(
                    "Sign host, content-type where there is a body, and every header that begins with x-acs-; their names in lower case.",
                    "host、（有请求体时的）content-type 以及所有 x-acs- 开头的请求头都要签名，名称用小写。",
                ),
            ));
        }
    }
    for name in signed.iter().filter(|name| !incoming.head.headers.contains_key(**name)) {
        if HEADERS.iter().all(|(known, _)| known != name) {
            found.push(Finding::seen(
                "signed_header_not_sent",
                said(
                    format!("SignedHeaders names {:?}, which was not sent.", cut(name)),
                    format!("SignedHeaders 含有 {:?}，但请求中没有该请求头。", cut(name)),
                ),
                said("Send each header that is signed, as it was signed.", "参与签名的请求头都要原样发送。"),
            ));
        }
    }
    found
}

/// Names that are signed in another order than the documented one.
pub(super) fn unsorted_names(incoming: &Incoming<'_>) -> Option<Finding> {
    let names = signed_names(incoming);
    (!names.is_sorted()).then(|| {
        Finding::note(
            "signed_headers_not_sorted",
            said("SignedHeaders is not sorted. This server takes it so.", "SignedHeaders 没有排序。本服务器可以接受。"),
            said("The platform documents it sorted by name.", "平台文档要求按名称排序。"),
        )
    })
}

/// What the front says of it before it looks at the key, unless that was told already.
pub(super) fn refused(why: &GatewayError, incoming: &Incoming<'_>) -> Finding {
    let code = why.code().into_owned();
    if let GatewayError::ContentHash(actual) = why {
        return body_hash(actual, incoming);
    }
    Finding::seen(
        code.clone(),
        said(why.to_string(), format!("服务器会以 {code} 拒绝：{why}")),
        said("See the message.", "见错误信息。"),
    )
}

fn body_hash(actual: &str, incoming: &Incoming<'_>) -> Finding {
    let given = incoming.said(System::ContentHash).unwrap_or_default();
    let is = |bytes: &[u8]| given.eq_ignore_ascii_case(&sign::sha256_hex(bytes));
    let query = incoming.head.uri.query().unwrap_or_default();
    let (english, chinese) = if is(b"") {
        ("it is the one of an empty body", "它是空请求体的哈希")
    } else if is(&[incoming.body, b"\n"].concat()) {
        ("it is the one of the body with a line feed behind it", "它是请求体末尾多一个换行时的哈希")
    } else if is(query.as_bytes()) {
        ("it is the one of the query", "它是查询串的哈希")
    } else {
        ("the body is another one than was hashed", "计算哈希的请求体与发送的不同")
    };
    Finding::seen(
        "body_hash",
        said(
            format!("x-acs-content-sha256 is not the SHA-256 of the body: {english}."),
            format!("x-acs-content-sha256 不是请求体的 SHA-256：{chinese}。"),
        ),
        said(
            format!("The body of {} bytes has {actual}.", incoming.body.len()),
            format!("请求体（{} 字节）的哈希为 {actual}。", incoming.body.len()),
        ),
    )
}

/// What is wrong beside its signature with a request that has all it needs.
pub(super) fn beside(incoming: &Incoming<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut refuse = |why: GatewayError| found.push(refused(&why, incoming));
    let (path, method) = (incoming.head.uri.path(), incoming.head.method.as_str());
    let known = path == "/" || (path == crate::events::PATH && method == "GET");
    if !known {
        refuse(GatewayError::Path(cut(path)));
    }
    if !["GET", "POST"].contains(&method) {
        refuse(GatewayError::Method(cut(method)));
    }
    incoming.params.check().err().map(&mut refuse);
    incoming.format().err().map(&mut refuse);
    match incoming.version() {
        Some(version) if version != sign::VERSION => refuse(GatewayError::Version(cut(version))),
        Some(_) | None => {}
    }
    let kind = incoming.header(&CONTENT_TYPE).unwrap_or_default().split(';').next().unwrap_or_default();
    let is_form = kind.is_empty() || kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded");
    if !incoming.body.is_empty() && !is_form {
        refuse(GatewayError::BodyType(cut(kind)));
    }
    if let Some(name) = incoming.action().filter(|name| name.parse::<Action>().is_err()) {
        let similar = action_names().find(|known| known.eq_ignore_ascii_case(name.trim()));
        if similar.is_none_or(|known| known != name) {
            let right = similar.map_or("The README lists the actions in \"The actions\".".to_owned(), |known| {
                format!("Right is {known}.")
            });
            let chinese = similar
                .map_or("README 的 “The actions” 一节列出了全部 Action。".to_owned(), |known| {
                    format!("应为 {known}。")
                });
            found.push(Finding::seen(
                "action_unknown",
                said(format!("There is no action {:?}.", cut(name)), format!("没有名为 {:?} 的 Action。", cut(name))),
                said(right, chinese),
            ));
        }
    }
    found
}

/// Whether its key is there and may sign.
pub(super) fn key(id: &str, with: &With<'_>) -> Result<Arc<AccessKey>, Box<Finding>> {
    let shown = cut(id);
    let Some(key) = with.keys.key(id) else {
        let near = with.others.iter().find(|key| key.id.eq_ignore_ascii_case(id.trim()));
        let right = near.map_or_else(
            || said("`thingcall key list` shows the keys there are.", "`thingcall key list` 可列出现有的密钥。"),
            |key| said(format!("Perhaps {} is meant.", key.id), format!("可能应为 {}。", key.id)),
        );
        let what = said(format!("There is no access key {shown:?} here."), format!("这里没有 AccessKeyId {shown:?}。"));
        return Err(Box::new(Finding::seen("key_unknown", what, right)));
    };
    Ok(key)
}

/// Whether it may sign at all.
pub(super) fn key_state(key: &AccessKey, now: UnixMillis) -> Option<Finding> {
    let id = &key.id;
    if !key.enabled {
        return Some(Finding::seen(
            "key_disabled",
            said(format!("The access key {id} is disabled."), format!("AccessKey {id} 已停用。")),
            said(
                format!("`thingcall key enable {id}` enables it."),
                format!("可用 `thingcall key enable {id}` 启用。"),
            ),
        ));
    }
    key.has_ended(now).then(|| {
        Finding::seen(
            "key_expired",
            said(format!("The temporary key {id} has ended."), format!("临时密钥 {id} 已过期。")),
            said("Make another one by `thingcall key temporary`.", "请用 `thingcall key temporary` 重新生成。"),
        )
    })
}

/// Whether the token that goes with some keys is there.
pub(super) fn token(key: &AccessKey, claim: &Claim<'_>) -> Option<Finding> {
    match (&key.security_token, claim.token) {
        (None, None) => None,
        (Some(token), Some(given)) if auth::same(token.expose(), given) => None,
        (Some(_), None) => Some(Finding::seen(
            "token_missing",
            said(
                "This key is used with an STS token, and the request has none.",
                "该密钥需要配合 STS 令牌使用，而请求中没有令牌。",
            ),
            said(
                "Send and sign the token: SecurityToken, or the header x-acs-security-token.",
                "应发送令牌并参与签名：SecurityToken 参数，或 x-acs-security-token 请求头。",
            ),
        )),
        (Some(_), Some(_)) => Some(Finding::seen(
            "token_other",
            said("The STS token is not the one of this key.", "STS 令牌与该密钥不匹配。"),
            said("Use id, secret and token that were made together.", "应使用同一次签发的 id、secret 与 token。"),
        )),
        (None, Some(_)) => Some(Finding::seen(
            "token_not_wanted",
            said(
                "This key is used without an STS token, and the request has one.",
                "该密钥不使用 STS 令牌，而请求带有令牌。",
            ),
            said("Leave SecurityToken or x-acs-security-token out.", "请去掉 SecurityToken 或 x-acs-security-token。"),
        )),
    }
}

/// Whether its time is one, and near enough.
pub(super) fn time(text: &str, with: &With<'_>) -> Option<Finding> {
    let allowed = with.skew.as_secs();
    let Some(at) = clock::parse(text) else {
        let shown = cut(text);
        return Some(Finding::seen(
            "time_format",
            said(format!("The time {shown:?} is not well formed."), format!("时间 {shown:?} 格式不正确。")),
            said("Write YYYY-MM-DDThh:mm:ssZ, in UTC.", "应为 YYYY-MM-DDThh:mm:ssZ（UTC）。"),
        ));
    };
    let off = (at.0 - with.now.0) / 1000;
    if off.unsigned_abs() <= allowed {
        return None;
    }
    let zone = zone(off, allowed);
    let seconds = off.unsigned_abs();
    let right = said(
        format!("At most {allowed} s are allowed either way. Set the caller's clock, and write its time in UTC."),
        format!("前后最多允许 {allowed} 秒。请校准调用方时钟，并使用 UTC 时间。"),
    );
    if off > 0 {
        let english = format!("Its time is {seconds} s ahead of this server's clock{}.", zone.0);
        return Some(Finding::seen(
            "clock",
            said(english, format!("请求时间比服务器时钟快 {seconds} 秒{}。", zone.1)),
            right,
        ));
    }
    Some(Finding::note(
        "clock",
        said(
            format!(
                "Its time is {seconds} s behind this server's clock{}. If it was sent when it was signed, the caller's clock is wrong; \
                 else that is its age, and only a new one is taken.",
                zone.0
            ),
            format!(
                "请求时间比服务器时钟慢 {seconds} 秒{}。若签名后立即发送，则是调用方时钟有误；否则只是请求已过时，需重新签名。",
                zone.1
            ),
        ),
        right,
    ))
}

/// What a difference of whole or half hours is most likely of.
fn zone(off: i64, allowed: u64) -> (String, String) {
    const HALF_HOUR: i64 = 1800;
    let half_hours = (off + HALF_HOUR / 2).div_euclid(HALF_HOUR);
    let rest = (off - half_hours * HALF_HOUR).unsigned_abs();
    if half_hours == 0 || half_hours.abs() > 28 || rest > allowed.min(120) {
        return (String::new(), String::new());
    }
    let (sign, size) = (if half_hours < 0 { '-' } else { '+' }, half_hours.abs());
    let zone = format!("UTC{sign}{}{}", size / 2, if size % 2 == 1 { ":30" } else { "" });
    (format!(", as if a local time of {zone} was written as UTC"), format!("，像是把 {zone} 的本地时间写成了 UTC"))
}
