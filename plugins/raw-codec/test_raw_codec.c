/* Drives the plugin through the smallest host there can be: tables of what must come out, every frame cut short and
 * changed in every byte, and random bytes. Inputs lie in memory of just their size, so that a memory checker sees a read
 * beyond them. */
#include "thingcall_plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX 4096

/* ---- the host ---- */

struct sink {
  uint8_t bytes[BYTES_MAX];
  size_t length;
  int full;
};

static int32_t out_write(thingcall_out *out, const uint8_t *from, size_t length) {
  struct sink *sink = (struct sink *)out;
  if (sink->full || length > sizeof sink->bytes - sink->length) return THINGCALL_E_LIMIT;
  memcpy(sink->bytes + sink->length, from, length);
  sink->length += length;
  return THINGCALL_OK;
}

static const thingcall_host_api HOST = {
    .struct_size = sizeof HOST,
    .abi_major = THINGCALL_ABI_MAJOR,
    .abi_minor = THINGCALL_ABI_MINOR,
    .out_write = out_write,
};

static const thingcall_plugin_api *api;
static void *self;
static struct sink sink;
static int checks, failures;

typedef int32_t (*translation)(void *, const thingcall_codec_req *, thingcall_out *);

static int32_t run(translation translate, const void *input, size_t length) {
  uint8_t *exact = malloc(length ? length : 1);
  thingcall_codec_req asked = {0};
  int32_t status;
  if (!exact) abort();
  memcpy(exact, input, length);
  asked.struct_size = sizeof asked;
  asked.input.ptr = length ? exact : NULL;
  asked.input.len = length;
  sink.length = 0;
  status = translate(self, &asked, (thingcall_out *)&sink);
  free(exact);
  return status;
}

static void check(int good, const char *what, const char *on) {
  checks++;
  if (good) return;
  failures++;
  fprintf(stderr, "%s: %s\n  came out: %.*s\n", what, on, (int)sink.length, (const char *)sink.bytes);
}

static int came_out(const void *expected, size_t length) {
  return sink.length == length && memcmp(sink.bytes, expected, length) == 0;
}

static int says(const char *words) {
  char found[BYTES_MAX + 1];
  memcpy(found, sink.bytes, sink.length);
  found[sink.length < BYTES_MAX ? sink.length : BYTES_MAX] = 0;
  return strstr(found, words) != NULL;
}

static size_t bytes_of(const char *hex, uint8_t *bytes) {
  size_t count = 0;
  unsigned byte;
  for (; *hex; hex += 2) {
    while (*hex == ' ') hex++;
    if (sscanf(hex, "%2x", &byte) != 1) abort();
    bytes[count++] = (uint8_t)byte;
  }
  return count;
}

/* ---- JSON -> frame ---- */

static const struct { const char *json, *frame; } ENCODED[] = {
    {"{\"id\":\"7\",\"version\":\"1.0\",\"params\":{\"channel\":1},\"method\":\"thing.service.readMeter\"}",
     "68 06 01 00000007 01 cf6f"},
    {" { \"method\" : \"thing.service.setRelay\" , \"params\" : { \"on\" : 0 } ,\r\n\t\"id\" : \"4294967295\" } ",
     "68 06 03 ffffffff 00 1009"},
    {"{\"params\":{\"count\":96,\"d\\u0061y\":62,\"first\":0},\"method\":\"thing.service.\\u0072eadProfile\",\"id\":\"0\","
     "\"sys\":[{\"ack\":0},[],[1,-2.5e3,null,true,false,\"\\\\\\\"\\n\\u4e2d\"]]}",
     "68 08 02 00000000 3e0060 f43e"},
};

