"""The templates of pages that need nothing else: one file each, and no network."""

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


def template(name: str) -> Template:
    """Return a template of report/templates; what it is not given is an error, and text is escaped."""
    templates = Environment(
        loader=PackageLoader("iolab.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template(name)
