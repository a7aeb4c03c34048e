"""The report as one HTML file that needs nothing else."""

from markupsafe import Markup

from iolab.kinds.closed import course as answers
from iolab.kinds.closed import cpu_figures, figures, words
from iolab.kinds.closed.cells import Analysis
from iolab.kinds.closed.stories import stories
from iolab.kinds.closed.table import columns, grouped_findings, resources
from iolab.report.markdown import flat
from iolab.report.pages import template


def render(analysis: Analysis) -> str:
    """Return report.html."""
    cells = [analysed.cell for analysed in analysis.cells]
    measured = any(len(analysed.latencies_s) for analysed in analysis.cells)
    colours = figures.colours_of(analysis)
    return template("closed.html.j2").render(
        run=analysis.run,
        experiment=analysis.experiment,
        question=words.question(analysis),
        settings=words.settings(analysis),
        rounds=words.rounds(analysis),
        cards=[
            {
                "letter": group[0].model,
                "title": group[0].title,
                "colour": colours[group[0].model][0],
                "limit": words.condition(group[0], analysis, before=", "),
                "verdict": words.verdict(group),
                "sentence": words.sentence(group),
            }
            for group in words.by_model(analysis)
        ],
        cells=cells,
        tables={"The table": columns(analysis), "Resources": resources(analysis)},
        findings=grouped_findings(cells),
        # The drawings are our own; everything else on the page is escaped.
        overview=Markup(figures.overview(analysis)) if measured else "",  # noqa: S704
        distributions=Markup(figures.distributions(analysis)) if measured else "",  # noqa: S704
        percentiles=Markup(figures.percentiles(analysis)) if measured and len(cells) <= figures.MANY_CELLS else "",  # noqa: S704
        environment=flat(analysis.run.environment),
        runtime=words.runtime(analysis),
        cpu_plan=words.cpu_plan(analysis),
        wall_time=words.wall_time(analysis),
        precision=words.precision(analysis),
        stories=stories(analysis),
        course=answers.table(analysis) if answers.applies(analysis) else [],
        answers=answers.answers(analysis) if answers.applies(analysis) else [],
        saturation=Markup(cpu_figures.saturation(analysis)) if answers.applies(analysis) else "",  # noqa: S704
        cores=Markup(cpu_figures.cores(analysis)) if measured and len(analysis.experiment.cpus) > 1 else "",  # noqa: S704
        prediction=words.prediction(analysis),
        trials_done=analysis.trials_done,
    )
