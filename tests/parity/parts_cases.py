"""Small tokenizers of many parts, for parts.t and make-parts: yields (name, what its tokenizer.json holds)."""
import itertools

F, T = False, True
WORDS = """t h;th e;i n;in g;a n;an d;e r;o n;r e;l l;o o;f oo;b a;ba r;h e;he ll;s t;1 2;0 0;00 0;. .;, 0;! !;' s"""
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)"
          r"|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CASES = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|"
         r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
MARKS = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"
         r"\s*[\r\n]+|\s+(?!\S)|\s+")
BEHAVIORS = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")


def byte_chars():
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    order = own + [b for b in range(256) if b not in own]
    return [chr(b if b in own else 256 + i - len(own)) for i, b in enumerate(order)]


def vocabulary(symbols, pairs):
    vocab, merges = {c: i for i, c in enumerate(symbols)}, []
    for pair in pairs:
        a, b = pair.split(" ")
        if a in vocab and b in vocab and a + b not in vocab:
            vocab[a + b] = len(vocab)
            merges.append([a, b])
    return vocab, merges


def file(symbols, pairs, pre=None, decoder=None, normalizer=None, post=None, added=(), **model):
    vocab, merges = vocabulary(symbols, pairs)
    new = [row[0] for row in added if row[0] not in vocab]
    keys = ("content", "single_word", "lstrip", "rstrip", "normalized", "special")
    rows = [{"id": vocab[row[0]] if row[0] in vocab else len(vocab) + new.index(row[0]), **dict(zip(keys, row))}
            for row in added]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": rows, "normalizer": normalizer,
            "pre_tokenizer": pre, "post_processor": post, "decoder": decoder,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": F, "byte_fallback": F, "ignore_merges": F,
                      "vocab": vocab, "merges": merges, **model}}


ADDED = [("<|endoftext|>", F, F, F, F, T), ("[MASK]", F, T, F, F, T), ("<s>", F, F, T, T, T), ("foo", T, F, F, T, F),
         ("bar", T, F, F, F, F), ("\u00e9", F, F, F, T, F), ("o\u0308", F, F, F, T, F), (" the", F, F, T, T, F)]


def byte_file(pre, **others):
    words = WORDS.split(";") + ["\u0120 the", "\u0120 an", "\u0120 \u0120", "\u010a \u010a", "\u00c3 \u00a9"]
    return file(byte_chars(), words, pre, **{"decoder": byte_level(), "added": ADDED, **others})


def character_file(pre=None, more=(), **others):
    symbols = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    symbols += ["\u2581", " ", *map(chr, range(33, 127)), "\u00e9", "\u4e00", "\u0301", "\u0660", "\u00df"]
    words = WORDS.split(";") + ["\u2581 the", "\u2581 a", "\u2581 \u2581", "\u2581\u2581 \u2581\u2581", "\u2581 f", *more]
    return file(symbols, words, pre, **{"added": ADDED, "unk_token": "<unk>", "fuse_unk": T, "byte_fallback": T, **others})


def seq(kind, *all):
    return {"type": "Sequence", kind: list(all)}


def pres(*all):
    return seq("pretokenizers", *all)


def byte_level(prefix=F, regex=T):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": T, "use_regex": regex}


def digits(each):
    return {"type": "Digits", "individual_digits": each}


