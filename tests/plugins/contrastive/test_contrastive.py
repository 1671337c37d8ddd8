import math

import numpy as np
import pytest
import torch
from torch import nn

from solera.api import ContrastiveTask, InputError, Network, QuietContext, TaskError
from solera_plugins.contrastive.files import contrastive

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5)).astype(np.float32)
Y = np.arange(40) % 3
TEXTS = RNG.normal(size=(3, 4)).astype(np.float32)
PROMPTS = RNG.normal(size=(3, 6, 4)).astype(np.float32)


def tower():
    made = nn.Linear(5, 4, bias=False)
    with torch.no_grad():
        made.weight.copy_(torch.from_numpy(np.random.default_rng(1).normal(size=(4, 5))))
    return made


def save(tmp_path, **arrays):
    np.savez(tmp_path / "data.npz", **{"x": X, "y": Y, "texts": TEXTS, **arrays})
    return tmp_path / "data.npz"


def score(task, network, split="report"):
    return task.prepare(split, device="cpu")(network, QuietContext())


def slow(network, i, texts, temperature):
    """Loss and answer of one image, by hand in double precision."""
    image = network(torch.from_numpy(X[i])).detach().double().numpy()
    cosines = []
    for text in texts.astype(np.float64):
        rows = text.reshape(-1, 4)
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        mean = rows.mean(axis=0)
        cosines.append(float(image @ mean / np.linalg.norm(image) / np.linalg.norm(mean)) / temperature)
    top = max(cosines)
    return math.log(sum(math.exp(each - top) for each in cosines)) + top - cosines[Y[i]], cosines.index(top) == Y[i]


@pytest.mark.parametrize("texts", [TEXTS, PROMPTS], ids=["classes", "prompts"])
@pytest.mark.parametrize("temperature", [0.01, 0.5])
def test_the_nearest_text_is_the_answer(texts, temperature):
    task = ContrastiveTask("zero", lambda split: (X, Y), lambda: texts, temperature=temperature, chunk=7)
    loss, right = score(task, tower())
    for i in range(40):
        want, answer = slow(tower(), i, texts, temperature)
        assert loss.samples[i] == pytest.approx(want, rel=1e-4, abs=1e-4)
        assert right.samples[i] == float(answer)
    assert loss.value == pytest.approx(loss.samples.mean(), rel=1e-6)


def test_features_are_found_in_what_a_library_gives():
    class Output:
        def __init__(self, **found):
            self.__dict__.update(found)

    class Whole(nn.Module):
        def __init__(self, place):
            super().__init__()
            self.tower, self.place = tower(), place

        def forward(self, x):
            return Output(**{self.place: self.tower(x), "last_hidden_state": x})

    class Clip(Whole):
        def forward(self, x):
            raise AssertionError("only its image side is asked")

        def get_image_features(self, x):
            return Output(pooler_output=self.tower(x))

    task = ContrastiveTask("zero", lambda split: (X, Y), lambda: TEXTS)
    want = score(task, tower())[0].value
    for network in (Whole("image_embeds"), Whole("pooler_output"), Clip(""), Network(Clip("")), Network(tower())):
        assert score(task, network)[0].value == pytest.approx(want, rel=1e-6)


def test_a_clip_of_transformers_is_scored_on_pictures():
    transformers = pytest.importorskip("transformers")
    small = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    config = transformers.CLIPConfig(
        text_config={**small, "vocab_size": 10, "max_position_embeddings": 4},
        vision_config={**small, "image_size": 8, "patch_size": 4},
        projection_dim=4,
    )
    clip = transformers.CLIPModel(config).eval()
    pictures = RNG.normal(size=(6, 3, 8, 8)).astype(np.float32)
    task = ContrastiveTask("zero", lambda split: (pictures, Y[:6]), lambda: TEXTS)
    loss, _ = score(task, Network(clip))
    with torch.no_grad():
        features = clip.visual_projection(clip.vision_model(torch.from_numpy(pictures)).pooler_output)
    logits = 100 * nn.functional.normalize(features) @ nn.functional.normalize(torch.from_numpy(TEXTS)).T
    want = nn.functional.cross_entropy(logits, torch.from_numpy(Y[:6]))
    assert loss.value == pytest.approx(float(want), rel=1e-4)


def test_a_file_and_its_splits(tmp_path):
    task = contrastive("zero", data=save(tmp_path))
    assert [task.columns(split)[0].count for split in ("train", "selection", "report")] == [24, 6, 10]
    words = np.array(["selection", "report", "report", "train"] * 10)
    named = contrastive("zero", data=save(tmp_path, split=words), temperature=0.1)
    want = ContrastiveTask("zero", lambda split: (X[words == split], Y[words == split]), lambda: TEXTS, temperature=0.1)
    assert score(named, tower(), "selection")[0].value == score(want, tower(), "selection")[0].value
    assert named.columns("report")[0].count == 20


def test_what_does_not_fit_is_a_sentence(tmp_path):
    def read(**arrays):
        return contrastive("zero", data=save(tmp_path, **arrays))

    with pytest.raises(TaskError, match="text embeddings of 4 numbers; the network gave features of shape"):
        score(read(), nn.Linear(5, 3))
    with pytest.raises(TaskError, match="cannot take the inputs"):
        score(read(), nn.Linear(3, 4))
    for arrays, said in (
        ({"y": Y + 1}, "integers from 0 to 2, one for each text embedding; got torch.int64 up to 3"),
        ({"y": Y.astype(float)}, "integers from 0"),
        ({"y": Y[:3]}, "do not fit each other"),
        ({"texts": TEXTS[0]}, r"shape \(classes, width\)"),
        ({"texts": np.zeros_like(TEXTS)}, "is zero or not a number"),
        ({"split": np.array(["exam"] * 40)}, "the words exam"),
        ({"split": np.array(["train"] * 40)}, "no data on the report"),
    ):
        with pytest.raises(TaskError, match=said):
            read(**arrays).columns("report")
    np.savez(tmp_path / "less.npz", x=X)
    with pytest.raises(TaskError, match="has no array y, texts"):
        contrastive("zero", data=tmp_path / "less.npz").columns("report")
    with pytest.raises(TaskError, match="no file"):
        contrastive("zero", data=tmp_path / "none.npz").columns("report")
    with pytest.raises(InputError, match="above 0"):
        ContrastiveTask("zero", lambda split: (X, Y), lambda: TEXTS, temperature=0.0)
