"""transformers, PEFT and bitsandbytes: LoRA steps, generate, batched forward, on the device that
DEVICE names, else the CPU.

A dtype is float32 or bfloat16, with "nf4-" before it for bitsandbytes' 4-bit weights.
"""
import os
import resource
import time
from functools import lru_cache
from itertools import cycle

from serve import serve

TARGETS = "all-linear"
DEVICE = os.environ.get("DEVICE", "cpu")


@lru_cache(maxsize=1)
def base(dtype, path):
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig
    torch.manual_seed(0)
    compute = getattr(torch, dtype.removeprefix("nf4-"))
    options = {}
    if dtype.startswith("nf4-"):
        options["quantization_config"] = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4",
                                                            bnb_4bit_compute_dtype=compute)
    return AutoModelForCausalLM.from_pretrained(path, dtype=compute, device_map={"": DEVICE}, **options)


@lru_cache(maxsize=1)
def trainer(dtype, path):
    import peft
    import torch
    model = base(dtype, path)
    for p in model.parameters():
        p.requires_grad = False
    model = peft.get_peft_model(model, peft.LoraConfig(r=16, lora_alpha=16, lora_dropout=0.05, bias="none",
                                                       task_type="CAUSAL_LM", target_modules=TARGETS))
    model.train()
    weights = [p for p in model.parameters() if p.requires_grad]
    return model, weights, torch.optim.AdamW(weights, lr=2e-4)


def forget(kind, *words):
    """One model at a time fits: a question for another one begins with none."""
    if forget.last not in (None, (kind, *words)):
        trainer.cache_clear()
        base.cache_clear()
    forget.last = (kind, *words)


forget.last = None


def ids(count, length, vocab):
    import torch
    return torch.randint(0, min(50000, vocab), (count, length), device=DEVICE)


def now():
    """Seconds, when all that was asked of the device is done."""
    if DEVICE != "cpu":
        import torch
        torch.cuda.synchronize()
    return time.perf_counter()


def one_step(dtype, path, records, length):
    import torch
    model, weights, optimizer = trainer(dtype, path)
    batch = ids(records, length, model.config.vocab_size)
    start = now()
    for x in batch.split(1):
        (model(input_ids=x, labels=x).loss / records).backward()
    torch.nn.utils.clip_grad_norm_(weights, 0.3)
    optimizer.step()
    optimizer.zero_grad()
    return records * length / (now() - start)


def step(dtype, path):
    forget("train", dtype, path)
    return one_step(dtype, path, 8, 95)


def step_at_once(dtype, path, records, length):
    """Tokens a second of a step with all records in one batch."""
    import torch
    forget("train", dtype, path)
    model, weights, optimizer = trainer(dtype, path)
    batch = ids(int(records), int(length), model.config.vocab_size)
    start = now()
    model(input_ids=batch, labels=batch).loss.backward()
    torch.nn.utils.clip_grad_norm_(weights, 0.3)
    optimizer.step()
    optimizer.zero_grad()
    return batch.numel() / (now() - start)


@lru_cache(maxsize=1)
def completions(path):
    """The records of a file without end: how many ids are the prompt's, and all ids."""
    with open(path) as file:
        rows = [[int(x) for x in line.split()] for line in file]
    return cycle((r[0], r[1:]) for r in rows)


def step_of_completions(dtype, path, records, at_once):
    """Tokens a second, padding not counted, of a step with the next AT_ONCE of these records in one batch, and the
    loss of what follows their prompts."""
    import torch
    forget("train", dtype, path)
    model, weights, optimizer = trainer(dtype, path)
    some = [next(completions(records)) for _ in range(int(at_once))]
    width = max(len(ids) for _, ids in some)

    def batch(row, filling):
        return torch.tensor([row(n, ids) + [filling] * (width - len(ids)) for n, ids in some], device=DEVICE)
    start = now()
    model(input_ids=batch(lambda n, ids: ids, 0), attention_mask=batch(lambda n, ids: [1] * len(ids), 0),
          labels=batch(lambda n, ids: [-100] * n + ids[n:], -100)).loss.backward()
    torch.nn.utils.clip_grad_norm_(weights, 0.3)
    optimizer.step()
    optimizer.zero_grad()
    return sum(len(ids) for _, ids in some) / (now() - start)


def memory(dtype, path):
    """Peak memory of the process in MB with one step of 512 tokens."""
    one_step(dtype, path, 1, 512)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def generate(dtype, path, prompts, length, new):
    """Prompts a second, one after another as the article's script does."""
    import torch
    forget("run", dtype, path)
    model = base(dtype, path).eval()
    batch = ids(int(prompts), int(length), model.config.vocab_size)
    start = now()
    with torch.no_grad():
        for x in batch.split(1):
            model.generate(x, attention_mask=torch.ones_like(x), max_new_tokens=int(new), do_sample=False,
                           pad_token_id=0)
    return int(prompts) / (now() - start)


def batched(dtype, path, prompts, length):
    """Prompts a second, all in one forward pass, the head for the last token only."""
    import torch
    forget("run", dtype, path)
    model = base(dtype, path).eval()
    batch = ids(int(prompts), int(length), model.config.vocab_size)
    start = now()
    with torch.no_grad():
        model(batch, logits_to_keep=1)
    return int(prompts) / (now() - start)


def padded(dtype, path, prompts, at_once):
    """Prompts a second: those of a file, a line of token ids each, padded on the left to the longest of AT_ONCE in
    their order, the head for the last token only."""
    import torch
    forget("run", dtype, path)
    model = base(dtype, path).eval()
    with open(prompts) as file:
        rows = [[int(x) for x in line.split()] for line in file]
    start = now()
    with torch.no_grad():
        for i in range(0, len(rows), int(at_once)):
            some = rows[i:i + int(at_once)]
            width = max(map(len, some))
            batch = torch.tensor([[0] * (width - len(r)) + r for r in some], device=DEVICE)
            there = torch.tensor([[0] * (width - len(r)) + [1] * len(r) for r in some], device=DEVICE)
            model(batch, attention_mask=there, logits_to_keep=1).logits.argmax(-1)
    return len(rows) / (now() - start)


serve({"step": step, "step_at_once": step_at_once, "step_of_completions": step_of_completions, "memory": memory,
       "generate": generate, "batched": batched, "padded": padded})
