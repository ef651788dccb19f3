"""What commands ask of their arguments: a word that is misspelt is an error, not an empty table."""

import argparse


def chosen(names, words):
    """The names with one of the words in them, without words all; a word that no name has ends the program."""
    lost = [word for word in words if not any(word.lower() in name.lower() for name in names)]
    if lost:
        raise SystemExit(f"no name has {' or '.join(map(repr, lost))} in it; there are: {'; '.join(names)}")
    return [name for name in names if not words or any(word.lower() in name.lower() for word in words)]


def positive(text):
    """A whole number that is 1 or more."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return int(text)
