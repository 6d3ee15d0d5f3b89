import * as v from 'valibot';
import { code } from '../query/code.ts';
import { facts } from '../query/facts.ts';
import { heap } from '../query/heap.ts';
import { report, reportViews } from '../query/report.ts';
import { timeline } from '../query/timeline.ts';
import { top } from '../query/top.ts';
import { tree } from '../query/tree.ts';
import type { Trace } from '../trace/tables.ts';
import { type AskedView, DIMENSIONS, type View } from '../trace/view.ts';

/**
 * Every question that can be asked over HTTP: the parameters it takes beside the View's, and what answers it. Answers are
 * bounded: a limit above the highest means the highest. To add a question is to add an entry; `api.ts` takes the types
 * from here.
 */
export const QUESTIONS = {
  /** What grew and whose fault it is: one report per kind of memory, the larger first. */
  report: question({}, (trace, view, _, asked) =>
    reportViews(trace, view, asked.metric !== undefined).map((one) => report(trace, one)),
  ),
  top: question({ by: oneOf(DIMENSIONS), limit: upTo(1000, 100) }, (trace, view, { by, limit }) =>
    top(trace, view, by, limit),
  ),
  /** `limit` counts nodes. */
  tree: question(
    { direction: v.optional(oneOf(['callees', 'callers']), 'callees'), limit: upTo(3000, 300) },
    (trace, view, { direction, limit }) => tree(trace, view, direction, limit),
  ),
  timeline: question({ buckets: upTo(2000, 200) }, (trace, view, { buckets }) => timeline(trace, view, buckets)),
  /** `limit` counts collections. */
  heap: question({ limit: upTo(1000, 100) }, (trace, view, { limit }) =>
    heap(trace, view, Math.max(FEWEST_GCS, limit)),
  ),
  /** The source text is added by `answer.ts`: questions touch no file. */
  code: question({ of: v.string('give the name of a function') }, (trace, view, { of }) => code(trace, view, of)),
  facts: question({}, facts),
};

/** See {@link heap}. */
const FEWEST_GCS = 3;

/** One entry: `params` are the question's own, checked before `answer` is called. */
interface Question<P extends v.ObjectEntries, A> {
  readonly params: v.StrictObjectSchema<P, undefined>;
  answer(trace: Trace, view: View, params: v.InferOutput<v.StrictObjectSchema<P, undefined>>, asked: AskedView): A;
}

function oneOf<const T extends readonly string[]>(allowed: T) {
  return v.picklist(allowed, `give one of ${allowed.join(', ')}`);
}

/** A number of rows from 1 on; more than `highest` are never answered, and `usual` without the parameter. */
function upTo(highest: number, usual: number) {
  const count = v.pipe(
    v.union([v.string(), v.number()]),
    v.transform(Number),
    v.integer('give a whole number from 1 on'),
    v.minValue(1, 'give a whole number from 1 on'),
    v.transform((asked) => Math.min(asked, highest)),
  );
  return v.optional(count, usual);
}

function question<P extends v.ObjectEntries, A>(params: P, answer: Question<P, A>['answer']): Question<P, A> {
  return { params: v.strictObject(params), answer };
}
