//! How a text is encoded: as is right, and as the functions do that clients take for it.

use super::mistakes::Mistake;
use crate::canonical;

/// A way to encode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spelling {
    /// What a space becomes.
    space: &'static str,
    /// What stays as it is beside letters, digits and `-_.~`.
    raw: &'static str,
    /// What does not.
    escaped: &'static str,
    hex: Hex,
    /// How often it is done.
    times: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hex {
    Upper,
    Lower,
}

impl Spelling {
    /// The right one.
    pub(super) const RIGHT: Self = Self { space: "%20", raw: "", escaped: "", hex: Hex::Upper, times: 1 };
    /// None at all.
    pub(super) const NONE: Self = Self { times: 0, ..Self::RIGHT };
    /// One time too many.
    pub(super) const TWICE: Self = Self { times: 2, ..Self::RIGHT };

    /// Encodes a text.
    pub(super) fn write(self, text: &str) -> String {
        (0..self.times).fold(text.to_owned(), |text, _| self.once(&text))
    }

    fn once(self, text: &str) -> String {
        if (Self { times: 1, ..self }) == Self::RIGHT {
            let mut out = Vec::with_capacity(text.len() * 2);
            canonical::encode_into(&mut out, text);
            return String::from_utf8(out).unwrap_or_default();
        }
        let mut out = String::with_capacity(text.len() * 2);
        for char in text.chars() {
            let unreserved = char.is_ascii_alphanumeric() || "-_.~".contains(char);
            if char == ' ' {
                out.push_str(self.space);
            } else if unreserved && !self.escaped.contains(char) || self.raw.contains(char) {
                out.push(char);
            } else {
                for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                    out.push_str(&match self.hex {
                        Hex::Upper => format!("%{byte:02X}"),
                        Hex::Lower => format!("%{byte:02x}"),
                    });
                }
            }
        }
        out
    }
}

/// The ways that are taken for the right one, the simplest first: where several lead to the same, that is the one to name.
pub(super) fn wrong() -> Vec<(Spelling, Mistake)> {
    let mut all = of_one_sign();
    all.extend(of_functions());
    all.extend(of_net_and_uris());
    all
}

const RIGHT: (&str, &str) = (
    "Encode letters, digits and -_.~ not at all, everything else of UTF-8 as %XX in upper case: a space is %20, * is %2A.",
    "字母、数字和 -_.~ 不编码，其余 UTF-8 字节一律编码为大写 %XX：空格为 %20，* 为 %2A。",
);

fn of(id: &'static str, spelling: Spelling, what: (&str, &str)) -> (Spelling, Mistake) {
    (spelling, Mistake::new(id, what, RIGHT))
}

/// One sign, or all at once.
fn of_one_sign() -> Vec<(Spelling, Mistake)> {
    let is = Spelling::RIGHT;
    vec![
        of("space_as_plus", Spelling { space: "+", ..is }, ("A space was encoded as +.", "空格被编码成了 +。")),
        of("star_not_encoded", Spelling { raw: "*", ..is }, ("* was not encoded.", "* 没有编码。")),
        of("tilde_encoded", Spelling { escaped: "~", ..is }, ("~ was encoded as %7E.", "~ 被编码成了 %7E。")),
        of("slash_not_encoded", Spelling { raw: "/", ..is }, ("/ was not encoded.", "/ 没有编码。")),
        of(
            "lower_case_hex",
            Spelling { hex: Hex::Lower, ..is },
            ("The digits of %XX were written in lower case.", "%XX 使用了小写十六进制。"),
        ),
        of("encoded_twice", Spelling::TWICE, ("The parameters were encoded twice.", "参数被编码了两次。")),
        of("not_encoded", Spelling::NONE, ("The parameters were not encoded.", "参数没有编码。")),
    ]
}

