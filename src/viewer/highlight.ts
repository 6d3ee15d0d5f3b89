import hljs from 'highlight.js/lib/core';
import c from 'highlight.js/lib/languages/c';
import cpp from 'highlight.js/lib/languages/cpp';
import csharp from 'highlight.js/lib/languages/csharp';
import rust from 'highlight.js/lib/languages/rust';

hljs.registerLanguage('c', c);
hljs.registerLanguage('cpp', cpp);
hljs.registerLanguage('csharp', csharp);
hljs.registerLanguage('rust', rust);

const LANGUAGES: readonly (readonly [RegExp, string])[] = [
  [/\.cs$/i, 'csharp'],
  [/\.(c|h)$/i, 'c'],
  [/\.(cpp|cc|cxx|hpp|hh|hxx|inl|tcc)$/i, 'cpp'],
  [/\.rs$/i, 'rust'],
];

/** Larger files are shown without colours. */
const MOST_CHARACTERS = 600_000;

/** The lines as HTML, coloured by the language of the file's name; elements never reach from one line to the next. */
export function highlightLines(lines: readonly string[], path: string): string[] {
  const text = lines.join('\n').replaceAll('\t', '    ');
  const language = LANGUAGES.find(([pattern]) => pattern.test(path))?.[1];
  if (language === undefined || text.length > MOST_CHARACTERS) return text.split('\n').map(escapeHtml);
  return closeEachLine(hljs.highlight(text, { language, ignoreIllegals: true }).value);
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

/** Ends what is open at the end of each line, and begins it again on the next. */
function closeEachLine(html: string): string[] {
  let open: string[] = [];
  return html.split('\n').map((line) => {
    const begun = open.join('');
    const stack = [...open];
    for (const [tag] of line.matchAll(/<\/?span[^>]*>/g)) {
      if (tag.startsWith('</')) stack.pop();
      else stack.push(tag);
    }
    open = stack;
    return begun + line + '</span>'.repeat(stack.length);
  });
}
