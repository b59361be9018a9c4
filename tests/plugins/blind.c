/* Translates for devices whose bytes hold no id: a command is its service's name, an answer the JSON of its data, and a
 * report begins with '!'. The message of an answer is the service that decode was told. */
#include "thingcall_plugin.h"

#include <stdio.h>
#include <stdlib.h>

static const thingcall_host_api *host;

static int32_t create(const thingcall_host_api *api, thingcall_token plugin, const thingcall_bytes *config,
                      thingcall_out *error, void **self) {
  (void)plugin, (void)config, (void)error;
  host = api;
  *self = (void *)&host;
  return THINGCALL_OK;
}

static void destroy(void *self) { (void)self; }

static int32_t encode(void *self, const thingcall_codec_req *asked, thingcall_out *out) {
  (void)self;
  return host->out_write(out, asked->identifier.ptr, asked->identifier.len);
}

static int32_t decode(void *self, const thingcall_codec_req *asked, thingcall_out *out) {
  char json[256];
  int length;
  (void)self;
  if (asked->input.len > 0 && asked->input.ptr[0] == '!') {
    length = snprintf(json, sizeof json, "{\"method\":\"thing.event.property.post\",\"params\":{}}");
  } else {
    length = snprintf(json, sizeof json, "{\"code\":200,\"message\":\"%.*s\",\"data\":%.*s}", (int)asked->identifier.len,
                      (const char *)asked->identifier.ptr, (int)asked->input.len, (const char *)asked->input.ptr);
  }
  return host->out_write(out, (const uint8_t *)json, (size_t)length);
}

static const thingcall_plugin_api API = {
    .struct_size = sizeof API,
    .abi_major = THINGCALL_ABI_MAJOR,
    .abi_minor = THINGCALL_ABI_MINOR,
    .create = create,
    .decode = decode,
    .encode = encode,
    .destroy = destroy,
};

THINGCALL_EXPORT const thingcall_plugin_api *thingcall_plugin_entry_v1(void) { return &API; }

THINGCALL_MANIFEST_WITH_CODEC("blind", "1.0.0", "[]", "[\"a1RawMeter1\"]");
