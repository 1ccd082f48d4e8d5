"""Trains the tiny model, or its draft: python3 train.py --shape tiny. Stopped at any time, it goes on from its last
checkpoint. PyTorch from Debian is enough (python3-torch, libopenblas0-openmp); a GPU is used when there is one."""

import argparse
import json
import os
import pathlib
import time
import zlib

import numpy
import torch
from torch.nn import functional

from bpe import Tokenizer
from network import SHAPES, Network


def replace(path, write):
    """Writes a file whole or not at all: write(file). A stop in between leaves the former one."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        write(file)
    os.replace(part, path)


# --- Batches -----------------------------------------------------------------------------------------------------------

class Corpus:
    """Every conversation's ids, end to end, and which of them are answers."""

    def __init__(self, conversations):
        tokenizer = conversations.with_name("tokenizer.json")
        self.n_vocab = len(Tokenizer.load(tokenizer))
        self.tokenizer_sum = zlib.crc32(tokenizer.read_bytes())
        cached = conversations.with_suffix(".npz")
        if not cached.exists() or cached.stat().st_mtime < max(path.stat().st_mtime for path in (tokenizer, conversations)):
            replace(cached, lambda file: numpy.savez(file, **self.encode(conversations, Tokenizer.load(tokenizer))))
        with numpy.load(cached) as arrays:
            self.ids, self.is_answer, self.starts = arrays["ids"], arrays["is_answer"], arrays["starts"]

    @staticmethod
    def encode(conversations, tokenizer):
        ids, is_answer, starts = [], [], [0]
        for line in conversations.open(encoding="utf-8"):
            more, answers = tokenizer.encode_conversation(json.loads(line))
            ids += more
            is_answer += answers
            starts.append(len(ids))
        return {"ids": numpy.array(ids, numpy.uint16), "is_answer": numpy.array(is_answer, bool),
                "starts": numpy.array(starts, numpy.int64)}

    def __len__(self):
        return len(self.starts) - 1

    def length(self, i):
        return self.starts[i + 1] - self.starts[i]

    def row(self, conversations, n_tokens):
        """The conversations behind each other, cut or padded (id 0, never learnt) to n_tokens + 1: (ids, is_answer)."""
        picked = numpy.concatenate([numpy.arange(self.starts[c], self.starts[c + 1]) for c in conversations])
        picked = picked[:n_tokens + 1]
        padding = (0, n_tokens + 1 - len(picked))
        return numpy.pad(self.ids[picked], padding), numpy.pad(self.is_answer[picked], padding)


def epoch_batches(corpus, n_ctx, n_tokens, random):
    """One epoch as a list of batches, each a list of rows, each a list of conversations. Nine in ten conversations stand
    alone, among others of nearly their length; the rest fill whole contexts, as a chat does that changes its subject."""
    order = random.permutation(len(corpus))
    n_packed = len(order) // 10
    batches = []

    rows, row, length = [], [], 0
    for c in order[:n_packed]:
        row.append(c)
        length += corpus.length(c)
        if length > n_ctx:
            rows.append(row)
            row, length = [], 0
    n_rows = n_tokens // n_ctx
    batches += [(n_ctx, rows[i:i + n_rows]) for i in range(0, len(rows), n_rows)]

    alone = sorted(order[n_packed:], key=corpus.length)  # stable: equals stay in random order
    rows = []
    for c in alone:
        length = min(int(corpus.length(c)) - 1, n_ctx)
        if rows and (len(rows) + 1) * length > n_tokens:
            batches.append((longest, rows))
            rows = []
        rows.append([c])
        longest = length
    batches.append((longest, rows))
    return [batches[i] for i in random.permutation(len(batches))]


def tensors(corpus, batch, prompt_share, random, device):
    """Inputs [n_rows, n_tokens], and of the rows of the flattened batch to learn from: which they are, and their targets.
    All of the answers are learnt, and of the rest a share, anew each time."""
    n_tokens, rows = batch
    ids, is_answer = map(numpy.stack, zip(*(corpus.row(row, n_tokens) for row in rows)))
    inputs, targets, learnt = ids[:, :-1], ids[:, 1:].ravel(), is_answer[:, 1:].ravel()
    learnt = learnt | ((random.random(learnt.shape) < prompt_share) & (targets != 0))
    chosen = numpy.flatnonzero(learnt)
    return [torch.from_numpy(a.astype(numpy.int64)).to(device) for a in (inputs, chosen, targets[chosen])]


# --- Training ----------------------------------------------------------------------------------------------------------

def learning_rate(step, n_steps, peak, n_warmup):
    """Rises linearly, then falls linearly to nothing."""
    return peak * min((step + 1) / n_warmup, (n_steps - step) / (n_steps - n_warmup), 1)


