"""The real faster-whisper path, with a model of random weights made here: it says nonsense, but by the real code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rushes.engine.job import ToolSettings
from rushes.enrichment.doubt import is_loop
from rushes.enrichment.speech import RATE, Engine, select
from rushes.facts import AudioFacts
from rushes.model import Skipped

ctranslate2 = pytest.importorskip("ctranslate2")
tokenizers = pytest.importorskip("tokenizers")
pytest.importorskip("faster_whisper")

WIDTH, LAYERS, HEADS = 32, 1, 2
AUDIO = AudioFacts(index=0, codec="aac", channels=1, sample_rate=48_000, language="en")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that looks to faster-whisper like an English model."""
    folder = tmp_path_factory.mktemp("whisper") / "random"
    folder.mkdir()
    tokens = write_tokenizer(folder / "tokenizer.json")
    spec = ctranslate2.specs.WhisperSpec(LAYERS, HEADS, LAYERS, HEADS)
    fill(spec, len(tokens))
    spec.register_vocabulary(tokens)
    first = tokens.index("<|endoftext|>")
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [first]
    spec.config.lang_ids = []
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.save(str(folder))
    return folder


def write_tokenizer(path: Path) -> list[str]:
    """Bytes as tokens, then Whisper's special ones in Whisper's order, timestamps last."""
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(letters)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    names = ["endoftext", "startoftranscript", "translate", "transcribe", "startoflm", "startofprev", "nospeech"]
    names += ["notimestamps", *(f"{step * 0.02:.2f}" for step in range(1501))]
    tokenizer.add_special_tokens([f"<|{name}|>" for name in names])
    tokenizer.save(str(path))
    return [tokenizer.id_to_token(number) for number in range(tokenizer.get_vocab_size())]


def fill(spec: object, vocabulary: int) -> None:
    """Random weights of the right shapes."""
    random = np.random.default_rng(7)

    def weights(*shape: int) -> np.ndarray:
        return random.normal(0, 0.15, shape).astype(np.float32)

    def norm(layer: object) -> None:
        layer.gamma, layer.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    def linear(layer: object, rows: int, columns: int) -> None:
        layer.weight, layer.bias = weights(rows, columns), np.zeros(rows, np.float32)

    def attention(layer: object, shapes: list[int]) -> None:
        norm(layer.layer_norm)
        for part, rows in zip(layer.linear, shapes, strict=True):
            linear(part, rows, WIDTH)

    def feed_forward(layer: object) -> None:
        norm(layer.layer_norm)
        linear(layer.linear_0, 4 * WIDTH, WIDTH)
        linear(layer.linear_1, WIDTH, 4 * WIDTH)

    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight, encoder.conv1.bias = weights(WIDTH, 80, 3), np.zeros(WIDTH, np.float32)
    encoder.conv2.weight, encoder.conv2.bias = weights(WIDTH, WIDTH, 3), np.zeros(WIDTH, np.float32)
    encoder.position_encodings.encodings = weights(1500, WIDTH)
    decoder.position_encodings.encodings = weights(448, WIDTH)
    decoder.embeddings.weight = weights(vocabulary, WIDTH)
    decoder.projection.weight = decoder.embeddings.weight
    for side in (encoder, decoder):
        norm(side.layer_norm)
        for layer in side.layer:
            attention(layer.self_attention, [3 * WIDTH, WIDTH])
            feed_forward(layer.ffn)
    for layer in decoder.layer:
        attention(layer.attention, [WIDTH, 2 * WIDTH, WIDTH])


@pytest.fixture(scope="module")
def engine(model: Path) -> Engine:
    chosen = select(ToolSettings(whisper_model=str(model)), AUDIO, 10.0)
    assert not isinstance(chosen, Skipped), chosen.reason.message
    return chosen


def test_a_configured_model_is_chosen_and_trusted(engine: Engine) -> None:
    assert (engine.name, engine.trusted) == ("faster-whisper/random", True)


def test_silence_gives_no_words_and_no_language(engine: Engine) -> None:
    speech = engine.hear(np.zeros(5 * RATE, np.int16), lambda fraction: None)
    assert (speech.language, speech.words) == (None, ())


def test_speech_goes_through_and_what_comes_out_is_in_order_and_no_loop(engine: Engine, spoken: np.ndarray) -> None:
    seen: list[float] = []
    speech = engine.hear(spoken, seen.append)
    assert seen, "the model was never asked"
    assert all(0 <= fraction <= 1 for fraction in seen)
    assert all(0 <= word.start <= word.end <= len(spoken) / RATE + 0.5 for word in speech.words)
    assert not is_loop(" ".join(word.text for word in speech.words))


def test_the_same_sound_gives_the_same_words(model: Path, spoken: np.ndarray) -> None:
    tools = ToolSettings(whisper_model=str(model))
    one, two = (select(tools, AUDIO, 10.0).hear(spoken, lambda fraction: None) for _ in range(2))
    assert one == two
