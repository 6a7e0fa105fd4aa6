"""The pause between attempts to reach the database."""

from dataclasses import dataclass

FIRST_S = 0.2
LAST_S = 1.0


@dataclass(slots=True)
class Backoff:
    """Doubles from FIRST_S to LAST_S with every failure; begins anew after a success."""

    pause_s: float = 0.0

    def fail(self) -> float:
        """Return how long to wait after one more failure, in seconds."""
        self.pause_s = min(max(FIRST_S, 2 * self.pause_s), LAST_S)
        return self.pause_s

    def succeed(self) -> None:
        """Begin anew."""
        self.pause_s = 0.0
