/* A plugin for tests. NAME and CLAIMS are strings; ANSWER (a JSON object) is what it answers. With MARK, one letter, it
 * puts the letter in front of the last two bytes of the arguments, calls the device with them and passes on its answer.
 */
#define _DEFAULT_SOURCE
#include "thingcall_plugin.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef ANSWER
#define ANSWER "{}"
#endif
#ifndef CODECS
#define CODECS "[]"
#endif
#ifndef VERSION
#define VERSION "1.0.0"
#endif
#ifndef TABLE_MAJOR
#define TABLE_MAJOR THINGCALL_ABI_MAJOR
#endif
#ifndef TABLE_SIZE
#define TABLE_SIZE sizeof(thingcall_plugin_api)
#endif

static const thingcall_host_api *host;

#ifdef CONSTRUCTED
/* Leaves a file behind, so that a test sees that code ran. */
#include <stdio.h>
__attribute__((constructor)) static void constructed(void) { fclose(fopen(CONSTRUCTED, "w")); }
#endif

#ifdef STATIC_TLS
__attribute__((tls_model("initial-exec"))) __thread int counter;
int thingcall_test_count(void) { return ++counter; }
#endif

static int32_t create(const thingcall_host_api *given, thingcall_token plugin, const thingcall_bytes *config,
                      thingcall_out *err, void **self) {
  (void)plugin; (void)config; (void)err; (void)self;
  host = given;
#ifdef CREATE_AWAITS
  while (access(CREATE_AWAITS, F_OK)) usleep(1000);
#endif
#ifdef CREATE_SAYS
  host->out_write(err, (const uint8_t *)CREATE_SAYS, strlen(CREATE_SAYS));
  return THINGCALL_E_INVAL;
#else
  return THINGCALL_OK;
#endif
}

#ifdef MARK
static void pass_on(void *user, const thingcall_result *result) {
  thingcall_token call = (thingcall_token)(uintptr_t)user;
  host->complete(call, result);
}
#endif

static int32_t begin(void *self, thingcall_token call, const thingcall_request *request, void **state) {
  (void)self; (void)state;
#ifdef MARK
  size_t length = request->args.len;
  uint8_t *args = malloc(length + 1);
  thingcall_forward forward = { sizeof forward, 0, 0, { args, length + 1 } };
  if (!args || length < 2) return THINGCALL_E_INVAL;
  memcpy(args, request->args.ptr, length - 2);
  args[length - 2] = MARK;
  memcpy(args + length - 1, request->args.ptr + length - 2, 2);
  int32_t operation = host->forward(call, &forward, pass_on, (void *)(uintptr_t)call);
  free(args);
  return operation < 0 ? operation : THINGCALL_OK;
#else
  (void)request;
  const char *data = ANSWER;
  thingcall_result result = { sizeof result, THINGCALL_OK, 200, 0, { (const uint8_t *)data, strlen(data) }, { 0, 0 } };
  host->complete(call, &result);
  return THINGCALL_OK;
#endif
}

#ifdef WITH_CODEC
static int32_t codec(void *self, const thingcall_codec_req *request, thingcall_out *out) {
  (void)self;
  return host->out_write(out, request->input.ptr, request->input.len);
}
#else
#define codec 0
#endif

static void destroy(void *self) { (void)self; }

#ifdef NO_BEGIN
#define begin 0
#endif

static const thingcall_plugin_api api = { TABLE_SIZE, TABLE_MAJOR, 7, create, begin, 0, 0, codec, codec, destroy };

#ifndef NO_ENTRY
const thingcall_plugin_api *thingcall_plugin_entry_v1(void) {
#ifdef NO_TABLE
  return 0;
#else
  return &api;
#endif
}
#endif

#ifdef MANIFEST
THINGCALL_EXPORT extern const char MANIFEST_SYMBOL[];
const char MANIFEST_SYMBOL[] = MANIFEST;
#else
THINGCALL_MANIFEST_WITH_CODEC(NAME, VERSION, CLAIMS, CODECS);
#endif
