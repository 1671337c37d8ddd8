"""Cases of the fixtures' forms with other numbers: made by slow twins of the sources, run as `solera verify` would."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from solera.extend.registry import Registry
from solera.testing.golden_methods import RUNNERS
from solera.testing.goldens import Case, compare

METHODS = Registry.discover().methods
SHAPES = {"a.0.weight": (7, 5), "a.1.bias": (9,), "conv": (3, 2, 3, 3), "one": (1,), "z": (4, 3)}


def drawn(seed, count, dtype=torch.float32, shapes=SHAPES):
    """A base and models, multiples of 2^-16, so that differences and sums are exact."""
    numbers = torch.Generator().manual_seed(seed)
    made = [
        {n: torch.randint(-(2**15), 2**15, s, generator=numbers).float() / 2**16 for n, s in shapes.items()}
        for _ in range(count + 1)
    ]
    return [{n: t.to(dtype) for n, t in model.items()} for model in made]


def case_of(method, hyper, base, models, outputs, called="", **facts):
    inputs = {"base": base} | {f"m{i}": model for i, model in enumerate(models)}
    return Case(f"{method}/made", method, {"hyper": hyper, "called": called, **facts}, inputs, outputs)


def passes(case):
    result = compare(case, RUNNERS[case.method](case, METHODS))
    assert result.outcome == "passed", result.note
    assert result.tolerance == "1e-06 + 1e-05 |x|"


def flat(model):
    return torch.cat([model[name].reshape(-1) for name in sorted(model)])


def unflat(vector, like):
    made, start = {}, 0
    for name in sorted(like):
        made[name] = vector[start : start + like[name].numel()].view(like[name].shape)
        start += like[name].numel()
    return made


# --- TIES as released: one long vector a model


def trimmed_as_released(rows, kind, threshold):
    count = rows.shape[1]
    if kind == "none":
        return rows
    if kind == "topk":
        share = threshold / 100 if threshold > 1 else threshold
        least = rows.abs().sort(dim=1).values[:, count - int(count * share) - 1]
        return rows * (rows.abs() >= least.unsqueeze(1))
    if kind == "std":
        return rows * ((rows - rows.mean(1, keepdim=True)).abs() > threshold * rows.std(1, keepdim=True))
    made = torch.zeros_like(rows)
    for i, row in enumerate(rows):
        order, total = row.abs().argsort(descending=True, stable=True).tolist(), 0.0
        made[i, -1] = row[-1]  # the place that unused indices point to
        for j in order:
            made[i, j] = row[j]
            total += float(row[j]) ** 2
            if total >= threshold * float(row.double().square().sum()) - 1e-12:
                break
    return made


def signs_as_released(rows, how):
    if how == "none":
        return None
    norms = rows.square() / rows.norm(dim=1, keepdim=True) ** 2
    signs = rows.sum(0).sign()
    if how == "normfrac":
        signs = rows.gather(0, norms.argmax(0, keepdim=True))[0].sign()
    elif how == "normmass":
        signs = (rows.sign() * norms).sum(0).sign()
    return torch.where(signs == 0, signs.sum().sign(), signs)


def merged_as_released(rows, function, signs):
    kind = function.split("-")[-1]
    if function.startswith("dis"):
        kept = rows * (rows != 0) if signs is None else rows * torch.where(signs > 0, rows > 0, rows < 0)
        if kind == "mean":
            return kept.sum(0) / (kept != 0).sum(0).clamp_min(1)
        return kept.sum(0) if kind == "sum" else kept.abs().max(0).values * signs
    made = {
        "mean": lambda: rows.mean(0),
        "sum": lambda: rows.sum(0),
        "magnitude": lambda: rows.gather(0, rows.abs().argmax(0, keepdim=True))[0],
    }[kind]()
    return made if signs is None else made.abs() * signs


TRIMS = [("topk", 35), ("topk", 0.07), ("nf", 0.7), ("std", 1.2), ("topk", "none")]
ELECTS = ["mass", "normfrac", "normmass", "none"]
MERGES = ["dis-mean", "dis-sum", "dis-max", "mean", "sum", "magnitude"]


@pytest.mark.parametrize(("trim", "elect"), list(itertools.product(TRIMS, ELECTS)), ids=str)
def test_ties_as_released(trim, elect):
    kind, threshold = trim
    merges = MERGES if elect == "mass" else ["dis-mean", "dis-max", "magnitude"]
    for count, function in [(3, merge) for merge in merges] + [(1, "dis-mean")]:
        if elect == "none" and function == "dis-max":
            continue  # the source multiplies by no sign
        base, *models = drawn(count, count)
        rows = torch.stack([flat(model) - flat(base) for model in models])
        kept = trimmed_as_released(rows, "none" if threshold == "none" else kind, threshold)
        vector = merged_as_released(kept, function, signs_as_released(kept, elect))
        outputs = {"merged_tv": unflat(vector, base), "merged": unflat(flat(base) + 0.7 * vector, base)}
        hyper = {
            "reset_type": kind, "reset_thresh": threshold, "resolve_method": elect, "merge_func": function, "lam": 0.7,
        }  # fmt: skip
        passes(case_of("ties", hyper, base, models, outputs))


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.62, 0.9])
def test_ties_of_mergelm(rate):
    base, *models = drawn(3, 3)
    for patterns in (None, [".*bias", "conv"]):
        left = {n: t for n, t in base.items() if not (patterns and (n.endswith("bias") or n.startswith("conv")))}
        rows = torch.stack([flat({n: model[n] - base[n] for n in left}) for model in models])
        least = rows.abs().sort(dim=1).values[:, int(rows.shape[1] * rate) - 1]
        kept = rows * (rows.abs() >= least.unsqueeze(1))
        signs = kept.sum(0).sign()
        signs = torch.where(signs == 0, signs.sum().sign(), signs)
        agree = kept * torch.where(signs > 0, kept > 0, (kept < 0) & (signs < 0))
        vector = agree.sum(0) / (agree != 0).sum(0).clamp_min(1)
        outputs = {"merged": unflat(flat(left) + 0.4 * vector, left)}
        hyper = {"param_value_mask_rate": rate, "scaling_coefficient": 0.4, "exclude_param_names_regex": patterns}
        passes(case_of("ties", hyper, base, models, outputs))


# --- mergekit's generalised task arithmetic: tensor by tensor


def rescaled_as_mergekit(delta, mask, norm):
    kept = delta * mask
    size = {
        None: lambda _: torch.tensor(1.0), "l1": lambda x: x.abs().sum(), "l2": lambda x: x.norm(),
        "linf": lambda x: x.abs().max(),
    }[norm]  # fmt: skip
    return kept * (size(delta) / size(kept)) if float(size(kept)) > 1e-7 else kept


def mask_as_mergekit(method, delta, row, numbers):
    density, numel = row["density"], delta.numel()
    size = delta.abs().reshape(-1)
    if density >= 1:
        return torch.ones_like(delta)
    if method.startswith("ties"):
        mask = torch.zeros(numel)
        mask[size.argsort(descending=True)[: max(int(density * numel), 1)]] = 1
    elif method.startswith("breadcrumbs"):
        top, target = int(row["gamma"] * numel), int(density * numel)
        bottom = numel - target - top
        top, bottom = (top + bottom, 0) if bottom < 0 else (top, bottom)
        mask = torch.zeros(numel)
        mask[size.argsort()[bottom:-top] if top else size.argsort()[:0]] = 1
    elif method.startswith("della"):
        lines = delta.abs() if delta.dim() > 1 else delta.abs().unsqueeze(0)
        ranks = lines.argsort(1).argsort(1).float()
        chance = density - row["epsilon"] + 2 * row["epsilon"] * ranks / max(lines.shape[1] - 1, 1)
        chance = chance if lines.shape[1] > 1 else torch.full_like(chance, density)
        mask = torch.bernoulli(chance, generator=numbers)
    else:
        mask = torch.bernoulli(torch.full((numel,), density), generator=numbers)
    return mask.view(delta.shape)


KINDS = [
    "ties", "task_arithmetic", "dare_linear", "dare_ties", "breadcrumbs", "breadcrumbs_ties", "della", "della_linear",
]  # fmt: skip
SHARES = [(0.5, 0.3, 0.8), (1.0, -0.5, 0.25), (0.3, 0.3, 0.3)]


@pytest.mark.parametrize("norm", [None, "l1", "l2", "linf"])
@pytest.mark.parametrize("method", KINDS)
def test_generalised_task_arithmetic(method, norm):
    for normalize, weights, scale in ((False, SHARES[0], 1.0), (True, SHARES[1], 0.6), (True, SHARES[2], 1.0)):
        base, *models = drawn(11, 3)
        numbers = torch.Generator().manual_seed(5)
        rows = [{"weight": w, "density": d, "gamma": 0.1, "epsilon": 0.1} for w, d in zip(weights, (0.6, 0.4, 1.0))]
        merged: dict[str, torch.Tensor] = {}
        masks: list[dict[str, torch.Tensor]] = [{} for _ in models]
        for name in base:
            parts = []
            for i, row in enumerate(rows):
                delta = models[i][name] - base[name]
                mask = torch.ones_like(delta)
                if method != "task_arithmetic":
                    mask = mask_as_mergekit(method, delta, row, numbers)
                masks[i][name] = mask.to(torch.uint8)
                parts.append(row["weight"] * rescaled_as_mergekit(delta, mask, norm if row["density"] < 1 else None))
            stacked = torch.stack(parts)
            agree, least = torch.ones_like(stacked), 1e-8
            if method.endswith("ties") or method == "della":
                signs = torch.where(stacked.sum(0) >= 0, 1.0, -1.0)
                agree, least = (stacked.sign() == signs).float(), 0.0
            total = (stacked * agree).sum(0)
            if normalize:
                shares = torch.tensor(weights).view(-1, *[1] * base[name].dim()) * agree
                below = shares.sum(0)
                total = total / torch.where(below.abs() <= least, 1.0, below)
            merged[name] = base[name] + scale * total
        outputs = {"merged": merged}
        if method.startswith(("dare", "della")):
            outputs |= {f"keepmask_m{i}": mask for i, mask in enumerate(masks)}
        hyper = {
            "method": method, "lambda": scale, "normalize": normalize, "rescale": norm is not None,
            "rescale_norm": norm, "int8_mask": False, "seed_per_tensor": None, "tensor_parameters": rows,
        }  # fmt: skip
        passes(case_of(method.split("_")[0] if method != KINDS[1] else method, hyper, base, models, outputs))


@pytest.mark.parametrize("norm", [None, "l1", "RescaleNorm.l2", "linf"])
@pytest.mark.parametrize(
    ("function", "method"),
    [("bernoulli", "dare"), ("della_magprune", "della"), ("magnitude_outliers", "breadcrumbs"), ("magnitude", "ties")],
)
def test_one_vector_thinned_out_by_mergekit(function, method, norm):
    (delta,) = drawn(17, 0)
    for density in (0.3, 0.9, 1.0):
        row = {"density": density, "gamma": 0.05, "epsilon": 0.05}
        numbers = torch.Generator().manual_seed(2)
        masks = {name: mask_as_mergekit(method, tensor, row, numbers) for name, tensor in delta.items()}
        if method == "breadcrumbs" and density < 1:  # of 0.1.5, where no outliers means none are taken off
            for name, tensor in delta.items():
                count, top = int(density * tensor.numel()), int(0.05 * tensor.numel())
                top = min(top, tensor.numel() - count)
                order = tensor.abs().reshape(-1).argsort(descending=True)[top : top + count]
                masks[name] = torch.zeros(tensor.numel()).index_fill_(0, order, 1.0).view(tensor.shape)
        plain = norm and norm.rpartition(".")[2]
        made = {n: rescaled_as_mergekit(t, masks[n], plain if density < 1 else None) for n, t in delta.items()}
        hyper = {"density": str(density), "rescale_norm": norm, "gamma": "0.05", "epsilon": "0.05"}
        outputs = {"sparsified": made} | ({"keepmask": masks} if method in {"dare", "della"} else {})
        facts = {"hyper": hyper, "called": function, "source_version": "0.1.5"}
        passes(Case(f"{method}/made", method, facts, {"delta": delta}, outputs))


# --- DARE of MergeLM


@pytest.mark.parametrize("strategy", ["random", "magnitude"])
@pytest.mark.parametrize("combine", ["average", "task_arithmetic", "ties", None])
def test_dare_of_mergelm(combine, strategy):
    shapes = {name: shape for name, shape in SHAPES.items() if name != "one"}
    for whole, rescale, rate in ((False, True, 0.0), (False, True, 0.35), (True, False, 0.9), (False, True, 1.0)):
        if strategy == "magnitude" and rate == 0.0:
            continue  # the source fails
        base, *models = drawn(23, 4, shapes=shapes)
        numbers = torch.Generator().manual_seed(9)
        masked, masks = [], []
        for model in models:
            deltas = {n: t if whole else t - base[n] for n, t in model.items()}
            if strategy == "random":
                keep = {n: torch.bernoulli(torch.full(t.shape, 1 - rate), generator=numbers) for n, t in deltas.items()}
            else:
                keep = {
                    n: (t.abs() > t.abs().reshape(-1).sort().values[int(t.numel() * rate) - 1]).float()
                    for n, t in deltas.items()
                }
            by = 1 / (1 - rate) if rescale and rate < 1 else 1.0
            masks.append({n: t.to(torch.uint8) for n, t in keep.items()})
            masked.append({n: (0 if whole else base[n]) + t * keep[n] * by for n, t in deltas.items()})
        origin = {n: torch.zeros_like(t) for n, t in base.items()} if whole else base
        changes = torch.stack([flat(model) - flat(origin) for model in masked])
        if combine == "ties":
            least = changes.abs().sort(dim=1).values[:, int(changes.shape[1] * 0.5) - 1].unsqueeze(1)
            kept = changes * (changes.abs() >= least)
            signs = kept.sum(0).sign()
            signs = torch.where(signs == 0, signs.sum().sign(), signs)
            kept = kept * torch.where(signs > 0, kept > 0, (kept < 0) & (signs < 0))
            changes = 0.5 * kept.sum(0, keepdim=True) / (kept != 0).sum(0).clamp_min(1)
        total = {None: 0, "average": changes.mean(0), "task_arithmetic": 0.5 * changes.sum(0), "ties": changes[0]}
        outputs = {f"masked_m{i}": model for i, model in enumerate(masked)}
        outputs |= {f"keepmask_m{i}": mask for i, mask in enumerate(masks)}
        if combine:
            outputs["merged"] = unflat(flat(origin) + total[combine], base)
        hyper = {
            "mask_rate": rate, "mask_strategy": strategy, "use_rescale": rescale, "combine": combine,
            "weight_format": "finetuned_weight" if whole else "delta_weight", "scaling_coefficient": 0.5,
            "ties_param_value_mask_rate": 0.5,
        }  # fmt: skip
        passes(case_of("dare", hyper, base, models, outputs))


# --- others


@pytest.mark.parametrize("p", [0.5, 0.3, 0.8, 0.995])
def test_darex_q_as_released(p):
    numbers = torch.Generator().manual_seed(1)
    delta, mean = torch.randn(6, 8, generator=numbers), torch.rand(8, generator=numbers)
    bias = torch.randn(6, generator=numbers)
    for settled, eta in ((0.8, 0.45), (0.5, 3.0)):
        c = torch.cat([(delta * mean).half(), bias.unsqueeze(1).half()], 1)
        found, best, stop = torch.full((6,), 1 - p), torch.full((6,), 1e4, dtype=torch.half), torch.zeros(6)
        phi = math.nan if p == 0.5 else (1 - 2 * p) / math.log((1 - p) / p)
        for step in range(int((1 - p) * 1000), 999):
            q = step * 0.001
            spread = eta**2 * phi * (c**2).sum(1) / (4 * q**2) + math.log(2 / 0.05)
            bound = (eta * ((1 - (1 - p) / q) * c.sum(1)) + spread).abs()
            stop[bound >= best] = 1
            found[bound <= best] = q
            best = torch.where(bound <= best, bound, best)
            if stop.mean() >= settled:
                break
        hyper = {"p": p, "eta": eta, "gamma_prob": 0.95, "stop_iter": settled, "bias_included": True}
        loose = {"delta": delta, "mean_activation": mean, "bias_delta": bias}
        outputs = {"": {"q_per_row": found.unsqueeze(1), "q_mean": found.mean()}}
        passes(Case("darex_q/made", "darex_q", {"hyper": hyper}, {"": loose}, outputs))


def test_what_a_case_asks_for_and_we_cannot_read_fails_by_itself(tmp_path):
    from safetensors.torch import save_file

    from solera.testing.goldens import verify

    base, *models = drawn(1, 2)
    tensors = {f"in.m{i}/{n}": t for i, model in enumerate([*models]) for n, t in model.items()}
    save_file(tensors | {f"in.base/{n}": t for n, t in base.items()}, tmp_path / "odd.safetensors")
    (tmp_path / "odd.json").write_text('{"method": "breadcrumbs", "hyper": {"top_k_keep": 0.2}}')
    (result,) = verify(tmp_path, METHODS)
    assert (result.outcome, result.note) == ("failed", "KeyError: 'top_k_remove'")
