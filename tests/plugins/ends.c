/* A plugin for tests that ends the server. In a call it does what param1 says: 1 a wild write, 2 abort, 3 exit, 4 _exit,
 * 5 a stack that overflows; anything else it answers. Built with -DIF_THERE="\"PATH\"" it does what -DAT_LOAD=n says when
 * it is created, if that file is there; with -DAWAITS="\"PATH\"" it is not created before that file is there. */
#define _DEFAULT_SOURCE
#include "thingcall_plugin.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef AT_LOAD
#define AT_LOAD 1
#endif

static const thingcall_host_api *H;

static volatile int deep = 1;
static int overflow(volatile char *above) {
  volatile char here[4096];
  here[0] = *above;
  return deep ? overflow(here) + here[0] : 0;
}

static void deed(int which) {
  volatile char one = 1;
  switch (which) {
  case 1: *(volatile int *)(uintptr_t)(one - 1) = 1; break;
  case 2: abort();
  case 3: exit(0);
  case 4: _exit(0);
  case 5: overflow(&one); break;
  default: break;
  }
}

static int32_t create(const thingcall_host_api *host, thingcall_token plugin, const thingcall_bytes *config,
                      thingcall_out *err, void **self) {
  (void)plugin; (void)config; (void)err; (void)self;
  H = host;
#ifdef AWAITS
  while (access(AWAITS, F_OK) != 0) usleep(1000);
#endif
#ifdef IF_THERE
  if (access(IF_THERE, F_OK) == 0) deed(AT_LOAD);
#endif
  return THINGCALL_OK;
}

static int32_t begin(void *self, thingcall_token call, const thingcall_request *request, void **state) {
  static const char key[] = "\"param1\":", data[] = "{\"param1\":1}";
  thingcall_result answer = { sizeof answer, THINGCALL_OK, 200, 0, { (const uint8_t *)data, sizeof data - 1 }, { 0, 0 } };
  size_t n;
  (void)self; (void)state;
  for (n = 0; n + sizeof key <= request->args.len; n++)
    if (memcmp(request->args.ptr + n, key, sizeof key - 1) == 0) deed(atoi((const char *)request->args.ptr + n + sizeof key - 1));
  return H->complete(call, &answer);
}

static void destroy(void *self) { (void)self; }

static const thingcall_plugin_api API = { sizeof API, THINGCALL_ABI_MAJOR, THINGCALL_ABI_MINOR, create, begin, 0, 0, 0, 0,
                                          destroy };
THINGCALL_EXPORT const thingcall_plugin_api *thingcall_plugin_entry_v1(void) { return &API; }
THINGCALL_MANIFEST("ends", "1.0.0", "[\"testFb:testService\"]");
