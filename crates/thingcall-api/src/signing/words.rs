//! The words of mistakes: what it is, and what would be right, each in both languages.

use super::mistakes::Mistake;

/// A mistake whose words are always the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    id: &'static str,
    what: (&'static str, &'static str),
    right: (&'static str, &'static str),
}

impl From<Words> for Mistake {
    fn from(words: Words) -> Self {
        Self::new(words.id, words.what, words.right)
    }
}

const fn of(id: &'static str, what: (&'static str, &'static str), right: (&'static str, &'static str)) -> Words {
    Words { id, what, right }
}

const BETWEEN: (&str, &str) = ("Put & between two parameters alone.", "& 只放在两个参数之间。");
const BY_BYTES: (&str, &str) =
    ("Sort by name, byte by byte: capital letters before small ones.", "按参数名逐字节排序：大写字母在小写字母之前。");
const IN_BASE64: (&str, &str) =
    ("Write the 20 bytes of HMAC-SHA1 in Base64.", "将 HMAC-SHA1 的 20 个字节以 Base64 表示。");
const PATH: (&str, &str) = ("The second line is /.", "第二行应为 /。");
const SORTED_NAMES: (&str, &str) = (
    "Name the headers in SignedHeaders sorted, and write their lines in the same order.",
    "SignedHeaders 中的名称应排序，各行顺序与之一致。",
);

pub(super) const BLANK_LEFT_OUT: Words = of(
    "blank_left_out",
    ("Parameters without a value were not signed.", "没有值的参数未参与签名。"),
    (
        "Sign every parameter that is sent, also one without a value, as `Name=`.",
        "所有发送的参数都要参与签名，空值写作 `Name=`。",
    ),
);
pub(super) const METHOD_LOWER_CASE: Words = of(
    "method_lower_case",
    ("The method was signed in lower case.", "签名时方法用了小写。"),
    ("It is upper case: GET or POST.", "方法应大写：GET 或 POST。"),
);
pub(super) const PATH_NOT_ENCODED: Words = of(
    "path_not_encoded",
    ("The path stands as / in the string.", "字符串中的路径写成了 /。"),
    ("It is written %2F.", "应写作 %2F。"),
);
pub(super) const AMPERSAND_BEFORE: Words =
    of("ampersand_before", ("The query begins with &.", "查询串以 & 开头。"), BETWEEN);
pub(super) const AMPERSAND_BEHIND: Words =
    of("ampersand_behind", ("The query ends with &.", "查询串以 & 结尾。"), BETWEEN);
pub(super) const NEWLINE_BEHIND: Words = of(
    "newline_behind",
    ("A line feed at the end was signed, too, as by `echo`.", "末尾的换行符也参与了签名（常见于 `echo`）。"),
    ("Sign the string without a line end, as by `printf %s`.", "签名字符串末尾不带换行，例如使用 `printf %s`。"),
);
pub(super) const SIGNATURE_SIGNED: Words = of(
    "signature_signed",
    ("`Signature=` was among what was signed.", "`Signature=` 也参与了签名。"),
    ("Sign all parameters but Signature.", "除 Signature 外的参数参与签名。"),
);
pub(super) const PLUS_NOT_ENCODED_IN_URL: Words = of(
    "plus_not_encoded_in_url",
    ("A + stands in the URL or form as it is, where it means a space.", "URL 或表单中直接写了 +，它表示空格。"),
    ("Send a plus as %2B.", "加号应以 %2B 发送。"),
);
pub(super) const BODY_NOT_SIGNED: Words = of(
    "body_not_signed",
    ("The parameters of the form were not signed.", "表单中的参数未参与签名。"),
    ("Sign the parameters of the query and of the form together.", "查询串与表单中的参数应一起签名。"),
);
pub(super) const NOT_SORTED: Words = of("not_sorted", ("The parameters were not sorted.", "参数没有排序。"), BY_BYTES);
pub(super) const SORTED_IGNORING_CASE: Words = of(
    "sorted_ignoring_case",
    ("The parameters were sorted without regard to case.", "参数排序时忽略了大小写。"),
    BY_BYTES,
);
pub(super) const SORTED_WITH_VALUES: Words = of(
    "sorted_with_values",
    (
        "The texts `name=value` were sorted, so that Name.10 comes before Name.1.",
        "排序的是 `name=value` 文本，导致 Name.10 排在 Name.1 之前。",
    ),
    BY_BYTES,
);
pub(super) const QUERY_NOT_ENCODED: Words = of(
    "query_not_encoded",
    ("The joined parameters were not encoded once more.", "拼接后的参数没有再次编码。"),
    (
        "Behind `METHOD&%2F&` stands the whole joined text, encoded once more.",
        "`METHOD&%2F&` 之后是对整个拼接文本再次编码的结果。",
    ),
);
pub(super) const SECRET_WITHOUT_AMPERSAND: Words = of(
    "secret_without_ampersand",
    ("The secret was used without the & behind it.", "密钥后面没有加 &。"),
    (
        "The older signature is keyed with the secret and one & behind it.",
        "旧版签名的密钥为 AccessKeySecret 加上一个 &。",
    ),
);
pub(super) const BY_HMAC_SHA256: Words = of(
    "hmac_sha256",
    ("It was signed by HMAC-SHA256.", "使用了 HMAC-SHA256 签名。"),
    ("SignatureMethod is HMAC-SHA1.", "SignatureMethod 应为 HMAC-SHA1。"),
);
pub(super) const SIGNATURE_PLUS_NOT_ENCODED: Words = of(
    "signature_plus_not_encoded",
    (
        "The + of the signature stands in the URL as it is, where it means a space.",
        "URL 中签名的 + 没有编码，被当作空格。",
    ),
    (
        "Encode the signature as every other value: + is %2B, / is %2F, = is %3D.",
        "签名要像其他值一样编码：+ 为 %2B，/ 为 %2F，= 为 %3D。",
    ),
);
pub(super) const SIGNATURE_IN_HEX: Words =
    of("signature_in_hex", ("The signature is written in hexadecimal.", "签名以十六进制表示。"), IN_BASE64);
