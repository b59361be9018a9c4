//! What differs between two thing models, as a table, and whom it breaks.

use maud::{Markup, html};
use serde_json::Value;

use crate::lang::Lang;
use crate::shown::{list, number, table, text};

/// The table, with how many there are, and what breaks whom first.
pub(super) fn shown(lang: Lang, told: &Value) -> Markup {
    let mut all: Vec<_> = list(told, &["differences"]).iter().collect();
    all.sort_by_key(|difference| text(difference, "breaks").is_empty());
    let (total, breaking) = (number(told, "total"), number(told, "breaking"));
    let rows: Vec<_> = all.iter().map(|difference| row(lang, difference)).collect();
    let heads = [
        lang.say("Part", "功能"),
        lang.say("Field", "字段"),
        lang.say("What differs", "变化"),
        lang.say("It was", "原值"),
        lang.say("It is", "新值"),
        lang.say("Breaks", "影响"),
    ];
    html! {
        @if total == 0 {
            p.well { (lang.say("It changes nothing.", "没有任何变化。")) }
        } @else {
            p {
                @if breaking == 0 { span.well { (lang.say("It breaks nobody.", "不影响现有的调用。")) } }
                @else { strong.breaks { (breaking) (lang.say(" of the differences break somebody.", " 项变化会影响现有的使用方。")) } }
            }
            (table(&format!("{} ({total})", lang.say("Differences to the model in force", "与当前生效物模型的差异")), &heads, &rows, ""))
            @if total > rows.len() as u64 { p.hint { "+" (total - rows.len() as u64) " " (lang.say("more", "项")) } }
        }
    }
}

fn row(lang: Lang, difference: &Value) -> Vec<Markup> {
    let aspect = match text(difference, "aspect").as_str() {
        "added" => lang.say("new", "新增"),
        "removed" => lang.say("gone", "删除"),
        "type" => lang.say("its values", "数据类型"),
        "required" => lang.say("whether it must be there", "是否必填"),
        "mode" => lang.say("whether callers wait", "调用方式"),
        "access" => lang.say("who sets it", "读写类型"),
        "level" => lang.say("its level", "事件类型"),
        "unit" => lang.say("its unit", "单位"),
        _ => lang.say("names and descriptions", "名称与描述"),
    };
    let breaks = match text(difference, "breaks").as_str() {
        "calls" => {
            lang.say("callers: calls as before are refused, or get no result", "调用方：原有调用被拒绝或得不到结果")
        }
        "strict_calls" => lang.say("callers, where arguments are checked strictly", "强校验下的调用方"),
        "readers" => lang.say("those who read answers and reports", "读取结果与上报数据的应用"),
        "devices" => lang.say("devices: answers and reports as before do not fit", "设备：原有应答与上报不再符合"),
        _ => "",
    };
    vec![
        html! { code { (text(difference, "part")) } },
        html! { code { (text(difference, "field")) } },
        html! { (aspect) },
        html! { (text(difference, "from")) },
        html! { (text(difference, "to")) },
        html! { @if breaks.is_empty() { span.hint { (lang.say("nobody", "无")) } } @else { strong.breaks { (breaks) } } },
    ]
}
