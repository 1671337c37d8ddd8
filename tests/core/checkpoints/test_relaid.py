"""Embeddings laid out for another vocabulary, against the rule applied row by row."""

from __future__ import annotations

import json

import pytest
import torch

from solera.checkpoints.opening import open_checkpoint
from solera.checkpoints.relaid import Wish, lay_out
from solera.checkpoints.tokenizers import read_tokens, united
from solera.errors import CheckpointError, MismatchError
from solera.testing.tiny_llama import WORDS, write_tiny_llama

EMBED, HEAD = "model.embed_tokens.weight", "lm_head.weight"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabularies")
    write_tiny_llama(folder / "base", 0)
    write_tiny_llama(folder / "a", 1, words=(*WORDS, "bodega", "<|x|>"), dtype="bfloat16")
    write_tiny_llama(folder / "b", 2, words=(*WORDS[:6], "flor", *WORDS[6:], "bodega"))
    write_tiny_llama(folder / "tied", 3, words=(*WORDS, "solo"), tied=True)
    return {name: open_checkpoint(folder / name) for name in ("base", "a", "b", "tied")}


def view(models, own, names=("base", "a", "b"), base=0, wishes=None, multiple=1, vocabulary="union"):
    lenders = [(models[name], read_tokens(models[name])) for name in names]
    found = lenders[0][1] if vocabulary == "union" else read_tokens(models[vocabulary])
    tokens = united(found, [known for _, known in lenders] if vocabulary == "union" else (), wishes or {})
    return lay_out(
        models[own], lenders, names.index(own), tokens, found, wishes or {}, multiple, base
    ), tokens  # fmt: skip


def row(checkpoint, name, token):
    ids = read_tokens(checkpoint).ids
    return checkpoint[name].read().float()[ids[token]]


def test_every_row_is_its_own_or_lent(models):
    made, tokens = view(models, "base")
    assert list(tokens.ids) == [*WORDS, "bodega", "<|x|>", "flor"]
    for name in (EMBED, HEAD):
        table = made[name].read()
        assert table.shape == (15, 16)
        assert table.dtype == torch.float32
        for token, number in tokens.ids.items():
            have = [m for m in ("base", "a", "b") if token in read_tokens(models[m]).ids]
            lent = [row(models[m], name, token) for m in (["base"] if "base" in have else have)]
            assert torch.equal(table[number], sum(lent) / len(lent)), token
    assert torch.equal(made["model.norm.weight"].read(), models["base"]["model.norm.weight"].read())


def test_the_base_goes_before_the_mean(models):
    made, tokens = view(models, "b", names=("a", "b"), base=0)
    assert torch.equal(made[EMBED].read()[tokens.ids["<|x|>"]], row(models["a"], EMBED, "<|x|>"))
    made, tokens = view(models, "base", names=("a", "base", "b"), base=0)
    assert torch.equal(made[EMBED].read()[tokens.ids["bodega"]], row(models["a"], EMBED, "bodega"))


def test_any_run_of_elements_reads_the_same(models):
    made, _ = view(models, "a", multiple=8)
    whole = made[HEAD].read().reshape(-1)
    assert whole.numel() == 16 * 16
    for start, stop in ((0, 1), (5, 37), (16, 32), (200, 256), (239, 241), (255, 256)):
        assert torch.equal(made[HEAD].read(start, stop), whole[start:stop])
    assert torch.allclose(whole.view(16, 16)[15], whole.view(16, 16)[:15].mean(0), atol=1e-7)


def test_rows_said_outright(models):
    wishes = {
        "oak": Wish(zero=True, force=True),
        "the": Wish(lender=2, force=True),
        "new": Wish(lender=2, token="flor"),
    }
    wishes["by id"] = Wish(lender=1, token=4)
    made, tokens = view(models, "base", wishes=wishes)
    table = made[EMBED].read()
    assert torch.equal(table[tokens.ids["oak"]], torch.zeros(16))
    assert torch.equal(table[tokens.ids["the"]], row(models["b"], EMBED, "the"))
    assert torch.equal(table[tokens.ids["new"]], row(models["b"], EMBED, "flor"))
    assert torch.equal(table[tokens.ids["by id"]], models["a"][EMBED].read()[4].float())
    with pytest.raises(MismatchError, match="which its lender has not"):
        view(models, "base", wishes={"x": Wish(lender=0, token="flor")})


def test_config_and_tokenizer_follow(models, tmp_path):
    made, tokens = view(models, "base")
    assert made.config["vocab_size"] == 15
    written = json.loads(made.generated["tokenizer.json"])
    assert [(e["content"], e["id"]) for e in written["added_tokens"][-3:]] == [
        ("bodega", 12),
        ("<|x|>", 13),
        ("flor", 14),
    ]
    assert made.generated["vocab.json"] is None
    assert read_tokens(made).ids == tokens.ids
    plain, _ = view(models, "base", vocabulary="b")
    assert plain.generated["tokenizer.json"] == models["b"].folder / "tokenizer.json"


def test_a_tied_head_is_lent_from_the_embedding(models):
    made, tokens = view(models, "base", names=("base", "tied"))
    assert torch.equal(made[HEAD].read()[tokens.ids["solo"]], row(models["tied"], EMBED, "solo"))
    tied, _ = view(models, "tied", names=("base", "tied"))
    assert HEAD not in tied


def test_what_cannot_be_laid_out(models, tmp_path):
    bare = open_checkpoint(write_tiny_llama(tmp_path / "bare", 4, tokenizer=False))
    with pytest.raises(CheckpointError, match="has no tokenizer"):
        read_tokens(bare)
    (tmp_path / "bare" / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_tokens(bare)