pub(super) const SIGNATURE_HEX_IN_BASE64: Words = of(
    "signature_hex_in_base64",
    (
        "The signature's hexadecimal digits are in Base64, not its bytes.",
        "Base64 编码的是十六进制文本，而不是字节本身。",
    ),
    IN_BASE64,
);
pub(super) const SIGNATURE_WITHOUT_PADDING: Words =
    of("signature_without_padding", ("The = at the end of the signature is missing.", "签名末尾缺少 =。"), IN_BASE64);
pub(super) const PATH_EMPTY: Words = of("path_empty", ("The path was left empty.", "规范请求中的路径为空。"), PATH);
pub(super) const PATH_ENCODED: Words = of("path_encoded", ("The path stands as %2F.", "路径写成了 %2F。"), PATH);
pub(super) const EMPTY_BODY_HASH: Words = of(
    "empty_body_hash",
    ("The last line is the hash of an empty body.", "最后一行是空请求体的哈希。"),
    ("It is the SHA-256 of the body that is sent.", "应为实际发送的请求体的 SHA-256。"),
);
pub(super) const BODY_HASH_MISSING: Words = of(
    "body_hash_missing",
    ("The hash of the body is missing.", "缺少请求体的哈希。"),
    ("The last line is the SHA-256 of the body, also of an empty one.", "最后一行是请求体的 SHA-256，空请求体也要有。"),
);
pub(super) const SIGNED_HEADERS_NOT_SORTED: Words = of(
    "signed_headers_not_sorted",
    ("SignedHeaders is not sorted, and the lines of the headers are.", "SignedHeaders 没有排序，而请求头各行已排序。"),
    SORTED_NAMES,
);
pub(super) const SIGNED_HEADERS_SORTED_ELSEWHERE: Words = of(
    "signed_headers_not_sorted",
    (
        "SignedHeaders is sorted where it is signed, and is not in Authorization.",
        "签名时 SignedHeaders 已排序，而 Authorization 中没有。",
    ),
    SORTED_NAMES,
);
pub(super) const HEADER_NAMES_NOT_LOWER_CASE: Words = of(
    "header_names_not_lower_case",
    ("The names of headers were not signed in lower case.", "签名时请求头名称没有转为小写。"),
    ("Names of headers are signed in lower case.", "签名时请求头名称应为小写。"),
);
pub(super) const EMPTY_LINE_MISSING: Words = of(
    "empty_line_missing",
    ("The empty line behind the headers is missing.", "请求头之后缺少空行。"),
    (
        "Each header's line ends in a line feed, and one more stands before SignedHeaders.",
        "每个请求头行以换行结尾，SignedHeaders 之前还要再有一个换行。",
    ),
);
pub(super) const EMPTY_LINE_TWICE: Words = of(
    "empty_line_twice",
    ("There are two empty lines behind the headers.", "请求头之后有两个空行。"),
    ("There is one.", "应只有一个空行。"),
);
pub(super) const BLANK_WITHOUT_EQUAL: Words = of(
    "blank_without_equal",
    ("A parameter without a value was signed without its =.", "空值参数签名时缺少 =。"),
    ("It is signed as `Name=`.", "应写作 `Name=`。"),
);
pub(super) const QUERY_NOT_SIGNED: Words = of(
    "query_not_signed",
    ("The query was not signed: its line is empty.", "查询串未参与签名：对应行为空。"),
    ("The third line is the canonical query.", "第三行应为规范查询串。"),
);
pub(super) const QUERY_AS_SENT: Words = of(
    "query_as_sent",
    ("The query was signed as it stands in the URL.", "直接对 URL 中的查询串原文签名。"),
    ("Decode it, sort by name, and encode it in the one right way.", "应先解码、按名称排序，再以唯一正确的方式编码。"),
);
pub(super) const NEWLINE_BEHIND_REQUEST: Words = of(
    "newline_behind_request",
    ("A line feed at the end of the canonical request was hashed, too.", "规范请求末尾的换行也被计入哈希。"),
    (
        "The string to sign is ACS3-HMAC-SHA256, a line feed, and the SHA-256 of the canonical request in lower case.",
        "待签名字符串为 ACS3-HMAC-SHA256、换行、以及规范请求的 SHA-256（小写十六进制）。",
    ),
);
pub(super) const SECRET_WITH_AMPERSAND: Words = of(
    "secret_with_ampersand",
    ("The secret was used with the & of the older signature behind it.", "密钥后面加了旧版签名才用的 &。"),
    ("The newer signature is keyed with the secret alone.", "新版签名只使用密钥本身。"),
);

