/** The noun that follows `count`: "1 process", "2 processes". An estimate counts as it is shown, in whole ones. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return Math.round(count) === 1 ? one : many;
}
