//! PHP with `alibabacloud/client`.

use super::literal::php;
use super::{Ask, CONNECT_SECONDS, READ_SECONDS, lines};

/// The code.
pub(super) fn code(ask: &Ask<'_>) -> String {
    format!(
        r"<?php

require __DIR__ . '/vendor/autoload.php';

use AlibabaCloud\Client\AlibabaCloud;

AlibabaCloud::accessKeyClient(
    getenv('ALIBABA_CLOUD_ACCESS_KEY_ID'),
    getenv('ALIBABA_CLOUD_ACCESS_KEY_SECRET')
)->regionId('cn-shanghai')->asDefaultClient();

$result = AlibabaCloud::rpc()
    ->product('Iot')
    ->scheme('http')
    ->host({endpoint})
    ->version('2018-01-20')
    ->action('{action}')
    ->method('POST')
    ->connectTimeout({CONNECT_SECONDS})
    ->timeout({READ_SECONDS}) // seconds; a synchronous call may take 8
    ->options([
        'query' => [
{params}        ],
    ])
    ->request();

echo json_encode($result->toArray(), JSON_PRETTY_PRINT | JSON_UNESCAPED_UNICODE), PHP_EOL;
",
        endpoint = php(ask.endpoint),
        action = ask.action,
        params = lines(ask, |name, text| format!("            {} => {},\n", php(name), php(text))),
    )
}
