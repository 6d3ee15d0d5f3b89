/** The outermost frame of a stack that was cut: what called the frames inside of it is not known. */
export const cutFrameName = (limit: number): string => `[stack cut at ${limit} frames]`;

/** The frames of a stack that such a name stands outside of; undefined for every other name. */
export function cutLimit(name: string): number | undefined {
  const limit = /^\[stack cut at (\d+) frames\]$/.exec(name)?.[1];
  return limit === undefined ? undefined : Number(limit);
}
