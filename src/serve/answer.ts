import * as v from 'valibot';
import type { CodeAnswer } from '../query/code.ts';
import { viewOf } from '../query/parts.ts';
import { findSource } from '../read/source.ts';
import { TraceError } from '../trace/errors.ts';
import type { Trace } from '../trace/tables.ts';
import type { View } from '../trace/view.ts';
import { VIEW_PARAMS, viewFromParams } from '../trace/view-params.ts';
import type { CodeWithSource } from './api.ts';
import { lineOf, type Reply } from './messages.ts';
import { QUESTIONS } from './questions.ts';

/**
 * The HTTP answer to one question, `search` being the query string: the View's parameters and the question's own. Never
 * throws: 400 says which parameter is wrong, 404 that there is no such question, 200 what this trace cannot answer.
 */
export async function answerQuestion(
  { generation, trace }: { readonly generation: number; readonly trace: Trace },
  name: string,
  search: string,
  sourceRoots: readonly string[] = [],
): Promise<Reply> {
  try {
    const ask = prepare(trace, name, search, sourceRoots);
    return { status: 200, body: JSON.stringify({ generation, answer: await ask() }) };
  } catch (error) {
    const status = error instanceof BadRequest ? error.status : error instanceof TraceError ? 200 : 500;
    return { status, body: JSON.stringify({ error: lineOf(error) }) };
  }
}

class BadRequest extends TraceError {
  readonly status: 400 | 404;
  constructor(status: 400 | 404, message: string) {
    super(message);
    this.status = status;
  }
}

/** Checks all parameters. @throws BadRequest */
function prepare(trace: Trace, name: string, search: string, sourceRoots: readonly string[]): () => Promise<unknown> {
  if (!Object.hasOwn(QUESTIONS, name)) throw new BadRequest(404, `there is no question "${name}"`);
  const { params: schema, answer } = QUESTIONS[name as keyof typeof QUESTIONS] as AnyQuestion;
  const all = new URLSearchParams(search);
  const own = v.safeParse(schema, Object.fromEntries([...all].filter(([param]) => !VIEW_PARAMS.has(param))));
  if (!own.success) {
    const [issue] = own.issues;
    const param = v.getDotPath(issue) ?? '';
    const why =
      issue.type !== 'strict_object' ? issue.message : issue.expected === 'never' ? 'no such parameter' : 'is missing';
    throw new BadRequest(400, `${param}: ${why}`);
  }
  const asked = badRequestIfThrown(() => viewFromParams(all));
  return async () => {
    const answered = answer(trace, viewOf(trace, asked), own.output, asked);
    return name === 'code' ? withSource(trace, answered as CodeAnswer, sourceRoots) : answered;
  };
}

/** What all entries of QUESTIONS have in common. */
interface AnyQuestion {
  readonly params: v.GenericSchema<Record<string, unknown>>;
  answer(trace: Trace, view: View, params: unknown, asked: ReturnType<typeof viewFromParams>): unknown;
}

function badRequestIfThrown<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw error instanceof TraceError ? new BadRequest(400, error.message) : error;
  }
}

async function withSource(trace: Trace, answer: CodeAnswer, sourceRoots: readonly string[]): Promise<CodeWithSource> {
  const { lines, warnings } = await findSource(trace, answer, sourceRoots);
  return { ...answer, source: { ...(lines && { lines }), warnings } };
}
