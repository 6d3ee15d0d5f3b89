#include "blocks.h"

#include <string.h>

#include "arch.h"
#include "gate.h"
#include "lock.h"
#include "store.h"

#define SHARD_BITS 5
#define FIRST_ROWS (LAYOUT_PAGE / sizeof(struct layout_block))

/* Open addressing with linear probing, at most 5/8 full; a removal moves later rows up, so there are no tombstones. */
struct shard {
  struct lock lock;
  uint32_t used;
  uint32_t rows;
  /** 64 - log2(rows). */
  uint32_t shift;
  struct layout_block *table;
} __attribute__((aligned(64)));
static struct shard shards[1 << SHARD_BITS];

void blocks_start(void) { memset(shards, 0, sizeof shards); }

static struct shard *shard_of(uint64_t hash) { return &shards[hash >> (64 - SHARD_BITS)]; }
static uint32_t place_of(const struct shard *shard, uint64_t hash) { return (uint32_t)(hash << SHARD_BITS >> shard->shift); }

static uint64_t address_at(const struct shard *shard, uint32_t place) {
  return atomic_load_explicit(&shard->table[place].address, memory_order_relaxed);
}

/* For a reader at any moment, and after any death: a row with an address is whole, and no block is there twice. */
static void write_row(struct layout_block *row, const struct layout_block *block, uint64_t address) {
  row->size = block->size;
  row->stack = block->stack;
  row->tick = block->tick;
  row->thread = block->thread;
  row->sample = block->sample;
  atomic_store_explicit(&row->address, address, memory_order_release);
}

static void move_row(struct layout_block *to, struct layout_block *from) {
  uint64_t address = atomic_load_explicit(&from->address, memory_order_relaxed);
  atomic_store_explicit(&from->address, 0, memory_order_release);
  write_row(to, from, address);
}

static bool grow(struct shard *shard) {
  uint32_t rows = shard->rows == 0 ? FIRST_ROWS : shard->rows * 2;
  uint32_t first = store_extend(SECTION_BLOCKS, rows);
  if (first == STORE_FULL) return false;
  struct shard larger = {.rows = rows, .shift = 64 - (uint32_t)__builtin_ctz(rows)};
  larger.table = (struct layout_block *)store_rows(SECTION_BLOCKS) + first;
  for (uint32_t i = 0; i < shard->rows; i++) {
    uint64_t address = address_at(shard, i);
    if (address == 0) continue;
    uint32_t place = place_of(&larger, address_hash(address));
    while (address_at(&larger, place) != 0) place = (place + 1) & (rows - 1);
    move_row(&larger.table[place], &shard->table[i]);
  }
  if (shard->rows > 0) store_discard(shard->table, shard->rows * sizeof *shard->table);
  shard->table = larger.table;
  shard->rows = rows;
  shard->shift = larger.shift;
  return true;
}

/* Place of the address, or the free one where it belongs. */
static uint32_t find(const struct shard *shard, uint64_t address, uint64_t hash) {
  uint32_t place = place_of(shard, hash);
  for (uint64_t there; (there = address_at(shard, place)) != 0 && there != address;) place = (place + 1) & (shard->rows - 1);
  return place;
}

enum blocks_put_result blocks_put(const struct layout_block *block, struct layout_block *replaced) {
  uint64_t address = atomic_load_explicit(&block->address, memory_order_relaxed), hash = address_hash(address);
  struct shard *shard = shard_of(hash);
  enum blocks_put_result result = BLOCKS_PUT;
  lock_enter(&shard->lock);
  /* A table that cannot grow is filled a little further. */
  if (UNLIKELY(shard->used >= shard->rows / 8 * 5) && !grow(shard) && shard->used >= shard->rows / 8 * 7) {
    result = BLOCKS_FULL;
  } else {
    struct layout_block *row = &shard->table[find(shard, address, hash)];
    if (UNLIKELY(atomic_load_explicit(&row->address, memory_order_relaxed) != 0)) {
      *replaced = *row;
      result = BLOCKS_REPLACED;
    } else {
      shard->used++;
    }
    write_row(row, block, address);
  }
  lock_leave(&shard->lock);
  return result;
}

void blocks_expect(uint64_t address) {
  uint64_t hash = address_hash(address);
  const struct shard *shard = shard_of(hash);
  /* Another thread may be growing the table: then this is another place, which does no harm. */
  if (shard->rows > 0) __builtin_prefetch(&shard->table[place_of(shard, hash)], 1);
}

/* Closes the gap at `hole`: whatever stands behind it and could stand in it moves up. */
static void close_gap(struct shard *shard, uint32_t hole) {
  uint32_t mask = shard->rows - 1;
  uint64_t address;
  for (uint32_t place = (hole + 1) & mask; (address = address_at(shard, place)) != 0; place = (place + 1) & mask) {
    uint32_t home = place_of(shard, address_hash(address));
    if (((place - home) & mask) < ((place - hole) & mask)) continue;
    move_row(&shard->table[hole], &shard->table[place]);
    hole = place;
  }
}

bool blocks_take(uint64_t address, struct layout_block *taken) {
  uint64_t hash = address_hash(address);
  struct shard *shard = shard_of(hash);
  bool known = false;
  lock_enter(&shard->lock);
  if (shard->rows > 0) {
    uint32_t place = find(shard, address, hash);
    struct layout_block *row = &shard->table[place];
    if (atomic_load_explicit(&row->address, memory_order_relaxed) == address) {
      known = true;
      *taken = *row;
      atomic_store_explicit(&row->address, 0, memory_order_release);
      shard->used--;
      close_gap(shard, place);
    }
  }
  lock_leave(&shard->lock);
  return known;
}
