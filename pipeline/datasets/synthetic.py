"""Generated ratings with planted structure, for dry runs and tests of scale.

What is planted, with G groups, affinity a and skew s of SyntheticConfig:

- User u belongs to group g(u), drawn uniformly; the item of popularity rank
  r = 0, 1, .. has the genre g(i) = r mod G and the weight z_i = (r + 1)^-s
  (Zipf). Ids tell nothing of ranks.
- Each of a user's items is drawn, those drawn before left out, from
  p(i|u) = a [g(i) = g(u)] z_i / Z_g(u) + (1 - a) z_i / Z,
  Z_g being the sum of weights in genre g and Z that of all: ranking by
  popularity cannot know g(u), ranking by p(.|u) puts the genre's items first.
- A user has MIN_INTERACTIONS interactions and a share of the others in
  proportion to a log-normal weight (sigma 1), at most one an item.
- ratings = 2.9 + 1.2 [g(i) = g(u)] + 0.5 q_i + 0.4 b_u + 0.7 e, rounded into
  1 to 5, with q, b, e standard normal for the item, the user and the pair.
- A user's items come in random order, one to some minutes apart, never at the
  same second. Half of the users have their group's occupation, the others any;
  three of ten items have a second genre; titles begin with the first.

Blocks of users are generated one after the other, so memory does not grow with
the interactions.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from pipeline.datasets.synthetic_config import SyntheticConfig
from pipeline.datasets.synthetic_entities import Items, Users

_START, _SPAN = 946_684_800, 600_000_000  # seconds: from the year 2000 on, 19 years
_BLOCK = 1_000_000  # interactions
# Rounds of drawing after which the few missing items are drawn from whole rows.
_ROUNDS = 8
_ROW_BLOCK = 4_000_000  # users x items
# Stream of random numbers of blocks; pipeline.datasets.synthetic_entities has the others.
_BLOCKS = 2


def write(config: SyntheticConfig, folder: pathlib.Path, advance: Callable[[int], None]) -> None:
    """Write `ratings.dat`, `users.dat` and `movies.dat` in the layout of ML-1M.

    The same parameters give the same bytes, with one version of NumPy.

    Args:
      config: sizes and structure.
      folder: where to; it exists.
      advance: told how many more interactions are written.
    """
    users = Users.draw(config)
    items = Items.draw(config)
    (folder / "README").write_text(f"Generated: {config.text}\n", encoding="ascii")
    _write_lines(folder / "users.dat", users.lines(config))
    _write_lines(folder / "movies.dat", items.lines(config))
    with open(folder / "ratings.dat", "wb") as file:
        writer = None
        for number, (first, last) in enumerate(_blocks(users.counts)):
            rng = np.random.default_rng([config.seed, _BLOCKS, number])
            table = _interactions(rng, config, users.block(first, last), items, first)
            if writer is None:
                options = pa_csv.WriteOptions(include_header=False, delimiter=":")
                writer = pa_csv.CSVWriter(file, table.schema, write_options=options)
            writer.write_table(table)
            advance(table.num_rows)
        if writer is not None:
            writer.close()


def _blocks(counts: np.ndarray) -> Iterator[tuple[int, int]]:
    """Cut the users into ranges with about _BLOCK interactions each."""
    ends = np.cumsum(counts)
    first = 0
    while first < len(counts):
        done = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + _BLOCK, side="right")))
        yield first, last
        first = last


def _interactions(
    rng: np.random.Generator, config: SyntheticConfig, users: Users, items: Items, first: int
) -> pa.Table:
    """Generate lines of ratings.dat of some users, whose first has the id first + 1."""
    row, rank = _pairs(rng, config, users, items)
    # A random order for each user, rows staying together.
    order = np.argsort(row + rng.random(len(row)), kind="stable")
    rank = rank[order]
    own = rank % config.groups == users.group[row]
    noise = 0.7 * rng.standard_normal(len(row))
    rating = 2.9 + 1.2 * own + 0.5 * items.quality[rank] + 0.4 * users.bias[row] + noise
    elapsed = np.cumsum(rng.integers(1, 300, size=len(row)))
    begins = np.cumsum(users.counts) - users.counts
    start = _START + rng.integers(_SPAN, size=len(users.counts)) - elapsed[begins]
    columns = (
        row + first + 1,
        items.number[rank],
        np.clip(np.rint(rating), 1, 5).astype(np.int8),
        elapsed + start[row],
    )
    # Arrow writes delimiters of one byte: "::" is an empty column between two.
    gap = pa.nulls(len(row), pa.int8())
    arrays = [array for column in columns for array in (gap, pa.array(column))][1:]
    return pa.Table.from_arrays(arrays, names=[f"column {at}" for at in range(len(arrays))])


def _pairs(
    rng: np.random.Generator, config: SyntheticConfig, users: Users, items: Items
) -> tuple[np.ndarray, np.ndarray]:
    """Draw distinct (row in users, item rank) pairs, int64 [N] each, sorted.

    Items that a user drew before are drawn anew, only as many as are missing:
    drawing without replacement, one after the other.
    """
    size = config.items
    rows = np.arange(len(users.counts))
    finished = []
    keys = np.empty(0, np.int64)
    missing = users.counts
    for _ in range(_ROUNDS):
        drawing = np.repeat(rows, missing)
        drawn = drawing * size + items.sample(rng, config, users.group[drawing])
        keys = np.unique(np.concatenate([keys, drawn]))
        missing = users.counts - np.bincount(keys // size, minlength=len(rows))
        missing[np.setdiff1d(rows, keys // size)] = 0
        complete = missing[keys // size] == 0
        finished.append(keys[complete])
        keys = keys[~complete]
        if not len(keys):
            break
    finished += [keys, *_rest(rng, config, users, items, keys)]
    return np.divmod(np.sort(np.concatenate(finished)), size)


def _rest(
    rng: np.random.Generator,
    config: SyntheticConfig,
    users: Users,
    items: Items,
    keys: np.ndarray,
) -> Iterator[np.ndarray]:
    """Draw keys of what users still miss from whole rows of probabilities.

    The least of exponential variables with rates p come first in the order in
    which drawing without replacement takes them.
    """
    row, rank = np.divmod(keys, config.items)
    open_rows, begins, lengths = np.unique(row, return_index=True, return_counts=True)
    step = max(1, _ROW_BLOCK // config.items)
    for at in range(0, len(open_rows), step):
        some, drawn = open_rows[at : at + step], lengths[at : at + step]
        taken = rank[begins[at] : begins[at] + drawn.sum()]
        waits = rng.standard_exponential((len(some), config.items))
        waits /= items.probabilities(config, users.group[some])
        waits[np.repeat(np.arange(len(some)), drawn), taken] = np.inf
        missing = users.counts[some] - drawn
        most = int(missing.max())
        least = np.argpartition(waits, most - 1, axis=1)[:, :most]
        order = np.argsort(np.take_along_axis(waits, least, axis=1), axis=1)
        chosen = np.take_along_axis(least, order, axis=1)[np.arange(most) < missing[:, None]]
        yield np.repeat(some, missing) * config.items + chosen


def _write_lines(path: pathlib.Path, lines: pa.Array) -> None:
    path.write_text("\n".join(lines.to_pylist()) + "\n", encoding="ascii")
