"""Configurations that mergekit and we are given alike, and the small models they are about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from solera.testing.tiny_llama import WORDS, write_tiny_llama

if TYPE_CHECKING:
    from torch import Tensor

_THREE = "models: [{model: a, parameters: {weight: 0.5%s}}, {model: b, parameters: {weight: 0.3%s}}, {model: c, %s}]"
_WEIGHTED = "base_model: base\n" + _THREE % (", density: 0.6", ", density: 0.4", "parameters: {weight: 0.7}")
_WHOLE = "base_model: base\n" + _THREE % ("", "", "parameters: {weight: 0.7}")
_BARE = "base_model: base\nmodels: [{model: a}, {model: b}, {model: c}]"
_PAIR = "models: [{model: a, parameters: {weight: 0.5}}, {model: b, parameters: {weight: 0.2}}]"
_WORDY = (
    "base_model: base\nmodels: [{model: wordy, parameters: {weight: 0.5}}, {model: other, parameters: {weight: 0.3}}]"
)

#: Name -> the configuration without dtype. Random masks are left out (density 1), for no two programs draw alike.
CASES: dict[str, str] = {
    "linear": f"{_THREE % ('', '', 'parameters: {weight: 0.4}')}\nmerge_method: linear",
    "linear_with_base": (
        "base_model: base\nmodels: [{model: base, parameters: {weight: 1}}, "
        "{model: b, parameters: {weight: [0.2, 0.4, 0.2]}}]\nmerge_method: linear\nparameters: {normalize: false}"
    ),
    "slerp_by_filter": """
slices:
  - sources: [{model: a, layer_range: [0, 3]}, {model: b, layer_range: [0, 3]}]
merge_method: slerp
base_model: a
parameters:
  t:
    - {filter: self_attn, value: [0, 0.5, 0.3, 0.7, 1]}
    - {filter: mlp, value: [1, 0.5, 0.7, 0.3, 0]}
    - value: 0.5
""",
    "slerp_gradient": (
        "base_model: a\nmodels: [{model: b}]\nmerge_method: slerp\nparameters: {t: [0.1, 0.9]}\ncompat: mergekit"
    ),
    "nuslerp": f"{_PAIR}\nmerge_method: nuslerp",
    "nuslerp_rows": f"base_model: base\n{_PAIR}\nmerge_method: nuslerp\nparameters: {{nuslerp_flatten: false}}",
    "nuslerp_columns": (
        f"{_PAIR}\nmerge_method: nuslerp\nparameters: {{nuslerp_flatten: false, nuslerp_row_wise: true}}"
    ),
    "multislerp": f"{_WHOLE}\nmerge_method: multislerp",
    "karcher": "models: [{model: a}, {model: b}, {model: c}]\nmerge_method: karcher",
    "task_arithmetic": f"{_WHOLE}\nmerge_method: task_arithmetic\nparameters: {{lambda: 0.8, normalize: true}}",
    "ties": f"{_WEIGHTED}\nmerge_method: ties",
    "ties_sum": (
        f"{_WEIGHTED}\nmerge_method: ties\n"
        "parameters: {normalize: false, rescale: true, lambda: 1.2, int8_mask: true}"
    ),
    "dare_ties": f"{_WHOLE}\nmerge_method: dare_ties",
    "dare_linear": f"{_WHOLE}\nmerge_method: dare_linear",
    "breadcrumbs": f"{_WEIGHTED}\nmerge_method: breadcrumbs\nparameters: {{gamma: 0.05}}",
    "breadcrumbs_ties": f"{_WEIGHTED}\nmerge_method: breadcrumbs_ties\nparameters: {{gamma: 0.05, rescale: true}}",
    "della": f"{_WHOLE}\nmerge_method: della",
    "della_linear": f"{_WHOLE}\nmerge_method: della_linear",
    "sce": f"{_BARE}\nmerge_method: sce\nparameters: {{select_topk: 0.5}}\ncompat: mergekit",
    "ram": f"{_BARE}\nmerge_method: ram\nparameters: {{epsilon: 0.001}}",
    "ramplus_tl": f"{_BARE}\nmerge_method: ramplus_tl\nparameters: {{epsilon: 0.001}}",
    "model_stock": f"{_BARE}\nmerge_method: model_stock",
    "model_stock_rows": f"{_BARE}\nmerge_method: model_stock\nparameters: {{filter_wise: true}}\ncompat: mergekit",
    "nearswap": "base_model: base\nmodels: [{model: a}]\nmerge_method: nearswap\nparameters: {t: 0.001}",
    "arcee_fusion": "base_model: base\nmodels: [{model: a}]\nmerge_method: arcee_fusion\ncompat: mergekit",
    "passthrough": """
