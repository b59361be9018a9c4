//! The word that the program begins to drain, for what ends with it.

use tokio::sync::watch;

/// Ends when the program begins to drain.
pub(crate) async fn begun(mut drain: watch::Receiver<bool>) {
    // An error means that the server was dropped, which ends it just as well.
    let _ended = drain.wait_for(|draining| *draining).await;
}
