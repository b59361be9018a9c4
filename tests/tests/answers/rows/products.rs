//! Actions of products.

use serde_json::json;
use thingcall_tests::PRODUCT;

use super::About::{AllProducts, Product};
use super::Again::{Other, Same};
use super::{Row, row};

pub(super) const ROWS: &[Row] = &[
    row("QueryProduct", Product, Same, |_| json!({ "ProductKey": PRODUCT })),
    row("QueryProductList", AllProducts, Same, |_| json!({ "CurrentPage": 1, "PageSize": 2 })),
    row("CreateProduct", AllProducts, Other, |bench| json!({ "ProductName": bench.fresh("created"), "NodeType": 0 })),
    row(
        "UpdateProduct",
        Product,
        Other,
        |bench| json!({ "ProductKey": bench.modelled, "ProductName": bench.fresh("renamed"), "Description": "of steel" }),
    ),
    row("DeleteProduct", Product, Other, |bench| json!({ "ProductKey": bench.product() })),
];
