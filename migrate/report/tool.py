"""Which version of tfrevive is at work."""

from __future__ import annotations

from pathlib import Path


def version() -> str:
    """The installed version; in a checkout that is not installed, the one that its pyproject.toml declares; "" where neither is."""
    from importlib import metadata  # takes longer to load than the rest of `tfrevive --help`

    try:
        return metadata.version("tfrevive")
    except metadata.PackageNotFoundError:
        project = Path(__file__).resolve().parents[2] / "pyproject.toml"
        if not project.is_file():
            return ""
        import tomllib

        declared: str = tomllib.loads(project.read_text("utf-8"))["project"]["version"]
        return declared
