"""A report as one page that needs nothing else: no network, no other file."""

from html import escape

from . import report_tables
from .registry import has
from .report_pictures import pictures

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 72rem; margin: 2rem auto;
  padding: 0 1rem; }
h1, h2 { line-height: 1.2; margin-top: 2.5rem; }
table { border-collapse: collapse; font-size: 0.85rem; }
th, td { text-align: left; padding: 0.25rem 0.6rem; border-bottom: 1px solid #ddd; vertical-align: top; }
th { background: #f2f2f2; position: sticky; top: 0; }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tr.odd td { background: #fff3d6; }
img { width: 100%; max-width: 66rem; height: auto; }
img.small { max-width: 46rem; }
.failed { background: #fde0dc; border-left: 0.4rem solid #b3261e; padding: 0.5rem 1rem; }
figure { margin: 1.5rem 0; } figcaption { color: #555; font-size: 0.9rem; }
"""
HEADING, ODD = "fastgd and its peers", ' class="odd"'


def table(head, lines, numbers=(), odd=lambda line: False):
    """A table of HTML; columns of ``numbers`` go to the right, lines that are ``odd`` stand out."""
    classes = [' class="number"' if k in numbers else "" for k in range(len(head))]
    rows = []
    for line in lines:
        cells = (f"<td{kind}>{escape(str(cell))}</td>" for kind, cell in zip(classes, line, strict=True))
        rows.append(f"<tr{ODD if odd(line) else ''}>{''.join(cells)}</tr>")
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def listed(facts):
    """A list of names and what they are."""
    return "<ul>" + "".join(f"<li><b>{escape(k)}</b>: {escape(str(v))}</li>" for k, v in facts.items()) + "</ul>"


def section(title, *parts):
    return f"<h2>{escape(title)}</h2>\n" + "\n".join(parts)


def comparison(results, kinds):
    """The full table of some kinds of entries."""
    chosen = [(name, entry) for name, entry in results["entries"].items() if entry["kind"] in kinds]
    lines = [row for name, entry in chosen for row in report_tables.rows(name, entry)]
    return table(report_tables.HEAD, lines, range(3, 8), odd=lambda row: row.odd)


def figure(picture):
    small = "" if picture.wide else ' class="small"'
    alt = f"{picture.title}. {picture.words}"
    words = f"<figcaption>{escape(picture.words)}</figcaption>"
    return f'<figure><img{small} src="{picture.uri}" alt="{escape(alt, quote=True)}">{words}</figure>'


def failures(results):
    """What went wrong, at the top, where nobody overlooks it."""
    gone = {name: entry["failed"] for name, entry in results["entries"].items() if entry["failed"]}
    for name, entry in results["entries"].items():
        for race in map(report_tables.found_in, entry.get("races", ())):
            if not race.agree:
                gone[f"{name}, {race.label}"] = race.out.get(
                    "fastgd", "the objectives differ: who ends elsewhere is left out"
                )
    return f'<div class="failed"><b>Not as it should be:</b>{listed(gone)}</div>' if gone else ""


def settings(results):
    """What each case computes."""
    head = "case", "call", "options", "threads"
    entries = [(name, entry) for name, entry in results["entries"].items() if "options" in entry]
    lines = [
        (name, e["call"], ", ".join(f"{k}={v}" for k, v in e["options"].items()), e["threads"]) for name, e in entries
    ]
    return table(head, lines)


def page(results):
    """The page."""
    took = f"{results.get('seconds', 0) / 60:.1f} minutes: {results['how']}"
    stopped = ", stopped before its end" if results.get("stopped") else ""
    drawn = map(figure, pictures(results)) if has("matplotlib") else ["<p>There are none without matplotlib.</p>"]
    left = table(("case", "who", "why"), report_tables.left_out(results))
    numbers = table(
        ("", "value", "limit", "unit", ""), report_tables.limits(results), (1, 2), lambda row: row[4] != "reached"
    )
    parts = [
        f"<h1>{HEADING}</h1>",
        f"<p>{escape(took + stopped)}. Fingerprint of the cases: {escape(results['fingerprint'])}.</p>",
        failures(results),
        section("Where it was measured", listed(results["machine"])),
        section("Pictures", *drawn),
        section("How it is measured", "<ul>", *(f"<li>{escape(rule)}</li>" for rule in report_tables.RULES), "</ul>"),
        section("The same steps", comparison(results, ("steps",))),
        section("To an objective, everyone by the way of its own", comparison(results, ("objective",))),
        section("Against the machine's bandwidth", comparison(results, ("bandwidth",))),
        section("Against its own runs, and how time grows", comparison(results, ("growth", "own"))),
        section("Starts and memory", numbers),
        section("Who is left out, and why", left),
        section("What the cases compute", settings(results)),
        section("Versions", listed(results["versions"])),
    ]
    body = "\n".join(parts)
    head = f'<meta charset="utf-8"><title>{HEADING}</title><style>{STYLE}</style>'
    view = '<meta name="viewport" content="width=device-width">'
    return f'<!doctype html><html lang="en"><head>{head}{view}</head><body>{body}</body></html>\n'
