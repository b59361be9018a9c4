//! Which plugins a server has: the book of them, their sections, and the table that calls are answered from.
//!
//! **Invariant:** what a call finds, and what readiness is told, is what the book said when it was last published.

use std::sync::{Arc, Mutex, MutexGuard};

use arc_swap::{ArcSwap, Guard};
use thingcall_core::{Call, Codec, Handler, ProductKey};

use crate::book::{Active, Book};
use crate::config::{PluginConfig, PluginConfigs};
use crate::listing;
use crate::lock::lock;
use crate::metrics::{self, Metrics};
use crate::report::PluginState;
use crate::reserved::{Reserved, Told, reserved};
use crate::routes::Routes;
use crate::tasks::Tasks;

/// The plugins, as all that changes them sees them.
pub(crate) struct Roster {
    book: Mutex<Book>,
    configs: ArcSwap<PluginConfigs>,
    routes: ArcSwap<Routes>,
    told: Mutex<Told>,
    metrics: Arc<Metrics>,
    tasks: Tasks,
}

impl Roster {
    /// One in which nothing is active yet.
    pub(crate) fn new(book: Book, configs: PluginConfigs, told: Told, metrics: Arc<Metrics>, tasks: Tasks) -> Self {
        let (book, configs, told) = (Mutex::new(book), ArcSwap::from_pointee(configs), Mutex::new(told));
        Self { book, configs, routes: ArcSwap::default(), told, metrics, tasks }
    }

    /// Who handles a call.
    pub(crate) fn find(&self, call: &Call) -> Option<Arc<dyn Handler>> {
        self.routes.load().find(call)
    }

    /// Who translates for a product.
    pub(crate) fn codec(&self, product: &ProductKey) -> Option<Arc<dyn Codec>> {
        self.routes.load().codec(product)
    }

    /// The book. Never held across an await.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    /// The sections.
    pub(crate) fn configs(&self) -> Guard<Arc<PluginConfigs>> {
        self.configs.load()
    }

    /// From now on this is the plugin's section.
    pub(crate) fn set_section(&self, name: &str, section: Option<Box<PluginConfig>>) {
        let mut configs = PluginConfigs::clone(&self.configs.load());
        match section {
            Some(section) => drop(configs.insert(name.to_owned(), *section)),
            None => drop(configs.remove(name)),
        }
        self.configs.store(Arc::new(configs));
    }

    /// Puts the book's plugins into the table, in one step, and what those claim that are not loaded.
    pub(crate) fn publish(&self, book: &Book) {
        if self.tasks.stopping() {
            return;
        }
        let reserved = reserved(book, &self.configs.load());
        let absent: Vec<_> = reserved.iter().map(Reserved::member).collect();
        self.routes.store(Arc::new(Routes::of(book.members().chain(&absent))));
        lock(&self.told).tell(book, &reserved);
    }

    /// Tells readiness and metrics something.
    pub(crate) fn tell(&self, tell: impl FnOnce(&mut Told)) {
        tell(&mut lock(&self.told));
    }

    /// Says in metrics whether this version of a plugin is the active one.
    pub(crate) fn count_active(&self, plugin: &Active, active: metrics::Active) {
        let manifest = &plugin.image.manifest;
        self.metrics.set_active(&manifest.name, &manifest.version, manifest.abi, active);
    }

    /// What an operator is shown.
    pub(crate) fn list(&self) -> Vec<PluginState> {
        let book = self.book();
        listing::list(&book, &reserved(&book, &self.configs.load()))
    }

    /// Retires all plugins.
    pub(crate) fn leave(&self) {
        let all = self.book().lose_all();
        self.routes.store(Arc::default());
        // What is being created finds out that all stops under the lock of the book.
        for active in all {
            self.count_active(&active, metrics::Active::No);
            self.tasks.retire(active);
        }
    }
}
