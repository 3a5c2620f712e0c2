/** The look of a report: light and dark by the reader's system, no fonts or files from elsewhere. */

export const css = `
:root{color-scheme:light dark;--paper:#fbfaf7;--card:#fff;--ink:#20241f;--soft:#656c62;--line:#e3e1d8;--float:#8b98a5;--quant:#3f7d3a;
--good:#3f7d3a;--warn:#b3700f;--bad:#b3352b;--accent:#8a5a2b;--clip:#d9534a}
@media (prefers-color-scheme:dark){:root{--paper:#161814;--card:#1f221d;--ink:#e9ebe4;--soft:#a0a89a;--line:#33382f;--float:#7f8d9b;--quant:#86c46d;
--good:#86c46d;--warn:#e2a54a;--bad:#ec7a70;--accent:#c99b68;--clip:#ec7a70}}
*{box-sizing:border-box}
body{margin:0;overflow-wrap:anywhere;background:var(--paper);color:var(--ink);font:15px/1.55 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:1080px;margin:0 auto;padding:40px 24px 80px}
header p,.soft{color:var(--soft)}
h1{font-size:30px;line-height:1.2;margin:6px 0 8px;letter-spacing:-.02em;text-wrap:balance}
h2{font-size:19px;margin:52px 0 4px;letter-spacing:-.01em}
h2+p{margin:0 0 16px;color:var(--soft);max-width:70ch}
h3{font-size:14px;margin:0 0 2px;overflow-wrap:anywhere}
code,.mono{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(225px,1fr));gap:14px;margin-top:26px}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:16px 18px;min-width:0}
.tile b{display:block;font-size:27px;letter-spacing:-.02em;margin:2px 0 8px}
.tile .label{color:var(--soft);font-size:13px}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(310px,1fr));gap:14px}
table{border-collapse:collapse;width:100%;font-size:13.5px}
th{text-align:left;font-weight:600;color:var(--soft);border-bottom:1px solid var(--line);padding:6px 10px 6px 0}
td{border-bottom:1px solid var(--line);padding:6px 10px 6px 0;vertical-align:top;overflow-wrap:anywhere}
td.n,th.n{text-align:right;white-space:nowrap}
.scroll{overflow-x:auto}
details{margin-top:14px}summary{cursor:pointer;color:var(--accent);font-weight:600}
ul.next{padding-left:20px;margin:8px 0}ul.next li{margin:10px 0;max-width:88ch;overflow-wrap:anywhere}
.command{display:flex;gap:8px;align-items:flex-start;margin:4px 0}
.command code{background:var(--paper);border:1px solid var(--line);border-radius:6px;padding:4px 8px;overflow-wrap:anywhere}
.command code{flex:1}button.copy{flex:none;white-space:nowrap;font:12px ui-sans-serif,system-ui,sans-serif;color:var(--accent);background:none;border:1px solid var(--line);border-radius:6px;padding:4px 8px;cursor:pointer}
ul.warnings{list-style:none;margin:18px 0 0;padding:12px 16px;border-left:4px solid var(--warn);background:var(--card);overflow-wrap:anywhere}
ul.warnings li::before{content:"warning: ";color:var(--warn);font-weight:600}
.settings span{margin-right:14px}.settings code,footer code{overflow-wrap:anywhere}
.filter{font:14px ui-sans-serif,system-ui,sans-serif;width:100%;max-width:360px;padding:6px 10px;margin-bottom:8px;border:1px solid var(--line);border-radius:8px;background:var(--paper);color:var(--ink)}
.sheet th[role=button]{cursor:pointer}.sheet th[aria-sort=ascending]::after{content:" ↑"}.sheet th[aria-sort=descending]::after{content:" ↓"}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{fill:var(--soft);font:11px ui-sans-serif,system-ui,sans-serif}
.axis{stroke:var(--line);stroke-width:1}
.f{fill:var(--float)}.q{fill:var(--quant)}.c{fill:var(--clip)}
.band{fill:var(--quant);opacity:.13}.edge{stroke:var(--quant);stroke-width:1.4}
.dot{fill:var(--quant)}.dot.warn{fill:var(--warn)}.dot.bad{fill:var(--bad)}
.range{stroke:var(--quant)}.range.far{stroke:var(--warn)}
.chosen{stroke:var(--warn);stroke-width:1;stroke-dasharray:3 3}
.path{fill:none;stroke:var(--quant);stroke-width:1;opacity:.45}
.key{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:5px;vertical-align:-1px}
.views{display:flex;flex-wrap:wrap;gap:8px;margin-top:8px}.views figure{flex:1 1 84px;min-width:0;margin:0}
.views figcaption{color:var(--soft);font-size:12px}.views.lines figure{flex:1 1 100%}.views p{margin:0;overflow-wrap:anywhere;white-space:pre-wrap}
.views mark{background:none;color:var(--bad);text-decoration:underline}.views del{color:var(--soft)}
.box{fill:none;stroke-width:1.6;vector-effect:non-scaling-stroke}.box.true{stroke:#fff;stroke-dasharray:3 2;stroke-width:1.1}.wave{fill:var(--quant);opacity:.75}.wave.float{fill:var(--float)}.wave.true{fill:var(--soft)}
footer{margin-top:60px;color:var(--soft);font-size:13px}
@media (max-width:640px){main{padding:24px 14px 60px}h1{font-size:24px}.grid{grid-template-columns:1fr}.wide text{font-size:26px}
table,tbody,tr,td{display:block;width:100%}thead{display:none}tr{border-bottom:1px solid var(--line);padding:8px 0}
td,td.n{border:0;padding:2px 0;text-align:left;white-space:normal}td:empty{display:none}
td[data-label]::before{content:attr(data-label) " ";color:var(--soft);font-size:12px;display:inline-block;min-width:13ch}tr[hidden]{display:none}}
@media print{body{background:#fff}.card{break-inside:avoid}}
`;
