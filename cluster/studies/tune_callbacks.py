"""What the driver does at events of Ray Tune: say what failed, use nodes that join later, and start what fits."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ray import tune
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.search import BasicVariantGenerator

from cluster.runtime.resource_flags import TrialResources
from cluster.studies.asha import CandidatesToRun
from facegan.study.folder.trial_folder import reason_of

RETRIES = 2
"""How often a trial that failed is started again. The loss of its node is no failure."""
_LOSSES = 3
"""The third loss of a node in a row without one more image is a failure, and so is each after it: something else is wrong then,
such as a trial that takes its node down."""
_LOOK_EVERY_SECONDS = 5.0
# How Ray says that an actor died with its node, or without it; it is the only place where the driver finds it. Where a node is
# shut down, the connection is closed before Ray misses the node; a worker that dies alone is told of by its node.
_NODE_DIED, _PROCESS_DIED = ("its node has died", "The actor is temporarily unavailable"), "its worker process has died"


class TrialFailures(tune.Callback):  # type: ignore[misc]
    """Counts failures of trials, and prints each in a line in place of Tune's traces; `names` has the trials' names by key.

    A trial that lost its node starts again without being counted as failed, as long as it trains further in between. `images`
    says how many images the trials with some keys have trained.
    """

    def __init__(self, names: Mapping[str, str], images: Callable[[Sequence[str]], int]) -> None:
        self._names, self._images = names, images
        self._failures, self._trained, self._losses = Counter[str](), Counter[str](), Counter[str]()

    def on_trial_recover(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **_: object) -> None:
        error, key = _last_error(trial), trial.trial_id
        if _lost_its_node(error) and self._losses_without_an_image(trial) < _LOSSES:
            # Ray leaves some of them uncounted itself.
            trial.run_metadata.num_failures = self._failures[key]
            self._say(trial, "lost its node, starts again from its checkpoint on another one")
        else:
            self._say(trial, f"failed {self._times(trial)}, starts again from its checkpoint: {_reason(error)}")
        self._failures[key] = trial.num_failures

    def on_trial_error(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **_: object) -> None:
        self._say(trial, f"failed {self._times(trial)}, is given up: {_reason(_last_error(trial))}")

    def _losses_without_an_image(self, trial: TuneTrial) -> int:
        """How many losses in a row came without an image more than at any loss before, with this one."""
        key, images = trial.trial_id, self._images(trial.config["keys"])
        self._losses[key] = 0 if images > self._trained[key] else self._losses[key] + 1
        self._trained[key] = max(images, self._trained[key])
        return self._losses[key]

    def _times(self, trial: TuneTrial) -> str:
        return f"{trial.num_failures} of {RETRIES + 1} times"

    def _say(self, trial: TuneTrial, what: str) -> None:
        print(f"trial    {', '.join(self._names[key] for key in trial.config['keys'])} {what}", flush=True)


class GrowWithCluster(tune.Callback):  # type: ignore[misc]
    """Keeps the number of trials at once at what the cluster has room for, as nodes join and leave."""

    def __init__(self, trials: "TrialsThatFit | CandidatesToRun", resources: TrialResources) -> None:
        self._trials, self._resources = trials, resources
        self._looked = time.monotonic()

    def on_step_begin(self, iteration: int, trials: list[TuneTrial], **_: object) -> None:
        now = time.monotonic()
        if now - self._looked >= _LOOK_EVERY_SECONDS:
            self._looked = now
            self._trials.max_concurrent = self._resources.at_most()


class TrialsThatFit(BasicVariantGenerator):  # type: ignore[misc]
    """Gives Tune groups of trials in their order, up to the first that `fits` refuses when its turn has come."""

    def __init__(self, groups: Sequence[list[str]], fits: Callable[[list[str]], bool], *, max_concurrent: int) -> None:
        super().__init__(max_concurrent=max_concurrent)
        self._groups, self._fits = list(groups), fits

    def next_trial(self) -> TuneTrial | None:
        if self._groups and not self._fits(self._groups[0]):
            self.set_finished()
        trial: TuneTrial | None = super().next_trial()
        if trial is not None:
            self._groups.pop(0)
        return trial


def _last_error(trial: TuneTrial) -> str:
    """What Tune wrote of a trial's last failure on this machine; empty if it could not, as on a full disk."""
    # get_error() of the trial reads the copy in the study's folder, which may not be there yet.
    try:
        text = Path(trial.error_file).read_text(errors="replace")
    except OSError:
        return ""
    return text.rpartition("Failure # ")[2]


def _lost_its_node(error: str) -> bool:
    return any(sign in error for sign in _NODE_DIED)


def _reason(error: str) -> str:
    if _lost_its_node(error):
        return "its node was lost or not reached, again before it had trained further"
    if _PROCESS_DIED in error:
        return "its process ended without an error, as when it is killed or the node has no memory left"
    return reason_of(Exception(error)) if error else "the reason could not be written"