#define READ(params) "{\"id\":\"7\",\"params\":" params ",\"method\":\"thing.service.readMeter\"}"
static const struct { const char *json, *why; } NOT_ENCODED[] = {
    {"", "no JSON object"},
    {"[]", "no JSON object"},
    {"{}", "must be there"},
    {"{\"id\":\"7\",\"params\":{}}", "must be there"},
    {"{\"id\":\"7\",\"id\":\"7\",\"params\":{},\"method\":\"\"}", "must be there"},
    {"{\"id\":7,\"params\":{},\"method\":\"\"}", "id is no number"},
    {"{\"id\":\"\",\"params\":{},\"method\":\"\"}", "id is no number"},
    {"{\"id\":\"4294967296\",\"params\":{},\"method\":\"\"}", "id is no number"},
    {"{\"id\":\"-1\",\"params\":{},\"method\":\"\"}", "id is no number"},
    {"{\"id\":\"1 2\",\"params\":{},\"method\":\"\"}", "id is no number"},
    {"{\"id\":\"7\",\"params\":{},\"method\":\"thing.service.fly\"}", "meters have no \"thing.service.fly\""},
    {"{\"id\":\"7\",\"params\":{},\"method\":null}", "method is no string"},
    {READ("{}"), "\"channel\": missing"},
    {READ("[1]"), "params is no object"},
    {READ("null"), "params is no object"},
    {READ("{\"channel\":8}"), "\"channel\": out of range"},
    {READ("{\"channel\":4294967296}"), "\"channel\": no whole number"},
    {READ("{\"channel\":99999999999999999999999999}"), "\"channel\": no whole number"},
    {READ("{\"channel\":-1}"), "\"channel\": no whole number"},
    {READ("{\"channel\":1.0}"), "\"channel\": no whole number"},
    {READ("{\"channel\":1e0}"), "\"channel\": no whole number"},
    {READ("{\"channel\":\"1\"}"), "\"channel\": no whole number"},
    {READ("{\"channel\":1,\"channel\":1}"), "\"channel\": twice"},
    {READ("{\"channel\":1,\"more\":1}"), "\"more\": no such parameter"},
    {READ("{\"channel\":1,\"\\u4e2d\":1}"), "no such parameter"},
    {READ("{\"channel\":01}"), "cannot be read"},
    {READ("{\"channel\":1,}"), "cannot be read"},
    {READ("{\"channel\":+1}"), "cannot be read"},
    {READ("{\"channel\":.5}"), "cannot be read"},
    {READ("{\"channel\":1.}"), "cannot be read"},
    {READ("{\"channel\":1e}"), "cannot be read"},
    {READ("{channel:1}"), "cannot be read"},
    {READ("{\"channel\":tru}"), "cannot be read"},
    {READ("{\"channel\":\"\\x\"}"), "cannot be read"},
    {READ("{\"channel\":\"\\u12g4\"}"), "cannot be read"},
    {READ("{\"channel\":\"\n\"}"), "cannot be read"},
    {READ("{\"channel\":[1,]}"), "cannot be read"},
    {READ("[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]"), "cannot be read"},
    {READ("{\"channel\":1}") "x", "no JSON object"},
};

static void requests_become_frames(void) {
  uint8_t frame[BYTES_MAX];
  size_t n;
  for (n = 0; n < sizeof ENCODED / sizeof ENCODED[0]; n++) {
    size_t length = bytes_of(ENCODED[n].frame, frame);
    int32_t status = run(api->encode, ENCODED[n].json, strlen(ENCODED[n].json));
    check(status == THINGCALL_OK && came_out(frame, length), "wrong frame", ENCODED[n].json);
  }
  for (n = 0; n < sizeof NOT_ENCODED / sizeof NOT_ENCODED[0]; n++) {
    int32_t status = run(api->encode, NOT_ENCODED[n].json, strlen(NOT_ENCODED[n].json));
    check(status == THINGCALL_E_INVAL && says(NOT_ENCODED[n].why), "should be refused", NOT_ENCODED[n].json);
  }
}

static void requests_cut_short_are_refused(void) {
  size_t n, length;
  for (n = 0; n < sizeof ENCODED / sizeof ENCODED[0]; n++) {
    const char *json = ENCODED[n].json, *last = strrchr(json, '}');
    for (length = 0; length <= (size_t)(last - json); length++)
      check(run(api->encode, json, length) == THINGCALL_E_INVAL, "cut short, should be refused", json);
  }
}

/* ---- frame -> JSON ---- */

