//! Faults of thing models.

use serde_json::json;

use super::super::bench::{properties, property};
use super::{Entry, ILLEGAL, long, malformed, missing, names, of, too_many, unknown};

pub(super) fn entries() -> Vec<Entry> {
    let version = || [unknown("9.9", ILLEGAL, "is not kept; those that are")];
    let module = || [malformed("a b", ILLEGAL, "FunctionBlockId"), unknown("nothing", ILLEGAL, "\"nothing\"")];
    let of_features =
        || [unknown(json!(["Gone"]), ILLEGAL, "no \"Gone\""), too_many(names(101), ILLEGAL, "more than 100")];
    let eleven: Vec<_> = (0..11).map(|at| format!("F{at}")).collect();
    let no_type = r#"{"properties":[{"identifier":"A"}]}"#;
    vec![
        of("QueryThingModel GetThingModelTsl GetThingModelTslPublished", "ModelVersion", version()),
        of("QueryThingModel GetThingModelTsl GetThingModelTslPublished", "FunctionBlockId", module()),
        of(
            "ImportThingModelTsl",
            "TslStr",
            [
                missing("MissingTslStr"),
                malformed("{", ILLEGAL, "TslStr"),
                malformed(r#"{"services":1}"#, ILLEGAL, "services"),
            ],
        ),
        // A module that is not there yet is made, and must have a name.
        of(
            "ImportThingModelTsl CreateThingModel",
            "FunctionBlockId",
            [
                malformed("a b", ILLEGAL, "FunctionBlockId"),
                unknown("nothing", "MissingFunctionBlockName", "FunctionBlockName"),
            ],
        ),
        of(
            "UpdateThingModel DeleteThingModel",
            "FunctionBlockId",
            [
                malformed("a b", ILLEGAL, "FunctionBlockId"),
                unknown("nothing", ILLEGAL, "is nothing, which the model does not have"),
            ],
        ),
        of(
            "PublishThingModel",
            "ModelVersion",
            [malformed("1 2", ILLEGAL, "letters, digits and periods"), too_many(long(17), ILLEGAL, "1 to 16")],
        ),
        of("PublishThingModel", "Description", [too_many(long(101), ILLEGAL, "100 characters")]),
        of(
            "CreateThingModel UpdateThingModel",
            "ThingModelJson",
            [
                missing("MissingThingModelJson"),
                malformed("{", ILLEGAL, "no JSON"),
                malformed("{}", ILLEGAL, "no feature"),
                malformed(no_type, ILLEGAL, "dataType is missing"),
                malformed(property("a b"), ILLEGAL, "a b"),
                too_many(properties(&eleven), ILLEGAL, "at most 10"),
            ],
        ),
        of("UpdateThingModel", "Identifier", [missing(ILLEGAL), unknown("Gone", ILLEGAL, "no \"Gone\"")]),
        of("DeleteThingModel", "PropertyIdentifier", of_features()),
        of("DeleteThingModel", "ServiceIdentifier", of_features()),
        of("DeleteThingModel", "EventIdentifier", of_features()),
    ]
}
