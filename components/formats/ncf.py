"""The files of He et al.'s Neural Collaborative Filtering: a ready-made split.

`*.train.rating` and `*.test.rating` hold user, item, rating and timestamp
between tabs; each line of `*.test.negative` holds a held-out pair and the items
it is ranked against: `(user,item)`, then the negatives (He et al., WWW 2017,
https://github.com/hexiangnan/neural_collaborative_filtering). Ids only: there is
no catalog.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

import pyarrow as pa

from components.formats import base
from components.formats.reading import schemas
from components.formats.reading.chunk import Chunk
from components.formats.reading.delimited import read_interactions
from components.formats.reading.layout import Layout
from components.formats.reading.lines import decode, iterate
from schema import features

_COLUMNS = ("user", "item", "rating", "timestamp")
_LAYOUT = Layout(
    delimiter="\t",
    columns=_COLUMNS,
    roles=dict(zip(schemas.INTERACTIONS_SCHEMA.names, _COLUMNS, strict=True)),
)
_PAIR = re.compile(r"\(\s*([^\s,()]+)\s*,\s*([^\s,()]+)\s*\)")


class Ncf(base.Format):
    """Read a leave-one-out split with negatives; the newest training item is for validation."""

    name = "ncf"
    files: ClassVar[Mapping[str, str]] = {
        base.INTERACTIONS: "*.train.rating",
        base.HELD_OUT: "*.test.rating",
        base.CANDIDATES: "*.test.negative",
    }
    required = frozenset({base.INTERACTIONS, base.HELD_OUT})

    def parse_interactions(self, chunk: Chunk, header: bytes) -> pa.Table:
        """See Format."""
        return read_interactions(chunk, _LAYOUT)

    def parse_candidates(self, chunk: Chunk, header: bytes) -> pa.Table:
        """See Format; every line must have as many negatives as the first.

        156 lines of the original ml-1m.test.negative list the target among its
        own negatives. The original evaluation keys the scores by item, so such
        a negative does not count; it is left out here.
        """
        expected = len(header.rstrip().split(b"\t"))
        users, targets, candidates = [], [], []
        for number, line in iterate(chunk, headed=False):
            pair, *negatives = decode(chunk, number, line).rstrip().split("\t")
            match = _PAIR.fullmatch(pair)
            if match is None:
                chunk.fail(number, f"expected a pair (user,item) at the start, got {pair[:40]!r}")
            if len(negatives) + 1 != expected or not all(negatives):
                chunk.fail(
                    number,
                    f"expected {expected - 1} negatives as on line 1, "
                    f"got {sum(map(bool, negatives))}",
                )
            users.append(match[1])
            targets.append(match[2])
            candidates.append([item for item in negatives if item != match[2]])
        return pa.table(
            {
                features.USER_ID: users,
                features.TARGET_ITEM_ID: targets,
                features.CANDIDATE_ITEM_ID: candidates,
            },
            schema=schemas.CANDIDATES_SCHEMA,
        )
