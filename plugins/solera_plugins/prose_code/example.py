"""The prose and code example: three checkpoints, recipes, experiments and two tasks, written into a project."""

from __future__ import annotations

import sys
import tomllib
from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from solera.api import Context, ExampleFolder, Param, Seed, TaskError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

    from solera_plugins.prose_code.training import Training

#: Goes up whenever the same seed would give other checkpoints.
VERSION = 1

_MODELS = ("base", "prose", "code")


class ProseCodeExample:
    """A small Llama that has read a little of two kinds of text, an expert for each, and what lies between them.

    Args:
        training: The numbers of the recipe; for tests.
        seed: Root of all randomness.
        retrain: Train even where the wanted checkpoints are there.
    """

    name = "prose_code"
    title = "Prose and code: two experts of a small Llama"
    summary = "A small Llama that has read a little of CPython's documentation and library, and an expert for each."

    def __init__(
        self,
        training: Training | None = None,
        *,
        seed: Annotated[int, Param(0, help="Root of all randomness of the training.")] = 0,
        retrain: Annotated[bool, Param(help="Train even where the wanted checkpoints are there.")] = False,
    ) -> None:
        self.seed = seed
        self.retrain = retrain
        self._given = training

    def make(self, folder: Path, context: Context) -> dict[str, Any]:
        """Write the example; see :class:`solera.api.Example`."""
        project = ExampleFolder(folder)
        with as_file(files("solera_assets") / "examples" / self.name) as source:
            tasks = tomllib.loads((source / "tasks.toml").read_text(encoding="utf-8"))
            copied = {part: project.copy(source / part, part) for part in ("recipes", "experiments")}
        checkpoints = self._checkpoints(project, context)
        return {"tasks": tasks, "checkpoints": [f"checkpoints/{name}" for name in checkpoints], **copied}

    @property
    def training(self) -> Training:
        """The numbers of the recipe.

        Raises:
            TaskError: transformers or tokenizers is not installed.
        """
        try:
            from solera_plugins.prose_code.training import Training
        except ImportError as error:
            raise TaskError(
                f"The prose and code example needs {error.name}. Install the demo: pip install 'solera[demo]'."
            ) from error
        return self._given or Training()

    def _checkpoints(self, project: ExampleFolder, context: Context) -> list[str]:
        training = self.training
        from solera_plugins.prose_code.tokens import learn
        from solera_plugins.prose_code.training import config_of

        names = [f"text-{model}" for model in _MODELS]
        tokenizer = None
        for name, model in zip(names, _MODELS, strict=True):
            stamp = {**self._stamp(training), "model": model}
            if project.has(name, stamp) and not self.retrain:
                continue
            tokenizer = tokenizer or learn(training.vocabulary)
            tensors = self._train(model, training, tokenizer, project, context)
            texts = {"tokenizer.json": tokenizer.to_str(pretty=True)}
            project.write(name, tensors, config=config_of(training), stamp=stamp, texts=texts)
        return names

    def _train(
        self, model: str, training: Training, tokenizer: Tokenizer, project: ExampleFolder, context: Context
    ) -> dict[str, Tensor]:
        from solera_plugins.prose_code.training import train_base, train_expert

        seed = Seed(self.seed).child(self.name)
        if model == "base":
            return train_base(training, tokenizer, seed, context)
        return train_expert(model, project.read("text-base"), training, tokenizer, seed, context)

    def _stamp(self, training: Training) -> dict[str, Any]:
        # The texts come with Python, so its version is part of what was trained on.
        return {
            "example": self.name,
            "version": VERSION,
            "seed": self.seed,
            "python": sys.version.split()[0],
            "training": asdict(training),
        }
