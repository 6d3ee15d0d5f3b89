import { once } from '../trace/once.ts';
import { searchText } from '../trace/search.ts';

/** Rows of a table that a filter selects, and what the user should know about it. */
export interface Match {
  /** 1 per selected row. */
  readonly mask: Uint8Array;
  /** A sentence per text that selects nothing, with near names. */
  readonly warnings: readonly string[];
}

/**
 * Rows whose name one of `texts` selects, by the rule stated at `View` in src/trace/view.ts; without texts every row.
 * `names` yields the spellings of one row, its name first (a thread answers to its name, its number, and both).
 * `what` is the plural of the rows for warnings ("types").
 */
export function matchRows(
  length: number,
  names: (row: number) => readonly string[],
  texts: readonly string[],
  what: string,
): Match {
  const mask = new Uint8Array(length);
  if (texts.length === 0) return { mask: mask.fill(1), warnings: [] };
  const spelled = spellingsOf(length, names);
  const warnings: string[] = [];
  for (const text of texts) {
    const rows = select(spelled, text);
    for (const row of rows) mask[row] = 1;
    if (rows.length === 0) warnings.push(nothing(spelled, text, what));
  }
  return { mask, warnings };
}

/** The rows one text selects; the first rule that selects any decides. */
export function rowsOf(length: number, names: (row: number) => readonly string[], text: string): number[] {
  return select(spellingsOf(length, names), text);
}

/** "no types match "Bytes[]"; near: System.Byte[]" */
export function nothingMatches(
  length: number,
  names: (row: number) => readonly string[],
  text: string,
  what: string,
): string {
  return nothing(spellingsOf(length, names), text, what);
}

/** The spellings of all rows, and what the rules look at of them: made once for all texts, when one needs it. */
interface Spelled {
  readonly names: readonly (readonly string[])[];
  /** Of the names alone, in lower case: what a search without a code offset looks at, and of that the last part. */
  searched(): readonly string[];
  lastParts(): readonly string[];
  /** Every spelling without its arguments. */
  bare(): readonly (readonly string[])[];
}

function spellingsOf(length: number, names: (row: number) => readonly string[]): Spelled {
  const all = Array.from({ length }, (_, row) => names(row));
  return {
    names: all,
    searched: once(() => all.map(([name]) => searchText(name, ''))),
    lastParts: once(() => all.map(([name]) => searchText(lastPart(name), ''))),
    bare: once(() => all.map((spellings) => spellings.map(withoutArguments))),
  };
}

function select(spelled: Spelled, text: string): number[] {
  const wanted = text.toLowerCase();
  const searched = () =>
    wanted.includes('0x') ? spelled.names.map(([name]) => searchText(name, wanted)) : spelled.searched();
  // Loose rules look at the name alone, or "--function app" would select all of module "app".
  const rules: (() => (row: number) => boolean)[] = [
    () => (row) => spelled.names[row].includes(text),
    ...(text.includes('*') ? [() => matchesPattern(searched(), wanted)] : []),
    () => endsWithPart(spelled, text),
    () => containsText(searched(), wanted),
  ];
  for (const rule of rules) {
    const selects = rule();
    const rows: number[] = [];
    for (let row = 0; row < spelled.names.length; row++) if (selects(row)) rows.push(row);
    if (rows.length > 0) return rows;
  }
  return [];
}

function containsText(names: readonly string[], text: string): (row: number) => boolean {
  return (row) => names[row].includes(text);
}

/** "no types match "Bytes[]"; near: System.Byte[]" */
function nothing(spelled: Spelled, text: string, what: string): string {
  const near = nearNames(spelled, text);
  return `no ${what} match "${text}"${near.length > 0 ? `; near: ${near.join(', ')}` : ''}`;
}

/** `*` stands for any text; linear in the lengths, without backtracking. */
function matchesPattern(names: readonly string[], pattern: string): (row: number) => boolean {
  const pieces = pattern.split('*');
  const first = pieces[0];
  const last = pieces[pieces.length - 1];
  const between = pieces.slice(1, -1);
  return (row) => {
    const name = names[row];
    if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false;
    let at = first.length;
    for (const piece of between) {
      const found = name.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return at <= name.length - last.length;
  };
}

const SEPARATORS = '.+:!/ ';

/** True when `text` is the last part of a spelling, or its last parts: "Load" and "Program.Load" of "App.Program.Load". */
function endsWithPart({ names, bare }: Spelled, text: string): (row: number) => boolean {
  const bareNames = bare();
  const isEnd = (name: string) => hasSuffixPart(name, text);
  return (row) => names[row].some(isEnd) || bareNames[row].some(isEnd);
}

function hasSuffixPart(name: string, text: string): boolean {
  return text !== '' && name.endsWith(text) && SEPARATORS.includes(name[name.length - text.length - 1] ?? '.');
}

/** "Ns.List<System.Int32>" as "Ns.List", "Main(String[])" as "Main". */
function withoutArguments(name: string): string {
  const end = name.search(/(?<=\w)[<(]/);
  return end > 0 && /[>)]$/.test(name) ? name.slice(0, end) : name;
}

function lastPart(name: string): string {
  const bare = withoutArguments(name);
  return bare.slice(Math.max(...[...SEPARATORS].map((separator) => bare.lastIndexOf(separator))) + 1);
}

const NEAR_NAMES = 3;

/** Names whose last part is close to that of `text`, closest first. */
function nearNames({ names, lastParts }: Spelled, text: string): string[] {
  const wanted = lastPart(text).toLowerCase();
  let allowed = Math.max(1, Math.round(wanted.length / 2.5));
  let nearest: { readonly name: string; readonly distance: number }[] = [];
  lastParts().forEach((part, row) => {
    const name = names[row][0];
    if (part === '') return;
    const distance = editDistance(wanted, part, allowed);
    if (distance > allowed || nearest.some((near) => near.name === name)) return;
    nearest = [...nearest, { name, distance }]
      .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
      .slice(0, NEAR_NAMES);
    if (nearest.length === NEAR_NAMES) allowed = nearest[NEAR_NAMES - 1].distance;
  });
  return nearest.map(({ name }) => name);
}

/** Levenshtein distance, or a number above `allowed` when it is larger than that. */
function editDistance(a: string, b: string, allowed: number): number {
  if (Math.abs(a.length - b.length) > allowed) return allowed + 1;
  // One row of the table at a time: `distances[j]` is that of the part of `a` read so far to the first j of `b`.
  const distances = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    let diagonal = distances[0];
    distances[0] = i;
    let nearest = i;
    for (let j = 1; j <= b.length; j++) {
      const change = diagonal + (a.charCodeAt(i - 1) === b.charCodeAt(j - 1) ? 0 : 1);
      diagonal = distances[j];
      distances[j] = Math.min(change, distances[j] + 1, distances[j - 1] + 1);
      nearest = Math.min(nearest, distances[j]);
    }
    // It only grows from row to row.
    if (nearest > allowed) return allowed + 1;
  }
  return distances[b.length];
}
