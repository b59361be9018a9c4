//! The device's side in C with Link SDK 4: it gets a call of a service and answers it.

use super::DeviceSide;
use super::literal::c;

/// What is the same for every device.
const BEGIN: &str = r#"#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aiot_dm_api.h"
#include "aiot_mqtt_api.h"
#include "aiot_state_api.h"
#include "aiot_sysdep_api.h"

extern aiot_sysdep_portfile_t g_aiot_sysdep_portfile;
"#;

/// What is done with a call.
const RECEIVED: &str = r#"static void received(void *dm, const aiot_dm_recv_t *recv, void *userdata)
{
    aiot_dm_msg_t reply;

    (void)userdata;
    memset(&reply, 0, sizeof(reply));
    switch (recv->type) {
        case AIOT_DMRECV_SYNC_SERVICE_INVOKE:
            /* Its caller waits, 8 seconds at most. */
            printf("%s %.*s\n", recv->data.sync_service_invoke.service_id,
                   (int)recv->data.sync_service_invoke.params_len, recv->data.sync_service_invoke.params);
            if (strcmp(recv->data.sync_service_invoke.service_id, SERVICE) != 0) {
                return;
            }
            reply.type = AIOT_DMMSG_SYNC_SERVICE_REPLY;
            reply.data.sync_service_reply.rrpc_id = recv->data.sync_service_invoke.rrpc_id;
            reply.data.sync_service_reply.msg_id = recv->data.sync_service_invoke.msg_id;
            reply.data.sync_service_reply.service_id = recv->data.sync_service_invoke.service_id;
            reply.data.sync_service_reply.code = 200;
            reply.data.sync_service_reply.data = ANSWER;
            break;
        case AIOT_DMRECV_ASYNC_SERVICE_INVOKE:
            printf("%s %.*s\n", recv->data.async_service_invoke.service_id,
                   (int)recv->data.async_service_invoke.params_len, recv->data.async_service_invoke.params);
            if (strcmp(recv->data.async_service_invoke.service_id, SERVICE) != 0) {
                return;
            }
            reply.type = AIOT_DMMSG_ASYNC_SERVICE_REPLY;
            reply.data.async_service_reply.msg_id = recv->data.async_service_invoke.msg_id;
            reply.data.async_service_reply.service_id = recv->data.async_service_invoke.service_id;
            reply.data.async_service_reply.code = 200;
            reply.data.async_service_reply.data = ANSWER;
            break;
        default:
            return;
    }
    if (aiot_dm_send(dm, &reply) < 0) {
        fprintf(stderr, "the answer was not sent\n");
    }
}
"#;

/// The code.
pub(super) fn code(side: &DeviceSide<'_>) -> String {
    let (service, answer) = (c(side.service), c(side.answer));
    format!(
        r#"{BEGIN}
static const char *SERVICE = {service};
/* What the service answers, as JSON: a float or double with its point. */
static char ANSWER[] = {answer};

{RECEIVED}
{main}"#,
        main = main(side),
    )
}

fn main(side: &DeviceSide<'_>) -> String {
    let (host, port) = side.broker;
    format!(
        r#"int main(void)
{{
    uint16_t port = {port};
    aiot_sysdep_network_cred_t without_tls;
    char *secret = getenv("DEVICE_SECRET");
    void *mqtt, *dm;

    if (secret == NULL) {{
        fprintf(stderr, "DEVICE_SECRET is not set\n");
        return 1;
    }}
    aiot_sysdep_set_portfile(&g_aiot_sysdep_portfile);
    memset(&without_tls, 0, sizeof(without_tls));
    without_tls.option = AIOT_SYSDEP_NETWORK_CRED_NONE;

    mqtt = aiot_mqtt_init();
    aiot_mqtt_setopt(mqtt, AIOT_MQTTOPT_HOST, (void *){host});
    aiot_mqtt_setopt(mqtt, AIOT_MQTTOPT_PORT, (void *)&port);
    aiot_mqtt_setopt(mqtt, AIOT_MQTTOPT_PRODUCT_KEY, (void *){product});
    aiot_mqtt_setopt(mqtt, AIOT_MQTTOPT_DEVICE_NAME, (void *){device});
    aiot_mqtt_setopt(mqtt, AIOT_MQTTOPT_DEVICE_SECRET, (void *)secret);
    aiot_mqtt_setopt(mqtt, AIOT_MQTTOPT_NETWORK_CRED, (void *)&without_tls);

    dm = aiot_dm_init();
    aiot_dm_setopt(dm, AIOT_DMOPT_MQTT_HANDLE, mqtt);
    aiot_dm_setopt(dm, AIOT_DMOPT_RECV_HANDLER, (void *)received);

    if (aiot_mqtt_connect(mqtt) < STATE_SUCCESS) {{
        fprintf(stderr, "no connection\n");
        return 1;
    }}
    for (;;) {{
        aiot_mqtt_process(mqtt); /* keep-alive and messages that are sent again */
        if (aiot_mqtt_recv(mqtt) < STATE_SUCCESS) {{
            sleep(1); /* it connects again by itself */
        }}
    }}
}}
"#,
        host = c(host),
        product = c(side.product),
        device = c(side.device),
    )
}
