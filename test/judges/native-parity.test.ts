import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AgentCapture } from '../../src/read/agent/capture.ts';
import { compactAgentFile } from '../../src/read/agent/compact.ts';
import { readAgentFile } from '../../src/read/agent/file.ts';
import { KINDS } from '../../src/trace/kinds.ts';
import { runFixed } from '../support/fixed-run.ts';
import { HEAPTRACK_FRAMES, judgeHeap, LIBSTDCXX_POOL_BYTES, whyNoHeaptrack } from '../support/heaptrack.ts';
import { scratchFolder } from '../support/memsurge.ts';
import { type NativeProgram, nativePrograms } from '../support/native-programs.ts';
import { ROOT } from '../support/root.ts';

const unable = whyNoHeaptrack();
const folder = await scratchFolder();
const AGENT = join(ROOT, 'dist', 'agent', 'libmemsurge.so');

interface Sums {
  readonly allocations: number;
  readonly frees: number;
  readonly allocatedBytes: number;
  readonly leakedBytes: number;
  readonly temporary: number;
  readonly peakBytes: number;
  readonly peakCount: number;
}

test.for(await nativePrograms(folder))('exact mode and heaptrack say the same of $name', async (program, { skip }) => {
  const missing = unable ?? program.missing;
  skip(missing !== undefined, missing);
  // The first run may leave caches behind that the others find.
  await runFixed(program.command, program.environment, {});
  const directory = join(folder, program.name.replaceAll(/\W/g, '-'));
  mkdirSync(directory);
  const preload = { LD_PRELOAD: AGENT, MEMSURGE_AGENT: `exact,65536,${directory}` };

  const { stacks } = await judgeHeap(program.command, withVariablesLike(preload, program.environment));
  const capture = await recordExact(program, directory, preload);
  expect(capture.losses).toMatchObject({ droppedCount: 0, stacklessCount: 0, skippedCount: 0 });
  const ours = withoutPool(stacksOf(capture));
  const theirs = withoutPool(stacks);
  const figures: (keyof Sums)[] = ['allocations', 'frees', 'allocatedBytes', 'leakedBytes'];
  if (!program.livesByAddress) figures.push('temporary', 'peakBytes', 'peakCount');
  for (const figure of figures) {
    expect(sum(ours, figure), figure).toBe(sum(theirs, figure));
    expect(ascending(ours, figure), `${figure} by stack`).toEqual(ascending(theirs, figure));
  }
});

const sum = (stacks: readonly Sums[], figure: keyof Sums) => stacks.reduce((total, stack) => total + stack[figure], 0);
const ascending = (stacks: readonly Sums[], figure: keyof Sums) =>
  stacks.map((stack) => stack[figure]).sort((a, b) => a - b);

/** libstdc++'s block: heaptrack brings it into C programs too, and frees it before it counts what leaked. */
function withoutPool(stacks: readonly Sums[]): Sums[] {
  const pool = stacks.findIndex((stack) => stack.allocations === 1 && stack.allocatedBytes === LIBSTDCXX_POOL_BYTES);
  return stacks.filter((_, at) => at !== pool);
}

/**
 * Programs that copy their environment allocate for each variable: heaptrack takes its own ones away, so that its run
 * gets as many of the size of ours.
 */
function withVariablesLike(
  preload: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>>,
): Record<string, string> {
  const same = Object.entries(preload).map(([name, value]) => [name.replace(/^../, 'XX'), value]);
  return { ...environment, ...Object.fromEntries(same) };
}

/** What the agent itself says of one run. */
async function recordExact(
  { command, environment }: NativeProgram,
  directory: string,
  preload: Readonly<Record<string, string>>,
): Promise<AgentCapture> {
  await runFixed(command, environment, preload);
  const [file] = readdirSync(directory);
  return readAgentFile(compactAgentFile(join(directory, file)));
}

/** Stacks of the native heap by their addresses, which is how heaptrack tells them apart. */
function stacksOf({ sites, stacks }: AgentCapture): Sums[] {
  const byAddresses = new Map<string, Sums>();
  for (let site = 1; site < sites.length; site++) {
    if (KINDS[sites.kind[site]] !== 'native-heap' || sites.allocatedCount[site] === 0) continue;
    const addresses: number[] = [];
    for (let row = sites.stack[site]; row >= 0 && addresses.length < HEAPTRACK_FRAMES; row = stacks.prefix[row]) {
      addresses.push(stacks.address[row]);
    }
    const key = addresses.join(' ');
    const before = byAddresses.get(key);
    byAddresses.set(key, {
      allocations: sites.allocatedCount[site] + (before?.allocations ?? 0),
      frees: sites.freedCount[site] + (before?.frees ?? 0),
      temporary: sites.temporaryCount[site] + (before?.temporary ?? 0),
      leakedBytes: sites.allocatedBytes[site] - sites.freedBytes[site] + (before?.leakedBytes ?? 0),
      allocatedBytes: sites.allocatedBytes[site] + (before?.allocatedBytes ?? 0),
      peakBytes: sites.peakBytes[site] + (before?.peakBytes ?? 0),
      peakCount: sites.peakCount[site] + (before?.peakCount ?? 0),
    });
  }
  return [...byAddresses.values()];
}
