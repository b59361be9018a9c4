//! Actions of products.

use thingcall_core::{ActionGroup, ActionSheet, Need, ParamKind, ParamSheet, both};

use super::common::{CURRENT_PAGE, PRODUCT_KEY, page_size};
use super::sheet;

const NAME: ParamSheet = ParamSheet::required(
    "ProductName",
    ParamKind::Text { characters_max: Some(30) },
    both("What it is called, up to 30 characters", "产品名称，最多 30 个字符"),
    "Lamp",
);

const DESCRIPTION: ParamSheet = ParamSheet::optional(
    "Description",
    ParamKind::Text { characters_max: Some(100) },
    both("What it is, up to 100 characters", "产品描述，最多 100 个字符"),
    "a lamp",
);

const COMMODITY: ParamSheet = ParamSheet::optional(
    "AliyunCommodityCode",
    ParamKind::Choice(&[
        ("iothub_senior", both("with a thing model", "有物模型")),
        ("iothub", both("without one", "无物模型")),
    ]),
    both("Whether it has a thing model", "产品版本"),
    "iothub_senior",
);

const NODE_TYPE: ParamKind = ParamKind::Choice(&[("0", both("a device", "直连设备"))]);
const DATA_FORMAT: ParamKind =
    ParamKind::Choice(&[("1", both("Alink JSON", "Alink JSON")), ("0", both("its own bytes", "透传/自定义"))]);
const VALIDATE_TYPE: ParamKind = ParamKind::Choice(&[
    ("1", both("held against the thing model", "弱校验")),
    ("2", both("not checked; every call is asynchronous", "免校验，调用均为异步")),
]);
const NET_TYPE: ParamKind = ParamKind::Choice(&[
    ("WIFI", both("Wi-Fi", "Wi-Fi")),
    ("CELLULAR", both("cellular", "蜂窝")),
    ("ETHERNET", both("Ethernet", "以太网")),
    ("OTHER", both("something else", "其他")),
]);

pub(super) const ALL: &[ActionSheet] = &[
    sheet(
        "CreateProduct",
        ActionGroup::Products,
        both("Makes a product.", "创建产品。"),
        &[
            NAME,
            ParamSheet::required("NodeType", NODE_TYPE, both("What its devices are", "节点类型"), "0"),
            COMMODITY,
            ParamSheet::optional("DataFormat", DATA_FORMAT, both("What its devices speak", "数据格式"), "1"),
            ParamSheet::optional("ValidateType", VALIDATE_TYPE, both("How calls are checked", "校验类型"), "1"),
            ParamSheet::optional("NetType", NET_TYPE, both("How its devices are connected", "联网方式"), "WIFI"),
            DESCRIPTION,
        ],
    ),
    sheet("QueryProduct", ActionGroup::Products, both("Reads a product.", "查询产品详情。"), &[PRODUCT_KEY]),
    sheet(
        "QueryProductList",
        ActionGroup::Products,
        both("Lists products, the newest first.", "查询产品列表，按创建时间倒序。"),
        &[
            ParamSheet { need: Need::Always, ..CURRENT_PAGE },
            ParamSheet { need: Need::Always, ..page_size(200) },
            COMMODITY,
        ],
    ),
    sheet(
        "UpdateProduct",
        ActionGroup::Products,
        both("Gives a product another name or description.", "修改产品名称和描述。"),
        &[PRODUCT_KEY, NAME, DESCRIPTION],
    ),
    sheet(
        "DeleteProduct",
        ActionGroup::Products,
        both("Forgets a product that has no devices.", "删除没有设备的产品。"),
        &[PRODUCT_KEY],
    ),
];
