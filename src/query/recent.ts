/** Values by key, each computed when it is asked for; the `size` asked for last are kept. */
export type Recent<T> = (key: string, compute: () => T) => T;

export function createRecent<T>(size: number): Recent<T> {
  // In the order they were asked for, the latest at the end.
  const values = new Map<string, { readonly is: T }>();
  return (key, compute) => {
    const value = values.get(key) ?? { is: compute() };
    values.delete(key);
    values.set(key, value);
    for (const oldest of values.keys()) if (values.size > size) values.delete(oldest);
    return value.is;
  };
}
