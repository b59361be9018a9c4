//! Waiting for something to become true.

use std::time::Duration;

use tokio::time::Instant;

/// How long any wait may take before the test fails: far more than anything needs, also on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// Asks until there is an answer, for what nobody announces. `what` is what the failure says was waited for.
///
/// # Panics
/// If there is no answer within [`TIMEOUT`].
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {TIMEOUT:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
