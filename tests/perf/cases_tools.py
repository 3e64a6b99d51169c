"""Whole programs, with their start, reading and writing, against those one would use instead."""
import json
import os
import subprocess
from functools import partial

from contest import Case, run

LORA = ["--r", 16, "--lora-alpha", 16, "--lora-dropout", 0.05, "--per-device-train-batch-size", 1,
        "--gradient-accumulation-steps", 8, "--learning-rate", "2e-4", "--lr-scheduler-type", "constant",
        "--optim", "adamw_torch", "--no-group-by-length", "--eval-strategy", "no", "--logging-steps", 1, "--force"]


# What of ours is measured beside which of the rivals'; bf16x3 is float32 where there is no AMX.
DTYPES = {"float32": "float32", "bf16x3": "float32", "bfloat16": "bfloat16"}


class Tools:
    def __init__(self, data, threads):
        self.data, self.threads = data, threads

    def run(self, name, *words, threads=None):
        return run(self.data.tools / name, *words, "-j", threads or self.threads)

    def seconds(self, *words, **options):
        return self.run(*words, **options)[0]

    def step(self, dtype, threads=None):
        """Tokens a second of the second optimiser step, 8 x 95 tokens."""
        d, metrics = self.data, self.data.output("metrics.jsonl")
        self.run("lora-train", "-m", d.nf4(), d.tokens("step.zst", 64, 95), "--compute-dtype", dtype, "--max-steps", 2,
                 "--metrics", metrics, "-o", d.output("step.adapter.tar.zst"), *LORA, threads=threads)
        return json.loads(metrics.read_text().splitlines()[-1])["tokens_per_s"]

    def small_step(self, dtype):
        """Tokens a second of optimiser steps of SmolLM2: 8 records of 70 tokens at once, all seven linears."""
        d, metrics = self.data, self.data.output("small.jsonl")
        self.run("lora-train", "-m", d.smollm2(), d.tokens("small.zst", 64, 70, 49000), "--compute-dtype", dtype,
                 "--max-steps", 4, "--metrics", metrics, "-o", d.output("small.adapter.tar.zst"), *LORA,
                 "--per-device-train-batch-size", 8, "--gradient-accumulation-steps", 1)
        return json.loads(metrics.read_text().splitlines()[-1])["tokens_per_s"]

    def small_completions(self, dtype):
        """The same of 8 records of the article, as pipelines/smollm2 learns them: loss of the answers alone."""
        d, metrics = self.data, self.data.output("completions.jsonl")
        self.run("lora-train", "-m", d.smollm2(), d.prompts("small-prompts.zst", d.smollm2()), "--only", "split=train",
                 "--compute-dtype", dtype, "--max-steps", 4, "--metrics", metrics, "-o", d.output("small.adapter.tar.zst"), *LORA,
                 "--per-device-train-batch-size", 8, "--gradient-accumulation-steps", 1, "--loss", "completion")
        return json.loads(metrics.read_text().splitlines()[-1])["tokens_per_s"]

    def small_labels(self, dtype, records):
        d = self.data
        return records / self.seconds("predict", "-m", d.smollm2(), d.prompts("small-prompts.zst", d.smollm2()), "--mode",
                                      "labels", "--limit", records, "--compute-dtype", dtype, "-o",
                                      d.output("small-labels.zst"), "--force")

    def first_step(self):
        d = self.data
        return self.seconds("lora-train", "-m", d.tiny(), d.tokens("tiny.zst", 8, 32, 500), "--max-steps", 1, "-o",
                            d.output("tiny.adapter.tar.zst"), *LORA)

    def memory(self):
        d = self.data
        return self.run("lora-train", "-m", d.nf4(), d.tokens("long.zst", 8, 512), "--max-steps", 1,
                        "--gradient-accumulation-steps", 1, "-o", d.output("step.adapter.tar.zst"),
                        *[x for x in LORA if x not in ("--gradient-accumulation-steps", 8)])[1]

    def labels(self, dtype, records):
        d = self.data
        return records / self.seconds("predict", "-m", d.nf4(), d.prompts(), "--mode", "labels", "--limit", records,
                                      "--compute-dtype", dtype, "-o", d.output("labels.zst"), "--force")

    def logits(self, dtype, records, model=None):
        """Tokens a second through the model: the difference between many records and one."""
        d = self.data
        words = ["predict", "-m", model or d.nf4(), d.tokens("prefill.zst", 32, 512, 49000), "--mode", "logits",
                 "--compute-dtype", dtype, "-o", d.output("logits.zst"), "--force", "--limit"]
        return 512 * (records - 1) / (self.seconds(*words, records) - self.seconds(*words, 1))

    def decode(self, dtype, tokens, model=None):
        """Of those that were made: a real model may end its text before."""
        d = self.data
        words = ["predict", "-m", model or d.nf4(), d.tokens("decode.zst", 1, 16, 49000), "--mode", "generate",
                 "--compute-dtype", dtype, "-o", d.output("decode.zst.out"), "--force", "--max-new-tokens"]
        many = self.seconds(*words, tokens + 1)
        text = json.loads(d.tool("peek", "--jsonl", d.output("decode.zst.out"), stdout=subprocess.PIPE).stdout)
        return (len(text["output_ids"]) - 1) / (many - self.seconds(*words, 1))

    def tokenize(self, texts):
        return texts.stat().st_size / 1e6 / self.seconds("tokenize", "--lines", "-m", self.data.tokenizer, texts, "-o",
                                                         self.data.output("texts.zst"), "--force", threads=1)

    def split(self):
        d = self.data
        return self.seconds("split-stratified", "--train", 0.8, "--test", 0.2, d.table(), "-o", d.output("split.zst"), "--force")

    def promptify(self):
        d = self.data
        if not d.output("split.zst").exists():
            self.split()
        return self.seconds("promptify", "-t", "financial-sentiment", d.output("split.zst"), "-o", d.output("prompted.zst"),
                            "--force")

    def start(self, *command):
        return 1e3 * min(run(*command)[0] for _ in range(10))


