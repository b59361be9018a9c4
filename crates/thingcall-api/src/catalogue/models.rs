//! Actions of thing models.

use thingcall_core::{ActionGroup, ActionSheet, Need, ParamKind, ParamSheet, both};

use super::common::{FUNCTION_BLOCK_ID, FUNCTION_BLOCK_NAME, MODEL_VERSION, PRODUCT_KEY, TEXT};
use super::sheet;

const MODEL_JSON: ParamSheet = ParamSheet::required(
    "ThingModelJson",
    ParamKind::Json,
    both(
        "Up to 10 features, as QueryThingModel shows them or as they stand in a TSL",
        "最多 10 个功能定义，格式同 QueryThingModel 返回或 TSL",
    ),
    r#"{"properties":[{"identifier":"Lamp","name":"Lamp","dataType":"BOOL","rwFlag":"READ_WRITE","dataSpecsList":[{"dataType":"BOOL","name":"off","value":0},{"dataType":"BOOL","name":"on","value":1}]}]}"#,
);

const TSL: ParamSheet = ParamSheet::required(
    "TslStr",
    ParamKind::Json,
    both("The module's TSL", "模块的物模型 TSL"),
    r#"{"profile":{"version":"1.5"},"properties":[],"events":[],"services":[]}"#,
);

/// The features of one kind that go.
const fn features(name: &'static str, en: &'static str, zh: &'static str) -> ParamSheet {
    ParamSheet::optional(name, ParamKind::Texts { count_max: 100 }, both(en, zh), "Lamp")
}

pub(super) const ALL: &[ActionSheet] = &[
    sheet(
        "QueryThingModel",
        ActionGroup::Models,
        both("Reads a module of a product's thing model.", "查询物模型的一个模块。"),
        &[PRODUCT_KEY, FUNCTION_BLOCK_ID, MODEL_VERSION],
    ),
    sheet(
        "GetThingModelTsl",
        ActionGroup::Models,
        both("Reads the TSL that was imported.", "查询导入的物模型 TSL。"),
        &[PRODUCT_KEY, FUNCTION_BLOCK_ID, MODEL_VERSION],
    ),
    sheet(
        "GetThingModelTslPublished",
        ActionGroup::Models,
        both("Reads the TSL in force, which is the one that was imported.", "查询生效的物模型 TSL；导入后立即生效。"),
        &[PRODUCT_KEY, FUNCTION_BLOCK_ID, MODEL_VERSION],
    ),
    sheet(
        "ListThingModelVersion",
        ActionGroup::Models,
        both(
            "Lists the latest thing models of a product, the one in force first.",
            "查询物模型历史版本，当前版本在最前。",
        ),
        &[PRODUCT_KEY],
    ),
    sheet(
        "ImportThingModelTsl",
        ActionGroup::Models,
        both("Sets a module of the thing model, in force at once.", "导入物模型的一个模块，立即生效。"),
        &[PRODUCT_KEY, TSL, FUNCTION_BLOCK_ID, FUNCTION_BLOCK_NAME],
    ),
    sheet(
        "PublishThingModel",
        ActionGroup::Models,
        both("Gives the newest version a number and a description, once.", "为最新版本设置版本号和描述，仅一次。"),
        &[
            PRODUCT_KEY,
            ParamSheet {
                kind: ParamKind::Text { characters_max: Some(16) },
                ..MODEL_VERSION.saying("1 to 16 letters, digits and periods", "版本号，1～16 个字母、数字或点")
            },
            ParamSheet::optional(
                "Description",
                ParamKind::Text { characters_max: Some(100) },
                both("What is new, up to 100 characters", "版本描述，最多 100 个字符"),
                "the first",
            ),
        ],
    ),
    sheet(
        "CreateThingModel",
        ActionGroup::Models,
        both("Adds features to a module, in force at once.", "为模块新增功能定义，立即生效。"),
        &[PRODUCT_KEY, MODEL_JSON, FUNCTION_BLOCK_ID, FUNCTION_BLOCK_NAME],
    ),
    sheet(
        "UpdateThingModel",
        ActionGroup::Models,
        both("Changes one feature, or a custom module's name.", "修改一个功能定义，或自定义模块的名称。"),
        &[
            PRODUCT_KEY,
            MODEL_JSON.unless(&["FunctionBlockName"]).saying("The feature as it is to be", "修改后的功能定义"),
            ParamSheet {
                need: Need::Unless(&["FunctionBlockName"]),
                ..ParamSheet::optional(
                    "Identifier",
                    TEXT,
                    both(
                        "The feature as it is called now; if not given it keeps its name",
                        "原标识符，不传则标识符不变",
                    ),
                    "Lamp",
                )
            },
            FUNCTION_BLOCK_ID,
            FUNCTION_BLOCK_NAME,
        ],
    ),
    sheet(
        "DeleteThingModel",
        ActionGroup::Models,
        both(
            "Takes features away; without any name a custom module, or, without FunctionBlockId, everything.",
            "删除功能定义；不传标识符则删除自定义模块，FunctionBlockId 也不传则删除全部。",
        ),
        &[
            PRODUCT_KEY,
            features("PropertyIdentifier", "Properties that go, up to 100", "要删除的属性，最多 100 个"),
            features("ServiceIdentifier", "Services that go, up to 100", "要删除的服务，最多 100 个"),
            features("EventIdentifier", "Events that go, up to 100", "要删除的事件，最多 100 个"),
            FUNCTION_BLOCK_ID,
        ],
    ),
];
