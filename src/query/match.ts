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
  const warnings: string[] = [];
  for (const text of texts) {
    const rows = rowsOf(length, names, text);
    for (const row of rows) mask[row] = 1;
    if (rows.length === 0) warnings.push(nothingMatches(length, names, text, what));
  }
  return { mask, warnings };
}

/** The rows one text selects; the first rule that selects any decides. */
export function rowsOf(length: number, names: (row: number) => readonly string[], text: string): number[] {
  const lower = text.toLowerCase();
  // Loose rules look at the name alone, or "--function app" would select all of module "app".
  const rules: ((names: readonly string[]) => boolean)[] = [
    (names) => names.includes(text),
    ...(text.includes('*') ? [([name]: readonly string[]) => matchesPattern(name.toLowerCase(), lower)] : []),
    (names) => names.some((name) => endsWithPart(name, text)),
    ([name]) => name.toLowerCase().includes(lower),
  ];
  for (const rule of rules) {
    const rows: number[] = [];
    for (let row = 0; row < length; row++) if (rule(names(row))) rows.push(row);
    if (rows.length > 0) return rows;
  }
  return [];
}

/** "no types match "Bytes[]"; near: System.Byte[]" */
export function nothingMatches(
  length: number,
  names: (row: number) => readonly string[],
  text: string,
  what: string,
): string {
  const near = nearNames(length, names, text);
  return `no ${what} match "${text}"${near.length > 0 ? `; near: ${near.join(', ')}` : ''}`;
}

/** `*` stands for any text; linear in the lengths, without backtracking. */
function matchesPattern(name: string, pattern: string): boolean {
  const pieces = pattern.split('*');
  const first = pieces[0];
  const last = pieces[pieces.length - 1];
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false;
  let at = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = name.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at <= name.length - last.length;
}

const SEPARATORS = '.+:!/ ';

/** True when `text` is the last part of `name`, or its last parts: "Load" and "Program.Load" of "App.Program.Load". */
function endsWithPart(name: string, text: string): boolean {
  return hasSuffixPart(name, text) || hasSuffixPart(withoutArguments(name), text);
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

/** Up to three names whose last part is close to that of `text`, closest first. */
function nearNames(length: number, names: (row: number) => readonly string[], text: string): string[] {
  const wanted = lastPart(text).toLowerCase();
  const allowed = Math.max(1, Math.round(wanted.length / 2.5));
  const found = new Map<string, number>();
  for (let row = 0; row < length; row++) {
    const name = names(row)[0];
    const distance = editDistance(wanted, lastPart(name).toLowerCase(), allowed);
    if (distance <= allowed) found.set(name, distance);
  }
  return [...found]
    .sort((a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, 3)
    .map(([name]) => name);
}

/** Levenshtein distance, or a number above `allowed` when it is larger than that. */
function editDistance(a: string, b: string, allowed: number): number {
  if (Math.abs(a.length - b.length) > allowed) return allowed + 1;
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(change, previous[j] + 1, current[j - 1] + 1));
    }
    previous = current;
  }
  return previous[b.length];
}
