//! Words of a command line, as `sh` and `bash` read them.
//!
//! **Invariant:** nothing is run or filled in.

use super::finding::Finding;
use super::said::said;

/// The words of the first command, and what was odd about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) words: Vec<String>,
    pub(super) found: Vec<Finding>,
    /// Where the command ends in the text.
    pub(super) end: usize,
}

/// Reads the words up to the end of the line that no backslash joins to the next.
pub(super) fn words(text: &str) -> Words {
    let mut reading = Reading { chars: text.char_indices().peekable(), ..Reading::default_of(text) };
    while let Some((at, char)) = reading.chars.next() {
        match char {
            '\n' => {
                reading.end = at;
                break;
            }
            ' ' | '\t' | '\r' => reading.end_word(),
            '\\' => reading.escaped(),
            '\'' => reading.single(),
            '"' => reading.double(),
            '$' if reading.next_is('\'') => reading.ansi(),
            '$' => reading.variable(),
            '&' | ';' | '|' => reading.cut(at, char),
            other => reading.push(other),
        }
    }
    reading.end_word();
    Words { words: reading.words, found: reading.found, end: reading.end }
}

struct Reading<'a> {
    chars: std::iter::Peekable<std::str::CharIndices<'a>>,
    words: Vec<String>,
    word: Option<String>,
    found: Vec<Finding>,
    end: usize,
}

impl<'a> Reading<'a> {
    fn default_of(text: &'a str) -> Self {
        Self { chars: "".char_indices().peekable(), words: Vec::new(), word: None, found: Vec::new(), end: text.len() }
    }

    fn push(&mut self, char: char) {
        self.word.get_or_insert_default().push(char);
    }

    fn end_word(&mut self) {
        self.words.extend(self.word.take());
    }

    fn next_is(&mut self, wanted: char) -> bool {
        self.chars.peek().is_some_and(|(_, char)| *char == wanted)
    }

    /// Behind a backslash outside of quotes. A line that ends in one goes on.
    fn escaped(&mut self) {
        match self.chars.next() {
            Some((_, '\n')) => self.end_word(),
            Some((_, '\r')) if self.next_is('\n') => {
                self.chars.next();
                self.end_word();
            }
            Some((_, other)) => self.push(other),
            None => {}
        }
    }

    fn single(&mut self) {
        self.word.get_or_insert_default();
        loop {
            match self.chars.next() {
                Some((_, '\'')) => return,
                Some((_, other)) => self.push(other),
                None => return self.unended("'"),
            }
        }
    }

    fn double(&mut self) {
        self.word.get_or_insert_default();
        loop {
            match self.chars.next() {
                Some((_, '"')) => return,
                Some((_, '\\')) => match self.chars.next() {
                    Some((_, '\n')) => {}
                    Some((_, char @ ('"' | '\\' | '$' | '`'))) => self.push(char),
                    Some((_, other)) => {
                        self.push('\\');
                        self.push(other);
                    }
                    None => return self.unended("\""),
                },
                Some((_, '$')) => self.variable(),
                Some((_, other)) => self.push(other),
                None => return self.unended("\""),
            }
        }
    }

    /// `$'...'`, in which escapes are as in C.
    fn ansi(&mut self) {
        self.chars.next();
        self.word.get_or_insert_default();
        let mut bytes: Vec<u8> = Vec::new();
        loop {
            match self.chars.next() {
                Some((_, '\'')) => break,
                Some((_, '\\')) => self.ansi_escape(&mut bytes),
                Some((_, other)) => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
                None => {
                    self.unended("'");
                    break;
                }
            }
        }
        self.word.get_or_insert_default().push_str(&String::from_utf8_lossy(&bytes));
    }

