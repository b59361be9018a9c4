/* What fuzz.c writes down of its calls, and what it checks at every function that the host calls. */
#ifndef FUZZ_CALL_H
#define FUZZ_CALL_H
#include "thingcall_plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OPERATIONS_MAX 256

/* One forward or timer; told once if it was taken, else never. */
struct operation {
  struct call *call;
  int32_t number; /* what the host said; 0 while it has not */
  int told;
};

/* One call. It stays until its end came and no thread of ours uses it. */
struct call {
  thingcall_token token;
  const thingcall_request *request;
  unsigned long sum; /* of the request's bytes */
  char id[24];
  const char *next; /* of the program */
  const char *until;
  int users;
  int inside;
  int ended;
  int over;    /* it was answered, or end came: nothing may be taken any more */
  int answers; /* that were taken */
  int failed;  /* begin says that it failed */
  int operations;
  struct operation operation[OPERATIONS_MAX];
};

static const thingcall_host_api *H;
static thingcall_token plugin_token;
static int open_calls, records, background, destroyed;
static uint32_t metric;

static void need(int good, const char *what) {
  if (good) return;
  fprintf(stderr, "fuzz plugin: the host broke the contract: %s\n", what);
  abort();
}
static int load(const int *from) { return __atomic_load_n(from, __ATOMIC_SEQ_CST); }
static int add(int *to, int value) { return __atomic_add_fetch(to, value, __ATOMIC_SEQ_CST); }
static int swap(int *in, int value) { return __atomic_exchange_n(in, value, __ATOMIC_SEQ_CST); }

static void pause_ms(long ms) {
  struct timespec left;
  left.tv_sec = ms / 1000;
  left.tv_nsec = ms % 1000 * 1000000L;
  while (nanosleep(&left, &left) != 0) { }
}
static thingcall_bytes text(const char *words) {
  thingcall_bytes bytes;
  bytes.ptr = (const uint8_t *)words;
  bytes.len = strlen(words);
  return bytes;
}
/* Reads every byte, so that a memory checker sees those that cannot be read. */
static unsigned long sum(thingcall_bytes bytes) {
  unsigned long value = bytes.len;
  size_t n;
  need(bytes.ptr != NULL || bytes.len == 0, "NULL with a length");
  for (n = 0; n < bytes.len; n++) value = value * 31 + bytes.ptr[n];
  return value;
}
static unsigned long sum_request(const thingcall_request *request) {
  return sum(request->product_key) ^ sum(request->device_name) << 1 ^ sum(request->identifier) << 2 ^
         sum(request->module) << 3 ^ sum(request->service) << 4 ^ sum(request->request_id) << 5 ^
         sum(request->args) << 6;
}

/* ---- what holds of a call ---- */

static void enter(struct call *call) {
  need(call != NULL, "a function of a call without a state");
  need(swap(&call->inside, 1) == 0, "two functions of one call at once");
  need(!load(&call->ended), "a function after end");
  need(!load(&destroyed), "a function after destroy");
  need(sum_request(call->request) == call->sum, "the request changed");
}
static void leave(struct call *call) { need(swap(&call->inside, 0) == 1, "two functions of one call at once"); }

static void let_go(struct call *call) {
  int n;
  if (add(&call->users, -1) > 0) return;
  need(load(&call->ended), "a call without an end");
  for (n = 0; n < call->operations; n++)
    need(call->operation[n].told == (call->operation[n].number > 0), "not one done for one operation");
  free(call);
  add(&records, -1);
}

#endif
