//! C++ with `aliyun-openapi-cpp-sdk`.

use super::literal::c;
use super::{Ask, CONNECT_SECONDS, READ_SECONDS, lines};

/// The code. The SDK takes the action for a parameter like others.
pub(super) fn code(ask: &Ask<'_>) -> String {
    format!(
        r#"#include <cstdlib>
#include <iostream>

#include <alibabacloud/core/AlibabaCloud.h>
#include <alibabacloud/core/CommonClient.h>
#include <alibabacloud/core/CommonRequest.h>
#include <alibabacloud/core/CommonResponse.h>

static std::string environment(const char *name) {{
    const char *value = std::getenv(name);
    return value ? value : "";
}}

int main() {{
    AlibabaCloud::InitializeSdk();
    AlibabaCloud::ClientConfiguration configuration("cn-shanghai");
    // In milliseconds; a synchronous call may take 8 seconds.
    configuration.setConnectTimeout({connect});
    configuration.setReadTimeout({read});
    AlibabaCloud::Credentials key(
        environment("ALIBABA_CLOUD_ACCESS_KEY_ID"), environment("ALIBABA_CLOUD_ACCESS_KEY_SECRET"));
    AlibabaCloud::CommonClient client(key, configuration);

    AlibabaCloud::CommonRequest request(AlibabaCloud::CommonRequest::RequestPattern::RpcPattern);
    request.setScheme("http");
    request.setDomain({endpoint});
    request.setHttpMethod(AlibabaCloud::HttpRequest::Method::Post);
    request.setVersion("2018-01-20");
    request.setQueryParameter({action_name}, {action});
{params}
    auto outcome = client.commonResponse(request);
    if (outcome.isSuccess()) {{
        std::cout << outcome.result().payload() << std::endl;
    }} else {{
        std::cerr << outcome.error().errorCode() << ": " << outcome.error().errorMessage() << std::endl;
    }}
    AlibabaCloud::ShutdownSdk();
    return outcome.isSuccess() ? 0 : 1;
}}
"#,
        connect = CONNECT_SECONDS * 1000,
        read = READ_SECONDS * 1000,
        endpoint = c(ask.endpoint),
        action_name = c("Action"),
        action = c(ask.action),
        params = lines(ask, |name, text| format!("    request.setQueryParameter({}, {});\n", c(name), c(text))),
    )
}
