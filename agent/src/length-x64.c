#include "length-x64.h"

#include <string.h>

/* What follows an opcode: a ModRM byte and an immediate of a size. */
enum {
  M = 0x10,
  I1 = 1,
  I2 = 2,
  /** 4 bytes, 2 with an operand-size prefix. */
  IZ = 3,
  /** 8 bytes with REX.W, else as IZ. */
  IV = 4,
  /** 8 bytes, 4 with an address-size prefix. */
  IO = 5,
  I3 = 6,
  /** TEST in group 3: an immediate when ModRM.reg is 0 or 1. */
  G1 = 7,
  GZ = 8,
  /** 4 bytes whatever the prefixes. */
  I4 = 9,
  XX = 0xff,
};

#define ROW4(a) a, a, a, a
#define ROW8(a) ROW4(a), ROW4(a)
#define ARITHMETIC M, M, M, M, I1, IZ, XX, XX

static const uint8_t one_byte[256] = {
    ARITHMETIC, M, M, M, M, I1, IZ, XX, XX,
    ARITHMETIC, ARITHMETIC,
    ARITHMETIC, ARITHMETIC,
    ARITHMETIC, ARITHMETIC,
    ROW8(XX), ROW8(XX), /* 40: REX, read before */
    ROW8(0), ROW8(0),
    XX, XX, XX, M, XX, XX, XX, XX, IZ, M | IZ, I1, M | I1, 0, 0, 0, 0, /* 60 */
    ROW8(I1), ROW8(I1),
    M | I1, M | IZ, XX, M | I1, ROW4(M), ROW8(M), /* 80 */
    ROW8(0), 0, 0, XX, 0, 0, 0, 0, 0,
    ROW4(IO), 0, 0, 0, 0, I1, IZ, 0, 0, 0, 0, 0, 0, /* A0 */
    ROW8(I1), ROW8(IV),
    M | I1, M | I1, I2, 0, XX, XX, M | I1, M | IZ, I3, 0, I2, 0, 0, I1, XX, 0, /* C0 */
    ROW4(M), XX, XX, XX, 0, ROW8(M),
    I1, I1, I1, I1, I1, I1, I1, I1, I4, I4, XX, I1, 0, 0, 0, 0, /* E0 */
    XX, 0, XX, XX, 0, 0, M | G1, M | GZ, 0, 0, 0, 0, 0, 0, M, M,
};

static const uint8_t two_bytes[256] = {
    M, M, M, M, XX, 0, 0, 0, 0, 0, XX, 0, XX, M, 0, M | I1,
    ROW8(M), ROW8(M), /* 10 */
    ROW4(M), XX, XX, XX, XX, ROW8(M),
    ROW4(0), 0, 0, XX, 0, XX, XX, XX, XX, XX, XX, XX, XX, /* 30 */
    ROW8(M), ROW8(M),
    ROW8(M), ROW8(M), /* 50 */
    ROW8(M), ROW8(M),
    M | I1, M | I1, M | I1, M | I1, M, M, M, 0, M, M, XX, XX, ROW4(M), /* 70 */
    ROW8(I4), ROW8(I4),
    ROW8(M), ROW8(M), /* 90 */
    0, 0, 0, M, M | I1, M, XX, XX, 0, 0, 0, M, M | I1, M, M, M,
    ROW8(M), M, M, M | I1, M, ROW4(M), /* B0 */
    M, M, M | I1, M, M | I1, M | I1, M | I1, M, ROW8(0),
    ROW8(M), ROW8(M), /* D0 */
    ROW8(M), ROW8(M),
    ROW8(M), ROW8(M), /* F0 */
};

struct reader {
  const uint8_t *at, *end;
};

static bool take(struct reader *reader, uint8_t *byte) {
  if (reader->at >= reader->end) return false;
  *byte = *reader->at++;
  return true;
}

static int32_t little_endian(const uint8_t *bytes, uint32_t count) {
  if (count == 1) return (int8_t)bytes[0];
  if (count == 2) return (int16_t)(bytes[0] | bytes[1] << 8);
  int32_t value;
  memcpy(&value, bytes, sizeof value);
  return value;
}

static bool take_number(struct reader *reader, uint32_t count, int32_t *value) {
  if (reader->end - reader->at < (long)count) return false;
  if (count > 0 && count <= 4 && count != 3) *value = little_endian(reader->at, count);
  reader->at += count;
  return true;
}

static bool take_modrm(struct reader *reader, struct x64_instruction *in) {
  in->has_modrm = true;
  if (!take(reader, &in->modrm)) return false;
  uint8_t mod = in->modrm >> 6, rm = in->modrm & 7;
  if (mod == 3) return true;
  if (rm == 4 && !take(reader, &in->sib)) return false;
  bool wide = mod == 2 || (mod == 0 && (rm == 5 || (rm == 4 && (in->sib & 7) == 5)));
  return take_number(reader, wide ? 4 : mod == 1 ? 1 : 0, &in->displacement);
}

