"""What a study measures of real frames: once, on the driver, which waits for the first trials meanwhile."""

from functools import cache

import torch

from cluster.datasets.dataset import DataSet
from cluster.studies.study_store import StudyStore
from facegan.files import write_json
from facegan.metrics.evaluation import study_references
from facegan.metrics.evaluation_config import EvaluatorsConfig, Sampling
from facegan.metrics.evaluation_set import REFERENCE_FRAMES, prepare_evaluation_set
from facegan.metrics.evaluators import Evaluators, build_evaluators
from facegan.outputs import DISCRIMINATION, REFERENCES


@cache
def load_evaluators() -> Evaluators:
    """The evaluators of a study, loaded once: that takes a second, in which a driver may wait for Ray anyway."""
    return build_evaluators(EvaluatorsConfig())


def measure_references(store: StudyStore, data: DataSet) -> None:
    """Write what the evaluators see in the real frames, and the cards of the reference rows, unless the study has them."""
    if not all((store.folder / name).exists() for name in (REFERENCE_FRAMES, REFERENCES, DISCRIMINATION)):
        _measure(store, data, load_evaluators())
    load_evaluators.cache_clear()  # 125 MB that the driver can use for something else


def _measure(store: StudyStore, data: DataSet, evaluators: Evaluators) -> None:
    # As in a trial: with more threads the last digits of an embedding are others, and the trials' cores are taken.
    torch.set_num_threads(1)
    faces = data.open()
    # The trials read it to be scored, so it comes first.
    with store.making(REFERENCE_FRAMES) as path:
        evaluation_set = prepare_evaluation_set(faces, evaluators, path, Sampling())
    references, discrimination = study_references(faces, evaluators, evaluation_set)
    with store.making(REFERENCES) as path:
        write_json(path, references)
    with store.making(DISCRIMINATION) as path:
        write_json(path, discrimination)
