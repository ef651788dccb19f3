"""The command line: ``python -m fastgd``, or ``fastgd``."""

import importlib.util
import sys


def main(arguments=None):
    """Run a command; returns the exit code."""
    try:
        if importlib.util.find_spec("click") is None:
            extra = "demo" if (sys.argv[1:] if arguments is None else arguments)[:1] == ["demo"] else "cli"
            print(f"fastgd: the command line needs click: python -m pip install 'fastgd[{extra}]'", file=sys.stderr)
            return 2
        from .cli.app import app

        return app.main(arguments, standalone_mode=False)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
