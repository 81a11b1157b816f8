"""The style sheet of a page: light and dark, for a wide screen and for a phone."""

SHEET = """
:root { color-scheme: light dark; --ink: #16181a; --muted: #5a5c5e; --grid: #dfe0e1; --paper: #fefefd; --empty: #e4e4e5;
        --card: #f5f5f4; --link: #0b57a4; --warn: #fff3d6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e6e3; --muted: #a9a7a4; --grid: #3a3b3d; --paper: #17181a; --empty: #34363a;
          --card: #202225; --link: #7db7f0; --warn: #4a3a10; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1400px; padding: 1.1rem; background: var(--paper); color: var(--ink);
       font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
a { color: var(--link); }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .2rem 0 .5rem; }
h2 { font-size: 1.3rem; margin: 2rem 0 .3rem; padding-top: .6rem; border-top: 1px solid var(--grid); }
h3 { font-size: 1.05rem; margin: 1rem 0 .2rem; }
p { margin: .2rem 0 .6rem; max-width: 52rem; }
.answer { font-size: 1.1rem; max-width: 60rem; }
.warning { background: var(--warn); padding: .4rem .7rem; border-radius: .3rem; max-width: 60rem; }
.facts, .source, .note { color: var(--muted); font-size: .92rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; list-style: none; margin: .3rem 0; padding: 0;
         font-size: .95rem; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem 1.2rem; align-items: flex-start; }
.pictures > figure { margin: 0; max-width: 100%; }
.scrolls > div { max-width: 100%; }
.title { display: none; font-weight: 600; }
.side-by-side { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); }
.side-by-side > div { min-width: 0; }
svg, img { display: block; width: 100%; height: auto; }
.box { overflow-x: auto; width: fit-content; max-width: 100%; border: 1px solid var(--grid); }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { padding: .2rem .5rem; text-align: right; white-space: nowrap; }
th { background: var(--card); }
tbody tr + tr td { border-top: 1px solid var(--grid); }
.badge { padding: 0 .45rem; border-radius: .3rem; color: #fff; white-space: nowrap; font-weight: 600; font-size: .9em; }
.holds { background: #00694b; } .fails { background: #a84300; } .undecided { background: #595959; }
code { font-size: .9em; }
pre { overflow-x: auto; padding: .6rem; background: var(--card); border: 1px solid var(--grid); font-size: .85rem; }
summary { cursor: pointer; padding: .2rem 0; color: var(--muted); font-size: .92rem; }
@media (max-width: 640px) {
  body { padding: .75rem; }
  .box { width: 100%; border: 0; }
  table, tbody, tr, td { display: block; }
  thead { display: none; }
  tr { border: 1px solid var(--grid); border-radius: .3rem; margin: .4rem 0; padding: .2rem .4rem; }
  tbody tr + tr td { border-top: 0; }
  td { display: flex; justify-content: space-between; gap: 1rem; padding: .05rem 0; white-space: normal; }
  td::before { content: attr(data-name); color: var(--muted); text-align: left; }
  td:empty { display: none; }
  pre { white-space: pre-wrap; }
  .scrolls { overflow-x: auto; }
  .scrolls > div { max-width: none; margin-top: calc(-1 * var(--head)); }
  .scrolls [id$="title"] { display: none; }
  .title { display: block; }
}
@media print { details:not([open]) { display: none; } nav { display: none; } }
"""