def split(pattern, behavior="Isolated", invert=F, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def metaspace(scheme, cut=T, mark="\u2581"):
    return {"type": "Metaspace", "replacement": mark, "prepend_scheme": scheme, "split": cut}


def replace(a, b, kind="String"):
    return {"type": "Replace", "pattern": {kind: a}, "content": b}


def strip(start, stop, c=" "):
    return {"type": "Strip", "content": c, "start": start, "stop": stop}


PREPEND = {"type": "Prepend", "prepend": "\u2581"}
NFC, FUSE, FALLBACK = ({"type": t} for t in ("NFC", "Fuse", "ByteFallback"))
SPACES = replace(" ", "\u2581")
LLAMA = seq("normalizers", PREPEND, SPACES)
LLAMA_DECODER = seq("decoders", replace("\u2581", " "), FALLBACK, FUSE, strip(1, 0))


def template(before, after, ids):
    special = lambda name: {"SpecialToken": {"id": name, "type_id": 0}}
    text = [{"Sequence": {"id": "A", "type_id": 0}}]
    return {"type": "TemplateProcessing", "single": [*map(special, before), *text, *map(special, after)],
            "pair": [*text, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {k: {"id": k, "ids": v, "tokens": ["x"] * len(v)} for k, v in ids.items()}}


def byte_cases():
    for each in (F, T):
        yield f"digits {each}", byte_file(pres(digits(each), byte_level()))
        yield f"digits {each}, spaces", byte_file(pres(digits(each), byte_level(prefix=T)))
    for prefix, regex in itertools.product((F, T), (F, T)):
        yield f"byte level {prefix} {regex}", byte_file(byte_level(prefix, regex))
    for behavior, invert in itertools.product(BEHAVIORS, (F, T)):
        yield f"text {behavior} {invert}", byte_file(pres(split(" ", behavior, invert, "String"), byte_level(T)))
        yield f"pattern {behavior} {invert}", byte_file(pres(split(r"\p{N}+|[aeiou\s]", behavior, invert), byte_level()))
    for behavior in BEHAVIORS:
        yield f"empty {behavior}", byte_file(pres(split(r"x*|(?=[aeiou])", behavior), byte_level(F, F)))
        yield f"llama 3 {behavior}", byte_file(pres(split(LLAMA3, behavior, behavior == "Removed"), byte_level(F, F)),
                                               ignore_merges=T)
    for name, pattern in (("gpt-2", GPT2), ("qwen2", QWEN2), ("cases", CASES), ("marks", MARKS), ("lines", r"^.+$|(?<=a)b{2,}"),
                          ("either case", r"(?i:the|foo)|\S+?(?=[0-9])|\d{3}")):
        yield name, byte_file(pres(split(pattern), byte_level(F, F)))
    yield "nfc", byte_file(byte_level(), normalizer=NFC)
    yield "nfc, qwen2", byte_file(pres(split(QWEN2), byte_level(F, F)), normalizer=seq("normalizers", seq("normalizers", NFC)))
    yield "three cuts", byte_file(pres(split(r"\p{N}{1,3}"), split("[\u4e00-\u9fa5\u3040-\u309f]+"), split(MARKS), byte_level(F, F)))
    yield "white space", byte_file(byte_level(), normalizer=replace(r"\s+", " ", "Regex"))
    yield "without a", byte_file(byte_level(), normalizer=replace("a", ""))
    yield "no space first", byte_file(pres(metaspace("first"), byte_level()), normalizer=replace(" ", ""))
    yield "a sequence to decode", byte_file(byte_level(), decoder=seq("decoders", byte_level()))
    yield "strip behind bytes", byte_file(byte_level(), decoder=seq("decoders", byte_level(), strip(2, 0, "a")))


def character_cases():
    yield "llama", character_file(normalizer=LLAMA, decoder=LLAMA_DECODER)
    yield "llama, merges over spaces", character_file(normalizer=LLAMA, decoder=LLAMA_DECODER, more=["e \u2581", "e\u2581 f"])
    for fuse in (F, T):
        yield f"unknown {fuse}", character_file(normalizer=LLAMA, decoder=LLAMA_DECODER, byte_fallback=F, fuse_unk=fuse)
    yield "words that are tokens", character_file(metaspace("always"), ["th at", "\u2581 x", "\u2581x y"], ignore_merges=T)
    for scheme, cut in itertools.product(("always", "first", "never"), (F, T)):
        yield f"metaspace {scheme} {cut}", character_file(metaspace(scheme, cut), decoder=metaspace(scheme, cut))
    yield "metaspace x", character_file(metaspace("first", T, "x"), decoder=metaspace("first", T, "x"))
    yield "digits, metaspace", character_file(pres(digits(T), metaspace("first")), decoder=seq("decoders", FALLBACK, FUSE))
    yield "spaces kept with the word before", character_file(split(" ", "MergedWithPrevious", F, "String"), normalizer=SPACES,
                                                             decoder=seq("decoders", replace("\u2581", " "), FALLBACK, FUSE))
    yield "no decoder", character_file(normalizer=LLAMA)
    yield "strips", character_file(normalizer=LLAMA, decoder=seq("decoders", FALLBACK, strip(0, 1, "a"), strip(2, 0, "t"), replace("th", ""), FUSE))
    yield "whole texts", character_file()


def post_cases():
    bos = template(["<s>"], [], {"<s>": [1]})
    both = template(["<s>", "two"], ["</s>"], {"<s>": [1], "</s>": [2], "two": [5, 6]})
    level = byte_level()
    yield "template in front", character_file(normalizer=LLAMA, decoder=LLAMA_DECODER, post=bos)
    yield "template around", byte_file(level, post=both)
    yield "template in a sequence", byte_file(level, post=seq("processors", level, seq("processors", both)))
    yield "no template", byte_file(level, post=level)


def all_cases():
    yield from byte_cases()
    yield from character_cases()
    yield from post_cases()
