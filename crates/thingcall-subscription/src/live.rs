//! Who looks at messages as they come, and takes none: it only sees to it that they are written.
//!
//! **Invariant:** what a live reader wants is wanted until it ends, and where it is killed for [`LiveReader::LIFE`] at most.

use std::sync::Arc;
use std::time::Duration;

use thingcall_core::{JournalError, MessageLog, ReaderName, UnixMillis, Wanted};

/// What the names of live readers begin with; until when they live, and a tag with something random, follow. The store knows by
/// the tag that one takes another's place.
const READERS: &str = "stream:";
/// How long before that it is renewed.
const RENEWED_BEFORE: Duration = Duration::from_secs(5 * 60);
/// With less than this left, nobody looks: it would have been renewed.
const IDLE_BEFORE: Duration = Duration::from_secs(4 * 60);

/// A reader that lives as long as somebody looks.
pub struct LiveReader {
    log: Arc<dyn MessageLog>,
    wanted: Wanted,
    tag: String,
    reader: ReaderName,
    until: UnixMillis,
}

impl LiveReader {
    /// How long one lives that nobody renews.
    pub const LIFE: Duration = Duration::from_secs(10 * 60);

    /// From now on this is wanted.
    ///
    /// # Errors
    /// If the store cannot be written, or there are as many readers as may be.
    pub async fn begin(log: Arc<dyn MessageLog>, wanted: Wanted, now: UnixMillis) -> Result<Self, JournalError> {
        Self::begin_as(log, wanted, random(), now).await
    }

