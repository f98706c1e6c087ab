"""What the evaluators see in the real evaluation frames, computed once per study."""

from cluster.datasets.dataset import DataSet
from cluster.studies.study_store import StudyStore
from facegan.metrics.evaluation_config import EvaluatorsConfig, Sampling
from facegan.metrics.evaluation_set import REFERENCE_FRAMES, prepare_evaluation_set
from facegan.metrics.evaluators import build_evaluators


def precompute_reference_frames(store: StudyStore, data: DataSet) -> None:
    """Write the study's reference_frames.npz, which its trials read. A Ray task calls it while the trials start."""
    with store.making(REFERENCE_FRAMES) as path:
        prepare_evaluation_set(data.open(), build_evaluators(EvaluatorsConfig()), path, Sampling())
