/* A plugin for tests that plays programs, and ABORTS where the host breaks the contract: two functions of one call at
 * once, a done too many, too few or too late, an operation or an answer taken after the call's end, anything after
 * destroy, a request that changes, a result that cannot be read.
 *
 * A call's arguments are {"id":N,"program":"..."}. A program is a row of letters, some with a number behind them. The
 * first callback (begin) plays to the first dot, each later one (done, poll) to the next; what a letter does stands
 * beside it in step(). Every answer is {"id":N}, so that the caller sees whether it got its own.
 *
 * Two threads of its own play the letters behind 'h' at the same time as the host's threads play the others. */
#define _POSIX_C_SOURCE 200809L
#include "thingcall_plugin.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_call.h"

#define THREADS 2
#define ERRANDS_MAX 64
#define LETTERS_MAX 100
#define LARGE_BYTES (2 * 1024 * 1024)

/* What a thread of ours is to do. The letters are copied: the request may be gone by then. */
struct errand {
  struct call *call;     /* NULL where the call has no state */
  thingcall_token token;
  char id[24];
  char letters[LETTERS_MAX + 1];
};

static pthread_t threads[THREADS];
static pthread_mutex_t errands_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t errands_changed = PTHREAD_COND_INITIALIZER;
static struct errand errands[ERRANDS_MAX];
static int errands_first, errands_count, stopping;

static void play(struct call *call, thingcall_token token, const char *id, const char **next, const char *until);

static void done(void *user, const thingcall_result *result) {
  struct operation *operation = user;
  struct call *call = operation->call;
  enter(call);
  need(swap(&operation->told, 1) == 0, "done twice for one operation");
  need(result->struct_size >= sizeof *result, "a result that is too short");
  need(result->status <= 0 && result->status >= THINGCALL_E_SHUTDOWN, "a status that is none");
  need(result->status == 0 || (result->code == 0 && result->data.len == 0), "a failure with data");
  sum(result->data);
  sum(result->message);
  play(call, call->token, call->id, &call->next, call->until);
  leave(call);
}

static void background_done(void *user, const thingcall_result *result) {
  need(!load(&destroyed), "done after destroy");
  need(result->status == 0 || result->status == THINGCALL_E_CANCELLED, "a timer's status");
  need(swap(user, 1) == 0, "done twice for a timer of the plugin's");
  free(user);
  add(&background, -1);
}

/* Its number, or below 0; the operation is written down before the host can tell of it. */
static struct operation *new_operation(struct call *call) {
  int n = __atomic_fetch_add(&call->operations, 1, __ATOMIC_SEQ_CST);
  if (n >= OPERATIONS_MAX) {
    add(&call->operations, -1);
    return NULL;
  }
  call->operation[n].call = call;
  return &call->operation[n];
}

static void start(struct call *call, thingcall_token token, char kind, uint64_t with) {
  static const char *const args[] = {"{}", "{\"a\":[1,2.50]}", " {\"b\":null} ", "{\"c\":\"\\u4e2d\"}"};
  int over;
  int32_t number;
  struct operation *operation;
  thingcall_forward forward;
  if (!call) return;
  over = load(&call->over);
  if ((operation = new_operation(call)) == NULL) return;
  memset(&forward, 0, sizeof forward);
  forward.struct_size = sizeof forward;
  forward.args = text(kind == 'F' ? "[1" : args[with % 4]);
  forward.timeout_ms = kind == 'l' ? with : 0;
  number = kind == 't' ? H->timer(token, with, done, operation) : H->forward(token, &forward, done, operation);
  need(number > 0 || (number < 0 && number >= THINGCALL_E_SHUTDOWN), "neither a number nor a status");
  need(number != THINGCALL_E_INTERNAL, "a fault of the host's own");
  need(kind != 'F' || number < 0, "arguments that are no object were taken");
  need(!over || number == THINGCALL_E_STALE, "an operation after the answer was taken");
  swap(&operation->number, number);
}