def training(t, p):
    d = t.data
    for dtype, rival in DTYPES.items():
        yield Case(f"lora/step 8 x 95, {dtype}", "tokens/s", partial(t.step, dtype),
                   {f"HF + PEFT {rival}": p["hf"].question("step", rival, d.model),
                    f"bitsandbytes NF4 {rival}": p["hf"].question("step", "nf4-" + rival, d.model)}, runs=3)
    yield Case("lora/step 8 x 95, float32, 1 thread", "tokens/s", partial(t.step, "float32", 1), runs=3)
    yield Case("lora-memory/1 x 512, float32", "MB", t.memory,
               {"HF + bitsandbytes NF4": lambda: run_alone(p["hf"], "memory", "nf4-float32", d.model())},
               smaller=True, runs=3)
    yield Case("start/first optimiser step, tiny model", "s", t.first_step,
               {"HF + PEFT": lambda: run_alone(p["hf"], "step", "float32", d.tiny(), timed=True)}, smaller=True, runs=3)


def small_model(t, p):
    """A real small model, the GGUF file itself, where it was fetched (make demo)."""
    d = t.data
    if not d.smollm2():
        return
    for dtype, rival in DTYPES.items():
        yield Case(f"smollm2/step 8 x 70, {dtype}", "tokens/s", partial(t.small_step, dtype),
                   {f"HF + PEFT {rival}": p["hf"].question("step_at_once", rival, d.smollm2_folder, 8, 70)}, runs=5)
        yield Case(f"smollm2/step, 8 completions, {dtype}", "tokens/s", partial(t.small_completions, dtype),
                   {f"HF + PEFT {rival}": p["hf"].question("step_of_completions", rival, d.smollm2_folder, partial(
                       d.completions, "small-prompts.zst", d.smollm2()), 8)}, runs=5)
        yield Case(f"smollm2/labels, 900 prompts, {dtype}", "prompts/s", partial(t.small_labels, dtype, 900),
                   {"HF forward, 16 x 75": p["hf"].question("batched", rival, d.smollm2_folder, 16, 75),
                    "HF, these, 16 at once": p["hf"].question("padded", rival, d.smollm2_folder, partial(
                        d.prompt_ids, "small-prompts.zst", d.smollm2(), 240), 16)}, runs=3)
    for dtype in ("float32", "bfloat16"):
        for case, ours, n in (("prefill", t.logits, 17), ("decode", t.decode, 128)):
            yield Case(f"smollm2/{case}, the file's own blocks, {dtype}", "tokens/s", partial(ours, dtype, n, d.smollm2()),
                       {"llama.cpp": p["llama"].question(case, "file", t.threads, d.smollm2)})


