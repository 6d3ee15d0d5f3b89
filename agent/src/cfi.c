#include "cfi.h"

#include <string.h>

#include "arch.h"

/* Reads within [at, end); past it, everything is 0 and `failed`. */
struct bytes {
  const uint8_t *at, *end;
  bool failed;
};

static const uint8_t *take(struct bytes *bytes, uint64_t count) {
  static const uint8_t zeros[8];
  if ((uint64_t)(bytes->end - bytes->at) < count) {
    bytes->failed = true;
    bytes->at = bytes->end;
    return count <= sizeof zeros ? zeros : NULL;
  }
  const uint8_t *start = bytes->at;
  bytes->at += count;
  return start;
}

#define TAKE_FIXED(type)                                         \
  static type##_t take_##type(struct bytes *bytes) {             \
    type##_t value;                                              \
    memcpy(&value, take(bytes, sizeof value), sizeof value);     \
    return value;                                                \
  }
TAKE_FIXED(uint8)
TAKE_FIXED(uint16)
TAKE_FIXED(uint32)
TAKE_FIXED(uint64)
TAKE_FIXED(int16)
TAKE_FIXED(int32)

static uint64_t take_uleb(struct bytes *bytes) {
  uint64_t value = 0;
  for (uint32_t shift = 0;; shift += 7) {
    uint8_t byte = take_uint8(bytes);
    if (shift < 64) value |= (uint64_t)(byte & 0x7f) << shift;
    if (!(byte & 0x80)) return value;
  }
}

static int64_t take_sleb(struct bytes *bytes) {
  uint64_t value = 0;
  uint32_t shift = 0;
  uint8_t byte;
  do {
    byte = take_uint8(bytes);
    if (shift < 64) value |= (uint64_t)(byte & 0x7f) << shift;
    shift += 7;
  } while (byte & 0x80);
  if (shift < 64 && (byte & 0x40)) value |= ~(uint64_t)0 << shift;
  return (int64_t)value;
}

enum { PE_ABSOLUTE = 0, PE_ULEB = 1, PE_U2 = 2, PE_U4 = 3, PE_U8 = 4, PE_SLEB = 9, PE_S2 = 10, PE_S4 = 11, PE_S8 = 12 };
enum { PE_PC_RELATIVE = 0x10, PE_DATA_RELATIVE = 0x30, PE_INDIRECT = 0x80, PE_OMIT = 0xff };

/* A pointer as DW_EH_PE says; `data` is what data-relative ones add to. Indirect ones are only skipped right, never followed. */
static uint64_t take_pointer(struct bytes *bytes, uint8_t encoding, uint64_t data) {
  if (encoding == PE_OMIT) return 0;
  uint64_t here = (uint64_t)bytes->at, value;
  switch (encoding & 0x0f) {
    case PE_ABSOLUTE:
    case PE_U8:
    case PE_S8: value = take_uint64(bytes); break;
    case PE_ULEB: value = take_uleb(bytes); break;
    case PE_SLEB: value = (uint64_t)take_sleb(bytes); break;
    case PE_U2: value = take_uint16(bytes); break;
    case PE_S2: value = (uint64_t)(int64_t)take_int16(bytes); break;
    case PE_U4: value = take_uint32(bytes); break;
    case PE_S4: value = (uint64_t)(int64_t)take_int32(bytes); break;
    default: bytes->failed = true; return 0;
  }
  switch (encoding & 0x70) {
    case PE_ABSOLUTE: return value;
    case PE_PC_RELATIVE: return value == 0 ? 0 : here + value;
    case PE_DATA_RELATIVE: return data + value;
    default: bytes->failed = true; return 0;
  }
}

struct cie {
  uint64_t code_alignment;
  int64_t data_alignment;
  uint8_t pointer_encoding;
  bool has_augmentation_data, is_signal_frame;
  uint32_t return_column;
  struct bytes program;
};

struct fde {
  struct cie cie;
  uint64_t start, end;
  struct bytes program;
};