slices:
  - sources: [{model: a, layer_range: [0, 2]}]
  - sources: [{model: b, layer_range: [1, 3]}]
merge_method: passthrough
""",
    "passthrough_scaled": """
slices:
  - sources: [{model: a, layer_range: [0, 2]}]
  - sources:
      - model: b
        layer_range: [1, 3]
        parameters: {scale: [{filter: o_proj, value: 0.0}, {filter: down_proj, value: 0.0}, {value: 1.0}]}
merge_method: passthrough
""",
    "slices_of_different_models": """
slices:
  - sources:
      - {model: base, layer_range: [0, 2]}
      - {model: a, layer_range: [0, 2], parameters: {weight: 0.5}}
      - {model: b, layer_range: [0, 2], parameters: {weight: [0.2, 0.6]}}
  - sources:
      - {model: base, layer_range: [1, 3]}
      - {model: c, layer_range: [1, 3]}
      - {model: a, layer_range: [0, 2]}
    parameters: {weight: 0.4}
merge_method: ties
base_model: base
parameters: {density: 0.7}
compat: mergekit
""",
    "modules": f"modules: {{default: {{{_PAIR}}}}}\nmerge_method: linear",
    "tokens_union": f"{_WORDY}\nmerge_method: task_arithmetic\ntokenizer_source: union",
    "tokens_base": f"{_WORDY}\nmerge_method: task_arithmetic\ntokenizer_source: base",
    "tokens_said": (
        f"{_WORDY}\nmerge_method: task_arithmetic\ntokenizer:\n  source: union\n  pad_to_multiple_of: 8\n  tokens:\n"
        "    <|im_end|>: {source: wordy, force: true}\n    oak: {source: {kind: zero}, force: true}\n"
        "    <new>: {source: {kind: model_token, model: other, token: flor}}\n"
    ),
}

#: Cases whose models have other vocabularies; rows are compared token by token.
TOKENS = ("tokens_union", "tokens_base", "tokens_said")

#: Entries that hang on the order of equal magnitudes, or on rounding on the way to a decision, in a narrow dtype.
OPEN_IN_BF16 = (
    "ties", "ties_sum", "breadcrumbs", "breadcrumbs_ties", "sce", "arcee_fusion", "slices_of_different_models", "ram",
    "ramplus_tl", "nearswap", "model_stock_rows",
)  # fmt: skip


def write_models(folder: Path, dtype: str) -> None:
    """Write a base, three models fine-tuned from it with something in common, and two with other vocabularies."""
    base = write_tiny_llama(folder / "base", 0, dtype=dtype)
    common = write_tiny_llama(folder / "common", 9, base=base, dtype="float32")
    for i, name in enumerate("abc"):
        write_tiny_llama(folder / name, i + 1, base=common, dtype=dtype)
    write_tiny_llama(folder / "wordy", 5, dtype=dtype, words=(*WORDS, "bodega", "<|im_end|>"))
    write_tiny_llama(folder / "other", 6, dtype=dtype, words=(*WORDS[:6], "flor", *WORDS[6:], "bodega"))


def write_configurations(folder: Path, dtype: str) -> None:
    """Write every case as ``NAME.yml``."""
    for name, text in CASES.items():
        (folder / f"{name}.yml").write_text(f"{text.strip()}\ndtype: {dtype}\nout_dtype: {dtype}\n", "utf-8")


def merge_ours(folder: Path, name: str) -> Path:
    """Merge ``NAME.yml`` by ``solera``'s own way to ``ours-NAME``."""
    from solera.context import QuietContext
    from solera.execution.plan import plan
    from solera.execution.stream import execute
    from solera.workbench import Workbench

    with Workbench(records=False) as bench:
        recipe = bench.inputs.recipe(f"{name}.yml", folder)
        made = plan(recipe, bench.inputs.checkpoints(recipe), bench.registry.methods)
        return execute(made, folder / f"ours-{name}", QuietContext())


def tensors_of(folder: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a result by name; in rows of tokens in the order of the tokens' names where these differ."""
    from solera.checkpoints.opening import open_checkpoint
    from solera.checkpoints.tokenizers import read_tokens

    with open_checkpoint(folder) as checkpoint:
        made = {key: ref.read() for key, ref in checkpoint.items()}
        if name in TOKENS:
            ids = read_tokens(checkpoint).ids
            rows = [ids[token] for token in sorted(ids)]
            rows += list(range(len(rows), made["lm_head.weight"].shape[0]))
            made |= {key: made[key][rows] for key in ("model.embed_tokens.weight", "lm_head.weight")}
    return made
