//! Which product and service a form is made from.

use maud::{Markup, html};
use serde_json::Value;
use thingcall_core::ActionSheet;

use super::filled::Filled;
use super::model::{self, Input, Model, Service};
use crate::lang::Lang;
use crate::layout;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{list, text};

/// So many products are offered; others are typed.
const PRODUCTS: &str = "50";
/// More fields than this are no form.
const FIELDS_MAX: usize = 200;

/// What an action does with a thing model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Nothing.
    Nothing,
    /// It calls a service.
    Service,
    /// It sets properties.
    Properties,
}

/// What was chosen, and what can be.
pub(super) struct Chosen {
    pub(super) uses: Use,
    products: Vec<(String, String)>,
    product: String,
    device: String,
    service: String,
    model: Model,
    problem: Option<Refused>,
}

impl Chosen {
    /// What a form or an address says.
    pub(super) async fn of(seat: &Seat, sheet: &ActionSheet, filled: &Filled) -> Self {
        let has = |name: &str| sheet.params.iter().any(|param| param.name == name);
        let uses = match (has("Args"), has("Items")) {
            (true, _) => Use::Service,
            (false, true) => Use::Properties,
            (false, false) => Use::Nothing,
        };
        let first = |names: [&str; 2]| names.map(|name| filled.text(name)).into_iter().find(|text| !text.is_empty());
        let said = |names| first(names).unwrap_or_default().to_owned();
        let mut chosen = Self {
            uses,
            products: Vec::new(),
            product: said(["p.ProductKey", "product"]),
            device: said(["p.DeviceName", "device"]),
            service: said(["p.Identifier", "service"]),
            model: Model::default(),
            problem: None,
        };
        if uses == Use::Nothing {
            return chosen;
        }
        chosen.products = products(seat).await;
        if !chosen.product.is_empty() {
            match Model::of(seat, &chosen.product).await {
                Ok(model) => chosen.model = model,
                Err(why) => chosen.problem = Some(why),
            }
        }
        chosen
    }

    /// What the form begins with for a parameter.
    pub(super) fn preset(&self, param: &str) -> &str {
        match param {
            "ProductKey" => &self.product,
            "DeviceName" => &self.device,
            "Identifier" if self.uses == Use::Service => &self.service,
            // A service without inputs.
            "Args" if self.service().is_some_and(|service| service.inputs.is_empty()) => "{}",
            _ => "",
        }
    }

    /// What the form has fields for, where the model says it and they are not too many.
    pub(super) fn inputs(&self) -> Option<&[Input]> {
        let inputs = match self.uses {
            Use::Nothing => return None,
            Use::Service => &self.service()?.inputs,
            Use::Properties => &self.model.properties,
        };
        let count = model::fields(inputs);
        (count > 0 && count <= FIELDS_MAX).then_some(inputs)
    }

    /// What the fields of a form are of: those of another service are not taken for this one's.
    pub(super) fn of_what(&self) -> &str {
        if self.uses == Use::Service { &self.service } else { &self.product }
    }

    /// The service, where the model has it.
    pub(super) fn service(&self) -> Option<&Service> {
        self.model.service(&self.service)
    }

    pub(super) fn product(&self) -> &str {
        &self.product
    }

    pub(super) fn device(&self) -> &str {
        &self.device
    }
}

async fn products(seat: &Seat) -> Vec<(String, String)> {
    let page = [("CurrentPage", "1"), ("PageSize", PRODUCTS)];
    // A key that may not list them types one.
    let found = seat.performed("QueryProductList", &page).await.unwrap_or_default();
    let data = found.get("Data").unwrap_or(&Value::Null);
    let each = list(data, &["List", "ProductInfo"]).iter();
    each.map(|product| (text(product, "ProductKey"), text(product, "ProductName"))).collect()
}

/// Where one chooses.
pub(super) fn section(lang: Lang, path: &str, chosen: &Chosen, filled: &Filled) -> Markup {
    if chosen.uses == Use::Nothing {
        return html! {};
    }
    let is_new = chosen.service().is_none() && chosen.uses == Use::Service;
    html! {
        section {
            h2 { (lang.say("From the thing model", "根据物模型填写")) }
            form.inline method="get" action=(path) {
                label for="product" { "ProductKey" }
                input id="product" name="product" type="text" required list="products" value=(chosen.product);
                datalist id="products" {
                    @for (key, name) in &chosen.products { option value=(key) { (name) } }
                }
                label for="device" { "DeviceName" }
                input id="device" name="device" type="text" value=(chosen.device);
                @if chosen.uses == Use::Service {
                    label for="service" { (lang.say("Service", "服务")) }
                    select id="service" name="service" {
                        @if is_new { option value="" { (lang.say("choose one", "请选择")) } }
                        @for service in &chosen.model.services {
                            option value=(service.id) selected[service.id == chosen.service] {
                                (service.id) " · " (service.name) " · " (if service.is_sync { "sync" } else { "async" })
                            }
                        }
                    }
                }
                button type="submit" { (lang.say("Make the form", "生成表单")) }
            }
            @if let Some(why) = &chosen.problem { (layout::refused(lang, why)) }
            @if !filled.is_sent() && chosen.product.is_empty() {
                p.hint { (lang.say(
                    "Choose a product, and its services are listed here; choose one of them, and its inputs become fields below.",
                    "选择产品后列出其服务；选择服务后，下方按入参生成字段。",
                )) }
            }
        }
    }
}
