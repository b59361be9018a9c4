//! What a consumer says: the performatives of the closed subset, as far as they count here.

use super::fields::{Fields, described_list};
use super::walk::{Malformed, value_len};
use crate::machine::Outcome;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard<'a> {
    Open(Open),
    Begin(Begin),
    Attach(Attach<'a>),
    Flow(Flow),
    /// Nothing that is looked at: no consumer may send one.
    Transfer,
    Disposition(Disposition),
    Detach(Detach),
    End,
    /// With the reason that was given.
    Close(Option<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) frame_bytes_max: u32,
    /// In milliseconds; 0 is none.
    pub(crate) idle_timeout_ms: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Begin {
    /// It answers a begin of ours, which there never is.
    pub(crate) is_answer: bool,
    pub(crate) next_outgoing_id: u32,
    pub(crate) incoming_window: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attach<'a> {
    pub(crate) name: &'a str,
    pub(crate) handle: u32,
    /// It wants to receive; else to send.
    pub(crate) is_receiver: bool,
    pub(crate) snd_settle_mode: Option<u8>,
    pub(crate) rcv_settle_mode: Option<u8>,
    /// As they are encoded.
    pub(crate) source: Option<&'a [u8]>,
    pub(crate) target: Option<&'a [u8]>,
    pub(crate) message_bytes_max: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) next_incoming_id: Option<u32>,
    pub(crate) incoming_window: u32,
    pub(crate) next_outgoing_id: u32,
    pub(crate) handle: Option<u32>,
    pub(crate) delivery_count: Option<u32>,
    pub(crate) link_credit: Option<u32>,
    pub(crate) drain: bool,
    pub(crate) echo: bool,
}

/// What a receiver says of deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Disposition {
    /// A sender's says nothing to us.
    pub(crate) of_receiver: bool,
    pub(crate) first: u32,
    pub(crate) last: u32,
    pub(crate) settled: bool,
    /// None where nothing final is said.
    pub(crate) outcome: Option<Outcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Detach {
    pub(crate) handle: u32,
    pub(crate) closed: bool,
}

/// Name of the mechanism, and the initial response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SaslInit<'a> {
    pub(crate) mechanism: &'a str,
    pub(crate) response: &'a [u8],
}

impl<'a> SaslInit<'a> {
    /// `None` if it is another performative.
    pub(crate) fn read(body: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let (code, mut fields) = described_list(body)?;
        if code != 0x41 {
            return Ok(None);
        }
        let mechanism = fields.symbol()?.ok_or(Malformed::Missing)?;
        Ok(Some(Self { mechanism, response: fields.binary()?.unwrap_or_default() }))
    }

    /// User name and password of PLAIN: `[authzid] 0 user 0 password`.
    pub(crate) fn plain(&self) -> Option<(&'a str, &'a [u8])> {
        let mut parts = self.response.splitn(3, |byte| *byte == 0);
        let (_, user, password) = (parts.next()?, parts.next()?, parts.next()?);
        Some((std::str::from_utf8(user).ok()?, password))
    }
}

impl<'a> Heard<'a> {
    /// Reads the body of an AMQP frame that is not empty.
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Malformed> {
        // Behind a transfer stands its payload.
        let performative = body.get(..value_len(body)?).ok_or(Malformed::Cut)?;
        let (code, fields) = described_list(performative)?;
        if code != 0x14 && performative.len() != body.len() {
            return Err(Malformed::Size);
        }
        match code {
            0x10 => open(fields).map(Self::Open),
            0x11 => begin(fields).map(Self::Begin),
            0x12 => attach(fields).map(Self::Attach),
            0x13 => flow(fields).map(Self::Flow),
            0x14 => Ok(Self::Transfer),
            0x15 => disposition(fields).map(Self::Disposition),
            0x16 => detach(fields).map(Self::Detach),
            0x17 => Ok(Self::End),
            0x18 => close(fields).map(Self::Close),
            _ => Err(Malformed::Performative),
        }
    }
}