/* Length field of an entry: leaves `bytes` at what follows it, bounded to the entry. */
static bool enter_entry(const struct image *image, uint64_t at, struct bytes *bytes) {
  if (at < image->readable_start || at >= image->readable_end) return false;
  *bytes = (struct bytes){(const uint8_t *)at, (const uint8_t *)image->readable_end, false};
  uint64_t length = take_uint32(bytes);
  if (length == 0xffffffff) length = take_uint64(bytes);
  if (bytes->failed || length == 0 || length > (uint64_t)(bytes->end - bytes->at)) return false;
  bytes->end = bytes->at + length;
  return true;
}

static bool read_cie(const struct image *image, uint64_t at, struct cie *cie) {
  struct bytes bytes;
  if (!enter_entry(image, at, &bytes) || take_uint32(&bytes) != 0) return false;
  uint8_t version = take_uint8(&bytes);
  if (version != 1 && version != 3) return false;
  const char *augmentation = (const char *)bytes.at;
  while (take_uint8(&bytes) != 0) continue;
  if (bytes.failed) return false;
  cie->code_alignment = take_uleb(&bytes);
  cie->data_alignment = take_sleb(&bytes);
  cie->return_column = version == 1 ? take_uint8(&bytes) : (uint32_t)take_uleb(&bytes);
  cie->pointer_encoding = PE_ABSOLUTE;
  cie->is_signal_frame = false;
  cie->has_augmentation_data = augmentation[0] == 'z';
  if (cie->has_augmentation_data) {
    uint64_t length = take_uleb(&bytes);
    if (length > (uint64_t)(bytes.end - bytes.at)) return false;
    struct bytes data = {bytes.at, bytes.at + length, false};
    bytes.at += length;
    for (const char *letter = augmentation + 1; *letter != 0; letter++) {
      if (*letter == 'R') cie->pointer_encoding = take_uint8(&data);
      else if (*letter == 'L') take_uint8(&data);
      else if (*letter == 'S') cie->is_signal_frame = true;
      else if (*letter == 'P') {
        uint8_t encoding = take_uint8(&data);
        take_pointer(&data, encoding & 0x7f, 0);
      } else break; /* what an unknown letter means is in the data that is skipped */
    }
    if (data.failed) return false;
  } else if (augmentation[0] != 0) {
    return false;
  }
  cie->program = bytes;
  return !bytes.failed && cie->return_column < CFI_REGISTERS;
}

static bool read_fde(const struct image *image, uint64_t at, struct fde *fde) {
  struct bytes bytes;
  if (!enter_entry(image, at, &bytes)) return false;
  uint64_t back_from = (uint64_t)bytes.at;
  uint32_t back = take_uint32(&bytes);
  if (back == 0 || !read_cie(image, back_from - back, &fde->cie)) return false;
  fde->start = take_pointer(&bytes, fde->cie.pointer_encoding, 0);
  fde->end = fde->start + take_pointer(&bytes, fde->cie.pointer_encoding & 0x0f, 0);
  if (fde->cie.has_augmentation_data) {
    uint64_t length = take_uleb(&bytes);
    take(&bytes, length);
  }
  fde->program = bytes;
  return !bytes.failed;
}

#define SORTED_TABLE (PE_DATA_RELATIVE | PE_S4)

/* Without the sorted table of .eh_frame_hdr: entry after entry. */
static bool search_all(const struct image *image, uint64_t eh_frame, uint64_t address, struct fde *fde) {
  struct bytes entry;
  for (uint64_t at = eh_frame; enter_entry(image, at, &entry); at = (uint64_t)entry.end) {
    if (read_fde(image, at, fde) && address >= fde->start && address < fde->end) return true;
  }
  return false;
}

static bool find_fde(const struct image *image, uint64_t address, struct fde *fde) {
  uint64_t table = image->unwind_table;
  if (table == 0) return false;
  struct bytes header = {(const uint8_t *)table, (const uint8_t *)image->readable_end, false};
  uint8_t version = take_uint8(&header), frame_encoding = take_uint8(&header);
  uint8_t count_encoding = take_uint8(&header), table_encoding = take_uint8(&header);
  uint64_t eh_frame = take_pointer(&header, frame_encoding, table);
  if (version != 1 || header.failed) return false;
  if (count_encoding == PE_OMIT || table_encoding != SORTED_TABLE) return search_all(image, eh_frame, address, fde);
  uint64_t count = take_pointer(&header, count_encoding, table);
  const int32_t *rows = (const int32_t *)header.at; /* pairs: function's start, its entry; both relative to the table */
  if (header.failed || count == 0 || count > (uint64_t)(header.end - header.at) / 8) return false;
  uint64_t low = 0, high = count;
  while (high - low > 1) {
    uint64_t middle = low + (high - low) / 2;
    if (table + (uint64_t)(int64_t)rows[middle * 2] <= address) low = middle;
    else high = middle;
  }
  uint64_t entry = table + (uint64_t)(int64_t)rows[low * 2 + 1];
  return read_fde(image, entry, fde) && address >= fde->start && address < fde->end;
}

