#!/usr/bin/python3
"""peek --tensorboard writes the file that TensorBoard reads: the bytes that its own reader was given, and another
reader of these bytes finds what it found. tensorboard.json was made by make-tensorboard."""
import hashlib
import json
import math
import os
import struct
import subprocess
import tempfile

import golden
from tap import check, finish

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "tensorboard.json")) as f:
    want = json.load(f)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def frames(data):
    at = 0
    while at < len(data):
        size = data[at:at + 8]
        end = at + 12 + struct.unpack("<Q", size)[0]
        assert data[at + 8:at + 12] == masked(size) and data[end:end + 4] == masked(data[at + 12:end])
        yield data[at + 12:end]
        at = end + 4


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def fields(data):
    """A message as {field: value}; each field stands once in ours."""
    found, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            form = {1: "<d", 5: "<f"}[key & 7]
            value, at = struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
        assert key >> 3 not in found
        found[key >> 3] = value
    return found


assert crc32c(b"123456789") == 0xE3069283  # the check value of the polynomial

with tempfile.TemporaryDirectory() as scratch:
    folder, log = os.path.join(scratch, "new"), os.path.join(scratch, "log.jsonl")
    with open(log, "w") as f:
        f.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in want["log"])
    golden.run("peek", "--tensorboard", folder, log)
    check("one file, of a name that TensorBoard looks for", os.listdir(folder) == [want["name"]] and "tfevents" in want["name"])
    path = os.path.join(folder, want["name"])
    with open(path, "rb") as f:
        data = f.read()
    check("the bytes that TensorBoard has read", hashlib.sha256(data).hexdigest() == want["sha256"])
    first, *events = map(fields, frames(data))
    check("begins with the version of the file", first == {1: 0.0, 2: 0, 3: b"brain.Event:2"}, first)
    scalars = {}
    for event in events:
        value = fields(fields(event[5])[1])
        scalars.setdefault(value[1].decode(), []).append([event[2], event[1], repr(value[2])])
    check("the values that TensorBoard has read", scalars == want["scalars"], scalars)
    lines = sum(len([v for k, v in line.items() if k != "step"]) for line in want["log"])
    check("all of the log", sum(map(len, scalars.values())) == lines and math.isnan(float(scalars["train/loss"][1][2])))

    def refused(name, code, said, *command):
        ran = subprocess.run(["peek", *command], capture_output=True, text=True)
        good = ran.returncode == code and said in ran.stderr and ran.stderr.count("\n") == 1
        check(name, good, (ran.returncode, ran.stderr))

    refused("does not replace one without --force", 73, "use --force", "--tensorboard", folder, log)
    golden.run("peek", "--force", "--tensorboard", folder, log)
    bad = os.path.join(scratch, "bad.jsonl")
    with open(bad, "w") as f:
        f.write('{"step": 2, "loss": 1}\n{"step": 1, "loss": 1}\n')
    none = os.path.join(scratch, "none")
    refused("refuses what is no log, with its line", 65, "bad.jsonl:2: step 1 behind step 2", "--tensorboard", none, bad)
    check("and leaves nothing", not os.path.exists(none))
    refused("refuses two logs", 2, "one log", "--tensorboard", none, log, log)
    refused("refuses --output", 2, "--output", "--tensorboard", none, "-o", "x", log)
    refused("refuses --head", 2, "--head", "--tensorboard", none, "--head", "1", log)
    refused("refuses a folder that cannot be made", 73, "cannot create", "--tensorboard", os.path.join(scratch, "a", "b"), log)
finish()
