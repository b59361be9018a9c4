/* thingcall_plugin.h - the ABI of thingcall's plugins, major version 1.
 *
 * Plain C99, no dependency but <stdint.h>/<stddef.h>. Only LP64 targets.
 *
 * OWNERSHIP  Nobody ever frees memory that the other side allocated. Every pointer that crosses the
 *            boundary is BORROWED for the time stated beside it; whoever wants it longer copies it.
 * THREADS    Host functions may be called from any thread, at any time between create() entering
 *            and destroy() returning, are non-blocking, never unwind, and NEVER call back into the
 *            plugin on the same stack.
 *            For ONE call the host never runs begin/poll/done/end at the same time: they are
 *            serialised ("actor per call"). DIFFERENT calls do run at the same time on different
 *            threads, so *self must be thread-safe.
 * BLOCKING   begin/poll/done/end should return within ~1 ms. A plugin that blocks only stalls its
 *            own pool; the host logs it and opens a breaker.
 * UNWINDING  No C++ exception, Rust panic or longjmp may leave a plugin function.
 * TOKENS     Calls and plugin instances are named by 64-bit tokens with a generation inside: a
 *            stale or made-up token is answered THINGCALL_E_STALE, never undefined behaviour.
 * GROWTH     Structs start with struct_size and only grow at the end within a major version. The
 *            reader looks at min(own size, struct_size) bytes; what is missing is zero/NULL.
 *            Reserved fields must be zero.
 */
#ifndef THINGCALL_PLUGIN_H
#define THINGCALL_PLUGIN_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define THINGCALL_ABI_MAJOR 1u
#define THINGCALL_ABI_MINOR 1u

typedef uint64_t thingcall_token;            /* 0 is never valid */

typedef struct thingcall_bytes {             /* borrowed, no NUL at the end; NULL only with len 0 */
  const uint8_t *ptr;
  size_t         len;
} thingcall_bytes;

/* ---- status codes (int32_t): 0 good, negative bad. Never reuse a number. A plugin's own
 * negative number outside of this list is turned into THINGCALL_E_INTERNAL. ---- */
#define THINGCALL_OK             0
#define THINGCALL_E_STALE       -1   /* token finished, cancelled or never existed: forget it          */
#define THINGCALL_E_INVAL       -2   /* bad argument (NULL, not JSON, struct_size too small)           */
#define THINGCALL_E_LIMIT       -3   /* too many operations, payload over the configured limit         */
#define THINGCALL_E_CANCELLED   -4   /* the caller went away or the call was answered already          */
#define THINGCALL_E_TIMEOUT     -5   /* no device reply in time                                        */
#define THINGCALL_E_OFFLINE     -6   /* device not connected                                           */
#define THINGCALL_E_PANIC       -7   /* plugin code panicked (set by the SDK)                          */
#define THINGCALL_E_UNSUPPORTED -8   /* not in this host / plugin version                              */
#define THINGCALL_E_INTERNAL    -9
#define THINGCALL_E_SHUTDOWN   -10   /* host or plugin generation is stopping                          */

#define THINGCALL_MODE_SYNC      1u
#define THINGCALL_MODE_ASYNC     2u
#define THINGCALL_FORMAT_JSON    1u
#define THINGCALL_FORMAT_RAW     2u

/* Codes of an answer, where it has one. */
#define THINGCALL_CODE_SUCCESS  200  /* the device did it                                              */
#define THINGCALL_CODE_ACCEPTED 202  /* an asynchronous command is durable and on its way; its result
                                      * comes later and does not pass the plugin                       */

#define THINGCALL_LOG_ERROR 1
#define THINGCALL_LOG_WARN  2
#define THINGCALL_LOG_INFO  3
#define THINGCALL_LOG_DEBUG 4
#define THINGCALL_LOG_TRACE 5

#define THINGCALL_METRIC_COUNTER   1u
#define THINGCALL_METRIC_GAUGE     2u
#define THINGCALL_METRIC_HISTOGRAM 3u

