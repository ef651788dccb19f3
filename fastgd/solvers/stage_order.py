"""The stages that a descent goes through: samples of the rows that grow, and all rows."""

from . import gram_stage
from .samples import first_of, rows_of_sample, sample_of, sizes
from .stages import Stage


def stages_of(plan, data):
    """Samples that grow, and all rows, of the plan's data or of those of some columns.

    Where folds or replicates weigh rows there are no samples. Squares are all in their Gram matrix, if it pays.
    """
    if gram_stage.pays(plan, data):
        gram = gram_stage.GramStage(plan, data)
        return [gram] if gram.whole else [gram, Stage(plan, data)]
    n, d = data.rows.shape
    weighed = (plan.lanes.fold >= 0).any() or (plan.lanes.replicate >= 0).any()
    count, a_row = n if plan.rows is None else len(plan.rows), data.rows.stored // n
    stages, sample_sizes = [], [] if weighed else sizes(count, data.classes * (d + 1), 8 * a_row)
    if sample_sizes:
        found = rows_of_sample(count, sample_sizes[-1])
        sample = sample_of(data, found if plan.rows is None else plan.rows[found])
        stages = [Stage(plan, first_of(sample, m), whole=False) for m in sample_sizes]
        stages = [stage for stage in stages if stage.data.count > 0]
    return [*stages, Stage(plan, data, metric_rows=stages[-1].rows if stages else None)]