    fn ansi_escape(&mut self, bytes: &mut Vec<u8>) {
        let Some((_, char)) = self.chars.next() else { return };
        let digits = match char {
            'n' => return bytes.push(b'\n'),
            'r' => return bytes.push(b'\r'),
            't' => return bytes.push(b'\t'),
            '\\' | '\'' | '"' | '?' => return bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            other => {
                bytes.push(b'\\');
                return bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
            }
        };
        let mut number = 0_u32;
        for _ in 0..digits {
            let Some(digit) = self.chars.peek().and_then(|(_, char)| char.to_digit(16)) else { break };
            number = number.wrapping_mul(16) | digit;
            self.chars.next();
        }
        match (char, u8::try_from(number)) {
            ('x', Ok(byte)) => bytes.push(byte),
            _ => bytes
                .extend_from_slice(char::from_u32(number).unwrap_or('\u{fffd}').encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }

    /// A dollar: a shell would fill in what is not known here.
    fn variable(&mut self) {
        self.push('$');
        let is_name = self.chars.peek().is_some_and(|(_, char)| char.is_ascii_alphabetic() || "_{(".contains(*char));
        if is_name && self.found.iter().all(|finding| finding.id != "shell_variable") {
            self.found.push(Finding::note(
                "shell_variable",
                said(
                    "A `$` begins a shell variable, whose value is not known here.",
                    "`$` 引出了 shell 变量，此处无法知道它的值。",
                ),
                said(
                    "Paste the command with its values filled in, and use single quotes.",
                    "请粘贴变量已替换为实际值的命令，并使用单引号。",
                ),
            ));
        }
    }

    /// What ends a command, where it is part of a URL without quotes.
    fn cut(&mut self, at: usize, char: char) {
        let within = self.word.as_ref().is_some_and(|word| word.contains("://"));
        if !within {
            self.end_word();
            self.end = at;
            while self.chars.next_if(|(_, char)| *char != '\n').is_some() {}
            return;
        }
        self.push(char);
        if self.found.iter().all(|finding| finding.id != "url_not_quoted") {
            self.found.push(Finding::note(
                "url_not_quoted",
                said(
                    format!("The URL stands without quotes: a shell ends the command at its first `{char}`, and what follows is not sent."),
                    format!("URL 没有加引号：shell 会在第一个 `{char}` 处结束命令，其后的内容不会发送。"),
                ),
                said("Put the URL in single quotes.", "请用单引号括住 URL。"),
            ));
        }
    }

    fn unended(&mut self, quote: &str) {
        self.found.push(Finding::seen(
            "quote_not_ended",
            said(format!("A quote ({quote}) is opened and not closed."), format!("引号（{quote}）没有闭合。")),
            said("Paste the whole command.", "请粘贴完整的命令。"),
        ));
    }
}

/// A word in single quotes, which no shell reads in another way.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    //! Words are what a shell makes of them.

    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn of_bash(command: &str) -> Vec<String> {
        let script = format!("printf '%s\\0' {command}");
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn every_way_to_quote_is_read_as_a_shell_reads_it() {
        for command in [
            r#"plain 'single  "quoted"' "double \"x\" \\ \n 'y'" mixed'a 'b"c d""#,
            r"$'a\nb\t\x41\u4e2d\'q\\' back\ slash \'x\' ''",
            "two \\\n  lines 'and\none' \"of\\\nthem\"",
            "-H'Host: a' --data='x&y;z|q' \"\"",
        ] {
            let read = words(command);
            assert_eq!(read.words, of_bash(command), "{command}");
            assert_eq!(read.found, [], "{command}");
        }
    }

    #[test]
    fn what_a_shell_would_cut_or_fill_in_is_told() {
        let read = words("curl http://h/?a=1&b=2 -H \"Authorization: $AUTH\"\nnext");
        assert_eq!(read.words, ["curl", "http://h/?a=1&b=2", "-H", "Authorization: $AUTH"]);
        let ids: Vec<_> = read.found.iter().map(|finding| &*finding.id).collect();
        assert_eq!(ids, ["url_not_quoted", "shell_variable"]);
        assert_eq!(words("curl 'x' | jq . ; rm").words, ["curl", "x"]);
        assert_eq!(words("curl 'x").found[0].id, "quote_not_ended");
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_one_word_and_comes_back(text in "\\PC{0,40}") {
            prop_assert_eq!(words(&quoted(&text)).words, [text]);
        }

        #[test]
        fn nothing_is_too_odd(text in ".{0,200}") {
            words(&text);
        }
    }
}
