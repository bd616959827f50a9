"""Where the bundles and recordings are that come with the project: in a checkout, or in the installed package."""

from importlib.util import find_spec
from pathlib import Path

from model.errors import BadInput

__all__ = ["bundle_folder", "bundle_names", "recording"]


def _root() -> Path:
    checkout = Path(__file__).parents[1]
    if (checkout / "bundles").is_dir():
        return checkout
    package = find_spec("bgru")
    if package is None or package.origin is None:
        raise BadInput(f"{checkout}: expected the shipped bundles, found none; install the whole project")
    return Path(package.origin).parent


def bundle_names() -> list[str]:
    """Names of the shipped bundles."""
    return sorted(path.parent.name for path in (_root() / "bundles").glob("*/manifest.json"))


def bundle_folder(name: str) -> Path:
    """Folder of a shipped bundle, such as `small`."""
    return _root() / "bundles" / name


def recording(name: str = "noisy.flac") -> Path:
    """A recording of the shipped sample."""
    return _root() / "samples" / name
