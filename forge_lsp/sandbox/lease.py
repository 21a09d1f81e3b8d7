"""How long a sandbox lives without being used."""

from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds from any start."""


class Lease:
    """Runs out when nobody renews it for `seconds`."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._renewed_at = clock()

    @property
    def has_run_out(self) -> bool:
        """Whether it is too late to renew it."""
        return self._clock() - self._renewed_at >= self._seconds

    def renew(self) -> None:
        """Start it anew."""
        self._renewed_at = self._clock()
