import { KINDS } from '../../trace/kinds.ts';
import { COLOURS } from '../../wording/colours.ts';

/** The page's look: light and dark by the system's setting, for wide screens, phones and paper. */
export const STYLE = `${COLOURS}
* { box-sizing: border-box; }
body {
  margin: 0;
  background: var(--back);
  color: var(--text);
  font: 14px/1.45 system-ui, "Segoe UI", Roboto, sans-serif;
  font-variant-numeric: tabular-nums;
}
main { max-width: 1120px; margin: 0 auto; padding: 28px 24px 48px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 19px; margin: 40px 0 8px; padding-bottom: 6px; border-bottom: 1px solid var(--line); }
h3 { font-size: 14.5px; margin: 24px 0 6px; overflow-wrap: anywhere; }
p { margin: 4px 0; }
ul { list-style: none; margin: 0; padding: 0; }
.dim, small { color: var(--dim); }
.kicker { margin: 0; color: var(--accent); font-size: 12px; font-weight: 600; letter-spacing: 0.08em; text-transform: uppercase; }
.name, dd, li { overflow-wrap: anywhere; }
code, pre, .source td { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 12.5px; }

dl { margin: 0; }
dl > div { display: grid; grid-template-columns: 12em 1fr; gap: 0 12px; padding: 2px 0; }
dt { color: var(--dim); }
dd { margin: 0; }
.scope { margin-top: 16px; padding: 10px 14px; border-radius: 8px; background: var(--panel); }
.warnings { margin-top: 16px; padding: 10px 14px; border-radius: 8px; border-left: 4px solid var(--warning); background: var(--warning-back); }
.warnings h2 { margin: 0 0 4px; padding: 0; border: 0; font-size: 14px; color: var(--warning); }
.warnings ul { list-style: disc; padding-left: 18px; }

.findings h3 { margin-top: 14px; }
.findings li { padding: 2px 0; }
.findings .step { display: grid; grid-template-columns: 6em 1fr; }
.findings b { color: var(--dim); font-weight: 500; }

figure { margin: 0; }
figcaption { margin: 8px 0 0; color: var(--dim); }
.legend { display: flex; flex-wrap: wrap; gap: 2px 20px; margin: 8px 0 12px; }
.legend li { display: flex; align-items: center; gap: 7px; }
.key { flex: none; width: 14px; height: 11px; border-radius: 2px; border: 1px solid currentColor; }
.key.gc-heap, .key.native-heap { background: color-mix(in srgb, currentColor 55%, transparent); border: 0; }
.key.bars { width: 5px; background: currentColor; border: 0; border-radius: 0; margin: 0 5px; }
.key.line { height: 0; border: 0; border-top: 2px solid var(--text); border-radius: 0; }
.key.gc { width: 2px; background: var(--gc-mark); border: 0; margin: 0 6px; }
.plot { display: grid; grid-template-columns: 76px 1fr; }
.plot.rate { margin-top: 10px; }
.axis { position: relative; color: var(--dim); font-size: 12px; }
.axis span { position: absolute; right: 8px; transform: translateY(50%); white-space: nowrap; }
.drawing { position: relative; border-bottom: 1px solid var(--dim); }
.drawing i { position: absolute; left: 0; right: 0; border-top: 1px solid var(--line); }
.drawing svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; }
.times { position: relative; height: 22px; font-size: 12px; color: var(--dim); }
.times span { position: absolute; top: 4px; transform: translateX(-50%); white-space: nowrap; }
.times span::before { content: ""; position: absolute; top: -4px; left: 50%; height: 4px; border-left: 1px solid var(--dim); }
.times .last { transform: translateX(-100%); }
.times .last::before { left: 100%; }

${KINDS.map((kind) => `.${kind} { color: var(--kind-${kind}); }`).join('\n')}
svg path { fill: currentColor; }
svg .area { fill: color-mix(in srgb, currentColor 55%, transparent); }
svg .line { fill: none; stroke: var(--text); stroke-width: 2; }
svg .gc { fill: none; stroke: var(--gc-mark); stroke-width: 1; vector-effect: non-scaling-stroke; }
svg .gen2 { stroke-width: 2; }
svg .hover { fill: transparent; }
svg .hover:hover { fill: color-mix(in srgb, var(--text) 14%, transparent); }

.scroll { overflow-x: auto; margin: 14px 0 20px; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-weight: 600; padding: 2px 0 4px; }
th, td { padding: 3px 8px; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--dim); font-weight: 500; font-size: 12.5px; }
tbody th { font-weight: 400; }
tfoot th, tfoot td { font-weight: 600; border-bottom: 0; }
tbody th[scope="row"] { min-width: 12em; }
tbody th[scope="row"].n { min-width: 0; }
th small { display: block; font-weight: 400; overflow-wrap: anywhere; }
.n { text-align: right; white-space: nowrap; }
.other { color: var(--dim); }
.rows .n { width: 6.6em; }
.share { white-space: nowrap; width: 172px; }
.share span { display: inline-block; width: 4.2em; text-align: right; margin-right: 8px; }
.share .bar { width: 88px; }
.bar { display: inline-block; height: 9px; border-radius: 2px; background: var(--line); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--bar); }
tbody tr:hover, .node:hover { background: var(--panel); }

.tree { margin: 8px 0 20px; }
.tree summary { list-style: none; cursor: pointer; }
.tree summary::-webkit-details-marker { display: none; }
.node { display: grid; grid-template-columns: 5.6em 4.4em 60px 1fr; gap: 0 10px; padding: 1px 0; align-items: baseline; }
.node .name { position: relative; padding-left: calc(var(--depth) * 14px + 16px); }
.node .name::before { position: absolute; left: calc(var(--depth) * 14px); color: var(--dim); }
summary > .node .name::before { content: "▸"; }
details[open] > summary > .node .name::before { content: "▾"; }
.node.chained .name::before { content: "└"; }
.as-table { margin-top: 8px; }
.as-table summary { cursor: pointer; color: var(--accent); }

.source .n { width: 1%; padding-left: 0; padding-right: 16px; }
.source td, .source th { border: 0; line-height: 19px; padding-top: 0; padding-bottom: 0; }
.source td { white-space: nowrap; }
.source code { white-space: pre; }
.source .hot { background: var(--hot); font-weight: 600; }
.source .warm { background: var(--panel); }
.source tbody th { color: var(--dim); font-size: 12.5px; }
.gap td { color: var(--dim); text-align: center; }
pre { margin: 8px 0; padding: 10px 14px; border-radius: 8px; background: var(--panel); white-space: pre-wrap; overflow-wrap: anywhere; }
:focus-visible { outline: 2px solid var(--accent); }

@media (max-width: 640px) {
  main { padding: 16px 14px 32px; }
  body { font-size: 13px; }
  h1 { font-size: 22px; }
  dl > div { grid-template-columns: 1fr; padding: 4px 0; }
  .plot { grid-template-columns: 62px 1fr; }
  .times span:nth-child(even) { display: none; }
  .share, .rows .n { width: auto; }
  .share .bar { display: none; }
  .share span { margin: 0; }
  th, td { padding: 3px 5px; }
  tbody th[scope="row"] { min-width: 9em; }
  .rows tr > :nth-child(n + 6):last-child { display: none; }
  .node { grid-template-columns: 5em 4em 1fr; gap: 0 6px; }
  .node .bar { display: none; }
  .node .name { padding-left: calc(var(--depth) * 6px + 14px); }
  .node .name::before { left: calc(var(--depth) * 6px); }
}
@media print {
  :root { color-scheme: light; }
  body { font-size: 10.5px; }
  main { max-width: none; padding: 0; }
  * { print-color-adjust: exact; }
  h2, h3, caption, thead { break-after: avoid; }
  tr, .node, figure { break-inside: avoid; }
  .scroll { overflow: visible; }
  .as-table { display: none; }
  .source code { white-space: pre-wrap; }
  details::details-content { content-visibility: visible; display: contents; }
  summary > .node .name::before { content: "▾"; }
}
`;
