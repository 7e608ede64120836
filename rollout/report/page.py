"""The page around the sections: its style sheet, its title, its contents."""

from collections.abc import Sequence
from html import escape

from trunkline.rollout.report import arms
from trunkline.rollout.report.html import variable
from trunkline.rollout.report.registry import Block, Report

LIGHT = {"page": "#fcfcfa", "card": "#ffffff", "ink": "#1b1e24", "quiet": "#5d6470", "rule": "#dfe1e5"}
DARK = {"page": "#14161a", "card": "#1b1e24", "ink": "#e8eaee", "quiet": "#a0a7b4", "rule": "#343943"}
_LIGHT_SIGNS = {"good": "#1c6e3d", "bad": "#a8322a", "warn": "#7a5800", "warn-page": "#fff7e0"}
_DARK_SIGNS = {"good": "#6cc890", "bad": "#f08a80", "warn": "#e6c25c", "warn-page": "#2a2414"}

STYLE = """
*{box-sizing:border-box}
html{color-scheme:light dark;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans","DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1080px;margin:0 auto;padding:40px 24px 80px}
.kicker{color:var(--quiet);font-size:13px;letter-spacing:.04em;margin:0 0 14px}
h1{font:600 clamp(24px,4.2vw,38px)/1.22 Charter,"Iowan Old Style","Source Serif 4",Georgia,"DejaVu Serif",serif;
margin:0 0 18px;max-width:29em;text-wrap:balance;letter-spacing:-.01em}
h2{font-size:21px;line-height:1.3;margin:56px 0 6px;letter-spacing:-.005em}
h3{font-size:15px;margin:26px 0 6px}
p{margin:6px 0 12px;max-width:44em}
.lead{font-size:18px;color:var(--ink)}
.quiet,.note,figcaption,.family{color:var(--quiet)}
.note{font-size:14px}
.family{font-weight:400}
nav{display:flex;flex-wrap:wrap;gap:4px 18px;margin:26px 0 0;padding-top:14px;border-top:1px solid var(--rule);
font-size:14px}
a{color:var(--ink);text-decoration-color:var(--rule);text-underline-offset:3px}
a:hover{text-decoration-color:currentColor}
.scroll{overflow-x:auto;margin:10px 0 6px}
table{border-collapse:collapse;font-size:14px;line-height:1.4;min-width:min(100%,560px)}
th,td{padding:8px 20px 8px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--rule);white-space:nowrap}
thead th{font-weight:500;color:var(--quiet);vertical-align:bottom;border-bottom-color:var(--quiet)}
tbody th{font-weight:500}
table.raw{font-size:12.5px}
table.raw td,table.raw th{padding:4px 16px 4px 0}
.bounds,.second{color:var(--quiet);font-size:.92em}
.second{display:block}
.arm{white-space:nowrap}
.dot{display:inline-block;width:9px;height:9px;border-radius:50%;margin-right:8px}
.verdict{white-space:nowrap;font-weight:500}
.better{color:var(--good)}.worse{color:var(--bad)}.unclear{color:var(--quiet)}
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(300px,100%),1fr));gap:22px 32px;margin:14px 0}
.panels figure{margin:0;max-width:400px}
.panels.wide{grid-template-columns:repeat(auto-fill,minmax(min(400px,100%),1fr));gap:30px 56px}
.panels.wide figure{max-width:480px}
.panels figcaption{font-size:14px;font-weight:500;color:var(--ink);margin-bottom:4px}
.chart{display:block;width:100%;height:auto;overflow:visible}
.chart text{font-size:12px;fill:var(--ink)}
.chart .tick{font-size:11px;fill:var(--quiet)}
.chart .value{font-weight:600}
.chart .value .tick{font-weight:400}
.chart .grid{stroke:var(--rule);stroke-width:1}
.chart .error{stroke:var(--ink);stroke-width:1.4;fill:none}
.chart .halo{stroke:var(--page);stroke-width:4;opacity:.65;fill:none}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 20px;padding:0;margin:10px 0;font-size:14px}
.legend svg{margin-right:7px;vertical-align:1px}
.caveats{background:var(--warn-page);border-left:3px solid var(--warn);padding:12px 18px;margin:22px 0 0;font-size:15px;
border-radius:0 4px 4px 0}
.caveats ul{margin:6px 0 0;padding-left:20px}
.caveats li{margin:3px 0;max-width:62em}
.videos{display:grid;grid-template-columns:repeat(auto-fill,minmax(148px,1fr));gap:16px 14px;margin:10px 0 18px}
.videos figure{margin:0;font-size:13px;line-height:1.4}
.videos video{display:block;width:100%;aspect-ratio:1;background:#000;border-radius:4px;margin-bottom:5px}
.videos .outcome{font-weight:500}
details{border-bottom:1px solid var(--rule);padding:10px 0}
summary{cursor:pointer;font-weight:500;font-size:15px}
pre{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-x:auto;
background:var(--card);border:1px solid var(--rule);border-radius:4px;padding:12px}
code{font:.9em ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
@media (max-width:560px){main{padding:26px 16px 60px}h2{margin-top:44px}
th,td{padding-right:14px}tbody th,.verdict{white-space:normal;min-width:104px}tbody .arm{white-space:normal}
tbody th .second,.verdict{max-width:150px}tbody th{position:sticky;left:0;background:var(--page)}.lead{font-size:17px}}
@media print{details>*{display:block}nav{display:none}}
"""


def page(report: Report, blocks: Sequence[tuple[str, Block]]) -> str:
    """The whole document."""
    run = report.run
    names = [*arms.ARMS, *run.results.arms, *(video.arm for video in run.videos), *(log.stage for log in run.logs)]
    light = {**LIGHT, **_LIGHT_SIGNS, **{variable(n)[2:]: arms.arm(n).light for n in names}}
    dark = {**DARK, **_DARK_SIGNS, **{variable(n)[2:]: arms.arm(n).dark for n in names}}
    style = f":root{{{_variables(light)}}}@media (prefers-color-scheme:dark){{:root{{{_variables(dark)}}}}}{STYLE}"
    first, rest = [b for _, b in blocks if not b.title], [(name, b) for name, b in blocks if b.title]
    contents = "".join(f'<a href="#{escape(name)}">{escape(block.title)}</a>' for name, block in rest)
    body = "".join(
        f'<section id="{escape(name)}"><h2>{escape(block.title)}</h2>{block.html}</section>' for name, block in rest
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(run.name)}: transfer report</title>'
        f"<style>{style}</style></head><body><main>"
        f'<p class="kicker">Zero-shot transfer report · run <b>{escape(run.name)}</b></p>'
        f"{''.join(block.html for block in first)}"
        f'<nav aria-label="Contents">{contents}</nav>{body}</main></body></html>\n'
    )


def _variables(values: dict[str, str]) -> str:
    return ";".join(f"--{name}:{value}" for name, value in values.items())
