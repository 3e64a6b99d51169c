"""Models, texts and tables for the measurements, made once under build/bench."""
import json
import os
import random
import subprocess
import tempfile
from pathlib import Path

WORDS = ("profit rose sharply while sales of the unit fell short again today company said on monday its net "
         "result for first quarter would be above market expectations operating margin improved").split()


class Data:
    def __init__(self, root, folder, tools, shared):
        self.root, self.folder, self.tools, self.shared = root, folder, tools, shared
        folder.mkdir(parents=True, exist_ok=True)
        phi2 = shared / "data/phi-2"
        self.tokenizer = phi2 if phi2.exists() else root / "pipelines/tiny"
        self.random = random.Random(7)
        self.memory = tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else folder)

    def path(self, name):
        return self.folder / name

    def output(self, name):
        """Where a result goes that nobody needs: into memory where it can, disks differ too much."""
        return Path(self.memory.name) / name

    def tool(self, name, *words, **options):
        return subprocess.run([str(self.tools / name), *map(str, words)], check=True, stderr=subprocess.DEVNULL, **options)

    def made(self, name, make):
        """PATH of NAME, which MAKE writes unless it is there."""
        path = self.path(name)
        if not path.exists():
            make(path)
        return path

    def model(self, layers=4):
        return self.made(f"model{layers}", lambda p: self.tool("mkmodel", "--like", "phi-2", "--layers", layers, "--tokenizer",
                                                               self.tokenizer, "-o", f"{p}/"))

    def nf4(self, layers=4):
        return self.made(f"nf4-{layers}", lambda p: self.tool("quantize-nf4", "--device", "cpu", self.model(layers), "-o", f"{p}/"))

    def smollm2(self):
        """The GGUF file of pipelines/smollm2 where it was fetched, else None."""
        done = subprocess.run([str(self.root / "pipelines/smollm2/fetch")], capture_output=True, text=True,
                              env={**os.environ, "PIP": "false"})
        return done.stdout.strip() if done.returncode == 0 else None

    def smollm2_folder(self):
        """The same values as a Hugging Face folder, for the rivals."""
        return self.made("smollm2", lambda p: self.tool("quantize-nf4", "--dequantize", self.smollm2(), "-o", f"{p}/"))

    def tiny(self):
        return self.made("tiny", lambda p: self.tool("mkmodel", "--hidden", 64, "--layers", 2, "--heads", 4, "--vocab",
                                                     512, "--tokenizer", self.root / "pipelines/tiny", "-o", f"{p}/"))

    def tokens(self, name, records, length, vocab=50000):
        """A stream of random ids, LENGTH of them a record."""
        def make(path):
            rows = ({"id": i, "ids": [self.random.randrange(vocab) for _ in range(length)]} for i in range(records))
            text = "".join(json.dumps(r) + "\n" for r in rows)
            self.tool("peek", "--from-jsonl", "--kind", "tokens", "-o", path, input=text.encode())
        return self.made(name, make)

    def prompts(self, name="prompts.zst", tokenizer=None):
        """The article's test prompts, or those of words at random where its table is not there."""
        article = self.shared / "data/financial-news/archive.zip"

        def make(path):
            split = ["--recipe", "seed", article] if article.exists() else \
                ["--train", 0.1, "--test", 0.9, self.made("small.csv", lambda p: self.rows(p, 1000))]
            a = self.tool("split-stratified", *split, stdout=subprocess.PIPE).stdout
            b = self.tool("promptify", "-t", "financial-sentiment", input=a, stdout=subprocess.PIPE).stdout
            self.tool("tokenize", "-m", tokenizer or self.tokenizer, "-o", path, input=b)
        return self.made(name, make)

    def prompt_ids(self, name, tokenizer, count):
        """The first COUNT of these prompts, a line of token ids each."""
        def make(path):
            rows = self.tool("peek", "--jsonl", self.prompts(name, tokenizer), stdout=subprocess.PIPE).stdout.splitlines()
            ids = [r["ids"] for r in map(json.loads, rows) if "ids" in r]
            path.write_text("".join(" ".join(map(str, x)) + "\n" for x in ids[:count]))
        return self.made(f"{Path(name).stem}-{count}.txt", make)

    def completions(self, name, tokenizer):
        """The training records among them, a line each: how many ids are the prompt's, and all of its ids."""
        def make(path):
            rows = self.tool("peek", "--jsonl", self.prompts(name, tokenizer), stdout=subprocess.PIPE).stdout.splitlines()
            rows = [r for r in map(json.loads, rows) if r.get("split") == "train"]
            path.write_text("".join(" ".join(map(str, [r["n_prompt"], *r["ids"]])) + "\n" for r in rows))
        return self.made(f"{Path(name).stem}-completions.txt", make)

    def sentence(self, least):
        text = ""
        while len(text) < least:
            text += self.random.choice(WORDS) + " "
        return text.strip()

    def texts(self):
        """English texts of 1,000 bytes, a line each; words at random where the corpus is not there."""
        def make(path):
            parts, corpus = [], sorted((self.shared / "data/corpus").glob("*.zst"))
            for f in corpus:
                text = subprocess.run(["zstd", "-dcq", f], check=True, capture_output=True).stdout.decode()
                text = " ".join(text.replace("<|endoftext|>", " ").split())
                parts += [text[i:i + 1000] for i in range(0, len(text), 1000)]
            path.write_text("\n".join(parts[::2] or [self.sentence(1000) for _ in range(16000)]) + "\n")
        return self.made("texts", make)

    def rows(self, path, n):
        """N rows of label and text, about 90 bytes each."""
        with open(path, "w") as f:
            f.write("label,text\n")
            for i in range(n):
                f.write(f"{('positive', 'neutral', 'negative')[i * 7 % 3]},{self.sentence(74)} {i}\n")

    def table(self):
        return self.made("table.csv", lambda p: self.rows(p, 1000000))

    def predictions(self):
        """A million records with label and pred, three of four right."""
        def make(path):
            names = ("positive", "neutral", "negative")
            text = "".join('{"id":%d,"label":"%s","pred":"%s"}\n' % (i, names[i * 7 % 3], names[(i * 7 + (i % 4 == 0)) % 3])
                           for i in range(1000000))
            self.tool("peek", "--from-jsonl", "--kind", "predictions", "-o", path, input=text.encode())
        return self.made("predictions.zst", make)
