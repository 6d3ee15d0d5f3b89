import { attempt } from './attempt.ts';
import { type OpenFile, openDebugFile } from './debug-files.ts';
import { readElf } from './elf.ts';
import { namesAt } from './elf-symbols.ts';

/** How ILC, the compiler of NativeAOT, spells the types that C# has words for (dotnet/runtime, NameMangler). */
const KNOWN: Record<string, string> = {
  ...Object.fromEntries(
    ['Boolean', 'Char', 'Int16', 'Int32', 'Int64', 'UInt16', 'UInt32', 'UInt64', 'Double', 'String', 'Object'].map(
      (name) => [name, `System.${name}`],
    ),
  ),
  Int8: 'System.SByte',
  UInt8: 'System.Byte',
  Float: 'System.Single',
};

/**
 * Names of types by the addresses, in the image's own program headers, of their method tables: NativeAOT's events name types
 * by these alone, and the linker's table has a symbol `_ZTV…` for each. Empty where that table is missing (stripped, without the
 * `.dbg` beside it). Other names than those of arrays and well-known types stay as ILC spells them: it puts `_` for
 * everything that is no letter, so what it was cannot be told.
 */
export function namesOfMethodTables(path: string, addresses: readonly number[], open: OpenFile): Map<number, string> {
  const file = open(path);
  if (file === undefined) return new Map();
  const note = () => {};
  const image = attempt(note, path, () => readElf(file, path));
  const debug = image && attempt(note, path, () => openDebugFile(image, open, note));
  try {
    const files = [image, debug].filter((elf) => elf !== undefined);
    const found = attempt(note, path, () => namesAt(files, new Set(addresses), /^_ZTV\d+/)) ?? new Map();
    return new Map([...found].map(([address, name]) => [address, readable(name.replace(/^_ZTV\d+/, ''))]));
  } finally {
    debug?.close();
    file.close();
  }
}

function readable(name: string): string {
  const element = /^__Array<(.*)>$/.exec(name)?.[1];
  return element === undefined ? (KNOWN[name] ?? name) : `${readable(element)}[]`;
}
