"""Recorded results for the parity tests: all of ../shared/golden, or the part in tests/golden."""
import json
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import streams  # noqa: E402
from tap import good, root, shared  # noqa: E402

# what the oracle ran: its tag, the model's folder, the adapter's
VARIANTS = [("base", "model", None), ("nf4", "nf4", None), ("nf4dq", "nf4-dq", None),
            ("adapted", "nf4", "adapter-final")]
MODELS = ["phi-tiny", "phi-odd", "phi-half"]


def find(part):
    """The path of PART ("phi-tiny/nf4"), or None."""
    for place in os.path.join(shared, "golden"), os.path.join(root, "tests", "golden"):
        if os.path.exists(os.path.join(place, part)):
            return os.path.join(place, part)
    return None


def load(part):
    with open(find(part)) as f:
        return json.load(f)


def records(model):
    with open(find(model + "/records.jsonl")) as f:
        return [json.loads(line) for line in f]


def tensors(part):
    """name -> (shape, values) of a float32 safetensors file."""
    with open(find(part), "rb") as f:
        (size,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(size))
        data = f.read()
    out = {}
    for name, t in header.items():
        if name != "__metadata__":
            begin, end = t["data_offsets"]
            out[name] = t["shape"], struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])
    return out


def size(*logits):
    """How many times larger than 5 some logits are, 1 at least: what another order of summation may change grows so."""
    return max(1.0, *(abs(x) / 5 for row in logits for x in row))


def run(*command, stdin=b""):
    """Standard output of a command that has to succeed."""
    return good(*command, data=stdin)


def predict(model, variant, adapter, *options, rows):
    """The records that predict makes of ROWS, by id."""
    extra = ["-a", find(f"{model}/{adapter}")] if adapter else []
    out = run("predict", "-m", find(f"{model}/{variant}"), *extra, *options, stdin=streams.stream(rows))
    return {r["id"]: r for r in streams.records(out)[1]}
