"""What plugin authors stand on: everything else of Solera may change without notice.

Names are imported when they are first used, so that ``import solera.api`` costs nothing. A frozen list of the names
and their signatures is tested; each change is logged in CHANGELOG.md with its reason.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from solera.context import Context as Context
    from solera.context import QuietContext as QuietContext
    from solera.errors import CapacityError as CapacityError
    from solera.errors import CheckpointError as CheckpointError
    from solera.errors import Fault as Fault
    from solera.errors import InputError as InputError
    from solera.errors import MismatchError as MismatchError
    from solera.errors import NotFoundError as NotFoundError
    from solera.errors import NumericError as NumericError
    from solera.errors import OutputError as OutputError
    from solera.errors import SoleraError as SoleraError
    from solera.errors import TaskError as TaskError
    from solera.events import ArtifactMade as ArtifactMade
    from solera.events import Event as Event
    from solera.events import Logged as Logged
    from solera.execution.writer import write_checkpoint as write_checkpoint
    from solera.extend.example import Example as Example
    from solera.extend.example import ExampleFolder as ExampleFolder
    from solera.extend.manifest import API_VERSION as API_VERSION
    from solera.families.coords import Coord as Coord
    from solera.kernels.tape import Tape as Tape
    from solera.kernels.tape import TapeValue as TapeValue
    from solera.landscapes import front_search as front_search
    from solera.landscapes import genetic as genetic
    from solera.landscapes import map_published as map_published
    from solera.landscapes import pareto as pareto
    from solera.landscapes import quadratic as quadratic
    from solera.landscapes import surrogate as surrogate
    from solera.landscapes.barriers import barriers as barriers
    from solera.landscapes.explorer import Ask as Ask
    from solera.landscapes.explorer import Chooses as Chooses
    from solera.landscapes.explorer import Explorer as Explorer
    from solera.landscapes.explorer import Extent as Extent
    from solera.landscapes.explorer import History as History
    from solera.landscapes.explorer import Remark as Remark
    from solera.landscapes.explorer import Remarks as Remarks
    from solera.landscapes.explorer import Slope as Slope
    from solera.landscapes.explorer import Space as Space
    from solera.landscapes.interpolation import Interpolation as Interpolation
    from solera.landscapes.interpolation import error_kind as error_kind
    from solera.landscapes.interpolation import errors_of as errors_of
    from solera.landscapes.traces import ValueTraces as ValueTraces
    from solera.methods import anchoring as anchoring
    from solera.methods import bricks as bricks
    from solera.methods import curves as curves
    from solera.methods import directions as directions
    from solera.methods.coefficients import block_ratios as block_ratios
    from solera.methods.coefficients import pairwise_grid as pairwise_grid
    from solera.methods.coefficients import simplex_draws as simplex_draws
    from solera.methods.darex import chosen_q as chosen_q
    from solera.methods.darex import darex_q as darex_q
    from solera.methods.darex import output_change as output_change
    from solera.methods.darex import q_grid as q_grid
    from solera.methods.fastfood import Fastfood as Fastfood
    from solera.methods.greedy import GreedySoup as GreedySoup
    from solera.methods.greedy import greedy_soup as greedy_soup
    from solera.methods.spec import HeldPasses as HeldPasses
    from solera.methods.spec import LoopPasses as LoopPasses
    from solera.methods.spec import MethodSpec as MethodSpec
    from solera.methods.spec import Passes as Passes
    from solera.methods.spec import Piece as Piece
    from solera.methods.spec import StatisticPasses as StatisticPasses
    from solera.methods.spec import method as method
    from solera.models.architecture import Architecture as Architecture
    from solera.models.architecture import load_factory as load_factory
    from solera.models.network import Network as Network
    from solera.params import Param as Param
    from solera.params import Var as Var
    from solera.probes.names import chosen as chosen
    from solera.probes.names import weights_of as weights_of
    from solera.probes.objective import NetworkObjective as NetworkObjective
    from solera.probes.objective import Objective as Objective
    from solera.probes.representation import module_names as module_names
    from solera.probes.spec import ProbeSpec as ProbeSpec
    from solera.probes.spec import probe as probe
    from solera.probes.subject import Probed as Probed
    from solera.probes.subject import Subject as Subject
    from solera.probes.weights import Weights as Weights
    from solera.runs.picture import Picture as Picture
    from solera.runs.picture import on_cells as on_cells
    from solera.runs.results import Axis as Axis
    from solera.runs.results import Estimate as Estimate
    from solera.runs.results import Finding as Finding
    from solera.runs.results import Measure as Measure
    from solera.runs.results import Result as Result
    from solera.runs.results import Row as Row
    from solera.seeds import Seed as Seed
    from solera.tasks.callables import CallableTask as CallableTask
    from solera.tasks.choices import MultipleChoiceTask as MultipleChoiceTask
    from solera.tasks.choices import Question as Question
    from solera.tasks.classification import ClassificationTask as ClassificationTask
    from solera.tasks.contrastive import ContrastiveTask as ContrastiveTask
    from solera.tasks.generation import Comparison as Comparison
    from solera.tasks.generation import GenerationTask as GenerationTask
    from solera.tasks.generation import Prompt as Prompt
    from solera.tasks.greedy import Stopping as Stopping
    from solera.tasks.greedy import greedy_texts as greedy_texts
    from solera.tasks.inference import network_errors as network_errors
    from solera.tasks.language import LanguageTask as LanguageTask
    from solera.tasks.likelihood import Continuations as Continuations
    from solera.tasks.likelihood import log_likelihoods as log_likelihoods
    from solera.tasks.masked import MaskedLanguageTask as MaskedLanguageTask
    from solera.tasks.masked import MaskedText as MaskedText
    from solera.tasks.regression import RegressionTask as RegressionTask
    from solera.tasks.sampled import SampledTask as SampledTask
    from solera.tasks.sampled import group_numbers as group_numbers
    from solera.tasks.scores import METRICS as METRICS
    from solera.tasks.scores import Column as Column
    from solera.tasks.scores import Metric as Metric
    from solera.tasks.scores import Score as Score
    from solera.tasks.scores import Split as Split
    from solera.tasks.scores import aggregate as aggregate
    from solera.tasks.scores import difference as difference
    from solera.tasks.splits import split_rows as split_rows
    from solera.tasks.task import Evaluator as Evaluator
    from solera.tasks.task import Task as Task
    from solera.tensors import hashing as hashing
    from solera.tensors import reductions as reductions
    from solera.tensors import selection as selection
    from solera.tensors.specs import kind_of as kind_of

#: Where each public name is defined; equal to the imports above (tested).
_HOMES: dict[str, tuple[str, ...]] = {
    "solera.context": ("Context", "QuietContext"),
    "solera.errors": (
        "CapacityError", "CheckpointError", "Fault", "InputError", "MismatchError", "NotFoundError", "NumericError",
        "OutputError", "SoleraError", "TaskError",
    ),
    "solera.events": ("ArtifactMade", "Event", "Logged"),
    "solera.execution.writer": ("write_checkpoint",),
    "solera.extend.example": ("Example", "ExampleFolder"),
    "solera.extend.manifest": ("API_VERSION",),
    "solera.families.coords": ("Coord",),
    "solera.landscapes": ("front_search", "genetic", "map_published", "pareto", "quadratic", "surrogate"),
    "solera.landscapes.barriers": ("barriers",),
    "solera.landscapes.explorer": (
        "Ask", "Chooses", "Explorer", "Extent", "History", "Remark", "Remarks", "Slope", "Space",
    ),
    "solera.landscapes.interpolation": ("Interpolation", "error_kind", "errors_of"),
    "solera.landscapes.traces": ("ValueTraces",),
    "solera.methods": ("anchoring", "bricks", "curves", "directions"),
    "solera.methods.coefficients": ("block_ratios", "pairwise_grid", "simplex_draws"),
    "solera.methods.darex": ("chosen_q", "darex_q", "output_change", "q_grid"),
    "solera.methods.fastfood": ("Fastfood",),
    "solera.methods.greedy": ("GreedySoup", "greedy_soup"),
    "solera.kernels.tape": ("Tape", "TapeValue"),
    "solera.methods.spec": ("HeldPasses", "LoopPasses", "MethodSpec", "Passes", "Piece", "StatisticPasses", "method"),
    "solera.models.architecture": ("Architecture", "load_factory"),
    "solera.models.network": ("Network",),
    "solera.params": ("Param", "Var"),
    "solera.probes.names": ("chosen", "weights_of"),
    "solera.probes.objective": ("NetworkObjective", "Objective"),
    "solera.probes.representation": ("module_names",),
    "solera.probes.spec": ("ProbeSpec", "probe"),
    "solera.probes.subject": ("Probed", "Subject"),
    "solera.probes.weights": ("Weights",),
    "solera.runs.picture": ("Picture", "on_cells"),
    "solera.runs.results": ("Axis", "Estimate", "Finding", "Measure", "Result", "Row"),
    "solera.seeds": ("Seed",),
    "solera.tasks.callables": ("CallableTask",),
    "solera.tasks.choices": ("MultipleChoiceTask", "Question"),
    "solera.tasks.classification": ("ClassificationTask",),
    "solera.tasks.contrastive": ("ContrastiveTask",),
    "solera.tasks.generation": ("Comparison", "GenerationTask", "Prompt"),
    "solera.tasks.greedy": ("Stopping", "greedy_texts"),
    "solera.tasks.inference": ("network_errors",),
    "solera.tasks.language": ("LanguageTask",),
    "solera.tasks.likelihood": ("Continuations", "log_likelihoods"),
    "solera.tasks.masked": ("MaskedLanguageTask", "MaskedText"),
    "solera.tasks.regression": ("RegressionTask",),
    "solera.tasks.sampled": ("SampledTask", "group_numbers"),
    "solera.tasks.scores": ("Column", "METRICS", "Metric", "Score", "Split", "aggregate", "difference"),
    "solera.tasks.splits": ("split_rows",),
    "solera.tasks.task": ("Evaluator", "Task"),
    "solera.tensors": ("hashing", "reductions", "selection"),
    "solera.tensors.specs": ("kind_of",),
}  # fmt: skip

#: Homes whose names are modules: taken as a whole, ``reductions.dot(x, y)``.
_PACKAGES = frozenset({"solera.landscapes", "solera.methods", "solera.tensors"})

_HOME: dict[str, str] = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"solera.api has no '{name}'")
    home = _HOME[name]
    value = (
        importlib.import_module(f"{home}.{name}") if home in _PACKAGES else getattr(importlib.import_module(home), name)
    )
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
