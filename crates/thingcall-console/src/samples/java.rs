//! Java with `aliyun-java-sdk-core`.

use super::literal::java;
use super::{Ask, CONNECT_SECONDS, READ_SECONDS, lines};

/// The code.
pub(super) fn code(ask: &Ask<'_>) -> String {
    format!(
        r#"import com.aliyuncs.CommonRequest;
import com.aliyuncs.CommonResponse;
import com.aliyuncs.DefaultAcsClient;
import com.aliyuncs.IAcsClient;
import com.aliyuncs.http.MethodType;
import com.aliyuncs.http.ProtocolType;
import com.aliyuncs.profile.DefaultProfile;

public class Call {{
    public static void main(String[] args) throws Exception {{
        DefaultProfile profile = DefaultProfile.getProfile(
            "cn-shanghai",
            System.getenv("ALIBABA_CLOUD_ACCESS_KEY_ID"),
            System.getenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET"));
        IAcsClient client = new DefaultAcsClient(profile);

        CommonRequest request = new CommonRequest();
        request.setSysDomain({endpoint});
        request.setSysProtocol(ProtocolType.HTTP);
        request.setSysMethod(MethodType.POST);
        request.setSysVersion("2018-01-20");
        request.setSysAction("{action}");
        request.putQueryParameter("Format", "JSON");
        // In milliseconds; a synchronous call may take 8 seconds.
        request.setSysConnectTimeout({connect});
        request.setSysReadTimeout({read});
{params}
        CommonResponse response = client.getCommonResponse(request);
        System.out.println(response.getData());
    }}
}}
"#,
        endpoint = java(ask.endpoint),
        action = ask.action,
        connect = CONNECT_SECONDS * 1000,
        read = READ_SECONDS * 1000,
        params =
            lines(ask, |name, text| format!("        request.putQueryParameter({}, {});\n", java(name), java(text))),
    )
}
