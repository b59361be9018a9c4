/* Translates between Alink and the frames of an electricity meter, both ways. README.md has the frames byte by byte,
 * thingcall_plugin.h the rules of the boundary.
 *
 * It handles no calls and keeps nothing between translations, so any number of them may run at once. */
#include "thingcall_plugin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_reader.h"

#ifndef VERSION
#define VERSION "1.0.0"
#endif
/* The products it translates for, where [plugins.raw-codec] does not say so. */
#ifndef CODECS
#define CODECS "[\"a1RawMeter1\"]"
#endif

#define START 0x68u
#define REPLY 0x80u
#define REPORT 0x90u
/* start, length, command, id; then the payload; then the checksum. */
#define HEAD_BYTES 7u
#define CRC_BYTES 2u
/* What the length counts beside the payload: command and id. */
#define COUNTED_BYTES 5u
#define FRAME_BYTES_MIN (HEAD_BYTES + CRC_BYTES)
#define FRAME_BYTES_MAX (2u + 255u + CRC_BYTES)
#define PARAMETERS_MAX 3
#define NAME_BYTES_MAX 64
#define JSON_BYTES_MAX 1024
#define VALUES_MAX 96u

/* What one generation of this plugin keeps. */
struct codec {
  const thingcall_host_api *host;
};

/* JSON that is being written. */
struct text {
  char bytes[JSON_BYTES_MAX];
  size_t length;
};

/* A command's parameter: one byte. */
struct parameter {
  const char *name;
  uint32_t min, max;
};

/* A service: its command, and the data in its reply. */
struct command {
  const char *method;
  uint8_t number;
  int parameters;
  struct parameter parameter[PARAMETERS_MAX];
  int (*data)(struct text *json, const uint8_t *payload, size_t length);
};

static int32_t refuse(const struct codec *codec, thingcall_out *out, const char *format, ...) {
  char words[160];
  va_list values;
  int length;
  va_start(values, format);
  length = vsnprintf(words, sizeof words, format, values);
  va_end(values);
  if (length >= (int)sizeof words) length = sizeof words - 1;
  if (length > 0) codec->host->out_write(out, (const uint8_t *)words, (size_t)length);
  return THINGCALL_E_INVAL;
}

/* ---- numbers in frames: big endian ---- */

static uint32_t number(const uint8_t *from, size_t bytes) {
  uint32_t value = 0;
  while (bytes-- > 0) value = value << 8 | *from++;
  return value;
}

static void put_number(uint8_t *to, uint32_t value, size_t bytes) {
  while (bytes-- > 0) {
    to[bytes] = (uint8_t)value;
    value >>= 8;
  }
}

