//! What is said of a product and changes no call.

/// What is said of a product, for people.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ProductNotes {
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What its devices are connected by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// It was made without saying that it has a thing model.
    #[serde(skip_serializing_if = "is_false")]
    pub basic: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl ProductNotes {
    /// The most characters of a description. Source: Alibaba's reference.
    pub const DESCRIPTION_CHARACTERS_MAX: usize = 100;
}

/// CreateProduct's `NetType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// `WIFI`, or 3.
    Wifi,
    /// `CELLULAR`, or 6.
    Cellular,
    /// `ETHERNET`, or 7.
    Ethernet,
    /// `OTHER`, or 8.
    Other,
}