static struct cfi_expression take_expression(struct bytes *bytes) {
  uint64_t length = take_uleb(bytes);
  const uint8_t *code = take(bytes, length);
  return (struct cfi_expression){code, (uint32_t)length};
}

struct machine {
  struct cfi_work *work;
  const struct cie *cie;
  uint64_t location;
  uint32_t depth;
};

static void set(struct cfi_row *row, uint64_t reg, enum cfi_how how, int64_t value) {
  if (reg < CFI_REGISTERS) row->registers[reg] = (struct cfi_place){how, (int32_t)value, {0}};
}

static void set_expression(struct cfi_row *row, uint64_t reg, enum cfi_how how, struct cfi_expression expression) {
  if (reg < CFI_REGISTERS) row->registers[reg] = (struct cfi_place){how, 0, expression};
}

static void set_cfa(struct cfi_row *row, uint64_t reg, int64_t offset) {
  row->cfa_expression.code = NULL;
  row->cfa_register = (uint32_t)reg;
  row->cfa_offset = (int32_t)offset;
}

enum {
  CFA_NOP = 0x00, CFA_SET_LOC = 0x01, CFA_ADVANCE_LOC1 = 0x02, CFA_ADVANCE_LOC2 = 0x03, CFA_ADVANCE_LOC4 = 0x04,
  CFA_OFFSET_EXTENDED = 0x05, CFA_RESTORE_EXTENDED = 0x06, CFA_UNDEFINED = 0x07, CFA_SAME_VALUE = 0x08, CFA_REGISTER = 0x09,
  CFA_REMEMBER_STATE = 0x0a, CFA_RESTORE_STATE = 0x0b, CFA_DEF_CFA = 0x0c, CFA_DEF_CFA_REGISTER = 0x0d, CFA_DEF_CFA_OFFSET = 0x0e,
  CFA_DEF_CFA_EXPRESSION = 0x0f, CFA_EXPRESSION = 0x10, CFA_OFFSET_EXTENDED_SF = 0x11, CFA_DEF_CFA_SF = 0x12,
  CFA_DEF_CFA_OFFSET_SF = 0x13, CFA_VAL_OFFSET = 0x14, CFA_VAL_OFFSET_SF = 0x15, CFA_VAL_EXPRESSION = 0x16,
  CFA_GNU_ARGS_SIZE = 0x2e, CFA_GNU_NEGATIVE_OFFSET_EXTENDED = 0x2f,
};