    /// Goes on with what others began for the same purpose (a word of hex digits) and nobody has ended since: with the one of
    /// this tag, where it lives, or another. What is wanted was written from then on without a break; where there is none, it is
    /// from now on, under a new tag.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub async fn take_up(
        log: Arc<dyn MessageLog>,
        wanted: Wanted,
        (purpose, tag): (&str, Option<&str>),
        now: UnixMillis,
    ) -> Result<Self, JournalError> {
        let readers = log.readers().await?;
        let alive = readers.iter().filter(|reader| until(reader).is_some_and(|until| until >= now));
        let mut tags: Vec<_> =
            alive.filter_map(|reader| tag_of(reader)).filter(|tag| tag.starts_with(purpose)).collect();
        tags.sort_unstable();
        let found = tags.iter().find(|known| Some(**known) == tag).or_else(|| tags.first());
        let tag = found.map_or_else(|| format!("{purpose}{}", random()), |tag| (*tag).to_owned());
        let live = Self::begin_as(log, wanted, tag, now).await?;
        // Those before it would want the same for no longer.
        for reader in &readers {
            if tag_of(reader) == Some(&live.tag) && *reader != live.reader {
                live.log.remove_reader(reader).await?;
            }
        }
        Ok(live)
    }

    async fn begin_as(
        log: Arc<dyn MessageLog>,
        wanted: Wanted,
        tag: String,
        now: UnixMillis,
    ) -> Result<Self, JournalError> {
        let (reader, until) = named(&tag, now);
        set(&*log, &reader, &wanted, now).await?;
        Ok(Self { log, wanted, tag, reader, until })
    }

    /// Names what was begun, for who takes it up.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// To be called again and again, every minute at least: it lives on. Where that fails it is tried the next time.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn renew(&mut self, now: UnixMillis) -> Result<(), JournalError> {
        if self.until.0 - millis(RENEWED_BEFORE) > now.0 {
            return Ok(());
        }
        let (reader, until) = named(&self.tag, now);
        set(&*self.log, &reader, &self.wanted, now).await?;
        let before = std::mem::replace(&mut self.reader, reader);
        self.until = until;
        self.log.remove_reader(&before).await
    }

    /// Nobody looks any more.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn end(self) -> Result<(), JournalError> {
        self.log.remove_reader(&self.reader).await
    }

    /// Removes those that nobody renewed. How many there were.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub async fn sweep(log: &dyn MessageLog, now: UnixMillis) -> Result<usize, JournalError> {
        let mut swept = 0;
        for reader in log.readers().await? {
            if until(&reader).is_some_and(|until| until < now) {
                log.remove_reader(&reader).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}

/// From now on there is this reader. Where there are as many as may be, one that nobody looks at gives way, which only waited
/// to be taken up.
async fn set(log: &dyn MessageLog, reader: &ReaderName, wanted: &Wanted, now: UnixMillis) -> Result<(), JournalError> {
    let Err(why) = log.set_reader(reader, wanted.clone()).await else { return Ok(()) };
    let left = |reader: ReaderName| Some((until(&reader)?.0.saturating_sub(now.0), reader));
    let idle = log.readers().await?.into_iter().filter_map(left).filter(|(left, _)| *left < millis(IDLE_BEFORE));
    let Some((_, oldest)) = idle.min() else { return Err(why) };
    log.remove_reader(&oldest).await?;
    log.set_reader(reader, wanted.clone()).await
}

fn random() -> String {
    format!("{:016x}", fastrand::u64(..))
}

fn named(tag: &str, now: UnixMillis) -> (ReaderName, UnixMillis) {
    let until = UnixMillis(now.0.saturating_add(millis(LiveReader::LIFE)));
    (ReaderName(format!("{READERS}{}-{tag}", until.0)), until)
}

/// The tag of a live reader; `None` of any other.
fn tag_of(reader: &ReaderName) -> Option<&str> {
    reader.0.strip_prefix(READERS)?.split_once('-').map(|(_, tag)| tag)
}

/// Until when a live reader lives; `None` of any other.
fn until(reader: &ReaderName) -> Option<UnixMillis> {
    let (until, _) = reader.0.strip_prefix(READERS)?.split_once('-')?;
    until.parse().ok().map(UnixMillis)
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    //! How long they live.

    use thingcall_core::testing::MemoryLog;
    use thingcall_core::{MessageKind, MessageKinds};

    use super::*;

    const MINUTE: i64 = 60 * 1000;

    #[tokio::test]
    async fn who_comes_again_in_time_goes_on_without_a_break_and_leaves_one_reader() {
        let log = Arc::new(MemoryLog::default());
        let wanted = Wanted { of: vec![(None, MessageKinds::NONE.with(MessageKind::Event))] };
        let up = |purpose: &'static str, tag: Option<String>, at: i64| {
            let (log, wanted) = (log.clone(), wanted.clone());
            async move { LiveReader::take_up(log, wanted, (purpose, tag.as_deref()), UnixMillis(at)).await.unwrap() }
        };
        let first = up("a0", None, 0).await.tag().to_owned();
        let other = up("b0", Some(first.clone()), 1).await.tag().to_owned();
        assert!(first.starts_with("a0") && other.starts_with("b0"));
        assert_eq!(up("a0", Some(first.clone()), 9 * MINUTE).await.tag(), first);
        assert_eq!(log.readers().await.unwrap().len(), 2);
        // Too late, and so is whoever sweeps.
        let again = up("a0", Some(first.clone()), 20 * MINUTE).await.tag().to_owned();
        assert_ne!(again, first);
        assert_eq!(up("a0", Some(first), 21 * MINUTE).await.tag(), again);
    }

    #[tokio::test]
    async fn what_nobody_renews_ends_and_nothing_else_does() {
        let log = Arc::new(MemoryLog::default());
        let group = ReaderName("group:DEFAULT_GROUP".to_owned());
        log.want(&group, Wanted::default());
        let wanted = Wanted { of: vec![(None, MessageKinds::NONE.with(MessageKind::Event))] };
        let mut live = LiveReader::begin(log.clone(), wanted.clone(), UnixMillis(0)).await.unwrap();
        let killed = LiveReader::begin(log.clone(), wanted, UnixMillis(0)).await.unwrap();
        assert_eq!(log.readers().await.unwrap().len(), 3);
        live.renew(UnixMillis(MINUTE)).await.unwrap();
        live.renew(UnixMillis(6 * MINUTE)).await.unwrap();
        assert_eq!(LiveReader::sweep(&*log, UnixMillis(9 * MINUTE)).await.unwrap(), 0);
        assert_eq!(LiveReader::sweep(&*log, UnixMillis(11 * MINUTE)).await.unwrap(), 1);
        assert!(!log.readers().await.unwrap().contains(&killed.reader));
        assert!(log.is_wanted(&"pk".try_into().unwrap(), MessageKind::Event), "the other lives");
        live.end().await.unwrap();
        assert_eq!(log.readers().await.unwrap(), [group]);
        assert!(!log.is_wanted(&"pk".try_into().unwrap(), MessageKind::Event));
    }
}
