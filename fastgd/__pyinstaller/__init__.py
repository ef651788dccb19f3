"""Tells PyInstaller which modules an application with fastgd needs: those that are imported by name."""

from pathlib import Path


def get_hook_dirs():
    """The folder of the hook; pyproject.toml names this function, and PyInstaller calls it."""
    return [str(Path(__file__).parent)]
