"""What a result must name: the processor with its flags, its cores, and the versions of what ran."""
import os
import platform
import re
import subprocess

VECTOR = ["sse4_2", "avx", "f16c", "fma", "avx2", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_bf16",
          "avx512_vnni", "avx512_fp16", "amx_bf16", "amx_int8"]
LIBRARIES = ["torch", "transformers", "peft", "bitsandbytes", "llama_cpp_python", "tokenizers", "tiktoken", "pandas",
             "scikit-learn"]


def field(name, path="/proc/cpuinfo"):
    with open(path) as f:
        found = re.search(rf"^{name}\s*:\s*(.*)$", f.read(), re.M)
    return found.group(1) if found else "unknown"


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "not installed"


def flags():
    have = field("flags").split()
    return [f for f in VECTOR if f in have]


def rivals(python):
    ask = ("import importlib.metadata as m\nfor n in %r:\n"
           " try: print(n, m.version(n))\n except m.PackageNotFoundError: pass" % LIBRARIES)
    try:
        out = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return {}
    return dict(line.split() for line in out.splitlines())


def describe(limits, python, compiler):
    return {"processor": field("model name"), "flags": flags(), "cores": os.cpu_count(),
            "memory_gb": round(int(field("MemTotal", "/proc/meminfo").split()[0]) / 1e6),
            "system": f"{platform.system()} {platform.release()}", "compiler": first_line(compiler, "--version"),
            "openblas": " ".join(first_line(limits, "--openblas").split()[:2]),
            "openblas_core": os.environ.get("OPENBLAS_CORETYPE", "its own choice"), "rivals": rivals(python)}
