import { describe, expect, test } from 'vitest';
import { SAMPLING_MEAN_BYTES, weigh } from '../../src/read/weights.ts';
import type { AllocationSource } from '../../src/trace/tables.ts';

function weightOf(source: AllocationSource, objectSize: number, amount: number): { bytes: number; count: number } {
  const rows = { length: 1, objectSize: Float64Array.of(objectSize), amount: Float64Array.of(amount) };
  const { bytes, count } = weigh(source, rows);
  return { bytes: bytes[0], count: count[0] };
}

/** A small generator with a fixed seed (mulberry32), so that a run can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('weights of randomized sampling', () => {
  // The process itself: distances between sampled bytes are exponential, an object is recorded when one falls into it.
  test.each([24, 1_000, 85_000, 400_000])('estimate bytes and count of objects of %i bytes without bias', (size) => {
    const next = random(size);
    const objects = Math.ceil(100_000_000 / size);
    let untilSample = -Math.log(1 - next()) * SAMPLING_MEAN_BYTES;
    let bytes = 0;
    let count = 0;
    let variance = 0;
    const weight = weightOf('allocation-sampled', size, size);
    for (let i = 0; i < objects; i++) {
      let recorded = false;
      untilSample -= size;
      while (untilSample < 0) {
        recorded = true;
        untilSample += -Math.log(1 - next()) * SAMPLING_MEAN_BYTES;
      }
      if (!recorded) continue;
      bytes += weight.bytes;
      count += weight.count;
      variance += (1 - 1 / weight.count) * weight.bytes ** 2;
    }
    // Four standard deviations: with a fixed seed this either holds or the formula is wrong.
    expect(Math.abs(bytes - objects * size)).toBeLessThan(4 * Math.sqrt(variance));
    expect(Math.abs(count - objects)).toBeLessThan((4 * Math.sqrt(variance)) / size);
  });

  test('are, for objects far larger than the mean, themselves and next to nothing, which tells them from exact ones', () => {
    const { bytes, count } = weightOf('allocation-sampled', 104_857_624, 104_857_624);
    expect(bytes).toBe(104_857_624);
    expect(count).toBeGreaterThan(1);
    expect(count).toBeCloseTo(1, 12);
  });
});

describe('weights of ticks and exact events', () => {
  test('a tick stands for the bytes it states, in objects of the size it saw', () => {
    expect(weightOf('allocation-tick', 50, 102_400)).toEqual({ bytes: 102_400, count: 2048 });
    expect(weightOf('allocation-tick', 104_857_624, 104_857_624)).toEqual({ bytes: 104_857_624, count: 1 });
  });

  test('a tick without a size, and an exact event, count as one', () => {
    expect(weightOf('allocation-tick-without-size', 0, 102_400)).toEqual({ bytes: 102_400, count: 1 });
    expect(weightOf('exact', 24, 24)).toEqual({ bytes: 24, count: 1 });
  });
});
