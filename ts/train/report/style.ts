/** The report's look, in light and dark. */
export const STYLE = `
:root { color-scheme: light dark; --paper: #fff; --card: #f6f7f9; --ink: #1b1f24; --soft: #5c6570; --line: #dfe3e8;
  --a: #2563eb; --b: #d9480f; --c: #0f8a5f; --d: #8b3fd1; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171b; --card: #1d2127; --ink: #e7eaee; --soft: #9aa4b0;
  --line: #323943; --a: #6ea8ff; --b: #ff9d5c; --c: #4fd1a1; --d: #c79bff; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1180px; padding: 32px 24px 64px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif }
h1 { font-size: 28px; line-height: 1.2; margin: 0 } h2 { font-size: 19px; margin: 40px 0 12px }
.when { color: var(--soft); margin: 4px 0 24px }
.figures { display: flex; flex-wrap: wrap; gap: 12px; margin: 0 } .figures div { background: var(--card); padding: 12px 18px;
  border-radius: 10px; min-width: 130px } .figures dt { color: var(--soft); font-size: 13px }
.figures dd { margin: 0; font-size: 23px; font-variant-numeric: tabular-nums }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr)); gap: 16px }
figure { margin: 0 } .chart { background: var(--card); border-radius: 10px; padding: 14px 14px 8px }
figcaption { font-weight: 600; display: flex; justify-content: space-between; gap: 12px; flex-wrap: wrap }
.legend { font-weight: 400; color: var(--soft); display: flex; gap: 14px; font-size: 13px; align-items: center }
.legend i { display: inline-block; width: 14px; height: 3px; border-radius: 2px; margin-right: 6px; vertical-align: middle }
svg { width: 100%; height: auto; display: block } .grid { stroke: var(--line) } .tick, .axis { fill: var(--soft); font-size: 12px }
path { fill: none; stroke-width: 2; stroke-linejoin: round } path.s0 { stroke: var(--a) } path.s1 { stroke: var(--b) }
path.s2 { stroke: var(--c) } path.s3 { stroke: var(--d) } circle.s0, i.s0 { fill: var(--a); background: var(--a) }
circle.s1, i.s1 { fill: var(--b); background: var(--b) } circle.s2, i.s2 { fill: var(--c); background: var(--c) }
circle.s3, i.s3 { fill: var(--d); background: var(--d) }
.wide { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th { text-align: left; font-weight: 600 } .plain td, .plain th { padding: 5px 18px 5px 0; border-bottom: 1px solid var(--line);
  vertical-align: top } .plain .n { text-align: right } code { font: 13px ui-monospace, SFMono-Regular, Menlo, monospace }
.confusion td, .confusion th { width: 52px; height: 34px; text-align: center; font-size: 13px; padding: 2px 6px }
.confusion th { color: var(--soft); font-weight: 500; white-space: nowrap } .confusion th[scope=row] { text-align: right }
.confusion td { border: 2px solid var(--paper); border-radius: 6px } .confusion .zero { color: var(--line) }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(140px, 1fr)); gap: 14px }
.mistakes figure { background: var(--card); border-radius: 10px; padding: 10px }
.mistakes img { width: 100%; image-rendering: pixelated; border-radius: 6px; display: block; background: #000 }
.mistakes figcaption { display: block; font-weight: 400; font-size: 13px; margin-top: 8px; line-height: 1.35 }
.mistakes b { color: var(--b) } .mistakes small { color: var(--soft) }
.note { color: var(--soft); max-width: 62em }
`
