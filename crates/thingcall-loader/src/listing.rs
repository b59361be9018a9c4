//! What an operator is shown of plugins and files.

use std::path::{Path, PathBuf};

use crate::book::{Book, NotLoaded};
use crate::error::LoadError;
use crate::report::{PluginState, PluginStatus};
use crate::reserved::Reserved;

/// Active plugins by name, then the files that are not, then plugins without a file.
pub(crate) fn list(book: &Book, reserved: &[Reserved]) -> Vec<PluginState> {
    let refusal = |file: &Path| book.files().get(file)?.refusal.as_ref();
    let active = book.active().values().map(|active| {
        let image = &active.image;
        PluginState {
            file: active.file.clone(),
            status: PluginStatus::Active,
            name: Some(active.wish.name.clone()),
            version: Some(image.manifest.version.clone()),
            generation: Some(active.number),
            sha256: Some(image.sha256.clone()),
            claims: active.wish.claims.iter().map(ToString::to_string).collect(),
            codecs: active.wish.codecs.iter().map(ToString::to_string).collect(),
            order: active.wish.order,
            calls_in_flight: active.generation.calls_in_flight(),
            circuit_open: active.generation.circuit_open(),
            ended_server: None,
            error: refusal(&active.file).map(|refusal| refusal.error.to_string()),
        }
    });
    let others = book.files().iter().filter(|(file, _)| book.names_in(file).is_empty());
    let others = others.filter_map(|(file, note)| {
        let mut state = refused(file, note.refusal.as_ref()?);
        state.name = state.name.or_else(|| book.owner_of(file, None));
        Some(state)
    });
    let mut all: Vec<_> = active.chain(others).collect();
    for Reserved { wish, why, .. } in reserved {
        let at = all.iter().position(|state| state.name.as_ref() == Some(&wish.name));
        let file = || book.file_of(&wish.name).unwrap_or_default();
        let mut state = match at {
            Some(at) => all.remove(at),
            None => absent(file(), Some(wish.name.clone()), why.clone()),
        };
        if let Some(starting) = book.starting().get(&wish.name) {
            (state.status, state.error) = (PluginStatus::Starting, None);
            (state.file, state.generation) = (starting.file.clone(), Some(starting.number));
        }
        state.claims = wish.claims.iter().map(ToString::to_string).collect();
        state.codecs = wish.codecs.iter().map(ToString::to_string).collect();
        state.order = wish.order;
        all.insert(at.unwrap_or(all.len()), state);
    }
    all
}

fn refused(file: &Path, refusal: &NotLoaded) -> PluginState {
    let known = refusal.known.clone();
    let disabled = matches!(refusal.error, LoadError::Disabled(_));
    PluginState {
        status: if disabled { PluginStatus::Disabled } else { PluginStatus::Refused },
        version: known.as_ref().map(|known| known.version.clone()),
        sha256: known.as_ref().map(|known| known.sha256.clone()),
        ..absent(file.to_owned(), known.map(|known| known.name), refusal.error.to_string())
    }
}

/// A plugin of which there is no more than this.
fn absent(file: PathBuf, name: Option<String>, why: String) -> PluginState {
    PluginState {
        file,
        status: PluginStatus::Refused,
        name,
        version: None,
        generation: None,
        sha256: None,
        claims: Vec::new(),
        codecs: Vec::new(),
        order: None,
        calls_in_flight: 0,
        circuit_open: false,
        ended_server: None,
        error: Some(why),
    }
}
