//! What a kind of broker has to say for itself.
//!
//! A further one is a file with its questions, a line in the table of `endpoint` and, where it is set up, a section in
//! `config`.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use strum::VariantArray;

use crate::denial::Denial;
use crate::fields::{Fields, Form};
use crate::who::{Doorkeeper, Who};

/// What one kind of broker asks, and how it is answered in its words.
///
/// Its list and its words, in paths and metrics, are derived.
pub(crate) trait BrokersQuestion: Copy + VariantArray + Into<&'static str> {
    /// The broker's word in paths, metrics and logs.
    const BROKER: &'static str;
    /// Whether it lets its other backends decide about a user that nobody knows here.
    const HAS_OTHER_BACKENDS: bool = false;

    /// Who asks here, if that one may do what it wants to.
    fn decide<'a>(
        self,
        keeper: &'a Doorkeeper,
        fields: &Fields,
    ) -> impl Future<Output = Result<Who<'a>, Denial>> + Send;

    /// Says so to the broker.
    fn answer(self, keeper: &Doorkeeper, form: Form, decided: &Result<Who<'_>, Denial>) -> Response;
}

/// An answer in JSON.
pub(crate) fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