static void cancel(struct call *call, thingcall_token token, int nth) {
  int over, operations;
  int32_t number, status;
  if (!call) return;
  over = load(&call->over);
  operations = load(&call->operations);
  if (operations == 0 || operations > OPERATIONS_MAX) return;
  number = load(&call->operation[nth % operations].number);
  status = H->cancel(token, number);
  need(status == THINGCALL_OK || status == THINGCALL_E_STALE || status == THINGCALL_E_INVAL, "cancel's status");
  need(!over || status == THINGCALL_E_STALE, "an operation was cancelled after the answer was taken");
  need(number > 0 || status != THINGCALL_OK, "an operation that is none was cancelled");
}

/* ---- answers ---- */

enum { TAKEN = 1, LEFT_OPEN = 2 };

/* What the host must say of this result. */
static int answer_of_kind(thingcall_result *result, int kind, char *large) {
  result->struct_size = sizeof *result;
  result->code = THINGCALL_CODE_SUCCESS;
  switch (kind % 12) {
  case 0: case 1: return TAKEN;
  case 2: result->code = 460; return TAKEN;
  case 3: result->status = THINGCALL_E_OFFLINE; return TAKEN;
  case 4: result->status = -77; return TAKEN;
  case 5: result->data = text("{\"id\":"); return TAKEN;
  case 6: result->data = text("{\"a\":\"\xff\"}"); return TAKEN;
  case 7: result->data.ptr = (const uint8_t *)large; result->data.len = LARGE_BYTES; return TAKEN;
  case 8: result->data.ptr = NULL; return LEFT_OPEN;
  case 9: result->message.ptr = NULL; result->message.len = 1; return LEFT_OPEN;
  case 10: result->struct_size = 8; return LEFT_OPEN;
  default: result->status = 5; return LEFT_OPEN;
  }
}

static void answer(struct call *call, thingcall_token token, const char *id, int kind) {
  static char large[LARGE_BYTES];
  char data[48];
  int over = call && load(&call->over), expected;
  int32_t status;
  thingcall_result result;
  memset(&result, 0, sizeof result);
  snprintf(data, sizeof data, "{\"id\":%s}", id);
  result.data = text(data);
  expected = answer_of_kind(&result, kind, large);
  status = H->complete(token, &result);
  need(status <= 0, "complete's status");
  need(!over || status == THINGCALL_E_STALE, "an answer after another was taken");
  if (status == THINGCALL_E_STALE) return;
  need(expected == TAKEN || status == THINGCALL_E_INVAL, "a result that is none was taken");
  if (expected == TAKEN && call) {
    need(add(&call->answers, 1) == 1, "two answers were taken");
    swap(&call->over, 1);
  }
}

static void wrong_tokens(struct call *call, thingcall_token token, int with) {
  thingcall_token wrong = token ^ (thingcall_token)1 << (32 + with % 32);
  thingcall_result result;
  memset(&result, 0, sizeof result);
  result.struct_size = sizeof result;
  result.code = THINGCALL_CODE_SUCCESS;
  if (wrong == plugin_token) return;
  need(H->complete(wrong, &result) == THINGCALL_E_STALE, "a made-up token was answered");
  need(H->wake(wrong) == THINGCALL_E_STALE, "a made-up token was woken");
  need(H->remaining_ms(wrong) == THINGCALL_E_STALE, "a made-up token has time left");
  need(H->timer(wrong, 0, done, call) == THINGCALL_E_STALE, "a made-up token has a timer");
  need(H->complete(0, &result) == THINGCALL_E_STALE, "the token 0 was answered");
  need(H->complete(plugin_token, &result) == THINGCALL_E_STALE, "the plugin's token was answered");
}

/* ---- the program ---- */

static int send_errand(struct errand errand) {
  int sent = 0;
  pthread_mutex_lock(&errands_lock);
  if (errands_count < ERRANDS_MAX && !stopping) {
    errands[(errands_first + errands_count++) % ERRANDS_MAX] = errand;
    pthread_cond_signal(&errands_changed);
    sent = 1;
  }
  pthread_mutex_unlock(&errands_lock);
  return sent;
}

/* Gives the letters up to the next 'e' to a thread. */
static void hand_over(struct call *call, const char **next, const char *until) {
  struct errand errand;
  int n = 0;
  memset(&errand, 0, sizeof errand);
  errand.call = call;
  errand.token = call->token;
  while (*next < until && **next != 'e' && n < LETTERS_MAX) errand.letters[n++] = *(*next)++;
  memcpy(errand.id, call->id, sizeof errand.id);
  add(&call->users, 1);
  if (!send_errand(errand)) add(&call->users, -1);
}