static const struct { const char *frame, *json; } DECODED[] = {
    {"68 12 81 00000007 00 000030d4 08fc 007b fffffe0c be93",
     "{\"id\":\"7\",\"code\":200,\"data\":{\"energy\":12.500,\"voltage\":230.0,\"current\":1.23,\"power\":-500}}"},
    {"68 12 81 ffffffff 00 ffffffff ffff ffff 80000000 a55f",
     "{\"id\":\"4294967295\",\"code\":200,\"data\":{\"energy\":4294967.295,\"voltage\":6553.5,\"current\":655.35,"
     "\"power\":-2147483648}}"},
    {"68 0a 82 00000008 00 00fa ffff 20ec", "{\"id\":\"8\",\"code\":200,\"data\":{\"values\":[250,65535]}}"},
    {"68 06 82 00000008 00 d5b0", "{\"id\":\"8\",\"code\":200,\"data\":{\"values\":[]}}"},
    {"68 07 83 00000009 00 01 f37b", "{\"id\":\"9\",\"code\":200,\"data\":{\"on\":1}}"},
    {"68 06 83 00000009 02 8363", "{\"id\":\"9\",\"code\":403,\"message\":\"the relay is locked\"}"},
    {"68 06 83 00000009 ff bdd1", "{\"id\":\"9\",\"code\":100255,\"message\":\"the meter answered with status 255\"}"},
    {"68 11 90 00000001 00000001 0001 0001 00000001 c207",
     "{\"id\":\"1\",\"version\":\"1.0\",\"method\":\"thing.event.property.post\",\"params\":{\"energy\":0.001,"
     "\"voltage\":0.1,\"current\":0.01,\"power\":1}}"},
};

static const struct { const char *frame, *why; } NOT_DECODED[] = {
    {"", "9 to 259 bytes, this one 0"},
    {"68", "9 to 259 bytes, this one 1"},
    {"69 06 83 00000009 02 8363", "starts with 0x68, this one with 0x69"},
    {"68 07 83 00000009 02 8363", "says 11 bytes, it has 10"},
    {"68 06 83 00000009 02 9c3c", "checksum is 0x9c3c, right is 0x8363"},
};

/* The last bytes of a frame that is otherwise well, found without the plugin's help. */
static size_t sealed(uint8_t *frame, size_t length) {
  uint32_t value = 0xffff;
  size_t n;
  frame[1] = (uint8_t)(length - 2);
  for (n = 0; n < length * 8; n++) {
    uint32_t bit = frame[n / 8] >> (7 - n % 8) & 1u, top = value >> 15;
    value = (value << 1 & 0xffff) ^ (bit ^ top ? 0x1021 : 0);
  }
  frame[length] = (uint8_t)(value >> 8);
  frame[length + 1] = (uint8_t)value;
  return length + 2;
}

static int32_t decode_sealed(uint8_t command, const uint8_t *payload, size_t length) {
  uint8_t frame[BYTES_MAX] = {0x68, 0, command, 0, 0, 0, 9};
  memcpy(frame + 7, payload, length);
  return run(api->decode, frame, sealed(frame, 7 + length));
}

static void frames_become_replies(void) {
  uint8_t frame[BYTES_MAX];
  size_t n, length;
  for (n = 0; n < sizeof DECODED / sizeof DECODED[0]; n++) {
    length = bytes_of(DECODED[n].frame, frame);
    check(run(api->decode, frame, length) == THINGCALL_OK && came_out(DECODED[n].json, strlen(DECODED[n].json)),
          "wrong reply", DECODED[n].frame);
  }
  for (n = 0; n < sizeof NOT_DECODED / sizeof NOT_DECODED[0]; n++) {
    length = bytes_of(NOT_DECODED[n].frame, frame);
    check(run(api->decode, frame, length) == THINGCALL_E_INVAL && says(NOT_DECODED[n].why), "should be refused",
          NOT_DECODED[n].frame);
  }
}

