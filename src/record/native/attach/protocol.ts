import { TraceError } from '../../../trace/errors.ts';

/** How a running process is told to record: the other side is agent/src/attach.h. */

/** Class ids a .NET runtime is asked for; DllGetClassObject of the agent acts on them and refuses. */
export const CLASS_START = '78c08117-c793-4656-a01b-03080eb58734';
export const CLASS_STOP = '7084dafe-422d-46e1-a4e9-af7905b0476a';

/** HRESULTs of the agent: the result in the low half. */
const HRESULT = 0xa04d0000;

/** What the agent's start and stop answer. */
export const ATTACH_DONE = 0;
export const ATTACH_IDLE = 2;
const PROBLEMS: Record<number, string> = {
  1: 'it is being recorded already (a recorder that was killed makes room after 5 s)',
  3: 'it could not read its configuration',
  4: 'it could not make its file',
  5: 'it could not start a thread',
  6: 'it calls no allocator that can be recorded',
  7: 'one of its threads is still held up in the recording before',
};

/** The result in an HRESULT; undefined when it is not of the agent: it was not even loaded. */
export function resultOf(hresult: number): number | undefined {
  return hresult >= HRESULT && hresult <= HRESULT + 0xffff ? hresult - HRESULT : undefined;
}

/** @throws TraceError that says why process `pid` is not recorded. */
export function checkStarted(pid: number, result: number): void {
  if (result === ATTACH_DONE) return;
  const problem = PROBLEMS[result] ?? `the agent answered ${result}`;
  throw new TraceError(`native memory of process ${pid} cannot be recorded: ${problem}`);
}
