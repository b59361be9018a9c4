//! Lines of comma-separated values.
//!
//! **Invariant:** each line that is not blank is told once, with its number, whatever stands in it; no line takes another with it.

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its number; the first is 1.
    pub(crate) number: usize,
    /// Its fields without spaces around.
    pub(crate) fields: Result<Vec<String>, NotClosed>,
}

/// A field that begins with a quote does not end with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotClosed;

/// The lines of a text that are not blank.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = Line> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let numbered = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    numbered.map(|(before, line)| Line { number: before + 1, fields: fields(line) })
}

fn fields(line: &str) -> Result<Vec<String>, NotClosed> {
    let mut all = Vec::new();
    let mut rest = line;
    loop {
        let (field, behind) = field(rest)?;
        all.push(field);
        match behind {
            Some(behind) => rest = behind,
            None => return Ok(all),
        }
    }
}

/// The first field, and what stands behind its comma.
fn field(text: &str) -> Result<(String, Option<&str>), NotClosed> {
    let Some(mut quoted) = text.trim_start().strip_prefix('"') else {
        return Ok(match text.split_once(',') {
            Some((field, behind)) => (field.trim().to_owned(), Some(behind)),
            None => (text.trim().to_owned(), None),
        });
    };
    let mut field = String::new();
    loop {
        let (part, behind) = quoted.split_once('"').ok_or(NotClosed)?;
        field.push_str(part);
        match behind.strip_prefix('"') {
            // Two quotes are one.
            Some(more) => {
                field.push('"');
                quoted = more;
            }
            None => {
                let field = field.trim().to_owned();
                return match behind.trim_start() {
                    "" => Ok((field, None)),
                    behind => Ok((field, Some(behind.strip_prefix(',').ok_or(NotClosed)?))),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests;
