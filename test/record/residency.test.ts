import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { type AgentCounters, openAgentCounters } from '../../src/record/native/counters.ts';
import { AGENTS_FOLDER } from '../../src/trace/part-names.ts';
import { scratchFolder, startMemsurge, until } from '../support/memsurge.ts';
import { nativeSamplePath, whyNoNativeSamples } from '../support/samples.ts';

const missing = whyNoNativeSamples();
beforeEach(({ skip }) => skip(missing !== undefined, missing));

const folder = await scratchFolder();
const MiB = 1024 * 1024;

/** The counters of the one agent of a recording under way, as those of process `pid` where it is given. */
function countersOf(recording: string, pid?: number): AgentCounters | undefined {
  const agents = join(recording, AGENTS_FOLDER);
  const name = readdirSync(agents).find((one) => one.endsWith('.agent'));
  return name === undefined
    ? undefined
    : openAgentCounters(join(agents, name), (inside) => ({ pid: pid ?? inside.pid, parentPid: 0 }));
}

const inMemory = (counters: AgentCounters) => counters.residency(1)?.bytes.reduce((sum, bytes) => sum + bytes, 0);

test.each(['exact', 'sampled'])(
  'of a process that ends or is another one nothing is said, in %s mode',
  async (mode) => {
    const path = join(folder, `${mode}.memsurge`);
    const { child, finished } = startMemsurge('run', '--native', mode, '-o', path, '--', nativeSamplePath('written'));
    let counters: AgentCounters | undefined;
    await until(() => {
      try {
        counters ??= countersOf(`${path}.recording`);
      } catch {
        // The recorder makes its folder first.
      }
      return counters !== undefined && (inMemory(counters) ?? 0) > 32 * MiB;
    });
    // As after an exec: the pid is that of a program which has none of these blocks.
    const other = countersOf(`${path}.recording`, process.pid);
    expect(other?.residency(1)).toBeUndefined();
    other?.close();
    child.stdin?.end('\n');
    expect((await finished).status).toBe(0);
    expect(counters?.residency(2)).toBeUndefined();
    counters?.close();
  },
);