static void damaged_frames_are_refused(void) {
  uint8_t frame[BYTES_MAX];
  size_t n, length, cut, at;
  unsigned change;
  for (n = 0; n < sizeof DECODED / sizeof DECODED[0]; n++) {
    length = bytes_of(DECODED[n].frame, frame);
    for (cut = 0; cut < length; cut++)
      check(run(api->decode, frame, cut) == THINGCALL_E_INVAL, "cut short, should be refused", DECODED[n].frame);
    for (at = 0; at < length; at++)
      for (change = 1; change < 256; change++) {
        frame[at] ^= (uint8_t)change;
        check(run(api->decode, frame, length) == THINGCALL_E_INVAL, "damaged, should be refused", DECODED[n].frame);
        frame[at] ^= (uint8_t)change;
      }
  }
}

static void well_formed_nonsense_is_refused(void) {
  uint8_t payload[251] = {0};
  size_t length;
  unsigned command;
  for (command = 0; command < 256; command++)
    for (length = 0; length <= 250; length++) {
      int known = (command == 0x81 && length == 13) || (command == 0x82 && length % 2 == 1 && length <= 193) ||
                  (command == 0x83 && length == 2) || (command == 0x90 && length == 12);
      int32_t status = decode_sealed((uint8_t)command, payload, length);
      check(status == (known ? THINGCALL_OK : THINGCALL_E_INVAL), "length and command", known ? "good" : "bad");
    }
  payload[1] = 2;
  check(decode_sealed(0x83, payload, 2) == THINGCALL_E_INVAL, "should be refused", "a relay that is neither on nor off");
  payload[0] = 1;
  check(decode_sealed(0x83, payload, 2) == THINGCALL_E_INVAL, "should be refused", "a refusal with data");
}

static void longest_profile_fits(void) {
  uint8_t payload[193];
  memset(payload, 0xff, sizeof payload);
  payload[0] = 0;
  check(decode_sealed(0x82, payload, sizeof payload) == THINGCALL_OK && says("65535,65535]}}"), "longest", "profile");
}

static void full_outputs_are_told(void) {
  uint8_t frame[BYTES_MAX];
  sink.full = 1;
  check(run(api->encode, ENCODED[0].json, strlen(ENCODED[0].json)) == THINGCALL_E_LIMIT, "no room", "encode");
  check(run(api->decode, frame, bytes_of(DECODED[0].frame, frame)) == THINGCALL_E_LIMIT, "no room", "decode");
  sink.full = 0;
}

static uint32_t random_number(void) {
  static uint32_t state = 424242;
  state ^= state << 13;
  state ^= state >> 17;
  return state ^= state << 5;
}

static void random_bytes_do_no_harm(void) {
  static const char pieces[] = "{}[]:,\"\\u0eE+-.1 truefalsn";
  uint8_t bytes[BYTES_MAX];
  size_t length, n;
  int round;
  for (round = 0; round < 20000; round++) {
    length = random_number() % 300;
    for (n = 0; n < length; n++) bytes[n] = (uint8_t)random_number();
    run(api->decode, bytes, length);
    bytes[0] = 0x68;
    if (length > 8 && length < 258) run(api->decode, bytes, sealed(bytes, length));
    for (n = 0; n < length; n++) bytes[n] = (uint8_t)pieces[random_number() % (sizeof pieces - 1)];
    run(api->encode, bytes, length);
    length = strlen(ENCODED[2].json);
    memcpy(bytes, ENCODED[2].json, length);
    for (n = 0; n < 3; n++) bytes[random_number() % length] = (uint8_t)pieces[random_number() % (sizeof pieces - 1)];
    run(api->encode, bytes, length);
    checks += 4;
  }
}

int main(void) {
  thingcall_bytes config = {(const uint8_t *)"{}", 2};
  api = thingcall_plugin_entry_v1();
  if (api->create(&HOST, 1, &config, (thingcall_out *)&sink, &self) != THINGCALL_OK) return 1;
  requests_become_frames();
  requests_cut_short_are_refused();
  frames_become_replies();
  damaged_frames_are_refused();
  well_formed_nonsense_is_refused();
  longest_profile_fits();
  full_outputs_are_told();
  random_bytes_do_no_harm();
  api->destroy(self);
  self = NULL; /* what it did not free is lost now */
  printf("raw-codec: %d checks, %d failed\n", checks, failures);
  return failures ? 1 : 0;
}
