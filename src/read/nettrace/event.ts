import type { Cursor } from './bytes.ts';
import type { ProcessState } from './process.ts';

/**
 * The event that is being read: one object for the whole stream, so that an event costs no garbage. `pos` and `end` of
 * the cursor are its payload.
 */
export interface StreamEvent extends Cursor {
  pointerSize: number;
  /** ns on the stream's clock. */
  time: number;
  /** Operating system id of the thread the event describes. */
  thread: number;
  stackId: number;
  /** Offsets of the stack's addresses where the event itself holds them (netperf), else 0. */
  stackFrom: number;
  stackTo: number;
  /** True when payloads are padded, so that fields cannot be found from the payload's end (netperf). */
  padded: boolean;
}

export type EventHandler = (event: StreamEvent, process: ProcessState) => void;

/** A row of the stream's metadata: one version of one event. */
export interface EventDefinition {
  readonly provider: string;
  readonly id: number;
  readonly version: number;
  readonly name: string;
  readonly handler: EventHandler | undefined;
  count: number;
}
