//! The file with a result of each device, which also says which calls began.
//!
//! **Invariants:** each line is written in one go, and that a call begins before it leaves. A last line that was not finished
//! counts for nothing. One command at a time writes a file.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thingcall_core::{DeviceRef, UnixMillis};

use super::verdict::{Outcome, TOO_OLD, Verdict};
use crate::exit::WrongUse;
use crate::output::moment;

/// As many digits tell the calls of one run apart.
const TOKEN_DIGITS: usize = 32;

/// What a file is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header {
    /// Names the run, over all commands that bring it on.
    pub run: String,
    pub identifier: String,
    pub args: String,
    /// Which devices.
    pub devices: String,
    pub started_at: String,
}

/// What the file tells of a device.
#[derive(Debug, Clone)]
pub(super) enum Known {
    /// Its call was under way.
    Begun { tries: u32, token: Option<String> },
    /// It is to be called again.
    Again { tries: u32 },
    /// It ended.
    Ended { verdict: Verdict },
}

/// A line of a device.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    device: String,
    outcome: Option<Outcome>,
    again: Option<Value>,
    code: Option<String>,
    #[serde(default)]
    tries: u32,
    token: Option<String>,
}

/// The results so far.
#[derive(Debug)]
pub(super) struct Results {
    state: Mutex<State>,
    /// Of a run that can go on.
    run: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    file: Option<File>,
    known: HashMap<String, Known>,
    /// Those that were taken in hand.
    taken: HashSet<String>,
}

impl Header {
    /// Of a run that begins now.
    pub(super) fn new() -> Self {
        let run = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let nothing = String::new();
        let started_at = moment(UnixMillis::now());
        Self { run, identifier: nothing.clone(), args: nothing.clone(), devices: nothing, started_at }
    }
}

/// Names one try of one device's call, so that a server can tell it from another one.
pub(super) fn token_of(run: &str, device: &str, tries: u32) -> String {
    let mut token = hex::encode(Sha256::digest(format!("{run} {device} {tries}")));
    token.truncate(TOKEN_DIGITS);
    token
}

