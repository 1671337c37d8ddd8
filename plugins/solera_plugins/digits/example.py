"""The digits example: five checkpoints, four recipes, four experiments and five tasks, written into a project."""

from __future__ import annotations

import tomllib
from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any

from solera.api import Context, ExampleFolder, Param, Seed
from solera_plugins.digits.training import EXPERTS, State, Tell, Training, train_base, train_expert

#: Goes up whenever the same seed would give other checkpoints.
VERSION = 1


class DigitsExample:
    """A base that has seen a little of everything, four experts, and what there is to explore between them.

    Args:
        seed: Root of all randomness.
        retrain: Train even where the checkpoints that come with Solera (seed 0) would do.
        training: The numbers of the recipe; for tests.
    """

    name = "digits"
    title = "Digits: four experts of one base"
    summary = "Experts for rotated, inverted, mirrored and transposed digits, and a base that has seen some of each."

    def __init__(
        self,
        training: Training | None = None,
        *,
        seed: Annotated[int, Param(0, help="Root of all randomness of the training.")] = 0,
        retrain: Annotated[bool, Param(help="Train even where checkpoints come with Solera.")] = False,
    ) -> None:
        self.seed = seed
        self.retrain = retrain
        self.training = training or Training()

    def make(self, folder: Path, context: Context) -> dict[str, Any]:
        """Write the example; see :class:`solera.api.Example`."""
        project = ExampleFolder(folder)
        with as_file(files("solera_assets") / "examples" / self.name) as source:
            checkpoints = self._checkpoints(project, source / "checkpoints", context)
            tasks = tomllib.loads((source / "tasks.toml").read_text(encoding="utf-8"))
            copied = {part: project.copy(source / part, part) for part in ("recipes", "experiments")}
        return {"tasks": tasks, "checkpoints": [f"checkpoints/{name}" for name in checkpoints], **copied}

    def _checkpoints(self, project: ExampleFolder, shipped: Path, context: Context) -> list[str]:
        names = {model: f"digits-{model}" for model in ("base", *EXPERTS)}
        missing = [model for model, name in names.items() if not self._is_there(project, shipped / name, model)]
        total, before = sum(map(self.training.steps, missing)), 0
        for model in missing:

            def tell(step: int, model: str = model, before: int = before) -> None:
                context.progress(before + step, total, "steps", f"training {model}")

            tensors = self._train(model, project, context, tell)
            project.write(names[model], tensors, config=self.training.config, stamp=self._stamp(model))
            before += self.training.steps(model)
        return list(names.values())

    def _is_there(self, project: ExampleFolder, shipped: Path, model: str) -> bool:
        stamp = self._stamp(model)
        there = project.has(shipped.name, stamp)  # refuses to replace what is not ours
        return not self.retrain and (there or project.take(shipped.name, shipped, stamp))

    def _train(self, model: str, project: ExampleFolder, context: Context, tell: Tell) -> State:
        seed = Seed(self.seed).child(self.name)
        if model == "base":
            return train_base(self.training, seed, context, tell)
        return train_expert(model, project.read("digits-base"), self.training, seed, context, tell)

    def _stamp(self, model: str) -> dict[str, Any]:
        transform = EXPERTS.get(model, "some of each")
        return {
            "example": self.name,
            "version": VERSION,
            "seed": self.seed,
            "model": model,
            "transform": transform,
            "training": asdict(self.training),
        }
