//! CreateProduct.
//!
//! **Invariant:** what is answered is what was stored; what is not stored here (network, category, description) is
//! accepted and left out.

use thingcall_tsl::{DataFormat, Directory, NewProduct, ProductSettings, Validation};

use crate::answer::{Fields, Node, text};
use crate::error::ActionError;
use crate::params::Params;

/// The longest product name. Source: Alibaba's reference says 4 to 30 characters; shorter ones do no harm here.
const NAME_CHARACTERS_MAX: usize = 30;

/// CreateProduct.
pub(super) async fn create(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let name = params.need("ProductName")?;
    if name.chars().count() > NAME_CHARACTERS_MAX {
        return Err(ActionError::illegal(format!("ProductName is longer than {NAME_CHARACTERS_MAX} characters")));
    }
    let node_type = params.need("NodeType")?;
    if node_type != "0" {
        return Err(ActionError::illegal(format!(
            "NodeType is {node_type:?}; right is 0, a device: gateways with sub-devices are not supported"
        )));
    }
    let settings = ProductSettings {
        validation: choice(params, "ValidateType", [("1", Validation::Model), ("2", Validation::Free)])?,
        data_format: choice(params, "DataFormat", [("1", DataFormat::Alink), ("0", DataFormat::Custom)])?,
        ..ProductSettings::default()
    };
    let product = directory.create_product(NewProduct { key: None, name: name.to_owned(), settings }).await?;
    let format = match product.settings.data_format {
        DataFormat::Alink => 1,
        DataFormat::Custom => 0,
    };
    let key = product.key.as_str();
    Ok(vec![
        (
            "Data",
            Node::Object(vec![
                ("ProductKey", text(key)),
                ("ProductName", text(&product.name)),
                ("NodeType", Node::Number(0)),
                ("DataFormat", Node::Number(format)),
                ("AuthType", text("secret")),
                ("AliyunCommodityCode", text("iothub_senior")),
            ]),
        ),
        ("ProductKey", text(key)),
    ])
}

/// The value of one of two words; the first stands for an absent parameter too.
fn choice<T: Copy>(params: &Params<'_>, name: &str, words: [(&str, T); 2]) -> Result<T, ActionError> {
    let [(first, default), (second, other)] = words;
    match params.get(name) {
        None => Ok(default),
        Some(word) if word == first => Ok(default),
        Some(word) if word == second => Ok(other),
        Some(word) => Err(ActionError::illegal(format!("{name} is {word:?}; right is {first} or {second}"))),
    }
}
