import { messageOf } from './errors.ts';
import { printable } from './printable.ts';

/** Values in one text: more would not fit into memory beside the trace. */
const MAX_VALUES = 8_000_000;

/**
 * Parses JSON that somebody else wrote. What it takes in memory depends on the number of values, and is bounded before any
 * is made: commas and brackets within strings count too, which only makes the bound stricter.
 * @throws SyntaxError, or RangeError when there is too much of it
 */
export function parseBoundedJson(text: string): unknown {
  let values = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === COMMA || code === BRACKET || code === BRACE) values++;
  }
  if (values > MAX_VALUES) throw new RangeError(`more than ${MAX_VALUES} values`);
  try {
    return JSON.parse(text);
  } catch (error) {
    // The message quotes the text.
    throw new SyntaxError(printable(messageOf(error)));
  }
}

const COMMA = 0x2c;
const BRACKET = 0x5b;
const BRACE = 0x7b;