def run_alone(program, *words, timed=False):
    """A fresh process for one question: what it answers, or the seconds it took with its start."""
    program.close()
    start = os.times().elapsed
    answer = program.ask(*words)
    seconds = os.times().elapsed - start
    program.close()
    return seconds if timed else answer


def prediction(t, p):
    d = t.data
    for dtype, rival in DTYPES.items():
        yield Case(f"predict/labels, 120 prompts, {dtype}", "prompts/s", partial(t.labels, dtype, 120),
                   {"HF generate, one by one": p["hf"].question("generate", rival, d.model, 6, 75, 3),
                    "HF forward, 16 at once": p["hf"].question("batched", rival, d.model, 16, 75)}, runs=3)
    for dtype in ("float32", "bfloat16"):
        yield Case(f"prefill/512 tokens, {dtype}", "tokens/s", partial(t.logits, dtype, 4),
                   {f"llama.cpp {q}": p["llama"].question("prefill", q, t.threads, d.path("llama")) for q in
                    (("f32",) if dtype == "float32" else ("bf16", "q4_0"))})
        yield Case(f"decode/1 sequence, {dtype}", "tokens/s", partial(t.decode, dtype, 32),
                   {f"llama.cpp {q}": p["llama"].question("decode", q, t.threads, d.path("llama")) for q in
                    (("f32",) if dtype == "float32" else ("bf16", "q4_0"))})


def text(t, p):
    d = t.data
    yield Case("tokenize/1 KB English texts, 1 thread", "MB/s", lambda: t.tokenize(d.texts()),
               {name: p["encode"].question(name, d.tokenizer, d.texts) for name in ("tokenizers", "tiktoken")}, runs=3)


def tables(t, p):
    d = t.data
    yield Case("tables/split 1 M rows", "s", t.split,
               {"pandas + scikit-learn": p["tables"].question("split", d.table, d.output("split")),
                "the same as a program": p["tables"].question("program", "split", d.table, d.output("split"))}, smaller=True, runs=5)
    yield Case("tables/promptify 1 M records", "s", t.promptify,
               {"pandas, apply": p["tables"].question("prompt", d.table, d.root / "share/templates/financial-sentiment.txt", d.output("prompted.csv"))}, smaller=True, runs=3)
    yield Case("tables/score 1 M records", "s", lambda: t.seconds("score", "--report", "sklearn", d.predictions()),
               {"scikit-learn, labels in memory": p["tables"].question("report", 1000000)}, smaller=True, runs=3)


def from_disk(path, *command):
    """Seconds of a command when the file at PATH is not in memory."""
    os.sync()
    with open(path, "rb") as f:
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return run(*command)[0]


def files(t):
    d = t.data

    def weights():
        return d.model() / "model.safetensors"

    yield Case("quantize-nf4/4 layers of Phi-2, fp16", "s", smaller=True, runs=3,
               ours=lambda: t.seconds("quantize-nf4", d.model(), "-o", f"{d.output('quantized')}/", "--force"),
               limits={"reading the file": lambda: run("cat", weights())[0],
                       "writing as much": lambda: run("dd", "if=/dev/zero", f"of={d.output('written')}", "bs=256K", "status=none",
                                                      f"count={(d.nf4() / 'model.safetensors').stat().st_size >> 18}")[0]})
    yield Case("quantize-nf4/the same, from disk", "s", smaller=True, runs=3,
               ours=lambda: from_disk(weights(), d.tools / "quantize-nf4", d.model(), "-o", f"{d.output('quantized')}/", "--force"),
               limits={"reading the file": lambda: from_disk(weights(), "cat", weights())})
    yield Case("start/peek --version", "ms", lambda: t.start(d.tools / "peek", "--version"),
               limits={"starting true": lambda: t.start("true")}, smaller=True)
    yield Case("start/peek --count of 8 records", "ms",
               lambda: t.start(d.tools / "peek", "--count", d.tokens("tiny.zst", 8, 32, 500)),
               limits={"starting true": lambda: t.start("true")}, smaller=True)


def cases(programs, data, names, threads):
    t = Tools(data, threads)
    yield from training(t, programs)
    yield from prediction(t, programs)
    yield from small_model(t, programs)
    yield from text(t, programs)
    yield from tables(t, programs)
    yield from files(t)
