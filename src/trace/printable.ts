/**
 * What a terminal or a page obeys instead of showing it: control characters (ESC, BEL, C1 …), separators of lines and
 * paragraphs, halves of surrogate pairs, what turns the direction of the text behind it, marks of byte order, tags.
 */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Bidi_Control}\u{feff}\u{fffe}\u{ffff}\u{e0000}-\u{e007f}]/gu;

/**
 * Text that came from elsewhere (names in a trace, paths, messages with either) as one line that does nothing but be read:
 * each character that would do something is shown as U+FFFD. For every surface but JSON, which has escapes.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, '\ufffd');
}

/** As {@link printable} for text of several lines: line breaks and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(UNPRINTABLE, (character) => (character === '\n' || character === '\t' ? character : '\ufffd'));
}

/** The same JSON, with what is {@link printable} only; it means the same to whoever parses it. */
export function printableJson(json: string): string {
  const escaped = (character: string) =>
    Array.from({ length: character.length }, (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`);
  return json.replace(UNPRINTABLE, (character) => (character === '\n' ? character : escaped(character).join('')));
}
