"""The style sheet of report pages: no script, no font and no picture from elsewhere."""

STYLE = """
:root {
  color-scheme: light dark;
  --bg: #fff; --fg: #1b1f24; --soft: #57606a; --line: #d0d7de; --raised: #f6f8fa;
  --good: #116329; --good-bg: #dafbe1; --bad: #a40e26; --bad-bg: #ffe3e3;
  --odd: #7a4b00; --odd-bg: #fff1d6; --cable: #8c959f;
  --vnet: #ecf3fb; --site: #f3ecfb; --access: #eef6ec; --link: #0550ae;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #0d1117; --fg: #e6edf3; --soft: #9ea7b1; --line: #3d444d; --raised: #161b22;
    --good: #56d364; --good-bg: #12301b; --bad: #ff8182; --bad-bg: #43161a;
    --odd: #e3b341; --odd-bg: #3a2c0c; --cable: #6e7681;
    --vnet: #101d2e; --site: #1d1530; --access: #13231a; --link: #79c0ff;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 16px; max-width: 1232px; background: var(--bg); color: var(--fg);
  font: 14px/1.45 system-ui, sans-serif; overflow-wrap: anywhere;
}
h1 { font-size: 22px; margin: 0 0 4px; }
h2 { font-size: 17px; margin: 28px 0 8px; }
h3 { font-size: 12px; font-weight: normal; margin: 0; line-height: 16px; color: var(--soft); }
h3 b { color: var(--fg); font-size: 14px; line-height: 19px; }
a { color: var(--link); }
p { margin: 4px 0; max-width: 90ch; }
.soft { color: var(--soft); }
.verdict {
  max-width: none; font-size: 17px; font-weight: bold; padding: 8px 12px; border-radius: 6px;
}
.verdict.good { color: var(--good); background: var(--good-bg); }
.verdict.bad { color: var(--bad); background: var(--bad-bg); }
.state { font-weight: bold; }
.stood { color: var(--good); } .failed { color: var(--bad); } .refused { color: var(--odd); }
.legend span { margin-right: 18px; display: inline-block; }
pre, .log { font: 12px/1.4 ui-monospace, monospace; white-space: pre-wrap; margin: 4px 0; }
details { margin: 2px 0; }
summary { cursor: pointer; }

.map svg { display: none; }
.frame { border: 1px solid var(--line); border-radius: 6px; padding: 8px; margin: 8px 0; }
.frame.vnet { background: var(--vnet); } .frame.site { background: var(--site); }
.frame.access { background: var(--access); } .frame.subnet { background: var(--bg); }
.frame.lan { border: 0; padding: 0; background: none; }
.box {
  border: 1px solid var(--soft); border-radius: 5px; padding: 6px 8px; margin: 6px 0;
  background: var(--bg); font-size: 12px; line-height: 16px;
}
.box > b { font-size: 14px; line-height: 19px; }
.box > span, .box > a { display: block; }
.box i { font-style: normal; }
.box.stood { background: var(--good-bg); } .box.failed { background: var(--bad-bg); }
.box.refused { background: var(--odd-bg); }
.box.stood, .box.refused, .box.failed { color: var(--fg); }
@media (min-width: 1232px) {
  .map { position: relative; width: 1200px; height: var(--map-h); }
  .map svg { display: block; position: absolute; inset: 0; z-index: 1; overflow: visible; }
  .map path { fill: none; stroke-width: 2.5; }
  .map path.link { stroke: var(--cable); stroke-width: 1.5; }
  .map path.unknown { stroke: var(--soft); stroke-dasharray: 2 4; }
  .map path.stood { stroke: var(--good); }
  .map path.refused { stroke: var(--odd); stroke-dasharray: 6 4; }
  .map path.failed { stroke: var(--bad); stroke-dasharray: 10 4; stroke-width: 3; }
  .map text {
    font: bold 12px system-ui, sans-serif; fill: var(--fg);
    stroke: var(--bg); stroke-width: 5px; paint-order: stroke;
  }
  .map text.left { text-anchor: end; }
  .map text.stood { fill: var(--good); } .map text.refused { fill: var(--odd); }
  .map text.failed { fill: var(--bad); }
  .frame, .box {
    position: absolute; left: var(--x); top: var(--y); width: var(--w); height: var(--h);
    margin: 0; overflow-wrap: normal;
  }
  .frame { padding: 8px 12px; }
  .box { z-index: 2; padding: 5px 8px; white-space: nowrap; }
  .box > b, .box i { display: block; }
}

.step {
  display: grid; grid-template-columns: 3em 6em minmax(0, 2fr) minmax(0, 3fr) 5em; gap: 0 10px;
  padding: 4px 6px; border-top: 1px solid var(--line);
}
.step > .more { grid-column: 3 / -1; }
.step .sign.held { color: var(--good); } .step .sign.FAILED { color: var(--bad); }
.step .sign { font-weight: bold; }
.step .number, .step .seconds { color: var(--soft); text-align: right; }
.failure { border: 1px solid var(--bad); border-radius: 6px; padding: 8px 12px; margin: 10px 0; }
.failure h3 { font-size: 14px; color: var(--fg); font-weight: bold; line-height: 1.4; }
.failure h4 { font-size: 13px; margin: 10px 0 2px; }
.layer {
  display: grid; grid-template-columns: 5em 14em minmax(0, 1fr); gap: 0 10px; padding: 2px 0;
}
.layer .said > p { margin: 1px 0; }
.layer .failed, .layer .passed { font-weight: bold; }
.layer .passed { color: var(--good); }
.change { border-left: 3px solid var(--link); padding-left: 8px; }

.time { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 2fr); gap: 10px; }
.time > span:first-child { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.time .bar { position: relative; height: 14px; margin: 3px 0; background: var(--raised); }
.time .bar i {
  position: absolute; left: var(--from); width: var(--part); min-width: 2px; height: 100%;
  background: var(--good); border-radius: 2px;
}
.time .bar i.failed { background: var(--bad); } .time .bar i.stage { background: var(--cable); }
table {
  border-collapse: collapse; display: block; overflow-x: auto; overflow-wrap: break-word;
}
td, th { border: 1px solid var(--line); padding: 3px 8px; text-align: left; }
@media (max-width: 700px) {
  .step { grid-template-columns: 2.5em 5em minmax(0, 1fr) 4em; }
  .step > .detail { grid-column: 3 / -1; }
  .step > .seconds { grid-row: 1; grid-column: 4; }
  .layer { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
  .layer .said { grid-column: 1 / -1; }
}
"""
