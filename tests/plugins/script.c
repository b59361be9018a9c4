/* A plugin for tests that does what its argument param1 says, good and evil, and ABORTS where the host breaks the
 * contract: two functions of one call at once, a done too many or too few, anything after end, anything after destroy.
 *
 * Build with -DVERSION="\"2.0.0\"" for another version, -DBLOCK_MS=n for how long it blocks, -DNAME="\"x\"" for another
 * name, -DALWAYS=n to do that whatever it is told. Every answer of its own has the VERSION as its message. */
#define _POSIX_C_SOURCE 200809L
#include "thingcall_plugin.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef VERSION
#define VERSION "1.0.0"
#endif
#ifndef NAME
#define NAME "script"
#endif
#ifndef BLOCK_MS
#define BLOCK_MS 3000
#endif

enum deed {
  PASS_ON = 0, ASK_TWICE = 1, ANSWER = 2, REFUSE = 3, ANSWER_TWICE = 4, ANSWER_LATER = 5, NEVER = 6,
  ANSWER_AFTER_END = 7, GARBAGE = 8, NULL_WITH_LENGTH = 9, HUGE_LENGTH = 10, SHORT_STRUCT = 11, INVENTED_STATUS = 12,
  BEGIN_FAILS = 13, BLOCK = 14, OUTLIVE = 15, MANY_OPERATIONS = 16, TIMERS = 17, WRONG_TOKENS = 18, WAKE_STORM = 19,
  ASK_AGAIN = 20, NO_STATE = 21, TOO_LARGE = 22, ARRAY = 23, NOT_UTF8 = 24, SPIN = 25
};

struct call {
  thingcall_token token;
  int deed;
  thingcall_bytes args; /* as called; valid until end */
  int inside;   /* a function of this call runs */
  int ended;
  int open;     /* operations that were not told their end */
  int left;     /* how many more must end before it answers */
  int polls;
};

static const thingcall_host_api *H;
static thingcall_token plugin_token;
static int states, destroyed;

static void broken(const char *what) {
  fprintf(stderr, "script plugin: the host broke the contract: %s\n", what);
  abort();
}
static void need(int good, const char *what) { if (!good) broken(what); }
static void enter(struct call *c) {
  need(!__atomic_exchange_n(&c->inside, 1, __ATOMIC_ACQ_REL), "two functions of one call at once");
  need(!c->ended, "a function after end");
  need(!__atomic_load_n(&destroyed, __ATOMIC_ACQUIRE), "a function after destroy");
}
static void leave(struct call *c) { __atomic_store_n(&c->inside, 0, __ATOMIC_RELEASE); }
static void pause_ms(long ms) {
  struct timespec t = { ms / 1000, (ms % 1000) * 1000000L };
  while (nanosleep(&t, &t) != 0) { }
}
static thingcall_bytes text(const char *s) { thingcall_bytes b = { (const uint8_t *)s, strlen(s) }; return b; }
static int32_t complete(thingcall_token token, int32_t status, int32_t code, thingcall_bytes data) {
  thingcall_result r = { sizeof r, status, code, 0, data, text(VERSION) };
  return H->complete(token, &r);
}
static int32_t answer(thingcall_token token) { return complete(token, THINGCALL_OK, 200, text("{\"param1\":1}")); }

static void on_thread(void *(*run)(void *), void *with) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, with) != 0) broken("no thread can be made");
  pthread_detach(thread);
}
static void *later(void *with) {
  thingcall_token token = *(thingcall_token *)with;
  free(with);
  pause_ms(20);
  answer(token);
  return NULL;
}
static void *after_end(void *with) {
  thingcall_token token = *(thingcall_token *)with;
  int n;
  free(with);
  for (n = 0; n < 3000 && H->remaining_ms(token) != THINGCALL_E_STALE; n++) pause_ms(10);
  need(answer(token) == THINGCALL_E_STALE, "a call that has ended was completed");
  return NULL;
}
static void *outlive(void *with) {
  thingcall_token token = *(thingcall_token *)with;
  thingcall_bytes target = text("outlives"), words = text("still here"), none = { 0, 0 };
  free(with);
  for (;;) {
    H->wake(token);
    answer(token);
    H->log(plugin_token, THINGCALL_LOG_TRACE, &target, &words, &none);
    pause_ms(1);
  }
  return NULL;
}
static void *storm(void *with) {
  thingcall_token token = *(thingcall_token *)with;
  int n;
  free(with);
  for (n = 0; n < 10000; n++) H->wake(token);
  answer(token);
  return NULL;
}
static void hand_over(void *(*run)(void *), thingcall_token token) {
  thingcall_token *copy = malloc(sizeof *copy);
  if (!copy) broken("no memory");
  *copy = token;
  on_thread(run, copy);
}

