/** A part of a type's name; of a namespace, which ends with its dot, the rest of the name tells more. */
interface TypePart {
  readonly text: string;
  readonly isNamespace: boolean;
}

/**
 * The parts of a type's name, also of its arguments', which make up the name again: of
 * "System.Collections.Generic.List<System.String>" the namespaces are "System.Collections.Generic." and "System.".
 */
export function typeParts(name: string): TypePart[] {
  // A dot behind ">" or "]" belongs to a nested type of the one before.
  const parts = name.split(/((?<![\w.>\]])(?:\w+\.)+(?=\w))/);
  return parts.map((text, at) => ({ text, isNamespace: at % 2 === 1 })).filter(({ text }) => text !== '');
}
