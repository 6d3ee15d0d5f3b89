import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { AgentCapture } from '../../src/read/agent/capture.ts';
import { compactAgentFile } from '../../src/read/agent/compact.ts';
import { readAgentFile } from '../../src/read/agent/file.ts';
import { judgeHeap, LIBSTDCXX_POOL_BYTES, whyNoHeaptrack } from '../support/heaptrack.ts';
import { scratchFolder } from '../support/memsurge.ts';
import { nativePrograms } from '../support/native-programs.ts';
import { ROOT } from '../support/root.ts';

const unable = whyNoHeaptrack();
const folder = await scratchFolder();
// python3 differs by one call that heaptrack's run makes: not understood yet (docs/plan.md).
const programs = (await nativePrograms(folder)).filter(({ name }) => !name.startsWith('python3'));
const AGENT = join(ROOT, 'dist', 'agent', 'libmemsurge.so');

const directoryOf = (name: string) => join(folder, name.replaceAll(/\W/g, '-'));
const agentVariables = (directory: string): [string, string][] => [
  ['LD_PRELOAD', AGENT],
  ['MEMSURGE_AGENT', `exact,65536,${directory}`],
];

/**
 * Programs that copy their environment allocate for each variable: heaptrack takes its own ones away, so that its run
 * gets two of the size of ours.
 */
function withVariablesOfOurSize(name: string, environment: Readonly<Record<string, string>>): Record<string, string> {
  const same = agentVariables(directoryOf(name)).map(([key, value]) => [key.replace(/^../, 'XX'), value]);
  return { ...environment, ...Object.fromEntries(same) };
}

/** What the agent itself says of one run at fixed addresses. */
function recordExact(
  name: string,
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
): AgentCapture {
  const directory = directoryOf(name);
  mkdirSync(directory);
  const variables = agentVariables(directory).map(([key, value]) => `${key}=${value}`);
  execFileSync('setarch', ['-R', 'env', ...variables, ...command], {
    env: { ...environment },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [file] = readdirSync(directory);
  return readAgentFile(compactAgentFile(join(directory, file)));
}

/** By the addresses of the whole stack: code that was loaded anew at an address has sites of its own. */
function peakByStack({ sites, stacks }: AgentCapture, heap: readonly number[]): Map<string, number> {
  const peaks = new Map<string, number>();
  for (const site of heap) {
    const addresses: number[] = [];
    for (let row = sites.stack[site]; row >= 0; row = stacks.prefix[row]) addresses.push(stacks.address[row]);
    const key = addresses.join(' ');
    peaks.set(key, (peaks.get(key) ?? 0) + sites.peakBytes[site]);
  }
  return peaks;
}

const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);
const ascending = (values: Iterable<number>) => [...values].filter((value) => value !== 0).sort((a, b) => a - b);

describe.skipIf(unable !== undefined)(`exact mode and heaptrack${unable ? ` (${unable})` : ''}`, () => {
  for (const { name, command, environment, missing } of programs) {
    test.skipIf(missing !== undefined)(`say the same of ${name}${missing ? ` (${missing})` : ''}`, async () => {
      // The first run may leave caches behind that the others find.
      execFileSync(command[0], command.slice(1), { env: { ...environment }, stdio: 'ignore' });
      const judged = await judgeHeap(command, withVariablesOfOurSize(name, environment));
      const capture = recordExact(name, command, environment);
      const { sites, losses } = capture;
      const heap = Array.from(sites.kind, (kind, site) => (site > 0 && kind === sites.kind[1] ? site : -1)).filter(
        (site) => site > 0,
      );
      const ours = {
        allocations: sum(heap.map((site) => sites.allocatedCount[site])),
        frees: sum(heap.map((site) => sites.freedCount[site])),
        temporary: sum(heap.map((site) => sites.temporaryCount[site])),
        leakedBytes: sum(heap.map((site) => sites.allocatedBytes[site] - sites.freedBytes[site])),
        peaks: ascending(peakByStack(capture, heap).values()),
      };
      expect(losses).toMatchObject({ droppedCount: 0, stacklessCount: 0 });
      const theirs = {
        allocations: judged.allocations,
        frees: judged.frees,
        temporary: judged.temporary,
        leakedBytes: judged.leakedBytes,
        peaks: ascending(judged.stacks.map((stack) => stack.peakBytes)),
      };
      expect(ours).toEqual(withoutPool(theirs, judged.allocations - ours.allocations));
    });
  }
});

interface Figures {
  readonly allocations: number;
  readonly frees: number;
  readonly temporary: number;
  readonly leakedBytes: number;
  readonly peaks: readonly number[];
}

/** heaptrack brings a block of libstdc++ into C programs; it frees it before it counts what leaked. */
function withoutPool(figures: Figures, surplus: number): Figures {
  if (surplus === 0) return figures;
  const at = figures.peaks.indexOf(LIBSTDCXX_POOL_BYTES);
  return {
    ...figures,
    allocations: figures.allocations - 1,
    frees: figures.frees - 1,
    peaks: figures.peaks.filter((_, i) => i !== at),
  };
}
