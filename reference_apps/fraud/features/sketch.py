"""How many distinct values there were, estimated: HyperLogLog over MD5, so that any engine that has MD5 gets the same number. Pure."""

import math
from collections.abc import Iterable
from hashlib import md5

BITS = 11
REGISTERS = 1 << BITS
RANKS = 64 - BITS + 1
ALPHA = 0.7213 / (1 + 1.079 / REGISTERS)


class Sketch:
    """A set that only knows about how many it holds: 2 KB, off by 2.3 % as a rule. A function of the set alone, whatever the order."""

    __slots__ = ("_sum", "_zeros", "registers")

    def __init__(self, registers: bytes = bytes(REGISTERS)) -> None:
        self.registers = bytearray(registers)
        self._recount()

    def add(self, value: str) -> None:
        number = int.from_bytes(md5(value.encode(), usedforsecurity=False).digest()[8:], "little")
        register, rank = number & (REGISTERS - 1), RANKS - (number >> BITS).bit_length()
        before = self.registers[register]
        if rank > before:
            self.registers[register] = rank
            self._sum += 2.0**-rank - 2.0**-before
            self._zeros -= before == 0

    def merge(self, other: "Sketch") -> None:
        self.registers = bytearray(map(max, self.registers, other.registers))
        self._recount()

    def with_values(self, values: Iterable[str]) -> "Sketch":
        """Return a copy that holds these as well."""
        copy = Sketch(bytes(self.registers))
        for value in values:
            copy.add(value)
        return copy

    def estimate(self) -> int:
        """Return about how many values there were. Sums of powers of two are exact, so every engine has the same sum."""
        if self._zeros:
            small = REGISTERS * math.log(REGISTERS / self._zeros)
            if small <= 2.5 * REGISTERS:
                return round(small)
        return round(ALPHA * REGISTERS * REGISTERS / self._sum)

    def _recount(self) -> None:
        self._sum = sum(2.0**-rank for rank in self.registers)
        self._zeros = self.registers.count(0)
