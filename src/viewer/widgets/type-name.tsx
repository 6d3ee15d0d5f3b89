import type { JSX } from 'preact';
import { typeParts } from '../type-name.ts';

/** A type's name of which, where it does not fit, the namespaces go first. */
export function TypeName({ name }: { readonly name: string }): JSX.Element {
  return (
    <span class="type-name">
      {typeParts(name).map(({ text, isNamespace }, at) => (
        <span key={at} class={isNamespace ? 'namespace' : undefined}>
          {text}
        </span>
      ))}
    </span>
  );
}
