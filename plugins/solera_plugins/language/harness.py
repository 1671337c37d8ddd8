"""The task kind ``harness``: any task or group of lm-evaluation-harness, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from solera.api import METRICS, InputError, Param, Seed, Split, TaskError, split_rows
from solera_plugins.language.encoding import Encoding
from solera_plugins.language.harness_task import HarnessTask, Wanted

#: What the harness's metrics are here. Its perplexities are per word or byte, so they are penalties.
_KNOWN = {
    "acc": "accuracy", "acc_norm": "normalised_accuracy", "acc_bytes": "normalised_accuracy",
    "exact_match": "exact_match", "em": "exact_match", "word_perplexity": "penalty", "byte_perplexity": "penalty",
    "perplexity": "penalty", "bits_per_byte": "penalty", "brier_score": "penalty", "ter": "penalty",
    "f1": "score", "mcc": "score", "bleu": "score", "chrf": "score",
}  # fmt: skip


def harness(
    name: str,
    *,
    benchmark: Annotated[str, Param(help="A task or group of lm-evaluation-harness, such as hellaswag.")],
    tokenizer: Annotated[Path, Param(help="The tokenizer.json that belongs to the checkpoints.")],
    metrics: Annotated[
        str,
        Param(help="The harness's metrics, with commas between; one not known here as rouge1=score."),
    ] = "acc",
    fewshot: Annotated[int, Param(-1, 1000, help="Examples in the prompt; -1 is the task's own number.")] = -1,
    first: Annotated[str, Param(help="The token before texts that nothing stands before, such as <|endoftext|>.")] = "",
    end: Annotated[str, Param(help="Written texts end before these tokens, such as </s>, with spaces between.")] = "",
    folder: Annotated[
        Path | None, Param(help="A folder with tasks of your own, as .yaml files of the harness.")
    ] = None,
    report: Annotated[
        Literal["part", "all"], Param(help="Report on a part of the documents of its own, or on all as published.")
    ] = "part",
    longest: Annotated[int, Param(0, unit="tokens", help="Most tokens of a text; 0 goes by the network's config.")] = 0,
    chunk: Annotated[int, Param(1, help="Texts per call of the network.")] = 16,
    version: Annotated[int, Param(1, help="Raise it when the task's documents change.")] = 1,
) -> HarnessTask:
    """Score on a task of lm-evaluation-harness (pip install 'solera[lm-eval]').

    Its documents are shared out by a fixed permutation, 60, 15 and 25 % to train, selection and report; with
    ``report = "all"`` the report is on all of them, as published, and those that were chosen on are among them. Where a
    metric is the mean of a number per document those are kept, and errors are paired; else there is an aggregate. Of a
    group the mean is over the documents of all its tasks. Data sets are fetched by the harness.
    """
    wanted = Wanted(benchmark, fewshot, str(folder or ""), _metrics(name, metrics))

    def rows(count: int, split: Split) -> Sequence[int]:
        if split == "report" and report == "all":
            return range(count)
        return [int(row) for row in split_rows(count, split, Seed(0).child("harness", "splits"))]

    def tokens() -> tuple[Encoding, int | None, tuple[int, ...]]:
        encoding = Encoding(name, Path(tokenizer))
        return encoding, encoding.token(first) if first else None, tuple(map(encoding.token, end.split()))

    return HarnessTask(name, wanted, rows, tokens, longest=longest, chunk=chunk, version=version)


def _metrics(name: str, text: str) -> dict[str, str]:
    """The harness's name of a metric -> ours."""
    found: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        theirs, _, ours = (part.strip() for part in item.partition("="))
        ours = ours or _KNOWN.get(theirs, "")
        if not ours:
            raise InputError(
                f"Task '{name}': what the harness's metric '{theirs}' is has to be said, such as {theirs}=score (more "
                f"is better) or {theirs}=penalty; known without: {', '.join(_KNOWN)}.",
                task=name,
            )
        if ours not in METRICS or ours in found.values():
            why = "is there twice" if ours in found.values() else f"is none of {', '.join(METRICS)}"
            raise InputError(f"Task '{name}': the metric {ours} of '{item}' {why}.", task=name)
        found[theirs] = ours
    if not found:
        raise TaskError(f"Task '{name}' measures nothing; name a metric of the harness, such as acc.", task=name)
    return found
