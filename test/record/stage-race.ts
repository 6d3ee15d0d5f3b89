import { closeSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openAgentFile } from '../../src/record/native/agent-file.ts';
import { attachToNative } from '../../src/record/native/attach/load.ts';
import { start, until } from '../support/memsurge.ts';
import { ROOT } from '../support/root.ts';
import { nativeSamplePath } from '../support/samples.ts';
import { AS_NOBODY } from './support.ts';

const NOBODY = 65_534;
const VICTIM = 'what only root reads\n';
const LIBRARIES = ['libmemsurge.so', 'libmemsurge-tls.so', 'memsurge-inject'];

/**
 * As root, attaches `count` times to programs of the user nobody, who cannot reach the agent, while nobody replaces what he may
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
  const racer = start(AS_NOBODY[0], [...AS_NOBODY.slice(1), join(open, 'racer'), victim]);
  let harmed = 0;
  for (let i = 0; i < count; i++) {
    await attachOnce(join(open, 'waits'), join(secret, LIBRARIES[0]));
    const { uid, mode, nlink } = await stat(victim);
    if (uid !== 0 || (mode & 0o777) !== 0o600 || nlink !== 1 || (await readFile(victim, 'utf8')) !== VICTIM) harmed++;
  }
  racer.child.kill('SIGKILL');
  await racer.finished;
  await rm(open, { recursive: true });
  removeSpoiled();
  return harmed;
}

async function attachOnce(program: string, library: string): Promise<void> {
  const target = start(AS_NOBODY[0], [...AS_NOBODY.slice(1), program]);
  await until(() => target.output().includes('ready'));
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
  target.child.kill('SIGKILL');
  await target.finished;
}

/** What nobody has put in the place of folders that were laid for him. */
function removeSpoiled(): void {
  for (const folder of ['/tmp', '/var/tmp', '/dev/shm', '/run']) {
    for (const name of readdirSync(folder).filter((one) => one.startsWith('memsurge-stage-'))) {
      const path = join(folder, name);
      if (lstatSync(path).uid === NOBODY) rmSync(path, { recursive: true });
    }
  }
}
