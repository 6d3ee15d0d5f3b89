import { writeFileSync } from 'node:fs';

// Preloaded into the Node process that a benchmark starts: writes its own processor time, in seconds, when it exits.
// The first process takes the request out of its environment, so that the processes it starts do not answer too.

const file = process.env.MEMSURGE_BENCH_CPU;
delete process.env.MEMSURGE_BENCH_CPU;
delete process.env.NODE_OPTIONS;
if (file !== undefined) {
  process.on('exit', () => {
    const { user, system } = process.cpuUsage();
    writeFileSync(file, String((user + system) / 1e6));
  });
}
