//! A thing model: its files, and the services they declare.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use thingcall_core::{Identifier, ModuleId, ServiceId};

use crate::limits::{MODEL_BYTES_MAX, MODULES_MAX};
use crate::problem::Collected;
use crate::reported::Reported;
use crate::words::{list, nearest};
use crate::{Event, ModelProblem, ModelProblems, Property, Service, read};

/// What the devices of a product can do. Keeps the files it was read from as they were.
#[derive(Debug)]
pub struct ThingModel {
    main: Module,
    modules: BTreeMap<ModuleId, Module>,
    version: Option<String>,
    /// Modules that the default module's file names; their own files need not all be here.
    named: Vec<ModuleId>,
}

#[derive(Debug)]
struct Module {
    text: String,
    services: BTreeMap<Identifier, Arc<Service>>,
    reported: Reported,
}

/// The model has no such service to call. Its `Display` says what is wrong, what was probably meant, and what there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownService(String);

impl ThingModel {
    /// Reads a thing model: the default module's file, and one file for each custom module in any order.
    ///
    /// A module's file counts whether `functionBlocks` of the default module's file names it or not; a module that is
    /// named and has no file has no services. The member `method` of a service is not used.
    ///
    /// # Errors
    /// Every problem found.
    pub fn parse(main: &str, modules: &[&str]) -> Result<Self, ModelProblems> {
        Self::parse_and_warn(main, modules).map(|(model, _)| model)
    }

    /// The same, with at most 100 warnings: what is taken, and perhaps not as it was meant.
    ///
    /// # Errors
    /// Every problem found.
    pub fn parse_and_warn(main: &str, modules: &[&str]) -> Result<(Self, Vec<ModelProblem>), ModelProblems> {
        Self::collect(main, modules, Collected::default())
    }

    /// Reads files that were taken once, perhaps by an older program that looked less closely at what they are.
    ///
    /// # Errors
    /// Every problem found.
    pub fn parse_stored(main: &str, modules: &[&str]) -> Result<Self, ModelProblems> {
        let mut problems = Collected::default();
        problems.taken_before = true;
        Self::collect(main, modules, problems).map(|(model, _)| model)
    }

    fn collect(
        main: &str,
        modules: &[&str],
        mut problems: Collected,
    ) -> Result<(Self, Vec<ModelProblem>), ModelProblems> {
        check_size(main, modules, &mut problems);
        let file = read::main_file(main, &mut problems);
        let mut model = Self {
            main: Module { text: main.to_owned(), services: file.services, reported: file.reported },
            modules: BTreeMap::new(),
            version: file.version,
            named: file.named,
        };
        for (index, text) in modules.iter().enumerate() {
            model.add(text, index + 1, &mut problems);
        }
        problems.finish().map(|warnings| (model, warnings))
    }

    fn add(&mut self, text: &str, nth: usize, problems: &mut Collected) {
        let file = read::module_file(text, nth, problems);
        let Some(id) = file.module else { return };
        let module = Module { text: text.to_owned(), services: file.services, reported: file.reported };
        if self.modules.insert(id, module).is_some() {
            let right = "give one file for each module";
            problems.add("$.functionBlockId", "is that of an earlier file", right);
        }
    }

    /// The default module's file, as it was read.
    pub fn main_text(&self) -> &str {
        &self.main.text
    }

    /// The custom modules' files, as they were read, by module.
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

    /// Every service that can be called: the default module's first, each module's by name.
    pub fn services(&self) -> impl Iterator<Item = (ServiceId, &Service)> {
        let main = self.main.services.values().map(|service| (None, &**service));
        let modules = self
            .modules
            .iter()
            .flat_map(|(id, module)| module.services.values().map(move |service| (Some(id.clone()), &**service)));
        main.chain(modules).map(|(module, service)| (ServiceId { module, service: service.id.clone() }, service))
    }

    /// The service of this id.
    ///
    /// # Errors
    /// When there is none, or it is one of the built-in two, which InvokeThingService does not call.
    pub fn service(&self, id: &ServiceId) -> Result<&Service, UnknownService> {
        self.shared_service(id).map(|service| &**service)
    }

    /// The same, for who keeps it for longer than the model.
    ///
    /// # Errors
    /// As [`Self::service`].
    pub fn shared_service(&self, id: &ServiceId) -> Result<&Arc<Service>, UnknownService> {
        self.module(id.module.as_ref())
            .and_then(|module| module.services.get(&id.service))
            .ok_or_else(|| UnknownService(self.why_unknown(id)))
    }

    /// The property of this name, `identifier` or `module:identifier`, as a device writes it.
    pub fn property(&self, name: &str) -> Option<&Property> {
        let ServiceId { module, service: id } = name.try_into().ok()?;
        self.module(module.as_ref())?.reported.properties.get(&id)
    }