static uint32_t immediate_bytes(uint8_t kind, const struct x64_instruction *in, bool short_operand, bool short_address) {
  uint32_t z = short_operand && !(in->rex & 8) ? 2 : 4;
  bool is_test = ((in->modrm >> 3) & 7) <= 1;
  switch (kind) {
    case I1: return 1;
    case I2: return 2;
    case I3: return 3;
    case I4: return 4;
    case IZ: return z;
    case IV: return in->rex & 8 ? 8 : z;
    case IO: return short_address ? 4 : 8;
    case G1: return is_test ? 1 : 0;
    case GZ: return is_test ? z : 0;
    default: return 0;
  }
}

static bool take_rest(struct reader *reader, struct x64_instruction *in, uint8_t shape, bool short_operand, bool short_address) {
  if (shape == XX) return false;
  if ((shape & M) && !take_modrm(reader, in)) return false;
  return take_number(reader, immediate_bytes(shape & 0xf, in, short_operand, short_address), &in->immediate);
}

static uint8_t shape_of(enum x64_map map, uint8_t opcode) {
  switch (map) {
    case X64_MAP_ONE: return one_byte[opcode];
    case X64_MAP_0F: return two_bytes[opcode];
    case X64_MAP_0F38: return M;
    default: return M | I1;
  }
}

/* VEX (C4, C5) and EVEX (62): a map and bits of REX, inverted; then opcode, ModRM, and an immediate by the map's table. */
static bool take_vector(struct reader *reader, struct x64_instruction *in, uint8_t prefix) {
  uint8_t first, other, map = 1;
  if (!take(reader, &first)) return false;
  in->rex = (uint8_t)(~first >> 5 & (prefix == 0xC5 ? 4 : 7));
  if (prefix != 0xC5) {
    map = first & (prefix == 0x62 ? 7 : 0x1f);
    if (!take(reader, &other)) return false;
    if (other & 0x80) in->rex |= 8;
  }
  if (prefix == 0x62 && !take(reader, &other)) return false;
  if (!take(reader, &in->opcode)) return false;
  if (map == 0 || map == 4 || map > 6) return false;
  in->vector = true;
  in->map = map <= 3 ? (enum x64_map)map : X64_MAP_0F38; /* maps 5 and 6 (FP16) have no immediates */
  if (map == 1 && in->opcode == 0x77) return true;
  uint8_t shape = map == 1 ? (uint8_t)(M | (two_bytes[in->opcode] & I1)) : shape_of(in->map, in->opcode);
  return take_rest(reader, in, shape, false, false);
}

static bool decode(struct reader *reader, struct x64_instruction *in) {
  bool short_operand = false, short_address = false;
  uint8_t byte;
  for (;;) {
    if (!take(reader, &byte)) return false;
    if (byte == 0x66) short_operand = true;
    else if (byte == 0x67) short_address = true;
    else if (byte != 0xF0 && byte != 0xF2 && byte != 0xF3 && byte != 0x2E && byte != 0x36 && byte != 0x3E && byte != 0x26 &&
             byte != 0x64 && byte != 0x65)
      break;
  }
  if (byte == 0xC4 || byte == 0xC5 || byte == 0x62) return take_vector(reader, in, byte);
  in->map = X64_MAP_ONE;
  if (byte == 0xD5) { /* REX2: the low half is a REX, the top bit chooses the map */
    if (!take(reader, &byte)) return false;
    in->rex = byte & 0xf;
    if (byte & 0x80) in->map = X64_MAP_0F;
    if (!take(reader, &in->opcode)) return false;
    return take_rest(reader, in, shape_of(in->map, in->opcode), short_operand, short_address);
  }
  if ((byte & 0xF0) == 0x40) {
    in->rex = byte & 0xf;
    if (!take(reader, &byte)) return false;
  }
  if (byte == 0x0F) {
    in->map = X64_MAP_0F;
    if (!take(reader, &byte)) return false;
    if (byte == 0x38 || byte == 0x3A) {
      in->map = byte == 0x38 ? X64_MAP_0F38 : X64_MAP_0F3A;
      if (!take(reader, &byte)) return false;
    }
  }
  in->opcode = byte;
  return take_rest(reader, in, shape_of(in->map, byte), short_operand, short_address);
}

bool x64_decode(const uint8_t *code, uint32_t available, struct x64_instruction *in) {
  struct reader reader = {code, code + (available < 15 ? available : 15)};
  memset(in, 0, sizeof *in);
  if (!decode(&reader, in)) return false;
  in->length = (uint32_t)(reader.at - code);
  return true;
}
