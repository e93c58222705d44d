"""The one function of setuptools' former pkg_resources that face-recognition-models calls."""

from importlib.resources import files


def resource_filename(package, name):
    """The path of a file of a package."""
    return str(files(package).joinpath(name))