    /// Every event, by the name that a device writes: the default module's first, each module's in order.
    pub fn events(&self) -> impl Iterator<Item = (String, &Event)> {
        let main = self.main.reported.events.iter().map(|(id, event)| (id.to_string(), event));
        let modules = self.modules.iter().flat_map(|(module, of)| {
            of.reported.events.iter().map(move |(id, event)| (format!("{module}:{id}"), event))
        });
        main.chain(modules)
    }

    /// The properties of a module, of the default one for `None`; `None` if there is no such module.
    pub fn properties_of(&self, module: Option<&ModuleId>) -> Option<impl Iterator<Item = (&Identifier, &Property)>> {
        self.module(module).map(|module| module.reported.properties.iter())
    }

    /// Every property, by the name that a device writes: the default module's first, each module's in order.
    pub fn properties(&self) -> impl Iterator<Item = (String, &Property)> {
        let main = self.main.reported.properties.iter().map(|(id, property)| (id.to_string(), property));
        let modules = self.modules.iter().flat_map(|(module, of)| {
            of.reported.properties.iter().map(move |(id, property)| (format!("{module}:{id}"), property))
        });
        main.chain(modules)
    }

    /// The event of this name, likewise.
    pub fn event(&self, name: &str) -> Option<&Event> {
        let ServiceId { module, service: id } = name.try_into().ok()?;
        self.module(module.as_ref())?.reported.events.get(&id)
    }

    fn module(&self, id: Option<&ModuleId>) -> Option<&Module> {
        match id {
            None => Some(&self.main),
            Some(id) => self.modules.get(id),
        }
    }

    fn why_unknown(&self, id: &ServiceId) -> String {
        match id.service.as_str() {
            "set" => {
                return format!(
                    "{id} is built in and not called by InvokeThingService; set properties with SetDeviceProperty"
                );
            }
            "get" => {
                return format!(
                    "{id} is built in and not called by InvokeThingService; devices report properties by themselves"
                );
            }
            _ => {}
        }
        match (&id.module, self.module(id.module.as_ref())) {
            (Some(module), None) => self.why_unknown_module(module),
            (_, module) => self.why_unknown_service(id, module),
        }
    }

    fn why_unknown_module(&self, id: &ModuleId) -> String {
        if self.named.contains(id) {
            return format!(
                "module {id} is named in the thing model, but its own file is not there; \
                 import the default module's file and the module's together"
            );
        }
        let names = || self.modules.keys().map(ModuleId::as_str);
        let wrong = format!("the thing model has no module {id}");
        match nearest(id.as_str(), names()) {
            _ if self.modules.is_empty() => {
                format!("{wrong}; it has none but the default module, which needs no prefix")
            }
            Some(near) => {
                format!("{wrong}; did you mean {near}? Its modules are {}", list(names().map(Cow::from), Some(near)))
            }
            None => format!("{wrong}; its modules are {}", list(names().map(Cow::from), None)),
        }
    }

    fn why_unknown_service(&self, id: &ServiceId, module: Option<&Module>) -> String {
        let wrong = match &id.module {
            None => format!("the default module has no service {}", id.service),
            Some(module) => format!("module {module} has no service {}", id.service),
        };
        let all = || self.services().map(|(id, _)| Cow::from(id.to_string()));
        match self.meant(id, module) {
            _ if self.services().next().is_none() => format!("{wrong}; the thing model has no services"),
            Some(meant) => {
                let meant = meant.to_string();
                format!("{wrong}; did you mean {meant}? The thing model has {}", list(all(), Some(&meant)))
            }
            None => format!("{wrong}; the thing model has {}", list(all(), None)),
        }
    }

    /// The service that was probably meant: the same in another module, or one of this module with a name like it.
    fn meant(&self, id: &ServiceId, module: Option<&Module>) -> Option<ServiceId> {
        if self.main.services.contains_key(&id.service) {
            return Some(ServiceId { module: None, service: id.service.clone() });
        }
        let elsewhere = self.modules.iter().find(|(_, module)| module.services.contains_key(&id.service));
        if let Some((module, _)) = elsewhere {
            return Some(ServiceId { module: Some(module.clone()), service: id.service.clone() });
        }
        let near = nearest(id.service.as_str(), module?.services.keys().map(Identifier::as_str))?;
        Some(ServiceId { module: id.module.clone(), service: Identifier::try_from(near).ok()? })
    }
}

fn check_size(main: &str, modules: &[&str], problems: &mut Collected) {
    if modules.len() > MODULES_MAX {
        problems.add("$", format!("comes with {} modules", modules.len()), format!("a model may have {MODULES_MAX}"));
    }
    let bytes = main.len() + modules.iter().map(|text| text.len()).sum::<usize>();
    if bytes > MODEL_BYTES_MAX {
        let right = format!("they may have {MODEL_BYTES_MAX}");
        problems.add("$", format!("and its modules have {bytes} bytes together"), right);
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::sample;
