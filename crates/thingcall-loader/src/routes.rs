//! Which plugin a call belongs to: a table that never changes; a new one takes its place.
//!
//! Most specific first: `PK/service`, `service`, `PK/module:*`, `module:*`, `PK/*`, `*`. Plugins with an order stand
//! before the one that is found, every one that has a claim which fits.
//!
//! A plugin whose circuit is open and whose fall-back is the built-in path is left out: the call goes to the device
//! (through the others in front), never to a plugin with a wider claim, which did not ask for it.
//!
//! **Invariant:** without a plugin that has an order, finding allocates nothing.

use std::collections::HashMap;
use std::sync::Arc;

use thingcall_core::{Call, Codec, Handler, ModuleId, ProductKey, ServiceId};

use crate::chain::Chain;
use crate::claim::{Claim, CodecClaim, Scope};
use crate::conflict::Conflict;

/// Whether a plugin's code is blocked.
pub(crate) trait Circuit: Send + Sync {
    /// Whether it is open: new calls must not go there.
    fn open(&self) -> bool;
}

/// A plugin as the table sees it.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) claims: Vec<Claim>,
    pub(crate) codecs: Vec<CodecClaim>,
    /// Set: it stands in front.
    pub(crate) order: Option<i32>,
    pub(crate) handler: Option<Arc<dyn Handler>>,
    pub(crate) codec: Option<Arc<dyn Codec>>,
    /// Set: while it is open, calls go past the plugin.
    pub(crate) bypass: Option<Arc<dyn Circuit>>,
}

/// What a plugin asks for, before it is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) name: String,
    pub(crate) claims: Vec<Claim>,
    pub(crate) codecs: Vec<CodecClaim>,
    pub(crate) order: Option<i32>,
}

impl Wish {
    /// Whether it can be active beside this plugin.
    ///
    /// # Errors
    /// What both want.
    pub(crate) fn beside(&self, other: &Self) -> Result<(), Conflict> {
        if self.order == other.order
            && let Some(claim) = self.claims.iter().find(|claim| other.claims.contains(claim))
        {
            let (claim, active, new) = (claim.to_string(), other.name.clone(), self.name.clone());
            return Err(match self.order {
                Some(order) => Conflict::Order { claim, order, active, new },
                None => Conflict::Claim { claim, active, new },
            });
        }
        match self.codecs.iter().find(|codec| other.codecs.contains(codec)) {
            Some(product) => Err(Conflict::Codec {
                product: product.to_string(),
                active: other.name.clone(),
                new: self.name.clone(),
            }),
            None => Ok(()),
        }
    }
}

#[derive(Clone)]
struct Route {
    handler: Arc<dyn Handler>,
    bypass: Option<Arc<dyn Circuit>>,
}

impl Route {
    fn passable(&self) -> bool {
        !self.bypass.as_ref().is_some_and(|circuit| circuit.open())
    }
}

/// The routes of one product, or of all.
#[derive(Default)]
struct Scopes {
    services: HashMap<ServiceId, Route>,
    modules: HashMap<Option<ModuleId>, Route>,
    all: Option<Route>,
}

impl Scopes {
    fn add(&mut self, scope: Scope, route: Route) {
        match scope {
            Scope::Service(service) => drop(self.services.insert(service, route)),
            Scope::Module(module) => drop(self.modules.insert(module, route)),
            Scope::All => self.all = Some(route),
        }
    }
}

/// A plugin in front of others.
struct Front {
    order: i32,
    name: String,
    claims: Vec<Claim>,
    route: Route,
}

/// The table.
#[derive(Default)]
pub(crate) struct Routes {
    any: Scopes,
    products: HashMap<ProductKey, Scopes>,
    fronts: Vec<Front>,
    codec_any: Option<Arc<dyn Codec>>,
    codecs: HashMap<ProductKey, Arc<dyn Codec>>,
}

impl Routes {
    /// The table of these plugins, which have no conflict.
    pub(crate) fn of<'a>(members: impl IntoIterator<Item = &'a Member>) -> Self {
        let mut routes = Self::default();
        for member in members {
            if let Some(codec) = &member.codec {
                routes.add_codec(&member.codecs, codec);
            }
            if let Some(handler) = &member.handler {
                routes.add_handler(member, Route { handler: handler.clone(), bypass: member.bypass.clone() });
            }
        }
        // The name decides where the order does not, so that the same plugins always stand in the same row.
        routes.fronts.sort_by(|a, b| (a.order, &a.name).cmp(&(b.order, &b.name)));
        routes
    }

    fn add_codec(&mut self, claims: &[CodecClaim], codec: &Arc<dyn Codec>) {
        for claim in claims {
            match claim {
                CodecClaim::Product(product) => drop(self.codecs.insert(product.clone(), codec.clone())),
                CodecClaim::All => self.codec_any = Some(codec.clone()),
            }
        }
    }

    fn add_handler(&mut self, member: &Member, route: Route) {
        if let Some(order) = member.order {
            self.fronts.push(Front { order, name: member.name.clone(), claims: member.claims.clone(), route });
            return;
        }
        for claim in &member.claims {
            let scopes = match &claim.product {
                Some(product) => self.products.entry(product.clone()).or_default(),
                None => &mut self.any,
            };
            scopes.add(claim.scope.clone(), route.clone());
        }
    }

    /// Who handles this call; `None` for the built-in path.
    pub(crate) fn find(&self, call: &Call) -> Option<Arc<dyn Handler>> {
        let route = self.best(call).filter(|route| route.passable());
        if self.fronts.is_empty() {
            return route.map(|route| route.handler.clone());
        }
        let fronts = self.fronts.iter().filter(|front| front.claims.iter().any(|claim| claim.fits(call)));
        let fronts = fronts.map(|front| &front.route).filter(|route| route.passable());
        Chain::of(fronts.chain(route).map(|route| route.handler.clone()).collect())
    }

    /// The plugin without order whose claim fits best.
    fn best(&self, call: &Call) -> Option<&Route> {
        let own = self.products.get(&call.device.key.product);
        let any = &self.any;
        let (service, module) = (&call.service, &call.service.module);
        own.and_then(|own| own.services.get(service))
            .or_else(|| any.services.get(service))
            .or_else(|| own.and_then(|own| own.modules.get(module)))
            .or_else(|| any.modules.get(module))
            .or_else(|| own.and_then(|own| own.all.as_ref()))
            .or(any.all.as_ref())
    }

    /// Who translates for this product.
    pub(crate) fn codec(&self, product: &ProductKey) -> Option<Arc<dyn Codec>> {
        self.codecs.get(product).or(self.codec_any.as_ref()).cloned()
    }
}

#[cfg(test)]
mod tests;
