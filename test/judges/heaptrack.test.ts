import { describe, expect, test } from 'vitest';
import { judgeHeap, LIBSTDCXX_POOL_BYTES, whyNoHeaptrack } from '../support/heaptrack.ts';
import type { HeapJudgement } from '../support/heaptrack-trace.ts';
import { expectedOfLeaks, type LeaksExpectation, siteOf } from '../support/leaks.ts';
import { isLong } from '../support/long.ts';
import { scratchFolder } from '../support/memsurge.ts';
import { nativePrograms } from '../support/native-programs.ts';
import { nativeSamplePath, whyNoNativeSamples } from '../support/samples.ts';

const unable = whyNoHeaptrack();

interface Figures {
  readonly allocations: number;
  readonly allocatedBytes: number;
  readonly unreleased: number;
  readonly unreleasedBytes: number;
  readonly temporary: number;
  readonly peakBytes: number;
  readonly peakCount: number;
}

/** What the program knows, by function: heaptrack does not tell threads apart. */
function expectedFigures({ heap }: LeaksExpectation): Record<string, Figures> {
  const sites: Record<string, Figures> = {};
  for (const row of heap) {
    addTo(sites, row.function, {
      allocations: row.allocated.count,
      allocatedBytes: row.allocated.bytes,
      unreleased: row.unreleased.count,
      unreleasedBytes: row.unreleased.bytes,
      temporary: row.temporaryCount,
      peakBytes: row.peak.bytes,
      peakCount: row.peak.count,
    });
  }
  return sites;
}

function judgedFigures({ stacks }: HeapJudgement, { heap }: LeaksExpectation): Record<string, Figures> {
  const sites: Record<string, Figures> = {};
  for (const stack of stacks) {
    addTo(sites, siteOf(stack.frames, heap) ?? 'other', {
      allocations: stack.allocations,
      allocatedBytes: stack.allocatedBytes,
      unreleased: stack.allocations - stack.frees,
      unreleasedBytes: stack.leakedBytes,
      temporary: stack.temporary,
      peakBytes: stack.peakBytes,
      peakCount: stack.peakCount,
    });
  }
  return sites;
}

function addTo(sites: Record<string, Figures>, site: string, figures: Figures): void {
  const before = sites[site];
  sites[site] = before === undefined ? figures : combine(before, figures);
}

function combine(a: Figures, b: Figures): Figures {
  return {
    allocations: a.allocations + b.allocations,
    allocatedBytes: a.allocatedBytes + b.allocatedBytes,
    unreleased: a.unreleased + b.unreleased,
    unreleasedBytes: a.unreleasedBytes + b.unreleasedBytes,
    temporary: a.temporary + b.temporary,
    peakBytes: a.peakBytes + b.peakBytes,
    peakCount: a.peakCount + b.peakCount,
  };
}

/** What heaptrack is known to see otherwise, in figures that it must then show. */
function withBlindSpots(sites: Record<string, Figures>): Record<string, Figures> {
  const { first_leak, second_leak, realloc_to_zero, ...others } = sites;
  return {
    ...others,
    // It names addresses once: the second library, at the addresses of the first, gets the first one's names.
    first_leak: combine(first_leak, second_leak),
    // It does not see a realloc to nothing as a release.
    realloc_to_zero: { ...realloc_to_zero, unreleased: 2, unreleasedBytes: 110, peakBytes: 110, peakCount: 2 },
    // It does not hook memalign and pvalloc: only the three blocks of valloc are left.
    memalign_blocks: {
      ...sites.memalign_blocks,
      allocations: 3,
      allocatedBytes: 600,
      unreleased: 3,
      unreleasedBytes: 600,
    },
  };
}

test('agrees with the sample leaks to the byte, beside its known blind spots', async ({ skip }) => {
  const missing = unable ?? whyNoNativeSamples();
  skip(missing !== undefined, missing);
  const known = expectedOfLeaks();
  const { other, ...judged } = judgedFigures(await judgeHeap([nativeSamplePath('leaks')]), known);
  expect(judged).toEqual(withBlindSpots(expectedFigures(known)));
  // libstdc++'s pool, and what the loader and libc need for libraries and threads.
  expect(other.allocatedBytes - LIBSTDCXX_POOL_BYTES).toBeLessThan(20_000);
});

if (isLong)
  describe('programs of the system', async () => {
    const folder = await scratchFolder();
    test.for(await nativePrograms(folder))('$name has the same figures in every run', async (program, { skip }) => {
      const missing = unable ?? program.missing;
      skip(missing !== undefined, missing);
      const first = await judgeHeap(program.command, program.environment);
      expect(await judgeHeap(program.command, program.environment)).toEqual(first);

      expect(first.allocations).toBeGreaterThan(1000);
      expect(first.peakBytes).toBeGreaterThan(first.leakedBytes);
      for (const figure of [
        'allocations',
        'frees',
        'temporary',
        'allocatedBytes',
        'leakedBytes',
        'peakBytes',
      ] as const) {
        const sum = first.stacks.reduce((total, stack) => total + stack[figure], 0);
        expect(sum, figure).toBe(first[figure]);
      }
    });
  });
