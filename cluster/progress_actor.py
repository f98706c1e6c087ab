"""Where the tasks of an ingest say how far they are; it imports nothing, so that its process starts quickly."""


class IngestProgress:
    """An actor that tasks tell how far their clip is."""

    def __init__(self) -> None:
        self._clips: dict[str, tuple[int, float]] = {}

    def update(self, clip: str, frames: int, claimed: int) -> None:
        """Frames done of a clip, of those that its header claims."""
        self._clips[clip] = (frames, min(1.0, frames / max(claimed, 1)))

    def read(self) -> dict[str, tuple[int, float]]:
        """Frames done and their share, by clip."""
        return self._clips
