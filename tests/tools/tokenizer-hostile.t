#!/usr/bin/python3
"""A tokenizer.json that is wrong, hostile, or asks for what is not here: one line that names the file and what it is,
the right exit code, soon. Also that --add-special-tokens keeps to what is here."""
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

here = Path(__file__).resolve().parent
sys.path[:0] = [str(here.parent), str(here.parent / "parity")]
import parts_cases as parts  # noqa: E402
from tap import check, finish  # noqa: E402

LEVEL = parts.byte_level(regex=False)


def run(case, text, *options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        path.write_text(case if isinstance(case, str) else json.dumps(case))
        start = time.monotonic()
        done = subprocess.run(["tokenize", "-m", path, "--lines", *options], input=text.encode(), capture_output=True, timeout=120)
        return done.returncode, done.stderr.decode(), time.monotonic() - start


def refused(name, case, code, said, text="a b\n", options=()):
    rc, err, _ = run(case, text, *options)
    good = rc == code and said in err and err.count("\n") == 1 and "tokenizer.json" in err
    check(name, good, f"exit {rc}, said {err!r}; wanted {code}, {said!r}")


def taken(name, case, text="a b\n", options=()):
    rc, err, _ = run(case, text, *options)
    check(name, rc == 0 and not err, f"exit {rc}, said {err!r}")


def pattern(regex, behavior="Isolated", **others):
    return parts.byte_file(parts.pres({**parts.split(regex, behavior), **others}, LEVEL))


def check_patterns():
    refused("a pattern that is none", pattern("(a"), 65, "byte 2: missing closing parenthesis")
    refused("an empty one", pattern(""), 65, "empty")
    refused("a long one", pattern("a" * 5000), 65, "5000 bytes")
    refused("one that explodes when it is compiled", pattern("(?:(?:ab?){1,500}c){1,1000}"), 65, "too large")
    refused("nested without end", pattern("(?:" * 200 + "a" + ")" * 200), 65, "nested")
    refused("a class that does not end", pattern("[ab"), 65, "does not end")
    refused("a lonely backslash", pattern("a\\"), 65, "backslash")
    for name, regex in (("\\w", r"\w+"), ("\\b", r"a\b"), ("\\K", r"a\K"), ("a back-reference", r"(a)\1"), ("\\h", r"\h"),
                        ("a class within a class", "[a[bc]]"), ("&&", "[a&&b]"), ("a named group", "(?<x>a)"), ("a verb", "(*UTF)a"),
                        ("a condition", "(?(1)a|b)"), ("recursion", "(a(?R)?)"), ("a comment", "(?#a)b"), ("(?i) behind", "a(?i)b"),
                        ("possessive counts", "a{1,3}+"), ("a brace", "a{,3}"), ("(?m)", "(?m)a.b")):
        refused(f"what means two things: {name}", pattern(regex), 69, "regular expression")
    for name, regex in (("alternatives without end", r"(?:a|aa|a?)+[!?]"), ("nested repeats", r"(?:(?:a+)+)+[!?]"),
                        ("looking ahead", r"(?=(?:a*)*[!?])a")):
        text = "a" * 3000 + "\n"
        rc, err, seconds = run(pattern(regex), text)
        check(f"gives up: {name}",
              rc == 65 and "gives up" in err and "tokenizer.json" in err and err.count("\n") == 1 and seconds < 20,
              f"exit {rc} after {seconds:.1f} s: {err!r}")
    taken("a long text with a pattern that PCRE2 has to match", pattern(parts.CASES), "a" * 1000000 + " " * 1000000 + "1" * 100000 + "\n")
    refused("a behavior that is not there", pattern("a", behavior="Merged"), 69, "behavior Merged")
    refused("a behavior that is a number", pattern("a", behavior=5), 65, "behavior")
    refused("invert that is a text", pattern("a", invert="no"), 65, "invert")
    refused("a pattern of neither kind", parts.byte_file(parts.pres({**parts.split("a"), "pattern": "a"}, LEVEL)), 65, "pattern")
    refused("a pattern of both kinds", parts.byte_file(parts.pres({**parts.split("a"), "pattern": {"String": "a", "Regex": "a"}}, LEVEL)),
            65, "pattern")


def check_lists():
    nest = LEVEL
    for _ in range(20):
        nest = parts.pres(nest)
    taken("a sequence in a sequence", parts.byte_file(nest))
    for _ in range(60):
        nest = parts.pres(nest)
    refused("sequences without end", parts.byte_file(nest), 65, "nested too deeply")
    refused("a thousand steps", parts.byte_file(parts.pres(*[parts.digits(True)] * 1000, LEVEL)), 65, "more than 32 steps")
    refused("a sequence that is no array", parts.byte_file({"type": "Sequence", "pretokenizers": {"a": 1}}), 65, "not an array")
    refused("a step that is no object", parts.byte_file(parts.pres(5, LEVEL)), 65, "not an object")
    refused("a pre-tokenizer that is a text", parts.byte_file("ByteLevel"), 65, "not an object")
    refused("a type that is a number", parts.byte_file({"type": 5}), 65, "type")
    refused("ByteLevel in front", parts.byte_file(parts.pres(LEVEL, parts.digits(True))), 69, "ByteLevel in front")
    for kind, make in (("normalizer", lambda v: parts.byte_file(LEVEL, normalizer=v)), ("pre_tokenizer", parts.byte_file),
                       ("decoder", lambda v: parts.byte_file(LEVEL, decoder=v))):
        refused(f"an unknown {kind}", make({"type": "Whatever"}), 69, f"{kind} Whatever")
        refused(f"an unknown member of a {kind}", make({"type": "ByteLevel" if kind != "normalizer" else "NFC", "new": 1}), 69, "new")


def check_members():
    refused("a prefix of a million bytes", parts.byte_file(LEVEL, normalizer={"type": "Prepend", "prepend": "a" * 1000000}), 65, "at most 64")
    refused("nothing to replace", parts.byte_file(LEVEL, normalizer=parts.replace("", "a")), 65, "empty")
    refused("a replacement that is a number", parts.byte_file(LEVEL, normalizer=parts.replace("a", 5)), 65, "content")
    refused("two characters for a space", parts.character_file(parts.metaspace("first", True, "ab")), 65, "one character")
    refused("an unknown scheme", parts.character_file(parts.metaspace("often")), 69, "prepend_scheme often")
    refused("a decoder that strips -1", parts.byte_file(LEVEL, decoder=parts.strip(-1, 0)), 65, "start")
    refused("a decoder with a pattern", parts.byte_file(LEVEL, decoder=parts.replace("a", "b", "Regex")), 69, "Regex")


def check_models():
    refused("characters without a way out", parts.character_file(unk_token=None, byte_fallback=False), 65, "would vanish")
    refused("an unk_token that is none", parts.character_file(unk_token="<what>"), 65, "<what>")
    refused("an unk_token that is a number", parts.character_file(unk_token=0), 65, "unk_token")
    less = parts.character_file()
    del less["model"]["vocab"]["<0x41>"]
    refused("bytes with a gap", less, 65, "a token for every byte")
    refused("byte_fallback that is a text", parts.character_file(byte_fallback="yes"), 65, "byte_fallback")
    many = parts.character_file()
    many["model"]["vocab"]["x" * 10] = 4000000
    refused("an id out of all proportion", many, 65, "ids up to 4000000")


def check_posts():
    level = parts.byte_level()
    one = lambda ids: parts.byte_file(level, post=parts.template(["x"], [], {"x": ids}))
    refused("a template with an id that is no token", one([100000]), 65, "no token")
    refused("a template with an id that is a text", one(["0"]), 65, "no token")
    refused("a template of a million ids", one([0] * 100000), 65, "more than")
    refused("a template whose token is not told", parts.byte_file(level, post=parts.template(["x"], [], {})), 65, "'ids'")
    refused("a post-processor that is a text", parts.byte_file(level, post="none"), 65, "post_processor")
    twice = parts.byte_file(level, post=parts.seq("processors", *[parts.template(["x"], [], {"x": [1]})] * 2))
    other = parts.byte_file(level, post={"type": "RobertaProcessing", "sep": ["a", 1], "cls": ["b", 2]})
    for name, case, said in (("RobertaProcessing", other, "RobertaProcessing"), ("two templates", twice, "twice")):
        taken(f"{name}, which nobody asks for", case)
        refused(f"{name}, asked for", case, 69, said, options=["--add-special-tokens"])


check_patterns()
check_lists()
check_members()
check_models()
check_posts()
finish()