/* CRC-16 with the polynomial 0x1021, begun with 0xffff. */
static uint32_t crc(const uint8_t *from, size_t length) {
  uint32_t value = 0xffff;
  int bit;
  while (length-- > 0) {
    value ^= (uint32_t)*from++ << 8;
    for (bit = 0; bit < 8; bit++) value = (value << 1 ^ (value & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return value;
}

/* ---- data of replies ---- */

/* What does not fit is left out, and the length says so. */
static void put(struct text *json, const char *format, ...) {
  size_t room = sizeof json->bytes - json->length;
  va_list values;
  int length;
  va_start(values, format);
  length = vsnprintf(json->bytes + json->length, room, format, values);
  va_end(values);
  json->length += length < 0 || (size_t)length >= room ? room - 1 : (size_t)length;
}

static int put_measured(struct text *json, const uint8_t *payload, size_t length) {
  uint32_t energy, voltage, current, power;
  if (length != 12) return -1;
  energy = number(payload, 4);
  voltage = number(payload + 4, 2);
  current = number(payload + 6, 2);
  power = number(payload + 8, 4);
  put(json, "{\"energy\":%lu.%03lu,\"voltage\":%lu.%lu,\"current\":%lu.%02lu,\"power\":%s%lu}",
      (unsigned long)(energy / 1000), (unsigned long)(energy % 1000), (unsigned long)(voltage / 10),
      (unsigned long)(voltage % 10), (unsigned long)(current / 100), (unsigned long)(current % 100),
      power > INT32_MAX ? "-" : "", (unsigned long)(power > INT32_MAX ? UINT32_MAX - power + 1 : power));
  return 0;
}

static int put_profile(struct text *json, const uint8_t *payload, size_t length) {
  size_t at;
  if (length % 2 != 0 || length / 2 > VALUES_MAX) return -1;
  put(json, "{\"values\":[");
  for (at = 0; at < length; at += 2) put(json, at ? ",%lu" : "%lu", (unsigned long)number(payload + at, 2));
  put(json, "]}");
  return 0;
}

static int put_relay(struct text *json, const uint8_t *payload, size_t length) {
  if (length != 1 || payload[0] > 1) return -1;
  put(json, "{\"on\":%d}", payload[0]);
  return 0;
}

static const struct command COMMANDS[] = {
    {"thing.service.readMeter", 0x01, 1, {{"channel", 0, 7}}, put_measured},
    {"thing.service.readProfile", 0x02, 3, {{"day", 0, 62}, {"first", 0, 95}, {"count", 1, VALUES_MAX}}, put_profile},
    {"thing.service.setRelay", 0x03, 1, {{"on", 0, 1}}, put_relay},
};
static const size_t COMMANDS_COUNT = sizeof COMMANDS / sizeof COMMANDS[0];

/* ---- JSON -> frame ---- */

/* An Alink request, as far as it matters. */
struct request {
  uint32_t id;
  char method[NAME_BYTES_MAX];
  struct json params;
};

/* A whole number in a string, as Alink has its ids. */
static int read_id(struct json *json, uint32_t *id) {
  char digits[16];
  struct json inner;
  if (json_text(json, digits, sizeof digits) < 0) return -1;
  inner.at = (const uint8_t *)digits;
  inner.end = inner.at + strlen(digits);
  return json_whole(&inner, id) == 1 && inner.at == inner.end ? 0 : -1;
}

/* Returns what is wrong, or NULL. */
static const char *read_request(struct json json, struct request *request) {
  char name[NAME_BYTES_MAX];
  int first = 1, more, ids = 0, methods = 0, params = 0;
  if (json_object(&json) < 0) return "the request is no JSON object";
  for (; (more = json_member(&json, first, name, sizeof name)) > 0; first = 0) {
    if (strcmp(name, "id") == 0) {
      ids++;
      if (read_id(&json, &request->id) < 0) return "id is no number of 32 bits in a string";
    } else if (strcmp(name, "method") == 0) {
      methods++;
      if (json_text(&json, request->method, sizeof request->method) < 0) return "method is no string";
    } else if (strcmp(name, "params") == 0) {
      params++;
      json_peek(&json);
      request->params = json;
      if (json_skip(&json, 1) < 0) return "params cannot be read";
      request->params.end = json.at;
    } else if (json_skip(&json, 1) < 0) {
      return "the request is no JSON";
    }
  }
  if (more < 0 || json_peek(&json) != 0 || json.at != json.end) return "the request is no JSON object";
  if (ids != 1 || methods != 1 || params != 1) return "id, method and params must be there once each";
  return NULL;
}

/* Puts the parameters at their places; returns what is wrong, or NULL. `wrong` is the name it is about. */
static const char *read_params(struct json json, const struct command *command, uint8_t *payload, char *wrong) {
  int first = 1, more, nth, seen = 0;
  uint32_t value;
  wrong[0] = 0;
  if (json_object(&json) < 0) return "params is no object";
  for (; (more = json_member(&json, first, wrong, NAME_BYTES_MAX)) > 0; first = 0) {
    for (nth = 0; nth < command->parameters; nth++)
      if (strcmp(command->parameter[nth].name, wrong) == 0) break;
    if (nth == command->parameters) return "no such parameter";
    if (seen & 1 << nth) return "twice";
    if (json_whole(&json, &value) != 1) return "no whole number";
    if (value < command->parameter[nth].min || value > command->parameter[nth].max) return "out of range";
    payload[nth] = (uint8_t)value;
    seen |= 1 << nth;
  }
  if (more < 0) return "no JSON";
  for (nth = 0; nth < command->parameters; nth++)
    if (!(seen & 1 << nth)) return strcpy(wrong, command->parameter[nth].name), "missing";
  return NULL;
}

static int32_t encode(void *self, const thingcall_codec_req *asked, thingcall_out *out) {
  const struct codec *codec = self;
  const struct command *command = COMMANDS;
  struct request request;
  uint8_t frame[HEAD_BYTES + PARAMETERS_MAX + CRC_BYTES];
  char name[NAME_BYTES_MAX];
  struct json json;
  const char *problem;
  size_t length;

  json.at = asked->input.ptr;
  json.end = json.at + asked->input.len;
  if ((problem = read_request(json, &request)) != NULL) return refuse(codec, out, "%s", problem);
  while (command < COMMANDS + COMMANDS_COUNT && strcmp(command->method, request.method) != 0) command++;
  if (command == COMMANDS + COMMANDS_COUNT) return refuse(codec, out, "meters have no \"%s\"", request.method);
  problem = read_params(request.params, command, frame + HEAD_BYTES, name);
  if (problem != NULL) return refuse(codec, out, "parameter \"%s\": %s", name, problem);

  frame[0] = START;
  frame[1] = (uint8_t)(COUNTED_BYTES + (size_t)command->parameters);
  frame[2] = command->number;
  put_number(frame + 3, request.id, 4);
  length = HEAD_BYTES + (size_t)command->parameters;
  put_number(frame + length, crc(frame, length), CRC_BYTES);
  return codec->host->out_write(out, frame, length + CRC_BYTES);
}

/* ---- frame -> JSON ---- */

/* The meter did not do it. */
static void put_refusal(struct text *json, uint8_t status) {
  static const struct { int code; const char *message; } KNOWN[] = {
      {460, "the meter does not take this parameter"}, {403, "the relay is locked"}, {429, "the meter is busy"}};
  if (status <= sizeof KNOWN / sizeof KNOWN[0])
    put(json, "\"code\":%d,\"message\":\"%s\"}", KNOWN[status - 1].code, KNOWN[status - 1].message);
  else
    put(json, "\"code\":%d,\"message\":\"the meter answered with status %d\"}", 100000 + status, status);
}

/* What is wrong with the frame around the payload, as a text in `words`, or NULL. */
static const char *check_frame(thingcall_bytes input, char *words, size_t size) {
  const uint8_t *frame = input.ptr;
  size_t length = input.len;
  unsigned long found, right;
  if (length < FRAME_BYTES_MIN || length > FRAME_BYTES_MAX) {
    snprintf(words, size, "a frame has %u to %u bytes, this one %lu", FRAME_BYTES_MIN, FRAME_BYTES_MAX,
             (unsigned long)length);
  } else if (frame[0] != START) {
    snprintf(words, size, "a frame starts with 0x68, this one with 0x%02x", frame[0]);
  } else if (frame[1] + 2 + CRC_BYTES != length) {
    snprintf(words, size, "the frame's length says %u bytes, it has %lu", frame[1] + 2 + CRC_BYTES,
             (unsigned long)length);
  } else {
    found = number(frame + length - CRC_BYTES, CRC_BYTES);
    right = crc(frame, length - CRC_BYTES);
    if (found == right) return NULL;
    snprintf(words, size, "the frame's checksum is 0x%04lx, right is 0x%04lx", found, right);
  }
  return words;
}

static int32_t decode(void *self, const thingcall_codec_req *asked, thingcall_out *out) {
  const struct codec *codec = self;
  const struct command *command = COMMANDS;
  const uint8_t *frame = asked->input.ptr, *payload;
  struct text json;
  char words[80];
  size_t length;
  int wrong = 0;

  if (check_frame(asked->input, words, sizeof words) != NULL) return refuse(codec, out, "%s", words);
  payload = frame + HEAD_BYTES;
  length = asked->input.len - FRAME_BYTES_MIN;
  json.length = 0;
  put(&json, "{\"id\":\"%lu\",", (unsigned long)number(frame + 3, 4));

  if (frame[2] == REPORT) {
    put(&json, "\"version\":\"1.0\",\"method\":\"thing.event.property.post\",\"params\":");
    wrong = put_measured(&json, payload, length);
    put(&json, "}");
  } else {
    while (command < COMMANDS + COMMANDS_COUNT && (command->number | REPLY) != frame[2]) command++;
    if (command == COMMANDS + COMMANDS_COUNT) return refuse(codec, out, "0x%02x is no reply", frame[2]);
    if (length == 0) {
      wrong = -1;
    } else if (payload[0] != 0) {
      wrong = length == 1 ? 0 : -1;
      put_refusal(&json, payload[0]);
    } else {
      put(&json, "\"code\":200,\"data\":");
      wrong = command->data(&json, payload + 1, length - 1);
      put(&json, "}");
    }
  }
  if (wrong) return refuse(codec, out, "a 0x%02x with %lu bytes of payload says nothing", frame[2], (unsigned long)length);
  if (json.length == sizeof json.bytes - 1) return refuse(codec, out, "what the frame says is too long");
  return codec->host->out_write(out, (const uint8_t *)json.bytes, json.length);
}

/* ---- the plugin ---- */

static int32_t create(const thingcall_host_api *host, thingcall_token plugin, const thingcall_bytes *config,
                      thingcall_out *error, void **self) {
  struct codec *codec = malloc(sizeof *codec);
  (void)plugin, (void)config, (void)error;
  if (!codec) return THINGCALL_E_LIMIT;
  codec->host = host;
  *self = codec;
  return THINGCALL_OK;
}

static void destroy(void *self) { free(self); }

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

THINGCALL_MANIFEST_WITH_CODEC("raw-codec", VERSION, "[]", CODECS);
