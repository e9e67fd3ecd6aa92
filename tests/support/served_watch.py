"""A process that loads whatever version appears in a served folder, at once, as a server would."""

import multiprocessing
import os
import time

from tests.support import forks


class Watch:
    """Watches a folder, from `start` to `stop`.

    Args:
      folder: which need not exist.
    """

    def __init__(self, folder):
        self._here, there = multiprocessing.Pipe()
        self._process = forks.process(_serve, str(folder), there)
        self._process.start()

    def start(self):
        """Begins; what is there already is looked at too."""
        self._here.send("start")
        self._here.recv()

    def stop(self):
        """Ends: sentences on what was wrong, and names of all versions that were seen."""
        self._here.send("stop")
        return self._here.recv()

    def close(self):
        self._process.kill()
        self._process.join()


def _serve(folder, pipe):
    import tensorflow as tf

    while True:
        assert pipe.recv() == "start"
        pipe.send(None)
        seen, wrong = {}, []
        while not pipe.poll():
            _look(tf, folder, seen, wrong)
            time.sleep(0.002)
        pipe.recv()
        # What appeared just before.
        _look(tf, folder, seen, wrong)
        pipe.send((wrong, sorted(seen)))


def _look(tf, folder, seen, wrong):
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        if not name.isdigit():
            continue
        place = os.path.join(folder, name)
        files = _files(place)
        if name not in seen:
            seen[name] = files
            try:
                loaded = tf.saved_model.load(place)
                assert loaded.signatures["catalog"]()["item_id"].shape[0] > 0
            except Exception as error:
                wrong.append(f"{name} cannot be loaded: {type(error).__name__}: {error}"[:500])
        elif files != seen[name]:
            wrong.append(f"{name} changed after it appeared: {seen[name]} {files}"[:800])
            seen[name] = files


def _files(place):
    found = {}
    for inner, _, names in os.walk(place):
        for name in names:
            path = os.path.join(inner, name)
            try:
                facts = os.stat(path)
            except FileNotFoundError:
                continue
            found[os.path.relpath(path, place)] = (facts.st_size, facts.st_mtime_ns)
    return found
