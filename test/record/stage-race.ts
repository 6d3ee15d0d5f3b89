import { closeSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openAgentFile } from '../../src/record/native/agent-file.ts';
import { attachToNative } from '../../src/record/native/attach/load.ts';
import { start, until } from '../support/memsurge.ts';
import { ROOT } from '../support/root.ts';
import { nativeSamplePath } from '../support/samples.ts';

/** Not nobody, as whom other tests attach meanwhile: what is his the race spoils. */
const SOMEBODY = 65_533;
const AS_SOMEBODY = ['setpriv', `--reuid=${SOMEBODY}`, `--regid=${SOMEBODY}`, '--clear-groups'];
const VICTIM = 'what only root reads\n';
const LIBRARIES = ['libmemsurge.so', 'libmemsurge-tls.so', 'memsurge-inject'];

/**
 * As root, attaches `count` times to programs of another user, who cannot reach the agent, while he replaces what he may
 * by links to a file of root. Gives in how many rounds the file was changed or given away. What belongs to his own program
 * he may spoil, so that nothing of it is recorded.
 */
export async function raceForFilesOfRoot(count: number): Promise<number> {
  const open = await mkdtemp('/tmp/memsurge-test-race-');
  await chmod(open, 0o755);
  for (const name of ['racer', 'waits'] as const) {
    await copyFile(nativeSamplePath(name), join(open, name));
    await chmod(join(open, name), 0o755);
  }
  const secret = join(open, 'secret');
  await mkdir(secret, { mode: 0o700 });
  for (const name of LIBRARIES) await copyFile(join(ROOT, 'dist', 'agent', name), join(secret, name));
  const victim = join(open, 'victim');
  await writeFile(victim, VICTIM, { mode: 0o600 });
  let harmed = 0;
  for (let i = 0; i < count; i++) {
    await attachOnce(open, join(secret, LIBRARIES[0]), victim);
    const { uid, mode, nlink } = await stat(victim);
    if (uid !== 0 || (mode & 0o777) !== 0o600 || nlink !== 1 || (await readFile(victim, 'utf8')) !== VICTIM) harmed++;
  }
  await rm(open, { recursive: true });
  removeSpoiled();
  return harmed;
}

async function attachOnce(open: string, library: string, victim: string): Promise<void> {
  const asSomebody = async (program: string, ...args: string[]) => {
    const started = start(AS_SOMEBODY[0], [...AS_SOMEBODY.slice(1), join(open, program), ...args]);
    await until(() => started.output().includes('ready'));
    return started;
  };
  const target = await asSomebody('waits');
  const racer = await asSomebody('racer', victim, String(target.child.pid));
  const files = await attachToNative(
    target.child.pid!,
    { mode: 'sampled', sampleBytes: 65_536, library },
    dirname(library),
  ).catch(() => undefined);
  const names = files === undefined ? [] : readdirSync(files.directory).filter((name) => name.endsWith('.agent'));
  for (const name of names) {
    try {
      closeSync(openAgentFile(join(files!.directory, name)));
    } catch {
      // Replaced: it is not opened.
    }
  }
  await files?.release();
  for (const { child, finished } of [racer, target]) {
    child.kill('SIGKILL');
    await finished;
  }
  // Else it would stand in the way of whoever has this pid next.
  rmSync(`/tmp/memsurge-agent-${target.child.pid}.cfg`, { force: true });
}

/** What he has put in the place of folders that were laid for him. */
function removeSpoiled(): void {
  for (const folder of ['/tmp', '/var/tmp', '/dev/shm', '/run']) {
    for (const name of readdirSync(folder).filter((one) => one.startsWith('memsurge-stage-'))) {
      const path = join(folder, name);
      if (lstatSync(path).uid === SOMEBODY) rmSync(path, { recursive: true });
    }
  }
}
