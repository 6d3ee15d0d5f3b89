import { attachProfiler, type Connect } from '../../diagnostics/commands.ts';
import { IpcError } from '../../diagnostics/ipc.ts';
import type { NativePlan } from '../library.ts';
import { CLASS_START, checkStarted, resultOf } from './protocol.ts';
import { type AgentFiles, refusal, type Stage, stageAgent } from './stage.ts';

/**
 * Loads the agent into a running .NET process through the runtime's own door for profilers, without ptrace; no profiler
 * remains, so others can still attach. To stop, ask through the agent's file.
 * @throws TraceError that says in one line why it cannot be.
 */
export async function attachToDotnet(
  pid: number,
  connect: Connect,
  plan: NativePlan,
  directory: string,
): Promise<AgentFiles> {
  const stage = await stageAgent('lay', pid, plan, directory);
  try {
    checkStarted(pid, await start(pid, connect, stage));
    stage.injector.loaded();
    return stage.files;
  } catch (error) {
    await stage.files.release();
    throw error;
  }
}

async function start(pid: number, connect: Connect, { library, tlsLibrary }: Stage): Promise<number> {
  let answer = 0;
  for (const one of [library, tlsLibrary]) {
    answer = await hresultOf(attachProfiler(connect, CLASS_START, one));
    const result = resultOf(answer);
    if (result !== undefined) return result;
  }
  throw refusal(pid, `it cannot load ${library} (0x${answer.toString(16)})`);
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