/// What the functions of several languages do.
fn of_functions() -> Vec<(Spelling, Mistake)> {
    let is = Spelling::RIGHT;
    vec![
        of(
            "encoded_as_encode_uri_component",
            Spelling { raw: "!'()*", ..is },
            (
                "! ' ( ) * were not encoded, as by encodeURIComponent.",
                "! ' ( ) * 没有编码（encodeURIComponent 即如此）。",
            ),
        ),
        of(
            "encoded_as_form",
            Spelling { space: "+", raw: "*", escaped: "~", ..is },
            (
                "It was encoded as a form: a space as +, ~ as %7E, and * not at all, as by Java's URLEncoder.",
                "按表单方式编码：空格为 +，~ 为 %7E，* 不编码（Java 的 URLEncoder 即如此）。",
            ),
        ),
        of(
            "encoded_as_urlencode",
            Spelling { space: "+", escaped: "~", ..is },
            (
                "A space was encoded as + and ~ as %7E, as by PHP's urlencode.",
                "空格为 +，~ 为 %7E（PHP 的 urlencode 即如此）。",
            ),
        ),
        of(
            "encoded_as_url_search_params",
            Spelling { space: "+", raw: "*", ..is },
            ("A space was encoded as + and * not at all.", "空格被编码成 +，* 没有编码。"),
        ),
    ]
}

/// Those of .NET, and of whole URIs.
fn of_net_and_uris() -> Vec<(Spelling, Mistake)> {
    let is = Spelling::RIGHT;
    vec![
        of(
            "encoded_as_http_utility",
            Spelling { space: "+", raw: "!()*", hex: Hex::Lower, ..is },
            (
                "It was encoded as by HttpUtility.UrlEncode: a space as +, in lower case, and ! ( ) * not at all.",
                "按 HttpUtility.UrlEncode 编码：空格为 +，十六进制小写，! ( ) * 不编码。",
            ),
        ),
        of(
            "encoded_as_web_utility",
            Spelling { space: "+", raw: "!()*", ..is },
            (
                "It was encoded as by WebUtility.UrlEncode: a space as +, and ! ( ) * not at all.",
                "按 WebUtility.UrlEncode 编码：空格为 +，! ( ) * 不编码。",
            ),
        ),
        of(
            "encoded_as_uri",
            Spelling { raw: ";/?:@&=+$,#!'()*", ..is },
            (
                "It was encoded as a whole URI, as by encodeURI: ; / ? : @ & = + $ , # stay as they are.",
                "按整个 URI 编码（encodeURI）：; / ? : @ & = + $ , # 未编码。",
            ),
        ),
        of(
            "only_odd_characters_encoded",
            Spelling { raw: "!$'()*,/:;=@?", ..is },
            (
                "Signs that may stand in a query (: / , ! and others) were not encoded.",
                "查询串中允许的符号（: / , ! 等）没有编码。",
            ),
        ),
    ]
}

#[cfg(test)]
mod tests {
    //! What the functions of each language make of the same text.

    use super::*;

    #[test]
    fn each_way_is_the_one_of_its_function() {
        let text = "a b*~/'(é)!+:";
        let by = |id: &str| wrong().into_iter().find(|(_, mistake)| mistake.id == id).unwrap().0.write(text);
        assert_eq!(Spelling::RIGHT.write(text), "a%20b%2A~%2F%27%28%C3%A9%29%21%2B%3A");
        assert_eq!(by("encoded_as_form"), "a+b*%7E%2F%27%28%C3%A9%29%21%2B%3A", "java.net.URLEncoder");
        assert_eq!(by("encoded_as_encode_uri_component"), "a%20b*~%2F'(%C3%A9)!%2B%3A", "JavaScript");
        assert_eq!(by("encoded_as_urlencode"), "a+b%2A%7E%2F%27%28%C3%A9%29%21%2B%3A", "PHP");
        assert_eq!(by("encoded_as_http_utility"), "a+b*%7e%2f%27(%c3%a9)!%2b%3a".replace("%7e", "~"), "C#");
        assert_eq!(by("slash_not_encoded"), "a%20b%2A~/%27%28%C3%A9%29%21%2B%3A", "Python's quote");
        assert_eq!(by("not_encoded"), text);
        assert_eq!(by("encoded_twice"), "a%2520b%252A~%252F%2527%2528%25C3%25A9%2529%2521%252B%253A");
    }
}
