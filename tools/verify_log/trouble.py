# SPDX-License-Identifier: Apache-2.0
"""The two ways in which looking at a log ends badly."""

FAULTS = ("flip", "drop", "duplicate", "swap", "truncate", "rollback", "fork", "signature", "form")


class Unreadable(Exception):
    """What was given is not what it should be; nothing can be said about the log."""


class Fault(Exception):
    """The log was tampered with. `index` is the first bad record; None: no single one can be named.
    With `last`, the first one is somewhere from `index` to `last`, or all of them are."""

    def __init__(self, kind, index, says, last=None):
        super().__init__(says)
        assert kind in FAULTS
        self.kind, self.index, self.says = kind, index, says
        self.last = index if last is None else last
