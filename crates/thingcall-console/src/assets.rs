//! The stylesheet, the script and the icon, at addresses that change with them.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// A file that pages refer to.
struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

const ALL: [Asset; 3] = [
    Asset { name: "console.css", kind: "text/css; charset=utf-8", text: include_str!("../assets/console.css") },
    Asset { name: "console.js", kind: "text/javascript; charset=utf-8", text: include_str!("../assets/console.js") },
    Asset { name: "icon.svg", kind: "image/svg+xml", text: include_str!("../assets/icon.svg") },
];

static TAG: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    ALL.iter().for_each(|asset| hash.update(asset.text));
    URL_SAFE_NO_PAD.encode(hash.finalize())
});

/// Where a page finds one of them.
pub(crate) fn address(name: &str) -> String {
    format!("/assets/{}/{name}", *TAG)
}

/// One of them. Its address is new when it is, so a browser may keep it.
pub(crate) async fn serve(Path((tag, name)): Path<(String, String)>) -> Response {
    match ALL.iter().find(|asset| asset.name == name && tag == *TAG) {
        Some(asset) => {
            let headers = [(CONTENT_TYPE, asset.kind), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
            (headers, asset.text).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
