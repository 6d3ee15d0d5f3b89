import { NONE } from '../../trace/tables.ts';
import { type AllocationLog, createAllocationLog } from './allocations.ts';
import type { ProcessCapture, RawStacks } from './capture.ts';
import { type CodeLog, createCodeLog } from './code.ts';
import type { StreamEvent } from './event.ts';
import { createGcLog, type GcLog } from './gc.ts';
import type { Stacks } from './stacks.ts';

/** What is being gathered about one process of the stream. */
export interface ProcessState {
  readonly pid: number;
  runtime: string;
  commandLine: string;
  readonly allocations: AllocationLog;
  readonly code: CodeLog;
  readonly gcs: GcLog;
  /** Row of a thread of this process. */
  thread(osId: number): number;
  nameThread(osId: number, name: string): void;
  /** Row of the event's stack, NONE without one. */
  stack(event: StreamEvent): number;
  finish(stacks: RawStacks, isWhole: boolean): ProcessCapture;
}

export function createProcessState(pid: number, stacks: Stacks): ProcessState {
  const allocations = createAllocationLog();
  const code = createCodeLog();
  const gcs = createGcLog();
  const threads: { osId: number; name: string }[] = [];
  const rowOfThread = new Map<number, number>();
  let lastThread = Number.NaN;
  let lastRow = NONE;

  const thread = (osId: number): number => {
    if (osId === lastThread) return lastRow;
    let row = rowOfThread.get(osId);
    if (row === undefined) {
      row = threads.push({ osId, name: '' }) - 1;
      rowOfThread.set(osId, row);
    }
    lastThread = osId;
    lastRow = row;
    return row;
  };

  return {
    pid,
    runtime: '',
    commandLine: '',
    allocations,
    code,
    gcs,
    thread,
    nameThread(osId, name) {
      threads[thread(osId)].name = name;
    },
    stack(event) {
      if (event.stackTo > event.stackFrom) return stacks.intern(event.view, event.stackFrom, event.stackTo);
      return stacks.rowOf(event.stackId);
    },
    finish(rawStacks, isWhole) {
      return {
        pid,
        runtime: this.runtime,
        commandLine: this.commandLine,
        allocationSource: allocations.source,
        isWhole,
        ...allocations.finish(),
        stacks: rawStacks,
        threads,
        ...code.finish(),
        gcs: gcs.finish(),
      };
    },
  };
}
