/** Names in one sentence; the others are counted. */
const NAMED = 3;

/** "a", "a and b", "a, b, c and 6 more". */
export function listed(names: readonly string[]): string {
  // Instead of "and 1 more" the one is named.
  const named = names.length <= NAMED + 1 ? names.length - 1 : NAMED;
  const last = names.length <= NAMED + 1 ? names[named] : `${names.length - named} more`;
  return named === 0 ? last : `${names.slice(0, named).join(', ')} and ${last}`;
}
