import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ask, memsurge, scratchFolder } from '../support/memsurge.ts';
import { samplePath } from '../support/samples.ts';

const LIMIT_BYTES = 300_000_000;

/** A control group of this test's own; undefined where the machine gives us none. */
function limitedGroup(): string | undefined {
  const [base, limit] = existsSync('/sys/fs/cgroup/memory')
    ? ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes']
    : ['/sys/fs/cgroup', 'memory.max'];
  const group = join(base, `memsurge-test-${process.pid}`);
  try {
    mkdirSync(group);
    writeFileSync(join(group, limit), String(LIMIT_BYTES));
    return group;
  } catch {
    return undefined;
  }
}

const group = limitedGroup();
afterAll(() => {
  if (group !== undefined) rmdirSync(group);
});

test.skipIf(group === undefined)(
  'a program that the OOM killer ends leaves a trace with symbols (needs cgroups)',
  async () => {
    const trace = join(await scratchFolder(), 'oom.memsurge');
    // The runtime would keep to the group's limit by itself: it is told of a larger one.
    const script = 'echo $$ > "$0/cgroup.procs"; DOTNET_GCHeapHardLimit=0x100000000 exec "$1" grow';
    const run = await memsurge('run', '-o', trace, '--', 'sh', '-c', script, group as string, samplePath('exits'));
    expect(run.status).toBe(137);

    const { rows } = await ask('top', trace, '--by', 'function');
    expect(rows[0].name).toBe('Exits.Program.Grow');
    expect(rows[0].bytes).toBeGreaterThan(LIMIT_BYTES / 4);
    const { warnings } = await ask('report', trace);
    expect(warnings.join()).toMatch(
      /ended before the runtime had written its last events: up to \d+ ms are missing|its events end \d/,
    );
    const timeline = (await ask('timeline', trace)) as unknown as { rows: { rss: number | null }[] };
    expect(Math.max(...timeline.rows.map((row) => row.rss ?? 0))).toBeGreaterThan(LIMIT_BYTES / 2);
  },
);
