"""What training is given: pairs it may see, batches whose wrong captions are wrong, and a loss that knows it."""

from random import Random

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch, which the demo itself does not")

from demo.evaluate import held_out  # noqa: E402
from demo.scenes import EVALUATION_SEEDS, TRAINING_SEEDS  # noqa: E402
from demo.scenes.facts import encode_scenes  # noqa: E402
from demo.training import pictures  # noqa: E402
from demo.training.batches import batches  # noqa: E402
from demo.training.bpe import END, PAD, START, token_id, train_tokenizer  # noqa: E402
from demo.training.loss import contrastive_loss  # noqa: E402
from demo.training.towers import TextTower  # noqa: E402


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["two red balloons over a beach", "a cat in the snow at night"] * 20)


def test_training_sees_no_evaluation_scene_nor_any_that_says_the_same():
    kept = [item.scene for item in held_out()]
    pairs = pictures.training_pairs(2000, kept)
    assert len(pairs) == 2000
    seen = [scene for pair in pairs for scene in pair]
    assert all(scene.seed in TRAINING_SEEDS and scene.seed not in EVALUATION_SEEDS for scene in seen)
    views = {view.tobytes() for views in encode_scenes(kept) for view in views}
    assert not views & {views[0].tobytes() for views in encode_scenes(seen)}
    # And it would leave out a scene that an evaluation shared with it.
    shared = pairs[0][0]
    assert shared not in [pair[0] for pair in pictures.training_pairs(10, [*kept, shared])]


def test_drawn_pictures_are_kept_and_used_again(tmp_path, monkeypatch):
    pairs = pictures.training_pairs(3, [])
    *progress, drawn = pictures.load(pairs, tmp_path, processes=1)
    assert progress == [3]
    assert drawn.pixels.shape == (3, 2, pictures.SIDE, pictures.SIDE, 3)
    assert np.abs(drawn.pixels[:, 0].astype(int) - drawn.pixels[:, 1]).mean() > 1
    monkeypatch.setattr(pictures, "_draw_pairs", None)
    (again,) = pictures.load(pairs, tmp_path, processes=1)
    np.testing.assert_array_equal(again.pixels, drawn.pixels)


def test_batches_know_which_captions_are_true(tokenizer):
    pairs = pictures.training_pairs(8, [])
    pixels = np.zeros((8, 2, pictures.SIDE, pictures.SIDE, 3), np.uint8)
    (batch, _) = batches(pictures.Pictures(pixels, pairs), tokenizer, 4, Random(1))
    assert batch.images.shape == (8, 3, pictures.SIDE, pictures.SIDE)
    assert batch.tokens.shape[0] == 16
    assert batch.fits.shape == (16, 8)
    assert batch.fits[:8].diagonal().all()
    # A wrong caption may have left out what is wrong, but most have not.
    assert batch.fits[8:].diagonal().float().mean() < 0.6


def test_the_loss_is_small_when_captions_match_and_ignores_other_true_captions():
    images, scale = torch.eye(4), torch.tensor(50.0)
    wrong = torch.roll(torch.eye(4), 1, 0) * 0.1
    fits = torch.cat([torch.eye(4), torch.zeros(4, 4)]).bool()
    good = contrastive_loss(images, torch.cat([images, wrong]), scale, fits)
    bad = contrastive_loss(images, torch.cat([torch.roll(images, 1, 0), wrong]), scale, fits)
    assert good < 0.1
    assert bad > 10
    tempting = torch.cat([images, images])  # the wrong caption is as near as the true one
    assert contrastive_loss(images, tempting, scale, fits) > 0.3
    also_true = torch.cat([torch.eye(4), torch.eye(4)]).bool()
    assert contrastive_loss(images, tempting, scale, also_true) < 0.1


def test_the_text_tower_reads_the_same_however_long_the_padding(tokenizer):
    torch.manual_seed(0)
    tower = TextTower(tokenizer.get_vocab_size(), token_id(tokenizer, END)).eval()
    ids = tokenizer.encode("two red balloons").ids
    assert (ids[0], ids[-1], token_id(tokenizer, PAD)) == (token_id(tokenizer, START), token_id(tokenizer, END), 0)
    short, long = torch.zeros(1, len(ids), dtype=torch.int64), torch.zeros(1, 77, dtype=torch.int64)
    short[0], long[0, : len(ids)] = torch.tensor(ids), torch.tensor(ids)
    with torch.no_grad():
        torch.testing.assert_close(tower(short), tower(long))
