"""The fixtures of formulas that are no merging methods: DAREx-q's divisor, AdamR's step, ZSCL's losses."""

from __future__ import annotations

import re

from solera.methods import anchoring
from solera.methods.darex import darex_q as optimal_q
from solera.testing.goldens import Case, Made, Methods, Tensors, Unsupported


def darex_q(case: Case, methods: Methods) -> Made:
    """DAREx-q as released, in half precision: the divisor of every output, and their mean."""
    del methods
    hyper, loose = case.hyper, case.inputs.get("", {})
    if "mean_activation" not in loose:
        raise Unsupported(f"a call of the form {sorted(hyper)}")
    bias = loose["bias_delta"] if hyper.get("bias_included") else None
    found = optimal_q(
        loose["delta"], loose["mean_activation"], 1 - float(hyper["p"]), bias=bias, eta=float(hyper["eta"]),
        confidence=float(hyper.get("gamma_prob", 0.95)), compat="authors", settled=float(hyper.get("stop_iter", 0.8)),
    )  # fmt: skip
    return Made({"": {"q_per_row": found.unsqueeze(1), "q_mean": found.mean()}})


def adamr(case: Case, methods: Methods) -> Made:
    """AdamR: the weights after each step on given gradients."""
    del methods
    hyper, loose = case.hyper, case.inputs.get("", {})
    tensors = sorted(name for name in loose if re.fullmatch(r"start\d+", name))
    steps = 1 + max((int(found[1]) for name in loose if (found := re.fullmatch(r"grad(\d+)_0", name))), default=-1)
    if not tensors or not steps:
        raise Unsupported(f"a call of the form {sorted(hyper)}")
    first, second = hyper.get("betas", (0.9, 0.999))
    optimiser = anchoring.AdamR(
        [loose[f"pre{i}"] for i in range(len(tensors))], rate=float(hyper["lr"]), decay=float(hyper["weight_decay"]),
        betas=(float(first), float(second)), epsilon=float(hyper["eps"]), norm=1 if hyper.get("L1") else 2,
        largest=bool(hyper.get("amsgrad")),
    )  # fmt: skip
    weights = [loose[f"start{i}"] for i in range(len(tensors))]
    made: Tensors = {}
    for step in range(steps):
        weights = optimiser.step(weights, [loose[f"grad{step}_{i}"] for i in range(len(tensors))])
        made |= {f"step{step + 1}_{i}": weight for i, weight in enumerate(weights)}
    return Made({"": made})


def zscl_losses(case: Case) -> Made:
    """ZSCL's losses on given logits and weights; ``distill_T2_transposed`` says the temperature and the axis."""
    loose = case.inputs.get("", {})
    if "student_logits" not in loose or not case.models:
        raise Unsupported(f"a call of the form {sorted(case.hyper)}")
    student, teacher = loose["student_logits"], loose["teacher_logits"]
    made: Tensors = {"l2_consolidation": anchoring.consolidation(case.models[0], case.base)}
    for name in case.outputs.get("", {}):
        if found := re.fullmatch(r"distill_T([\d.]+)(_transposed)?", name):
            pair = (student.T, teacher.T) if found[2] else (student, teacher)
            made[name] = anchoring.distillation(*pair, temperature=float(found[1]))
    return Made({"": made})
