//! The text of a file: UTF-8, or the name of what it is instead.

use std::path::Path;

/// The text, without a byte order mark.
///
/// # Errors
/// What the file is, and how it becomes UTF-8.
pub(super) fn text(path: &Path, bytes: Vec<u8>) -> Result<String, String> {
    let path = path.display();
    let converted = |name| {
        format!("{path} is {name}; save it as UTF-8, for example with: iconv -f {name} -t UTF-8 {path} > NEW.json")
    };
    // JSON begins with two characters of ASCII, so a zero byte among the first two is half of one.
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] = bytes.as_slice() {
        return Err(converted("UTF-16"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
        Err(error) if is_gbk(error.as_bytes()) => Err(converted("GBK")),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            Err(format!("{path} is not UTF-8 (byte {at} cannot stand there); save it as UTF-8"))
        }
    }
}

/// Whether each byte beyond ASCII begins a pair as GBK has it.
fn is_gbk(bytes: &[u8]) -> bool {
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        let pair = match byte {
            0..=0x7f => continue,
            0x81..=0xfe => rest.next(),
            _ => return false,
        };
        if !pair.is_some_and(|second| matches!(second, 0x40..=0x7e | 0x80..=0xfe)) {
            return false;
        }
    }
    true
}