/* One instruction whose top bits are 0; false for one that is not known. */
static bool run_extended(struct machine *machine, uint8_t code, struct bytes *bytes) {
  struct cfi_work *work = machine->work;
  struct cfi_row *row = &work->row;
  int64_t factor = machine->cie->data_alignment;
  uint64_t reg;
  switch (code) {
    case CFA_NOP: return true;
    case CFA_SET_LOC: machine->location = take_pointer(bytes, machine->cie->pointer_encoding, 0); return true;
    case CFA_ADVANCE_LOC1: machine->location += take_uint8(bytes) * machine->cie->code_alignment; return true;
    case CFA_ADVANCE_LOC2: machine->location += take_uint16(bytes) * machine->cie->code_alignment; return true;
    case CFA_ADVANCE_LOC4: machine->location += take_uint32(bytes) * machine->cie->code_alignment; return true;
    case CFA_OFFSET_EXTENDED: reg = take_uleb(bytes); set(row, reg, CFI_AT_OFFSET, (int64_t)take_uleb(bytes) * factor); return true;
    case CFA_OFFSET_EXTENDED_SF: reg = take_uleb(bytes); set(row, reg, CFI_AT_OFFSET, take_sleb(bytes) * factor); return true;
    case CFA_GNU_NEGATIVE_OFFSET_EXTENDED: reg = take_uleb(bytes); set(row, reg, CFI_AT_OFFSET, -(int64_t)take_uleb(bytes) * factor); return true;
    case CFA_VAL_OFFSET: reg = take_uleb(bytes); set(row, reg, CFI_IS_OFFSET, (int64_t)take_uleb(bytes) * factor); return true;
    case CFA_VAL_OFFSET_SF: reg = take_uleb(bytes); set(row, reg, CFI_IS_OFFSET, take_sleb(bytes) * factor); return true;
    case CFA_UNDEFINED: set(row, take_uleb(bytes), CFI_UNDEFINED, 0); return true;
    case CFA_SAME_VALUE: set(row, take_uleb(bytes), CFI_SAME, 0); return true;
    case CFA_REGISTER: reg = take_uleb(bytes); set(row, reg, CFI_IN_REGISTER, (int64_t)take_uleb(bytes)); return true;
    case CFA_EXPRESSION: reg = take_uleb(bytes); set_expression(row, reg, CFI_AT_EXPRESSION, take_expression(bytes)); return true;
    case CFA_VAL_EXPRESSION: reg = take_uleb(bytes); set_expression(row, reg, CFI_IS_EXPRESSION, take_expression(bytes)); return true;
    case CFA_RESTORE_EXTENDED:
      reg = take_uleb(bytes);
      if (reg < CFI_REGISTERS) row->registers[reg] = work->initial.registers[reg];
      return true;
    case CFA_REMEMBER_STATE:
      if (machine->depth == CFI_REMEMBERED) return false;
      work->remembered[machine->depth++] = *row;
      return true;
    case CFA_RESTORE_STATE:
      if (machine->depth == 0) return false;
      *row = work->remembered[--machine->depth];
      return true;
    case CFA_DEF_CFA: reg = take_uleb(bytes); set_cfa(row, reg, (int64_t)take_uleb(bytes)); return true;
    case CFA_DEF_CFA_SF: reg = take_uleb(bytes); set_cfa(row, reg, take_sleb(bytes) * factor); return true;
    case CFA_DEF_CFA_REGISTER: set_cfa(row, take_uleb(bytes), row->cfa_offset); return true;
    case CFA_DEF_CFA_OFFSET: set_cfa(row, row->cfa_register, (int64_t)take_uleb(bytes)); return true;
    case CFA_DEF_CFA_OFFSET_SF: set_cfa(row, row->cfa_register, take_sleb(bytes) * factor); return true;
    case CFA_DEF_CFA_EXPRESSION: row->cfa_expression = take_expression(bytes); return true;
    case CFA_GNU_ARGS_SIZE: take_uleb(bytes); return true;
    default: return false;
  }
}

/* Runs until the location is past `address`. */
static bool run(struct machine *machine, struct bytes bytes, uint64_t address) {
  while (bytes.at < bytes.end) {
    uint8_t code = take_uint8(&bytes), low = code & 0x3f;
    switch (code & 0xc0) {
      case 0x40: machine->location += low * machine->cie->code_alignment; break;
      case 0x80: set(&machine->work->row, low, CFI_AT_OFFSET, (int64_t)take_uleb(&bytes) * machine->cie->data_alignment); break;
      case 0xc0:
        if (low < CFI_REGISTERS) machine->work->row.registers[low] = machine->work->initial.registers[low];
        break;
      default:
        if (!run_extended(machine, low, &bytes)) return false;
    }
    if (bytes.failed) return false;
    if (machine->location > address) return true;
  }
  return true;
}

bool cfi_find(const struct image *image, uint64_t address, struct cfi_work *work) {
  struct fde fde;
  if (!find_fde(image, address, &fde)) return false;
  struct machine machine = {work, &fde.cie, fde.start, 0};
  memset(&work->row, 0, sizeof work->row);
  memset(&work->initial, 0, sizeof work->initial);
  if (!run(&machine, fde.cie.program, UINT64_MAX)) return false;
  work->initial = work->row;
  work->function_start = fde.start;
  work->is_signal_frame = fde.cie.is_signal_frame;
  work->return_column = fde.cie.return_column;
  return run(&machine, fde.program, address);
}
