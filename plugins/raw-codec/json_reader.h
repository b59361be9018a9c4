/* Reads JSON where it lies: no tree, no allocation. It accepts what RFC 8259 calls JSON and nothing else, nested at most
 * JSON_DEPTH_MAX deep; bytes above 0x7f are taken as they are, since the host gives UTF-8.
 *
 * Every function returns < 0 for what is no JSON; the reader is of no use after that. */
#ifndef JSON_READER_H
#define JSON_READER_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define JSON_DEPTH_MAX 16

struct json {
  const uint8_t *at, *end;
};

/* The next byte that is no white space, 0 at the end. */
static int json_peek(struct json *json) {
  while (json->at < json->end && memchr(" \t\r\n", *json->at, 4)) json->at++;
  return json->at < json->end ? *json->at : 0;
}

static int json_take(struct json *json, int byte) {
  if (json_peek(json) != byte) return 0;
  json->at++;
  return 1;
}

static int json_digits(struct json *json) {
  const uint8_t *from = json->at;
  while (json->at < json->end && *json->at >= '0' && *json->at <= '9') json->at++;
  return json->at > from;
}

/* Four hexadecimal digits. */
static int json_code_unit(struct json *json, uint32_t *unit) {
  int digit, n;
  *unit = 0;
  for (n = 0; n < 4; n++) {
    if (json->at == json->end) return -1;
    digit = *json->at++;
    if (digit >= '0' && digit <= '9') digit -= '0';
    else if (digit >= 'a' && digit <= 'f') digit -= 'a' - 10;
    else if (digit >= 'A' && digit <= 'F') digit -= 'A' - 10;
    else return -1;
    *unit = *unit << 4 | (uint32_t)digit;
  }
  return 0;
}

/* One character of a string: its byte, or 0 where an escape stands for what is no ASCII. */
static int json_character(struct json *json) {
  static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  const char *escape;
  uint32_t unit;
  int byte = *json->at++;
  if (byte < 0x20) return -1;
  if (byte != '\\') return byte;
  if (json->at == json->end) return -1;
  byte = *json->at++;
  if (byte == 'u') {
    if (json_code_unit(json, &unit) < 0) return -1;
    return unit < 0x80 ? (int)unit : 0;
  }
  escape = byte ? strchr(escapes, byte) : NULL;
  return escape ? meant[escape - escapes] : -1;
}

/* A string. It is copied to `text` with a NUL at the end; one that does not fit, or holds an escape of what is no ASCII,
 * becomes "", which names nothing here. */
static int json_text(struct json *json, char *text, size_t size) {
  size_t length = 0;
  int byte, fits = 1;
  text[0] = 0;
  if (!json_take(json, '"')) return -1;
  while (json->at < json->end) {
    if (*json->at == '"') {
      json->at++;
      text[fits ? length : 0] = 0;
      return 0;
    }
    if ((byte = json_character(json)) < 0) return -1;
    if (byte == 0 || length + 1 >= size) fits = 0;
    else text[length++] = (char)byte;
  }
  return -1;
}

static int json_number(struct json *json) {
  if (*json->at == '-') json->at++;
  if (json->at < json->end && *json->at == '0') json->at++;
  else if (!json_digits(json)) return -1;
  if (json->at < json->end && *json->at == '.') {
    json->at++;
    if (!json_digits(json)) return -1;
  }
  if (json->at < json->end && (*json->at == 'e' || *json->at == 'E')) {
    json->at++;
    if (json->at < json->end && (*json->at == '+' || *json->at == '-')) json->at++;
    if (!json_digits(json)) return -1;
  }
  return 0;
}

static int json_word(struct json *json, const char *word) {
  size_t length = strlen(word);
  if ((size_t)(json->end - json->at) < length || memcmp(json->at, word, length) != 0) return -1;
  json->at += length;
  return 0;
}

/* Goes into an object; json_member tells its members. */
static int json_object(struct json *json) { return json_take(json, '{') ? 0 : -1; }

/* The next member's name, with its value to be read next: 1, or 0 at the object's end. `first` says that none was read. */
static int json_member(struct json *json, int first, char *name, size_t size) {
  if (json_take(json, '}')) return 0;
  if (!first && !json_take(json, ',')) return -1;
  if (json_text(json, name, size) < 0) return -1;
  return json_take(json, ':') ? 1 : -1;
}

/* Goes over any value. */
static int json_skip(struct json *json, int depth) {
  char name[1];
  int first = 1, more;
  if (depth > JSON_DEPTH_MAX) return -1;
  switch (json_peek(json)) {
  case '"': return json_text(json, name, sizeof name);
  case 't': return json_word(json, "true");
  case 'f': return json_word(json, "false");
  case 'n': return json_word(json, "null");
  case 0: return -1;
  case '{':
    json->at++;
    for (; (more = json_member(json, first, name, sizeof name)) > 0; first = 0)
      if (json_skip(json, depth + 1) < 0) return -1;
    return more;
  case '[':
    json->at++;
    if (json_take(json, ']')) return 0;
    do
      if (json_skip(json, depth + 1) < 0) return -1;
    while (json_take(json, ','));
    return json_take(json, ']') ? 0 : -1;
  default: return json_number(json);
  }
}

/* A value: 1 if it is a whole number from 0 to UINT32_MAX, written with digits alone; 0 if it is any other. */
static int json_whole(struct json *json, uint32_t *whole) {
  const uint8_t *from;
  uint64_t value = 0;
  json_peek(json);
  from = json->at;
  if (json_skip(json, 0) < 0) return -1;
  for (; from < json->at; from++) {
    if (*from < '0' || *from > '9') return 0;
    value = value * 10 + (uint64_t)(*from - '0');
    if (value > UINT32_MAX) return 0;
  }
  *whole = (uint32_t)value;
  return 1;
}
#endif