impl Results {
    /// Opens the file, or begins one; without one, nothing is kept.
    ///
    /// # Errors
    /// If it is of another call, another command writes it, or it cannot be read or written.
    pub(super) fn open(path: Option<&Path>, header: Header) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self { state: Mutex::default(), run: None }) };
        let shown = path.display();
        let not_a_file = || WrongUse(format!("{shown} is no regular file; --results reads it, and adds to it"));
        // Before it is opened: what is none may never end.
        if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            bail!(not_a_file());
        }
        let open = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = open.with_context(|| format!("{shown} cannot be opened"))?;
        if file.try_lock().is_err() {
            bail!("another command writes to {shown} right now");
        }
        let (told, known, whole) = read(&file).with_context(|| format!("{shown} is no file of results"))?;
        file.set_len(whole)?;
        file.seek(SeekFrom::End(0))?;
        let header = match told {
            Some(told) => same(told, &header, path)?,
            None => {
                write(&mut file, &serde_json::to_value(&header)?)
                    .with_context(|| format!("{shown} cannot be written"))?;
                header
            }
        };
        let state = State { file: Some(file), known, taken: HashSet::new() };
        Ok(Self { state: Mutex::new(state), run: Some(header.run) })
    }

    /// What names the run, where it can go on.
    pub(super) fn run(&self) -> Option<&str> {
        self.run.as_deref()
    }

    /// What the file told at the start.
    pub(super) fn known(&self) -> Vec<(String, Known)> {
        self.state().known.iter().map(|(device, known)| (device.clone(), known.clone())).collect()
    }

    /// Takes a device in hand, unless it was or its call has ended: its name, how often it was called, and by which token
    /// last if that may still be under way.
    pub(super) fn takes(&self, device: &DeviceRef) -> Option<(String, u32, Option<String>)> {
        let name = match device {
            DeviceRef::Key(key) => key.to_string(),
            DeviceRef::IotId(id) => id.to_string(),
        };
        let mut state = self.state();
        let (tries, token) = match state.known.get(&name) {
            None => (0, None),
            Some(Known::Again { tries }) => (*tries, None),
            Some(Known::Begun { tries, token }) => (*tries, token.clone()),
            Some(Known::Ended { .. }) => return None,
        };
        state.taken.insert(name.clone()).then_some((name, tries, token))
    }

    /// A call is about to leave.
    pub(super) fn begin(&self, device: &str, tries: u32, token: Option<&str>) -> anyhow::Result<()> {
        let begun = moment(UnixMillis::now());
        self.write(&json!({ "device": device, "begun": begun, "tries": tries, "token": token }))
    }

    /// It did not reach its device, and is tried again.
    pub(super) fn again(&self, device: &str, verdict: &Verdict, tries: u32) -> anyhow::Result<()> {
        let again = json!({ "code": verdict.code, "message": verdict.message });
        self.write(&json!({ "device": device, "again": again, "tries": tries }))
    }

    /// The call of a device ended.
    pub(super) fn end(
        &self,
        device: &str,
        verdict: &Verdict,
        tries: u32,
        took: Option<Duration>,
    ) -> anyhow::Result<()> {
        let mut line = serde_json::Map::new();
        let members = [
            ("device", json!(device)),
            ("outcome", json!(verdict.outcome)),
            ("code", json!(verdict.code)),
            ("message", json!(verdict.message)),
            ("messageId", json!(verdict.message_id)),
            ("result", json!(verdict.result)),
            ("tries", json!(tries)),
            ("ms", json!(took.map(|took| took.as_millis()))),
        ];
        line.extend(members.map(|(name, value)| (name.to_owned(), value)));
        self.write(&Value::Object(line))?;
        if let Some(known) = self.state().known.get_mut(device) {
            *known = Known::Ended { verdict: verdict.clone() };
        }
        Ok(())
    }

    fn write(&self, line: &Value) -> anyhow::Result<()> {
        let mut state = self.state();
        let Some(file) = &mut state.file else { return Ok(()) };
        write(file, line).context("the results cannot be written")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what there is of a line, in one go.
fn write(file: &mut File, line: &Value) -> std::io::Result<()> {
    let mut line = line.clone();
    if let Value::Object(members) = &mut line {
        members.retain(|_, value| !value.is_null());
    }
    file.write_all(format!("{line}\n").as_bytes())
}

type Told = (Option<Header>, HashMap<String, Known>, u64);

/// What a file tells, and how many of its bytes are whole lines.
fn read(file: &File) -> anyhow::Result<Told> {
    let (mut header, mut known, mut whole) = (None, HashMap::new(), 0);
    let mut reader = BufReader::new(file);
    let mut text = String::new();
    for number in 1_u64.. {
        text.clear();
        let bytes = reader.read_line(&mut text)?;
        if !text.ends_with('\n') {
            break;
        }
        whole += bytes as u64;
        if number == 1 {
            header = Some(serde_json::from_str(&text).context("its first line says not what it is of")?);
            continue;
        }
        let line: Line = serde_json::from_str(&text).with_context(|| format!("line {number}"))?;
        let Line { device, outcome, again, code, tries, token } = line;
        let told = match (outcome, again) {
            // Nothing was executed, and the next one is signed anew.
            (Some(Outcome::Failed), _) if code.as_deref() == Some(TOO_OLD) => Known::Again { tries },
            (Some(outcome), _) => Known::Ended { verdict: Verdict::told(outcome, code) },
            (None, Some(_)) => Known::Again { tries },
            (None, None) => Known::Begun { tries, token },
        };
        known.insert(device, told);
    }
    Ok((header, known, whole))
}

/// The run of the file, if it is of the same call.
fn same(told: Header, wanted: &Header, path: &Path) -> Result<Header, WrongUse> {
    let differs = [
        ("the service", &told.identifier, &wanted.identifier),
        ("the arguments", &told.args, &wanted.args),
        ("the devices", &told.devices, &wanted.devices),
    ]
    .into_iter()
    .find(|(_, told, wanted)| told != wanted);
    match differs {
        None => Ok(told),
        Some((what, told, wanted)) => Err(WrongUse(format!(
            "{} has the results of another call: {what} there: {told}; here: {wanted}. Give that command to go on with it, or \
             another file",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests;
