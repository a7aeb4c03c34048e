"""A document and its renderers, on a made one that has every block and texts that could break a page."""

from iolab.report import document
from iolab.report.document import (
    Card,
    Cards,
    Column,
    Document,
    Facts,
    Figure,
    Folded,
    Gallery,
    Picture,
    Quote,
    Section,
    Sentences,
)
from iolab.report.doubts import Found, Trust
from iolab.report.pages import template
from tests.rendered import markdown, page, terminal

ROWS = (("A", "Blocking server | one thread", 81.0), ("A", "Blocking server | one thread", 142.5), ("B", "Pool", 20.4))
COLUMNS = (
    Column[tuple[str, str, float]](
        "Model", lambda row: f"{row[0]} {row[1]}", numeric=False, shorten=lambda text: text[0]
    ),
    Column[tuple[str, str, float]]("Median of the requests", lambda row: f"{row[2]:.1f} ms", bold=True, short="Median"),
    Column[tuple[str, str, float]]("Rank one", lambda _: "1" * 30, rank=1),
    Column[tuple[str, str, float]]("Rank two", lambda _: "2" * 30, rank=2),
    Column[tuple[str, str, float]]("Never seen", lambda _: "-"),
)
TABLE = document.table(COLUMNS, ROWS, note="A note.", marked=lambda row: row[2] > 100, group=lambda row: row[0])
SVG = '<svg viewBox="0 0 1 1"><path d="M0 0"/></svg>'


def made(**changes: object) -> Document:
    found = Document(
        question="What do <b>users</b> wait for? [red]x[/red]",
        verdict="A explodes; B stays flat.",
        trust=Trust("limited", "1 of 3 cells is in doubt: 93 attempts were dropped."),
        about="Experiment made, 3 of 4 trials.",
        lacks="This run was interrupted: it has 3 of 4 trials.",
        answer=[
            Section("", [Cards([Card("A · Blocking", "explodes", "Median 81 ms.", "#d55e00")]), TABLE], brief=True),
            Section("What it shows", [Sentences(["It grows."]), Figure(lambda narrow: SVG, "A caption.")], brief=True),
        ],
        expected=[Found("note", "backlog 5", "the queue is full, as it is meant to be", "")],
        findings=[Found("warning", "A at c = 16", "93 attempts were dropped", "a longer accept queue")],
        details=[
            Section("Only on the page", [Facts([("memory", "23.5 GiB")]), Quote("log <line>")]),
            Section(
                "Seats",
                [
                    Gallery(
                        [Picture(lambda: SVG, "C", "20 served")], "asyncio", [(SVG, "served in time")], "40 in a row."
                    )
                ],
            ),
            Section("Questions", [Folded("1. Why?", [Sentences(["Because."])])]),
        ],
        method=["Seed 1991."],
        facts=[("kernel", "6.12")],
        raw="In samples/ a row for each request.",
        closing=["It took 48 s."],
    )
    return Document(**{**vars(found), **changes})


def test_the_page_has_every_block_and_escapes_text() -> None:
    text = page(made())
    for part in (
        "<h1>What do &lt;b&gt;users&lt;/b&gt; wait for?", "explodes", "It grows.", "A caption.", "93 attempts", "A note.",
        "23.5 GiB", "log &lt;line&gt;", "20 served", "served in time", "40 in a row.", "<summary>1. Why?</summary>", "Because.",
        "Seed 1991.", "6.12", "In samples/ a row for each request", "A explodes; B stays flat.", "<b>Trust: limited.</b>", "as it is meant to be", 'class="banner"',
    ):  # fmt: skip
        assert part in text, part
    assert text.count("<svg") == 4  # two forms of a figure, a picture, and its legend
    assert text.count('<th scope="row"') == 3
    assert text.count('<tr class="doubt') == 1
    assert "Never seen" not in text


def test_sections_and_figures_without_content_leave_no_heading() -> None:
    text = page(made(details=[Section("Nothing", [])], findings=[], lacks=""))
    assert "Nothing" not in text
    assert "None: no check found" in text
    assert "<figure>" not in page(made(answer=[Section("", [Figure(lambda narrow: "", "of nothing")])], details=[]))


