import { createHash } from 'node:crypto';
import { checkedRead } from './bytes.ts';
import { readTables, TABLE } from './metadata-tables.ts';

/** Names out of the metadata of an assembly. Full type names are spelt as the runtime does: `Ns.Outer`1+Inner`. */
export interface Metadata {
  /** Simple name of the assembly; empty for a module without one. */
  readonly assemblyName: string;
  /** 16 hex digits; empty when the assembly has no strong name. */
  readonly publicKeyToken: string;
  readonly methodCount: number;
  /** Owner and name of a MethodDef by row, from 1; undefined when there is no such row. */
  method(row: number): { readonly type: string; readonly name: string } | undefined;
  /** RVA of a MethodDef's IL by row, from 1; 0 when it has none. */
  ilRva(row: number): number;
  /** Full names of the nested types of a simple name. */
  nestedTypes(simpleName: string): readonly string[];
  /** Full name of a type by the TypeDefOrRef coded index that signatures use (ECMA-335 II.23.2.8). */
  typeByCodedIndex(coded: number): string;
  /** Simple name of an AssemblyRef by row, from 1. */
  assemblyRef(row: number): string | undefined;
  readonly assemblyRefCount: number;
}

/** Nested types can be nested again; a cycle in a damaged file ends here. */
const MAX_NESTING = 64;

/**
 * @param blob the metadata of an image
 * @throws TraceError when it is damaged.
 */
export function readMetadata(blob: Uint8Array, path: string): Metadata {
  return checkedRead(path, () => {
    const tables = readTables(blob, path);
    const enclosing = new Map<number, number>();
    for (let row = 1; row <= tables.rows(TABLE.nestedClass); row++) {
      enclosing.set(tables.cell(TABLE.nestedClass, row, 0), tables.cell(TABLE.nestedClass, row, 1));
    }
    const qualified = (namespaceAt: number, nameAt: number): string => {
      const namespace = tables.string(namespaceAt);
      return namespace === '' ? tables.string(nameAt) : `${namespace}.${tables.string(nameAt)}`;
    };

    const typeDefNames = new Map<number, string>();
    const typeDef = (row: number, depth = 0): string => {
      let name = typeDefNames.get(row);
      if (name === undefined) {
        name = qualified(tables.cell(TABLE.typeDef, row, 2), tables.cell(TABLE.typeDef, row, 1));
        const outer = enclosing.get(row);
        if (outer !== undefined && depth < MAX_NESTING) name = `${typeDef(outer, depth + 1)}+${name}`;
        typeDefNames.set(row, name);
      }
      return name;
    };
    const typeRef = (row: number, depth = 0): string => {
      const name = qualified(tables.cell(TABLE.typeRef, row, 2), tables.cell(TABLE.typeRef, row, 1));
      const scope = tables.cell(TABLE.typeRef, row, 0);
      const isNested = (scope & 3) === 3 && scope >> 2 !== row && depth < MAX_NESTING;
      return isNested ? `${typeRef(scope >> 2, depth + 1)}+${name}` : name;
    };

    /** The last type whose methods start at or before the row (ECMA-335 II.22.37: the lists are runs in order). */
    const ownerOf = (method: number): number => {
      let low = 1;
      let high = tables.rows(TABLE.typeDef);
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (tables.cell(TABLE.typeDef, middle, 5) <= method) low = middle;
        else high = middle - 1;
      }
      return low;
    };

    const nestedTypes = once(() => {
      const bySimpleName = new Map<string, string[]>();
      for (const row of enclosing.keys()) {
        const simpleName = tables.string(tables.cell(TABLE.typeDef, row, 1));
        bySimpleName.set(simpleName, [...(bySimpleName.get(simpleName) ?? []), typeDef(row)]);
      }
      return bySimpleName;
    });

    const methodCount = tables.rows(TABLE.methodDef);
    const assemblyRefCount = tables.rows(TABLE.assemblyRef);
    const hasAssembly = tables.rows(TABLE.assembly) > 0;
    return {
      assemblyName: hasAssembly ? tables.string(tables.cell(TABLE.assembly, 1, 7)) : '',
      publicKeyToken: hasAssembly ? publicKeyToken(tables.blob(tables.cell(TABLE.assembly, 1, 6))) : '',
      methodCount,
      assemblyRefCount,
      method: (row) =>
        checkedRead(path, () => {
          if (row < 1 || row > methodCount) return undefined;
          return { type: typeDef(ownerOf(row)), name: tables.string(tables.cell(TABLE.methodDef, row, 3)) };
        }),
      ilRva: (row) =>
        checkedRead(path, () => (row < 1 || row > methodCount ? 0 : tables.cell(TABLE.methodDef, row, 0))),
      nestedTypes: (simpleName) => checkedRead(path, () => nestedTypes().get(simpleName) ?? []),
      typeByCodedIndex: (coded) =>
        checkedRead(path, () => {
          if ((coded & 3) === 0) return typeDef(coded >> 2);
          if ((coded & 3) === 1) return typeRef(coded >> 2);
          throw new RangeError(`type ${coded}`);
        }),
      assemblyRef: (row) =>
        checkedRead(path, () =>
          row < 1 || row > assemblyRefCount ? undefined : tables.string(tables.cell(TABLE.assemblyRef, row, 6)),
        ),
    };
  });
}

function once<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** The last 8 bytes of the key's SHA-1, reversed (ECMA-335 II.6.3). */
function publicKeyToken(publicKey: Uint8Array): string {
  if (publicKey.length === 0) return '';
  return createHash('sha1').update(publicKey).digest().subarray(-8).reverse().toString('hex');
}
