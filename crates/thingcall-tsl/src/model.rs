//! (being written)

use std::collections::BTreeMap;

use thingcall_core::{Identifier, ModuleId, ServiceId};

use crate::{ModelProblems, Service};

/// A thing model.
#[derive(Debug)]
pub struct ThingModel {
    main: Module,
    modules: BTreeMap<ModuleId, Module>,
    version: Option<String>,
}

#[derive(Debug)]
struct Module {
    text: String,
    services: BTreeMap<Identifier, Service>,
}

/// The model has no such service. Says what there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownService(String);

impl ThingModel {
    /// Reads a thing model: the default module's file and one file for each custom module.
    ///
    /// # Errors
    /// Every problem found.
    pub fn parse(main: &str, modules: &[&str]) -> Result<Self, ModelProblems> {
        let _ = modules;
        let main = Module { text: main.to_owned(), services: BTreeMap::new() };
        Ok(Self { main, modules: BTreeMap::new(), version: None })
    }

    /// The default module's file, as it was read.
    pub fn main_text(&self) -> &str {
        &self.main.text
    }

    /// The custom modules' files, as they were read.
    pub fn module_texts(&self) -> impl Iterator<Item = (&ModuleId, &str)> {
        self.modules.iter().map(|(id, module)| (id, module.text.as_str()))
    }

    /// A module's file, as it was read; the default module's for `None`.
    pub fn module_json(&self, module: Option<&ModuleId>) -> Option<&str> {
        self.module(module).map(|module| module.text.as_str())
    }

    /// `profile.version` of the default module's file.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The service of this id.
    ///
    /// # Errors
    /// When there is none, or it is one of the built-in two that InvokeThingService does not call.
    pub fn service(&self, id: &ServiceId) -> Result<&Service, UnknownService> {
        self.module(id.module.as_ref())
            .and_then(|module| module.services.get(&id.service))
            .ok_or_else(|| UnknownService(format!("service {id} does not exist")))
    }

    /// Every service that can be called.
    pub fn services(&self) -> impl Iterator<Item = (ServiceId, &Service)> {
        let main = self.main.services.values().map(|service| (None, service));
        let modules = self
            .modules
            .iter()
            .flat_map(|(id, module)| module.services.values().map(move |service| (Some(id.clone()), service)));
        main.chain(modules).map(|(module, service)| (ServiceId { module, service: service.id().clone() }, service))
    }

    fn module(&self, id: Option<&ModuleId>) -> Option<&Module> {
        match id {
            None => Some(&self.main),
            Some(id) => self.modules.get(id),
        }
    }
}
