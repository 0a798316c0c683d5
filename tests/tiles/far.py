"""Local files as if they lay in a network: what is asked of them is counted, and may fail."""

from gateway.errors import StorageUnavailable


class Body:
    """A part of an object on its way."""

    def __init__(self, data):
        self.data = data

    def read(self, length_bytes):
        found, self.data = self.data[:length_bytes], self.data[length_bytes:]
        return found

    def close(self):
        self.data = b""


class Far:
    """An object that has no path. `asked` are (offset, length) of each request; `error` answers the next ones."""

    remote, gdal_path = True, "far.tif"

    def __init__(self, opened):
        self.near, self.stat, self.size_bytes = opened, opened.stat, opened.size_bytes
        self.error = None
        self.asked = []

    def body(self, offset_bytes, length_bytes):
        self.asked.append((offset_bytes, length_bytes))
        if self.error is not None:
            raise self.error
        return Body(self.near.read_at(offset_bytes, length_bytes))

    def next_of(self, body, length_bytes):
        return body.read(length_bytes)

    def unchanged(self):
        return self.error is None

    def fail(self, error=None):
        self.error = error or StorageUnavailable("away")

    def close(self):
        self.near.close()


class FarStorage:
    """A storage whose objects are far. `opened` are all that it ever opened."""

    remote = True

    def __init__(self, storage):
        self.storage, self.opened = storage, []

    def open(self, key):
        self.opened.append(Far(self.storage.open(key)))
        return self.opened[-1]
