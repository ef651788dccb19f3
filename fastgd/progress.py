"""The progress bar that ``verbose`` asks for (tqdm, imported when it is shown)."""


class Bar:
    """A bar over ``total`` epochs or steps; a silent one where ``shown`` is false."""

    def __init__(self, shown, total, unit):
        self.bar = None
        if shown:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                raise ImportError("verbose=1 needs tqdm: python -m pip install 'fastgd[progress]'") from None
            self.bar = tqdm(total=total, unit=unit)

    def update(self, done, loss):
        """Show how far the run is, and the loss there."""
        if self.bar is not None:
            self.bar.update(done - self.bar.n)
            self.bar.set_postfix(loss=f"{loss:.6g}", refresh=False)

    def close(self):
        """Leave the bar as it stands."""
        if self.bar is not None:
            self.bar.close()