def test_markdown_has_every_text_and_a_row_stays_a_row() -> None:
    lines = markdown(made()).splitlines()
    assert "| A Blocking server \\| one thread | 81.0 ms | " + "1" * 30 + " | " + "2" * 30 + " |" in lines
    assert "- **A · Blocking: explodes.** Median 81 ms." in lines
    assert "- **warning**, A at c = 16: 93 attempts were dropped. What to do: a longer accept queue" in lines
    assert "**This run was interrupted: it has 3 of 4 trials.**" in lines
    for heading in ("What it shows", "Findings", "Only on the page", "Questions", "How it was measured"):
        assert f"## {heading}" in lines
    assert "## Seats" not in lines  # drawings are left out, and so is a heading of nothing else


def test_the_terminal_has_the_brief_sections_the_table_first() -> None:
    text = terminal(made(), 200)
    assert "[red]x[/red]" in text
    assert text.index("Median of the requests") < text.index("It grows.") < text.index("A · Blocking: explodes.")
    assert text.index("A · Blocking: explodes.") < text.index("Trust: limited.") < text.index("→ a longer accept queue")
    assert "23.5 GiB" not in text
    assert "The report has 1 finding with remedies, and 1 question about these numbers" in text
    assert text.rstrip().endswith("Report: results/latest/report.html")


def test_the_terminal_has_one_table_and_three_sentences() -> None:
    texts = ["One. Two of e.g. two.", "Three. Four.", "Five."]
    cards = [Card(f"Card {number}", "grows", "Much.", "#d55e00") for number in range(2)]
    sections = [
        Section("", [Cards(cards), TABLE, Sentences(texts)], brief=True),
        Section("More", [TABLE, Sentences(["Six."])], brief=True),
        Section("Page", [Sentences(["Seven."])]),
    ]
    text = terminal(made(answer=sections), 200)
    assert text.count("Median of the requests") == 1
    assert "- One. Two of e.g. two.\n- Three.\n" in text
    for absent in ("Four", "Five", "Six", "Seven", "Card"):
        assert absent not in text


def test_a_table_that_is_too_wide_says_less_and_cuts_nothing() -> None:
    wide, narrow, narrower = (terminal(made(), width) for width in (160, 60, 30))
    assert "A Blocking server | one thread" in wide
    assert "2" * 30 in wide
    assert "Median of the requests" not in narrow
    assert "1" * 30 in narrow
    assert "2" * 30 not in narrow
    assert "1" * 30 not in narrower
    assert "142.5 ms" in narrower
    assert "…" not in wide + narrow + narrower


def test_a_heading_of_text_is_not_cut() -> None:
    columns = (
        Column[str]("Distribution", lambda _: "x", numeric=False),
        Column[str]("Value", lambda _: "1" * 10),
        Column[str]("More", lambda _: "2" * 10, rank=1),
    )
    text = terminal(made(answer=[Section("", [document.table(columns, ["row"])], brief=True)], lacks=""), 30)
    assert "Distribution" in text
    assert "1" * 10 in text
    assert "More" not in text


def test_a_table_that_fits_exactly_wraps_no_name() -> None:
    name = "a name of 20 letters"
    numbers = [Column[str](f"Column {number}", lambda _: "1" * 8) for number in range(4)]
    shown = document.table([Column("Model", str, numeric=False), *numbers], [name])
    width = len(name) + 2 + 4 * (8 + 2)
    assert name in terminal(made(answer=[Section("", [shown], brief=True)]), width)


def test_columns_that_say_nothing_are_left_out_and_a_bold_one_stays() -> None:
    columns = [Column[int](name, lambda _: "0", bold=name == "Held") for name in ("Held", "Lost")]
    shown = document.table([Column("Model", str, numeric=False), *columns], [1, 2])
    assert [column.heading for column in shown.columns] == ["Model", "Held"]


def test_markdown_has_no_html_no_link_and_no_further_line_from_a_run() -> None:
    hostile = "<script>x</script> [a](javascript:x) ![b](http://192.0.2.1/p)\n# heading"
    text = markdown(
        made(
            question=hostile,
            verdict=hostile,
            findings=[Found("warning", hostile, hostile, hostile)],
            details=[Section(hostile, [Facts([(hostile, hostile)]), Quote(f"```\n{hostile}")])],
        )
    )
    quoted = text.split("````text")[1].split("````")[0]
    rest = text.replace(quoted, "")
    assert "<script" not in rest
    assert "[a]" not in rest
    assert "[b]" not in rest
    assert "\n# heading" not in rest
    assert hostile in quoted


def test_every_page_lets_nothing_be_loaded_or_run() -> None:
    policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
    assert policy in page(made())
    assert policy in template("index.html.j2").render(entries=[], skipped=[])
