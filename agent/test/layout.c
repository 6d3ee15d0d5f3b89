/* Prints where layout.h puts things: `TABLE.field offset` and `NAME value`, one line each, as test/read/agent/layout.test.ts wants them. */
#include <stddef.h>
#include <stdio.h>

#include "layout.h"

#define NUMBER(name, value) printf("%s %llu\n", name, (unsigned long long)(value))
#define FIELD(table, type, field) NUMBER(table "." #field, offsetof(struct type, field))
#define TEXT(table, type, field) FIELD(table, type, field), NUMBER(table "." #field "_bytes", sizeof(((struct type *)0)->field))

static void header(void) {
  FIELD("HEADER", layout_header, version), FIELD("HEADER", layout_header, state), FIELD("HEADER", layout_header, pid);
  FIELD("HEADER", layout_header, parent_pid), FIELD("HEADER", layout_header, mode), FIELD("HEADER", layout_header, start);
  FIELD("HEADER", layout_header, section_count), FIELD("HEADER", layout_header, start_time), FIELD("HEADER", layout_header, end_time);
  FIELD("HEADER", layout_header, mean_bytes), FIELD("HEADER", layout_header, tick), FIELD("HEADER", layout_header, stop);
  FIELD("HEADER", layout_header, peak_bytes), FIELD("HEADER", layout_header, peak_time);
  FIELD("HEADER", layout_header, peak_epoch), FIELD("HEADER", layout_header, shadowed), FIELD("HEADER", layout_header, losses);
  FIELD("HEADER", layout_header, sections), TEXT("HEADER", layout_header, executable), TEXT("HEADER", layout_header, command_line);
  FIELD("HEADER", layout_header, before_bytes), FIELD("HEADER", layout_header, pid_namespace), FIELD("HEADER", layout_header, sandboxed);
  FIELD("HEADER", layout_header, stranger_count), FIELD("HEADER", layout_header, stranger), FIELD("HEADER", layout_header, exec_time);
  FIELD("HEADER", layout_header, became), FIELD("HEADER", layout_header, heartbeat), FIELD("HEADER", layout_header, is_cut);
  FIELD("HEADER", layout_header, gaps), NUMBER("HEADER.gap_bytes", sizeof(struct layout_gap)), NUMBER("HEADER.gap_count", 1 + LAYOUT_ROOMS);
}

static void rows(void) {
  TEXT("STRANGER", layout_stranger, path), FIELD("STRANGER", layout_stranger, why);
  FIELD("THREAD", layout_thread, tid), FIELD("THREAD", layout_thread, start_time), FIELD("THREAD", layout_thread, end_time);
  TEXT("THREAD", layout_thread, name);
  FIELD("MODULE", layout_module, start), FIELD("MODULE", layout_module, end), FIELD("MODULE", layout_module, bias);
  FIELD("MODULE", layout_module, from_time), FIELD("MODULE", layout_module, to_time), FIELD("MODULE", layout_module, path);
  FIELD("MODULE", layout_module, build_id_bytes), FIELD("MODULE", layout_module, build_id);
  FIELD("PC", layout_pc, pc), FIELD("PC", layout_pc, from_time);
  FIELD("NODE", layout_node, parent), FIELD("NODE", layout_node, pc);
  FIELD("STACK", layout_stack, node), FIELD("STACK", layout_stack, flags);
  FIELD("COUNTERS", layout_counters, allocated_bytes), FIELD("COUNTERS", layout_counters, allocated_count);
  FIELD("COUNTERS", layout_counters, own_freed_bytes), FIELD("COUNTERS", layout_counters, foreign_freed_bytes);
  FIELD("COUNTERS", layout_counters, own_freed_count), FIELD("COUNTERS", layout_counters, foreign_freed_count);
  FIELD("COUNTERS", layout_counters, temporary_count), FIELD("COUNTERS", layout_counters, peak_bytes);
  FIELD("COUNTERS", layout_counters, peak_epoch), FIELD("COUNTERS", layout_counters, peak_count);
  FIELD("BLOCK", layout_block, address), FIELD("BLOCK", layout_block, size), FIELD("BLOCK", layout_block, stack);
  FIELD("BLOCK", layout_block, tick);
  FIELD("MAP", layout_map, start), FIELD("MAP", layout_map, length), FIELD("MAP", layout_map, stack), FIELD("MAP", layout_map, tick);
  FIELD("MAP", layout_map, time);
  FIELD("SAMPLE", layout_sample, address), FIELD("SAMPLE", layout_sample, size), FIELD("SAMPLE", layout_sample, time);
  FIELD("SAMPLE", layout_sample, released_time), FIELD("SAMPLE", layout_sample, stack), FIELD("SAMPLE", layout_sample, mean_bytes);
}

/** `SECTIONS.name` is its number, `ROW_BYTES.name` the size of a row. */
#define SECTION(name, number, bytes) NUMBER("SECTIONS." name, number), NUMBER("ROW_BYTES." name, bytes)

static void sections(void) {
  SECTION("threads", SECTION_THREADS, sizeof(struct layout_thread)), SECTION("modules", SECTION_MODULES, sizeof(struct layout_module));
  SECTION("strings", SECTION_STRINGS, 1), SECTION("pcs", SECTION_PCS, sizeof(struct layout_pc));
  SECTION("nodes", SECTION_NODES, sizeof(struct layout_node)), SECTION("stacks", SECTION_STACKS, sizeof(struct layout_stack));
  SECTION("counters", SECTION_COUNTERS, sizeof(struct layout_counters)), SECTION("dirty", SECTION_DIRTY, 1);
  SECTION("blocks", SECTION_BLOCKS, sizeof(struct layout_block)), SECTION("maps", SECTION_MAPS, sizeof(struct layout_map));
  SECTION("samples", SECTION_SAMPLES, sizeof(struct layout_sample));
}

int main(void) {
  header();
  rows();
  sections();
  NUMBER("VERSION", LAYOUT_VERSION), NUMBER("HEADER_BYTES", LAYOUT_PAGE);
  NUMBER("SECTION_COUNT", SECTION_COUNT), NUMBER("SECTION_ENTRY_BYTES", sizeof(struct layout_range));
  NUMBER("MODE_EXACT", MODE_EXACT), NUMBER("START_ATTACH", START_ATTACH), NUMBER("STATE_STOPPED", STATE_STOPPED);
  NUMBER("THREAD_ROOT", NODE_THREAD_ROOT), NUMBER("KIND_MAPPED", KIND_MAPPED);
  NUMBER("STACK_TRUNCATED", STACK_TRUNCATED), NUMBER("STACK_BROKEN", STACK_BROKEN);
  NUMBER("LAST_WITHOUT", WITHOUT_FILE), NUMBER("LAST_START", START_FORK);
  return 0;
}
