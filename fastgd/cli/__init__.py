"""The command line ``python -m fastgd``: what needs click, pandas and pyarrow (extra: ``fastgd[cli]``)."""
