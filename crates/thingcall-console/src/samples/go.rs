//! Go with `alibaba-cloud-sdk-go`.

use super::literal::go;
use super::{Ask, CONNECT_SECONDS, READ_SECONDS, lines};

/// The code.
pub(super) fn code(ask: &Ask<'_>) -> String {
    format!(
        r#"package main

import (
	"fmt"
	"os"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
)

func main() {{
	// The SDK sends a request again by itself: a device would be called again.
	config := sdk.NewConfig().WithAutoRetry(false)
	key := credentials.NewAccessKeyCredential(
		os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_ID"),
		os.Getenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
	)
	client, err := sdk.NewClientWithOptions("cn-shanghai", config, key)
	if err != nil {{
		panic(err)
	}}

	request := requests.NewCommonRequest()
	request.Method = "POST"
	request.Scheme = "http"
	request.Domain = {endpoint}
	request.Version = "2018-01-20"
	request.ApiName = "{action}"
	// A synchronous call may take 8 seconds.
	request.SetConnectTimeout({CONNECT_SECONDS} * time.Second)
	request.SetReadTimeout({READ_SECONDS} * time.Second)
{params}
	response, err := client.ProcessCommonRequest(request)
	if err != nil {{
		panic(err)
	}}
	fmt.Println(response.GetHttpContentString())
}}
"#,
        endpoint = go(ask.endpoint),
        action = ask.action,
        params = lines(ask, |name, text| format!("\trequest.QueryParams[{}] = {}\n", go(name), go(text))),
    )
}
