"""The face embeddings of a study's real evaluation frames, computed once by a task of their own."""

from cluster.datasets.dataset import DataSet
from cluster.studies.study_store import StudyStore
from facegan.metrics.evaluation_config import EvaluatorsConfig, Sampling
from facegan.metrics.evaluators import build_evaluators
from facegan.metrics.measure import prepare_evaluation_set
from facegan.trial import REFERENCE_EMBEDDINGS


def precompute_reference_embeddings(store: StudyStore, data: DataSet) -> None:
    """Write the study's reference_embeddings.npy, so that its trials need not compute it."""
    with store.making(REFERENCE_EMBEDDINGS) as path:
        prepare_evaluation_set(data.open(), build_evaluators(EvaluatorsConfig()), path, Sampling())
