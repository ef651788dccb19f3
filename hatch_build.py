"""README as a package index shows it: its links are to the repository, whose address is one setting in pyproject.toml.

A link that starts at the repository's root leads nowhere on an index. While there is no address, the words of a link
stay without it, and pictures are left out.
"""

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)")


def for_index(root, repository):
    """README with absolute links to files and pictures of the repository, or without these."""

    def link(found):
        picture, words, path = found.groups()
        if not (Path(root) / path.partition("#")[0]).exists():  # code, such as parts[k](x)
            return found[0]
        if not repository:
            return "" if picture else words
        return f"{picture}[{words}]({repository.rstrip('/')}/{'raw' if picture else 'blob'}/main/{path})"

    return LINK.sub(link, (Path(root) / "README.md").read_text(encoding="utf-8"))


class CustomMetadataHook(MetadataHookInterface):
    """Gives the metadata ``readme`` and ``urls``."""

    def update(self, metadata):
        """Set them, of README.md and the setting ``repository``."""
        repository = self.config["repository"]
        metadata["readme"] = {"content-type": "text/markdown", "text": for_index(self.root, repository)}
        changes = f"{repository}/blob/main/CHANGELOG.md"
        metadata["urls"] = {"Repository": repository, "Changelog": changes} if repository else {}
