import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openTrace } from '../../src/read/open.ts';
import { openTraceFile } from '../../src/trace/file.ts';
import { start } from '../support/memsurge.ts';

const BIN = join(import.meta.dirname, '../../bin/memsurge.js');

/** What a recorder holds at most while its program starts `children`, one after the other, and what it wrote. */
export async function recordChurn(output: string, children: number, openFiles: number) {
  const script = `ulimit -n ${openFiles}; "$@"; exit $?`;
  const program = ['sh', '-c', `i=0; while [ $i -lt ${children} ]; do /bin/true; i=$((i+1)); done; exit 5`];
  const command = [process.execPath, BIN, 'run', '-o', output, '--', ...program];
  const { finished, child } = start('bash', ['-c', script, 'bash', ...command]);
  const most = { files: 0, memory: 0 };
  const timer = setInterval(() => {
    most.files = Math.max(most.files, filesOf(recorderBelow(child.pid!)));
    most.memory = Math.max(most.memory, agentBytes(output));
  }, 50);
  const { status, stderr } = await finished;
  clearInterval(timer);
  const { manifest } = await openTraceFile(output);
  const trace = await openTrace(output);
  return { status, stderr, most, manifest, trace };
}

function recorderBelow(pid: number): number {
  return Number(readText(`/proc/${pid}/task/${pid}/children`).split(' ')[0]);
}

function filesOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

/** Bytes that agents' files take in shared memory. */
function agentBytes(output: string): number {
  try {
    const folder = readlinkSync(join(`${output}.recording`, 'agents'));
    const sizes = readdirSync(folder).map(
      (name) => statSync(join(folder, name), { throwIfNoEntry: false })?.blocks ?? 0,
    );
    return sizes.reduce((sum, blocks) => sum + blocks * 512, 0);
  } catch {
    return 0;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
