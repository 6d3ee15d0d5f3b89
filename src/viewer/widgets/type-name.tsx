import type { JSX } from 'preact';
import { typeParts } from '../type-name.ts';

/**
 * A type's name of which, where it does not fit, the namespaces go first, then its arguments. Its parts are boxes, between
 * which a screen reader would hear gaps: it is read as one.
 */
export function TypeName({ name }: { readonly name: string }): JSX.Element {
  return (
    <span class="type-name" role="img" aria-label={name}>
      {typeParts(name).map(({ text, kind }, at) => (
        <span key={at} class={kind}>
          {text}
        </span>
      ))}
    </span>
  );
}
