/* Handles the calls of the module myPlugin: asks the device, once more if it does not answer in time, and says in the
 * answer's message how many times it asked. thingcall_plugin.h tells the rules; README.md how to build and try it. */
#include "thingcall_plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES_MAX 2
#define TRY_MS 3000

static const thingcall_host_api *host;

/* One call, from begin() to end(). */
struct call {
  thingcall_token token;
  int tries;
  thingcall_bytes args; /* the request's, valid until end() returns */
};

static void on_reply(void *user, const thingcall_result *reply);

/* An operation's number, or an error below 0. */
static int32_t ask(struct call *call) {
  thingcall_forward forward = {0};
  forward.struct_size = sizeof forward;
  forward.timeout_ms = TRY_MS;
  forward.args = call->args;
  call->tries++;
  return host->forward(call->token, &forward, on_reply, call);
}

static void on_reply(void *user, const thingcall_result *reply) {
  struct call *call = user;
  thingcall_result answer = {0};
  char message[32];
  if (reply->status == THINGCALL_E_CANCELLED) return; /* the caller has gone; end() frees */
  if (reply->status == THINGCALL_E_TIMEOUT && call->tries < TRIES_MAX && ask(call) > 0) return;
  if (reply->status < 0) { /* pass the failure on as it is */
    host->complete(call->token, reply);
    return;
  }
  answer.struct_size = sizeof answer;
  answer.code = reply->code;
  answer.data = reply->data;
  answer.message.ptr = (const uint8_t *)message;
  answer.message.len = (size_t)snprintf(message, sizeof message, "asked %d times", call->tries);
  host->complete(call->token, &answer);
}

static int32_t begin(void *self, thingcall_token token, const thingcall_request *request, void **state) {
  struct call *call = malloc(sizeof *call);
  int32_t started;
  (void)self;
  if (!call) return THINGCALL_E_LIMIT;
  call->token = token;
  call->tries = 0;
  call->args = request->args;
  *state = call; /* from now on end() comes, and the request stays */
  started = ask(call);
  return started < 0 ? started : THINGCALL_OK;
}

static void end(void *self, thingcall_token token, void *state, int32_t reason) {
  (void)self, (void)token, (void)reason;
  free(state);
}

static int32_t create(const thingcall_host_api *given, thingcall_token plugin, const thingcall_bytes *config,
                      thingcall_out *error, void **self) {
  (void)plugin, (void)config, (void)error;
  host = given;
  *self = NULL;
  return THINGCALL_OK;
}

static const thingcall_plugin_api api = {
    .struct_size = sizeof api,
    .abi_major = THINGCALL_ABI_MAJOR,
    .abi_minor = THINGCALL_ABI_MINOR,
    .create = create,
    .begin = begin,
    .end = end,
};

THINGCALL_EXPORT const thingcall_plugin_api *thingcall_plugin_entry_v1(void) { return &api; }

THINGCALL_MANIFEST("my-plugin", "0.1.0", "[\"myPlugin:*\"]");
