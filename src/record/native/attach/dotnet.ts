import { TraceError } from '../../../trace/errors.ts';
import { attachProfiler, type Connect } from '../../diagnostics/commands.ts';
import { IpcError } from '../../diagnostics/ipc.ts';
import type { NativePlan } from '../library.ts';
import { CLASS_START, checkStarted, resultOf } from './protocol.ts';
import { type Stage, stageAgent } from './stage.ts';

/**
 * Loads the agent into a running .NET process through the runtime's own door for profilers, without ptrace; no profiler
 * remains, so others can still attach. To stop, ask through the agent's file. Gives the folder in which that appears:
 * `directory`, or one of the process's own.
 * @throws TraceError that says in one line why it cannot be.
 */
export async function attachToDotnet(
  pid: number,
  connect: Connect,
  plan: NativePlan,
  directory: string,
): Promise<string> {
  const stage = await stageAgent(pid, plan, directory);
  try {
    checkStarted(pid, await start(pid, connect, stage));
    return stage.directory;
  } finally {
    await stage.clear();
  }
}

async function start(pid: number, connect: Connect, stage: Stage): Promise<number> {
  let answer = 0;
  for (const library of [stage.library, stage.tlsLibrary]) {
    await stage.configure();
    answer = await hresultOf(attachProfiler(connect, CLASS_START, library));
    const result = resultOf(answer);
    if (result !== undefined) return result;
  }
  throw new TraceError(
    `native memory of process ${pid} cannot be recorded: it cannot load ${stage.library} (0x${answer.toString(16)})`,
  );
}

async function hresultOf(command: Promise<void>): Promise<number> {
  try {
    await command;
    return 0;
  } catch (error) {
    if (error instanceof IpcError) return error.code;
    throw error;
  }
}
