"""deploy/, made of docker-compose.yml and deploy/templates: python -m iolab.manifests, as `make manifests` does."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from iolab.lab import Lab, find_root
from iolab.live.standing import targets


def files(root: Path) -> dict[Path, str]:
    """Return the text of each file, with the defaults of docker-compose.yml; .env and the environment are ignored."""
    lab = Lab.read_defaults(root)
    context = {
        "models": lab.models,
        "blocks": lab.blocks,
        "targets": targets(lab, lambda model: f"{model.name}:{model.port.container}").split(),
    }
    templates = Environment(
        loader=FileSystemLoader(root / "deploy" / "templates"),
        autoescape=False,  # noqa: S701 (YAML, of the lab's own file)
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    kubernetes, server = root / "deploy" / "kubernetes", templates.get_template("server.yaml.j2")
    made = {
        root / "deploy" / "swarm.yml": "swarm.yml.j2",
        kubernetes / "kustomization.yaml": "kustomization.yaml.j2",
        kubernetes / "locust.yaml": "locust.yaml.j2",
    }
    return {
        **{path: templates.get_template(name).render(context) for path, name in made.items()},
        **{kubernetes / f"{model.name}.yaml": server.render(context, model=model) for model in lab.models},
    }


if __name__ == "__main__":
    for path, text in files(find_root(Path.cwd())).items():
        path.write_text(text, encoding="utf-8")
