"""A planned data set for tests that plan studies but never open their data."""

from facegan.study.design.plan import PlannedData

PLANNED_DATA = PlannedData(uri="/data", version=1, sha256="0" * 64, synthetic=True, rows=8, quarantined=0)
