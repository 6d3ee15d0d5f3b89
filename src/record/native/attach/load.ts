import { say } from '../../say.ts';
import type { NativePlan } from '../library.ts';
import { lacksAgent } from '../without-agent.ts';
import { checkStarted } from './protocol.ts';
import { type AgentFiles, inWords, refusal, stageAgent } from './stage.ts';

/**
 * Loads the agent into a running native process: a thread of it that waits, or is outside of the C library and of
 * allocators, is borrowed for some milliseconds. What cannot be seen from outside (an allocator linked into the program
 * under other names) may still be interrupted. To stop, ask through the agent's file.
 * @throws TraceError that says in one line why it cannot be; the process is as it was then.
 */
export async function attachToNative(pid: number, plan: NativePlan, directory: string): Promise<AgentFiles> {
  const hadAgent = lacksAgent(pid) === false;
  const { library, files, injector } = await stageAgent('load', pid, plan, directory);
  try {
    const { word, text } = await injector.next();
    if (word === 'not-loaded') throw refusal(pid, `it cannot load ${library} (${text})`);
    if (word !== 'started') throw refusal(pid, inWords(text));
    checkStarted(pid, Number(text));
    if (!hadAgent) say(`process ${pid} was made to load the agent, which stays in it`);
    return files;
  } catch (error) {
    await files.release();
    throw error;
  }
}
