//! When a certificate is valid, and what is doubtful about that.

use std::path::Path;
use std::time::{Duration, SystemTime};

use rustls_pki_types::CertificateDer;
use thingcall_core::{Problem, UnixMillis};

use crate::certificates::certificates;

/// From so long before its end on a certificate is doubtful, or in the last tenth of its time, where that is shorter.
const SOON_SECONDS: i64 = 7 * 24 * 60 * 60;
/// The last moment of the year 9999, beyond which no certificate goes.
const LAST_SECOND: i64 = 253_402_300_799;
const RIGHT: &str = "a certificate that is valid now, and not for its last days";

/// From when until when, in seconds of Unix time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    from: i64,
    until: i64,
}

impl Validity {
    /// Of the first certificate of a chain, which is the server's or client's own; `None` if it cannot be read.
    pub fn of(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let (_, certificate) = x509_parser::parse_x509_certificate(chain.first()?).ok()?;
        let validity = certificate.validity();
        Some(Self { from: validity.not_before.timestamp(), until: validity.not_after.timestamp() })
    }

    /// When it ends, in seconds of Unix time.
    pub const fn until(&self) -> i64 {
        self.until
    }

    /// Why it is not valid at this moment; `None` if it is.
    pub fn fault(&self, now: UnixMillis) -> Option<String> {
        let now = now.0.div_euclid(1000);
        if now < self.from {
            Some(format!("it is not valid before {}", stamp(self.from)))
        } else if now > self.until {
            Some(format!("it ended at {}", stamp(self.until)))
        } else {
            None
        }
    }

    /// The same, and that it ends soon.
    pub fn doubt(&self, now: UnixMillis) -> Option<String> {
        let soon = SOON_SECONDS.min(self.until.saturating_sub(self.from) / 10);
        let ends_soon = now.0.div_euclid(1000) > self.until.saturating_sub(soon);
        self.fault(now).or_else(|| ends_soon.then(|| format!("it ends soon, at {}", stamp(self.until))))
    }
}

/// When the certificate in this file ends, in seconds of Unix time; `None` if it cannot be read.
pub fn certificate_ends(file: &Path) -> Option<i64> {
    Some(Validity::of(&certificates("", file).ok()?)?.until)
}

/// What is doubtful about the time of the certificate in this file; nothing is said of one that cannot be read.
pub fn doubt_of_certificate(key: &str, file: &Path) -> Option<Problem> {
    let validity = Validity::of(&certificates(key, file).ok()?)?;
    Some(not_valid(key, file, validity.doubt(UnixMillis::now())?))
}

/// This certificate is not valid now, or not for long.
pub fn not_valid(key: &str, file: &Path, why: String) -> Problem {
    Problem::file(key, file, why, RIGHT)
}

fn stamp(seconds: i64) -> String {
    let since = Duration::from_secs(u64::try_from(seconds.min(LAST_SECOND)).unwrap_or_default());
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since).to_string()
}

#[cfg(test)]
mod tests {
    //! A certificate by its times, and one of openssl's.

    use std::process::Command;

    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    fn at(seconds: i64) -> UnixMillis {
        UnixMillis(seconds * 1000)
    }

    #[test]
    fn certificate_is_doubtful_before_its_time_after_it_and_in_its_last_days() {
        let year = Validity { from: 0, until: 365 * DAY };
        assert_eq!(year.doubt(at(-1)).unwrap(), "it is not valid before 1970-01-01T00:00:00Z");
        assert_eq!((year.doubt(at(0)), year.doubt(at(358 * DAY))), (None, None));
        assert_eq!(year.doubt(at(358 * DAY + 1)).unwrap(), "it ends soon, at 1971-01-01T00:00:00Z");
        assert_eq!(year.fault(at(365 * DAY)), None);
        assert_eq!(year.fault(at(365 * DAY + 1)).unwrap(), "it ended at 1971-01-01T00:00:00Z");
        let day = Validity { from: 0, until: DAY };
        assert_eq!((day.doubt(at(DAY / 2)), day.doubt(at(DAY * 10 / 11)).is_some()), (None, true));
        let until = i64::MAX / 1000;
        assert!(Validity { from: 0, until }.doubt(at(until)).is_some_and(|told| told.contains("9999")));
    }

    #[test]
    fn times_are_read_of_the_file() {
        let folder = std::env::temp_dir().join(format!("thingcall-validity-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let new =
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -days 100 -keyout key -out cert";
        let made = Command::new("openssl").args(new.split(' ')).current_dir(&folder).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let file = folder.join("cert");
        let (chain, doubt) = (certificates("a", &file).unwrap(), doubt_of_certificate("a", &file));
        std::fs::remove_dir_all(&folder).unwrap();
        let validity = Validity::of(&chain).unwrap();
        assert_eq!((validity.until - validity.from, doubt), (100 * DAY, None));
    }
}
