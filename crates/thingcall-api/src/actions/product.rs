//! Products: CreateProduct, QueryProduct, QueryProductList, UpdateProduct, DeleteProduct.
//!
//! **Invariant:** what is answered is what was stored; what is not stored here (category, resource group) is accepted and left
//! out.

use std::cmp::Reverse;

use thingcall_core::{CallError, ErrorCode, Outcome};
use thingcall_tsl::{
    DataFormat, Directory, Network, NewProduct, Product, ProductChange, ProductNotes, ProductSettings, Validation,
};

use super::page::{Pages, count};
use super::target;
use crate::answer::{Fields, Node, text};
use crate::error::{ActionError, wrong};
use crate::params::Params;

/// The longest product name. Source: Alibaba's reference says 4 to 30 characters; shorter ones do no harm here.
const NAME_CHARACTERS_MAX: usize = 30;
/// The pages of QueryProductList. Source: Alibaba's reference, but for how far they reach: that is as many products as may be.
const PAGES: Pages = Pages { size_max: 200, size_default: None, reach_max: usize::MAX };
/// What a product with a thing model is called, and one without.
const SENIOR: &str = "iothub_senior";
const BASIC: &str = "iothub";

/// CreateProduct.
pub(super) async fn create(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let name = name(params)?;
    let node_type = params.need("NodeType")?;
    if node_type != "0" {
        let right = "0, a device: gateways with sub-devices are not supported";
        return Err(ActionError::wrong("NodeType", node_type, right));
    }
    let settings = ProductSettings {
        validation: choice(params, "ValidateType", [("1", Validation::Model), ("2", Validation::Free)])?,
        data_format: choice(params, "DataFormat", [("1", DataFormat::Alink), ("0", DataFormat::Custom)])?,
        ..ProductSettings::default()
    };
    let basic = commodity(params)?.unwrap_or(BASIC) == BASIC;
    let notes = ProductNotes { description: description(params)?, network: network(params)?, basic };
    let product = directory.create_product(NewProduct { key: None, name: name.to_owned(), notes, settings }).await?;
    let mut data = described(&product);
    data.extend([("AliyunCommodityCode", text(commodity_of(&product))), ("Id2", Node::Flag(false))]);
    Ok(vec![("Data", Node::Object(data)), ("ProductKey", text(product.key.as_str()))])
}

/// QueryProduct.
pub(super) async fn query(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let key = target::product(params)?;
    let product = directory.product(&key).ok_or_else(|| CallError::UnknownProduct(key.to_string()))?;
    let devices = directory.count_devices(&key).await?;
    let mut data = described(&product);
    data.extend([
        ("AliyunCommodityCode", text(commodity_of(&product))),
        ("DeviceCount", count(devices)),
        ("GmtCreate", Node::Number(product.created_at.0)),
        ("Id2", Node::Flag(false)),
        ("NetType", Node::Number(net_type(product.notes.network))),
        ("Owner", Node::Flag(true)),
        // Its model is in force as soon as it is set; there is nothing to release.
        ("ProductStatus", text("DEVELOPMENT_STATUS")),
        ("ValidateType", Node::Number(validate_type(product.settings.validation))),
    ]);
    // It has one where its devices may, or once could, come for their own secrets.
    data.extend(product.settings.registration.map(|by| ("ProductSecret", text(by.secret.expose()))));
    Ok(vec![("Data", Node::Object(data))])
}

/// QueryProductList: those that were created last come first.
pub(super) async fn list(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let page = PAGES.asked(params)?;
    let wanted = commodity(params)?;
    let mut products = directory.products();
    products.retain(|product| wanted.is_none_or(|wanted| commodity_of(product) == wanted));
    let total = u64::try_from(products.len()).unwrap_or(u64::MAX);
    products.sort_by_cached_key(|product| Reverse((product.created_at, product.key.clone())));
    let shown: Vec<_> = products.into_iter().skip(page.skipped()).take(page.size).collect();
    let keys: Vec<_> = shown.iter().map(|product| product.key.clone()).collect();
    let devices = directory.count_each(&keys).await?;
    let infos = shown.iter().zip(devices).map(|(product, devices)| {
        let mut info = described(product);
        info.extend([("DeviceCount", count(devices)), ("GmtCreate", Node::Number(product.created_at.0))]);
        Node::Object(info)
    });
    let data = vec![
        ("CurrentPage", count(page.number)),
        ("PageCount", page.pages(total)),
        ("PageSize", count(page.size)),
        ("Total", count(total)),
        ("List", Node::Object(vec![("ProductInfo", Node::List(infos.collect()))])),
    ];
    Ok(vec![("Data", Node::Object(data))])
}

