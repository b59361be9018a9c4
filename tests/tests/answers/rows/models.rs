//! Actions of thing models.

use serde_json::json;
use thingcall_tests::PRODUCT;

use super::super::bench::{property, tsl};
use super::About::Product;
use super::Again::{Other, Same};
use super::{Row, row};

pub(super) const ROWS: &[Row] = &[
    row("QueryThingModel", Product, Same, |_| json!({ "ProductKey": PRODUCT })),
    row("GetThingModelTsl", Product, Same, |_| json!({ "ProductKey": PRODUCT, "FunctionBlockId": "testFb" })),
    row("GetThingModelTslPublished", Product, Same, |_| json!({ "ProductKey": PRODUCT })),
    row("ListThingModelVersion", Product, Same, |_| json!({ "ProductKey": PRODUCT })),
    row("ImportThingModelTsl", Product, Other, |bench| json!({ "ProductKey": bench.product(), "TslStr": tsl() })),
    row("PublishThingModel", Product, Other, |bench| {
        // What is published already is not published again.
        bench.feature();
        json!({ "ProductKey": bench.modelled, "ModelVersion": bench.fresh("1."), "Description": "the first" })
    }),
    row(
        "CreateThingModel",
        Product,
        Other,
        |bench| json!({ "ProductKey": bench.modelled, "ThingModelJson": property(&bench.fresh("Made")) }),
    ),
    row("UpdateThingModel", Product, Other, |bench| {
        let old = bench.feature();
        json!({ "ProductKey": bench.modelled, "ThingModelJson": property(&bench.fresh("Changed")), "Identifier": old })
    }),
    row(
        "DeleteThingModel",
        Product,
        Other,
        |bench| json!({ "ProductKey": bench.modelled, "PropertyIdentifier": [bench.feature()] }),
    ),
];
