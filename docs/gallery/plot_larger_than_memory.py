"""
Rows in files: data larger than memory
======================================

A source says where rows lie, and stands wherever ``X, y`` does. The rows are read block by block,
each time a pass needs them, so the files may be larger than the memory. Here they are the flights
that left New York in 2013, a Parquet file a month: small enough to check that the model is the one
of the rows in memory, to the last bit.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import fastgd
from fastgd.cli.demo import frame

columns = ["dep_delay", "air_time", "distance", "hour", "arr_delay"]
table = frame()[["month", *columns]].dropna().sort_values("month", kind="stable")
folder = tempfile.TemporaryDirectory()
for month, rows in table.groupby("month"):
    rows[columns].to_parquet(Path(folder.name, f"flights-{month:02}.parquet"), index=False)
print(len(list(Path(folder.name).iterdir())), "files with", f"{len(table):,}", "rows")

# %%
# Fit a source
# ------------
# ``sources.csv``, ``npy``, ``svmlight``, ``arrow`` and others are used alike, and ``sweep`` and
# ``lr_find`` take them too.

source = fastgd.sources.parquet(f"{folder.name}/*.parquet", target="arr_delay")
r = fastgd.fit(source)
print(r.status, dict(zip(r.feature_names, r.coef.round(3).tolist(), strict=True)))

in_memory = fastgd.fit(table[columns[:-1]], table["arr_delay"])
print("the same bits as in memory:", np.array_equal(r.coef, in_memory.coef))

# %%
# Predictions come in blocks too
# ------------------------------
# ``predict`` of a source gives an iterator, or writes a file with ``to=``. What is kept of each
# block is up to you. In the early morning and late at night the model is off: a line in the hour
# does not know that nights are different.

predicted = np.concatenate(list(r.predict(source)))
hour = table["hour"].to_numpy(int)
count = np.bincount(hour)
known = np.flatnonzero(count > 100)

figure, ax = plt.subplots()
for k, (delay, words) in enumerate(((table["arr_delay"], "true"), (predicted, "predicted"))):
    mean = np.bincount(hour, delay)[known] / count[known]
    ax.plot(known, mean, ".-", color=f"C{k}")
    ax.text(known[-1], mean[-1], f"  {words}", color=f"C{k}", va="center")
ax.set(xlabel="hour of the planned departure", ylabel="mean delay at arrival (minutes)")
ax.set(xticks=known[1::3], title="Delays grow through the day")
plt.show()
folder.cleanup()
