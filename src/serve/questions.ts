import * as v from 'valibot';
import { around } from '../query/around.ts';
import { code } from '../query/code.ts';
import { facet } from '../query/facet.ts';
import { facts } from '../query/facts.ts';
import { heap } from '../query/heap.ts';
import { lanes } from '../query/lanes.ts';
import { report, reportViews } from '../query/report.ts';
import { timeline } from '../query/timeline.ts';
import { top } from '../query/top.ts';
import { tree } from '../query/tree.ts';
import type { Trace } from '../trace/tables.ts';
import { type AskedView, DIMENSIONS, FACETS, type Facet, type View } from '../trace/view.ts';

const FUNCTION = v.string('give the name of a function');

const PATH = v.pipe(
  v.string(),
  v.regex(/^(\d+(\.\d+)*)?$/, 'give ids of a tree with dots between'),
  v.transform((text) => (text === '' ? [] : text.split('.').map(Number))),
);

/**
 * Every question that can be asked over HTTP: the parameters it takes beside the View's, and what answers it. Answers are
 * bounded: a limit above the highest means the highest. To add a question is to add an entry; `api.ts` takes the types
 * from here.
 */
export const QUESTIONS = {
  /** What grew and whose fault it is: one report per kind of memory, the larger first. `limit` counts functions. */
  report: question({ limit: upTo(1000, 20) }, (trace, view, { limit }, asked) =>
    reportViews(trace, view, asked.metric !== undefined).map((one) => report(trace, one, limit)),
  ),
  top: question(
    {
      by: oneOf(DIMENSIONS),
      limit: upTo(1000, 100),
      search: v.optional(v.string(), ''),
      order: v.optional(oneOf(['own', 'total']), 'own'),
    },
    (trace, view, { by, limit, search, order }) => top(trace, view, by, limit, { search, order }),
  ),
  facet: question(
    { by: oneOf(Object.keys(FACETS) as Facet[]), limit: upTo(1000, 20), search: v.optional(v.string(), '') },
    (trace, view, { by, limit, search }) => facet(trace, view, by, limit, { search }),
  ),
  /** `limit` counts nodes; `under` is the path of a node, its ids with dots between. */
  tree: question(
    {
      direction: v.optional(oneOf(['callees', 'callers']), 'callees'),
      limit: upTo(3000, 300),
      under: v.optional(PATH, ''),
    },
    (trace, view, { direction, limit, under }) => tree(trace, view, direction, { limit, under }),
  ),
  /** Of the function `of`; `limit` counts nodes of each of the two trees. */
  around: question({ of: FUNCTION, limit: upTo(1500, 300) }, (trace, view, { of, limit }) =>
    around(trace, view, of, limit),
  ),
  timeline: question({ buckets: upTo(2000, 200) }, (trace, view, { buckets }) => timeline(trace, view, buckets)),
  lanes: question({ buckets: upTo(2000, 200), limit: upTo(100, 8) }, (trace, view, { buckets, limit }) =>
    lanes(trace, view, buckets, limit),
  ),
  /** `limit` counts collections. */
  heap: question({ limit: upTo(1000, 100) }, (trace, view, { limit }) =>
    heap(trace, view, Math.max(FEWEST_GCS, limit)),
  ),
  /** The source text is added by `answer.ts`: questions touch no file. */
  code: question({ of: FUNCTION }, (trace, view, { of }) => code(trace, view, of)),
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