def optimizer_of(network, weight_decay):
    matrices = [p for p in network.parameters() if p.dim() == 2]
    norms = [p for p in network.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": norms, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.99))


class Training:
    def __init__(self, options):
        self.options = options
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.corpus = Corpus(options.corpus)
        self.shape = SHAPES[options.shape]
        # What a run must keep to be the same after a stop.
        self.settings = {name: getattr(options, name) for name in (
            "shape", "steps", "batch_tokens", "peak_rate", "warmup", "weight_decay", "prompt_share", "seed")}
        self.settings["corpus"] = zlib.crc32(self.corpus.ids.tobytes())
        self.checkpoint = options.out / f"{options.shape}.pt"
        torch.manual_seed(options.seed)
        self.network = Network(self.shape, self.corpus.n_vocab).to(self.device)
        self.optimizer = optimizer_of(self.network, options.weight_decay)
        self.epoch, self.next_batch, self.step = 0, 0, 0
        if self.checkpoint.exists():
            self.resume()
        elif options.start_from:
            self.start_from(options.start_from)

    def start_from(self, checkpoint):
        state = torch.load(checkpoint, map_location=self.device)
        if state["shape"] != self.options.shape or state["tokenizer"] != self.corpus.tokenizer_sum:
            raise SystemExit(f"{checkpoint} is of shape {state['shape']}, or has another vocabulary")
        self.network.load_state_dict(state["network"])

    def resume(self):
        state = torch.load(self.checkpoint, map_location=self.device)
        differ = [name for name, value in self.settings.items() if state["settings"].get(name) != value]
        if differ:
            raise SystemExit(f"{self.checkpoint} was trained with another {', '.join(differ)}: "
                             f"{state['settings']}; choose another --out")
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.next_batch, self.step = state["position"]
        print(f"goes on from {self.checkpoint}, step {self.step}")

    def save(self):
        state = {"shape": self.options.shape, "settings": self.settings, "tokenizer": self.corpus.tokenizer_sum,
                 "network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(),
                 "position": (self.epoch, self.next_batch, self.step)}
        replace(self.checkpoint, lambda file: torch.save(state, file))

    def batches_of(self, epoch):
        random = numpy.random.default_rng([self.options.seed, epoch])
        return epoch_batches(self.corpus, self.shape.n_ctx, self.options.batch_tokens, random)

    def learn(self, batch):
        random = numpy.random.default_rng([self.options.seed, self.epoch, self.next_batch])
        inputs, rows, targets = tensors(self.corpus, batch, self.options.prompt_share, random, self.device)
        loss = functional.cross_entropy(self.network(inputs, rows), targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        return loss.item(), inputs.numel()

    def run(self):
        options = self.options
        n_parameters = sum(p.numel() for p in self.network.parameters())
        print(f"{n_parameters} parameters, {len(self.corpus.ids)} tokens, {self.device}", flush=True)
        began, losses, n_tokens = time.monotonic(), [], 0
        batches = self.batches_of(self.epoch)
        while self.step < options.steps:
            if self.next_batch == len(batches):
                self.epoch, self.next_batch = self.epoch + 1, 0
                batches = self.batches_of(self.epoch)
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(self.step, options.steps, options.peak_rate, options.warmup)
            loss, n = self.learn(batches[self.next_batch])
            losses.append(loss)
            n_tokens += n
            self.next_batch += 1
            self.step += 1
            if self.step % options.report == 0 or self.step == options.steps:
                rate = n_tokens / (time.monotonic() - began)
                print(f"step {self.step} of {options.steps}, epoch {self.epoch}, loss {numpy.mean(losses):.4f}, "
                      f"{rate:.0f} tokens/s", flush=True)
                losses = []
                self.save()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0],
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="tiny")
    parser.add_argument("--corpus", type=pathlib.Path, default=pathlib.Path("corpus/train.jsonl"),
                        help="conversations, with tokenizer.json beside them")
    parser.add_argument("--start-from", type=pathlib.Path, help="checkpoint whose weights a new training starts from")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("corpus"), help="folder of the checkpoint")
    parser.add_argument("--steps", type=int, default=11000, help="4,415 of them see train.jsonl once")
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--peak-rate", type=float, default=2e-3)
    parser.add_argument("--warmup", type=int, default=300, help="steps")
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--prompt-share", type=float, default=0.25, help="of the tokens outside answers, learnt")
    parser.add_argument("--report", type=int, default=100, help="steps between reports and checkpoints")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not 0 < options.warmup < options.steps:
        parser.error("--warmup: expected more than 0 and fewer than --steps")
    if options.batch_tokens < SHAPES[options.shape].n_ctx:
        parser.error(f"--batch-tokens: expected at least the context, {SHAPES[options.shape].n_ctx}")
    options.out.mkdir(parents=True, exist_ok=True)
    Training(options).run()


if __name__ == "__main__":
    main()
