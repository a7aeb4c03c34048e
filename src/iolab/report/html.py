"""The report as one HTML file that needs nothing else."""

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from iolab.analysis import Analysis
from iolab.report import figures, words
from iolab.report.markdown import flat
from iolab.report.table import columns, grouped_findings, resources


def render(analysis: Analysis) -> str:
    """Return report.html."""
    templates = Environment(
        loader=PackageLoader("iolab.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    cells = [analysed.cell for analysed in analysis.cells]
    measured = any(len(analysed.latencies_s) for analysed in analysis.cells)
    colours = figures.colours_of(analysis)
    return templates.get_template("report.html.j2").render(
        run=analysis.run,
        experiment=analysis.experiment,
        question=words.question(analysis),
        settings=words.settings(analysis),
        cards=[
            {
                "letter": group[0].model,
                "title": group[0].title,
                "colour": colours[group[0].model][0],
                "limit": f", {group[0].cpus:g} CPU" if len(analysis.experiment.cpus) > 1 else "",
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
        environment=flat(analysis.run.environment),
        runtime=words.runtime(analysis),
        cpu_plan=words.cpu_plan(analysis),
        wall_time=words.wall_time(analysis),
        prediction=words.prediction(analysis),
        trials_done=analysis.trials_done,
    )