const STRING: (&str, &str) = (
    "The string to sign is ACS3-HMAC-SHA256, a line feed, and the SHA-256 of the canonical request in lower case.",
    "待签名字符串为 ACS3-HMAC-SHA256、换行、以及规范请求的 SHA-256（小写十六进制）。",
);
const IN_HEX: (&str, &str) = (
    "Write the 32 bytes of HMAC-SHA256 in hexadecimal, in lower case.",
    "将 HMAC-SHA256 的 32 个字节写成小写十六进制。",
);

pub(super) const REQUEST_NOT_HASHED: Words = of(
    "request_not_hashed",
    ("The canonical request was signed itself, not its hash.", "直接对规范请求签名，而不是对其哈希签名。"),
    STRING,
);
pub(super) const HASH_UPPER_CASE: Words =
    of("hash_upper_case", ("The hash of the canonical request is in upper case.", "规范请求的哈希用了大写。"), STRING);
pub(super) const ALGORITHM_MISSING: Words = of(
    "algorithm_missing",
    ("The hash was signed without the line ACS3-HMAC-SHA256 before it.", "签名的哈希前缺少 ACS3-HMAC-SHA256 一行。"),
    STRING,
);
pub(super) const SIGNATURE_UPPER_CASE: Words =
    of("signature_upper_case", ("The signature is in upper case.", "签名用了大写十六进制。"), IN_HEX);
pub(super) const SIGNATURE_IN_BASE64: Words =
    of("signature_in_base64", ("The signature is in Base64.", "签名以 Base64 表示。"), IN_HEX);
pub(super) const BY_HMAC_SHA1: Words =
    of("hmac_sha1", ("It was signed by HMAC-SHA1.", "使用了 HMAC-SHA1 签名。"), IN_HEX);
pub(super) const FORM_IN_QUERY: Words = of(
    "form_in_query",
    ("The form's parameters stand in the query's line, too.", "表单参数也写进了查询串行。"),
    (
        "A form is covered by the hash of the body; the third line is of the query alone.",
        "表单由请求体哈希覆盖；第三行只包含查询串。",
    ),
);

/// A parameter that was added when the rest was signed already.
pub(super) fn parameter_not_signed(name: &str) -> Mistake {
    let what =
        (format!("The parameter {name} is sent and was not signed."), format!("参数 {name} 已发送但未参与签名。"));
    let right = ("Add all parameters first, then sign.", "应先加入所有参数，再计算签名。");
    Mistake::new("parameter_not_signed", (&what.0, &what.1), right)
}

/// Signed for the other method.
pub(super) fn method(method: &str, other: &str) -> Mistake {
    let what = (
        format!("It was signed for {other} and is sent by {method}."),
        format!("签名使用的方法是 {other}，而请求以 {method} 发送。"),
    );
    let right =
        (format!("Sign with {method}, or send by {other}."), format!("签名时使用 {method}，或以 {other} 发送。"));
    Mistake::new("method", (&what.0, &what.1), (&right.0, &right.1))
}

/// Signed for another host than the one that the request says.
pub(super) fn host(host: &str) -> Mistake {
    let what = (
        format!("It was signed for the host {host}, and the header Host says another one."),
        format!("签名针对的主机是 {host}，而 Host 请求头是另一个。"),
    );
    let right = (
        "Send as Host what was signed, with the port where it is not the usual one; a proxy in front must hand Host on as it came.",
        "发送的 Host 必须与签名时一致（非默认端口要带端口）；前置代理必须原样转发 Host。",
    );
    Mistake::new("host", (&what.0, &what.1), right)
}

/// A header that is named and has no line.
pub(super) fn header_line_missing(name: &str) -> Mistake {
    let what = (
        format!("The header {name} is in SignedHeaders, and its line was not signed."),
        format!("SignedHeaders 含有 {name}，但该请求头行未参与签名。"),
    );
    let right = ("Each header of SignedHeaders has its line.", "SignedHeaders 中的每个请求头都要有对应的行。");
    Mistake::new("header_line_missing", (&what.0, &what.1), right)
}
