"""The command line: ``python -m fastgd demo``."""

import argparse
import sys


def main(arguments=None):
    """Run a command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="fastgd", description="Gradient descent at memory speed.")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="fit 327,346 real flights, print a table, save a picture")
    demo.add_argument("--picture", default="fastgd_demo.png", help="where to save the loss curves (a PNG file)")
    given = parser.parse_args(arguments)
    try:
        from . import demo

        demo.main(given.picture)
    except (ImportError, OSError) as error:
        print(f"fastgd {given.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