/* One service call. All text is UTF-8. Valid until end() returns if begin() set *state, else until begin() returns. */
typedef struct thingcall_request {
  uint32_t  struct_size;
  uint32_t  mode;              /* THINGCALL_MODE_* */
  uint32_t  format;            /* THINGCALL_FORMAT_*: what args holds */
  uint32_t  reserved0;
  uint64_t  timeout_ms;        /* left when begin() was called; UINT64_MAX = none */
  thingcall_bytes product_key;
  thingcall_bytes device_name;
  thingcall_bytes identifier;        /* as called: "testFb:testService" */
  thingcall_bytes module;            /* "testFb", "" for the default module */
  thingcall_bytes service;           /* "testService" */
  thingcall_bytes request_id;        /* for logs */
  thingcall_bytes args;
  /* Since 1.1. Whose trace the call belongs to, as W3C's headers of these names have it: hand them on to whom the plugin asks.
   * The span in traceparent is the plugin's own part of the call. Empty where the call belongs to none, and NULL in 1.0. */
  thingcall_bytes traceparent;
  thingcall_bytes tracestate;
} thingcall_request;

/* An answer, both ways. status == THINGCALL_OK: there is one, code is the Alink code (200 = success).
 * status < 0: there is none; code/data are 0/empty. Borrowed for the duration of the function. */
typedef struct thingcall_result {
  uint32_t  struct_size;
  int32_t   status;
  int32_t   code;
  uint32_t  format;            /* THINGCALL_FORMAT_*, 0 = JSON */
  thingcall_bytes data;
  thingcall_bytes message;           /* may be empty */
} thingcall_result;

typedef struct thingcall_forward {
  uint32_t  struct_size;
  uint32_t  format;            /* THINGCALL_FORMAT_*, 0 = JSON */
  uint64_t  timeout_ms;        /* 0 = what is left of the call; capped by it anyway */
  thingcall_bytes args;              /* copied before forward() returns */
} thingcall_forward;

/* Called EXACTLY ONCE for every forward()/timer() that returned > 0 - with THINGCALL_E_CANCELLED if
 * the call ended first - on a host pool thread, serialised with the call's begin/poll/end and
 * always before end(). Never called if forward()/timer() returned an error. */
typedef void (*thingcall_done_fn)(void *user, const thingcall_result *res);

typedef struct thingcall_out thingcall_out;        /* a place the host lets the plugin write bytes to */

/* ---- what the host gives. Valid as long as the process lives. ---- */
typedef struct thingcall_host_api {
  uint32_t struct_size;
  uint16_t abi_major, abi_minor;
  /* Answer the call. First one wins; later ones get THINGCALL_E_STALE. Copies before it returns. May be
   * used inside begin/poll/done or from any thread of the plugin. data is a JSON object; empty = {}.
   * What cannot be read (NULL, struct_size too small, status above 0) gets THINGCALL_E_INVAL and leaves
   * the call open. What breaks a rule (no JSON object, over the limit, raw) gets its status and ends the
   * call: the caller is told that the plugin failed. */
  int32_t (*complete)(thingcall_token call, const thingcall_result *res);
  /* Ask the host to run poll() for this call soon. Any thread, idempotent, cheap. */
  int32_t (*wake)(thingcall_token call);
  /* Send to the next middleware, at last to the device. May be used 0, 1 or n times.
   * Returns an operation number > 0, or an error < 0 (then done is never called). */
  int32_t (*forward)(thingcall_token call, const thingcall_forward *fwd, thingcall_done_fn done, void *user);
  /* scope = a call token (ends with the call) or the plugin token (ends with the plugin). */
  int32_t (*timer)(thingcall_token scope, uint64_t ms, thingcall_done_fn done, void *user);
  /* Give up an operation: done still comes, once, with THINGCALL_E_CANCELLED (or the real result). */
  int32_t (*cancel)(thingcall_token scope, int32_t op);
  /* ms left before the deadline; 0 = passed; INT64_MAX = none; THINGCALL_E_STALE. */
  int64_t (*remaining_ms)(thingcall_token call);
  int32_t (*log_enabled)(thingcall_token scope, int32_t level);            /* 1 / 0 */
  /* fields: a JSON object or empty. Text is UTF-8; bad bytes are replaced. */
  void    (*log)(thingcall_token scope, int32_t level, const thingcall_bytes *target,
                 const thingcall_bytes *message, const thingcall_bytes *fields);
  /* Only inside create(). */
  int32_t (*metric_define)(thingcall_token plugin, uint32_t kind, const thingcall_bytes *name,
                           const thingcall_bytes *help, uint32_t *id);
  int32_t (*metric_record)(thingcall_token plugin, uint32_t id, double value);
  int32_t (*out_write)(thingcall_out *out, const uint8_t *ptr, size_t len);   /* appends, copies */
} thingcall_host_api;

