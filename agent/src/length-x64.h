/* Splits x86-64 machine code into instructions. */
#ifndef MEMSURGE_LENGTH_X64_H
#define MEMSURGE_LENGTH_X64_H

#include <stdbool.h>
#include <stdint.h>

enum x64_map { X64_MAP_ONE, X64_MAP_0F, X64_MAP_0F38, X64_MAP_0F3A };

struct x64_instruction {
  uint32_t length;
  /** Opcode map; VEX and EVEX instructions have `vector` set. */
  enum x64_map map;
  bool vector;
  uint8_t opcode;
  /** REX bits W R X B as 8 4 2 1. */
  uint8_t rex;
  bool has_modrm;
  uint8_t modrm, sib;
  int32_t displacement;
  /** Immediate of up to 4 bytes, sign-extended; longer ones are not kept. */
  int32_t immediate;
};

/**
 * Decodes the instruction at `code`; false when it is none in 64-bit mode, is unknown, or does not end within `available`.
 * Source: Intel SDM volume 2, appendix A (opcode maps) and chapter 2 (prefixes, ModRM, VEX, EVEX).
 */
bool x64_decode(const uint8_t *code, uint32_t available, struct x64_instruction *);

#endif
