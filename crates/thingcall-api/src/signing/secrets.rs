//! What a client may have taken for the secret.
//!
//! **Invariant:** a secret is signed with and never told.

use std::sync::Arc;

use thingcall_core::{AccessKey, Secret};

use super::mistakes::Mistake;

/// A key whose secret was not the one that signed.
pub(super) struct Taken {
    pub(super) mistake: Mistake,
    pub(super) secret: Secret,
}

/// The secrets that this one is likely to be mistaken for. `others` are the other keys there are.
pub(super) fn mistaken(key: &AccessKey, others: &[Arc<AccessKey>]) -> Vec<Taken> {
    let secret = key.secret.expose();
    let right =
        ("Sign with the secret as it is, without anything around it.", "应直接使用密钥本身，前后不带任何其他字符。");
    let mut all = Vec::new();
    let mut add = |id, (english, chinese): (&str, &str), secret: String| {
        all.push(Taken { mistake: Mistake::new(id, (english, chinese), right), secret: Secret::new(&secret) });
    };
    for (id, end, english, chinese) in [
        ("secret_with_newline", "\n", "a line feed at its end, as of a file", "末尾带有换行符（常见于从文件读取）"),
        ("secret_with_crlf", "\r\n", "a line end of Windows at its end", "末尾带有 Windows 换行符（CRLF）"),
        ("secret_with_carriage_return", "\r", "a carriage return at its end", "末尾带有回车符（CR）"),
        ("secret_with_space", " ", "a space at its end", "末尾带有空格"),
        ("secret_with_tab", "\t", "a tab at its end", "末尾带有制表符"),
        ("secret_with_nul", "\0", "a zero byte at its end", "末尾带有零字节"),
    ] {
        let what = (format!("The secret was used with {english}."), format!("签名时使用的密钥{chinese}。"));
        add(id, (&what.0, &what.1), format!("{secret}{end}"));
    }
    for (id, before, after, english, chinese) in [
        ("secret_with_space_before", " ", "", "a space before it", "前面带有空格"),
        ("secret_with_mark_before", "\u{feff}", "", "a byte order mark before it", "前面带有字节顺序标记（BOM）"),
        ("secret_quoted", "\"", "\"", "quotes around it", "带有双引号"),
        ("secret_quoted", "'", "'", "quotes around it", "带有单引号"),
    ] {
        let what = (format!("The secret was used with {english}."), format!("签名时使用的密钥{chinese}。"));
        add(id, (&what.0, &what.1), format!("{before}{secret}{after}"));
    }
    if secret.trim() != secret {
        let what = ("The secret was used without the blanks that it has.", "密钥本身首尾含有空白，签名时却被去掉了。");
        add("secret_trimmed", what, secret.trim().to_owned());
    }
    add("secret_empty", ("No secret was used: it is empty.", "签名时使用的密钥为空。"), String::new());
    add(
        "secret_is_key_id",
        ("The key's id was used as its secret.", "把 AccessKeyId 当作密钥使用了。"),
        key.id.clone(),
    );
    let quoted = serde_json::to_string(secret).unwrap_or_default();
    if quoted.len() > secret.len() + 2 {
        let inner = quoted.trim_matches('"').to_owned();
        let what = ("The secret was used with backslashes of JSON in it.", "签名时使用的密钥带有 JSON 的反斜杠转义。");
        add("secret_escaped", what, inner);
    }
    for other in others.iter().filter(|other| other.id != key.id) {
        let what = (
            format!("It was signed with the secret of another key: {}.", other.id),
            format!("签名使用的是另一个密钥 {} 的 Secret。", other.id),
        );
        let right = (format!("Sign with the secret of {}.", key.id), format!("应使用 {} 的密钥签名。", key.id));
        let mistake = Mistake::new("secret_of_another_key", (&what.0, &what.1), (&right.0, &right.1));
        all.push(Taken { mistake, secret: other.secret.clone() });
    }
    all
}
