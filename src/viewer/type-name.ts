/** A part of a type's name. What tells types apart is its own name first, then its arguments', and namespaces last. */
interface TypePart {
  readonly text: string;
  readonly kind: 'name' | 'argument' | 'namespace';
}

/**
 * The parts of a type's name, which make up the name again. Those of "Some.Dictionary<System.String, Item>.Entry[]":
 * namespaces "Some." and "System.", arguments "String, Item", and the name, "Dictionary<" and ">.Entry[]".
 */
export function typeParts(name: string): TypePart[] {
  const parts: TypePart[] = [];
  let depth = 0;
  const add = (text: string, kind: TypePart['kind']) => {
    const last = parts.at(-1);
    if (last?.kind === kind) parts[parts.length - 1] = { text: last.text + text, kind };
    else parts.push({ text, kind });
  };
  // A dot behind ">" or "]" belongs to a nested type of the one before.
  for (const text of name.split(/((?<![\w.>\]])(?:\w+\.)+(?=\w)|[<>])/)) {
    if (text === '>') depth--;
    if (text !== '') add(text, text.endsWith('.') ? 'namespace' : depth > 0 ? 'argument' : 'name');
    if (text === '<') depth++;
  }
  return parts;
}
