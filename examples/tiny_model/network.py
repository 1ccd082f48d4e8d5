"""The network in PyTorch, as the GGUF architecture `llama` defines it: pre-norm blocks of grouped-query attention with
rotary positions over neighbouring pairs, and a SiLU-gated feed-forward part; the output matrix is the embedding's."""

import dataclasses
import math

import torch
from torch import nn
from torch.nn import functional


@dataclasses.dataclass(frozen=True)
class Shape:
    n_layers: int
    n_embd: int
    n_heads: int
    n_kv_heads: int
    n_ffn: int
    n_ctx: int = 512
    rope_base: float = 10000.0
    norm_eps: float = 1e-5

    @property
    def head_dim(self):
        return self.n_embd // self.n_heads


SHAPES = {
    # Widths in multiples of 256, so that the k-quants' superblocks fit.
    "tiny": Shape(n_layers=3, n_embd=256, n_heads=4, n_kv_heads=2, n_ffn=512),
    # For speculative decoding: some 8 % of the weights, three quarters of them the embedding.
    "draft": Shape(n_layers=2, n_embd=64, n_heads=2, n_kv_heads=1, n_ffn=64),
}


class RmsNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


def rotations(shape, n_positions):
    """Complex [n_positions, 1, head_dim / 2]."""
    frequencies = shape.rope_base ** (-torch.arange(0, shape.head_dim, 2).double() / shape.head_dim)
    angles = torch.outer(torch.arange(n_positions).double(), frequencies)
    return torch.polar(torch.ones_like(angles), angles).to(torch.complex64)[:, None]


def rotate(x, rotation):
    """x: [n_sequences, n_tokens, n_heads, head_dim]."""
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * rotation).reshape(x.shape)


class Block(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        n_kv = shape.n_kv_heads * shape.head_dim
        self.attn_norm = RmsNorm(shape.n_embd, shape.norm_eps)
        self.attn_q = nn.Linear(shape.n_embd, shape.n_embd, bias=False)
        self.attn_k = nn.Linear(shape.n_embd, n_kv, bias=False)
        self.attn_v = nn.Linear(shape.n_embd, n_kv, bias=False)
        self.attn_output = nn.Linear(shape.n_embd, shape.n_embd, bias=False)
        self.ffn_norm = RmsNorm(shape.n_embd, shape.norm_eps)
        self.ffn_gate = nn.Linear(shape.n_embd, shape.n_ffn, bias=False)
        self.ffn_up = nn.Linear(shape.n_embd, shape.n_ffn, bias=False)
        self.ffn_down = nn.Linear(shape.n_ffn, shape.n_embd, bias=False)

    def heads(self, x, rotation=None):
        x = x.view(*x.shape[:2], -1, self.shape.head_dim)
        return (x if rotation is None else rotate(x, rotation)).transpose(1, 2)

    def attention(self, x, rotation, mask):
        n_sequences, n_tokens, _ = x.shape
        q = self.heads(self.attn_q(x), rotation)
        k = self.heads(self.attn_k(x), rotation)
        v = self.heads(self.attn_v(x))
        # The query heads of one key head stand behind each other, so that they read it together.
        q = q.reshape(n_sequences, self.shape.n_kv_heads, -1, self.shape.head_dim)
        scores = q @ k.transpose(2, 3) / math.sqrt(self.shape.head_dim)
        scores = scores.view(n_sequences, -1, n_tokens, n_tokens) + mask
        weights = torch.softmax(scores, -1).view(n_sequences, self.shape.n_kv_heads, -1, n_tokens)
        mixed = (weights @ v).view(n_sequences, -1, n_tokens, self.shape.head_dim)
        return self.attn_output(mixed.transpose(1, 2).reshape(x.shape))

    def forward(self, x, rotation, mask):
        x = x + self.attention(self.attn_norm(x), rotation, mask)
        h = self.ffn_norm(x)
        return x + self.ffn_down(functional.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Network(nn.Module):
    """Parameters have the names that GGUF gives the tensors, but for `blocks.`, which is `blk.` there."""

    def __init__(self, shape, n_vocab):
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(n_vocab, shape.n_embd)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.n_layers))
        self.output_norm = RmsNorm(shape.n_embd, shape.norm_eps)
        self.register_buffer("rotation", rotations(shape, shape.n_ctx), persistent=False)
        future = torch.full((shape.n_ctx, shape.n_ctx), float("-inf")).triu(1)
        self.register_buffer("mask", future, persistent=False)
        self.initialize()

    def initialize(self):
        nn.init.normal_(self.token_embd.weight, std=0.02)
        for name, weight in self.blocks.named_parameters():
            if weight.dim() == 2:
                # What is added to the residual stream is scaled down by the number of additions (GPT-2).
                adds = name.endswith(("attn_output.weight", "ffn_down.weight"))
                scale = 1 / math.sqrt(2 * self.shape.n_layers) if adds else 1
                nn.init.normal_(weight, std=scale / math.sqrt(weight.shape[1]))

    def forward(self, ids, rows=slice(None)):
        """ids: [n_sequences, n_tokens]; logits [n_rows, n_vocab] of the chosen rows of the flattened batch."""
        n_tokens = ids.shape[1]
        x = self.token_embd(ids)
        for block in self.blocks:
            x = block(x, self.rotation[:n_tokens], self.mask[:n_tokens, :n_tokens])
        x = self.output_norm(x.reshape(-1, self.shape.n_embd)[rows])
        return x @ self.token_embd.weight.T
