"""Runs with class weights and label smoothing: make-classes asks PyTorch about them, classes.t lora-train."""
STEPS, RATE, DECAY, CLIP = 10, 2e-3, 0.1, 0.3     # constant rate, AdamW as in PyTorch
LABELS = ["a", "b", "c"]
WEIGHTS = {"a": 0.25, "b": 1, "c": 3.5}


def label(token):
    """Of a record whose last token it is; c is rare."""
    return LABELS[token % 5 % 3]


def run(model, loss, norm, batch, accum, weights=None, smoothing=0):
    return dict(model=model, loss=loss, norm=norm, batch=batch, accum=accum, weights=weights, smoothing=smoothing)


# loss: all, the completion, or the last token alone, which then is the class as in a classifier
RUNS = [
    run("phi-tiny", "last", "micro", 8, 1, WEIGHTS),
    run("phi-tiny", "last", "micro", 8, 1, None, 0.1),
    run("phi-tiny", "all", "micro", 1, 4, WEIGHTS),
    run("phi-tiny", "all", "micro", 2, 3, WEIGHTS, 0.2),
    run("phi-tiny", "completion", "tokens", 2, 2, WEIGHTS, 0.1),
    run("phi-tiny", "all", "tokens-unshifted", 1, 4, WEIGHTS),
    run("llama-odd", "last", "micro", 8, 1, WEIGHTS),
    run("llama-odd", "all", "micro", 1, 4, None, 0.1),
    run("llama-odd", "all", "tokens", 3, 2, WEIGHTS, 0.5),
]


def records(rows, loss):
    """The records with their labels, and with a completion of one token for "last"."""
    return [{**r, "split": "train", "label": label(r["ids"][-1]), "n_prompt": len(r["ids"]) - 1 if loss == "last" else r["n_prompt"]}
            for r in rows]


def first_target(record, loss):
    return 1 if loss == "all" else record["n_prompt"]
