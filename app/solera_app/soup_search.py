"""A search for a soup that runs as a job: followed while it grows, read from its file where it was not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from solera.events import FINAL_STATES, Indicator, JobChanged, PointScored, RunStarted
from solera_app.bridge.background import in_background
from solera_app.canvases.soup_run import SoupRun
from solera_app.soup_experiment import read_run, run_of

if TYPE_CHECKING:
    from solera.workbench import Workbench


class SoupSearch(QObject):
    """At most one search at a time.

    Signals:
        grew: The run has more to show.
        ended: The search is over; whether it came to its end.

    Args:
        bench: The workbench.
        units: Gives the population a task's samples come from.
        parent: Owner.
    """

    grew = Signal()
    ended = Signal(bool)

    def __init__(self, bench: Workbench, units: Callable[[str], str], parent: QObject) -> None:
        super().__init__(parent)
        self._bench, self._units = bench, units
        self._names: dict[str, str] = {}
        self._run_id = ""
        self.run: SoupRun | None = None
        self.job = ""
        self.followed = False  # whether the pot shows the run's soup; a hand in the pot ends that

    @property
    def live(self) -> SoupRun | None:
        """The run that the pot follows; None if it follows none."""
        return self.run if self.followed else None

    def start(self, experiment: Mapping[str, Any], names: Mapping[str, str]) -> None:
        """Begin.

        Args:
            experiment: In plain form.
            names: Id -> name of each model, in the order of the experiment's.
        """
        self._names = dict(names)
        self._run_id, self.run, self.followed = "", None, True
        self.job = self._bench.submit_explore(experiment).id

    def stop(self) -> None:
        """End it before its time."""
        if self.job:
            self._bench.jobs.cancel(self.job)

    def on_run_started(self, event: RunStarted) -> None:
        """A run began; it may be this one."""
        if self.job and event.job == self.job:
            self._run_id = event.run
            self.run = run_of(event.header, self._names, self._units)
            self.grew.emit()

    def on_points(self, run: str, points: Sequence[PointScored]) -> None:
        """Points of a run arrived."""
        if self.run is not None and run == self._run_id:
            self.run.add(points)
            self.grew.emit()

    def on_indicated(self, run: str, indicators: Sequence[Indicator]) -> None:
        """Indicators of a run arrived."""
        if self.run is not None and run == self._run_id:
            self.run.tell(indicators)
            self.grew.emit()

    def on_job(self, event: JobChanged) -> None:
        """A job changed; this one may be through. It is read again whole: it may have been recorded before."""
        if not self.job or event.job != self.job or event.state not in FINAL_STATES:
            return
        self.job = ""
        if event.state == "done" and event.result:  # the file has what events leave out: values per sample
            names, units, path = self._names, self._units, str(event.result["path"])
            in_background(lambda: read_run(path, names, units), self._read, owner=self)
        else:
            self.ended.emit(event.state == "done")

    def _read(self, run: SoupRun) -> None:
        self.run = run
        self.ended.emit(True)