static void background_timer(uint64_t ms) {
  int *told = calloc(1, sizeof *told);
  int32_t number;
  need(told != NULL, "memory");
  add(&background, 1);
  number = H->timer(plugin_token, ms, background_done, told);
  if (number > 0) {
    if (ms % 3 == 0) H->cancel(plugin_token, number);
    return;
  }
  free(told);
  add(&background, -1);
}

static void write_log(thingcall_token token, int kind) {
  thingcall_bytes target = text("fuzz"), words = text(kind % 2 ? "bad \xff bytes" : "played");
  thingcall_bytes fields = text(kind % 3 ? "{\"n\":1}" : "[oops");
  if (kind % 5 == 0) words.ptr = NULL;
  H->log_enabled(token, kind % 8 - 1);
  H->log(kind % 7 ? token : plugin_token, kind % 8 - 1, kind % 4 ? &target : NULL, &words, &fields);
}

static void step(struct call *call, thingcall_token token, const char *id, char letter, int number) {
  int64_t left;
  switch (letter) {
  case 'f': case 'F': case 'l': case 't': start(call, token, letter, (uint64_t)number); break; /* operations */
  case 'x': cancel(call, token, number); break;
  case 'c': answer(call, token, id, number); break;
  case 'w': H->wake(token); break;
  case 'W': while (number-- > 0) H->wake(token); break;
  case 'k': wrong_tokens(call, token, number); break;
  case 'r':
    left = H->remaining_ms(token);
    need(left >= 0 || left == THINGCALL_E_STALE, "remaining time");
    break;
  case 'b': background_timer((uint64_t)number); break;
  case 'g': write_log(token, number); break;
  case 'm': H->metric_record(plugin_token, metric + (uint32_t)(number % 3), number - 2.5); break;
  case 'p': pause_ms(number % 4); break;
  default: break;
  }
}

static void play(struct call *call, thingcall_token token, const char *id, const char **next, const char *until) {
  while (*next < until) {
    char letter = *(*next)++;
    int number = 0;
    if (letter == '.') return;
    while (*next < until && **next >= '0' && **next <= '9') number = number * 10 + (*(*next)++ - '0');
    if (letter == 'h' && call) hand_over(call, next, until);
    else step(call, token, id, letter, number);
  }
}

static void *run_errands(void *unused) {
  struct errand errand;
  const char *next;
  (void)unused;
  pthread_mutex_lock(&errands_lock);
  for (;;) {
    while (errands_count == 0 && !stopping) pthread_cond_wait(&errands_changed, &errands_lock);
    if (errands_count == 0) break;
    errand = errands[errands_first];
    errands_first = (errands_first + 1) % ERRANDS_MAX;
    errands_count--;
    pthread_mutex_unlock(&errands_lock);
    if (errand.call) {
      next = errand.letters;
      play(errand.call, errand.token, errand.id, &next, next + strlen(next));
      let_go(errand.call);
    } else {
      pause_ms(1);
      answer(NULL, errand.token, errand.id, 0);
    }
    pthread_mutex_lock(&errands_lock);
  }
  pthread_mutex_unlock(&errands_lock);
  return NULL;
}

/* ---- the table ---- */

static const char *find(thingcall_bytes args, const char *key) {
  size_t length = strlen(key), n;
  for (n = 0; n + length <= args.len; n++)
    if (memcmp(args.ptr + n, key, length) == 0) return (const char *)args.ptr + n + length;
  return NULL;
}

