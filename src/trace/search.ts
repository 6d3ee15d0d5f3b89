/** Where code without a name says its place: "lib.so!+0x5feadd", "[unknown 0x7f12]". */
const OFFSET = /0x[0-9a-f]+\]?$/;

/**
 * What a search for `wanted` (lower case) looks at of a name: all of it in lower case, but of code without a name no
 * hexadecimal place, which holds "add" and "dead" by chance, unless such a place is what is looked for.
 */
export function searchText(name: string, wanted: string): string {
  const lower = name.toLowerCase();
  return wanted.includes('0x') ? lower : lower.replace(OFFSET, '');
}

/** Whether one of `names` holds `text`, in any case. */
export function holds(names: readonly (string | undefined)[], text: string): boolean {
  const wanted = text.toLowerCase();
  return names.some((name) => name !== undefined && searchText(name, wanted).includes(wanted));
}
