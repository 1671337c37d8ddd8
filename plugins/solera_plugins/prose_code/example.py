"""The prose and code example: three checkpoints, recipes, experiments and two tasks, written into a project."""

from __future__ import annotations

import sys
import tomllib
from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any

from solera.api import Context, ExampleFolder, Param, Seed, TaskError
from solera_plugins.prose_code.numbers import EXPERTS, Training, config_of

#: Goes up whenever the same seed would give other checkpoints.
VERSION = 1


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
        self.training = training or Training()

    def make(self, folder: Path, context: Context) -> dict[str, Any]:
        """Write the example; see :class:`solera.api.Example`."""
        project = ExampleFolder(folder)
        with as_file(files("solera_assets") / "examples" / self.name) as source:
            tasks = tomllib.loads((source / "tasks.toml").read_text(encoding="utf-8"))
            copied = {part: project.copy(source / part, part) for part in ("recipes", "experiments")}
        checkpoints = self._checkpoints(project, context)
        return {"tasks": tasks, "checkpoints": [f"checkpoints/{name}" for name in checkpoints], **copied}

    def _checkpoints(self, project: ExampleFolder, context: Context) -> list[str]:
        names = {model: f"text-{model}" for model in ("base", *EXPERTS)}
        there = [model for model, name in names.items() if project.has(name, self._stamp(model))]
        missing = [model for model in names if self.retrain or model not in there]
        if missing:
            self._make(missing, names, project, context)
        return list(names.values())

    def _make(self, missing: list[str], names: dict[str, str], project: ExampleFolder, context: Context) -> None:
        try:
            from solera_plugins.prose_code.tokens import learn
            from solera_plugins.prose_code.training import train_base, train_expert
        except ImportError as error:
            raise TaskError(
                f"The prose and code example needs {error.name}. Install the demo: pip install 'solera[demo]'."
            ) from error
        context.progress(0, None, "", "learning the tokenizer")
        training, seed = self.training, Seed(self.seed).child(self.name)
        tokenizer = learn(training.vocabulary)
        total, before = sum(map(training.steps, missing)), 0
        for model in missing:

            def tell(step: int, model: str = model, before: int = before) -> None:
                context.progress(before + step, total, "steps", f"training {model}")

            if model == "base":
                tensors = train_base(training, tokenizer, seed, context, tell)
            else:
                base = project.read(names["base"])
                tensors = train_expert(model, base, training, tokenizer, seed, context, tell)
            texts = {"tokenizer.json": tokenizer.to_str(pretty=True)}
            project.write(names[model], tensors, config=config_of(training), stamp=self._stamp(model), texts=texts)
            before += training.steps(model)

    def _stamp(self, model: str) -> dict[str, Any]:
        # The texts come with Python, so its version is part of what was trained on.
        return {
            "example": self.name,
            "version": VERSION,
            "seed": self.seed,
            "model": model,
            "python": sys.version.split()[0],
            "training": asdict(self.training),
        }
