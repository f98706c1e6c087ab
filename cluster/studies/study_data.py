"""The version of a data set that a study goes on with."""

from cluster.datasets.dataset import DataSet, planned_data
from cluster.studies.study_store import StudyStore


def data_of_study(newest: DataSet, store: StudyStore) -> DataSet:
    """The version that an existing study was planned on, if it is of this data set; otherwise the newest version.

    So a study goes on after others have extended its data set. Raises UserError if the version is gone, since one of its clips
    was removed, or if its manifest cannot be read.
    """
    plan = store.plan()
    if plan is None or plan.data.uri != newest.uri or plan.data.sha256 == newest.sha256:
        return newest
    planned = planned_data(plan)
    planned.check_not_removed()
    print(
        f"data     {planned.uri}: version {planned.version}, which the study was planned on; the newest is {newest.version}",
        flush=True,
    )
    return planned
