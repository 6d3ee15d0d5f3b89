import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A program of the system whose allocations are the same in every run at fixed addresses. */
export interface NativeProgram {
  readonly name: string;
  /** With the program's absolute path first; `-R` of setarch is not among it. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /**
   * How long blocks live depends on their addresses, and these on the library that watches: heaptrack's own counts of
   * temporary blocks and its peak differ from run to run without `setarch -R`.
   */
  readonly livesByAddress: boolean;
  /** Why it cannot be run here, undefined where it can. */
  readonly missing: string | undefined;
}

/** Single-threaded programs of Debian; their inputs are written into `folder`. */
export async function nativePrograms(folder: string): Promise<readonly NativeProgram[]> {
  const [script, document, module] = ['script.sql', 'big.xml', 'work.py'].map((name) => join(folder, name));
  await Promise.all([writeFile(script, SQL), writeFile(document, bigDocument()), writeFile(module, PYTHON)]);
  return [
    program('sqlite3', ['/usr/bin/sqlite3', ':memory:', `.read ${script}`]),
    program('libxml2-utils', ['/usr/bin/xmllint', '--noout', document]),
    program('python3', ['/usr/bin/python3', '-S', module]),
    // Every object from malloc instead of python's own pools. Its cache of attributes holds names, found by their addresses.
    program('python3', ['/usr/bin/python3', '-S', module], { PYTHONMALLOC: 'malloc' }),
  ];
}

function program(
  debianPackage: string,
  command: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): NativeProgram {
  const fromMalloc = variables.PYTHONMALLOC === 'malloc';
  return {
    name: command[0].slice('/usr/bin/'.length) + (fromMalloc ? ' with PYTHONMALLOC=malloc' : ''),
    command,
    environment: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', PYTHONHASHSEED: '1', ...variables },
    livesByAddress: fromMalloc,
    missing: existsSync(command[0]) ? undefined : `${command[0]} is missing (Debian: apt install ${debianPackage})`,
  };
}

const SQL = `
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, amount REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO orders SELECT i, 'customer ' || (i % 997), i * 1.19 FROM n;
CREATE INDEX by_customer ON orders (customer);
SELECT customer, count(*), sum(amount) FROM orders GROUP BY customer ORDER BY 3 DESC LIMIT 5;
SELECT count(*) FROM orders a JOIN orders b ON a.customer = b.customer WHERE a.id < 2000;
`;

const PYTHON = `
import json, re
records = [{'id': i, 'name': 'customer %d' % (i % 97), 'tags': list(range(i % 7))} for i in range(3000)]
text = json.dumps(records)
again = json.loads(text)
words = {}
for word in re.findall(r'[a-z]+', text):
    words[word] = words.get(word, 0) + 1
blob = bytearray()
for i in range(200):
    blob += bytes(1000 + i)
print(len(again), len(words), len(blob))
`;

/** Some 1.5 MB. */
function bigDocument(): string {
  const items = Array.from(
    { length: 15_000 },
    (_, i) => `<order id="${i}" customer="c${i % 997}"><amount>${i * 1.19}</amount><note>number ${i}</note></order>`,
  );
  return `<?xml version="1.0"?>\n<orders>\n${items.join('\n')}\n</orders>\n`;
}
