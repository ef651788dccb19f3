"""What is to be run: lanes of models, and the rates of their steps."""

import numpy as np
from conftest import PROBLEMS, plan_of

from fastgd.parts.schedules import Constant, InverseScaling, rates
from fastgd.solvers.plan import lanes_at, rate_table

X, Y = PROBLEMS["plain"].X, PROBLEMS["plain"].y
TARGETS = np.column_stack([Y, 2 * Y, -Y])


def test_a_model_has_a_lane_for_each_target():
    plan = plan_of(X, TARGETS, learning_rate=0.1)
    assert (len(plan.models), plan.width) == (1, 3)
    np.testing.assert_array_equal(plan.lanes.target, [0, 1, 2])
    assert plan.data.targets.shape == (3, 80)


def test_the_lanes_of_some_models_are_copies():
    plan = plan_of(X, np.column_stack([Y] * 4), learning_rate=0.1)
    lanes = plan.lanes._replace(weights=np.arange(16.0).reshape(4, 4))
    some = lanes_at(lanes, [1], 2)  # as if of two models with two lanes each
    np.testing.assert_array_equal(some.weights, lanes.weights[2:])
    np.testing.assert_array_equal(lanes_at(lanes, [1, 0], 2).weights, lanes.weights[[2, 3, 0, 1]])
    some.weights[:] = 0
    assert lanes.weights[3, 3] == 15
    assert len(lanes_at(lanes, [], 2).weights) == 0
    assert all(array.flags.c_contiguous for array in some)


def test_rates_are_each_models_and_each_lanes_own():
    plan = plan_of(X, np.column_stack([Y, Y]), learning_rate=0.1)
    (model,) = plan.models
    models = [
        model.__class__(**{**vars(model), "schedule": schedule, "rate_multiplier": np.array(pace)})
        for schedule, pace in ((Constant(0.1), [1.0, 1.0]), (InverseScaling(0.2, 0.5), [1.0, 3.0]))
    ]
    table = rate_table(models, [1.0, 0.5], 2, 4, 3)
    falling = rates(models[1].schedule, 4, 3, 0.5)
    np.testing.assert_array_equal(table, np.column_stack([np.full((3, 2), 0.1), falling, 3 * falling]))
