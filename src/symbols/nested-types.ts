import type { Metadata } from './metadata.ts';

/** Where objects of a type were allocated: the method's type as the runtime spells it, and its module's metadata. */
export interface AllocationSite {
  readonly type: string;
  readonly metadata: Metadata | undefined;
}

/** What the events of NativeAOT have in the place of a type's name. */
export const NAMELESS_TYPE = 'NULL';

/** True for a name as the runtime's events give it to a nested type: `Entry[System.Int32][]` without its outer types. */
export function lacksOuterTypes(name: string): boolean {
  return /^[^.[]+(\[|$)/.test(name) && !name.includes('+');
}

/**
 * The name with its outer types, `System.Collections.Generic.Dictionary`2+Entry[System.Int32][]`, worked out from where
 * its objects were allocated: mostly that is in the type around it, or in one nested there too. Else a nested type that
 * is the only one of its name in the allocating module is taken. Undefined when nothing fits.
 * @param loaded metadata of modules in which outer types may be found
 */
export function withOuterTypes(
  name: string,
  sites: readonly AllocationSite[],
  loaded: readonly Metadata[],
): string | undefined {
  const simple = /^[^[]+/.exec(name)?.[0] ?? '';
  const known = new Set(loaded.flatMap((metadata) => metadata.nestedTypes(simple)));
  if (known.size === 0) return undefined;
  const around = sites.map(({ type }) =>
    outwards(type)
      .map((outer) => `${outer}+${simple}`)
      .find((full) => known.has(full)),
  );
  const alone = sites.map(({ metadata }) => {
    const [only, ...others] = metadata?.nestedTypes(simple) ?? [];
    return others.length === 0 ? only : undefined;
  });
  const full = mostFrequent(around) ?? mostFrequent(alone);
  return full === undefined ? undefined : full + name.slice(simple.length);
}

/** A type and those it is nested in, innermost first, without arguments. */
function outwards(type: string): string[] {
  const names = type.replace(/\[.*$/, '').split('+');
  return names.map((_, i) => names.slice(0, names.length - i).join('+'));
}

function mostFrequent(names: readonly (string | undefined)[]): string | undefined {
  const counts = new Map<string, number>();
  for (const name of names) if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}
