//! What a server or an SDK said of a signature: an answer in JSON or XML, or the text of an error.

use serde_json::Value;

/// What is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The code, such as `SignatureDoesNotMatch`.
    pub(super) code: Option<String>,
    /// The string that the server signed.
    pub(super) string: Option<String>,
    /// It is only its beginning.
    pub(super) cut: bool,
}

/// What stands before the server's string.
const BEFORE: &str = "string to sign is:";
/// What the older signature's string begins with.
pub(super) const V1_BEGINS: [&str; 2] = ["POST&", "GET&"];

/// Reads it; `None` if it is no such thing.
pub(super) fn read(text: &str) -> Option<Told> {
    let json = embedded_json(text);
    let member = |name: &str| json.as_ref().and_then(|value| value.get(name)?.as_str().map(str::to_owned));
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(unescaped(rest.split_once(&format!("</{name}>"))?.0))
    };
    let message = member("Message").or_else(|| element("Message"));
    let words = message.unwrap_or_else(|| unescaped(text).replace("\\n", "\n").replace("\\u0026", "&"));
    let code = member("Code").or_else(|| element("Code")).or_else(|| code_in(text));
    let said = words.find(BEFORE).and_then(|at| words.get(at + BEFORE.len()..));
    let string = said.and_then(string_at_start);
    if code.is_none() && string.is_none() {
        return None;
    }
    Some(Told { code, string, cut: said.is_some_and(|said| said.contains("... (the first ")) })
}

/// A string to sign at the beginning of a text.
pub(super) fn string_at_start(text: &str) -> Option<String> {
    let text = text.trim_start();
    if let Some(rest) = text.strip_prefix(crate::sign::ACS3) {
        let hash: String = rest.trim_start().chars().take_while(char::is_ascii_hexdigit).collect();
        return (hash.len() == 64).then(|| format!("{}\n{hash}", crate::sign::ACS3));
    }
    if !V1_BEGINS.iter().any(|begin| text.starts_with(begin)) {
        return None;
    }
    let own = |char: &char| char.is_ascii_alphanumeric() || "%&-_.~+*!'()/=:,;@$".contains(*char);
    // The sign before an SDK's own words belongs to them.
    let string: String = text.chars().take_while(own).collect();
    let string = string.split("...").next().unwrap_or_default();
    Some(string.trim_end_matches([',', '.', ';', '\'', ')']).to_owned())
}

/// The first object in a text, which an SDK's error may have around it.
fn embedded_json(text: &str) -> Option<Value> {
    let rest = text.get(text.find('{')?..)?;
    serde_json::Deserializer::from_str(rest).into_iter::<Value>().next()?.ok().filter(Value::is_object)
}

/// Text of XML as it was before.
fn unescaped(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#13;", "\r"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, char)| text.replace(entity, char))
}

/// A code that an error's text names.
fn code_in(text: &str) -> Option<String> {
    const CODES: [&str; 11] = [
        "SignatureDoesNotMatch",
        "InvalidAccessKeySecret",
        "IncompleteSignature",
        "SignatureNonceUsed",
        "InvalidTimeStamp.Expired",
        "InvalidTimeStamp.Format",
        "InvalidAccessKeyId.NotFound",
        "InvalidAccessKeyId.Inactive",
        "InvalidSecurityToken.Expired",
        "InvalidSecurityToken.MismatchWithAccessKey",
        "MissingSecurityToken",
    ];
    CODES.iter().find(|code| text.contains(**code)).map(|code| (*code).to_owned())
}

#[cfg(test)]
mod tests {
    //! The server's string is found in whatever is around it.

    use proptest::prelude::*;

    use super::*;

    const V1: &str = "POST&%2F&AccessKeyId%3Da%26Action%3DB";

    #[test]
    fn every_form_of_the_answer_has_the_same_string() {
        let says = "Specified signature is not matched with our calculation. server string to sign is:";
        for text in [
            format!(
                "{{\"RequestId\":\"1\",\"Code\":\"SignatureDoesNotMatch\",\"Message\":\"{says}{V1}\",\"Recommend\":\"\"}}"
            ),
            format!(
                "<Error><Code>SignatureDoesNotMatch</Code><Message>{says}{}</Message></Error>",
                V1.replace('&', "&amp;")
            ),
            format!("HTTP Status: 400 Error:SignatureDoesNotMatch {says}{V1} RequestID: 1"),
            format!("SignatureDoesNotMatchError: {says}{V1}, URL: http://h/?Signature=x"),
        ] {
            let told = read(&text).unwrap();
            assert_eq!(
                (told.code.as_deref(), told.string.as_deref()),
                (Some("SignatureDoesNotMatch"), Some(V1)),
                "{text}"
            );
        }
    }

    #[test]
    fn the_newer_string_has_two_lines_however_they_are_written() {
        let hash = "a".repeat(64);
        for end in ["\n", "\\n", "\r\n"] {
            let text = format!(
                "Error: SignatureDoesNotMatch code: 400, server string to sign is:ACS3-HMAC-SHA256{end}{hash} request id: 1"
            );
            assert_eq!(read(&text).unwrap().string.unwrap(), format!("ACS3-HMAC-SHA256\n{hash}"), "{end:?}");
        }
    }

    #[test]
    fn a_cut_string_says_so_and_other_text_is_none() {
        let told = read(&format!("server string to sign is:{V1}... (the first 37 of 900 bytes)")).unwrap();
        assert!(told.cut && told.string.as_deref() == Some(V1), "{told:?}");
        assert_eq!(read("curl http://h"), None);
        assert_eq!(read("{\"a\":1}"), None);
    }

    proptest! {
        #[test]
        fn nothing_is_too_odd(text in "(\\{|\"|<Message>|string to sign is:|ACS3-HMAC-SHA256|POST&|\\PC){0,40}") {
            read(&text);
        }
    }
}
