//! What a session is made of, in bytes.

use tokio::net::TcpStream;

use super::*;

/// Of the future that an async function returns.
fn bytes_of<A, F: Future>(_: impl FnOnce(A) -> F) -> usize {
    size_of::<F>()
}

/// What a session with nothing under way is made of. There are a hundred thousand of them: whoever adds something that
/// is rare puts it on the heap for the time it is there.
#[test]
fn an_idle_session_is_small() {
    let sizes = [
        ("task", bytes_of(Session::<TcpStream>::run), 640),
        ("session", size_of::<Session<TcpStream>>(), 640),
        ("connection", size_of::<Connection>(), 512),
    ];
    for (what, bytes, most) in sizes {
        assert!(bytes <= most, "a {what} has {bytes} bytes of {most} at most: {sizes:?}");
    }
}
