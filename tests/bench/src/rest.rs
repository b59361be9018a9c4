//! Who waits for their turn is stopped: idle processes, brokers too, took up to a third of the machine.
//!
//! **Invariant:** when this value ends, all of them run again.

use anyhow::Context;
use rustix::process::{Pid, Signal, getpgrp, kill_process_group};

/// Process groups that take part in the turns of one contender, or of one broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taking {
    name: String,
    groups: Vec<Pid>,
}

impl std::str::FromStr for Taking {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} names no process groups; right is NAME=PGID or NAME=PGID,PGID");
        let (name, groups) = text.rsplit_once('=').ok_or_else(wrong)?;
        let groups = groups.split(',').map(|group| Pid::from_raw(group.parse::<u32>().ok()?.try_into().ok()?));
        let groups: Vec<_> = groups.collect::<Option<_>>().ok_or_else(wrong)?;
        if groups.iter().any(|group| group.is_init() || *group == getpgrp()) {
            return Err(format!("{text:?} would stop this program itself"));
        }
        Ok(Self { name: name.to_owned(), groups })
    }
}

/// Those who are stopped and go on by turns.
pub(crate) struct Resting<'a>(pub(crate) &'a [Taking]);

impl Resting<'_> {
    /// Stops all but those who take part in a turn of these names, and lets them go on.
    ///
    /// # Errors
    /// If one of them is gone.
    pub(crate) fn turn_of(&self, names: &[&str]) -> anyhow::Result<()> {
        let (taking, resting): (Vec<_>, Vec<_>) = self.0.iter().partition(|one| names.contains(&one.name.as_str()));
        let groups = |of: Vec<&Taking>| of.into_iter().flat_map(|one| one.groups.clone()).collect::<Vec<_>>();
        let taking = groups(taking);
        // One may take part in the turns of several.
        for group in groups(resting).into_iter().filter(|group| !taking.contains(group)) {
            signal(group, Signal::STOP)?;
        }
        taking.into_iter().try_for_each(|group| signal(group, Signal::CONT))
    }
}

impl Drop for Resting<'_> {
    fn drop(&mut self) {
        for group in self.0.iter().flat_map(|one| &one.groups) {
            // One that is gone needs nothing.
            drop(signal(*group, Signal::CONT));
        }
    }
}

fn signal(group: Pid, signal: Signal) -> anyhow::Result<()> {
    kill_process_group(group, signal)
        .with_context(|| format!("process group {} cannot be signalled", group.as_raw_nonzero()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_named_and_never_this_program_itself() {
        let taking: Taking = "mqtt://127.0.0.1:1883=12,13".parse().unwrap();
        assert_eq!((taking.name.as_str(), taking.groups.len()), ("mqtt://127.0.0.1:1883", 2));
        let own = format!("peer={}", getpgrp().as_raw_nonzero());
        for wrong in ["peer", "peer=", "peer=0", "peer=-1", "peer=1", "peer=12,x", &own] {
            assert!(wrong.parse::<Taking>().is_err(), "{wrong}");
        }
    }
}
