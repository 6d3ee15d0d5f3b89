import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { openTraceFile } from '../../src/trace/file.ts';
import { memsurge } from '../support/memsurge.ts';
import { nativeSamplePath } from '../support/samples.ts';
import { buildProgram } from '../symbols/native/programs.ts';
import { buildShapes } from '../symbols/programs.ts';
import { elf, managed, nettrace, parts, type Target } from './targets.ts';

const READY_TO_RUN = ['-r', 'linux-x64', '--self-contained', 'false', '-p:PublishReadyToRun=true'];
const COMPILERS = { 'DWARF 4': ['-gdwarf-4'], 'DWARF 5': ['-gdwarf-5'], 'DWARF 5, packed': ['-gdwarf-5', '-gz'] };

/** All readers, each with an input that a real program, compiler or recorder made; built in `folder`. */
export async function allTargets(folder: string): Promise<Target[]> {
  const dll = await buildShapes(join(folder, 'shapes'), 'publish', ...READY_TO_RUN);
  const images: Target[] = [];
  for (const [name, options] of Object.entries(COMPILERS)) {
    const path = await buildProgram(join(folder, name.replaceAll(/\W/g, '')), ['-O2', ...options]);
    images.push(elf(name, readFileSync(path)));
  }
  const stream = (name: string) =>
    nettrace(name, gunzipSync(readFileSync(new URL(`../fixtures/${name}.nettrace.gz`, import.meta.url))));
  return [
    ...(await recordedParts(folder)),
    ...managed(readFileSync(dll), readFileSync(dll.replace('.dll', '.pdb'))),
    ...images,
    stream('ticks'),
    stream('sampled'),
  ];
}

/** The parts of a trace that memsurge itself recorded. */
async function recordedParts(folder: string): Promise<Target[]> {
  const path = join(folder, 'leaks.memsurge');
  const { status, stderr } = await memsurge('run', '--native', 'exact', '-o', path, '--', nativeSamplePath('leaks'));
  if (status !== 0) throw new Error(stderr);
  const file = await openTraceFile(path);
  const [part] = file.manifest.processes[0].native;
  const beside = (ending: string) => part.replace('.agent', ending);
  const has = (name: string) => file.parts.has(name);
  const seeds = {
    agent: await file.bytes(part),
    looks: has(beside('.looks')) ? await file.bytes(beside('.looks')) : Buffer.from('MSLOOKS1'),
    resident: has(beside('.resident')) ? await file.read(beside('.resident')) : '1\n1,1,1\n',
    manifest: await file.read('manifest.json'),
    symbols: await file.read('symbols.json'),
  };
  await file.close();
  return parts(seeds);
}
