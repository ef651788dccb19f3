"""Which columns of a table a command takes, and for what."""

import csv
import difflib
from collections import Counter

from .faults import TableError
from .files import is_number


def chosen_columns(source, target, columns=None, drop=(), of_rows=None):
    """The columns to fit on: those asked for, or all but the target, what is dropped and ``of_rows``.

    ``of_rows`` has the columns that options name for one number a row, {"weight": column}.
    """
    path, names = source.path, source.names
    if len(names) == 1:
        hint = source.one_column_hint() or "a target and at least one other column are needed"
        raise TableError(f"{path} has one column only, {names[0]!r}: {hint}.")
    drop = split_names(drop, names)
    asked = split_names([columns], names) if columns is not None else None
    roles = {"target": target, **(of_rows or {})}
    given = {role: [name] for role, name in roles.items()} | {"drop": drop, "columns": asked or []}
    for option, of_option in given.items():
        if absent := [name for name in of_option if name not in names]:
            raise missing_column(path, names, absent, f" for --{option}")
    twice = [name for name, count in Counter(names).items() if count > 1 and name not in drop]
    if twice:
        raise TableError(f"{path} has more than one column {twice[0]!r}: rename them, or leave them out with --drop.")
    role_of = {}
    for role, name in roles.items():
        if name in role_of:
            raise TableError(f"--{role} {name!r} is the {role_of[name]}.")
        role_of[name] = role
    if asked is None:
        taken = {*role_of, *drop}
        asked = [name for name in names if name not in taken]
        # As pandas has them, which also gives the index of a Parquet file a name.
        if unnamed := [name for name in asked if name.startswith(("Unnamed: ", "__index_level_"))]:
            index = unnamed[0] in ("Unnamed: 0", "__index_level_0__")
            what = "a row index, most likely" if index else "give it one"
            raise TableError(f"{path} has a column without a name ({what}): leave it out with --drop {unnamed[0]!r}.")
    for name, count in Counter(asked).items():
        if name in role_of:
            raise TableError(f"--columns names {name!r}, which is the {role_of[name]}.")
        if count > 1 or name in drop:
            raise TableError(f"--columns names {name!r} {'twice' if count > 1 else 'and --drop leaves it out'}.")
    if target in drop or not asked:
        raise TableError(f"{path}: --drop leaves no {'target' if target in drop else 'column to fit on'}.")
    return asked


def model_columns(source, feature_names, d, offset=None):
    """The columns that a model of ``d`` coefficients needs, in its order; ``offset`` is a column beside them."""
    path, names = source.path, source.names
    if offset is not None and offset not in names:
        raise missing_column(path, names, [offset], " for --offset")
    if feature_names is None:
        names = tuple(name for name in names if name != offset)
        if len(names) != d:
            counts = f"the model has {d} coefficients without names, and {path} has {len(names)} columns"
            raise TableError(f"{counts}: they must be as many.")
        feature_names = names
    if absent := [name for name in feature_names if name not in names]:
        if len(names) == 1 and (hint := source.one_column_hint()):
            raise TableError(f"{path} has one column only, {names[0]!r}: {hint}.")
        raise missing_column(path, names, absent, ", which the model needs")
    if twice := [name for name in feature_names if names.count(name) > 1]:
        raise TableError(f"{path} has more than one column {twice[0]!r}, which the model needs: rename them.")
    return list(feature_names)


def split_names(given, names):
    """Column names from options: each a name, or several with commas in between (quoted where a name has one)."""
    found = []
    for text in given:
        found += [text] if text in names else [name.strip() for name in next(csv.reader([text]), [])]
    return found


def missing_column(path, names, absent, argument):
    """The error for columns that a table lacks, with the nearest name for one."""
    if len(absent) == 1:
        lower = {name.lower(): name for name in names}
        near = difflib.get_close_matches(absent[0].lower(), lower, n=1, cutoff=0.5)
        hint = f" Did you mean {lower[near[0]]!r}?" if near else ""
        text = f"{path} has no column {absent[0]!r}{argument}.{hint}"
    else:
        text = f"{path} has no columns {_shown(absent, 5)}{argument}."
    if all(is_number(name) for name in names):
        return TableError(f"{text} Its first line holds numbers: a header line with the columns' names is needed.")
    return TableError(f"{text} It has {_shown(names, 12)}.")


def _shown(names, most):
    return ", ".join(map(repr, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")
