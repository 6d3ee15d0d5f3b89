import type { Metric, Unit, View } from '../trace/view.ts';

/** Estimated bytes and objects. */
export interface Amount {
  readonly bytes: number;
  readonly count: number;
}

/**
 * What stands behind a figure: `exact`: every object was seen; `sampled`: estimated, its error is known; `unknown`:
 * estimated from events that do not tell the error.
 */
export type Accuracy = 'exact' | 'sampled' | 'unknown';

export interface Total extends Amount {
  /** Relative 95 % half-width in the unit asked for; absent when exact or unknown, null when of this figure alone it is not known. */
  readonly error?: number | null;
}

/**
 * Whose code a function is: `runtime` is the .NET runtime, its framework, and the libraries of the C language and the
 * system; of the rest `managed` is compiled by the .NET runtime, `native` is not.
 */
export type Origin = 'managed' | 'native' | 'runtime';

/** One line of an answer. Rows add up to the total, `other` included. */
export interface Row extends Amount {
  readonly name: string;
  /** Part of the total in the unit asked for: 0–1, beyond that only for the metric `net`. */
  readonly share: number;
  /** Relative 95 % half-width in the unit asked for; absent when exact or unknown, null when of this figure alone it is not known. */
  readonly error?: number | null;
  /** By function: bytes and objects of every stack that holds the function, a recursion counted once. */
  readonly totalBytes?: number;
  readonly totalCount?: number;
  readonly totalError?: number | null;
  /** Native memory that is live at the end: bytes of it that were in memory when that was measured last. Absent where none of it was measured. */
  readonly residentBytes?: number;
  /** The bytes of which `residentBytes` is a part; what is left of `bytes` is younger, and not known to be in memory or not. */
  readonly measuredBytes?: number;
  readonly module?: string;
  /** By function, and in trees. */
  readonly origin?: Origin;
  /** By line: a function the line belongs to. */
  readonly function?: string;
  readonly file?: string;
  readonly line?: number;
  /** The line is near the true one, not surely it: optimised code keeps few line marks. */
  readonly near?: true;
  /** This row stands for the `folded` rows that the limit cut. */
  readonly other?: true;
  readonly folded?: number;
}

/** What of a view has stacks of which the outermost frames are missing. */
export interface Cut {
  readonly bytes: number;
  /** Part of the view without its filters by function and module. */
  readonly share: number;
  /** Frames at which stacks were cut. */
  readonly limits: readonly number[];
  /** The view is filtered by what may stand on the missing frames. */
  readonly isFiltered: boolean;
}

/**
 * Why an answer counts nothing: nothing was there; what was asked for was not recorded (`texts` say why), all of it or a part; or
 * the trace is still being read.
 */
export interface Nothing {
  readonly about: 'nothing' | 'unrecorded' | 'partly-unrecorded' | 'unread';
  readonly texts: readonly string[];
}

/** What every question answers with; `--json` prints it as it is. */
export interface Answer<R = Row> {
  readonly view: View;
  readonly metric: Metric;
  readonly unit: Unit;
  readonly total: Total;
  /** The same metric without any filter; of what is held at the end of a range of time, the same range. */
  readonly whole: Amount;
  readonly accuracy: Accuracy;
  /**
   * Of an attached process, bytes of its native heap that were in use when recording began, as the C library counts them:
   * in no row and no total. null: not known; absent where there were none, or the view's filters cannot tell.
   */
  readonly before?: number | null;
  /** How long before the end of its process the oldest `residentBytes` were measured, ns; absent without such. */
  readonly residentAge?: number;
  /** The metric `net` is all that is known of this range: not what of it was still held at its end. */
  readonly onlyNet?: true;
  readonly rows: readonly R[];
  /** Where nothing was counted, and so there are no rows, but for those of stretches of time. */
  readonly nothing?: Nothing;
  /** Absent where no stack was cut. */
  readonly cut?: Cut;
  /** What the reader of the figures must know: losses, blind spots, filters that match nothing. */
  readonly warnings: readonly string[];
}
