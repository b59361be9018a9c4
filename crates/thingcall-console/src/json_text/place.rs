//! Where in a text a problem stands: by its line and column, or by the path of a value.

/// A place, as editors count, from 1 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The line.
    pub(crate) line: usize,
    /// The character in it.
    pub(crate) column: usize,
}

/// The place that these words name: `line 3, column 7`, or a path such as `$.services[2].name`, of which counts what is there.
pub(crate) fn find(text: &str, words: &str) -> Option<Place> {
    if let Some(counted) = words.strip_prefix("line ") {
        let (line, column) = counted.split_once(", column ")?;
        return Some(Place { line: line.parse().ok()?, column: column.parse().ok()? });
    }
    let steps = steps(words.strip_prefix('$')?);
    let mut reader = Reader { text: text.as_bytes(), at: 0 };
    reader.skip_space();
    let at = reader.follow(&steps);
    let before = text.get(..at)?;
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Some(Place { line, column })
}

/// A step of a path.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Item(usize),
}

/// `.member`, `[3]` and `["a member"]`, up to the first that is none of these.
fn steps(mut path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    loop {
        if let Some(rest) = path.strip_prefix('.') {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, rest) = rest.split_at(end);
            steps.push(Step::Member(name.to_owned()));
            path = rest;
        } else if let Some((name, rest)) = path.strip_prefix("[\"").and_then(|rest| rest.split_once("\"]")) {
            steps.push(Step::Member(name.to_owned()));
            path = rest;
        } else if let Some((nth, rest)) = path.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            let Ok(nth) = nth.parse() else { return steps };
            steps.push(Step::Item(nth));
            path = rest;
        } else {
            return steps;
        }
    }
}

/// Stands at a byte of a text that is JSON, as far as it goes.
struct Reader<'t> {
    text: &'t [u8],
    at: usize,
}

impl Reader<'_> {
    /// Where the steps lead from the value that begins here.
    fn follow(&mut self, steps: &[Step]) -> usize {
        let start = self.at;
        let Some((step, rest)) = steps.split_first() else { return start };
        let found = match step {
            Step::Member(name) => self.enter_member(name),
            Step::Item(nth) => self.enter_item(*nth),
        };
        if found { self.follow(rest) } else { start }
    }

    fn enter_member(&mut self, name: &str) -> bool {
        if !self.take(b'{') {
            return false;
        }
        while self.peek() == Some(b'"') {
            let key = self.at + 1;
            self.skip_value();
            let fits = self.text.get(key..self.at.saturating_sub(1)) == Some(name.as_bytes());
            self.skip_space();
            if !self.take(b':') {
                return false;
            }
            if fits {
                return true;
            }
            self.skip_value();
            self.skip_space();
            if !self.take(b',') {
                return false;
            }
        }
        false
    }

    fn enter_item(&mut self, nth: usize) -> bool {
        if !self.take(b'[') {
            return false;
        }
        for _ in 0..nth {
            self.skip_value();
            self.skip_space();
            if !self.take(b',') {
                return false;
            }
        }
        self.peek().is_some_and(|byte| byte != b']')
    }

    /// Goes past the value that begins here.
    fn skip_value(&mut self) {
        let mut depth = 0usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => self.skip_text(),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth == 0 => return,
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' | b':' if depth == 0 => return,
                _ => self.at += 1,
            }
            if depth == 0 && matches!(byte, b'"' | b'}' | b']') {
                return;
            }
        }
    }

    fn skip_text(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                return;
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Goes past this byte, and the space behind it, if it stands here.
    fn take(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        if here {
            self.at += 1;
            self.skip_space();
        }
        here
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }
}