static int32_t begin(void *self, thingcall_token token, const thingcall_request *request, void **state) {
  const char *id = find(request->args, "\"id\":"), *program = find(request->args, "\"program\":\"");
  const char *end_of_args = (const char *)request->args.ptr + request->args.len;
  struct call *call;
  int n = 0;
  need(self == &destroyed && !load(&destroyed), "begin after destroy");
  need(request->struct_size >= sizeof *request, "a request that is too short");
  need(id != NULL && program != NULL, "other arguments than the caller's");
  need(*state == NULL, "a state before begin");
  call = calloc(1, sizeof *call);
  need(call != NULL, "memory");
  for (; id < end_of_args && *id >= '0' && *id <= '9' && n < 20; n++) call->id[n] = *id++;
  if (*program == 'N') { /* a call without a state: a thread answers it, and there is no end */
    struct errand errand;
    memset(&errand, 0, sizeof errand);
    errand.token = token;
    memcpy(errand.id, call->id, sizeof errand.id);
    free(call);
    return send_errand(errand) ? THINGCALL_OK : THINGCALL_E_LIMIT;
  }
  call->failed = *program == 'R';
  call->token = token;
  call->request = request;
  call->sum = sum_request(request);
  call->next = program;
  for (call->until = program; call->until < end_of_args && *call->until != '"';) call->until++;
  call->users = 1;
  add(&records, 1);
  add(&open_calls, 1);
  *state = call;
  enter(call);
  play(call, token, call->id, &call->next, call->until);
  leave(call);
  return call->failed ? -55 : THINGCALL_OK;
}

static void poll(void *self, thingcall_token token, void *state) {
  struct call *call = state;
  need(self == &destroyed, "another instance");
  enter(call);
  need(token == call->token, "poll of another call");
  play(call, token, call->id, &call->next, call->until);
  leave(call);
}

static void end(void *self, thingcall_token token, void *state, int32_t why) {
  struct call *call = state;
  need(self == &destroyed, "another instance");
  enter(call);
  need(token == call->token, "end of another call");
  need(why == THINGCALL_OK || why == THINGCALL_E_CANCELLED || why == THINGCALL_E_TIMEOUT ||
       why == THINGCALL_E_SHUTDOWN || (call->failed && why == THINGCALL_E_INTERNAL), "the reason of an end");
  need(H->wake(token) == THINGCALL_E_STALE, "the token lives at its end");
  swap(&call->over, 1);
  leave(call);
  swap(&call->ended, 1);
  add(&open_calls, -1);
  let_go(call);
}

static int32_t create(const thingcall_host_api *host, thingcall_token plugin, const thingcall_bytes *config,
                      thingcall_out *error, void **self) {
  thingcall_bytes name = text("played_total"), help = text("programs");
  uint32_t other;
  int n;
  (void)error;
  need(host->struct_size >= sizeof *host, "a table that is too short");
  sum(*config);
  H = host;
  plugin_token = plugin;
  need(H->metric_define(plugin, THINGCALL_METRIC_COUNTER, &name, &help, &metric) == THINGCALL_OK, "a metric");
  need(H->metric_define(plugin, 77, &name, &help, &other) < 0, "a metric of no kind was taken");
  need(H->metric_define(plugin, THINGCALL_METRIC_GAUGE, NULL, NULL, NULL) < 0, "a metric of no name was taken");
  for (n = 0; n < THREADS; n++) need(pthread_create(&threads[n], NULL, run_errands, NULL) == 0, "a thread");
  *self = &destroyed;
  return THINGCALL_OK;
}

static void destroy(void *self) {
  int n;
  need(self == &destroyed && !load(&destroyed), "destroy twice");
  need(load(&open_calls) == 0, "destroy with calls that have not ended");
  pthread_mutex_lock(&errands_lock);
  stopping = 1;
  pthread_cond_broadcast(&errands_changed);
  pthread_mutex_unlock(&errands_lock);
  for (n = 0; n < THREADS; n++) pthread_join(threads[n], NULL);
  need(load(&background) == 0, "destroy with timers that were not told");
  need(load(&records) == 0, "a call that was never let go");
  swap(&destroyed, 1);
}

static const thingcall_plugin_api API = {
    .struct_size = sizeof API,
    .abi_major = THINGCALL_ABI_MAJOR,
    .abi_minor = THINGCALL_ABI_MINOR,
    .create = create,
    .begin = begin,
    .poll = poll,
    .end = end,
    .destroy = destroy,
};

THINGCALL_EXPORT const thingcall_plugin_api *thingcall_plugin_entry_v1(void) { return &API; }

THINGCALL_MANIFEST("fuzz", "1.0.0", "[\"*\"]");