static void done(void *user, const thingcall_result *r);
static int32_t ask(struct call *c) {
  thingcall_forward f = { sizeof f, 0, 0, { 0, 0 } };
  int32_t n;
  f.args = c->args;
  n = H->forward(c->token, &f, done, c);
  if (n > 0) c->open++;
  return n;
}
static int32_t timer(struct call *c, uint64_t ms) {
  int32_t n = H->timer(c->token, ms, done, c);
  if (n > 0) c->open++;
  return n;
}
static void done(void *user, const thingcall_result *r) {
  struct call *c = user;
  enter(c);
  need(c->open-- > 0, "done once too often");
  if (r->status == THINGCALL_E_CANCELLED && c->deed != TIMERS) { leave(c); return; }
  if (c->deed == ASK_AGAIN && --c->left > 0) {
    if (ask(c) < 0) answer(c->token);
  } else if (r->status < 0 && c->deed != TIMERS) {
    H->complete(c->token, r);
  } else if (c->deed == PASS_ON || c->deed == ASK_AGAIN) {
    H->complete(c->token, r);
  } else if (--c->left == 0) {
    if (r->code == THINGCALL_CODE_ACCEPTED) H->complete(c->token, r); else answer(c->token);
  }
  leave(c);
}

static void bad_results(struct call *c) {
  thingcall_result r = { sizeof r, THINGCALL_OK, 200, 0, { 0, 0 }, { 0, 0 } };
  static char large[2 * 1024 * 1024];
  switch (c->deed) {
  case NULL_WITH_LENGTH: r.data.len = 77; break;
  case HUGE_LENGTH: r.data = text("{}"); r.data.len = (size_t)1 << 60; break;
  case SHORT_STRUCT: r.struct_size = 4; break;
  case TOO_LARGE:
    memset(large, ' ', sizeof large);
    large[0] = '{'; large[sizeof large - 1] = '}';
    r.data.ptr = (const uint8_t *)large; r.data.len = sizeof large;
    break;
  default: broken("no such deed");
  }
  need(H->complete(c->token, &r) < 0, "a result that is none was taken");
  /* One that is too large is this call's end: its answer would not have fitted. */
  if (c->deed == HUGE_LENGTH || c->deed == TOO_LARGE) return;
  need(H->complete(c->token, NULL) < 0, "no result at all was taken");
  need(answer(c->token) == THINGCALL_OK, "a good result after a bad one was refused");
}
static void wrong_tokens(struct call *c) {
  uint64_t n;
  thingcall_forward f = { sizeof f, 0, 0, { 0, 0 } };
  f.args = text("{}");
  for (n = 0; n < 1000; n++) {
    thingcall_token token = n * 0x9e3779b97f4a7c15u;
    if (token == c->token || token == plugin_token) continue;
    need(complete(token, THINGCALL_OK, 200, text("{}")) == THINGCALL_E_STALE, "a made-up token was completed");
    need(H->wake(token) == THINGCALL_E_STALE, "a made-up token was woken");
    need(H->forward(token, &f, done, c) < 0, "a made-up token called the device");
  }
  answer(c->token);
}
static void many_operations(struct call *c) {
  int n, refused = 0;
  for (n = 0; n < 100; n++) if (ask(c) == THINGCALL_E_LIMIT) refused++;
  need(refused > 0 && c->open > 0, "operations have no limit");
  c->left = c->open;
}
static void timers(struct call *c) {
  int32_t numbers[10];
  int n;
  for (n = 0; n < 10; n++) numbers[n] = timer(c, (uint64_t)n * 5);
  c->left = c->open;
  for (n = 0; n < 10; n += 2) H->cancel(c->token, numbers[n]);
}
static void spin(void) {
  struct timespec began, now;
  clock_gettime(CLOCK_MONOTONIC, &began);
  do clock_gettime(CLOCK_MONOTONIC, &now);
  while ((now.tv_sec - began.tv_sec) * 1000 + (now.tv_nsec - began.tv_nsec) / 1000000 < BLOCK_MS);
}