typedef struct thingcall_codec_req {
  uint32_t  struct_size;
  uint32_t  reserved0;
  thingcall_bytes product_key, device_name, identifier;   /* identifier may be empty in decode */
  thingcall_bytes input;
} thingcall_codec_req;

/* ---- what the plugin gives: one static table. NULL = not there. ---- */
typedef struct thingcall_plugin_api {
  uint32_t struct_size;
  uint16_t abi_major, abi_minor;       /* the header it was built with */
  /* config: JSON, borrowed during create(). On error write text to err, return < 0. A plugin
   * that needs a newer host says so here: check host->struct_size / THINGCALL_HAS(host, field). */
  int32_t (*create)(const thingcall_host_api *host, thingcall_token plugin, const thingcall_bytes *config,
                    thingcall_out *err, void **self);
  /* A call. Answer now or later with complete(). If *state is set, end() comes exactly once.
   * Return < 0 without completing: the host answers with that status. */
  int32_t (*begin)(void *self, thingcall_token call, const thingcall_request *req, void **state);
  void    (*poll)(void *self, thingcall_token call, void *state);                 /* after wake() */
  /* The call is over: reason THINGCALL_OK (answered), THINGCALL_E_CANCELLED/_TIMEOUT/_SHUTDOWN, or the
   * status with which begin() failed. */
  void    (*end)(void *self, thingcall_token call, void *state, int32_t reason);
  /* Of products whose devices speak their own bytes. JSON is a whole Alink message: a command
   * {"id":"7","version":"1.0","params":{..},"method":"thing.service.X"} in encode, a reply
   * {"id":"7","code":200,"data":{..}} out of decode. Where the bytes carry no id, decode leaves
   * "id" out; the topic's id counts then. Return < 0 for what cannot be translated, with a text
   * for the log in out. */
  int32_t (*decode)(void *self, const thingcall_codec_req *req, thingcall_out *out);    /* raw -> JSON */
  int32_t (*encode)(void *self, const thingcall_codec_req *req, thingcall_out *out);    /* JSON -> raw */
  /* No call is in flight any more; free everything, join own threads (limit 5 s). The library
   * itself stays mapped: it is never dlclose()d. */
  void    (*destroy)(void *self);
} thingcall_plugin_api;

/* ---- the two symbols a plugin exports ----
 * 1. A JSON text in read-only data, read by the host WITHOUT loading the library:
 *      const char thingcall_plugin_manifest_v1[] = "{\"abi\":[1,1],\"name\":...}";
 * 2. const thingcall_plugin_api *thingcall_plugin_entry_v1(void);      - returns a static, does nothing else */
#if defined(__GNUC__)
#define THINGCALL_EXPORT __attribute__((visibility("default")))
#else
#define THINGCALL_EXPORT
#endif
#define THINGCALL_STR2(x) #x
#define THINGCALL_STR(x) THINGCALL_STR2(x)
/* claims_json: the text of a JSON array of the calls it handles, e.g. "[\"testFb:testService\"]":
 *   "testFb:testService"  one service of a module      "testService"  one of the default module
 *   "testFb:*"            every service of a module    ":*"           of the default module
 *   "*"                   every call                   "PK/..."       any of these, of one product
 * codecs_json: a JSON array of the products whose bytes it translates: product keys, or "*". */
#define THINGCALL_MANIFEST_WITH_CODEC(name, version, claims_json, codecs_json)                       \
  THINGCALL_EXPORT extern const char thingcall_plugin_manifest_v1[];                                 \
  const char thingcall_plugin_manifest_v1[] =                                                        \
      "{\"abi\":[1,1],\"name\":\"" name "\",\"version\":\"" version "\",\"claims\":" claims_json \
      ",\"codecs\":" codecs_json ",\"lang\":\"c\",\"panic\":\"none\"}"
#define THINGCALL_MANIFEST(name, version, claims_json) \
  THINGCALL_MANIFEST_WITH_CODEC(name, version, claims_json, "[]")
THINGCALL_EXPORT const thingcall_plugin_api *thingcall_plugin_entry_v1(void);

#define THINGCALL_HAS(p, field) \
  ((p)->struct_size >= offsetof(__typeof__(*(p)), field) + sizeof((p)->field) && (p)->field)

#ifdef __cplusplus
}
#endif
#endif
