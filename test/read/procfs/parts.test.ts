import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  imageRow,
  parseImages,
  parseRss,
  parseThreadNames,
  rssRow,
  threadRow,
} from '../../../src/read/procfs/parts.ts';

describe('parts of a recording', () => {
  test('what is written is read', () => {
    const rss = parseRss(rssRow(123456789012345, 4096) + rssRow(123456789012346, 8192));
    expect([...rss.time]).toEqual([123456789012345, 123456789012346]);
    expect([...rss.value]).toEqual([4096, 8192]);

    const path = '/a dir, with "comma"/System.Private.CoreLib.dll';
    expect(parseImages(imageRow(5, 0x7fb0bfa50000, 0x7fb0c0979000, path))).toEqual([
      { from: 5, base: 0x7fb0bfa50000, end: 0x7fb0c0979000, path },
    ]);

    expect(parseThreadNames(threadRow(7, 'main') + threadRow(8, 'a, b') + threadRow(7, 'worker'))).toEqual(
      new Map([
        [7, 'worker'],
        [8, 'a, b'],
      ]),
    );
  });

  test('a row the recorder could not finish is left out', () => {
    const text = rssRow(1, 1000) + rssRow(2, 2000);
    for (let cut = 0; cut < text.length; cut++) {
      const { value } = parseRss(text.slice(0, cut));
      expect([...value]).toEqual([1000, 2000].slice(0, text.slice(0, cut).split('\n').length - 1));
    }
  });

  test('any bytes are survived', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        parseRss(text);
        parseImages(text);
        parseThreadNames(text);
      }),
    );
  });
});