static int32_t play(struct call *c) {
  switch (c->deed) {
  case PASS_ON: case ASK_AGAIN: c->left = 3; return ask(c) < 0 ? THINGCALL_E_INTERNAL : THINGCALL_OK;
  case ASK_TWICE: c->left = 2; return ask(c) < 0 || ask(c) < 0 ? THINGCALL_E_INTERNAL : THINGCALL_OK;
  case REFUSE: complete(c->token, THINGCALL_OK, 460, text("")); break;
  case ANSWER_TWICE:
    answer(c->token);
    need(answer(c->token) == THINGCALL_E_STALE, "a second answer was taken");
    break;
  case ANSWER_LATER: hand_over(later, c->token); break;
  case NEVER: break;
  case ANSWER_AFTER_END: hand_over(after_end, c->token); break;
  case GARBAGE: complete(c->token, THINGCALL_OK, 200, text("{oops")); break;
  case ARRAY: complete(c->token, THINGCALL_OK, 200, text("[1]")); break;
  case NOT_UTF8: complete(c->token, THINGCALL_OK, 200, text("{\"param1\":\"\xff\xfe\"}")); break;
  case NULL_WITH_LENGTH: case HUGE_LENGTH: case SHORT_STRUCT: case TOO_LARGE: bad_results(c); break;
  case INVENTED_STATUS: complete(c->token, -77, 0, text("")); break;
  case BEGIN_FAILS: return -77;
  case BLOCK: pause_ms(BLOCK_MS); answer(c->token); break;
  case SPIN: spin(); answer(c->token); break;
  case OUTLIVE: hand_over(outlive, c->token); answer(c->token); break;
  case MANY_OPERATIONS: many_operations(c); break;
  case TIMERS: timers(c); break;
  case WRONG_TOKENS: wrong_tokens(c); break;
  case WAKE_STORM: hand_over(storm, c->token); break;
  default: answer(c->token);
  }
  return THINGCALL_OK;
}

static int deed_of(const thingcall_request *q) {
#ifdef ALWAYS
  (void)q;
  return ALWAYS;
#else
  static const char key[] = "\"param1\":";
  size_t n;
  for (n = 0; n + sizeof key <= q->args.len; n++)
    if (memcmp(q->args.ptr + n, key, sizeof key - 1) == 0) return atoi((const char *)q->args.ptr + n + sizeof key - 1);
  return PASS_ON;
#endif
}

static int32_t create(const thingcall_host_api *host, thingcall_token plugin, const thingcall_bytes *config,
                      thingcall_out *err, void **self) {
  (void)config; (void)err;
  if (host->abi_major != THINGCALL_ABI_MAJOR) return THINGCALL_E_UNSUPPORTED;
  H = host; plugin_token = plugin; *self = &states;
  return THINGCALL_OK;
}
static int32_t begin(void *self, thingcall_token token, const thingcall_request *q, void **state) {
  struct call *c;
  int32_t status;
  need(self == &states, "another instance");
  need(!__atomic_load_n(&destroyed, __ATOMIC_ACQUIRE), "begin after destroy");
  if (deed_of(q) == NO_STATE) { hand_over(later, token); return THINGCALL_OK; }
  if (!(c = calloc(1, sizeof *c))) return THINGCALL_E_LIMIT;
  c->token = token; c->deed = deed_of(q); c->args = q->args;
  __atomic_add_fetch(&states, 1, __ATOMIC_ACQ_REL);
  *state = c;
  enter(c);
  status = play(c);
  leave(c);
  return status;
}
static void poll(void *self, thingcall_token token, void *state) {
  struct call *c = state;
  need(self == &states && token == c->token, "poll of another call");
  enter(c);
  c->polls++;
  leave(c);
}
static void end(void *self, thingcall_token token, void *state, int32_t why) {
  struct call *c = state;
  (void)why;
  need(self == &states && token == c->token, "end of another call");
  enter(c);
  need(c->open == 0, "end before every operation was told its own");
  need(H->wake(token) == THINGCALL_E_STALE, "the token lives at end");
  c->ended = 1;
  free(c);
  __atomic_sub_fetch(&states, 1, __ATOMIC_ACQ_REL);
}
static int32_t translate(void *self, const thingcall_codec_req *req, thingcall_out *out) {
  (void)self;
  return H->out_write(out, req->input.ptr, req->input.len);
}
static void destroy(void *self) {
  need(self == &states, "another instance");
  need(__atomic_load_n(&states, __ATOMIC_ACQUIRE) == 0, "destroy with calls that have not ended");
  need(!__atomic_exchange_n(&destroyed, 1, __ATOMIC_ACQ_REL), "destroy twice");
}

static const thingcall_plugin_api API = { sizeof API, THINGCALL_ABI_MAJOR, THINGCALL_ABI_MINOR, create, begin, poll, end,
                                          translate, translate, destroy };
THINGCALL_EXPORT const thingcall_plugin_api *thingcall_plugin_entry_v1(void) { return &API; }
THINGCALL_MANIFEST(NAME, VERSION, "[\"testFb:testService\"]");
