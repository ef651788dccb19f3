"""The names that other libraries have for options, for parts and their fields, for errors that say what was meant."""

# What is meant, of which a call may have some, and the other names, in lower case with underscores.
_NAMES = {
    # Options
    "learning_rate initial": "lr eta eta0 step_size stepsize learning_rate_init",
    "learning_rate": "scheduler lr_scheduler lr_schedule schedule",
    "alpha": "c reg lam lamb lambda lambda_ lamda lmbda regularization weight_decay",
    "alpha l1_ratio": "reg_lambda reg_alpha l2_regularization ridge lasso penalty l1 l2",
    "l1_ratio": "elasticnet_param l1_wt l1_weight",
    "penalty_factor": "penalty_weight penalty_weights p1 p2",
    "bounds": "constraints lower upper lower_bounds upper_bounds positive",
    "optimizer": "solver method algorithm optim optimiser",
    "loss": "criterion objective family loss_function loss_fn",
    "epochs max_iter": (
        "maxiter max_iterations iterations iters n_iter num_iter n_iterations num_iterations niter nit"
    ),
    "epochs": "max_iter n_epochs num_epochs nb_epoch max_epochs epoch",
    "num max_steps max_iter": "num_steps n_steps steps",
    "tol epsilon": "eps gtol ftol xtol tolerance rtol atol",
    "patience": "early_stopping n_iter_no_change early_stopping_rounds",
    "validation": "validation_fraction validation_split validation_data eval_set val",
    "batch_size": "batch batchsize minibatch minibatch_size mini_batch_size bs",
    "random_state": "seed rng random_seed generator",
    "n_threads": "n_jobs threads num_threads n_thread nthreads n_workers nthread",
    "sample_weight weight": "weights sample_weights freq_weights wt",
    "offset": "exposure base_margin",
    "standardize": "scale normalize standardise scaling center centre",
    "fit_intercept": "intercept bias fit_bias add_constant add_intercept",
    "callback": "callbacks hook on_epoch_end",
    "verbose": "verbosity disp progress show_progress",
    "start": "warm_start coef_init init x_init start_params",
    "bootstrap": "n_boot n_bootstrap replicates",
    "cv": "folds n_folds n_splits kfold",
    "scoring": "metric metrics scorer",
    "clip_norm": "clip clipnorm grad_clip max_grad_norm clip_grad_norm max_norm",
    "grad jac": "gradient fprime derivative",
    "data": "args",
    "compile": "njit numba jit",
    "engine": "device",
    # Of scikit-learn's classes
    "max_iter": "epochs",
    "n_jobs": "n_threads",
    "n_iter_no_change": "patience",
    "early_stopping validation_fraction": "validation",
    "num": "n_stop num_it",
    "start least": "start_lr min_lr",
    "stop peak": "end_lr max_lr",
    # Fields of parts and arguments of sources and engines
    "optimizer beta": "momentum",
    "beta1 beta2": "betas beta",
    "epsilon": "delta",
    "delta": "epsilon",
    "quantile decay": "alpha level",
    "decay": "rho",
    "rho weight_decay": "decay",
    "beta1": "b1 beta_1",
    "beta2": "b2 beta_2",
    "beta": "mu",
    "centred": "centered",
    "power": "var_power variance_power power_t",
    "factor decay": "gamma decay_rate drop",
    "period": "t_max t_0 warmup_steps warmup_epochs decay_steps",
    "growth final": "t_mult eta_min",
    "share start": "pct_start div_factor",
    "paths folder X": "path file filename files",
    "target classes": "label labels y",
    "features names": "columns usecols",
    "delimiter": "sep delim",
    "client": "cluster scheduler_address",
    # Losses
    "quantile": "tau q pinball quantile_loss quantreg",
    "absolute_error": "mae l1 l1_loss l1loss lad laplace median mean_absolute_error",
    "log_loss multinomial": "logistic log cross_entropy crossentropy crossentropyloss nll logloss",
    "log_loss": "bce binomial bernoulli logit binary_crossentropy bcewithlogitsloss binary",
    "squared_error": "l2 ls ols least_squares squared_loss gaussian normal",
    "squared_error mse": "rmse root_mean_squared_error",
    "mse": "mean_squared_error mse_loss mseloss",
    "huber": "smooth_l1 smoothl1loss huber_loss huberloss pseudo_huber",
    "epsilon_insensitive": "svr",
    "multinomial": "softmax categorical_crossentropy multiclass categorical",
    "hinge": "svm svc hinge_loss",
    "squared_hinge": "l2_svm",
    "poisson": "count negative_binomial",
    # Optimizers
    "newton": (
        "quasi_newton bfgs lbfgs l_bfgs l_bfgs_b lbfgsb l_bfgsb newton_cg newton_cholesky newton_raphson irls "
        "trust_ncg liblinear interior_point cd coordinate_descent trust_constr cg nelder_mead powell slsqp"
    ),
    "newton sgd": "sag saga svrg",
    "sgd": "gd gradient_descent bgd vanilla",
    "nesterov": "nag nesterov_momentum",
    "momentum": "heavy_ball polyak",
    "adamw": "adam_w",
    # Schedules
    "cosine": "cosine_annealing cosine_annealing_lr cosine_decay sgdr",
    "plateau": "reducelronplateau reduce_on_plateau reduce_lr_on_plateau adaptive",
    "exponential": "exponential_decay exponential_lr exp",
    "step": "step_lr step_decay multistep piecewise",
    "inverse_scaling": "invscaling inverse inverse_time_decay inverse_sqrt",
    "polynomial": "linear linear_decay polynomial_decay poly",
    "one_cycle": "onecycle one_cycle_lr 1cycle",
    "warmup": "linear_warmup",
    "constant": "fixed",
}
ALIASES = {}
for _meant, _others in _NAMES.items():
    for _other in _others.split():
        ALIASES[_other] = (*ALIASES.get(_other, ()), *_meant.split())

# What is given to fits as an option and is none: where it goes.
ELSEWHERE_IN_FITS = {
    "target": "Pass the targets as y: fit(frame.drop(columns=name), frame[name]).",
    "dtype": 'The numbers keep their type: pass X.astype("float32").',
    "delta": "It is a field of a loss: pass loss=fastgd.losses.Huber(delta=2.0).",
    **dict.fromkeys(
        ("quantile", "tau", "q"), "It is a field of a loss: pass loss=fastgd.losses.Quantile(quantile=0.9)."
    ),
    "power": "It is a field of a loss: pass loss=fastgd.losses.Tweedie(power=1.5).",
    **dict.fromkeys(
        ("beta1", "beta2", "betas"), "It is a field of an optimizer: pass optimizer=fastgd.optimizers.Adam(beta1=0.8)."
    ),
}

# Methods of second order: they are for functions of a model, so that of a user's own another library has them.
SECOND_ORDER = {name for name, meant in ALIASES.items() if "newton" in meant} - {"sag", "saga", "svrg"} | {"newton"}
ELSEWHERE = " minimize takes steps of first order alone: for others use scipy.optimize.minimize(fun, x0, jac=grad)."
