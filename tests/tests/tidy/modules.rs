//! The modules of a crate and what each imports of the others, read from its sources. Test code is left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::Visit;
use syn::{Item, ItemMod, ItemUse, UseTree, Visibility};

/// A module's place in its crate: `[]` is the root.
pub(crate) type Place = Vec<String>;

/// A crate's modules.
pub(crate) struct Source {
    pub(crate) modules: Vec<Module>,
}

/// One module that has a file of its own, and what it names of the others: the module, and the name.
pub(crate) struct Module {
    pub(crate) place: Place,
    pub(crate) imports: Vec<(Place, String)>,
}

/// Reads all modules from the crate's first file on.
pub(crate) fn read_crate(start: &Path) -> Source {
    let mut files = BTreeMap::new();
    read_module(start, Vec::new(), &mut files);
    let modules = files
        .iter()
        .map(|(place, file)| {
            let mut paths = Paths { place, found: Vec::new() };
            paths.visit_file(file);
            let named = paths.found.into_iter().filter_map(|path| resolve(&files, place, path));
            Module { place: place.clone(), imports: named.filter(|(to, _)| to != place).collect() }
        })
        .collect();
    Source { modules }
}

fn read_module(path: &Path, place: Place, files: &mut BTreeMap<Place, syn::File>) {
    let text = std::fs::read_to_string(path).expect("a file can be read");
    let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for item in &file.items {
        let Item::Mod(module) = item else { continue };
        if module.content.is_some() || of_tests(module) {
            continue;
        }
        let name = module.ident.to_string();
        let mut below = place.clone();
        below.push(name.clone());
        read_module(&file_of(path, place.is_empty(), &name), below, files);
    }
    files.insert(place, file);
}

fn file_of(parent: &Path, of_root: bool, name: &str) -> PathBuf {
    let beside = if of_root { parent.parent().expect("a folder").to_owned() } else { parent.with_extension("") };
    let file = beside.join(format!("{name}.rs"));
    if file.is_file() { file } else { beside.join(name).join("mod.rs") }
}

fn of_tests(module: &ItemMod) -> bool {
    module.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let words = attribute.parse_args::<TokenStream>().map(|tokens| tokens.to_string()).unwrap_or_default();
        words.contains("test") && !words.contains("not")
    })
}

/// Collects the paths that a file writes, each from the crate's root on.
struct Paths<'a> {
    place: &'a Place,
    found: Vec<Vec<String>>,
}

impl Paths<'_> {
    /// A path as it is written, from the root on; `None` if it leads out of the crate or to what is in scope already.
    fn rooted(&self, path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let mut full = match first.as_str() {
            "crate" => Vec::new(),
            "self" => self.place.clone(),
            "super" => self.place.split_last()?.1.to_vec(),
            // A child of this module, or a crate; which of both is seen when it is resolved.
            _ => self.place.iter().cloned().chain([first.clone()]).collect(),
        };
        for part in rest {
            match part.as_str() {
                "super" => drop(full.pop()),
                "self" => {}
                _ => full.push(part.clone()),
            }
        }
        Some(full)
    }

    fn take(&mut self, path: &[String]) {
        self.found.extend(self.rooted(path));
    }

    fn take_tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| before.iter().cloned().chain([name.to_string()]).collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => self.take_tree(&with(&path.ident), &path.tree),
            UseTree::Name(name) => self.take(&with(&name.ident)),
            UseTree::Rename(renamed) => self.take(&with(&renamed.ident)),
            UseTree::Glob(_) => self.take(before),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.take_tree(before, tree)),
        }
    }

    /// A macro's words are no syntax tree; paths that begin with `crate` and `super` are seen all the same.
    fn take_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        for token in tokens {
            match token {
                TokenTree::Group(group) => {
                    self.take_tokens(group.stream());
                    self.take_begun(&mut path);
                }
                TokenTree::Ident(ident) if path.is_empty() && (ident == "crate" || ident == "super") => {
                    path.push(ident.to_string());
                }
                TokenTree::Ident(ident) if !path.is_empty() => path.push(ident.to_string()),
                TokenTree::Punct(punct) if punct.as_char() == ':' => {}
                TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => self.take_begun(&mut path),
            }
        }
        self.take_begun(&mut path);
    }

    fn take_begun(&mut self, path: &mut Vec<String>) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.take(&path);
        }
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if module.content.is_none() || !of_tests(module) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, import: &'ast ItemUse) {
        let for_tests = import.attrs.iter().any(|attribute| attribute.path().is_ident("cfg"));
        // What is handed on is resolved where it is used.
        if !for_tests && matches!(import.vis, Visibility::Inherited) {
            self.take_tree(&[], &import.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if parts.len() > 1 && path.leading_colon.is_none() {
            self.take(&parts);
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.take_tokens(called.tokens.clone());
    }
}

/// The module in which what a path names stands, and the name; follows what a module hands on from others. `None` where
/// the path leads out of the crate.
fn resolve(files: &BTreeMap<Place, syn::File>, from: &Place, path: Vec<String>) -> Option<(Place, String)> {
    let depth =
        (0..=path.len()).rev().find(|depth| path.get(..*depth).is_some_and(|place| files.contains_key(place)))?;
    let (place, rest) = path.split_at_checked(depth)?;
    let Some(name) = rest.first() else {
        let name = place.last().cloned().unwrap_or_default();
        return Some((place.to_vec(), name));
    };
    let place = place.to_vec();
    let file = files.get(&place)?;
    for item in &file.items {
        let Item::Use(import) = item else { continue };
        if matches!(import.vis, Visibility::Inherited) {
            continue;
        }
        let mut paths = Paths { place: &place, found: Vec::new() };
        paths.take_tree(&[], &import.tree);
        if let Some(handed) = paths.found.into_iter().find(|handed| handed.last() == Some(name) && handed != &path) {
            return resolve(files, from, handed).filter(|(to, _)| to != &place);
        }
    }
    // Without an item of this name in this very module, the path's first word is a crate or in scope already.
    (place != *from).then(|| (place, name.clone()))
}
