"""A picture of a run for scripts and notebooks: what the window's views draw, without a window."""

from __future__ import annotations

import importlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from solera.errors import InputError, RunError

#: Entry points of packages that add commands; the window's is one. Beside its commands it offers :data:`DRAW`.
DOOR, DRAW = "solera.commands", "draw_view"

Theme = Literal["light", "dark"]
#: What a figure is written as.
KINDS = ("png", "svg", "pdf", "csv")
DEFAULT_SIZE = (1000, 700)


class Draw(Protocol):
    """Draws one view of a run into files, whose endings say as what; works without a display."""

    def __call__(
        self,
        run: Path,
        view: str,
        files: Sequence[Path],
        *,
        theme: str,
        size: tuple[int, int],
        scale: float,
        choices: Mapping[str, str],
        beside: Path | None,
        among: Sequence[Path],
    ) -> None:
        """Write the files; with ``beside`` the same view of that run at the right, on linked axes.

        With ``among`` further runs are in the same picture.

        Raises:
            InputError: No such view shows this run, or it has no such choice.
            SoleraError: It cannot be drawn or written.
        """
        ...


def offering(name: str) -> Callable[..., Any] | None:
    """A function of this name beside the commands of an installed package; None if no package has one."""
    from importlib.metadata import entry_points

    for point in entry_points(group=DOOR):
        try:
            found = getattr(importlib.import_module(point.module), name, None)
        except ImportError:  # `solera` names it as left out
            continue
        if callable(found):
            return found  # type: ignore[no-any-return]
    return None


@dataclass(frozen=True, slots=True)
class Figure:
    """One view of one run; drawn when it is saved or shown.

    Attributes:
        run: The run's file.
        view: The view's registered name; empty is the first that shows the run.
        theme: ``"light"`` or ``"dark"``.
        size: Logical pixels.
        scale: Image pixels per logical pixel of a PNG.
        choices: What its choosers are set to: ``{"score": "rotated.accuracy"}``.
        beside: The file of another run, to be shown at the right on linked axes.
        among: Files of further runs in the same picture: searches with other seeds.
    """

    run: Path
    view: str = ""
    theme: Theme = "light"
    size: tuple[int, int] = DEFAULT_SIZE
    scale: float = 2.0
    choices: Mapping[str, str] = field(default_factory=dict)
    beside: Path | None = None
    among: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.beside is not None and self.among:
            raise InputError("A picture has another run beside it, or further runs in it; not both.")
        if self.theme not in get_args(Theme):
            raise InputError(f"A picture is 'light' or 'dark', not '{self.theme}'.", theme=self.theme)
        width, height = self.size
        if not (320 <= width <= 20_000 and 200 <= height <= 20_000):
            raise InputError(f"A picture is 320 x 200 to 20,000 x 20,000 pixels, not {width} x {height}.")
        if not 0.25 <= self.scale <= 8:
            raise InputError(f"A picture's scale is 0.25 to 8, not {self.scale:g}.")

    def save(self, path: str | os.PathLike[str], *, data: bool = True) -> Path:
        """Write it; PNG, SVG, PDF or CSV, as the ending says.

        Args:
            path: Where; replaced if it is there.
            data: Beside a picture also write the numbers in it (``.csv``) and the script that makes it again (``.py``).

        Returns:
            The file, absolute.

        Raises:
            InputError: The ending is another, no such view shows this run, or it has no such choice.
            OutputError: A file cannot be written.
            RunError: The window's package is not installed, or cannot be started.
        """
        target = Path(path).expanduser().absolute()
        kind = target.suffix.lower().removeprefix(".")
        if kind not in KINDS:
            raise InputError(f"A figure is written as .png, .svg, .pdf or .csv, not '{target.name}'.", path=str(target))
        files = [target, target.with_suffix(".csv")] if data and kind != "csv" else [target]
        self._draw(files)
        if data and kind != "csv":
            target.with_suffix(".py").write_text(self.script(target), encoding="utf-8")
        return target

    def content(self, kind: str = "png") -> bytes:
        """The picture as bytes: ``"png"``, ``"svg"``, ``"pdf"`` or ``"csv"``.

        Raises:
            InputError, RunError: As :meth:`save`.
        """
        with tempfile.TemporaryDirectory(prefix="solera-figure-") as folder:
            return self.save(Path(folder) / f"figure.{kind}", data=False).read_bytes()

    def script(self, path: str | os.PathLike[str]) -> str:
        """A script that writes this figure to ``path`` again, from the run's file beside it or where it is now."""
        target = Path(path)
        said = f'"{self.view}", theme="{self.theme}", size={self.size!r}, scale={self.scale!r}'
        said += "".join(f", {name}={json.dumps(value)}" for name, value in self.choices.items())
        here = target.absolute().parent
        if self.beside is not None:
            said += f", beside=solera.runs.open(here / {json.dumps(os.path.relpath(self.beside, here))})"
        if self.among:
            paths = json.dumps([os.path.relpath(path, here) for path in self.among])
            said += f", among=[solera.runs.open(here / path) for path in {paths}]"
        where, name = (json.dumps(path) for path in (os.path.relpath(self.run, target.absolute().parent), target.name))
        return (
            f'"""Draws {target.name} again from run {self.run.stem}."""\n\n'
            "from pathlib import Path\n\nimport solera\n\n"
            "here = Path(__file__).resolve().parent\n"
            f"run = solera.runs.open(here / {where})\n"
            f"figure = run.figure({said})\n"
            f"figure.save(here / {name}, data=False)\n"
        )

    def _draw(self, files: Sequence[Path]) -> None:
        draw: Draw | None = offering(DRAW)
        if draw is None:
            raise RunError("Pictures need the window's package; get it with: pip install 'solera[app]'.")
        draw(
            self.run, self.view, files, theme=self.theme, size=self.size, scale=self.scale, choices=self.choices,
            beside=self.beside, among=self.among,
        )  # fmt: skip

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """What a notebook shows, at the size that was asked for."""
        return self.content("png"), {"width": self.size[0], "height": self.size[1]}
