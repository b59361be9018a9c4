//! How a refused plugin is mended, by what its refusal says.

use crate::lang::Lang;

/// A part of a refusal, and what to do about it in both languages. The first that fits counts.
const MENDS: [(&str, &str, &str); 19] = [
    (
        "in a row",
        "mend it; a new file is tried by itself, the same one by force below",
        "修复后放入新文件会自动加载；同一文件需强制加载",
    ),
    (
        "ABI",
        "build it anew, from clean, with the header or crate of this server's release",
        "使用本服务器版本的头文件或 crate 重新完整编译",
    ),
    (
        "ELF file",
        "it is no library, or a part of one: copy it again beside, and then move it over",
        "不是完整的动态库：请先复制到旁边，再移动覆盖",
    ),
    (
        "not a thingcall plugin",
        "it is another library, or its manifest is hidden: export it (in Rust `plugin!` and crate-type cdylib)",
        "不是插件库，或清单符号未导出（Rust 使用 `plugin!` 与 cdylib）",
    ),
    (
        "not exported",
        "export its entry; look at version scripts and at what strip takes out",
        "导出入口符号，检查版本脚本与 strip 参数",
    ),
    (
        "nothing would reach it",
        "give it claims or codecs, in its manifest or in its section",
        "在清单或其配置段中加入 claims 或 codecs",
    ),
    (
        "already, so",
        "give one of the two other claims or codecs, or an order",
        "为其中一个插件修改 claims/codecs 或设置 order",
    ),
    ("both claim", "give one of the two another order", "为其中一个插件设置不同的 order"),
    (
        "claim",
        "write the claim as the text says, in its manifest or in its section",
        "按提示修正清单或配置段中的 claim",
    ),
    (
        "panic=abort",
        "take panic = \"abort\" out of its profile and build it anew",
        "从编译配置中移除 panic = \"abort\" 后重新编译",
    ),
    ("static TLS", "build it as the text says, or with the system's allocator", "按提示的参数编译，或使用系统分配器"),
    ("this host runs on", "build it for this machine", "按本机架构编译"),
    (
        "cannot load it",
        "build it on this system or an older one, and link all that it needs",
        "在本系统或更旧的系统上编译，并链接所需的库",
    ),
    (
        "create failed",
        "these are the plugin's own words: most often its configuration in its section is wrong",
        "这是插件自身的提示，多为其配置段有误",
    ),
    (
        "do not return",
        "its create must wait for nothing; restart the server if it holds locks",
        "create 不得等待；若持有锁则需重启服务器",
    ),
    (
        "run:",
        "run the command that the text names; nobody but the server's user may write there",
        "执行提示中的命令；仅允许服务器用户写入",
    ),
    (
        "allow-list",
        "add its SHA-256 to sha256_allowed in [loader], if it should run",
        "如需运行，将其 SHA-256 加入 [loader] 的 sha256_allowed",
    ),
    (
        "remove one of the two",
        "remove the file that should not run: a new version takes the place of the old file",
        "删除不需要的文件：新版本应替换旧文件",
    ),
    ("[plugins.", "mend its section of the configuration, and reload it", "修正其配置段后重新加载"),
];

/// What to do about it.
pub(super) fn of(lang: Lang, error: &str) -> &'static str {
    let found = MENDS.iter().find(|(part, ..)| error.contains(part));
    let (english, chinese) = found.map_or(
        (
            "put a file in its place as the text says; the server looks at it at once",
            "按提示放入正确的文件，服务器会立即检查",
        ),
        |(_, english, chinese)| (*english, *chinese),
    );
    lang.say(english, chinese)
}
