"""The public calls ``fit``, ``partial_fit``, ``sweep`` and ``lr_find``: options in, result out."""
