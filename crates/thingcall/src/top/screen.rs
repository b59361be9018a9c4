//! A terminal that is written over again and again, and its keys.
//!
//! **Invariant:** however it ends, the terminal is as it was before.

use std::io::{self, IsTerminal, Read, Write, stdin, stdout};
use std::os::fd::AsFd;
use std::thread;

use anyhow::Context;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::sync::mpsc;

/// Its other screen, without a cursor; and back.
const OPEN: &str = "\x1b[?1049h\x1b[?25l";
const CLOSE: &str = "\x1b[?25h\x1b[?1049l";
/// To the first line; and the rest of a line, and of the screen, away.
const HOME: &str = "\x1b[H";
const LINE_END: &str = "\x1b[K\n";
const REST: &str = "\x1b[J";

/// The terminal.
#[derive(Debug)]
pub(super) struct Screen {
    before: Termios,
    keys: mpsc::Receiver<Key>,
}

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// `q`, Ctrl-C, Ctrl-D, or the terminal is gone.
    End,
    /// Any other.
    Letter(char),
}

impl Screen {
    /// Whether somebody sits there.
    pub(super) fn is_possible() -> bool {
        stdin().is_terminal() && stdout().is_terminal()
    }

    /// Takes the terminal.
    pub(super) fn open() -> anyhow::Result<Self> {
        let before = tcgetattr(stdin()).context("the terminal cannot be asked")?;
        let mut now = before.clone();
        // Each key at once and unseen, Ctrl-C too.
        now.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        tcsetattr(stdin(), OptionalActions::Now, &now).context("the terminal cannot be set")?;
        let (told, keys) = mpsc::channel(16);
        let screen = Self { before, keys };
        // It ends with the program: a read of a terminal cannot be given up.
        thread::Builder::new().name("keys".to_owned()).spawn(move || read_keys(&told))?;
        write(OPEN)?;
        Ok(screen)
    }

    /// The next key.
    pub(super) async fn key(&mut self) -> Key {
        self.keys.recv().await.unwrap_or(Key::End)
    }

    /// How many lines it has.
    pub(super) fn rows(&self) -> usize {
        tcgetwinsize(stdout().as_fd()).map_or(24, |size| usize::from(size.ws_row)).max(5)
    }

    /// Shows this in place of what it shows.
    pub(super) fn show(&self, text: &str) -> anyhow::Result<()> {
        let lines: String = text.lines().flat_map(|line| [line, LINE_END]).collect();
        Ok(write(&format!("{HOME}{lines}{REST}"))?)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(write(CLOSE));
        let _set = tcsetattr(stdin(), OptionalActions::Now, &self.before);
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn read_keys(told: &mpsc::Sender<Key>) {
    for byte in stdin().lock().bytes() {
        let key = byte.map_or(Key::End, key);
        if told.blocking_send(key).is_err() || key == Key::End {
            return;
        }
    }
    let _told = told.blocking_send(Key::End);
}

fn key(byte: u8) -> Key {
    match byte {
        b'q' | b'Q' | 0x03 | 0x04 => Key::End,
        other => Key::Letter(char::from(other.to_ascii_lowercase())),
    }
}

#[cfg(test)]
mod tests {
    //! Which keys end it.

    use super::*;

    #[test]
    fn q_and_the_control_keys_end_it() {
        assert_eq!([b'q', b'Q', 3, 4].map(key), [Key::End; 4]);
        assert_eq!([b't', b'S', 27].map(key), ['t', 's', '\u{1b}'].map(Key::Letter));
    }
}
