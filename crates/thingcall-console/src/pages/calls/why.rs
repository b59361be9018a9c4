//! Why a call ended as it did, and what to check, in the words of whoever looks.

use crate::lang::Lang;

/// What an outcome means.
pub(super) fn meaning(lang: Lang, outcome: &str) -> &'static str {
    match outcome {
        "ok" => lang.say("The device did it.", "设备已执行。"),
        "device_error" => lang.say("The device answered with a code other than 200.", "设备返回了非 200 的结果码。"),
        "timeout" => lang.say("No answer came in time.", "设备未在规定时间内应答。"),
        "offline" => lang
            .say("The device is not connected, or went away while it was asked.", "设备未连接，或在调用过程中断开。"),
        "not_delivered" => lang.say("The broker or the device refused the message.", "消息被代理或设备拒绝。"),
        "invalid_args" => lang.say("The arguments do not fit the thing model.", "入参不符合物模型。"),
        "invalid_reply" => lang.say(
            "The device's answer cannot be read or does not fit the thing model.",
            "设备的应答无法解析或不符合物模型。",
        ),
        "too_large" => lang.say("Arguments or message are larger than a limit.", "入参或消息超过上限。"),
        "unknown_target" => {
            lang.say("There is no such product, device, module or service.", "产品、设备、模块或服务不存在。")
        }
        "denied" => lang.say("The key may not, or the device is disabled.", "密钥无权限，或设备已禁用。"),
        "throttled" => lang.say("The key's or account's quota is used up.", "调用配额已用尽。"),
        "overloaded" => lang.say("A limit of this server is reached.", "达到本服务器的上限。"),
        "transport_down" => {
            lang.say("The connection to the broker is down or was lost.", "与消息代理的连接不可用或已断开。")
        }
        "plugin_failed" => lang.say("A plugin failed.", "插件执行失败。"),
        "cancelled" => lang.say("The caller hung up, or an operator ended it.", "调用方断开，或被运维人员取消。"),
        "draining" => lang.say("The server was shutting down.", "服务器正在关闭。"),
        "no_lease" => lang.say("This instance had no lease in the store.", "该实例没有存储租约。"),
        "queued" => {
            lang.say("It has not left: it waits for its device, or for its turn.", "尚未发送：等待设备或排队中。")
        }
        "sent" => lang.say("It left for its device, which has not answered.", "已发送，设备尚未应答。"),
        "acked" => lang.say("The device or its broker has it; no answer came yet.", "设备或消息代理已收到，尚未应答。"),
        "internal" => lang.say("A fault of the server's own.", "服务器内部错误。"),
        _ => "",
    }
}

/// What to check of each outcome, one thing a line, in both languages.
const CHECKS: &[(&str, &[(&str, &str)])] = &[
    (
        "sent",
        &[(
            "Its device's page shows whether it is connected, and its last message that led to nothing, such as an answer with another id.",
            "设备页面显示其是否在线，以及最近一条未被采用的消息（例如 id 不符的应答）。",
        )],
    ),
    (
        "device_error",
        &[(
            "The code and the message are the device's own: look at its program, or at the plugin's.",
            "结果码和消息来自设备本身：请检查设备或插件程序。",
        )],
    ),
    (
        "timeout",
        &[
            (
                "Does the device take the request below, and answer it with the same id?",
                "设备是否收到下方的请求，并用相同的 id 应答？",
            ),
            (
                "Its page shows what it sent last that led to nothing, with the reason.",
                "设备页面显示最近一条未被采用的消息及其原因。",
            ),
            (
                "It may have executed the call: an answer that comes later is told here.",
                "设备可能已执行该调用：迟到的应答会显示在此页。",
            ),
        ],
    ),
    (
        "offline",
        &[
            (
                "Is the device on and connected to this server or to its broker? Its page says since when it is away.",
                "设备是否已开机并连接到本服务器或其消息代理？设备页面显示离线时间。",
            ),
            (
                "If it cannot log in, its page and the log say why it was refused.",
                "若设备无法登录，设备页面和日志会说明拒绝原因。",
            ),
        ],
    ),
    ("not_delivered", &[("The text above says who refused it and why.", "上方文字说明了被谁拒绝及原因。")]),
    (
        "invalid_args",
        &[(
            "Hold the arguments below against the service's inputs on the product's page; a float or double needs its point (10.0).",
            "对照产品页面检查入参；float 或 double 必须带小数点（10.0）。",
        )],
    ),
    (
        "invalid_reply",
        &[(
            "Hold the device's answer against the service's outputs; --reply-check of the product says how strict that is.",
            "对照服务的出参检查设备应答；产品的 --reply-check 决定校验的严格程度。",
        )],
    ),
    (
        "unknown_target",
        &[(
            "Look at the spelling: product key, device name, module:identifier. Products and devices are in the menu.",
            "检查拼写：ProductKey、DeviceName、模块:标识符。可在菜单中查看产品和设备。",
        )],
    ),
    (
        "denied",
        &[(
            "Look at the rules of the key, and whether the device is enabled.",
            "检查密钥的权限规则，以及设备是否启用。",
        )],
    ),
    (
        "throttled",
        &[(
            "[api] calls_per_second_max sets the quota; call more evenly or raise it.",
            "配额由 [api] calls_per_second_max 设置；请平稳调用或调高配额。",
        )],
    ),
    ("overloaded", &[("The overview shows which limit is full.", "概览页面显示哪个上限已满。")]),
    (
        "transport_down",
        &[(
            "The overview says whether the broker is there again, and why not.",
            "概览页面显示消息代理是否已恢复及原因。",
        )],
    ),
    (
        "plugin_failed",
        &[(
            "The plugin's page shows its circuit; the log has what it said.",
            "插件页面显示熔断状态；日志中有插件输出。",
        )],
    ),
    ("no_lease", &[("The server's log at that moment says more.", "请查看服务器当时的日志。")]),
    ("internal", &[("The server's log at that moment says more.", "请查看服务器当时的日志。")]),
];

/// What to check, one thing a line.
pub(super) fn checks(lang: Lang, outcome: &str) -> Vec<&'static str> {
    let of = CHECKS.iter().find(|(known, _)| *known == outcome).map_or(&[] as &[_], |(_, checks)| *checks);
    of.iter().map(|(english, chinese)| lang.say(english, chinese)).collect()
}
