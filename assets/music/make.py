#!/usr/bin/env python3
"""Makes the hold music of this folder: composes it, plays it, encodes it.

    python3 assets/music/make.py [FOLDER]

It needs numpy (2.4 here) and ffmpeg. The same seed gives the same notes and the same samples. README.md
tells what it is meant to be like, and how it was judged.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np

RATE = 16_000
HIGHEST = 3_400.0  # Hz: no harmonic above it; telephones carry no more
LEVEL = 0.08  # root mean square of the whole, which is about -21 LUFS
TAIL = 4.0  # seconds in which the last chord rings

MAJOR = [0, 2, 4, 5, 7, 9, 11]
MINOR = [0, 2, 3, 5, 7, 8, 10]
KINDS = {"": [0, 4, 7], "m": [0, 3, 7], "7": [0, 4, 7, 10], "M": [0, 4, 7, 11], "m7": [0, 3, 7, 10],
         "9": [0, 4, 7, 14], "s": [0, 5, 7]}  # fmt: skip
NAMES = {"C": 0, "Db": 1, "D": 2, "Eb": 3, "E": 4, "F": 5, "F#": 6, "G": 7, "Ab": 8, "A": 9, "Bb": 10, "B": 11}

# A piece: its metre, its speed in beats a minute, its sections in the order they are played. A section
# is a key and a chord a bar; its melody is composed once, by the section's own seed, and comes again
# with it. "voices" says who plays.
PIECES = {
    "morning-walk": {
        "beats": 4, "speed": 72, "seed": 11,
        "sections": {
            "intro": ("D", MAJOR, "D9 Bm7 GM As", "pad bass arpeggio"),
            "A": ("D", MAJOR, "D9 Bm7 GM As D9 F#m7 GM A F#m7 Bm7 Em7 A GM As D9 D", "pad bass arpeggio melody"),
            "B": ("G", MAJOR, "GM D9 Em7 Bm7 CM GM Am7 Ds Em7 CM G9 D Am7 CM Ds D7", "pad bass arpeggio melody"),
            "C": ("B", MINOR, "Bm7 GM D9 A Em7 Bm7 GM F#m7 Bm7 Em7 A D9 GM Em7 As A7", "pad bass melody"),
            "outro": ("D", MAJOR, "GM As D9 D", "pad bass arpeggio"),
        },
        "form": "intro A B A C B A outro",
    },
    "evening-boats": {
        "beats": 3, "speed": 80, "seed": 29,
        "sections": {
            "intro": ("F", MAJOR, "F9 Dm7 BbM Cs", "pad arpeggio"),
            "A": ("F", MAJOR, "F9 F9 Dm7 Dm7 BbM BbM Cs C Am7 Am7 Dm7 Dm7 Gm7 Cs F9 F", "pad bass arpeggio melody"),
            "B": ("Bb", MAJOR, "BbM BbM Gm7 Gm7 EbM EbM Fs F Dm7 Dm7 Gm7 Gm7 Cm7 Fs BbM C7", "pad bass arpeggio melody"),
            "C": ("D", MINOR, "Dm7 Dm7 BbM BbM F9 F9 Cs C Gm7 Gm7 Dm7 Dm7 BbM Gm7 Cs C7", "pad bass melody"),
            "outro": ("F", MAJOR, "BbM Cs F9 F", "pad bass arpeggio"),
        },
        "form": "intro A A B A C B A outro",
    },
}  # fmt: skip

# How bars are filled with notes, in beats; a negative number is a rest.
RHYTHMS = {
    4: [[1.5, 0.5, 2], [1, 1, 2], [2, 1, 1], [3, 1], [-1, 1, 1, 1], [1.5, 1.5, 1], [4]],
    3: [[2, 1], [1.5, 0.5, 1], [1, 1, 1], [3], [-1, 1, 1], [1, 2]],
}
LONG = {4: [3, -1], 3: [2, -1]}


def hertz(note):
    return 440.0 * 2 ** ((note - 69) / 12)


def chord(name):
    root = name[:2] if name[:2] in NAMES else name[:1]
    return NAMES[root], [(NAMES[root] + it) % 12 for it in KINDS[name[len(root):]]]


class Tape:
    """Where notes are put."""

    def __init__(self, seconds):
        self.sound = np.zeros(int(seconds * RATE))

    def put(self, at, samples):
        begin = max(int(at * RATE), 0)
        end = min(begin + len(samples), len(self.sound))
        self.sound[begin:end] += samples[: end - begin]


def harmonics(note, most):
    return range(1, max(min(most, int(HIGHEST / hertz(note))), 1) + 1)


def edges(samples, attack, release):
    for length, part in ((attack, samples[: int(attack * RATE)]), (release, samples[-int(release * RATE):][::-1])):
        if length:
            part *= 0.5 - 0.5 * np.cos(np.pi * np.arange(len(part)) / max(len(part), 1))
    return samples


def pluck(note, seconds, strength):
    """Something between a harp and an electric piano."""
    time = np.arange(int(seconds * RATE)) / RATE
    sound = np.zeros_like(time)
    for k in harmonics(note, 9):
        fading = np.exp(-time * (1.0 + 0.45 * k) * (hertz(note) / 330) ** 0.3)
        sound += fading * np.sin(2 * np.pi * hertz(note) * k * (1 + 0.0002 * k * k) * time) / k**1.05
    return strength * edges(sound, 0.006, 0.15)


def pad(note, seconds, strength, chance):
    """Strings far away: three of each, not quite in tune, that swell and go."""
    time = np.arange(int(seconds * RATE)) / RATE
    sound = np.zeros_like(time)
    for cents in (-5, 0, 6):
        hz = hertz(note) * 2 ** (cents / 1200)
        start, slow = chance.uniform(0, 2 * np.pi, 2)
        bow = 1 + 0.15 * np.sin(2 * np.pi * 0.23 * time + slow)
        for k in harmonics(note, 7):
            sound += bow * np.sin(2 * np.pi * hz * k * time + start * k) / k**1.35
    return strength * edges(sound, min(1.1, seconds / 3), min(1.4, seconds / 3))


def bass(note, seconds, strength):
    time = np.arange(int(seconds * RATE)) / RATE
    # Telephones do not carry its lowest tone; the others say which it is.
    sound = sum(a * np.sin(2 * np.pi * hertz(note) * k * time) for k, a in ((1, 0.5), (2, 0.6), (3, 0.45), (4, 0.25), (5, 0.12)))
    return strength * edges(sound * np.exp(-time * 0.9), 0.02, 0.25)


def nearest(tones, last):
    """A chord's tones close to where the last chord's were, between E3 and G5."""
    voices = []
    for before in last:
        free = [n for n in range(52, 80) if n % 12 in tones and n not in voices]
        voices.append(min(free, key=lambda n: (abs(n - before) + abs(n - 65) / 8, n)))
    return sorted(voices)


def compose(seed, beats, key, scale, names):
    """A melody over the chords: (bar, beat, length in beats, note). Four bars are a question, four an answer;
    the second half takes up the beginning again."""
    chance = np.random.default_rng(seed)
    tonic = NAMES[key]
    ladder = [n for n in range(60, 85) if (n - tonic) % 12 in scale]
    motif = [RHYTHMS[beats][i] for i in chance.integers(0, len(RHYTHMS[beats]) - 1, 3)]
    steps = chance.choice([-2, -1, -1, 1, 1, 2, 3, -3], 24)
    place, notes = len(ladder) // 2, []
    for bar, name in enumerate(names):
        ending = bar % 4 == 3
        rhythm = LONG[beats] if ending else motif[bar % 4]
        tones = chord(name)[1]
        beat = 0.0
        for number, length in enumerate(rhythm):
            if length > 0:
                # The same steps in each line, other ones in the third.
                place += int(steps[(bar % 4 * 4 + number + (9 if bar // 4 % 4 == 2 else 0)) % len(steps)])
                middle = len(ladder) // 2
                if abs(place - middle) > 5:
                    place = middle + int(np.sign(place - middle)) * 3
                if beat == 0 or ending:
                    place = min((i for i, n in enumerate(ladder) if n % 12 in tones), key=lambda i: (abs(i - place), i))
                notes.append((bar, beat, length, ladder[place]))
            beat += abs(length)
    return notes


def echo(sound, chance):
    """A room of wood: 1.4 s of noise that fades and gets darker, quietly under the sound."""
    time = np.arange(int(1.4 * RATE)) / RATE
    noise = chance.standard_normal(len(time)) * np.exp(-time * 4.5)
    for _ in range(2):
        noise = np.convolve(noise, [0.25, 0.5, 0.25], mode="same")
    noise[: int(0.018 * RATE)] = 0
    noise /= np.sqrt(np.sum(noise**2))
    size = 1 << int(np.ceil(np.log2(len(sound) + len(noise))))
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(noise, size), size)[: len(sound)]
    return sound + 0.32 * wet


def within(sound):
    """Without what no telephone carries."""
    size = 1 << int(np.ceil(np.log2(len(sound))))
    hz = np.fft.rfftfreq(size, 1 / RATE)
    gain = np.clip((HIGHEST + 300 - hz) / 300, 0, 1) * np.clip((hz - 60) / 40, 0, 1)
    return np.fft.irfft(np.fft.rfft(sound, size) * gain, size)[: len(sound)]


def play(piece):
    chance = np.random.default_rng(piece["seed"])
    beats, beat = piece["beats"], 60 / piece["speed"]
    form = piece["form"].split()
    bars = sum(len(piece["sections"][it][2].split()) for it in form)
    tape = Tape(bars * beats * beat + TAIL)
    voices, bar = [57, 62, 66, 69], 0
    for number, word in enumerate(form):
        key, scale, names, who = piece["sections"][word]
        names = names.split()
        melody = compose(piece["seed"] * 100 + ord(word[0]), beats, key, scale, names)
        last = number == len(form) - 1
        for at, name in enumerate(names):
            root, tones = chord(name)
            voices = nearest(tones, voices)
            begin, long = (bar + at) * beats * beat, beats * beat
            final = last and at == len(names) - 1
            for note in voices:
                tape.put(begin - 0.25, pad(note, long + 1.1 + (2.0 if final else 0), 0.042, chance))
            if "bass" in who:
                low = 38 + (root - 38) % 12
                tape.put(begin, bass(low, long * 0.95, 0.085))
                if beats == 4 and not final:
                    tape.put(begin + 2 * beat, bass(low + (7 if (root + 7) % 12 in tones else 0), long * 0.45, 0.055))
            if "arpeggio" in who:
                ladder = voices + [voices[1] + 12, voices[2] + 12]
                order = [0, 2, 3, 4, 5, 4, 3, 2] if beats == 4 else [0, 2, 4, 5, 4, 2]
                for step, voice in enumerate(order[:1] if final else order):
                    strength = 0.052 * (1.15 if step == 0 else 1) * chance.uniform(0.8, 1.05)
                    tape.put(begin + step * beat / 2 + chance.normal(0, 0.006), pluck(ladder[voice], 1.6, strength))
        if "melody" in who:
            for at, on, length, note in melody:
                begin = (bar + at) * beats * beat + on * beat + chance.normal(0, 0.008)
                strength = 0.13 * chance.uniform(0.85, 1.05)
                tape.put(begin, pluck(note, max(length * beat * 1.5, 1.2), strength))
                # Not all of it alone: long notes have a third or sixth below, softly.
                if length >= 2:
                    tape.put(begin + 0.03, pluck(note - 12, length * beat * 1.5, strength * 0.3))
        bar += len(names)
    sound = within(echo(tape.sound, np.random.default_rng(5)))
    sound *= LEVEL / np.sqrt(np.mean(sound**2))
    # Nothing sticks out: what is far above the rest is bent down a little.
    return edges(np.tanh(sound * 1.6) / 1.6, 0.01, 1.5)


def encode(sound, file):
    samples = np.round(sound * 32_767).astype("<i2").tobytes()
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "-",
         "-c:a", "libvorbis", "-q:a", "5", "-flags:a", "+bitexact", "-fflags", "+bitexact",
         "-map_metadata", "-1", str(file)],
        input=samples, check=True,
    )  # fmt: skip


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, piece in PIECES.items():
        sound = play(piece)
        print(f"{name}: {len(sound) / RATE:.0f} s, peak {np.max(np.abs(sound)):.2f}")
        encode(sound, folder / f"{name}.ogg")