/// UpdateProduct: its name, and what is said of it.
pub(super) async fn update(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let (key, name) = (target::product(params)?, name(params)?.to_owned());
    let product = directory.product(&key).ok_or_else(|| CallError::UnknownProduct(key.to_string()))?;
    let notes = description(params)?.map(|new| ProductNotes { description: Some(new), ..product.notes.clone() });
    directory.change_product(&key, ProductChange { name: Some(name), notes }).await?;
    Ok(Fields::new())
}

/// DeleteProduct.
pub(super) async fn delete(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    directory.remove_product(&target::product(params)?).await?;
    Ok(Fields::new())
}

/// What every answer says of a product.
fn described(product: &Product) -> Fields {
    let mut fields = vec![
        ("ProductKey", text(product.key.as_str())),
        ("ProductName", text(&product.name)),
        ("NodeType", Node::Number(0)),
        ("DataFormat", Node::Number(data_format(product.settings.data_format))),
        ("AuthType", text("secret")),
    ];
    fields.push(("Description", text(product.notes.description.as_deref().unwrap_or_default())));
    fields
}

/// A product that was not said to have a thing model has one as soon as one is set.
fn commodity_of(product: &Product) -> &'static str {
    if product.notes.basic && product.model.is_none() { BASIC } else { SENIOR }
}

fn commodity(params: &Params<'_>) -> Result<Option<&'static str>, ActionError> {
    match params.get("AliyunCommodityCode") {
        None => Ok(None),
        Some(SENIOR) => Ok(Some(SENIOR)),
        Some(BASIC) => Ok(Some(BASIC)),
        Some(other) => {
            let right = wrong("AliyunCommodityCode", other, &format!("{SENIOR} or {BASIC}"));
            Err(ActionError::service(ErrorCode::InvalidAliyunCommodityCode, Outcome::InvalidArgs, right))
        }
    }
}

const fn data_format(format: DataFormat) -> i64 {
    match format {
        DataFormat::Alink => 1,
        DataFormat::Custom => 0,
    }
}

const fn validate_type(validation: Validation) -> i64 {
    match validation {
        Validation::Model => 1,
        Validation::Free => 2,
    }
}

/// What a product that does not say is connected by, `WIFI` stands for. Source: Alibaba's reference.
const fn net_type(network: Option<Network>) -> i64 {
    match network {
        None | Some(Network::Wifi) => 3,
        Some(Network::Cellular) => 6,
        Some(Network::Ethernet) => 7,
        Some(Network::Other) => 8,
    }
}

fn name<'a>(params: &'a Params<'_>) -> Result<&'a str, ActionError> {
    let name = params.need("ProductName")?;
    if name.chars().count() > NAME_CHARACTERS_MAX {
        return Err(ActionError::illegal(format!("ProductName is longer than {NAME_CHARACTERS_MAX} characters")));
    }
    Ok(name)
}

fn description(params: &Params<'_>) -> Result<Option<String>, ActionError> {
    let description = params.get("Description");
    if description.is_some_and(|text| text.chars().count() > ProductNotes::DESCRIPTION_CHARACTERS_MAX) {
        let right = format!("Description is longer than {} characters", ProductNotes::DESCRIPTION_CHARACTERS_MAX);
        return Err(ActionError::service(ErrorCode::LongProductDesc, Outcome::InvalidArgs, right));
    }
    Ok(description.map(str::to_owned))
}

/// What its devices are connected by, in a word or as QueryProduct says it.
fn network(params: &Params<'_>) -> Result<Option<Network>, ActionError> {
    match params.get("NetType") {
        None => Ok(None),
        Some("WIFI" | "3") => Ok(Some(Network::Wifi)),
        Some("CELLULAR" | "6") => Ok(Some(Network::Cellular)),
        Some("ETHERNET" | "7") => Ok(Some(Network::Ethernet)),
        Some("OTHER" | "8") => Ok(Some(Network::Other)),
        Some(other) => Err(ActionError::wrong("NetType", other, "WIFI, CELLULAR, ETHERNET or OTHER")),
    }
}

/// The value of one of two words; the first stands for an absent parameter too.
fn choice<T: Copy>(params: &Params<'_>, name: &str, words: [(&str, T); 2]) -> Result<T, ActionError> {
    let [(first, default), (second, other)] = words;
    match params.get(name) {
        None => Ok(default),
        Some(word) if word == first => Ok(default),
        Some(word) if word == second => Ok(other),
        Some(word) => Err(ActionError::wrong(name, word, &format!("{first} or {second}"))),
    }
}
