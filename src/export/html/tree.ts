import type { Answer } from '../../query/rows.ts';
import { type TreeRow, tree } from '../../query/tree.ts';
import { plural } from '../../trace/plural.ts';
import type { Trace } from '../../trace/tables.ts';
import type { Unit, View } from '../../trace/view.ts';
import { formatShare } from '../../wording/figures.ts';
import { bar, breakable, figureText, nameOf } from './figures.ts';
import { type Html, html } from './markup.ts';

/** Nodes of a tree that are shown, the heaviest. */
const CALLEES = 150;
const CALLERS = 60;

/** From the roots of the threads down to what allocated. */
export function callTreeOf(trace: Trace, view: View): Html | undefined {
  const answer = tree(trace, view, 'callees', { limit: CALLEES });
  if (answer.rows.length === 0) return undefined;
  return html`<h3>Call tree</h3>
<p class="dim">From the threads’ roots down to what allocated; the heaviest path is open. ${prunedText(answer.rows, CALLEES)}</p>
${treeOf(answer.rows, answer, true)}`;
}

/** From the function that allocated most up to its callers; undefined where it has no name. */
export function callersOf(trace: Trace, view: View): Html | undefined {
  const [heaviest] = tree(trace, view, 'callers', { limit: 1 }).rows;
  if (heaviest === undefined || heaviest.other || heaviest.name.startsWith('[')) return undefined;
  const callers = tree(trace, view, 'callers', { limit: CALLERS, under: [heaviest.id] });
  const root: TreeRow = { ...heaviest, children: callers.rows };
  return html`<h3>Who called ${nameOf(heaviest.name)}</h3>
<p class="dim">From the function that allocated most up to its callers. ${prunedText([root], CALLERS)}</p>
${treeOf([root], callers, false)}`;
}

function treeOf(rows: readonly TreeRow[], { unit }: Pick<Answer, 'unit'>, showsOwn: boolean): Html {
  return html`<div class="tree">${branches(rows, { unit, showsOwn, depth: 0, isHot: true })}</div>`;
}

interface Place {
  readonly unit: Unit;
  /** Says what a function with callees allocated itself. */
  readonly showsOwn: boolean;
  readonly depth: number;
  /** On the heaviest path, which is open. */
  readonly isHot: boolean;
}

function branches(rows: readonly TreeRow[], place: Place): Html[] {
  return rows.map((row, i) => branch(row, { ...place, isHot: place.isHot && i === 0 }));
}

/** A node with those that follow it alone, which need no level of their own, and its children below them. */
function branch(row: TreeRow, place: Place): Html {
  const chain = [row];
  while (chain[chain.length - 1].children.length === 1) chain.push(chain[chain.length - 1].children[0]);
  const { children } = chain[chain.length - 1];
  const [head, ...rest] = chain.map((node, i) => nodeOf(node, place, i > 0));
  if (rest.length === 0 && children.length === 0) return html`<div class="leaf">${head}</div>`;
  const below = branches(children, { ...place, depth: place.depth + 1 });
  return html`<details${place.isHot && html` open`}><summary>${head}</summary>${rest}${below}</details>`;
}

function nodeOf(row: TreeRow, { unit, depth, showsOwn }: Place, isChained: boolean): Html {
  const name = row.other ? `other (${row.folded} more)` : breakable(row.name);
  const own = { bytes: row.ownBytes, count: row.ownCount };
  const hasOwn = showsOwn && row.children.length > 0 && row.ownCount > 0;
  return html`<span class="node${row.other ? ' other' : ''}${isChained ? ' chained' : ''}" style="--depth:${depth}">
<span class="n">${figureText(row, unit)}</span><span class="n">${formatShare(row.share)}</span>${bar(row.share)}
<span class="name">${name}${row.module && html` <small>${nameOf(row.module)}</small>`}${
    hasOwn && html` <small>· own ${figureText(own, unit)}</small>`
  }</span></span>`;
}

/** What the limit cut: every node "other" stands for some, with all that is below them. */
function prunedText(rows: readonly TreeRow[], limit: number): string {
  const folded = foldedIn(rows);
  if (folded === 0) return 'Nothing is left out.';
  return `Pruned to the ${limit} heaviest nodes; ${folded} more ${plural(folded, 'branch is', 'branches are')} in “other”.`;
}

function foldedIn(rows: readonly TreeRow[]): number {
  return rows.reduce((sum, row) => sum + (row.other ? (row.folded ?? 0) : foldedIn(row.children)), 0);
}
