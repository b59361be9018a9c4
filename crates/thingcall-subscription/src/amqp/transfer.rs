//! A delivery, cut into transfer frames.

use super::write::{frame, list};
use crate::machine::DeliveryId;

/// A delivery that is going out.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) delivery: DeliveryId,
    /// The session's number of it.
    number: u32,
    settled: bool,
    message: Vec<u8>,
    /// So much of the message has gone out.
    sent: usize,
}

impl Outgoing {
    pub(crate) fn new(delivery: DeliveryId, number: u32, settled: bool, message: Vec<u8>) -> Self {
        Self { delivery, number, settled, message, sent: 0 }
    }

    /// Writes the next frame, and says whether it was the last. Id and tag stand in the first one only.
    pub(crate) fn frame(&mut self, out: &mut Vec<u8>, channel: u16, handle: u32, frame_bytes_max: usize) -> bool {
        let start = out.len();
        let rest = self.message.get(self.sent..).unwrap_or_default();
        let mut taken = 0;
        frame(out, channel, |out| {
            list(out, 0x14, |fields| {
                fields.u32(handle);
                if self.sent == 0 {
                    fields.u32(self.number).binary(&self.number.to_be_bytes()).u32(0).boolean(self.settled);
                } else {
                    fields.null().null().null().null();
                }
                fields.boolean(true);
            });
            let room = frame_bytes_max.saturating_sub(out.len().saturating_sub(start));
            taken = room.min(rest.len());
            if taken == rest.len() {
                // `more` is the last field.
                let more = out.last_mut();
                more.into_iter().for_each(|more| *more = 0x42);
            }
            out.extend_from_slice(rest.get(..taken).unwrap_or_default());
        });
        self.sent += taken;
        self.sent >= self.message.len()
    }
}
