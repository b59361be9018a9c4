//! C# with `aliyun-net-sdk-core`.

use super::literal::csharp;
use super::{Ask, CONNECT_SECONDS, READ_SECONDS, lines};

/// The code.
pub(super) fn code(ask: &Ask<'_>) -> String {
    format!(
        r#"using System;
using System.Text;
using Aliyun.Acs.Core;
using Aliyun.Acs.Core.Http;
using Aliyun.Acs.Core.Profile;

class Call
{{
    static void Main()
    {{
        IClientProfile profile = DefaultProfile.GetProfile(
            "cn-shanghai",
            Environment.GetEnvironmentVariable("ALIBABA_CLOUD_ACCESS_KEY_ID"),
            Environment.GetEnvironmentVariable("ALIBABA_CLOUD_ACCESS_KEY_SECRET"));
        DefaultAcsClient client = new DefaultAcsClient(profile);
        // In milliseconds; a synchronous call may take 8 seconds.
        client.SetConnectTimeoutInMilliSeconds({connect});
        client.SetReadTimeoutInMilliSeconds({read});

        CommonRequest request = new CommonRequest();
        request.Protocol = ProtocolType.HTTP;
        request.Domain = {endpoint};
        request.Method = MethodType.POST;
        request.Version = "2018-01-20";
        request.Action = "{action}";
{params}
        CommonResponse response = client.GetCommonResponse(request);
        Console.WriteLine(Encoding.UTF8.GetString(response.HttpResponse.Content));
    }}
}}
"#,
        connect = CONNECT_SECONDS * 1000,
        read = READ_SECONDS * 1000,
        endpoint = csharp(ask.endpoint),
        action = ask.action,
        params = lines(ask, |name, text| format!(
            "        request.AddQueryParameters({}, {});\n",
            csharp(name),
            csharp(text)
        )),
    )
}
