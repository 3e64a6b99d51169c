"""The texts of ../shared whose ids are compared with Hugging Face's; for tokens.t and make-tokens."""
import csv
import io

SPACES = " " * 12
PROMPT = ("The sentiment of the following phrase: '{}' is \n" + SPACES + "\n\n Positive\n" + SPACES + "\n Negative\n"
          + SPACES + "\n Neutral\n" + SPACES + "\n Cannot be determined\n" + SPACES
          + "\n\nSolution: The correct option is")


def financial(shared):
    data = (shared / "data/financial-news/all-data.csv").read_bytes().decode("utf-8", "replace")
    return list(csv.reader(io.StringIO(data, newline="")))


def vectors(shared):
    text = (shared / "data/tokenizers/vectors/ggml-vocab-gpt-2.gguf.inp").read_bytes().decode()
    return text.split("\n__ggml_vocab_test__\n")


def sets(shared):
    """Yields (name, tokenizer, texts)."""
    rows = financial(shared)
    yield "financial-texts", "phi-2", [text for _, text in rows]
    yield "financial-prompts", "phi-2", [PROMPT.format(text).strip() for _, text in rows]
    yield "financial-training", "phi-2", [(PROMPT.format(text) + " " + label).strip() for label, text in rows]
    blns = (shared / "corpora/blns/blns.txt").read_bytes().decode()
    yield "naughty-strings", "phi-2", blns.split("\n")
    yield "naughty-file", "phi-2", [blns]
    yield "naughty-strings-gpt-2", "gpt-2", blns.split("\n")
    yield "vectors-gpt-2", "gpt-2", vectors(shared)