fn open(mut fields: Fields<'_>) -> Result<Open, Malformed> {
    fields.text()?.ok_or(Malformed::Missing)?;
    fields.skip(1)?;
    let frame_bytes_max = fields.u32()?.unwrap_or(u32::MAX);
    fields.skip(1)?;
    Ok(Open { frame_bytes_max, idle_timeout_ms: fields.u32()?.unwrap_or(0) })
}

fn begin(mut fields: Fields<'_>) -> Result<Begin, Malformed> {
    Ok(Begin {
        is_answer: fields.u16()?.is_some(),
        next_outgoing_id: fields.u32()?.ok_or(Malformed::Missing)?,
        incoming_window: fields.u32()?.ok_or(Malformed::Missing)?,
    })
}

fn attach(mut fields: Fields<'_>) -> Result<Attach<'_>, Malformed> {
    let name = fields.text()?.ok_or(Malformed::Missing)?;
    let handle = fields.u32()?.ok_or(Malformed::Missing)?;
    let is_receiver = fields.boolean()?.ok_or(Malformed::Missing)?;
    let (snd_settle_mode, rcv_settle_mode) = (fields.u8()?, fields.u8()?);
    let (source, target) = (fields.raw()?, fields.raw()?);
    // Unsettled deliveries of an earlier link, and a sender's initial delivery-count: neither counts here.
    fields.skip(3)?;
    let message_bytes_max = fields.u64()?.filter(|bytes| *bytes > 0).unwrap_or(u64::MAX);
    Ok(Attach { name, handle, is_receiver, snd_settle_mode, rcv_settle_mode, source, target, message_bytes_max })
}

fn flow(mut fields: Fields<'_>) -> Result<Flow, Malformed> {
    let next_incoming_id = fields.u32()?;
    let incoming_window = fields.u32()?.ok_or(Malformed::Missing)?;
    let next_outgoing_id = fields.u32()?.ok_or(Malformed::Missing)?;
    fields.skip(1)?;
    let (handle, delivery_count, link_credit) = (fields.u32()?, fields.u32()?, fields.u32()?);
    fields.skip(1)?;
    let (drain, echo) = (fields.boolean()?.unwrap_or(false), fields.boolean()?.unwrap_or(false));
    Ok(Flow { next_incoming_id, incoming_window, next_outgoing_id, handle, delivery_count, link_credit, drain, echo })
}

fn disposition(mut fields: Fields<'_>) -> Result<Disposition, Malformed> {
    let of_receiver = fields.boolean()?.ok_or(Malformed::Missing)?;
    let first = fields.u32()?.ok_or(Malformed::Missing)?;
    let last = fields.u32()?.unwrap_or(first);
    let settled = fields.boolean()?.unwrap_or(false);
    let outcome = fields.raw()?.map(outcome).transpose()?.flatten();
    Ok(Disposition { of_receiver, first, last, settled, outcome })
}

/// What a delivery state says for good. A state that is unknown, or not final, says nothing.
fn outcome(state: &[u8]) -> Result<Option<Outcome>, Malformed> {
    let (code, mut fields) = match described_list(state) {
        Ok(described) => described,
        Err(Malformed::Field) => return Ok(None),
        Err(other) => return Err(other),
    };
    Ok(match code {
        0x24 => Some(Outcome::Accepted),
        0x25 => Some(Outcome::Rejected),
        0x26 => Some(Outcome::Released),
        0x27 => fields.boolean().map(|_| Some(Outcome::Modified))?,
        _ => None,
    })
}

fn detach(mut fields: Fields<'_>) -> Result<Detach, Malformed> {
    let handle = fields.u32()?.ok_or(Malformed::Missing)?;
    Ok(Detach { handle, closed: fields.boolean()?.unwrap_or(false) })
}

fn close(mut fields: Fields<'_>) -> Result<Option<String>, Malformed> {
    let Some(error) = fields.raw()? else { return Ok(None) };
    let (_, mut fields) = described_list(error)?;
    let condition = fields.symbol()?.ok_or(Malformed::Missing)?;
    Ok(Some(match fields.text()? {
        Some(text) => format!("{condition}: {text}"),
        None => condition.to_owned(),
    }))
}
